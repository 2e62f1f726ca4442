"""A replica opened after whatever happened: a tear is an end, damage is never shortened."""

from __future__ import annotations

import random

import attrs
import pytest

from srshell.engine.recovery import SEGMENTS_MAX, new_segment, read_log, with_segment
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData, ReplicaRole
from srshell.replication.source import Phase
from srshell.storage import AlreadyLocked
from tests.unit.codec.samples import SUPERBLOCK
from tests.unit.engine.sides import (
    BLOCK,
    VOLUME,
    VOLUME_BYTES,
    Sides,
    log_path,
    on_sides,
    volume_path,
    write_some,
)


@pytest.mark.parametrize("seed", range(5))
def test_everything_acknowledged_is_there_after_a_kill(seed: int) -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        await pair.a.restart()
        for number in range(3):
            data = await pair.a.read(number * BLOCK, BLOCK)
            assert data == bytes([number + 1]) * BLOCK

    on_sides(test, seed)


@pytest.mark.parametrize("seed", range(5))
def test_everything_acknowledged_is_there_after_a_power_cut(seed: int) -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        pair.a.kill()
        pair.a.disk.power_cut()
        await pair.a.open()
        assert await pair.a.read(2 * BLOCK, 2) == b"\3\3"
        assert pair.a.report.durable_lsn == 3

    on_sides(test, seed)


def test_a_blank_log_opens_nothing() -> None:
    async def test(pair: Sides) -> None:
        await pair.a.world.log_disk.create(log_path("A"), 1 << 20)
        with pytest.raises(SrError, match="SR9210"):
            await pair.a.open()

    on_sides(test)


@pytest.mark.parametrize(("partnership", "array"), [("dd" * 16, ""), ("", "C")])
def test_the_log_of_somebody_else_is_not_opened(partnership: str, array: str) -> None:
    """Two log files were exchanged: neither may be served as the other."""

    async def test(pair: Sides) -> None:
        await pair.a.format()
        with pytest.raises(SrError, match="SR9210"):
            await Replica.open(log_path("A"), pair.a.world, partnership, array)

    on_sides(test)


def test_log_and_volumes_are_free_again_when_opening_failed() -> None:
    async def test(pair: Sides) -> None:
        await pair.a.format()
        disk = pair.a.world.data_disk
        await disk.remove(volume_path("A"))
        await disk.create(volume_path("A"), VOLUME_BYTES - BLOCK)
        with pytest.raises(SrError, match="SR9222"):
            await pair.a.open()
        for path in (log_path("A"), volume_path("A")):
            async with await disk.open(path):
                pass

    on_sides(test)


def test_a_log_in_use_is_not_read() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        with pytest.raises(AlreadyLocked):
            await read_log(log_path("A"), pair.a.world.log_disk)

    on_sides(test)


def test_reading_a_dead_side_tells_what_it_held_and_changes_nothing() -> None:
    """The evidence before an unplanned failover: the loss is exact."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        pair.a.kill()
        image = pair.a.disk.image(log_path("A"))
        before = image.read(0, SUPERBLOCK_AREA_BYTES)
        log = await read_log(log_path("A"), pair.a.world.log_disk)
        assert (log.tail_lsn, log.acked_alone_lsn) == (3, 3)
        assert [record.lsn for record in log.records] == [1, 2, 3]
        assert image.read(0, SUPERBLOCK_AREA_BYTES) == before

    on_sides(test)


def test_a_primary_that_never_met_its_peer_goes_on_where_it_was() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        await pair.a.restart()
        assert pair.a.source.phase is Phase.ALONE
        assert not pair.a.report.unclean
        assert await pair.a.write(0, b"more") == 4

    on_sides(test)


@pytest.mark.parametrize("orderly", [True, False])
def test_a_primary_that_met_its_peer_is_read_only_until_somebody_says_that_it_leads(
    orderly: bool,
) -> None:
    """Meanwhile the other side may have been promoted."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await write_some(pair.a)
        pair.cut()
        if orderly:
            await pair.a.close()
        await pair.a.restart()
        report = pair.a.report
        assert (report.unclean, report.writable) == (True, False)
        assert "handshake" in report.waiting_on
        for refused in (pair.a.write(0, b"x"), pair.a.read(0, 1)):
            with pytest.raises(SrError, match="SR9224"):
                await refused

    on_sides(test)


def test_a_primary_that_restarts_leads_again_once_its_peer_agrees() -> None:
    """In a new epoch: in the old one the peer may hold records that the crash lost here."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await write_some(pair.a)
        await pair.a.restart()
        await pair.in_sync()
        assert (pair.a.report.epoch, pair.b.report.epoch) == (2, 2)
        assert await pair.a.read(BLOCK, 2) == b"\2\2"

    on_sides(test)


def test_a_secondary_applies_nothing_by_itself_after_a_restart() -> None:
    """What the primary has not reported as committed may still be rolled back."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await write_some(pair.a)
        await pair.until(lambda: pair.b.report.durable_lsn == 3)
        pair.cut()
        await pair.b.restart()
        report = pair.b.report
        assert (report.role, report.durable_lsn) == (ReplicaRole.SECONDARY, 3)
        assert report.applied_lsn == report.checkpoint_lsn
        await pair.pass_time(1.0)
        assert pair.b.report.applied_lsn == report.applied_lsn

    on_sides(test)


def test_each_opening_begins_a_segment_with_a_salt_of_its_own() -> None:
    """Frames that a crash left behind the new end are never taken for new ones."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"1")
        salts = {segment.salt for segment in pair.a.core.superblock.segments}
        await pair.a.restart()
        await pair.a.write(0, b"2")
        segments = pair.a.core.superblock.segments
        assert [segment.first_lsn for segment in segments] == [1, 2]
        assert segments[1].salt not in salts
        await pair.a.restart()
        assert pair.a.report.durable_lsn == 2

    on_sides(test)


def test_a_segment_in_which_nothing_was_written_is_replaced() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"1")
        for _ in range(4):
            await pair.a.restart()
        assert [s.first_lsn for s in pair.a.core.superblock.segments] == [1, 2]

    on_sides(test)


def test_a_full_list_of_segments_is_refused() -> None:
    randomness = random.Random(1)
    segments = tuple(
        new_segment(lsn, lsn * BLOCK, randomness) for lsn in range(1, SEGMENTS_MAX + 1)
    )
    full = attrs.evolve(SUPERBLOCK, segments=segments)
    with pytest.raises(SrError, match="SR9211"):
        with_segment(full, new_segment(SEGMENTS_MAX + 1, 0, randomness))
    replaced = with_segment(full, new_segment(SEGMENTS_MAX, 0, randomness))
    assert len(replaced.segments) == SEGMENTS_MAX


def test_a_checkpoint_drops_the_segments_that_it_has_passed() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(3):
            await pair.a.write(0, bytes([number]) * BLOCK)
            await pair.b.restart()
            await pair.in_sync()
        await pair.b.settle()
        assert len(pair.b.core.superblock.segments) == 1

    on_sides(test)


def test_a_side_that_failed_stays_failed_after_a_restart() -> None:
    """What a disk lost once cannot be trusted because the process is new."""

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.core.fail("the device is worn out")
        await pair.until(lambda: pair.a.core.superblock.data is ReplicaData.FAILED)
        await pair.a.restart()
        assert (pair.a.report.data, pair.a.report.writable) == (ReplicaData.FAILED, False)
        assert "worn out" in pair.a.report.failure
        with pytest.raises(SrError, match="SR9220"):
            await pair.a.do(pair.a.replica.write(VOLUME, 0, b"x"))

    on_sides(test)


def test_a_damaged_bitmap_page_counts_as_changed_and_is_told() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.settle()
        pair.a.kill()
        pair.a.damage(log_path("A"), SUPERBLOCK_AREA_BYTES + 100)
        await pair.a.open()
        assert pair.a.core.dirty.bits[0].all()

    on_sides(test)


@pytest.mark.parametrize("orderly", [True, False])
def test_a_log_can_be_opened_any_number_of_times_while_the_peer_is_away(orderly: bool) -> None:
    """Each opening adds a segment to a list that is bounded; the oldest become marked blocks."""

    async def test(pair: Sides) -> None:
        await pair.a.format(log_bytes=1 << 20)
        await pair.a.open()
        for number in range(SEGMENTS_MAX + 8):
            await pair.a.write(number * BLOCK, bytes([number + 1]) * BLOCK)
            await pair.a.settle()
            if orderly:
                await pair.a.close()
            await pair.a.restart()
        assert pair.a.report.durable_lsn == SEGMENTS_MAX + 8
        assert len(pair.a.core.superblock.segments) < SEGMENTS_MAX
        await pair.b.format(log_bytes=1 << 20)
        await pair.b.open()
        await pair.start()
        await pair.in_sync()
        await pair.b.settle()
        assert pair.b.volume == pair.a.volume

    on_sides(test)
