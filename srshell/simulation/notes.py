"""What clients did and were told, by sector.

Always true:

(1) A note is one record; within one reign the order of the numbers is the order of the LSNs.
(2) A note that counts must be read back from every side that is not in its ``absent``.
"""

from __future__ import annotations

from collections import defaultdict
from enum import Enum

import attrs

from srshell.model.replica import Era
from srshell.simulation.workload import SECTOR_BYTES


class Outcome(Enum):
    """What a client knows of its write."""

    PENDING = "it waits"
    ACKNOWLEDGED = "it is durable"
    UNKNOWN = "it may or may not have happened"
    REFUSED = "it did not happen, and will not"


@attrs.define(eq=False)
class Note:
    """One record that a client wants written: a write, or a part of one that the engine splits."""

    side: str
    kind: str
    volume: int
    first: int  # sectors, the end not included
    end: int
    number: int = 0  # 0 until it is handed to the engine
    outcome: Outcome = Outcome.PENDING
    lsn: int = 0
    era: Era | None = None
    #: It was acknowledged, or read, while its side acknowledged alone.
    alone: bool = False
    #: A read returned it: from then on it counts as acknowledged.
    seen: bool = False
    #: Sides whose own history does not have it.
    absent: set[str] = attrs.field(factory=set)
    #: A person let go of it.
    given_up: bool = False
    #: When its client heard that it is durable (virtual seconds).
    acknowledged_at: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it must still be there."""
        return (self.outcome is Outcome.ACKNOWLEDGED or self.seen) and not self.given_up

    def __str__(self) -> str:
        alone = " alone" if self.alone else ""
        return f"write {self.number} ({self.outcome.name}{alone} by {self.side}, LSN {self.lsn})"


class Notebook:
    """All notes of an episode."""

    def __init__(self, piece_bytes: int) -> None:
        """Begin empty; the engine splits writes into pieces of that size."""
        self.notes: list[Note] = []
        self._piece_sectors = piece_bytes // SECTOR_BYTES
        self._sectors: defaultdict[tuple[int, int], list[Note]] = defaultdict(list)

    def plan(self, side: str, kind: str, volume: int, first: int, end: int) -> list[Note]:
        """Return notes for a write that will be handed in, one for each of its records."""
        if kind != "write":
            return [Note(side, kind, volume, first, end)]
        return [
            Note(side, kind, volume, start, min(start + self._piece_sectors, end))
            for start in range(first, end, self._piece_sectors)
        ]

    def begin(self, notes: list[Note]) -> None:
        """The write is handed to the engine now."""
        for note in notes:
            self.notes.append(note)
            note.number = len(self.notes)
            for sector in range(note.first, note.end):
                self._sectors[note.volume, sector].append(note)

    def on(self, volume: int, sector: int) -> list[Note]:
        """Return the notes that touch a sector, the oldest first."""
        return self._sectors.get((volume, sector), [])

    def floor(self, side: str, volume: int, sector: int) -> int:
        """Return the newest write that a read on this side must show at least."""
        for note in reversed(self.on(volume, sector)):
            if note.counts and side not in note.absent:
                return note.number
        return 0

    def shown(self, volume: int, sector: int, number: int, floor: int) -> Note | str | None:
        """Return the write that a sector shows (None: zeros), or what is wrong with it."""
        lost = f"{self.notes[floor - 1]} is lost" if floor else ""
        if number == 0:
            return None if self._may_be_zeros(volume, sector, floor) else f"shows zeros, {lost}"
        note = self.notes[number - 1] if number <= len(self.notes) else None
        if note is None or not (note.volume == volume and note.first <= sector < note.end):
            return f"shows write {number}, which was never made there"
        if note.outcome is Outcome.REFUSED:
            return f"shows {note}"
        if note.given_up:
            return f"shows {note}, which was given up"
        return f"shows {note}, {lost}" if number < floor else note

    def _may_be_zeros(self, volume: int, sector: int, floor: int) -> bool:
        if floor == 0:
            return True
        for note in reversed(self.on(volume, sector)):
            if note.number < floor:
                return False
            if note.kind != "write" and note.outcome is not Outcome.REFUSED:
                return True
        return False
