"""A disk that loses what was not synced, breaks on request, and can be stopped at any operation.

Always true:

(1) The shipped `RawFile` and `BlockFile` run on it unchanged: only system calls are faked.
(2) A name made, moved or removed is durable after `sync_directory`, and not before.
(3) Every operation is counted; `before` and `after` see it, and may kill the process or cut the
    power: the operation then ends in `ProcessKilled` for whoever asked.
(4) A write that a dying process leaves unfinished has put down its beginning, or nothing.
(5) `SimDisk.power_cut` leaves files without any open handle; `SimProcess.kill` leaves the cache.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final, TypeVar

import attrs

from srshell.simulation.faults import Fault, FaultKind, Operation, fail
from srshell.simulation.handle import SimHandle
from srshell.simulation.image import SECTOR_BYTES, SimImage
from srshell.simulation.jobs import JobHung, SimJob
from srshell.simulation.loop import SimLoop
from srshell.simulation.process import CURRENT_PROCESS, LifeState, ProcessKilled, SimProcess
from srshell.storage.errors import AlreadyLocked, StorageError, translated
from srshell.storage.raw import RawFile

T = TypeVar("T")

#: How often the system writes something back by itself, per write.
_WRITE_BACK_CHANCE: Final = 0.02
_FREE_BYTES: Final = 1 << 40


@attrs.frozen
class _NameChange:
    """A change of names that waits for `sync_directory`; None stands for "no such name"."""

    folders: frozenset[str]
    names: dict[str, SimImage | None]


class SimDisk:
    """`RawDisk` of one simulated machine."""

    def __init__(
        self, loop: SimLoop, name: str, harsh: bool = False, through: bool = False
    ) -> None:
        """Begin empty.

        ``harsh`` decides each unsynced sector and name for itself at a power cut, and may leave
        garbage in torn sectors.  ``through``: files can be written durably in one call.
        """
        self.name = name
        self.harsh = harsh
        self.through = through
        self.operations = 0
        self.before: Callable[[Operation], None] | None = None
        self.after: Callable[[Operation], None] | None = None
        self.faults: list[Fault] = []
        #: Virtual seconds that each operation adds to its job, from and to.
        self.slow_seconds = (0.0, 0.0)
        self.hung = False
        #: What `free_bytes` says.
        self.free_room_bytes = _FREE_BYTES
        self.silent_from_offset = 0
        self._loop = loop
        self._random = loop.random(f"disk {name}")
        self._names: dict[str, SimImage] = {}
        self._durable_names: dict[str, SimImage] = {}
        self._name_changes: list[_NameChange] = []
        self._locks: dict[SimImage, SimHandle] = {}
        self._hung_jobs: list[SimJob] = []
        #: Counts power cuts; handles of an earlier life are dead.
        self.life = 0

    # --- RawDisk --------------------------------------------------------------------------------

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        """Open a file; see `RawDisk.open`."""
        with translated("open", path):
            image = self.perform("open", path, 0, 0, lambda kind: self._find(path, kind))
        if lock and image in self._locks:
            raise AlreadyLocked("lock", path, "LOCKED", text="somebody else has it")
        handle = SimHandle(self, path, image, self.life, self._process())
        if lock:
            self._locks[image] = handle
        if handle.process is not None:
            handle.process.at_death(handle.release)
        return RawFile(path, image.size_bytes, writable, handle)

    def create(self, path: str, size_bytes: int, *, zeroed: bool = False) -> None:
        """Make a file; see `RawDisk.create`."""
        if path in self._names:
            raise StorageError("create", path, "EEXIST")
        with translated("create", path):
            image = self.perform(
                "create", path, 0, size_bytes, lambda kind: _new_image(size_bytes, zeroed, kind)
            )
            self._change_names("link", path, {path: image})
            change = self._name_changes[-1]
            try:
                self._sync_names(os.path.dirname(path))
            except OSError:
                self._name_changes.remove(change)
                del self._names[path]
                raise

    def remove(self, path: str) -> None:
        """Remove a name; durable after `sync_directory`."""
        with translated("remove", path):
            self._find(path)
            self._change_names("remove", path, {path: None})

    def rename(self, path: str, new_path: str) -> None:
        """Rename, replacing what was there; durable after `sync_directory`."""
        with translated("rename", path):
            self._change_names("rename", path, {path: None, new_path: self._find(path)})

    def share(self, path: str, new_path: str) -> bool:
        """Refuse: this file system keeps no shared blocks."""
        return False

    def free_bytes(self, folder: str) -> int:
        """Return what was set, at first more than any file needs; ENOSPC strikes as a fault."""
        return self.free_room_bytes

    def exists(self, path: str) -> bool:
        """Say whether the name is taken."""
        return path in self._names

    def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable."""
        with translated("sync_directory", path):
            self._sync_names(path)

    # --- the world ------------------------------------------------------------------------------

    def fail_at(
        self,
        count: int,
        kind: FaultKind,
        *,
        operation: str | None = None,
        path: str = "",
        sticky: bool = False,
    ) -> Fault:
        """Let the ``count``-th matching operation from now on fail (1: the next one).

        ``operation`` is a name of `Operation`, ``path`` a part of the path; ``sticky`` faults stay.
        """
        fault = Fault(kind, count - 1, operation, path, sticky)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Take back every fault; what was lost stays lost."""
        self.faults.clear()

    def slow_down(self, seconds: float) -> None:
        """Let each operation take up to so much longer from now on; 0: as long as always."""
        self.slow_seconds = (0.0, seconds)

    def hang(self) -> None:
        """Let every operation wait from now on."""
        self.hung = True

    def resume(self) -> None:
        """Let the operations that hang, and all others, go on."""
        self.hung = False
        jobs, self._hung_jobs = self._hung_jobs, []
        for job in jobs:
            self._loop.call_soon(job.resume, context=self._loop.world)

    def power_cut(self) -> None:
        """Lose what was not synced.  Kill the machine's processes first."""
        self._loop.record(self.name, "power cut", self.operations)
        self.life += 1
        self._locks.clear()
        self._hung_jobs.clear()
        self.hung = False
        for image in dict.fromkeys((*self._names.values(), *self._durable_names.values())):
            image.power_cut(self._random, harsh=self.harsh)
        self._cut_names()

    def paths(self) -> list[str]:
        """Return the names of all files, as a running process sees them."""
        return list(self._names)

    def image(self, path: str) -> SimImage:
        """Return the bytes behind a name, for the oracle and for bit rot."""
        return self._names[path]

    # --- for handles ----------------------------------------------------------------------------

    def perform(
        self,
        name: str,
        path: str,
        offset: int,
        length: int,
        effect: Callable[[FaultKind | None], T],
    ) -> T:
        """Do one operation; ``effect`` is told how it is to fail, if it is.

        Raises `OSError` for a fault, `JobHung`, or `ProcessKilled`.
        """
        job = self._loop.current_job
        if job is not None and job.replayed < len(job.results):
            job.replayed += 1
            done: T = job.results[job.replayed - 1]
            return done
        process, life = self._process(), self.life
        if process is not None and not process.alive:
            self._perform_dying(process, name, effect)
        self.operations += 1
        self._loop.record(self.name, self.operations, name, path, offset, length)
        kind: FaultKind | None = None
        operation: Operation | None = None
        if self.before is not None or self.after is not None or self.faults:
            site = "" if job is None else job.site
            operation = Operation(self.operations, name, path, offset, length, site)
            if self.before is not None:
                self.before(operation)
                self._check_survived(process, life)
            kind = self._strike(operation)
        self._delay(job, hang=kind is FaultKind.HANG)
        result = effect(kind)
        if job is not None:
            job.results.append(result)
            job.replayed += 1
        if self.after is not None and operation is not None:
            self.after(operation)
            self._check_survived(process, life)
        return result

    def unlock(self, image: SimImage, handle: SimHandle) -> None:
        """Let somebody else have the file, if this handle had it."""
        if self._locks.get(image) is handle:
            del self._locks[image]

    def maybe_write_back(self, image: SimImage) -> None:
        """Now and then, do what the system does in its own time."""
        if self._random.random() < _WRITE_BACK_CHANCE:
            image.write_back(self._random)

    def part_of(self, length: int) -> int:
        """Return how much of an operation was done when it was cut short (bytes)."""
        return self._random.randrange(1, length) if length > 1 else length

    def elsewhere(self, image: SimImage, length: int) -> int:
        """Return where a misdirected write lands (bytes)."""
        first, end = self.silent_from_offset, image.size_bytes - length
        return self._random.randrange(first, end + 1) // SECTOR_BYTES * SECTOR_BYTES

    # --- inside ---------------------------------------------------------------------------------

    def _process(self) -> SimProcess | None:
        job = self._loop.current_job
        return CURRENT_PROCESS.get() if job is None else job.process

    def _perform_dying(
        self, process: SimProcess, name: str, effect: Callable[[FaultKind | None], T]
    ) -> None:
        """Let an operation through that the kernel had in hand when its process died, or not."""
        if process.state is LifeState.DYING and process.operations_left > 0:
            process.operations_left -= 1
            if process.operations_left > 0:
                return
            if name == "write" and self._random.getrandbits(1):
                effect(FaultKind.SHORT)
        raise ProcessKilled

    def _check_survived(self, process: SimProcess | None, life: int) -> None:
        if life != self.life or (process is not None and process.state is LifeState.DEAD):
            raise ProcessKilled

    def _strike(self, operation: Operation) -> FaultKind | None:
        for fault in self.faults:
            if fault.strikes(operation):
                self._loop.record(self.name, "fault", fault.kind.name)
                self._loop.reached(f"disk: {fault.kind.name} at {operation.name}")
                return fault.kind
        return None

    def _delay(self, job: SimJob | None, *, hang: bool) -> None:
        """Make the job wait: a little if the disk is slow, until `resume` if it hangs."""
        self.hung |= hang
        if job is None:
            return
        if self.hung:
            self._hung_jobs.append(job)
            self._loop.reached("disk: a job hangs")
            raise JobHung
        if self.slow_seconds[1]:
            job.end_time += self._random.uniform(*self.slow_seconds)

    def _find(self, path: str, kind: FaultKind | None = None) -> SimImage:
        fail(kind)
        image = self._names.get(path)
        if image is None:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return image

    def _change_names(self, name: str, path: str, names: dict[str, SimImage | None]) -> None:
        def change(kind: FaultKind | None) -> None:
            fail(kind)
            folders = frozenset(os.path.dirname(path) for path in names)
            self._name_changes.append(_NameChange(folders, names))
            _apply(names, self._names)

        self.perform(name, path, 0, 0, change)

    def _sync_names(self, folder: str) -> None:
        def sync(kind: FaultKind | None) -> None:
            fail(kind)
            for change in self._name_changes:
                if folder in change.folders:
                    _apply(change.names, self._durable_names)
            self._name_changes = [
                change for change in self._name_changes if folder not in change.folders
            ]

        self.perform("sync_directory", folder, 0, 0, sync)

    def _cut_names(self) -> None:
        """Keep some of the changes that were not synced: the first few, or any if it is harsh."""
        changes, self._name_changes = self._name_changes, []
        if self.harsh:
            changes = [change for change in changes if self._random.getrandbits(1)]
        else:
            changes = changes[: self._random.randrange(len(changes) + 1)]
        for change in changes:
            _apply(change.names, self._durable_names)
        self._names = dict(self._durable_names)


def _new_image(size_bytes: int, zeroed: bool, kind: FaultKind | None) -> SimImage:
    fail(kind)
    image = SimImage(size_bytes)
    if zeroed:
        image.fill_with_zeros()
    return image


def _apply(change: dict[str, SimImage | None], names: dict[str, SimImage]) -> None:
    for path, image in change.items():
        if image is None:
            names.pop(path, None)
        else:
            names[path] = image
