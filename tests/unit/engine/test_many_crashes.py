"""Crashes without end: the superblock's lists are bounded, the number of restarts is not."""

from __future__ import annotations

from functools import partial

import attrs
import pytest

from srshell.engine.lead import Lead
from srshell.engine.recovery import SEGMENTS_MAX
from tests.unit.engine.sides import BLOCK, LIMITS, VOLUME, VOLUME_BYTES, Side, Sides, on_sides

CRASHES = 100
#: No checkpoint comes by itself: every life is shorter than the time between two of them.
SHORT_LIVES = attrs.evolve(LIMITS, checkpoint_seconds=1e6)
LOG_BYTES = 1 << 20


def place(number: int) -> int:
    return number * BLOCK % VOLUME_BYTES


def content(number: int) -> bytes:
    return bytes([number % 255 + 1]) * BLOCK


async def last_written(side: Side, count: int) -> None:
    """Read back every block that the last writes left."""
    for number in range(max(0, count - VOLUME_BYTES // BLOCK), count):
        assert await side.read(place(number), BLOCK) == content(number)


def linked_anew(side: Side, before: Lead) -> bool:
    return side.replica.peer_link.lead not in {None, before}


@pytest.mark.parametrize("power_cut", [False, True])
def test_a_primary_alone_survives_a_hundred_crashes_each_right_after_a_write(
    power_cut: bool,
) -> None:
    async def test(pair: Sides) -> None:
        await pair.a.format(log_bytes=LOG_BYTES)
        await pair.a.open()
        for number in range(CRASHES):
            await pair.a.write(place(number), content(number))
            pair.a.kill()
            if power_cut:
                pair.a.disk.power_cut()
            await pair.a.open()
        assert pair.a.report.durable_lsn == CRASHES
        await last_written(pair.a, CRASHES)

    on_sides(test, limits=SHORT_LIVES)


def test_a_pair_in_sync_survives_a_hundred_crashes_of_its_primary() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(CRASHES):
            assert await pair.a.write(place(number), content(number)) == number + 1
            await pair.a.restart()
            await pair.in_sync()
        await last_written(pair.a, CRASHES)
        await pair.a.settle()
        await pair.until(lambda: pair.b.report.applied_lsn == CRASHES)
        assert pair.a.volume == pair.b.volume

    on_sides(test, limits=SHORT_LIVES)


def test_a_pair_in_sync_survives_a_hundred_crashes_of_its_secondary() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(CRASHES):
            assert await pair.a.write(place(number), content(number)) == number + 1
            await pair.b.restart()
            await pair.in_sync()
        await pair.a.settle()
        await pair.until(lambda: pair.b.report.applied_lsn == CRASHES)
        assert pair.a.volume == pair.b.volume

    on_sides(test, limits=SHORT_LIVES)


def test_a_pair_in_sync_survives_a_hundred_short_breaks_of_its_link() -> None:
    """Each handshake begins a segment at the secondary, too."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(CRASHES):
            assert await pair.a.write(place(number), content(number)) == number + 1
            lead = pair.a.replica.peer_link.lead
            assert lead is not None
            lead.link.close()
            await pair.until(partial(linked_anew, pair.a, lead))
            await pair.in_sync()
        await last_written(pair.a, CRASHES)

    on_sides(test, limits=SHORT_LIVES)


async def fill_list_of_segments(side: Side) -> None:
    """Let the superblock list as many segments as it can, the last of them without a record."""
    for number in range(SEGMENTS_MAX - 1):
        await side.write(place(number), content(number))
        await side.restart()
    assert len(side.core.superblock.segments) == SEGMENTS_MAX


def test_a_full_list_of_segments_is_checkpointed_before_the_log_grows() -> None:
    async def test(pair: Sides) -> None:
        await pair.a.format(log_bytes=LOG_BYTES)
        await pair.a.open()
        await fill_list_of_segments(pair.a)
        assert pair.a.report.checkpoint_lsn == 0
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x"))
        await pair.until(writing.done)
        assert pair.a.report.checkpoint_lsn == SEGMENTS_MAX - 1
        assert len(pair.a.core.superblock.segments) < SEGMENTS_MAX

    on_sides(test, limits=SHORT_LIVES)


def test_a_crash_may_meet_a_full_list_of_segments() -> None:
    """The last one holds nothing, so the next opening takes its place."""

    async def test(pair: Sides) -> None:
        await pair.a.format(log_bytes=LOG_BYTES)
        await pair.a.open()
        await fill_list_of_segments(pair.a)
        for _ in range(3):
            await pair.a.restart()
        assert len(pair.a.core.superblock.segments) == SEGMENTS_MAX
        await last_written(pair.a, SEGMENTS_MAX - 1)

    on_sides(test, limits=SHORT_LIVES)


def test_a_crashed_primary_takes_its_peers_tail_though_its_list_of_segments_is_full() -> None:
    """What both sides hold goes to the volumes first, so that the list can be shortened."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"both")
        pair.a.disk.hang()
        pair.a.begin(pair.a.replica.write(VOLUME, BLOCK, b"only B"))
        await pair.until(lambda: pair.b.report.durable_lsn == 2)
        pair.cut()
        pair.a.kill()
        pair.a.disk.resume()
        pair.a.disk.power_cut()
        await pair.a.open()
        assert pair.a.report.durable_lsn == 1
        superblocks = pair.a.core.superblocks
        first, *others = superblocks.current.segments
        crowd = (first,) * (SEGMENTS_MAX - len(others)) + tuple(others)
        superblocks.current = attrs.evolve(superblocks.current, segments=crowd)
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.durable_lsn == 2
        assert len(pair.a.core.superblock.segments) <= 2
        assert await pair.a.read(BLOCK, 6) == b"only B"

    on_sides(test, limits=SHORT_LIVES)
