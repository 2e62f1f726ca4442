"""Which blocks the peer may lack beside the records in the log: one bit per 4 KiB.

Always true:

(1) A set bit is durable before the log space of the record that set it is given up (`write_pages`).
(2) A bit that is cleared too late costs a copy; a bit that is set too late would cost data, so a
    page that cannot be read counts as all ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from bitarray import bitarray

from srshell.codec.bitmap_page import BITS_PER_PAGE, decode_page, encode_page
from srshell.codec.errors import FormatError
from srshell.codec.map_page import PAGE_BYTES
from srshell.model.replica import VolumeLayout
from srshell.storage import BlockFile, Write

BLOCK_BYTES = 4096
_PAGES_PER_WRITE = 256


def block_count(size_bytes: int) -> int:
    """Return how many bits a volume has."""
    return -(-size_bytes // BLOCK_BYTES)


class DirtyMap:
    """The dirty bits of all volumes of a group, and which pages disk does not hold yet."""

    def __init__(self, partnership: str, volumes: Sequence[VolumeLayout]) -> None:
        """Begin with no block marked."""
        self._partnership = bytes.fromhex(partnership)
        self._volumes = tuple(volumes)
        self.bits = [bitarray(block_count(v.size_bytes), endian="little") for v in volumes]
        for bits in self.bits:
            bits.setall(0)
        self._stale: list[set[int]] = [set() for _ in volumes]
        self._generation = 1
        #: Held while pages are written.
        self.writing = asyncio.Lock()

    def mark(self, volume: int, offset: int, length: int) -> None:
        """Mark the blocks that a range of bytes touches."""
        first, end = offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)
        self._set(volume, first, end, 1)

    def mark_extents(self, extents: Iterable[tuple[int, int, int]]) -> None:
        """Mark (volume, offset, length) ranges."""
        for volume, offset, length in extents:
            self.mark(volume, offset, length)

    def mark_all(self) -> None:
        """Mark every block of every volume."""
        for volume, bits in enumerate(self.bits):
            self._set(volume, 0, len(bits), 1)

    def clear(self, volume: int, offset: int, length: int) -> None:
        """Clear the blocks of a copied range (block boundaries, or the volume's end)."""
        first, end = offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)
        self._set(volume, first, end, 0)

    def clear_all(self) -> None:
        """Clear every block of every volume."""
        for volume, bits in enumerate(self.bits):
            if bits.any():
                self._set(volume, 0, len(bits), 0)

    def touch_all(self) -> None:
        """Let the next `write_pages` write every page, changed or not."""
        for volume, bits in enumerate(self.bits):
            self._touch(volume, 0, len(bits))

    def merge(self, volume: int, first_bit: int, other: bitarray) -> None:
        """Mark what ``other`` marks, from ``first_bit`` on."""
        end = min(first_bit + len(other), len(self.bits[volume]))
        self.bits[volume][first_bit:end] |= other[: end - first_bit]
        self._touch(volume, first_bit, end)

    def count(self) -> int:
        """Return how many blocks are marked."""
        return sum(bits.count() for bits in self.bits)

    def any(self) -> bool:
        """Tell whether a block is marked."""
        return any(bits.any() for bits in self.bits)

    def runs(self, volume: int, from_block: int, blocks_max: int) -> Iterator[tuple[int, int]]:
        """Yield marked runs (first block, count), each at most ``blocks_max``, ascending."""
        bits = self.bits[volume]
        position = from_block
        while (first := bits.find(1, position)) >= 0:
            end = bits.find(0, first)
            stop = len(bits) if end < 0 else end
            position = min(stop, first + blocks_max)
            yield first, position - first

    def _set(self, volume: int, first: int, end: int, value: int) -> None:
        end = min(end, len(self.bits[volume]))
        self.bits[volume][first:end] = value
        self._touch(volume, first, end)

    def _touch(self, volume: int, first: int, end: int) -> None:
        if end > first:
            pages = range(first // BITS_PER_PAGE, (end - 1) // BITS_PER_PAGE + 1)
            self._stale[volume].update(pages)

    async def write_pages(self, file: BlockFile) -> None:
        """Make every changed page durable.  Raises StorageError.

        One call at a time: two writes of one page could reach the disk in any order, and what
        another call took along is durable only when that one ends.
        """
        async with self.writing:
            while any(self._stale):
                self._generation += 1
                writes, taken = self._take_stale()
                try:
                    await file.write_at(writes, sync=True)
                except BaseException:
                    for volume, pages in taken:
                        self._stale[volume].update(pages)
                    raise

    def _take_stale(self) -> tuple[list[Write], list[tuple[int, list[int]]]]:
        writes: list[Write] = []
        taken: list[tuple[int, list[int]]] = []
        for volume, layout in enumerate(self._volumes):
            pages = sorted(self._stale[volume])[:_PAGES_PER_WRITE]
            self._stale[volume].difference_update(pages)
            taken.append((volume, pages))
            for page in pages:
                bits = self.bits[volume][page * BITS_PER_PAGE : (page + 1) * BITS_PER_PAGE]
                data = encode_page(self._partnership, volume, page, self._generation, bits)
                writes.append(Write(layout.bitmap_offset + page * PAGE_BYTES, (data,)))
        return writes, taken

    async def load(self, file: BlockFile) -> list[str]:
        """Read every page; return what was damaged.  Damaged pages count as all ones."""
        damage: list[str] = []
        for volume, layout in enumerate(self._volumes):
            size_bytes = layout.bitmap_pages * PAGE_BYTES
            data = await file.read_at(layout.bitmap_offset, size_bytes)
            for page in range(layout.bitmap_pages):
                self._load_page(
                    volume, page, data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES], damage
                )
        return damage

    def _load_page(self, volume: int, page: int, data: bytes, damage: list[str]) -> None:
        bits = self.bits[volume]
        first, end = page * BITS_PER_PAGE, min((page + 1) * BITS_PER_PAGE, len(bits))
        try:
            generation, found = decode_page(data, self._partnership, volume, page)
        except FormatError as error:
            damage.append(f"bitmap page {page} of {self._volumes[volume].name}: {error}")
            self._set(volume, first, end, 1)
            return
        self._generation = max(self._generation, generation)
        bits[first:end] = found[: end - first]
