"""Who wrote what and was told so: the ledger that every crash is judged by.

Every write carries a version that no other write has.  It fills whole units of 512 bytes, and each
unit says which version it is of and where it belongs, under a checksum: what is read back names the
write that it came from.

Always true:

(1) What a unit holds after a crash was written there, or it reads as zeros because it was never
    written or was trimmed.
(2) A write that ended before an acknowledged write of the same unit began must not be found there
    again; of writes that overlapped in time, any may have been the last.
(3) A refused write is found nowhere; one whose outcome is unknown may be found or not.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import Enum

import attrs

UNIT_BYTES = 512

_HEAD = struct.Struct("<4sQQ")
_CRC = struct.Struct("<I")
_MAGIC = b"SRTW"
_ZEROS = bytes(UNIT_BYTES)


class Outcome(Enum):
    """What became of a write, as its writer was told."""

    PENDING = "no answer yet"
    ACKNOWLEDGED = "durable"
    REFUSED = "not carried out"
    UNKNOWN = "carried out or not"


@attrs.define(eq=False)
class Entry:
    """One write or trim; moments are steps of the ledger's own clock."""

    version: int
    first_unit: int
    units: int
    trim: bool
    began: int
    ended: int | None = None
    outcome: Outcome = Outcome.PENDING

    @property
    def offset(self) -> int:
        """Where it begins, in bytes."""
        return self.first_unit * UNIT_BYTES

    @property
    def length(self) -> int:
        """Its length in bytes."""
        return self.units * UNIT_BYTES

    def payload(self) -> bytes:
        """Return what it writes."""
        units = range(self.first_unit, self.first_unit + self.units)
        return b"".join(unit_content(self.version, unit) for unit in units)


def unit_content(version: int, unit: int) -> bytes:
    """Return a unit as that version writes it."""
    head = _HEAD.pack(_MAGIC, version, unit)
    filling = (version * 2654435761 + unit).to_bytes(8, "little") * (UNIT_BYTES // 8)
    body = (head + filling)[: UNIT_BYTES - _CRC.size]
    return body + _CRC.pack(zlib.crc32(body))


def read_unit(content: bytes) -> tuple[int, int] | None:
    """Return the version and the place that a unit names; None for anything but a whole unit."""
    magic, version, unit = _HEAD.unpack_from(content)
    body, crc = content[: -_CRC.size], _CRC.unpack(content[-_CRC.size :])[0]
    if magic != _MAGIC or zlib.crc32(body) != crc:
        return None
    return version, unit


@attrs.define(eq=False)
class Ledger:
    """All writes to one volume."""

    entries: list[Entry] = attrs.field(factory=list)
    acknowledged: int = 0
    _moment: int = 0
    _by_unit: dict[int, list[Entry]] = attrs.field(factory=dict)
    _first_version: int = 1

    def fork(self, first_version: int) -> Ledger:
        """Return a ledger with the same past, whose next writes have versions from there on."""
        assert first_version > self._first_version + len(self.entries)
        by_unit = {unit: list(entries) for unit, entries in self._by_unit.items()}
        return Ledger(
            list(self.entries),
            self.acknowledged,
            self._moment,
            by_unit,
            first_version - len(self.entries),
        )

    def begin(self, first_unit: int, units: int, *, trim: bool = False) -> Entry:
        """Note a write before it is sent."""
        self._moment += 1
        version = self._first_version + len(self.entries)
        entry = Entry(version, first_unit, units, trim, self._moment)
        self.entries.append(entry)
        for unit in range(first_unit, first_unit + units):
            self._by_unit.setdefault(unit, []).append(entry)
        return entry

    def end(self, entry: Entry, outcome: Outcome, *, still_possible: bool = False) -> None:
        """Note what a writer was told.

        ``still_possible``: the write may be carried out later than this moment.
        """
        self._moment += 1
        entry.outcome = outcome
        entry.ended = None if still_possible else self._moment
        if outcome is Outcome.ACKNOWLEDGED:
            self.acknowledged += 1

    def problems(self, read: bytes, base: int = 0) -> list[str]:
        """Compare what a side holds, from byte ``base`` on, with what it must hold."""
        assert base % UNIT_BYTES == 0
        first = base // UNIT_BYTES
        found: list[str] = []
        for unit, entries in sorted(self._by_unit.items()):
            start = (unit - first) * UNIT_BYTES
            if 0 <= start < len(read):
                found += self._unit_problems(unit, entries, read[start : start + UNIT_BYTES])
        return found

    def _unit_problems(self, unit: int, entries: list[Entry], content: bytes) -> Iterator[str]:
        newest = max((e.began for e in entries if e.outcome is Outcome.ACKNOWLEDGED), default=0)
        may_be = {
            0 if entry.trim else entry.version
            for entry in entries
            if entry.outcome is not Outcome.REFUSED
            and (entry.ended is None or entry.ended > newest)
        }
        if not newest:
            may_be.add(0)
        if content == _ZEROS:
            version, place = 0, unit
        else:
            version, place = read_unit(content) or (-1, -1)
        if place != unit:
            yield f"unit {unit} holds no write of its own: {content[:24].hex()}"
        elif version not in may_be:
            told = {entry.version: entry.outcome.value for entry in entries}
            said = "zeros" if version == 0 else f"version {version} ({told.get(version, 'none')})"
            yield f"unit {unit} holds {said}, allowed are {sorted(may_be)}"
