"""Which blocks the peer may lack: a bit too many costs a copy, a bit too few would cost data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bitarray import bitarray
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec.bitmap_page import BITS_PER_PAGE, page_count
from srshell.codec.map_page import PAGE_BYTES
from srshell.engine.dirty_map import BLOCK_BYTES, DirtyMap, block_count
from srshell.model.replica import VolumeLayout
from srshell.simulation import FaultKind, SimDisk, run_simulated
from srshell.storage import BlockFile, Disk, OsDisk, StorageError, Write

PARTNERSHIP = "ab" * 16
#: Two pages and a half, the last block cut short, so that every boundary is met.
LARGE_BYTES = (BITS_PER_PAGE * 5 // 2) * BLOCK_BYTES + 512
SMALL_BYTES = 10 * BLOCK_BYTES


def layouts() -> tuple[VolumeLayout, ...]:
    pages = page_count(LARGE_BYTES)
    return (
        VolumeLayout("large", "/large", LARGE_BYTES, 4096, 0, pages),
        VolumeLayout("small", "/small", SMALL_BYTES, 4096, pages * PAGE_BYTES, 1),
    )


FILE_BYTES = 4 * PAGE_BYTES


def new_map() -> DirtyMap:
    return DirtyMap(PARTNERSHIP, layouts())


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[BlockFile]:
    disk = Disk(OsDisk(), None)
    path = str(tmp_path / "log")
    await disk.create(path, FILE_BYTES)
    async with await disk.open(path) as file:
        yield file


async def stored(file: BlockFile) -> DirtyMap:
    """An empty map, every page of it durable."""
    dirty = new_map()
    dirty.touch_all()
    await dirty.write_pages(file)
    return dirty


async def loaded(file: BlockFile) -> tuple[DirtyMap, list[str]]:
    dirty = new_map()
    return dirty, await dirty.load(file)


@given(st.integers(0, SMALL_BYTES - 1), st.integers(1, SMALL_BYTES))
def test_every_block_that_a_write_touches_is_marked_and_no_other(offset: int, length: int) -> None:
    length = min(length, SMALL_BYTES - offset)
    dirty = new_map()
    dirty.mark(1, offset, length)
    touched = {byte // BLOCK_BYTES for byte in (offset, offset + length - 1)}
    expected = range(min(touched), max(touched) + 1)
    assert [block for block, bit in enumerate(dirty.bits[1]) if bit] == list(expected)
    assert not dirty.bits[0].any()


@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(0, 9), st.integers(1, 10))
def test_runs_are_the_marked_blocks_in_order(
    marks: list[bool], from_block: int, blocks_max: int
) -> None:
    dirty = new_map()
    for block, marked in enumerate(marks):
        if marked:
            dirty.mark(1, block * BLOCK_BYTES, 1)
    runs = list(dirty.runs(1, from_block, blocks_max))
    found = [block for first, count in runs for block in range(first, first + count)]
    assert found == [block for block in range(from_block, 10) if marks[block]]
    assert all(0 < count <= blocks_max for _, count in runs)


def test_the_last_block_counts_though_it_is_cut_short() -> None:
    dirty = new_map()
    dirty.mark(0, LARGE_BYTES - 1, 1)
    assert dirty.bits[0].find(1) == block_count(LARGE_BYTES) - 1
    dirty.clear(0, LARGE_BYTES - 512, 512)
    assert not dirty.any()


def test_all_blocks_can_be_marked_and_cleared_at_once() -> None:
    dirty = new_map()
    dirty.mark_all()
    assert dirty.count() == block_count(LARGE_BYTES) + block_count(SMALL_BYTES)
    dirty.clear_all()
    assert dirty.count() == 0


def test_extents_of_records_are_marked_in_their_volumes() -> None:
    dirty = new_map()
    dirty.mark_extents([(0, 0, 1), (1, BLOCK_BYTES, 2 * BLOCK_BYTES)])
    assert (dirty.bits[0].count(), list(dirty.runs(1, 0, 9))) == (1, [(1, 2)])


def test_merging_adds_and_never_takes_away() -> None:
    """The other side's bits come in pages; what lies beyond the volume is padding."""
    dirty = new_map()
    dirty.mark(1, 0, 1)
    dirty.merge(1, 8, bitarray("0111", endian="little"))
    assert [block for block, bit in enumerate(dirty.bits[1]) if bit] == [0, 9]


async def test_marks_are_there_after_a_restart(file: BlockFile) -> None:
    dirty = await stored(file)
    for block in (0, BITS_PER_PAGE - 1, BITS_PER_PAGE, block_count(LARGE_BYTES) - 1):
        dirty.mark(0, block * BLOCK_BYTES, 1)
    dirty.mark(1, SMALL_BYTES - 1, 1)
    await dirty.write_pages(file)
    found, damage = await loaded(file)
    assert (found.bits, damage) == (dirty.bits, [])


async def test_a_cleared_bit_stays_cleared_after_a_restart(file: BlockFile) -> None:
    dirty = await stored(file)
    dirty.mark_all()
    await dirty.write_pages(file)
    dirty.clear(0, 0, LARGE_BYTES)
    await dirty.write_pages(file)
    found, _ = await loaded(file)
    assert (found.bits[0].any(), found.bits[1].all()) == (False, True)


@pytest.mark.parametrize("page", range(4))
async def test_a_page_that_cannot_be_read_counts_as_all_ones(file: BlockFile, page: int) -> None:
    """And only that page: the others say what they say."""
    await stored(file)
    await file.write_at([Write(page * PAGE_BYTES + 100, (b"\xff",))], True)
    found, damage = await loaded(file)
    pages = [
        found.bits[0][index * BITS_PER_PAGE : (index + 1) * BITS_PER_PAGE] for index in range(3)
    ]
    full = [bits.all() for bits in (*pages, found.bits[1])]
    empty = [not bits.any() for bits in (*pages, found.bits[1])]
    assert full == [index == page for index in range(4)]
    assert empty == [index != page for index in range(4)]
    assert len(damage) == 1


async def test_a_damaged_page_is_whole_again_after_the_next_write(file: BlockFile) -> None:
    await stored(file)
    await file.write_at([Write(PAGE_BYTES, (bytes(PAGE_BYTES),))], True)
    found, _ = await loaded(file)
    await found.write_pages(file)
    again, damage = await loaded(file)
    assert (again.bits, damage) == (found.bits, [])


async def test_only_pages_that_changed_are_written(file: BlockFile) -> None:
    dirty = await stored(file)
    before = await file.read_at(0, FILE_BYTES)
    dirty.mark(0, BITS_PER_PAGE * BLOCK_BYTES, 1)
    await dirty.write_pages(file)
    after = await file.read_at(0, FILE_BYTES)
    changed = {
        at // PAGE_BYTES
        for at, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new
    }
    assert changed == {1}


async def test_a_page_of_another_volume_is_not_taken(file: BlockFile) -> None:
    await stored(file)
    page = await file.read_at(0, PAGE_BYTES)
    await file.write_at([Write(3 * PAGE_BYTES, (page,))], True)
    found, damage = await loaded(file)
    assert found.bits[1].all()
    assert "small" in damage[0]


def test_pages_that_the_disk_did_not_take_are_written_again() -> None:
    """Otherwise the log space behind them would be given up for bits that are nowhere."""

    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        await files.create("/log", FILE_BYTES)
        async with await files.open("/log") as file:
            dirty = await stored(file)
            dirty.mark(1, 0, 1)
            disk.fail_at(1, FaultKind.EIO, operation="write")
            with pytest.raises(StorageError):
                await dirty.write_pages(file)
        async with await files.open("/log") as file:
            await dirty.write_pages(file)
            found, _ = await loaded(file)
            assert found.bits == dirty.bits

    run_simulated(lambda loop: main(SimDisk(loop, "a")))
