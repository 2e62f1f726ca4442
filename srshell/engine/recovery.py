"""Open a replica's log after whatever happened: superblock, scan, tear or damage.

Always true:

(1) Everything is synced before it is trusted: a process that was killed leaves unsynced pages in
    the cache.
(2) Reading changes nothing; the first write is the superblock with the new segment
    (`begin_segment`).
(3) Damage is never silently shortened: SrError SR9211.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.log_frame import Record
from srshell.engine.superblock_file import read_superblock
from srshell.model.errors import SrError
from srshell.model.replica import Segment, Superblock
from srshell.replication.ring import HeldFrame, Ring
from srshell.replication.scan import Ending, LogScan
from srshell.storage import BlockFile, Disk

SEGMENTS_MAX = 32
_READ_BYTES_MIN = 64 << 10
_READ_BYTES_MAX = 4 << 20
_AHEAD = 2


@attrs.frozen
class RecoveredLog:
    """What a log volume holds."""

    superblock: Superblock
    frames: tuple[HeldFrame, ...]
    records: tuple[Record, ...]  # the records that were asked for, oldest first
    tail_lsn: int
    tail_position: int
    tail_chain: int

    @property
    def acked_alone_lsn(self) -> int:
        """Return the last LSN that may have been acknowledged without the peer; 0 when none was."""
        return self.tail_lsn if self.superblock.alone else 0


async def read_log(log_path: str, disk: Disk) -> RecoveredLog:
    """Read a log volume without changing it, taking its lock for as long as that takes.

    Raises SrError SR9210-SR9212, StorageError (AlreadyLocked when a site is running on it).
    """
    file = await disk.open(log_path, writable=False)
    try:
        return await scan_log(file)
    finally:
        await file.close()


async def scan_log(file: BlockFile, *, unapplied: bool = False) -> RecoveredLog:
    """Read superblock and log of an open log volume.  Raises SrError SR9210-SR9212.

    ``unapplied``: read and keep only the records that the volumes may lack; the log may be larger
    than memory.
    """
    superblock = await read_superblock(file)
    if superblock is None:
        facts = f"{file.path} is blank"
        raise SrError.make(
            "SR9210", facts=facts, mend="srshell status", group=file.path, array="this site"
        )
    _check_length(file, superblock)
    scan = LogScan(superblock, superblock.checkpoint_lsn if unapplied else 0)
    reader = _Reader(file, superblock)
    try:
        while scan.wanted is not None:
            scan.feed(await reader.read(scan.wanted.offset, scan.wanted.length))
    finally:
        await reader.close()
    if scan.ending is Ending.DAMAGE:
        facts = f"{file.path}: LSN {scan.next_lsn} was durable once and cannot be read"
        raise SrError.make("SR9211", facts=facts, group=superblock.group, array=superblock.array)
    return RecoveredLog(
        superblock,
        tuple(scan.frames),
        tuple(scan.records),
        scan.tail_lsn,
        scan.position,
        scan.chain,
    )


def _check_length(file: BlockFile, superblock: Superblock) -> None:
    """Refuse a log that was cut short, even where nothing was written yet."""
    end = superblock.ring_offset + superblock.ring_bytes
    if file.size() < end:
        facts = f"{file.path} has {file.size()} of {end} bytes"
        raise SrError.make("SR9211", facts=facts, group=superblock.group, array=superblock.array)


class _Reader:
    """Reads the ring in pieces: a scan asks for many small ones that follow each other.

    Pieces that follow each other grow, and the next one is read while this one is looked at.  A
    scan that leaves payloads out leaps, and what it leaps over is not read.
    """

    def __init__(self, file: BlockFile, superblock: Superblock) -> None:
        self._file = file
        self._base = superblock.ring_offset
        self._ring_bytes = superblock.ring_bytes
        self._start = self._ring_bytes  # nothing is there yet
        self._piece = memoryview(b"")
        self._size_bytes = _READ_BYTES_MIN  # of the next piece
        #: The pieces behind the present one, while they are read, and where the next one begins.
        self._ahead: deque[asyncio.Task[bytes]] = deque()
        self._ahead_start = 0

    async def read(self, offset: int, length: int) -> Buffer:
        """Return bytes of the ring, which does not wrap here.  Raises StorageError."""
        leap_bytes = offset - self._start - len(self._piece)
        if offset < self._start or leap_bytes > self._size_bytes:
            await self.close()
            self._size_bytes = _READ_BYTES_MIN
            self._piece = memoryview(await self._fetch(offset, max(length, _READ_BYTES_MIN)))
            self._start, self._ahead_start = offset, offset + len(self._piece)
        parts: list[memoryview] = []
        while length:
            skip = offset - self._start
            part = self._piece[skip : skip + length]
            if part:
                parts.append(part)
                offset += len(part)
                length -= len(part)
            if length:
                await self._go_on()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _go_on(self) -> None:
        """Take the next piece.

        Two are asked for: the thread that reads goes on with the other one by itself, for it cannot
        begin anything while this one is looked at.
        """
        while len(self._ahead) < _AHEAD and self._ahead_start < self._ring_bytes:
            length = min(self._size_bytes, self._ring_bytes - self._ahead_start)
            self._ahead.append(asyncio.create_task(self._fetch(self._ahead_start, length)))
            self._ahead_start += length
            self._size_bytes = min(2 * self._size_bytes, _READ_BYTES_MAX)
        start = self._start + len(self._piece)
        self._piece = memoryview(await self._ahead.popleft())
        self._start = start

    async def _fetch(self, offset: int, length: int) -> bytes:
        length = min(length, self._ring_bytes - offset)
        return await self._file.read_at(self._base + offset, length)

    async def close(self) -> None:
        """Wait for what is being read; nobody needs it."""
        ahead = tuple(self._ahead)
        self._ahead.clear()
        if ahead:  # or a scan that is dropped where no loop runs makes itself one
            await asyncio.gather(*ahead, return_exceptions=True)


def recovered_ring(log: RecoveredLog, segment: Segment) -> Ring:
    """Return the ring as the scan found it, ready to go on in a new segment."""
    ring = Ring(
        log.superblock.ring_bytes,
        segment.position,
        log.superblock.head_position,
        log.superblock.head_lsn,
        segment.seed,
    )
    ring.frames.extend(log.frames)
    return ring


def new_segment(first_lsn: int, position: int, randomness: random.Random) -> Segment:
    """Return a segment with a new salt and a new beginning of the chain."""
    return Segment(first_lsn, position, randomness.getrandbits(63), randomness.getrandbits(32))


def with_segment(superblock: Superblock, segment: Segment) -> Superblock:
    """Add a segment; those that begin at or after it hold nothing any more.

    Raises SrError SR9211 when the list is full (each opening that wrote something adds one until
    the next checkpoint).
    """
    kept = tuple(s for s in superblock.segments if s.first_lsn < segment.first_lsn)
    if len(kept) >= SEGMENTS_MAX:
        facts = f"the log was opened {SEGMENTS_MAX} times without a checkpoint"
        raise SrError.make("SR9211", facts=facts, group=superblock.group, array=superblock.array)
    return attrs.evolve(superblock, segments=(*kept, segment))
