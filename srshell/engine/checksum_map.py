"""What each block of the data volumes should hold: one CRC-32 per 4 KiB, on the log volume.

Always true:

(1) A page on disk names only content that was durable in its volume when the page was written:
    pages are put aside before the volumes are synced, and written after; whoever changes one
    meanwhile changes a copy.
(2) A checkpoint writes the pages of all it applied before its superblock says so.  Blocks that
    records beyond the checkpoint touch are unknown when a log is opened; their replay names them.
(3) Unknown is never wrong: a page that is blank, torn or damaged knows nothing, and raises no
    alarm about its blocks.
(4) Pages are read when they are first needed.  What `load` brought is there until the next wait.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from srshell.codec.checksum_page import (
    BLOCK_BYTES,
    CHECKSUMS_PER_PAGE,
    UNKNOWN,
    block_checksum,
    decode_checksum_page,
    encode_checksum_page,
    new_checksums,
)
from srshell.codec.errors import FormatError
from srshell.codec.map_page import PAGE_BYTES
from srshell.model.replica import VolumeLayout
from srshell.storage import BlockFile, Write, joined_writes

_PAGES_PER_READ = 256
#: Few at once: commits wait behind what is written to the log volume.
_PAGES_PER_WRITE = 64
#: Pages that stay in memory when disk holds them too: 64 MiB, for 64 GiB of volumes.
_PAGES_KEPT_MAX = 16_384
_BLANK = bytes(PAGE_BYTES)
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_NOTHING_KNOWN = new_checksums()

Page = tuple[int, int]  # volume and index


class ChecksumMap:
    """The recorded checksums of all volumes of one replica."""

    def __init__(self, partnership: str, volumes: Sequence[VolumeLayout], file: BlockFile) -> None:
        """Keep pages in ``file``, the log volume; nothing is read yet."""
        self._partnership = bytes.fromhex(partnership)
        self._volumes = tuple(volumes)
        self._file = file
        self._pages: dict[Page, array[int]] = {}
        self._stale: set[Page] = set()
        self._written: set[Page] = set()
        #: Put aside to be written; not changed any more.
        self._aside: dict[Page, array[int]] = {}
        self._generation = 1
        self._loading = asyncio.Lock()
        #: Held while pages are written.
        self.writing = asyncio.Lock()
        #: Called with words about each page that could not be read.
        self.on_damage: Callable[[str], None] = lambda _: None
        self._damage: list[str] = []
        self._zero = block_checksum(_ZERO_BLOCK)
        #: Stands for every page of zeros, as `_NOTHING_KNOWN` does for a blank one; never changed.
        self._all_zeros = array("I", [self._zero]) * CHECKSUMS_PER_PAGE

    def keeps(self, volume: int) -> bool:
        """Tell whether this volume has a map; logs of an earlier layout have none."""
        return self._volumes[volume].checksum_pages > 0

    def block_bytes(self, volume: int, block: int) -> int:
        """Return the size of a block; the last one of a volume may be short."""
        return min(BLOCK_BYTES, self._volumes[volume].size_bytes - block * BLOCK_BYTES)

    async def load(self, volume: int, blocks: Iterable[int]) -> None:
        """Have the pages of these blocks in memory until the next wait.  Raises StorageError."""
        if self.keeps(volume):
            await self._load(volume, {block // CHECKSUMS_PER_PAGE for block in blocks})

    async def load_runs(self, volume: int, runs: Iterable[tuple[int, int]]) -> None:
        """Have the pages of runs of blocks (first, end) in memory, as `load` does."""
        if self.keeps(volume):
            wanted: set[int] = set()
            for first, end in runs:
                wanted.update(range(first // CHECKSUMS_PER_PAGE, -(-end // CHECKSUMS_PER_PAGE)))
            await self._load(volume, wanted)

    async def _load(self, volume: int, wanted: set[int]) -> None:
        if all((volume, page) in self._pages for page in wanted):
            return
        async with self._loading:
            for first, count in _runs(
                page for page in sorted(wanted) if (volume, page) not in self._pages
            ):
                await self._read(volume, first, count)

    async def _read(self, volume: int, first: int, count: int) -> None:
        layout = self._volumes[volume]
        offset = layout.checksum_offset + first * PAGE_BYTES
        data = await self._file.read_at(offset, count * PAGE_BYTES)
        for index in range(count):
            page = first + index
            self._pages[volume, page] = self._decoded(
                volume, page, data[index * PAGE_BYTES : (index + 1) * PAGE_BYTES]
            )

    def _decoded(self, volume: int, page: int, data: bytes) -> array[int]:
        if data == _BLANK:
            return _NOTHING_KNOWN
        try:
            generation, found = decode_checksum_page(data, self._partnership, volume, page)
        except FormatError as error:
            self._stale.add((volume, page))
            name = self._volumes[volume].name
            self._damage.append(f"checksum page {page} of {name}: {error}")
            self.on_damage(self._damage[-1])
            return _NOTHING_KNOWN
        self._generation = max(self._generation, generation)
        return found

    def get(self, volume: int, block: int) -> int:
        """Return the checksum of a block that was loaded; `UNKNOWN` without a map."""
        if not self.keeps(volume):
            return UNKNOWN
        page, index = divmod(block, CHECKSUMS_PER_PAGE)
        return self._pages[volume, page][index]

    def put(self, volume: int, block: int, checksum: int) -> None:
        """Record what a block that was loaded holds now: its write has ended."""
        if not self.keeps(volume):
            return
        page, index = divmod(block, CHECKSUMS_PER_PAGE)
        if self._pages[volume, page][index] != checksum:
            self._own(volume, page)[index] = checksum
            self._stale.add((volume, page))

    def _own(self, volume: int, page: int) -> array[int]:
        """Return the checksums of a page that was loaded, to be changed.

        Holes share theirs, and what is put aside stays as it is: then it is a copy.
        """
        key = (volume, page)
        found = self._pages[key]
        if found is _NOTHING_KNOWN or found is self._all_zeros or found is self._aside.get(key):
            found = self._pages[key] = found[:]
        return found

    def put_all(self, volume: int, checksums: Mapping[int, int]) -> None:
        """Record what many blocks that were loaded hold now, as `put` does."""
        if not self.keeps(volume):
            return
        touched: set[int] = set()
        # Blocks of one record follow each other: nearly all lie in the page of the one before.
        page: array[int] = array("I")
        first = end = 0
        for block, checksum in checksums.items():
            if not first <= block < end:
                index = block // CHECKSUMS_PER_PAGE
                touched.add(index)
                page = self._own(volume, index)
                first = index * CHECKSUMS_PER_PAGE
                end = first + CHECKSUMS_PER_PAGE
            page[block - first] = checksum
        self._stale.update((volume, index) for index in touched)

    def get_run(self, volume: int, first: int, end: int) -> array[int]:
        """Return the checksums of consecutive blocks that were loaded."""
        found = array("I")
        while first < end:
            page, index = divmod(first, CHECKSUMS_PER_PAGE)
            count = min(end - first, CHECKSUMS_PER_PAGE - index)
            found += self._pages[volume, page][index : index + count]
            first += count
        return found

    def put_run(self, volume: int, first: int, checksums: Sequence[int]) -> None:
        """Record what consecutive blocks that were loaded hold now, as `put` does."""
        if not self.keeps(volume):
            return
        position = 0
        while position < len(checksums):
            page, index = divmod(first + position, CHECKSUMS_PER_PAGE)
            fresh = array("I", checksums[position : position + CHECKSUMS_PER_PAGE - index])
            place = slice(index, index + len(fresh))
            if self._pages[volume, page][place] != fresh:
                self._own(volume, page)[place] = fresh
                self._stale.add((volume, page))
            position += len(fresh)

    def put_zeros(self, volume: int, first: int, end: int, *, if_unknown: bool = False) -> None:
        """Record that whole blocks that were loaded read as zeros now.

        ``if_unknown`` leaves alone what is known already.
        """
        if not self.keeps(volume):
            return
        last_bytes = self.block_bytes(volume, end - 1) if end > first else BLOCK_BYTES
        if last_bytes < BLOCK_BYTES:
            end -= 1
            if not (if_unknown and self.get(volume, end)):
                self.put(volume, end, block_checksum(_ZERO_BLOCK[:last_bytes]))
        block = first
        while block < end:
            page, index = divmod(block, CHECKSUMS_PER_PAGE)
            count = min(end - block, CHECKSUMS_PER_PAGE - index)
            block += count
            known = self._pages[volume, page]
            if known is self._all_zeros:
                continue
            self._stale.add((volume, page))
            if count == CHECKSUMS_PER_PAGE and (known is _NOTHING_KNOWN or not if_unknown):
                self._pages[volume, page] = self._all_zeros
                continue
            zeros = self._all_zeros[:count]
            if if_unknown and any(before := known[index : index + count]):
                zeros = array("I", (one or self._zero for one in before))
            self._own(volume, page)[index : index + count] = zeros

    async def forget(self, volume: int, offset: int, length: int) -> None:
        """Know nothing any more of the blocks that a range of bytes touches."""
        blocks = range(offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES))
        await self.load(volume, blocks)
        for block in blocks:
            self.put(volume, block, UNKNOWN)

    async def forget_all(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Know nothing any more of what ranges touch: volume, offset and length in bytes."""
        runs: dict[int, list[tuple[int, int]]] = {}
        single: dict[int, set[int]] = {}  # most: in the order of pages, each is looked up once
        for volume, offset, length in ranges:
            first, end = offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)
            if end - first == 1:
                single.setdefault(volume, set()).add(first)
            else:
                runs.setdefault(volume, []).append((first, end))
        for volume, blocks in single.items():
            await self.load(volume, blocks)
            self.put_all(volume, dict.fromkeys(sorted(blocks), UNKNOWN))
        for volume, found in runs.items():
            await self.load_runs(volume, found)
            for first, end in found:
                for start in range(first, end, CHECKSUMS_PER_PAGE):
                    self.put_run(volume, start, _NOTHING_KNOWN[: end - start])

    def met_damage(self) -> list[str]:
        """Return what was found damaged since this was asked last: it is being written anew."""
        damage, self._damage = self._damage, []
        return damage

    async def touch(self, volume: int, page: int) -> None:
        """Write a page that is damaged on disk again, or as unknown if memory does not have it."""
        await self.load(volume, [page * CHECKSUMS_PER_PAGE])
        self._stale.add((volume, page))

    def wrote(self, volume: int, page: int) -> bool:
        """Tell whether the disk is known to hold something in the place of a page."""
        key = (volume, page)
        return key in self._written or (key not in self._stale and any(self._pages.get(key, ())))

    async def write_synced(self, sync: Callable[[], Awaitable[None]]) -> None:
        """Sync the volumes by ``sync``, then make durable what was known before of their blocks.

        Raises StorageError.  One call at a time: two writes of one page could reach the disk in any
        order.
        """
        async with self.writing:
            taken = sorted(self._stale)
            self._stale.clear()
            self._generation += 1
            generation = self._generation
            self._aside = {page: self._pages[page] for page in taken}
            try:
                await sync()
                # Encoded piece by piece: of a large volume, all of them are as much again.
                for start in range(0, len(taken), _PAGES_PER_WRITE):
                    pages = taken[start : start + _PAGES_PER_WRITE]
                    writes = joined_writes(self._encoded(page, generation) for page in pages)
                    await self._file.write_at(writes, sync=True)
            except BaseException:
                self._stale.update(taken)
                raise
            finally:
                self._aside = {}
            self._written.update(taken)
            self._evict()

    def _encoded(self, key: Page, generation: int) -> Write:
        volume, page = key
        data = encode_checksum_page(self._partnership, volume, page, generation, self._aside[key])
        return Write(self._volumes[volume].checksum_offset + page * PAGE_BYTES, (data,))

    def _evict(self) -> None:
        """Let go of the pages that were read first and that disk holds as they are."""
        excess = len(self._pages) - _PAGES_KEPT_MAX
        if excess > 0 and not self._loading.locked():
            clean = [page for page in self._pages if page not in self._stale]
            for page in clean[:excess]:
                del self._pages[page]


def _runs(pages: Iterable[int]) -> list[tuple[int, int]]:
    """Join ascending pages to runs (first, count) that are read by one call."""
    runs: list[tuple[int, int]] = []
    for page in pages:
        if runs and runs[-1][0] + runs[-1][1] == page and runs[-1][1] < _PAGES_PER_READ:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((page, 1))
    return runs
