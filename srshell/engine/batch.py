"""What a batch of records makes of one volume: of each block its last content, and nothing else.

Always true:

(1) Holes first and writes after them end in the same bytes as the records one after the other.
(2) A block that is written whole many times is written once; only parts of a block that nobody
    wrote whole may be written over each other, in the order of their LSNs.
(3) Writes go in the order of places; blocks that touch go together, about 64 KiB at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.checksum_page import BLOCK_BYTES
from srshell.codec.log_frame import Record, RecordKind
from srshell.storage import Write, gathered_writes

_ZERO_BLOCK = memoryview(bytes(BLOCK_BYTES))


@attrs.define
class PartialBlock:
    """What becomes of a block: a base (None: what the volume holds) and parts laid over it."""

    base: Buffer | None
    parts: list[tuple[int, Buffer]] = attrs.field(factory=list)

    def content(self, found: Buffer | None) -> Buffer:
        """Return the block as it will be; ``found`` is what the volume holds."""
        base = found if self.base is None else self.base
        assert base is not None
        whole = bytearray(base)
        for start, part in self.parts:
            whole[start : start + len(part)] = part
        return whole


class Batch:
    """The records for one volume of ``size_bytes``, added in LSN order, block by block."""

    def __init__(self, size_bytes: int) -> None:
        """Begin without records."""
        self._size_bytes = size_bytes
        #: Blocks that are written whole: the last content of each.
        self.whole: dict[int, Buffer] = {}
        #: Blocks of which parts are written; none of them is in ``whole``.
        self.parts: dict[int, PartialBlock] = {}
        #: Whole blocks (first, end) that read as zeros, but for those in ``whole`` and ``parts``.
        self.zeros: list[tuple[int, int]] = []
        #: Blocks that came alone, and payloads of several, by offset; whether one of these came in
        #: the place of another that was longer or shorter.
        self._single: list[int] = []
        self._long: dict[int, memoryview] = {}
        self._is_mixed = False

    def add(self, record: Record) -> None:
        """Add the record with the next LSN."""
        if record.kind is not RecordKind.WRITE:
            self._clear(record.offset, record.offset + record.length)
            return
        block, start = divmod(record.offset, BLOCK_BYTES)
        if start == 0 and record.length == BLOCK_BYTES:
            # Most writes are one block: no views, no arithmetic.
            self._set(block, record.payload)
        else:
            self._write(record.offset, memoryview(record.payload))

    def holes(self) -> list[tuple[int, int]]:
        """Return what is to read as zeros before anything is written: offsets and lengths."""
        runs: list[tuple[int, int]] = []
        for first, end in sorted(self.zeros):
            if runs and first <= runs[-1][1]:
                runs[-1] = (runs[-1][0], max(runs[-1][1], end))
            else:
                runs.append((first, end))
        ranges = [(first * BLOCK_BYTES, end * BLOCK_BYTES) for first, end in runs]
        return [(start, min(end, self._size_bytes) - start) for start, end in ranges]

    def writes(self) -> Iterator[Write]:
        """Give what is written."""
        if self._long and not self.parts and not self._overlaps():
            single = ((block * BLOCK_BYTES, self.whole[block]) for block in self._single)
            pieces = [*self._long.items(), *single]
            return gathered_writes(sorted(pieces, key=itemgetter(0)))
        return gathered_writes(self._block_by_block())

    def _overlaps(self) -> bool:
        """Tell whether a block may have been written twice or cleared, but for whole payloads."""
        long = sum(len(payload) // BLOCK_BYTES for payload in self._long.values())
        return self._is_mixed or len(self._single) + long != len(self.whole)

    def _block_by_block(self) -> Iterator[tuple[int, Buffer]]:
        for block in sorted((*self.whole, *self.parts) if self.parts else self.whole):
            place, content = block * BLOCK_BYTES, self.whole.get(block)
            if content is not None:
                yield place, content
                continue
            partial = self.parts[block]
            if partial.base is not None:
                yield place, partial.content(None)
            else:
                for start, part in partial.parts:
                    yield place + start, part

    def _write(self, offset: int, payload: memoryview) -> None:
        position, end = 0, len(payload)
        if offset % BLOCK_BYTES == 0 and end % BLOCK_BYTES == 0:
            # Larger writes are whole blocks, too: no step of ours for each of them.
            first = offset // BLOCK_BYTES
            blocks = range(first, first + end // BLOCK_BYTES)
            pieces = [payload[at : at + BLOCK_BYTES] for at in range(0, end, BLOCK_BYTES)]
            self.whole.update(zip(blocks, pieces, strict=True))
            before = self._long.get(offset)
            self._is_mixed |= before is not None and len(before) != end
            self._long[offset] = payload
            if self.parts:
                for block in blocks:
                    self.parts.pop(block, None)
            return
        while position < end:
            block, start = divmod(offset + position, BLOCK_BYTES)
            size_bytes = min(BLOCK_BYTES, self._size_bytes - block * BLOCK_BYTES)
            part = payload[position : position + size_bytes - start]
            position += len(part)
            if len(part) == size_bytes:
                self._set(block, part)
            else:
                self._part(block, start, part)

    def _set(self, block: int, content: Buffer) -> None:
        self.whole[block] = content
        self._single.append(block)
        if self.parts:
            self.parts.pop(block, None)

    def _part(self, block: int, start: int, part: Buffer) -> None:
        found = self.parts.get(block)
        if found is None:
            base = self.whole.pop(block, None)
            if base is None and any(first <= block < end for first, end in self.zeros):
                base = _ZERO_BLOCK[: self._size_bytes - block * BLOCK_BYTES]
            found = self.parts[block] = PartialBlock(base)
        found.parts.append((start, part))

    def _clear(self, offset: int, end: int) -> None:
        first = -(-offset // BLOCK_BYTES)
        last = -(-end // BLOCK_BYTES) if end == self._size_bytes else end // BLOCK_BYTES
        last = max(first, last)
        if offset < first * BLOCK_BYTES:
            self._write(offset, _ZERO_BLOCK[: min(end, first * BLOCK_BYTES) - offset])
        if first < last:
            _drop(self.whole, first, last)
            _drop(self.parts, first, last)
            self.zeros.append((first, last))
        if end > last * BLOCK_BYTES:
            self._write(last * BLOCK_BYTES, _ZERO_BLOCK[: end - last * BLOCK_BYTES])


def _drop(blocks: dict[int, Any], first: int, end: int) -> None:
    """Remove the blocks of a range, by looking at whatever is fewer."""
    if end - first < len(blocks):
        for block in range(first, end):
            blocks.pop(block, None)
    else:
        for block in [block for block in blocks if first <= block < end]:
            del blocks[block]
