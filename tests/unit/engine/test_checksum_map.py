"""What each block should hold: durable behind its content, unknown rather than wrong."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import pytest

from srshell.codec.checksum_page import (
    BLOCK_BYTES,
    CHECKSUMS_PER_PAGE,
    UNKNOWN,
    block_checksum,
    checksum_page_count,
)
from srshell.codec.map_page import PAGE_BYTES
from srshell.engine import checksum_map
from srshell.engine.checksum_map import ChecksumMap
from srshell.model.replica import VolumeLayout
from srshell.simulation import FaultKind, Operation, SimDisk, run_simulated
from srshell.storage import BlockFile, Disk, StorageError, Write

PARTNERSHIP = "ab" * 16
#: Two pages and a half, the last block cut short.
LARGE_BYTES = (CHECKSUMS_PER_PAGE * 5 // 2) * BLOCK_BYTES + 512
LARGE_BLOCKS = CHECKSUMS_PER_PAGE * 5 // 2 + 1
PAGES = checksum_page_count(LARGE_BYTES)
LAYOUTS = (
    VolumeLayout("large", "/large", LARGE_BYTES, 512, 0, 0, 4096, PAGES),
    VolumeLayout("small", "/small", 10 * BLOCK_BYTES, 4096, 0, 0, 4096 + PAGES * PAGE_BYTES, 1),
)
FILE_BYTES = (2 + PAGES) * PAGE_BYTES
ZEROS = block_checksum(bytes(BLOCK_BYTES))


def on_a_log(test: Callable[[BlockFile, SimDisk], Coroutine[Any, Any, None]]) -> None:
    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        await files.create("/log", FILE_BYTES)
        async with await files.open("/log") as file:
            await test(file, disk)

    run_simulated(lambda loop: main(SimDisk(loop, "a")))


async def nothing() -> None:
    """Nothing has to be synced here."""


async def write(checksums: ChecksumMap) -> None:
    await checksums.write_synced(nothing)


async def found(file: BlockFile, volume: int, blocks: list[int]) -> tuple[list[int], list[str]]:
    """What a map that was just opened knows, and what it calls damaged."""
    fresh, damage = ChecksumMap(PARTNERSHIP, LAYOUTS, file), list[str]()
    fresh.on_damage = damage.append
    await fresh.load(volume, blocks)
    return [fresh.get(volume, block) for block in blocks], damage


def test_what_was_recorded_is_there_after_a_restart() -> None:
    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        blocks = [0, CHECKSUMS_PER_PAGE - 1, CHECKSUMS_PER_PAGE, LARGE_BLOCKS - 1]
        await checksums.load(0, blocks)
        for block in blocks:
            checksums.put(0, block, block + 7)
        await write(checksums)
        assert await found(file, 0, [*blocks, 1]) == ([*(b + 7 for b in blocks), UNKNOWN], [])
        assert await found(file, 1, [0]) == ([UNKNOWN], [])

    on_a_log(test)


def test_a_range_of_zeros_is_recorded_to_the_short_last_block() -> None:
    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(0, range(LARGE_BLOCKS))
        checksums.put_zeros(0, 5, 5)
        checksums.put_zeros(0, 9, LARGE_BLOCKS)
        await write(checksums)
        known, _damage = await found(file, 0, list(range(LARGE_BLOCKS)))
        assert known[:9] == [UNKNOWN] * 9
        assert set(known[9:-1]) == {ZEROS}
        assert known[-1] == block_checksum(bytes(512))
        assert checksums.block_bytes(0, LARGE_BLOCKS - 1) == 512

    on_a_log(test)


def test_forgotten_blocks_are_unknown_durably() -> None:
    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(1, range(10))
        checksums.put_zeros(1, 0, 10)
        await write(checksums)
        await checksums.forget(1, BLOCK_BYTES - 1, 2)
        await write(checksums)
        assert await found(file, 1, [0, 1, 2]) == ([UNKNOWN, UNKNOWN, ZEROS], [])

    on_a_log(test)


@pytest.mark.parametrize("way", ["put", "put_all", "put_run", "put_zeros", "forget"])
@pytest.mark.parametrize("zeros", [False, True])
def test_pages_that_are_alike_are_changed_one_by_one(way: str, zeros: bool) -> None:
    """Blank pages share one table, and pages of zeros another one; a change stays in its page."""

    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        blocks = 2 * CHECKSUMS_PER_PAGE
        await checksums.load(0, range(blocks))
        if zeros:
            checksums.put_zeros(0, 0, blocks)
        expected = [ZEROS if zeros else UNKNOWN] * blocks
        expected[3] = {"put_zeros": ZEROS, "forget": UNKNOWN}.get(way, 5)
        match way:
            case "put":
                checksums.put(0, 3, 5)
            case "put_all":
                checksums.put_all(0, {3: 5})
            case "put_run":
                checksums.put_run(0, 3, [5])
            case "put_zeros":
                checksums.put_zeros(0, 3, 4)
            case _:
                await checksums.forget(0, 3 * BLOCK_BYTES, 1)
        assert list(checksums.get_run(0, 0, blocks)) == expected
        checksums.put_zeros(0, CHECKSUMS_PER_PAGE, blocks)
        assert list(checksums.get_run(0, blocks // 2, blocks)) == [ZEROS] * (blocks // 2)
        fresh = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await fresh.load(0, range(blocks))
        assert not any(fresh.get_run(0, 0, blocks))
        await write(checksums)
        assert (await found(file, 0, list(range(10))))[0] == expected[:10]

    on_a_log(test)


def test_all_that_a_log_holds_is_forgotten_at_once() -> None:
    """Single blocks and long ranges, of both volumes; the last block is a short one."""

    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(0, range(LARGE_BLOCKS))
        await checksums.load(1, range(10))
        checksums.put_zeros(0, 0, LARGE_BLOCKS)
        checksums.put_zeros(1, 0, 10)
        first, end = CHECKSUMS_PER_PAGE - 2, 2 * CHECKSUMS_PER_PAGE + 3
        long = (0, first * BLOCK_BYTES, (end - first) * BLOCK_BYTES)
        last = (0, LARGE_BYTES - 512, 512)
        await checksums.forget_all([(1, 3 * BLOCK_BYTES, 4096), long, (0, 5, 10), last])
        await write(checksums)
        known = (await found(file, 0, list(range(LARGE_BLOCKS))))[0]
        gone = {0, *range(first, end), LARGE_BLOCKS - 1}
        assert {block for block, one in enumerate(known) if one == UNKNOWN} == gone
        assert (await found(file, 1, [2, 3, 4]))[0] == [ZEROS, UNKNOWN, ZEROS]

    on_a_log(test)


def test_a_damaged_page_knows_nothing_says_so_and_is_written_anew() -> None:
    """A torn page raises no alarm about blocks, but is not passed over in silence."""

    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(0, range(LARGE_BLOCKS))
        checksums.put_zeros(0, 0, LARGE_BLOCKS)
        await write(checksums)
        await file.write_at([Write(4096 + PAGE_BYTES + 300, (b"\x55",))], True)
        fresh, damage = ChecksumMap(PARTNERSHIP, LAYOUTS, file), list[str]()
        fresh.on_damage = damage.append
        await fresh.load(0, range(LARGE_BLOCKS))
        known = [fresh.get(0, block // BLOCK_BYTES) for block in (0,)]
        assert known == [ZEROS]
        assert fresh.get(0, CHECKSUMS_PER_PAGE) == UNKNOWN
        assert fresh.get(0, 2 * CHECKSUMS_PER_PAGE) == ZEROS
        assert len(damage) == 1
        assert "page 1 of large" in damage[0]
        await write(fresh)
        assert (await found(file, 0, [CHECKSUMS_PER_PAGE])) == ([UNKNOWN], [])

    on_a_log(test)


def test_pages_are_made_before_the_volumes_are_synced() -> None:
    """What is recorded while the sync runs may name content that it does not cover."""

    async def test(file: BlockFile, disk: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(1, range(2))
        checksums.put(1, 0, 11)
        seen: list[str] = []

        async def sync() -> None:
            seen.append("volumes")
            checksums.put(1, 1, 12)

        def note(operation: Operation) -> None:
            seen.append(operation.name)

        disk.after = note
        await checksums.write_synced(sync)
        disk.after = None
        assert seen == ["volumes", "write", "sync"]
        assert await found(file, 1, [0, 1]) == ([11, UNKNOWN], [])
        await write(checksums)
        assert await found(file, 1, [0, 1]) == ([11, 12], [])

    on_a_log(test)


@pytest.mark.parametrize("where", ["volumes", "log"])
def test_pages_that_did_not_become_durable_are_written_again(where: str) -> None:
    async def test(file: BlockFile, disk: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(1, [3])
        checksums.put(1, 3, 11)

        async def sync() -> None:
            if where == "volumes":
                raise StorageError("sync", "/small", "EIO")
            disk.fail_at(1, FaultKind.EIO, operation="write")

        with pytest.raises(StorageError):
            await checksums.write_synced(sync)
        disk.heal()
        async with await Disk(disk, None).open("/log", lock=False) as again:
            checksums._file = again
            await write(checksums)
            assert await found(again, 1, [3]) == ([11], [])

    on_a_log(test)


def test_pages_that_disk_holds_leave_memory_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksum_map, "_PAGES_KEPT_MAX", 1)

    async def test(file: BlockFile, _: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        await checksums.load(0, range(LARGE_BLOCKS))
        checksums.put_zeros(0, 0, LARGE_BLOCKS)
        await write(checksums)
        assert len(checksums._pages) == 1
        checksums_seen = []
        for page in range(PAGES):
            await checksums.load(0, [page * CHECKSUMS_PER_PAGE])
            checksums_seen.append(checksums.get(0, page * CHECKSUMS_PER_PAGE))
        assert checksums_seen == [ZEROS] * PAGES

    on_a_log(test)


def test_neighbouring_pages_are_read_by_one_call_and_once() -> None:
    async def test(file: BlockFile, disk: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, LAYOUTS, file)
        before = disk.operations
        await checksums.load(0, range(LARGE_BLOCKS))
        await checksums.load(0, range(LARGE_BLOCKS))
        assert disk.operations == before + 1

    on_a_log(test)


def test_without_a_map_nothing_is_known_and_nothing_is_read() -> None:
    """A log of an earlier layout, or one that had no room."""
    layouts = tuple(attrs.evolve(layout, checksum_pages=0) for layout in LAYOUTS)

    async def test(file: BlockFile, disk: SimDisk) -> None:
        checksums = ChecksumMap(PARTNERSHIP, layouts, file)
        before = disk.operations
        await checksums.load(0, [0])
        checksums.put(0, 0, 5)
        checksums.put_zeros(0, 0, 2)
        await checksums.forget(0, 0, 1)
        await write(checksums)
        assert (checksums.keeps(0), checksums.get(0, 0)) == (False, UNKNOWN)
        assert disk.operations == before

    on_a_log(test)
