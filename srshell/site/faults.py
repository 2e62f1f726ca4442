"""Faults that a sandbox suffers from on request: a link that is down, a disk that is slow.

Always true:

(1) Nothing here is installed in a site that is no sandbox.
(2) A fault ends by itself.
(3) A fault shows what the real thing would show: closed or late links, late disks; no data is
    harmed.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.messages import Message
from srshell.site.api import FaultKind
from srshell.storage import OsDisk, RawFile
from srshell.storage.raw import FileHandle
from srshell.transport.link import (
    Accept,
    Hear,
    Link,
    LinkClosed,
    LinkRefused,
    Listener,
    Network,
    Received,
    nothing,
)

SLOW_DISK_SECONDS: Final = 0.1
#: How much longer each message takes on a slow link; a round trip takes twice that.
SLOW_LINK_SECONDS: Final = 0.005

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
class SlowLink:
    """A link whose messages leave later while links are slow; their order stays."""

    _link: Link
    _faults: Faults
    #: When each message that was not sent yet is due, on the loop's clock.
    _late: deque[tuple[float, Message, tuple[Buffer, ...]]] = attrs.field(factory=deque, init=False)

    @property
    def closed(self) -> bool:
        """Whether it closed."""
        return self._link.closed

    @property
    def peer_name(self) -> str:
        """Who is at the other end."""
        return self._link.peer_name

    def send(self, message: Message, payload: Sequence[Buffer] = ()) -> None:
        """Send at once, or late while links are slow."""
        slow = self._faults.active(FaultKind.LINK_SLOW)
        if not slow and not self._late:
            self._link.send(message, payload)
            return
        if self._link.closed:
            raise LinkClosed("the link is closed")
        loop = asyncio.get_running_loop()
        due = loop.time() + (SLOW_LINK_SECONDS if slow else 0.0)
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, message, (*payload,)))
        if len(self._late) == 1:
            loop.call_at(self._late[0][0], self._pass_on)

    def _pass_on(self) -> None:
        """Send what is due, and come back for the rest."""
        loop = asyncio.get_running_loop()
        try:
            while self._late and self._late[0][0] <= loop.time():
                _, message, payload = self._late.popleft()
                self._link.send(message, payload)
        except LinkClosed:
            self._late.clear()
        if self._late:
            loop.call_at(self._late[0][0], self._pass_on)

    async def drain(self) -> None:
        """Wait for the peer, as the link does."""
        await self._link.drain()

    async def receive(self) -> Received:
        """Receive."""
        return await self._link.receive()

    def receive_nowait(self) -> Received | None:
        """Receive what is there."""
        return self._link.receive_nowait()

    def hear_by(self, hear: Hear, told: Callable[[], None] = nothing) -> None:
        """Hear."""
        self._link.hear_by(hear, told)

    def close(self) -> None:
        """Send what is late, then close."""
        with suppress(LinkClosed):
            while self._late:
                _, message, payload = self._late.popleft()
                self._link.send(message, payload)
        self._late.clear()
        self._link.close()


@attrs.define(eq=False)
class FaultyNetwork:
    """A network whose links can be down."""

    _network: Network
    _faults: Faults

    async def connect(self, address: str) -> Link:
        """Open a link, unless links are down."""
        if self._faults.active(FaultKind.LINK_DOWN):
            raise LinkRefused(f"{address}: links are down on request")
        link = SlowLink(await self._network.connect(address), self._faults)
        self._faults.watch(link)
        return link

    async def listen(self, address: str, accept: Accept) -> Listener:
        """Accept links; those that come while links are down are closed."""

        async def accept_unless_down(link: Link) -> None:
            if self._faults.active(FaultKind.LINK_DOWN):
                link.close()
                return
            slow = SlowLink(link, self._faults)
            self._faults.watch(slow)
            await accept(slow)

        return await self._network.listen(address, accept_unless_down)


@attrs.define(eq=False)
class SlowHandle:
    """System calls on a file, of which writes and syncs take longer while the disk is slow."""

    _handle: FileHandle
    _delay: Callable[[], None]

    def pread(self, length: int, offset: int) -> bytes:
        """Read."""
        return self._handle.pread(length, offset)

    def pread_cached(self, length: int, offset: int) -> bytearray | None:
        """Read what is in memory."""
        return self._handle.pread_cached(length, offset)

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write, late."""
        self._delay()
        return self._handle.pwritev(buffers, offset)

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Write and make durable, as late as a write and a sync are."""
        self._delay()
        self._delay()
        return self._handle.write_through(buffers, offset, length)

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

    def kept_bytes(self) -> int | None:
        """Tell how much is left of the file."""
        return self._handle.kept_bytes()

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
