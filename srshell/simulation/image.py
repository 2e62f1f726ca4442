"""The bytes of one simulated file: what programs see, and what a power cut would leave.

Always true:

(1) Reads see the cache; a power cut leaves the durable bytes, and of each 512-byte sector written
    since the last sync the old content, the new one, or a tear.
(2) A sync makes exactly the ranges written before it durable.  A failed sync forgets them instead,
    and so does a lying one: the pages count as clean and are read as if nothing had happened, until
    the cache is dropped.
(3) Memory is taken for the parts that are used.
"""

from __future__ import annotations

import enum
import mmap
from random import Random
from typing import Final, TypeAlias

from srshell.codec.checksum import Buffer

SECTOR_BYTES: Final = 512
#: Granularity of holes.
PAGE_BYTES: Final = 4096

#: Sectors from and to, the latter not included.
_Range: TypeAlias = tuple[int, int]


class Fate(enum.Enum):
    """What a power cut makes of something that was not synced."""

    DROPPED = "the old content is there"
    KEPT = "the new content is there"
    TORN = "new up to some byte, old from there on"
    MIXED = "each sector has a fate of its own"


#: Drawn from evenly; how often a fate stands here is how likely it is.
_RANGE_FATES: Final = (
    *(Fate.DROPPED,) * 5,
    *(Fate.KEPT,) * 3,
    *(Fate.TORN,) * 4,
    *(Fate.MIXED,) * 8,
)
_SECTOR_FATES: Final = (*(Fate.DROPPED,) * 2, *(Fate.KEPT,) * 2, Fate.TORN)
#: One torn sector in so many has garbage after the tear, if the disk is harsh.
_GARBAGE_ONE_IN: Final = 4


class SimImage:
    """Cache and durable bytes of one file; names and locks are the disk's business."""

    def __init__(self, size_bytes: int) -> None:
        """Begin with zeros, all of them a durable hole."""
        self.size_bytes = size_bytes
        pages = -(-size_bytes // PAGE_BYTES)
        self._cache = memoryview(mmap.mmap(-1, max(1, pages) * PAGE_BYTES))
        self._durable = memoryview(mmap.mmap(-1, max(1, pages) * PAGE_BYTES))
        #: One byte for each page: 1 where data was written.
        self._used = bytearray(pages)
        #: Written since the last sync, in order.
        self._dirty: list[_Range] = []
        #: Lost by a failed sync, though the cache still shows them.
        self._lost: list[_Range] = []

    # --- what programs do -----------------------------------------------------------------------

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the cache, fewer at the end of the file."""
        return bytes(self._cache[offset : min(offset + length, self.size_bytes)])

    def write(self, offset: int, data: Buffer) -> None:
        """Put bytes into the cache."""
        end = offset + len(data)
        assert end <= self.size_bytes, "files of the simulation do not grow"
        self._cache[offset:end] = data
        self._note_dirty(offset, end)
        first, last = offset // PAGE_BYTES, -(-end // PAGE_BYTES)
        self._used[first:last] = b"\1" * (last - first)

    def fill_with_zeros(self) -> None:
        """Make all of it data, durably; it reads as zeros already."""
        self._used[:] = b"\1" * len(self._used)

    def punch(self, offset: int, length: int) -> None:
        """Put zeros into the cache, and make holes of whole pages."""
        end = min(offset + length, self.size_bytes)
        self._cache[offset:end] = bytes(end - offset)
        self._note_dirty(offset, end)
        first, last = -(-offset // PAGE_BYTES), end // PAGE_BYTES
        if first < last:
            self._used[first:last] = bytes(last - first)

    def sync(self) -> None:
        """Make durable what was written."""
        cache, durable = self._cache, self._durable
        for first, last in self._dirty:
            durable[first * SECTOR_BYTES : last * SECTOR_BYTES] = cache[
                first * SECTOR_BYTES : last * SECTOR_BYTES
            ]
        self._dirty.clear()

    def sync_range(self, offset: int, length: int) -> None:
        """Make durable what was written to a range (bytes), and nothing else."""
        start, end = offset // SECTOR_BYTES, -(-(offset + length) // SECTOR_BYTES)
        others = [(first, min(last, start)) for first, last in self._dirty if first < start]
        others += [(max(first, end), last) for first, last in self._dirty if last > end]
        self._dirty = [
            (max(first, start), min(last, end))
            for first, last in self._dirty
            if first < end and last > start
        ]
        self.sync()
        self._dirty = others

    def sync_before(self, offset: int) -> None:
        """Make durable what lies before ``offset``, and lie about the rest."""
        edge = offset // SECTOR_BYTES
        self._lost += [(max(first, edge), last) for first, last in self._dirty if last > edge]
        self._dirty = [(first, min(last, edge)) for first, last in self._dirty if first < edge]
        self.sync()

    def lose_write(self, offset: int, data: Buffer) -> None:
        """Show bytes in the cache that will never be on the disk."""
        end = offset + len(data)
        self._cache[offset:end] = data
        self._lost.append((offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)))

    def misplace(self, offset: int, data: Buffer) -> None:
        """Put bytes on the disk where nobody wanted them; the cache shows them when it is empty."""
        end = offset + len(data)
        self._durable[offset:end] = data
        self._lost.append((offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)))

    def lose_dirty(self) -> None:
        """Fail a sync as Linux does: what was written is gone, and nobody will be told again."""
        self._lost += self._dirty
        self._dirty = []

    def drop_cache(self, offset: int, length: int) -> None:
        """Read clean sectors of the range from the disk from now on."""
        kept: list[_Range] = []
        dirty, self._dirty = self._dirty, []
        for first, last in self._lost:
            if first * SECTOR_BYTES < offset + length and offset < last * SECTOR_BYTES:
                self._restore(first, last, dirty)
            else:
                kept.append((first, last))
        self._lost, self._dirty = kept, dirty

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or after ``offset``; None if there is none."""
        page = self._used.find(1, offset // PAGE_BYTES)
        return None if page < 0 else max(offset, page * PAGE_BYTES)

    def next_hole(self, offset: int) -> int:
        """Return where the data at ``offset`` ends."""
        page = self._used.find(0, offset // PAGE_BYTES)
        return self.size_bytes if page < 0 else max(offset, page * PAGE_BYTES)

    # --- what the world does --------------------------------------------------------------------

    def write_back(self, random: Random) -> None:
        """Make one of the dirty ranges durable, as the system does in its own time."""
        if self._dirty:
            first, last = self._dirty[random.randrange(len(self._dirty))]
            # It stays on the list: to sync it once more changes nothing.
            self._settle(first, last)

    def power_cut(self, random: Random, *, harsh: bool) -> None:
        """Decide what is left of everything that was not synced, and forget the cache."""
        for first, last in self._dirty:
            fate = Fate.MIXED if harsh else random.choice(_RANGE_FATES)
            if fate is Fate.KEPT:
                self._settle(first, last)
            elif fate is Fate.TORN:
                self._tear_range(first, last, random)
            elif fate is Fate.MIXED:
                self._mix(first, last, random, harsh=harsh)
        for first, last in self._dirty + self._lost:
            self._restore(first, last, [])
        self._dirty.clear()
        self._lost.clear()

    def durable_bytes(self) -> bytes:
        """Return what would be left if every unsynced sector were dropped."""
        return bytes(self._durable[: self.size_bytes])

    def flip(self, offset: int, mask: int = 1, *, cached: bool = True) -> None:
        """Rot one byte, on the disk and, if ``cached``, in the cache.

        Otherwise programs see the rot only after the cache was dropped there.
        """
        self._durable[offset] ^= mask
        if cached:
            self._cache[offset] ^= mask
        else:
            sector = offset // SECTOR_BYTES
            self._lost.append((sector, sector + 1))

    def _note_dirty(self, offset: int, end: int) -> None:
        if offset >= end:
            return
        first, last = offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)
        if self._dirty:
            before_first, before_last = self._dirty[-1]
            if before_first <= first <= before_last:
                self._dirty[-1] = (before_first, max(before_last, last))
                return
        self._dirty.append((first, last))

    def _settle(self, first: int, last: int) -> None:
        start, end = first * SECTOR_BYTES, last * SECTOR_BYTES
        self._durable[start:end] = self._cache[start:end]

    def _restore(self, first: int, last: int, dirty: list[_Range]) -> None:
        """Show what the disk has, except where something newer waits to be synced."""
        newer = [
            (start, bytes(self._cache[start * SECTOR_BYTES : end * SECTOR_BYTES]))
            for start, end in dirty
            if start < last and first < end
        ]
        start, end = first * SECTOR_BYTES, last * SECTOR_BYTES
        self._cache[start:end] = self._durable[start:end]
        for sector, data in newer:
            self._cache[sector * SECTOR_BYTES : sector * SECTOR_BYTES + len(data)] = data
        first_page, last_page = start // PAGE_BYTES, min(-(-end // PAGE_BYTES), len(self._used))
        # A restored range may hold data where a hole was punched.
        self._used[first_page:last_page] = b"\1" * (last_page - first_page)

    def _tear_range(self, first: int, last: int, random: Random) -> None:
        """Tear a range once: the device worked from front to back."""
        whole = random.randrange(last - first)
        self._settle(first, first + whole)
        self._tear_sector(first + whole, random, harsh=False)

    def _mix(self, first: int, last: int, random: Random, *, harsh: bool) -> None:
        """Decide each sector for itself."""
        for sector in range(first, last):
            fate = random.choice(_SECTOR_FATES)
            if fate is Fate.KEPT:
                self._settle(sector, sector + 1)
            elif fate is Fate.TORN:
                self._tear_sector(sector, random, harsh=harsh)

    def _tear_sector(self, sector: int, random: Random, *, harsh: bool) -> None:
        start, end = sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES
        cut = random.randrange(start, end)
        self._durable[start:cut] = self._cache[start:cut]
        if harsh and random.randrange(_GARBAGE_ONE_IN) == 0:
            self._durable[cut:end] = random.randbytes(end - cut)
