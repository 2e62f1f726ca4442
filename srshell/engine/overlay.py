"""The records that the log holds and the volumes do not hold yet, findable by place.

Always true:

(1) Pieces of one block are in LSN order; the last one that covers a byte is its newest content.
(2) A record leaves the overlay only after it is in the volume file.
(3) Readers see records up to the LSN that they name, and never a later one.
"""

from __future__ import annotations

from collections import defaultdict, deque

from srshell.codec.log_frame import Record, RecordKind

BLOCK_BYTES = 4096


class Overlay:
    """An index of unapplied records: volume and block -> records, oldest first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._blocks: defaultdict[tuple[int, int], deque[Record]] = defaultdict(deque)
        self.records: deque[Record] = deque()
        self.payload_bytes = 0

    def add(self, record: Record) -> None:
        """Add the record with the next LSN."""
        self.records.append(record)
        self.payload_bytes += len(record.payload)
        for key in _keys(record):
            self._blocks[key].append(record)

    def remove_oldest(self) -> None:
        """Drop the oldest record: the volume holds it."""
        record = self.records.popleft()
        self.payload_bytes -= len(record.payload)
        for key in _keys(record):
            pieces = self._blocks[key]
            pieces.popleft()
            if not pieces:
                del self._blocks[key]

    def remove_newest(self) -> None:
        """Drop the newest record: the log was cut before it."""
        record = self.records.pop()
        self.payload_bytes -= len(record.payload)
        for key in _keys(record):
            pieces = self._blocks[key]
            pieces.pop()
            if not pieces:
                del self._blocks[key]

    def covering(self, volume: int, offset: int, length: int, through_lsn: int) -> list[Record]:
        """Return the records up to ``through_lsn`` that touch the range, oldest first."""
        if not self.records:
            return []
        first, last = offset // BLOCK_BYTES, (offset + length - 1) // BLOCK_BYTES
        if last - first > len(self.records):
            end = offset + length
            return [
                record
                for record in self.records
                if record.lsn <= through_lsn
                and record.volume == volume
                and record.offset < end
                and offset < record.offset + record.length
            ]
        found = {
            record.lsn: record
            for block in range(first, last + 1)
            for record in self._blocks.get((volume, block), ())
            if record.lsn <= through_lsn
        }
        return [found[lsn] for lsn in sorted(found)]


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


def _keys(record: Record) -> list[tuple[int, int]]:
    first = record.offset // BLOCK_BYTES
    last = (record.offset + record.length - 1) // BLOCK_BYTES
    if first == last:
        return [(record.volume, first)]
    return [(record.volume, block) for block in range(first, last + 1)]
