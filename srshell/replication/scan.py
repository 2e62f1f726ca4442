"""Read a log after a crash: which frames count, and whether its end is a tear or damage.

No I/O: `LogScan.wanted` names the bytes that it needs next, `LogScan.feed` takes them.

Always true:

(1) A frame counts only with the right partnership, the salt of its segment, the checksum of the
    frame before it, and the next LSN.
(2) The log ends at the first frame that does not count.  It is a *tear* unless something proves
    that the missing frame was durable once; then it is *damage*, and nothing is shortened
    silently.
(3) Of frames whose records the volumes hold durably only the tables are read: they are needed for a
    peer that lacks them, and verified when they are read for it.
(4) Proof is: the superblock names a later LSN as durable; a later segment begins after it; or a
    frame further on, of the same salt, was written when the missing LSN was already durable.
"""

from __future__ import annotations

from enum import Enum

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import (
    HEADER_BYTES,
    FrameHeader,
    FrameKind,
    Record,
    open_body,
    parse_header,
)
from srshell.codec.log_table import check_table, table_bytes
from srshell.model.replica import Segment, Superblock
from srshell.replication.ring import SECTOR_BYTES, HeldFrame

LOOKAHEAD_BYTES = 4 << 20


class Ending(Enum):
    """Why the scan stopped."""

    TEAR = "the log ends here; what follows was never durable"
    DAMAGE = "a frame that was durable once cannot be read"


@attrs.frozen
class Wanted:
    """Bytes of the ring that the scan needs; ``offset`` counts from the ring's start."""

    offset: int
    length: int


@attrs.define
class LogScan:
    """One pass over the log that a superblock describes."""

    superblock: Superblock
    #: Of records up to here only the extents are read and kept: the volumes hold them already.
    records_after_lsn: int = 0
    frames: list[HeldFrame] = attrs.field(init=False, factory=list)
    records: list[Record] = attrs.field(init=False, factory=list)
    ending: Ending | None = attrs.field(init=False, default=None)
    wanted: Wanted | None = attrs.field(init=False, default=None)
    position: int = attrs.field(init=False)
    chain: int = attrs.field(init=False)
    next_lsn: int = attrs.field(init=False)
    segment: int = attrs.field(init=False, default=0)
    header: FrameHeader | None = attrs.field(init=False, default=None)
    ahead_bytes: int = attrs.field(init=False, default=-1)

    def __attrs_post_init__(self) -> None:
        """Begin at the head that the superblock names."""
        self.position = self.superblock.head_position
        self.chain = self.superblock.head_chain
        self.next_lsn = self.superblock.head_lsn
        segments = self.superblock.segments
        self.segment = max(
            (i for i, segment in enumerate(segments) if segment.first_lsn <= self.next_lsn),
            default=0,
        )
        first = segments[self.segment]
        # A head beyond the segment's beginning is its first frame, behind a wrap marker; the ring
        # may have overwritten the marker since.
        if first.first_lsn == self.next_lsn and self.position <= first.position:
            self._enter(self.segment)
        self._want_header()

    @property
    def tail_lsn(self) -> int:
        """Return the last LSN that counts so far."""
        return self.next_lsn - 1

    def feed(self, data: Buffer) -> None:
        """Take the bytes that were wanted; sets ``wanted`` or, at the end, ``ending``."""
        if self.ahead_bytes >= 0:
            self._look_ahead(data)
        elif self.header is None:
            self._take_header(data)
        else:
            self._take_body(self.header, data)

    def _current(self) -> Segment:
        return self.superblock.segments[self.segment]

    def _enter(self, index: int) -> None:
        self.segment = index
        self.position = self._current().position
        self.chain = self._current().seed

    def _offset(self) -> int:
        return self.position % self.superblock.ring_bytes

    def _want_header(self) -> None:
        self.header = None
        self.wanted = Wanted(self._offset(), SECTOR_BYTES)

    def _take_header(self, data: Buffer) -> None:
        try:
            header = parse_header(data[:HEADER_BYTES])
        except FormatError:
            self._stop()
            return
        right = (
            header.partnership == bytes.fromhex(self.superblock.partnership)
            and header.salt == self._current().salt
            and header.prev_crc == self.chain
            and header.first_lsn == self.next_lsn
            and self._offset() + header.total_bytes <= self.superblock.ring_bytes
        )
        if not right:
            self._stop()
        elif header.kind is FrameKind.WRAP:
            self._advance(header)
        else:
            self.header = header
            length = table_bytes(header) if self._knows(header) else header.body_bytes
            self.wanted = Wanted(self._offset() + HEADER_BYTES, length)

    def _knows(self, header: FrameHeader) -> bool:
        """Tell whether the volumes hold all records of a frame."""
        return header.last_lsn <= self.records_after_lsn

    def _take_body(self, header: FrameHeader, data: Buffer) -> None:
        try:
            if self._knows(header):
                check_table(header, data)
            else:
                self._take_records(header, data)
        except FormatError:
            self.header = None
            self._stop()
            return
        self.frames.append(
            HeldFrame(
                header.first_lsn,
                header.last_lsn,
                self.position,
                header.total_bytes,
                header.prev_crc,
                header.body_crc,
                header.body_bytes,
                bytes(data[: table_bytes(header)]),
            )
        )
        self.next_lsn = header.next_lsn
        self._advance(header)

    def _take_records(self, header: FrameHeader, data: Buffer) -> None:
        """Keep the records that are wanted."""
        _, records = open_body(
            header.epoch, header.first_lsn, header.record_count, data, header.body_crc
        )
        skip = max(0, self.records_after_lsn + 1 - header.first_lsn)
        self.records.extend(records[skip:])

    def _advance(self, header: FrameHeader) -> None:
        self.position += header.total_bytes
        self.chain = header.header_crc
        segments = self.superblock.segments
        following = self.segment + 1
        if following < len(segments) and segments[following].first_lsn == self.next_lsn:
            self._enter(following)
        self._want_header()

    def _stop(self) -> None:
        later = self.segment + 1 < len(self.superblock.segments)
        if later or self.next_lsn <= self.superblock.durable_lsn:
            self._end(Ending.DAMAGE)
            return
        used = self.position - self.superblock.head_position
        reach = min(LOOKAHEAD_BYTES, self.superblock.ring_bytes - used)
        self.ahead_bytes = reach
        self._want_ahead()

    def _want_ahead(self) -> None:
        """Ask for the next piece after the bad frame, up to the ring's end, then from its start."""
        start = self.position + min(LOOKAHEAD_BYTES, self._reach()) - self.ahead_bytes
        offset = start % self.superblock.ring_bytes
        length = min(self.ahead_bytes, self.superblock.ring_bytes - offset)
        if length < SECTOR_BYTES:
            self._end(Ending.TEAR)
        else:
            self.wanted = Wanted(offset, length)

    def _reach(self) -> int:
        return self.superblock.ring_bytes - (self.position - self.superblock.head_position)

    def _look_ahead(self, data: Buffer) -> None:
        for start in range(0, len(data), SECTOR_BYTES):
            if self._proves_damage(data[start : start + HEADER_BYTES]):
                self._end(Ending.DAMAGE)
                return
        self.ahead_bytes -= len(data)
        self._want_ahead()

    def _proves_damage(self, data: Buffer) -> bool:
        try:
            header = parse_header(data)
        except FormatError:
            return False
        return (
            header.salt == self._current().salt
            and header.partnership == bytes.fromhex(self.superblock.partnership)
            and header.durable_lsn >= self.next_lsn
            and header.first_lsn > self.next_lsn
        )

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        self.wanted = None
