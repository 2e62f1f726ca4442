"""Copy the marked blocks to the peer while writers go on.

Always true:

(1) An extent is read under a lock that holds back overlapping writes, after every assigned LSN
    reached the own log: it holds all records up to the last one sent, and the link keeps that
    order.
(2) A bit is cleared only after the peer's volumes hold the block durably.
(3) ``done_bytes`` never falls.
(4) Beside writers it takes half of the time and little at once: a write waits for one extent, not
    for all that a link holds.
(5) What is read to be sent or compared was granted by the pace first, if there is one; nothing is
    locked meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import attrs

from srshell.codec.checksum import crc32
from srshell.codec.messages import Compare, Extent
from srshell.engine import destage
from srshell.engine.committer import Committer
from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.looking import digest
from srshell.engine.overlay import patch
from srshell.model.replica import CopyProgress, Flow
from srshell.storage import StorageError
from srshell.transport.link import Link

_ZEROS = bytearray(1 << 20)
_HOLE_BYTES = 64 << 20  # how much is looked at for holes at once
_RATE_SECONDS = 3.0
_RATE_POINTS = 2  # a rate needs two
# Whoever wrote this lately is writing.
_WRITERS_NS = 50_000_000
_BESIDE_WRITERS_EXTENTS = 2
_PAUSE_SECONDS_MAX = 0.05


@attrs.define(eq=False)
class _InFlight:
    sequence: int
    volume: int
    offset: int
    length: int


class Copier:
    """Brings the marked blocks of one primary to its peer over one link."""

    def __init__(
        self, core: Core, link: Link, committer: Committer, kind: Flow, compare: bool
    ) -> None:
        """Begin with everything that the dirty map marks now."""
        self._core = core
        self._link = link
        self._committer = committer
        self._compare = compare
        self._in_flight: deque[_InFlight] = deque()
        self._room = asyncio.Event()
        self._sequence = 0
        self._comparisons = 0
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._kind = kind
        self._total_bytes = core.dirty.count() * BLOCK_BYTES
        self._done_bytes = 0
        self._rate_from: deque[tuple[float, int]] = deque()
        self.finished = False
        self.sent_bytes_total = 0

    @property
    def progress(self) -> CopyProgress:
        """Return how far the copy has come; the rate is that of the last seconds."""
        rate = 0.0
        if len(self._rate_from) > 1:
            (then, before), (now, done) = self._rate_from[0], self._rate_from[-1]
            rate = (done - before) / (now - then) if now > then else 0.0
        return CopyProgress(
            self._kind, self._done_bytes, max(self._total_bytes, self._done_bytes), rate
        )

    @property
    def _stopped(self) -> bool:
        return self._link.closed or self._core.stopped

    def close(self) -> None:
        """Send nothing more; locks are released."""
        for answer in self._answers.values():
            answer.set_result(False)
        self._answers.clear()
        self._room.set()
        if self._core.world.pace is not None:
            self._core.world.pace.withdraw()

    async def run(self) -> bool:
        """Copy until no block is marked (True) or the link closed (False)."""
        core = self._core
        while not self._stopped:
            if not core.dirty.any():
                self.finished = True
                return True
            for volume in range(len(core.volumes.layouts)):
                async for offset, length, hole in self._ranges(volume):
                    if self._stopped:
                        return False
                    await self._send_in_turn(volume, offset, length, hole=hole)
            while self._in_flight and not self._link.closed:
                await self._wait_for_peer()
        return False

    async def _ranges(self, volume: int) -> AsyncIterator[tuple[int, int, bool]]:
        """Yield marked ranges (offset, length, is a hole) in bytes, ascending."""
        core = self._core
        size_bytes = core.volumes.layouts[volume].size_bytes
        position = 0
        while True:
            run = next(core.dirty.runs(volume, position, _HOLE_BYTES // BLOCK_BYTES), None)
            if run is None:
                return
            position = run[0] + run[1]
            offset = run[0] * BLOCK_BYTES
            end = min(offset + run[1] * BLOCK_BYTES, size_bytes)
            async for piece in self._split(volume, offset, end):
                yield piece

    async def _split(
        self, volume: int, offset: int, end: int
    ) -> AsyncIterator[tuple[int, int, bool]]:
        core = self._core
        limit_bytes = core.world.limits.extent_bytes
        try:
            data = await core.volumes.data_ranges(volume, offset, end - offset)
        except StorageError as error:
            raise core.fail(error) from error
        for start, length in data:
            first = max(offset, start // BLOCK_BYTES * BLOCK_BYTES)
            if first > offset:
                yield offset, first - offset, True
            offset = max(offset, first)
            stop = min(end, -(-(start + length) // BLOCK_BYTES) * BLOCK_BYTES)
            while offset < stop:
                size_bytes = min(limit_bytes, stop - offset)
                yield offset, size_bytes, False
                offset += size_bytes
        if offset < end:
            yield offset, end - offset, True

    @property
    def _beside_writers(self) -> bool:
        since_ns = self._core.world.clock_ns() - self._committer.last_submitted_ns
        return self._committer.last_submitted_ns > 0 and since_ns < _WRITERS_NS

    async def _send_in_turn(self, volume: int, offset: int, length: int, *, hole: bool) -> None:
        """Send an extent once there is room for it; then let writers go first for as long."""
        loop = asyncio.get_running_loop()
        pace = self._core.world.pace
        if pace is not None and not hole and (turn := pace.claim(length)) is not None:
            await turn
            if self._stopped:
                return
        began = loop.time()
        while len(self._in_flight) >= self._extents_max() and not self._link.closed:
            await self._wait_for_peer()
        await self._send(volume, offset, length, hole=hole)
        if self._beside_writers and not self._stopped:
            await asyncio.sleep(min(loop.time() - began, _PAUSE_SECONDS_MAX))

    def _extents_max(self) -> int:
        if self._beside_writers:
            return _BESIDE_WRITERS_EXTENTS
        return self._core.world.limits.extents_in_flight * 4

    async def _send(self, volume: int, offset: int, length: int, *, hole: bool) -> None:
        lock = (volume, offset, length)
        self._committer.locked.append(lock)
        try:
            async with self._core.frames:
                pass  # every assigned LSN is in the log, and no new one touches the extent
            await self._send_locked(volume, offset, length, hole=hole)
        finally:
            self._committer.locked.remove(lock)
            self._committer.poke()

    async def _send_locked(self, volume: int, offset: int, length: int, *, hole: bool) -> None:
        core = self._core
        records = core.overlay.covering(volume, offset, length, core.log.durable_lsn)
        if hole and (records or await self._holds_data(volume, offset, length)):
            for start in range(offset, offset + length, core.world.limits.extent_bytes):
                size_bytes = min(core.world.limits.extent_bytes, offset + length - start)
                await self._send_locked(volume, start, size_bytes, hole=False)
            return
        data: bytes | None = None
        try:
            if not hole:
                data = patch(await core.volumes.read(volume, offset, length), offset, records)
            await destage.learn(core, volume, offset, length, data, records)
        except StorageError as error:
            raise core.fail(error) from error
        if data is not None and _ZEROS[:length] == memoryview(data):
            data = None
        if self._link.closed:
            return
        if self._compare and data is not None and await self._equal(volume, offset, data):
            self._done(_InFlight(0, volume, offset, length))
            return
        self._send_extent(volume, offset, length, data)
        await self._link.drain()

    async def _holds_data(self, volume: int, offset: int, length: int) -> bool:
        """Look again whether a range is a hole: a record may have been applied since it was one."""
        core = self._core
        try:
            return bool(await core.volumes.data_ranges(volume, offset, length))
        except StorageError as error:
            raise core.fail(error) from error

    async def _equal(self, volume: int, offset: int, data: bytes) -> bool:
        """Ask the peer whether it holds the same bytes; False also when the link breaks."""
        self._comparisons += 1
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._answers[self._comparisons] = answer
        message = Compare(self._comparisons, volume, offset, len(data), digest(data))
        self._link.send(message)
        return await answer

    def _send_extent(self, volume: int, offset: int, length: int, data: bytes | None) -> None:
        if self._link.closed:
            return
        self._sequence += 1
        self._in_flight.append(_InFlight(self._sequence, volume, offset, length))
        crc = crc32(data) if data is not None else 0
        message = Extent(self._sequence, volume, offset, length, crc, data is None)
        self._link.send(message, [data] if data is not None else ())
        self.sent_bytes_total += len(data) if data is not None else 0

    async def _wait_for_peer(self) -> None:
        self._room.clear()
        await self._room.wait()

    def compared(self, sequence: int, *, equal: bool) -> None:
        """The peer compared an extent."""
        answer = self._answers.pop(sequence, None)
        if answer is not None:
            answer.set_result(equal)

    def stored(self, sequence: int) -> None:
        """The peer's volumes hold every extent up to ``sequence`` durably."""
        while self._in_flight and self._in_flight[0].sequence <= sequence:
            self._done(self._in_flight.popleft())
        self._room.set()

    def _done(self, entry: _InFlight) -> None:
        self._core.dirty.clear(entry.volume, entry.offset, entry.length)
        self._done_bytes += entry.length
        now = asyncio.get_running_loop().time()
        self._rate_from.append((now, self._done_bytes))
        while now - self._rate_from[0][0] > _RATE_SECONDS and len(self._rate_from) > _RATE_POINTS:
            self._rate_from.popleft()
