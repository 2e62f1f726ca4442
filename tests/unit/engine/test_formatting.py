"""A log volume is made ready once, and never over somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import pytest

from srshell.codec.bitmap_page import BITS_PER_PAGE
from srshell.codec.map_page import PAGE_BYTES
from srshell.codec.superblock import CLEARED
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.formatting import format_log, lay_out, wipe_log
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES, read_superblock
from srshell.model.errors import SrError
from srshell.model.replica import VOLUMES_MAX, ReplicaData, ReplicaVolume, Superblock
from srshell.simulation import FaultKind, run_simulated
from srshell.storage import StorageError
from tests.unit.engine import sides
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    LOG_BYTES,
    RING_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
    spec,
)

RING_BYTES_MIN = LIMITS.ring_bytes_min


def on_a_side(test: Callable[[Side], Coroutine[Any, Any, None]]) -> None:
    """Run a test on one side with an empty log volume."""

    async def main(pair: sides.Sides) -> None:
        disk = pair.a.world.log_disk
        await disk.create(log_path("A"), LOG_BYTES)
        await test(pair.a)

    run_simulated(lambda loop: main(sides.Sides(loop, LIMITS)))


async def superblock_of(side: Side) -> Superblock | None:
    async with await side.world.log_disk.open(log_path(side.name)) as file:
        return await read_superblock(file)


def test_slots_bitmaps_checksums_and_ring_follow_each_other() -> None:
    blocks = BITS_PER_PAGE + 1
    volumes = (
        ReplicaVolume("two pages", "/x", blocks * 4096, 4096),
        ReplicaVolume("one page", "/y", 4096, 512),
    )
    layout = lay_out(spec("A", volumes=volumes, log_bytes=1 << 20), RING_BYTES_MIN)
    first, second = layout.volumes
    assert (first.bitmap_offset, first.bitmap_pages) == (SUPERBLOCK_AREA_BYTES, 2)
    assert (second.bitmap_offset, second.bitmap_pages) == (SUPERBLOCK_AREA_BYTES + 8192, 1)
    assert (first.checksum_offset, first.checksum_pages) == (SUPERBLOCK_AREA_BYTES + 3 * 4096, 33)
    assert (second.checksum_offset, second.checksum_pages) == (
        first.checksum_offset + 33 * PAGE_BYTES,
        1,
    )
    assert layout.ring_offset == SUPERBLOCK_AREA_BYTES + (3 + 34) * PAGE_BYTES
    assert layout.ring_bytes == (1 << 20) - layout.ring_offset


def test_the_ring_ends_on_a_sector() -> None:
    layout = lay_out(spec("A", log_bytes=LOG_BYTES + 4095), RING_BYTES_MIN)
    assert layout.ring_bytes == RING_BYTES


def test_a_log_volume_too_small_for_the_ring_is_refused() -> None:
    log_bytes = LOG_BYTES - RING_BYTES + RING_BYTES_MIN - PAGE_BYTES
    lay_out(spec("A", log_bytes=log_bytes), RING_BYTES_MIN)
    with pytest.raises(SrError, match="SR2004"):
        lay_out(spec("A", log_bytes=log_bytes - 1), RING_BYTES_MIN)


def test_where_the_checksum_map_leaves_too_small_a_ring_there_is_none() -> None:
    """Replication matters more; a verification then cannot say which side is wrong."""
    log_bytes = LOG_BYTES - RING_BYTES + RING_BYTES_MIN
    (with_map,) = lay_out(spec("A", log_bytes=log_bytes), RING_BYTES_MIN).volumes
    (without,) = lay_out(spec("A", log_bytes=log_bytes - 1), RING_BYTES_MIN).volumes
    assert (with_map.checksum_pages, without.checksum_pages) == (1, 0)
    assert (with_map.bitmap_offset, with_map.bitmap_pages) == (
        without.bitmap_offset,
        without.bitmap_pages,
    )


def test_a_new_primary_leads_alone_and_its_peer_lacks_everything() -> None:
    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        found = await superblock_of(side)
        assert found is not None
        assert (found.data, found.alone, found.full_copy) == (ReplicaData.CONSISTENT, True, True)
        assert [era.start_lsn for era in found.history] == [0]
        dirty = DirtyMap(found.partnership, found.volumes)
        async with await side.world.log_disk.open(log_path("A")) as file:
            assert await dirty.load(file) == []
        assert dirty.bits[0].all()

    on_a_side(test)


def test_a_new_secondary_is_blank_and_has_no_history() -> None:
    async def test(side: Side) -> None:
        await format_log(attrs.evolve(spec("B"), log_path=log_path("A")), side.world)
        found = await superblock_of(side)
        assert found is not None
        assert (found.data, found.alone, found.history) == (ReplicaData.BLANK, False, ())
        dirty = DirtyMap(found.partnership, found.volumes)
        async with await side.world.log_disk.open(log_path("A")) as file:
            assert await dirty.load(file) == []
        assert not dirty.any()

    on_a_side(test)


def test_the_whole_ring_is_written_once() -> None:
    """A log with holes would pay for its allocation at each commit."""

    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        async with await side.world.log_disk.open(log_path("A")) as file:
            start = SUPERBLOCK_AREA_BYTES
            assert await file.data_ranges(start, LOG_BYTES - start) == [(start, LOG_BYTES - start)]

    on_a_side(test)


def test_doing_it_again_for_the_same_replica_changes_nothing() -> None:
    """A command that was interrupted is repeated."""

    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        before = side.disk.image(log_path("A")).read(0, LOG_BYTES)
        await format_log(spec("A"), side.world)
        assert side.disk.image(log_path("A")).read(0, LOG_BYTES) == before

    on_a_side(test)


@pytest.mark.parametrize("change", [{"partnership": "dd" * 16}, {"replica": "ee" * 16}])
def test_the_log_of_another_group_is_never_overwritten(change: dict[str, str]) -> None:
    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        before = side.disk.image(log_path("A")).read(0, LOG_BYTES)
        with pytest.raises(SrError, match="SR3008"):
            await format_log(spec("A", **change), side.world)
        assert side.disk.image(log_path("A")).read(0, LOG_BYTES) == before

    on_a_side(test)


def test_a_log_that_cannot_be_read_is_not_taken_for_a_blank_one() -> None:
    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        side.damage(log_path("A"), SUPERBLOCK_AREA_BYTES // 4 + 100)
        with pytest.raises(SrError, match="SR9210"):
            await format_log(spec("A"), side.world)

    on_a_side(test)


@pytest.mark.parametrize("count", range(1, 4))
def test_a_log_that_was_formatted_half_way_is_still_blank(count: int) -> None:
    """The superblock comes last: what failed before can simply be done again."""

    async def test(side: Side) -> None:
        side.disk.fail_at(count, FaultKind.EIO, operation="sync")
        with pytest.raises(StorageError):
            await format_log(spec("A"), side.world)
        if count < 3:
            assert await superblock_of(side) is None
        side.disk.heal()
        await format_log(spec("A"), side.world)
        assert await superblock_of(side) is not None

    on_a_side(test)


def test_a_wiped_log_is_blank_again() -> None:
    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        async with await side.world.log_disk.open(log_path("A")) as file:
            await wipe_log(file)
        assert await superblock_of(side) is None
        await format_log(spec("A", partnership="dd" * 16), side.world)

    on_a_side(test)


@pytest.mark.parametrize(
    "volumes",
    [
        [(f"n{number}", f"/{number}{'x' * 4000}/n{number}") for number in range(3)],
        [(f"volume-{number}", f"/pools/volume-{number}") for number in range(VOLUMES_MAX + 1)],
    ],
    ids=["long paths", "many volumes"],
)
def test_a_group_that_would_outgrow_its_superblock_is_refused_before_anything_is_written(
    volumes: list[tuple[str, str]],
) -> None:
    """Otherwise it would fail years later, in the middle of a role change."""

    async def test(pair: Sides) -> None:
        disk = pair.a.world.log_disk
        await disk.create(log_path("A"), 2 << 20)
        many = tuple(ReplicaVolume(name, path, BLOCK, BLOCK) for name, path in volumes)
        with pytest.raises(SrError, match="SR2016"):
            await format_log(spec("A", volumes=many, log_bytes=2 << 20), pair.a.world)
        assert not any(pair.a.disk.image(log_path("A")).read(0, 2 << 20))

    on_sides(test)


def test_a_group_of_as_many_volumes_as_it_can_have_is_made() -> None:
    async def test(pair: Sides) -> None:
        disk = pair.a.world.log_disk
        await disk.create(log_path("A"), 2 << 20)
        many = tuple(
            ReplicaVolume(f"volume-{n:02}", f"/a/pool/of/usual/length/volume-{n:02}", BLOCK, BLOCK)
            for n in range(VOLUMES_MAX)
        )
        await format_log(spec("A", volumes=many, log_bytes=2 << 20), pair.a.world)
        found = await superblock_of(pair.a)
        assert found is not None
        assert [(v.name, v.path) for v in found.volumes] == [(v.name, v.path) for v in many]

    on_sides(test)


def test_half_of_an_older_superblock_is_gone_before_the_new_one_is_written() -> None:
    """It would stand behind the mark of the new one."""

    async def test(side: Side) -> None:
        await format_log(spec("A"), side.world)
        image = side.disk.image(log_path("A"))
        slot_bytes = SUPERBLOCK_AREA_BYTES // 4
        half = CLEARED + image.read(slot_bytes, slot_bytes)[4:512]
        image.write(slot_bytes, bytes(slot_bytes))
        image.write(3 * slot_bytes, half)
        await format_log(spec("A"), side.world)
        assert not any(image.read(3 * slot_bytes, slot_bytes))
        assert any(image.read(slot_bytes, slot_bytes))

    on_a_side(test)
