"""A log in memory, written as the engine writes it, with crashes that keep any part of a batch."""

from collections.abc import Collection, Sequence
from itertools import count

import attrs

from srshell.codec.log_frame import (
    SECTOR_BYTES,
    FrameBody,
    Record,
    RecordKind,
    pack_body,
    padding,
    stamp,
    wrap_marker,
)
from srshell.codec.log_table import table_of
from srshell.model.replica import Segment, Superblock
from srshell.replication.ring import HeldFrame, Ring
from srshell.replication.scan import LogScan
from tests.unit.replication.superblocks import PARTNERSHIP, superblock

_SALTS = count(0xB2)


@attrs.define
class Written:
    """One piece of a batch: a frame or wrap marker at its place in the ring."""

    offset: int
    data: bytes


@attrs.define
class LogImage:
    """The bytes of a ring, the superblock on disk, and the machine that writes both."""

    superblock: Superblock = attrs.field(factory=superblock)
    image: bytearray = attrs.field(init=False)
    ring: Ring = attrs.field(init=False)
    salt: int = attrs.field(init=False)
    durable_lsn: int = 0

    def __attrs_post_init__(self) -> None:
        """Begin with an empty ring in its first segment."""
        segment = self.superblock.segments[0]
        self.image = bytearray(self.superblock.ring_bytes)
        self.ring = Ring(self.superblock.ring_bytes, 0, 0, 1, segment.seed)
        self.salt = segment.salt

    def append(self, *sizes: int, keep: Collection[int] | None = None) -> bool:
        """Write a batch of frames with one payload each; False when there is no room.

        ``keep``: a crash happens before the sync, and only these sectors of the batch survive.
        """
        pieces: list[Written] = []
        before = (self.ring.tail_position, self.ring.chain, len(self.ring.frames))
        for size_bytes in sizes:
            body = self._body(size_bytes)
            if not self._lay_out(body, pieces):
                self._take_back(*before)
                return False
        sectors = [
            (piece.offset + start, piece.data[start : start + SECTOR_BYTES])
            for piece in pieces
            for start in range(0, len(piece.data), SECTOR_BYTES)
        ]
        for index, (offset, data) in enumerate(sectors):
            if keep is None or index in keep:
                self.image[offset : offset + SECTOR_BYTES] = data
        if keep is None:
            self.durable_lsn = self.ring.tail_lsn
        return True

    def _body(self, size_bytes: int) -> FrameBody:
        lsn = self.ring.tail_lsn + 1
        payload = bytes([lsn % 251]) * size_bytes
        record = Record(lsn, RecordKind.WRITE, 0, lsn * SECTOR_BYTES, size_bytes, payload)
        return pack_body(1, lsn, [record])

    def _lay_out(self, body: FrameBody, pieces: list[Written]) -> bool:
        placement = self.ring.place(body.total_bytes)
        if placement is None:
            return False
        ring_bytes = self.ring.ring_bytes
        if placement.wrap_bytes:
            marker, self.ring.chain = wrap_marker(
                partnership=PARTNERSHIP,
                salt=self.salt,
                epoch=1,
                next_lsn=body.first_lsn,
                durable_lsn=self.durable_lsn,
                prev_crc=self.ring.chain,
                total_bytes=placement.wrap_bytes,
            )
            pieces.append(Written(placement.wrap_position % ring_bytes, marker))
        chain = self.ring.chain
        header, crc = stamp(
            body,
            partnership=PARTNERSHIP,
            salt=self.salt,
            durable_lsn=self.durable_lsn,
            prev_crc=chain,
        )
        data = b"".join([header, *map(bytes, body.buffers), padding(body)])
        pieces.append(Written(placement.position % ring_bytes, data))
        lsn, size_bytes = body.first_lsn, body.body_bytes
        held = HeldFrame(
            lsn,
            lsn,
            placement.position,
            len(data),
            chain,
            body.body_crc,
            size_bytes,
            table_of(body),
        )
        self.ring.append(held, crc)
        return True

    def _take_back(self, tail_position: int, chain: int, frames: int) -> None:
        while len(self.ring.frames) > frames:
            self.ring.frames.pop()
        self.ring.tail_position, self.ring.chain = tail_position, chain

    def persist(self, forget_lsn: int = 0, segment: Segment | None = None) -> None:
        """Write a superblock: frames up to ``forget_lsn`` are given up, a segment is added."""
        self.ring.forget_through(forget_lsn)
        segments = self.superblock.segments
        if segment is not None:
            kept = [s for s in segments if s.first_lsn < segment.first_lsn]
            segments = (*kept, segment)
        live = max(
            (i for i, s in enumerate(segments) if s.first_lsn <= self.ring.head_lsn), default=0
        )
        self.superblock = attrs.evolve(
            self.superblock,
            segments=segments[live:],
            head_lsn=self.ring.head_lsn,
            head_position=self.ring.head_position,
            head_chain=self.ring.head_chain,
            durable_lsn=self.durable_lsn,
        )
        self.ring.durable_head_position = self.superblock.head_position

    def cut(self, lsn: int) -> None:
        """Drop the frames after ``lsn`` and go on in a new segment behind them."""
        self.ring.cut_after(lsn)
        self.durable_lsn = lsn
        self.persist(segment=self._begin_segment(lsn + 1))

    def _begin_segment(self, first_lsn: int) -> Segment:
        salt = next(_SALTS)
        segment = Segment(first_lsn, self.ring.tail_position, salt, salt ^ 0x5A5A)
        self.salt, self.ring.chain = segment.salt, segment.seed
        return segment

    def scan(self) -> LogScan:
        """Read the log as recovery does."""
        scan = LogScan(self.superblock)
        while scan.wanted is not None:
            offset, length = scan.wanted.offset, scan.wanted.length
            scan.feed(bytes(self.image[offset : offset + length]))
        return scan

    def reopen(self) -> LogScan:
        """Start again from what a scan finds, in a new segment."""
        scan = self.scan()
        self.ring = Ring(
            self.superblock.ring_bytes,
            scan.position,
            self.superblock.head_position,
            self.superblock.head_lsn,
            0,
        )
        self.ring.frames.extend(scan.frames)
        self.durable_lsn = scan.tail_lsn
        segment = self._begin_segment(scan.tail_lsn + 1)
        # The first superblock after a start adds the segment and leaves the head as it was.
        kept = [s for s in self.superblock.segments if s.first_lsn < segment.first_lsn]
        segments = (*kept, segment)
        self.superblock = attrs.evolve(
            self.superblock, segments=segments, durable_lsn=self.durable_lsn
        )
        return scan

    def damage(self, frame: int, sectors: Sequence[int] = (0,)) -> None:
        """Overwrite sectors of the n-th held frame with noise."""
        position = self.ring.frames[frame].position
        for sector in sectors:
            offset = (position + sector * SECTOR_BYTES) % self.superblock.ring_bytes
            self.damage_at(offset // SECTOR_BYTES)

    def damage_at(self, sector: int) -> None:
        """Overwrite one sector of the ring with noise."""
        start = sector * SECTOR_BYTES
        self.image[start : start + SECTOR_BYTES] = b"\xa5" * SECTOR_BYTES
