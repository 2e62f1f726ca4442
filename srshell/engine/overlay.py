"""The records that the log holds and the volumes do not hold yet, findable by place.

Always true:

(1) Pieces of one block are in LSN order; the last one that covers a byte is its newest content.
(2) A record leaves the overlay only after it is in the volume file.
(3) Readers see records up to the LSN that they name, and never a later one.
(4) A record of more than `_WIDE_BLOCKS` blocks is held once, not once for each block: what it
    costs does not grow with its length.
(5) Until somebody looks for a place, there is no index, for most records are applied without that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from srshell.codec.log_frame import Record, RecordKind

BLOCK_BYTES = 4096
#: What a record takes in memory beside its payload, about.
RECORD_BYTES = 512
#: Writes are shorter; zeros and trims may be as long as a volume.
_WIDE_BLOCKS = 256
_VOLUME_SHIFT = 52  # a key is the volume's number above the block's


class Overlay:
    """An index of unapplied records: volume and block -> records, oldest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._blocks: dict[int, list[Record]] = {}
        self._wide: list[Record] = []
        #: Whether the records stand in the two above.
        self._is_indexed = False
        self.records: deque[Record] = deque()
        self.payload_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Return how much memory the records take, about."""
        return self.payload_bytes + RECORD_BYTES * len(self.records)

    def add(self, record: Record) -> None:
        """Add the record with the next LSN."""
        self.add_all((record,))

    def add_all(self, records: Sequence[Record]) -> None:
        """Add the records with the next LSNs."""
        self.records.extend(records)
        self.payload_bytes += sum([len(record.payload) for record in records])
        if self._is_indexed:
            self._index(records)

    def _index(self, records: Iterable[Record]) -> None:
        blocks = self._blocks
        for record in records:
            keys = _keys(record)
            if keys is None:
                self._wide.append(record)
                continue
            for key in keys:
                if key in blocks:
                    blocks[key].append(record)
                else:
                    blocks[key] = [record]

    def remove_oldest(self, count: int = 1) -> None:
        """Drop the oldest records: the volume holds them."""
        for _ in range(count):
            self._forget(self.records.popleft(), 0)
        if not self.records:
            self._is_indexed = False

    def remove_newest(self) -> None:
        """Drop the newest record: the log was cut before it."""
        self._forget(self.records.pop(), -1)

    def _forget(self, record: Record, end: int) -> None:
        """Take it out of the index; it is the first (0) or the last (-1) wherever it stands."""
        self.payload_bytes -= len(record.payload)
        if not self._is_indexed:
            return
        keys = _keys(record)
        if keys is None:
            self._wide.pop(end)
            return
        blocks = self._blocks
        for key in keys:
            pieces = blocks[key]
            if len(pieces) == 1:
                del blocks[key]
            else:
                pieces.pop(end)

    def covering(self, volume: int, offset: int, length: int, through_lsn: int) -> list[Record]:
        """Return the records up to ``through_lsn`` that touch the range, oldest first."""
        if not self.records:
            return []
        first, last = offset // BLOCK_BYTES, (offset + length - 1) // BLOCK_BYTES
        if last - first > len(self.records):
            return _touching(self.records, volume, offset, length, through_lsn)
        if not self._is_indexed:
            self._index(self.records)
            self._is_indexed = True
        base = volume << _VOLUME_SHIFT
        if first == last and not self._wide:
            pieces = self._blocks.get(base + first)
            return [record for record in pieces if record.lsn <= through_lsn] if pieces else []
        found = {
            record.lsn: record
            for key in range(base + first, base + last + 1)
            for record in self._blocks.get(key, ())
            if record.lsn <= through_lsn
        }
        for record in _touching(self._wide, volume, offset, length, through_lsn):
            found[record.lsn] = record
        return [found[lsn] for lsn in sorted(found)]


def _touching(
    records: Iterable[Record], volume: int, offset: int, length: int, through_lsn: int
) -> list[Record]:
    end = offset + length
    return [
        record
        for record in records
        if record.lsn <= through_lsn
        and record.volume == volume
        and record.offset < end
        and offset < record.offset + record.length
    ]


def patch(data: bytes, offset: int, records: list[Record]) -> bytes:
    """Return ``data``, read at ``offset``, with the records laid over it in order."""
    if not records:
        return data
    patched = bytearray(data)
    end = offset + len(patched)
    for record in records:
        start, stop = max(offset, record.offset), min(end, record.offset + record.length)
        if start >= stop:
            continue
        if record.kind is RecordKind.WRITE:
            skip = start - record.offset
            view = memoryview(record.payload)[skip : skip + stop - start]
            patched[start - offset : stop - offset] = view
        else:
            patched[start - offset : stop - offset] = bytes(stop - start)
    return bytes(patched)


def _keys(record: Record) -> Iterable[int] | None:
    """Return the keys of the record's blocks; None if they are too many to be held one by one."""
    offset = record.offset
    first = offset // BLOCK_BYTES
    last = (offset + record.length - 1) // BLOCK_BYTES
    base = record.volume << _VOLUME_SHIFT
    if first == last:
        return (base + first,)
    if last - first >= _WIDE_BLOCKS:
        return None
    return range(base + first, base + last + 1)
