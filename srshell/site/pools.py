"""A pool of a site: a labelled, locked directory or block device.

Always true:

(1) While a `Pool` is open no other site can open the same place: a directory holds a lock file, a
    block device is locked itself.
(2) The label on disk is the label in memory; it names the fabric and the array.
(3) Each pool has its own threads: a hung disk does not stop another pool.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import attrs

from srshell.model.errors import SrError
from srshell.model.geometry import DEFAULT_BLOCK_BYTES
from srshell.model.identity import check_name
from srshell.model.inventory import PoolKind
from srshell.site import inspect, labels
from srshell.site.api import PoolSpec, PoolUsage
from srshell.site.errors import to_sr_error
from srshell.site.labels import LabelledVolume, PoolLabel
from srshell.storage import AlreadyLocked, DeviceExecutor, LockFile, StorageError, lock_note

LOCK_NAME: Final = ".srshell-pool.lock"

#: Files of a directory that are not volumes.
OWN_NAMES: Final = frozenset({labels.LABEL_NAME, f"{labels.LABEL_NAME}.new", LOCK_NAME})

#: ``struct flock``: a write lock from the beginning to the end.
_WHOLE_FILE: Final = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)

_DATA_THREADS: Final = 4
_USAGE_SECONDS: Final = 1.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@attrs.define(eq=False)
class Pool:
    """One open pool."""

    label: PoolLabel
    label_path: Path
    #: Reads and writes of its volumes.
    executor: DeviceExecutor
    _chores: DeviceExecutor
    _release: Callable[[], None]
    _usage: PoolUsage
    _measuring: asyncio.Future[PoolUsage] | None = attrs.field(default=None, init=False)
    _changing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    @classmethod
    async def open(cls, spec: PoolSpec, array: str, site_directory: Path) -> Pool:
        """Lock and label a place; see `SiteApi.add_pool` for what is raised."""
        check_name(spec.name, "pool")
        chores = DeviceExecutor(1, f"{spec.name}-chores")
        loop = asyncio.get_running_loop()
        try:
            release, label, path = await loop.run_in_executor(
                chores, _take, spec, array, site_directory
            )
        except BaseException:
            chores.shutdown(wait=False)
            raise
        executor = DeviceExecutor(_DATA_THREADS, f"{spec.name}-data")
        usage = PoolUsage(label.pool, label.path, label.kind, 0, 0, label.classification)
        return cls(label, path, executor, chores, release, usage)

    @property
    def name(self) -> str:
        """Name of the pool, unique on its array."""
        return self.label.pool

    @property
    def path(self) -> Path:
        """The directory or block device."""
        return Path(self.label.path)

    def volume_path(self, volume: str) -> str:
        """Return where a volume of that name lies."""
        if self.label.kind is PoolKind.VOLUME:
            return self.label.path
        return _join(self.label.path, volume)

    async def usage(self) -> PoolUsage:
        """Tell how full it is; as it was last, if the disk does not say so within a second."""
        measured = self._measuring
        if measured is None:
            measured = self._measuring = self.run(_measure, self.label)
        done, _ = await asyncio.wait({measured}, timeout=_USAGE_SECONDS)
        if done:
            # Several may have waited for the same measurement.
            if self._measuring is measured:
                self._measuring = None
            # A directory that has gone is told by `rescan`; here the last known numbers stay.
            if measured.exception() is None:
                self._usage = measured.result()
        return self._usage

    async def keep_volume(self, volume: LabelledVolume) -> None:
        """Write a volume into the label, durably."""
        await self._relabel(lambda label: label.with_volume(volume))

    async def drop_volume(self, name: str) -> None:
        """Take a volume out of the label, durably."""
        await self._relabel(lambda label: label.without_volume(name))

    async def classify(self, classification: str) -> None:
        """Write another classification into the label."""
        await self._relabel(lambda label: attrs.evolve(label, classification=classification))

    async def give_back(self) -> None:
        """Take the label away and release the place; its volumes were removed before."""
        await self.run(labels.remove_record, self.label_path)
        await self.close()

    async def close(self) -> None:
        """Release the place; files of its volumes were closed before."""
        await self.run(self._release)
        self.executor.shutdown(wait=False)
        self._chores.shutdown(wait=False)

    def run(self, call: Callable[[*Ts], T], *arguments: *Ts) -> asyncio.Future[T]:
        """Do something slow with the pool, in its own thread."""
        return asyncio.get_running_loop().run_in_executor(self._chores, call, *arguments)

    async def _relabel(self, change: Callable[[PoolLabel], PoolLabel]) -> None:
        async with self._changing:
            label = change(self.label)
            if label != self.label:
                await self.run(labels.write_record, self.label_path, label)
                self.label = label


def _take(
    spec: PoolSpec, array: str, site_directory: Path
) -> tuple[Callable[[], None], PoolLabel, Path]:
    """Check, lock and label a place; undo the lock if anything fails.  Blocks."""
    path = _checked_path(spec, array)
    release = _lock(path, spec, array)
    try:
        where = labels.label_path(path, spec.kind, spec.name, site_directory)
        found = labels.read_label(where)
        _check_owner(found, spec, array, path)
        volumes = found.volumes if found else ()
        classification = spec.classification or (found.classification if found else "")
        label = PoolLabel(
            spec.fabric, array, spec.name, spec.kind, str(path), classification, volumes
        )
        if label != found:
            labels.write_record(where, label)
    except BaseException:
        release()
        raise
    return release, label, where


def _checked_path(spec: PoolSpec, array: str) -> Path:
    candidate = inspect.look(spec.path)
    if candidate.kind is not spec.kind:
        facts = "; ".join(candidate.problems) or f"it is of kind {candidate.kind}"
        raise SrError.make("SR1103", facts=facts, where=spec.path)
    if candidate.problems:
        facts = "; ".join(candidate.problems)
        raise SrError.make("SR1101", facts=facts, pool=spec.name, array=array, where=spec.path)
    return Path(candidate.where)


def _check_owner(found: PoolLabel | None, spec: PoolSpec, array: str, path: Path) -> None:
    """Refuse a place that is labelled for somebody else."""
    if found is None:
        return
    if found.fabric != spec.fabric:
        facts = f"{path} is labelled for fabric {found.fabric}, array {found.array}"
        raise SrError.make("SR1001", facts=facts, array=array, fabric="DIR")
    if found.array not in {array, spec.renamed_from}:
        facts = f"{path} is labelled for array {found.array}"
        raise SrError.make("SR1003", facts=facts, a=array, b=found.array, where=spec.path)
    if found.pool != spec.name:
        facts = f"{path} is labelled as pool {found.pool}"
        raise SrError.make("SR0103", facts=facts, noun="pool", name=spec.name)


def _lock(path: Path, spec: PoolSpec, array: str) -> Callable[[], None]:
    if spec.kind is PoolKind.VOLUME:
        return _lock_device(path)
    lock_path = str(path / LOCK_NAME)
    try:
        return LockFile.take(lock_path, f"site {array}, process {os.getpid()}\n").release
    except AlreadyLocked:
        facts = f"held by {lock_note(lock_path).strip()}"
        raise SrError.make("SR9221", facts=facts, file=str(path)) from None
    except StorageError as error:
        raise to_sr_error(error) from error


def _lock_device(path: Path) -> Callable[[], None]:
    """Lock a block device against other sites.

    An open file's record lock stands beside the two ways in which storage claims a device when it
    opens it: `flock`, and exclusive use by the kernel's leave.
    """
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        facts = "another site has it" if descriptor >= 0 else error.strerror or str(error)
        raise SrError.make("SR9221", facts=facts, file=str(path)) from error

    def release() -> None:
        os.close(descriptor)

    return release


def _measure(label: PoolLabel) -> PoolUsage:
    path = Path(label.path)
    status = path.stat()
    if label.kind is PoolKind.VOLUME:
        size_bytes = inspect.device_bytes(path)
        free_bytes, block_bytes = 0 if label.volumes else size_bytes, inspect.device_block(path)
        device = status.st_rdev
    else:
        space = os.statvfs(path)
        size_bytes, free_bytes = space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize
        block_bytes, device = DEFAULT_BLOCK_BYTES, status.st_dev
    return PoolUsage(
        name=label.pool,
        path=label.path,
        kind=label.kind,
        size_bytes=size_bytes,
        free_bytes=free_bytes,
        classification=label.classification,
        block_bytes=block_bytes,
        device=inspect.device_name(device),
    )


@functools.lru_cache(maxsize=4096)
def _join(directory: str, name: str) -> str:
    """A path as text; every report of a site asks for it, for every volume."""
    return str(Path(directory) / name)
