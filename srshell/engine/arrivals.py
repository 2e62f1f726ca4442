"""Copied extents at the secondary: checked, written into the volumes in order, synced together.

Always true:

(1) Extents are handed to the applier in the order in which the link brought them, and each is the
    one after the last.
(2) An extent is confirmed only after the volumes hold it and all before it durably.
(3) One sync runs at a time, beside the writing of later extents: it serves all that were written
    before it began.
(4) Pages of long ranges leave the cache once they are durable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from srshell.codec.checksum import Buffer
from srshell.codec.copy_messages import Runs, check_runs
from srshell.codec.messages import Extent, ExtentStored, check_extent
from srshell.engine import destage
from srshell.engine.bell import Bell
from srshell.engine.core import Core
from srshell.engine.volume_set import Range
from srshell.storage import StorageError
from srshell.transport.link import Link, LinkClosed

#: While more extents wait to be written, a sync waits for so many bytes.
_SYNC_BYTES: Final = 8 << 20
#: The cache keeps shorter ranges: they are written in small pages anyhow.
_LONG_BYTES: Final = 64 << 10


class Arrivals:
    """The extents of one link, from their message to their confirmation."""

    def __init__(
        self,
        core: Core,
        link: Link,
        submit: Callable[[int, Callable[[], Awaitable[None]]], None],
    ) -> None:
        """``submit`` takes the bytes that an ordered job holds, and the job."""
        self._core = core
        self._link = link
        self._submit = submit
        self._seen = 0
        self._waiting = 0
        #: Written beyond the first that is not: extents are written side by side.
        self._stored: set[int] = set()
        self._stored_through = 0
        self._confirmed_through = 0
        self._unsynced_bytes = 0
        self._long: list[tuple[int, int, int]] = []
        self._moved = Bell()
        self._closed = False

    def take(self, message: Extent | Runs, payload: bytes | memoryview) -> None:
        """Hand in what arrived.  Raises FormatError or LinkClosed if it cannot be."""
        if isinstance(message, Runs):
            check_runs(message, payload)
            ranges: Sequence[Range] = message.ranges
        else:
            check_extent(message, payload)
            ranges = ((message.offset, message.length),)
        layouts = self._core.volumes.layouts
        end = sum(ranges[-1])
        if message.volume >= len(layouts) or end > layouts[message.volume].size_bytes:
            raise LinkClosed("an extent lies outside its volume")
        self._seen += 1
        if message.sequence != self._seen:
            raise LinkClosed(f"extent {message.sequence} is not the one after the last")
        self._waiting += 1
        parts = None if message.zero else _parts(ranges, payload)
        self._submit(len(payload), lambda: self._store(message, parts))

    def close(self) -> None:
        """Confirm nothing more."""
        self._closed = True
        self._moved.ring()

    async def _store(self, message: Extent | Runs, parts: Sequence[Buffer] | None) -> None:
        ranges: Sequence[Range]
        ranges = (
            message.ranges if isinstance(message, Runs) else ((message.offset, message.length),)
        )
        await destage.store(self._core, message.volume, ranges, parts)
        self._waiting -= 1
        for part, (offset, length) in zip(parts or (), ranges, strict=parts is not None):
            self._unsynced_bytes += len(part)
            if length >= _LONG_BYTES:
                self._note_long(message.volume, offset, length)
        # Only what is complete from the first one on counts.
        self._stored.add(message.sequence)
        while self._stored_through + 1 in self._stored:
            self._stored_through += 1
            self._stored.remove(self._stored_through)
        self._moved.ring()

    def _note_long(self, volume: int, offset: int, length: int) -> None:
        if self._long and self._long[-1][0] == volume and sum(self._long[-1][1:]) == offset:
            self._long[-1] = (volume, self._long[-1][1], self._long[-1][2] + length)
        else:
            self._long.append((volume, offset, length))

    async def run(self) -> None:
        """Sync and confirm until the link closes.  Raises SrError after failing the replica."""
        while not self._closed and not self._core.stopped:
            self._moved.clear()
            if not self._is_time():
                await self._moved.wait()
                continue
            try:
                await self._sync()
            except StorageError as error:
                raise self._core.fail(error) from error

    def _is_time(self) -> bool:
        if self._stored_through == self._confirmed_through:
            return False
        return self._waiting == 0 or self._unsynced_bytes >= _SYNC_BYTES

    async def _sync(self) -> None:
        core = self._core
        through, self._unsynced_bytes = self._stored_through, 0
        long, self._long = self._long, []
        await core.checksums.write_synced(core.volumes.sync)
        self._confirmed_through = through
        if not self._link.closed:
            self._link.send(ExtentStored(through))
        for volume, offset, length in long:
            await core.volumes.drop_cache(volume, offset, length)


def _parts(ranges: Sequence[Range], payload: bytes | memoryview) -> Sequence[Buffer]:
    """Cut a payload into what each range holds."""
    if len(ranges) == 1:
        return (payload,)
    view = memoryview(payload)
    parts: list[Buffer] = []
    start = 0
    for _, length in ranges:
        parts.append(view[start : start + length])
        start += length
    return parts
