"""Faults that a sandbox suffers from on request: a link that is down, a disk that is slow.

Always true:

(1) Nothing here is installed in a site that is no sandbox.
(2) A fault ends by itself.
(3) A fault shows what the real thing would show: closed links, late disks; no data is harmed.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from srshell.codec.checksum import Buffer
from srshell.site.api import FaultKind
from srshell.storage import OsDisk, RawFile
from srshell.storage.raw import FileHandle
from srshell.transport.link import Accept, Link, LinkRefused, Listener, Network

SLOW_DISK_SECONDS: Final = 0.1

#: A freeze begins after its own answer has left.
_FREEZE_AFTER_SECONDS: Final = 0.05


@attrs.define(eq=False)
class Faults:
    """Until when (monotonic seconds) each fault lasts."""

    _until: dict[FaultKind, float] = attrs.field(factory=dict, init=False)
    _links: weakref.WeakSet[Link] = attrs.field(factory=weakref.WeakSet, init=False)

    def suffer(self, kind: FaultKind, seconds: float) -> None:
        """Let a fault begin now; 0 seconds end it."""
        self._until[kind] = time.monotonic() + seconds
        if kind is FaultKind.LINK_DOWN and seconds > 0:
            for link in list(self._links):
                link.close()
        if kind is FaultKind.FREEZE and seconds > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(_FREEZE_AFTER_SECONDS, time.sleep, seconds)

    def active(self, kind: FaultKind) -> bool:
        """Whether a fault lasts."""
        return time.monotonic() < self._until.get(kind, 0.0)

    def watch(self, link: Link) -> None:
        """Cut this link when links go down."""
        self._links.add(link)


@attrs.define(eq=False)
class FaultyNetwork:
    """A network whose links can be down."""

    _network: Network
    _faults: Faults

    async def connect(self, address: str) -> Link:
        """Open a link, unless links are down."""
        if self._faults.active(FaultKind.LINK_DOWN):
            raise LinkRefused(f"{address}: links are down on request")
        link = await self._network.connect(address)
        self._faults.watch(link)
        return link

    async def listen(self, address: str, accept: Accept) -> Listener:
        """Accept links; those that come while links are down are closed."""

        async def accept_unless_down(link: Link) -> None:
            if self._faults.active(FaultKind.LINK_DOWN):
                link.close()
                return
            self._faults.watch(link)
            await accept(link)

        return await self._network.listen(address, accept_unless_down)


@attrs.define(eq=False)
class SlowHandle:
    """System calls on a file, of which writes and syncs take longer while the disk is slow."""

    _handle: FileHandle
    _delay: Callable[[], None]

    def pread(self, length: int, offset: int) -> bytes:
        """Read."""
        return self._handle.pread(length, offset)

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write, late."""
        self._delay()
        return self._handle.pwritev(buffers, offset)

    def datasync(self) -> None:
        """Sync, late."""
        self._delay()
        self._handle.datasync()

    def punch_hole(self, offset: int, length: int) -> bool:
        """Punch a hole."""
        return self._handle.punch_hole(offset, length)

    def next_data(self, offset: int) -> int | None:
        """Find data."""
        return self._handle.next_data(offset)

    def next_hole(self, offset: int) -> int:
        """Find a hole."""
        return self._handle.next_hole(offset)

    def drop_cache(self, offset: int, length: int) -> None:
        """Forget cached pages."""
        self._handle.drop_cache(offset, length)

    def pread_direct(self, length: int, offset: int) -> bytes | None:
        """Read past the cache."""
        return self._handle.pread_direct(length, offset)

    def close(self) -> None:
        """Close."""
        self._handle.close()


class SlowDisk(OsDisk):
    """The system's files, on a disk that can be slow."""

    def __init__(self, faults: Faults) -> None:
        """Be slow when ``faults`` say so."""
        self._faults = faults

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        """Open a file whose writes and syncs can be late."""
        file = super().open(path, writable=writable, lock=lock)
        handle = SlowHandle(file._handle, self._delay)  # noqa: SLF001 - wrapped, not changed
        return RawFile(file.path, file.size_bytes, file.writable, handle)

    def _delay(self) -> None:
        """Called in the threads of the disk."""
        if self._faults.active(FaultKind.SLOW_DISK):
            time.sleep(SLOW_DISK_SECONDS)
