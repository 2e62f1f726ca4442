"""Decide what the secondary does with each frame: append, confirm, apply, refuse.

Always true:

(1) A frame is taken only when it begins right after the last one: there are never gaps.
(2) Nothing is confirmed before the log holds it durably.
(3) Nothing is applied beyond what the primary reported as committed, nor beyond the own durable
    log.
"""

from __future__ import annotations

from typing import assert_never

import attrs


@attrs.frozen
class FrameArrived:
    """A frame with the LSNs first to last was received and its checksums are right."""

    first_lsn: int
    last_lsn: int


@attrs.frozen
class FramesFlushed:
    """The own log holds everything up to ``lsn``."""

    lsn: int


@attrs.frozen
class Committed:
    """The primary acknowledged, or may apply, everything up to ``lsn``."""

    lsn: int


@attrs.frozen
class Append:
    """Append the frame to the log."""


@attrs.frozen
class Drop:
    """The log holds the frame already; confirm again."""


@attrs.frozen
class Confirm:
    """Tell the primary that the log holds everything up to ``lsn``."""

    lsn: int


@attrs.frozen
class Apply:
    """Everything up to ``lsn`` may go to the volumes."""

    lsn: int


@attrs.frozen
class RefuseFrame:
    """The frame does not follow: close the link and shake hands again."""

    reason: str


DestinationEvent = FrameArrived | FramesFlushed | Committed
DestinationInstruction = Append | Drop | Confirm | Apply | RefuseFrame


@attrs.define
class Destination:
    """The secondary's side of one group.

    ``handle`` takes one event and returns what to do, in order.
    """

    received_lsn: int
    flushed_lsn: int
    committed_lsn: int
    applicable_lsn: int

    def handle(self, event: DestinationEvent) -> list[DestinationInstruction]:
        """Change state and return the instructions."""
        match event:
            case FrameArrived():
                return [self._judge(event)]
            case FramesFlushed():
                self.flushed_lsn = max(self.flushed_lsn, event.lsn)
                return [Confirm(self.flushed_lsn), *self._apply()]
            case Committed():
                self.committed_lsn = max(self.committed_lsn, event.lsn)
                return self._apply()
            case _:
                assert_never(event)

    def _judge(self, frame: FrameArrived) -> DestinationInstruction:
        if frame.last_lsn <= self.received_lsn:
            return Drop()
        if frame.first_lsn != self.received_lsn + 1:
            return RefuseFrame(
                f"frame begins at LSN {frame.first_lsn}, expected {self.received_lsn + 1}"
            )
        self.received_lsn = frame.last_lsn
        return Append()

    def _apply(self) -> list[DestinationInstruction]:
        lsn = min(self.committed_lsn, self.flushed_lsn)
        if lsn <= self.applicable_lsn:
            return []
        self.applicable_lsn = lsn
        return [Apply(lsn)]
