"""Copy the marked blocks to the peer while writers go on.

Always true:

(1) A piece is read under a lock that holds back overlapping writes, after every assigned LSN
    reached the own log: it holds all records up to the last one sent, and the link keeps that
    order.
(2) A bit is cleared only after the peer's volumes hold the block durably.
(3) ``done_bytes`` never falls.
(4) Beside writers one piece is read at a time, two extents' bytes are under way, and the copy rests
    for as long as each took: a write waits for one piece, not for all that a link holds.
(5) What is read to be sent or compared was granted by the pace first, if there is one; nothing is
    locked meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

import attrs

from srshell.codec.checksum import crc32
from srshell.codec.copy_messages import Runs
from srshell.codec.messages import Compare, Extent
from srshell.engine import destage
from srshell.engine.committer import Committer
from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.looking import digest
from srshell.engine.overlay import patch
from srshell.engine.pieces import LOOK_BYTES, LOOK_BYTES_MAX, Piece, pieces
from srshell.engine.volume_set import Range
from srshell.model.replica import CopyProgress, Flow
from srshell.storage import StorageError
from srshell.transport.link import Link

_ZEROS: Final = bytearray(1 << 20)
#: Nearly all data shows within this many bytes that it is no zeros.
_LOOK_BYTES: Final = 64
_RATE_SECONDS: Final = 3.0
_RATE_POINTS: Final = 2  # a rate needs two
#: Whoever wrote this lately is writing.
_WRITERS_NS: Final = 50_000_000
_BESIDE_WRITERS_EXTENTS: Final = 2
_PAUSE_SECONDS_MAX: Final = 0.05
#: Short runs of one piece; each is a lock that a write is held against.
_RUNS_MAX: Final = 256
_BESIDE_WRITERS_RUNS: Final = 16
#: Pieces that are read at once while nobody writes: reading, summing and sending overlap.
_READERS: Final = 3
#: What a message costs at least, however little it holds: it bounds how many are under way.
_MESSAGE_BYTES: Final = 16 << 10


@attrs.define(eq=False)
class _InFlight:
    sequence: int
    volume: int
    ranges: tuple[Range, ...]
    cost_bytes: int


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
        #: Bytes that were sent and not confirmed, and those that are being read.
        self._sent_bytes = 0
        self._reading_bytes = 0
        #: Held by whoever decides what is read next, and when.
        self._taking = asyncio.Lock()
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
                await self._copy_volume(volume)
                if self._stopped:
                    return False
            while self._in_flight and not self._link.closed:
                await self._wait_for_peer()
        return False

    async def _copy_volume(self, volume: int) -> None:
        """Send what is marked in one volume, by several readers; all of them end here."""
        every = pieces(self._core, volume, self._runs_max, self._hole_bytes_max)
        async with aclosing(every) as coming:
            readers = [self._read_pieces(coming) for _ in range(_READERS)]
            for result in await asyncio.gather(*readers, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

    async def _read_pieces(self, coming: AsyncIterator[Piece]) -> None:
        while not self._stopped:
            async with self._taking:
                if self._stopped:
                    return  # another reader was told so while this one waited for its turn
                piece = await anext(coming, None)
                if piece is None or not await self._may_begin(piece):
                    return
                if self._beside_writers:
                    await self._send_and_rest(piece)
                    continue
                self._reading_bytes += self._cost_bytes(piece.length)
            try:
                await self._send(piece)
            finally:
                self._reading_bytes -= self._cost_bytes(piece.length)
                self._room.set()

    @property
    def _beside_writers(self) -> bool:
        since_ns = self._core.world.clock_ns() - self._committer.last_submitted_ns
        return self._committer.last_submitted_ns > 0 and since_ns < _WRITERS_NS

    def _runs_max(self) -> int:
        if self._compare:
            return 0  # ranges are compared one by one
        return _BESIDE_WRITERS_RUNS if self._beside_writers else _RUNS_MAX

    def _hole_bytes_max(self) -> int:
        return LOOK_BYTES if self._beside_writers else LOOK_BYTES_MAX

    def _credit_bytes(self) -> int:
        limits = self._core.world.limits
        extents = _BESIDE_WRITERS_EXTENTS if self._beside_writers else limits.extents_in_flight * 4
        return extents * limits.extent_bytes

    def _cost_bytes(self, length: int) -> int:
        return min(max(length, _MESSAGE_BYTES), self._core.world.limits.extent_bytes)

    async def _may_begin(self, piece: Piece) -> bool:
        """Wait for a turn and for room on the way; False if the link closed meanwhile."""
        pace = self._core.world.pace
        if pace is not None and not piece.hole and (turn := pace.claim(piece.length)) is not None:
            await turn
        cost_bytes = self._cost_bytes(piece.length)
        while not self._stopped and (under_way := self._sent_bytes + self._reading_bytes):
            if under_way + cost_bytes <= self._credit_bytes():
                break
            await self._wait_for_peer()
        return not self._stopped

    async def _send_and_rest(self, piece: Piece) -> None:
        """Send a piece; then let writers go first for as long as that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._send(piece)
        if self._beside_writers and not self._stopped:
            await asyncio.sleep(min(loop.time() - began, _PAUSE_SECONDS_MAX))

    async def _send(self, piece: Piece) -> None:
        locks = [(piece.volume, offset, length) for offset, length in piece.ranges]
        self._committer.locked.extend(locks)
        try:
            async with self._core.frames:
                pass  # every assigned LSN is in the log, and no new one touches the piece
            await self._send_locked(piece)
        finally:
            for lock in locks:
                self._committer.locked.remove(lock)
            self._committer.poke()

    async def _send_locked(self, piece: Piece) -> None:
        if piece.hole:
            await self._send_hole(piece.volume, *piece.ranges[0])
            return
        parts = await self._read(piece)
        if self._link.closed:
            return
        zeros: list[Range] = []
        ranges: list[Range] = []
        data: list[bytes] = []
        for one, part in zip(piece.ranges, parts, strict=True):
            if _is_zero(part):
                zeros.append(one)
            else:
                ranges.append(one)
                data.append(part)
        if zeros:
            self._send_extent(piece.volume, zeros, None)
        if self._compare and data and await self._equal(piece.volume, ranges[0][0], data[0]):
            self._done(piece.volume, ranges)
        elif data:
            self._send_extent(piece.volume, ranges, data)
        if self._link.closed:
            return
        await self._link.drain()

    async def _read(self, piece: Piece) -> list[bytes]:
        """Return what the ranges of a piece hold: the volume, and the log's records over it."""
        core = self._core
        records = [
            core.overlay.covering(piece.volume, offset, length, core.log.durable_lsn)
            for offset, length in piece.ranges
        ]
        try:
            found = await core.volumes.read_each(piece.volume, piece.ranges)
            parts = [
                patch(part, offset, over) if over else part
                for part, (offset, _), over in zip(found, piece.ranges, records, strict=True)
            ]
            await destage.learn(core, piece.volume, piece.ranges, parts, records)
        except StorageError as error:
            raise core.fail(error) from error
        return parts

    async def _send_hole(self, volume: int, offset: int, length: int) -> None:
        core = self._core
        records = core.overlay.covering(volume, offset, length, core.log.durable_lsn)
        if records or await self._holds_data(volume, offset, length):
            # Of a large one the rest stays marked: writers wait for a part of it only.
            end = offset + min(length, LOOK_BYTES)
            for start in range(offset, end, core.world.limits.extent_bytes):
                size_bytes = min(core.world.limits.extent_bytes, end - start)
                await self._send_locked(Piece(volume, ((start, size_bytes),)))
            return
        try:
            await destage.learn_zeros(core, volume, offset, length)
        except StorageError as error:
            raise core.fail(error) from error
        if not self._link.closed:
            self._send_extent(volume, ((offset, length),), None)
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

    def _send_extent(
        self, volume: int, ranges: Sequence[Range], parts: Sequence[bytes] | None
    ) -> None:
        """Send ranges in one message; None stands for zeros."""
        if self._link.closed:
            return
        self._sequence += 1
        sequence, crc, size_bytes = self._sequence, 0, 0
        for part in parts or ():
            crc = crc32(part, crc)
            size_bytes += len(part)
        message: Extent | Runs = Runs(sequence, volume, tuple(ranges), crc, parts is None)
        if len(ranges) == 1:
            message = Extent(sequence, volume, *ranges[0], crc, parts is None)
        cost_bytes = self._cost_bytes(sum(length for _, length in ranges))
        self._in_flight.append(_InFlight(sequence, volume, tuple(ranges), cost_bytes))
        self._sent_bytes += cost_bytes
        self._link.send(message, parts or ())
        self.sent_bytes_total += size_bytes

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
            entry = self._in_flight.popleft()
            self._sent_bytes -= entry.cost_bytes
            self._done(entry.volume, entry.ranges)
        self._room.set()

    def _done(self, volume: int, ranges: Sequence[Range]) -> None:
        for offset, length in ranges:
            self._core.dirty.clear(volume, offset, length)
            self._done_bytes += length
        now = asyncio.get_running_loop().time()
        self._rate_from.append((now, self._done_bytes))
        while now - self._rate_from[0][0] > _RATE_SECONDS and len(self._rate_from) > _RATE_POINTS:
            self._rate_from.popleft()


def _is_zero(data: bytes) -> bool:
    """Tell whether all bytes are zero; nearly always the first ones tell."""
    head = data[:_LOOK_BYTES]
    return head == bytes(len(head)) and _ZEROS[: len(data)] == data
