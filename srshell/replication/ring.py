"""The log ring's space: where the next frame goes, what is held, what may be overwritten.

Always true:

(1) Positions grow for ever; the place in the ring is position % ring_bytes; frames never straddle
    the end.
(2) Held frames are dense in LSNs and ascending in positions.
(3) Space is given out only behind ``durable_head_position``: what a superblock on disk still
    refers to is never overwritten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs
import msgspec

from srshell.codec.log_table import extents_in

SECTOR_BYTES = 4096


class HeldFrame(msgspec.Struct, frozen=True, gc=False):
    """A frame that the log holds."""

    first_lsn: int
    last_lsn: int
    position: int
    total_bytes: int
    chain: int  # its prev_crc
    crc: int  # its body_crc
    payload_bytes: int
    table: bytes  # a row for each record

    @property
    def record_count(self) -> int:
        """Return how many records it has."""
        return self.last_lsn - self.first_lsn + 1

    @property
    def extents(self) -> Iterator[tuple[int, int, int]]:
        """Give volume, offset and length in bytes of each record."""
        return extents_in(self.table)


class Placement(msgspec.Struct, frozen=True, gc=False):
    """Where a frame goes.

    ``wrap_bytes`` > 0: first a wrap marker of that length at ``wrap_position``.
    """

    position: int
    wrap_position: int
    wrap_bytes: int


@attrs.define
class Ring:
    """Space of one log ring, in bytes and LSNs."""

    ring_bytes: int
    tail_position: int
    durable_head_position: int
    head_lsn: int  # first LSN held, or the next LSN when none is
    chain: int  # prev_crc of the next frame
    frames: deque[HeldFrame] = attrs.field(factory=deque, repr=False)

    @property
    def tail_lsn(self) -> int:
        """Return the last LSN held, or the one before ``head_lsn``."""
        return self.frames[-1].last_lsn if self.frames else self.head_lsn - 1

    @property
    def free_bytes(self) -> int:
        """Return the bytes that can be written before a superblock must move the head."""
        return self.ring_bytes - (self.tail_position - self.durable_head_position)

    def has_room(self, total_bytes: int) -> bool:
        """Tell whether `place` would find room now."""
        return self._wrap_bytes(total_bytes) + total_bytes <= self.free_bytes

    def place(self, total_bytes: int) -> Placement | None:
        """Return where a frame of ``total_bytes`` goes, or None when there is no room now."""
        if not self.has_room(total_bytes):
            return None
        wrap_bytes = self._wrap_bytes(total_bytes)
        return Placement(self.tail_position + wrap_bytes, self.tail_position, wrap_bytes)

    def _wrap_bytes(self, total_bytes: int) -> int:
        """Return what is left at the end of the ring where a frame of that size does not fit."""
        to_end = self.ring_bytes - self.tail_position % self.ring_bytes
        return to_end if to_end < total_bytes else 0

    def append(self, frame: HeldFrame, header_crc: int) -> None:
        """Record that a frame was placed; its ``header_crc`` chains the next one."""
        assert frame.first_lsn == self.tail_lsn + 1, (frame, self)
        self.frames.append(frame)
        self.tail_position = frame.position + frame.total_bytes
        self.chain = header_crc

    def find(self, lsn: int) -> HeldFrame | None:
        """Return the frame that holds ``lsn``, or None (binary search over the held frames)."""
        low, high = 0, len(self.frames)
        while low < high:
            middle = (low + high) // 2
            if self.frames[middle].last_lsn < lsn:
                low = middle + 1
            else:
                high = middle
        if low == len(self.frames) or self.frames[low].first_lsn > lsn:
            return None
        return self.frames[low]

    def forget_through(self, lsn: int) -> list[HeldFrame]:
        """Let go of frames that end at or before ``lsn``.

        The space is free once a superblock says so.
        """
        gone = []
        while self.frames and self.frames[0].last_lsn <= lsn:
            gone.append(self.frames.popleft())
            self.head_lsn = gone[-1].last_lsn + 1
        return gone

    @property
    def head_position(self) -> int:
        """Return the position that the next superblock shall name as head."""
        return self.frames[0].position if self.frames else self.tail_position

    @property
    def head_chain(self) -> int:
        """Return the prev_crc that belongs to ``head_position``."""
        return self.frames[0].chain if self.frames else self.chain

    def bytes_after(self, lsn: int) -> int:
        """Return the payload bytes of the held frames that end after ``lsn``."""
        total = 0
        for frame in reversed(self.frames):
            if frame.last_lsn <= lsn:
                break
            total += frame.payload_bytes
        return total

    def cut_after(self, lsn: int) -> list[HeldFrame]:
        """Drop the frames after ``lsn`` (a frame boundary); return them, newest first."""
        gone = []
        while self.frames and self.frames[-1].first_lsn > lsn:
            gone.append(self.frames.pop())
        assert not self.frames or self.frames[-1].last_lsn <= lsn, (lsn, self.frames[-1])
        return gone
