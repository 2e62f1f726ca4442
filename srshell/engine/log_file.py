"""The log ring on disk: frames appended, synced and read back.

Always true:

(1) One `append` is one job: every frame of it is written and synced before it returns.
(2) `durable_lsn` moves only after the sync that covers it returned.
(3) Appends are serialised by the caller: one at a time.
(4) A frame's bytes are written at most once; no sector of a durable frame is ever written again
    while a superblock on disk refers to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from srshell.codec.checksum import Buffer
from srshell.codec.log_frame import (
    HEADER_BYTES,
    FrameBody,
    body_from_bytes,
    padding,
    stamp,
    wrap_marker,
)
from srshell.codec.log_table import table_of
from srshell.replication.ring import HeldFrame, Placement, Ring
from srshell.storage import BlockFile, Write, joined_writes


class LogFile:
    """Appends frames to the ring and reads them back."""

    def __init__(
        self, file: BlockFile, ring_offset: int, partnership: str, ring: Ring, salt: int
    ) -> None:
        """Go on where ``ring`` ends, in a segment with ``salt``."""
        self.file = file
        self.ring = ring
        self.salt = salt
        self.durable_lsn = ring.tail_lsn
        self._ring_offset = ring_offset
        self._partnership = bytes.fromhex(partnership)

    def has_room(self, total_bytes: int) -> bool:
        """Tell whether a frame of that size can be placed now."""
        return self.ring.has_room(total_bytes)

    async def append(self, frames: Sequence[FrameBody]) -> None:
        """Write and sync frames that follow the log's end, in one job.

        The caller made sure that there is room.  Raises StorageError; the log is then unusable.
        """
        last_lsn = frames[-1].last_lsn
        await self.file.write_through(self._laid_out(frames))
        self.durable_lsn = last_lsn

    def append_now(self, frames: Sequence[FrameBody]) -> None:
        """Do what `append` does, without a wait: only if nobody else writes the file."""
        self.file.write_through_now(self._laid_out(frames))
        self.durable_lsn = frames[-1].last_lsn

    def _laid_out(self, frames: Sequence[FrameBody]) -> list[Write]:
        """Give the frames their places and headers, and return what is to be written."""
        writes: list[Write] = []
        for body in frames:
            self._lay_out(body, writes)
        return joined_writes(writes) if len(writes) > 1 else writes

    def _lay_out(self, body: FrameBody, writes: list[Write]) -> None:
        placement = self.ring.place(body.total_bytes)
        assert placement is not None, (body.total_bytes, self.ring)
        if placement.wrap_bytes:
            self._wrap(body, placement, writes)
        chain = self.ring.chain
        header, header_crc = stamp(
            body,
            partnership=self._partnership,
            salt=self.salt,
            durable_lsn=self.durable_lsn,
            prev_crc=chain,
        )
        held = HeldFrame(
            body.first_lsn,
            body.last_lsn,
            placement.position,
            body.total_bytes,
            chain,
            body.body_crc,
            body.body_bytes,
            table_of(body),
        )
        buffers: tuple[Buffer, ...] = (header, *body.buffers, padding(body))
        writes.append(Write(self.offset_of(placement.position), buffers))
        self.ring.append(held, header_crc)

    def _wrap(self, body: FrameBody, placement: Placement, writes: list[Write]) -> None:
        marker, marker_crc = wrap_marker(
            partnership=self._partnership,
            salt=self.salt,
            epoch=body.epoch,
            next_lsn=body.first_lsn,
            durable_lsn=self.durable_lsn,
            prev_crc=self.ring.chain,
            total_bytes=placement.wrap_bytes,
        )
        writes.append(Write(self.offset_of(placement.wrap_position), (marker,)))
        self.ring.chain = marker_crc

    def offset_of(self, position: int) -> int:
        """Return where a ring position lies in the log volume."""
        return self._ring_offset + position % self.ring.ring_bytes

    async def read_body(self, held: HeldFrame, epoch: int, record_count: int) -> FrameBody:
        """Read a durable frame back, verified.  Raises StorageError or FormatError."""
        start = self.offset_of(held.position) + HEADER_BYTES
        data = await self.file.read_at(start, held.payload_bytes)
        return body_from_bytes(epoch, held.first_lsn, record_count, data, held.crc)
