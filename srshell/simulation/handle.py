"""The system calls of one open simulated file.

Always true: each is one operation of its disk, and does nothing once its process is dead, the power
was cut, or it was closed.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import attrs

from srshell.codec.checksum import Buffer
from srshell.simulation.faults import SILENT, FaultKind, fail
from srshell.simulation.image import SimImage
from srshell.simulation.process import ProcessKilled, SimProcess

T = TypeVar("T")


class HandleDisk(Protocol):
    """What a handle needs of its disk."""

    #: Counts power cuts.
    life: int
    #: Silent faults touch only bytes from here on.
    silent_from_offset: int
    #: Whether files can be written durably in one call.
    through: bool

    def perform(
        self,
        name: str,
        path: str,
        offset: int,
        length: int,
        effect: Callable[[FaultKind | None], T],
    ) -> T:
        """Do one operation; ``effect`` is told how it is to fail, if it is."""
        ...

    def part_of(self, length: int) -> int:
        """Return how much of an operation was done when it was cut short (bytes)."""
        ...

    def elsewhere(self, image: SimImage, length: int) -> int:
        """Return where a misdirected write lands (bytes)."""
        ...

    def maybe_write_back(self, image: SimImage) -> None:
        """Now and then, do what the system does in its own time."""
        ...

    def unlock(self, image: SimImage, handle: SimHandle) -> None:
        """Let somebody else have the file, if this handle had it."""
        ...


@attrs.define(eq=False)
class SimHandle:
    """`FileHandle` on a simulated file."""

    disk: HandleDisk
    path: str
    image: SimImage
    #: The life of the disk in which it was opened.
    life: int
    process: SimProcess | None
    closed: bool = False

    def pread(self, length: int, offset: int) -> bytes:
        """Read what the cache shows."""

        def read(kind: FaultKind | None) -> bytes:
            fail(kind)
            short = kind is FaultKind.SHORT
            return self.image.read(offset, self.disk.part_of(length) if short else length)

        return self._perform("read", offset, length, read)

    def pread_cached(self, length: int, offset: int) -> bytearray | None:
        """Read what the cache shows: that takes no time, and no fault strikes it."""
        self._check_open()
        return bytearray(self.image.read(offset, length))

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write into the cache."""
        data = buffers[0] if len(buffers) == 1 else b"".join(buffers)

        def write(kind: FaultKind | None) -> int:
            if kind in SILENT:
                self.image.lose_write(offset, data)
                if kind is FaultKind.MISDIRECTED:
                    self.image.misplace(self.disk.elsewhere(self.image, len(data)), data)
                return len(data)
            taken = len(data) if kind is None else self.disk.part_of(len(data))
            self.image.write(offset, memoryview(data)[:taken])
            self.disk.maybe_write_back(self.image)
            fail(kind)
            return taken

        return self._perform("write", offset, len(data), write)

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Write, and make durable what was written and nothing else; a crash may come between."""
        if not self.disk.through or self.pwritev(buffers, offset) < length:
            return False
        self._sync(lambda: self.image.sync_range(offset, length))
        return True

    def datasync(self) -> None:
        """Make it durable, or lose it."""
        self._sync(self.image.sync)

    def _sync(self, make_durable: Callable[[], None]) -> None:
        def sync(kind: FaultKind | None) -> None:
            if kind in (FaultKind.EIO, FaultKind.ENOSPC):
                self.image.lose_dirty()
            fail(kind)
            if kind is FaultKind.LIE:
                self.image.sync_before(self.disk.silent_from_offset)
            else:
                make_durable()

        self._perform("sync", 0, 0, sync)

    def punch_hole(self, offset: int, length: int) -> bool:
        """Put zeros and make holes."""

        def punch(kind: FaultKind | None) -> bool:
            fail(kind)
            self.image.punch(offset, length)
            return True

        return self._perform("punch", offset, length, punch)

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or after ``offset``."""
        self._check_open()
        return self.image.next_data(offset)

    def next_hole(self, offset: int) -> int:
        """Return where the data at ``offset`` ends."""
        return self.image.next_hole(offset)

    def drop_cache(self, offset: int, length: int) -> None:
        """Read clean sectors from the disk from now on."""
        self._perform("drop_cache", offset, length, lambda _: self.image.drop_cache(offset, length))

    def kept_bytes(self) -> int:
        """Return the size: nobody else has simulated files."""
        return self.image.size_bytes

    def pread_direct(self, length: int, offset: int) -> bytes | None:
        """Refuse: who wants to know what the disk has syncs and drops the cache here."""
        self._check_open()
        return None

    def close(self) -> None:
        """Close it, and end its lock."""
        self._check_open()
        self.release()

    def release(self) -> None:
        """Do what the kernel does at the end of a process."""
        self.closed = True
        self.disk.unlock(self.image, self)
        if self.process is not None:
            self.process.forget_at_death(self.release)

    def _perform(
        self, name: str, offset: int, length: int, effect: Callable[[FaultKind | None], T]
    ) -> T:
        self._check_open()
        return self.disk.perform(name, self.path, offset, length, effect)

    def _check_open(self) -> None:
        if self.life != self.disk.life:
            raise ProcessKilled
        if self.closed:
            if self.process is not None and not self.process.alive:
                raise ProcessKilled
            raise OSError(errno.EBADF, "bad file descriptor")
