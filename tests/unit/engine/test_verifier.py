"""Verification finds what rotted, says which side is wrong, and mends only what is proven."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import attrs
import pytest

from srshell.codec.checksum_page import UNKNOWN
from srshell.codec.log_frame import HEADER_BYTES
from srshell.codec.map_page import PAGE_BYTES
from srshell.codec.superblock import SLOT_BYTES
from srshell.engine import destage
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.errors import SrError
from srshell.model.verification import Compared, VerifyOrder
from srshell.replication.judge import Wrong
from srshell.simulation import FaultKind
from tests.unit.engine.sides import (
    BLOCK,
    CHECKSUM_OFFSET,
    RING_OFFSET,
    VOLUME,
    VOLUME_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
)

BLOCKS = VOLUME_BYTES // BLOCK
REPAIR = VerifyOrder(repair=True)
#: What stands in the block that rots, in the tests of sides.
PLACE = 5 * BLOCK


async def written(pair: Sides, blocks: int = 12) -> None:
    """Both sides in sync, with blocks that were written while they were."""
    await pair.sync()
    for block in range(blocks):
        await pair.a.write(block * BLOCK, bytes([block + 1]) * BLOCK)
    await pair.a.settle()
    await pair.until(lambda: pair.b.report.applied_lsn == blocks)
    await pair.b.do(pair.b.replica.applier.checkpoint())


async def verify(pair: Sides, order: VerifyOrder | None = None) -> Compared:
    return await pair.a.do(pair.a.replica.verify(order))


def rot(side: Side, offset: int = PLACE + 9) -> None:
    """Flip a bit on the device, under the page cache."""
    side.disk.image(volume_path(side.name)).flip(offset, cached=False)


def rot_log(side: Side, offset: int) -> None:
    side.disk.image(log_path(side.name)).flip(offset, 0x10, cached=False)


def wrong(found: Compared) -> list[tuple[int, str]]:
    return [(row.offset, row.wrong) for row in found.ranges]


def test_sides_that_are_equal_are_clean() -> None:
    async def test(pair: Sides) -> None:
        await written(pair)
        found = await verify(pair)
        assert found.clean
        assert found.done
        assert (found.blocks_compared, found.differing_blocks, found.lsn) == (BLOCKS, 0, 12)
        assert found.ranges == []

    on_sides(test)


Prepare = Callable[[Sides], Awaitable[None]]


async def rot_source(pair: Sides) -> None:
    rot(pair.a)


async def rot_destination(pair: Sides) -> None:
    rot(pair.b)


async def rot_both(pair: Sides) -> None:
    rot(pair.a)
    rot(pair.b, PLACE + 10)


async def rot_both_alike(pair: Sides) -> None:
    rot(pair.a)
    rot(pair.b)


async def differ_unknown(pair: Sides) -> None:
    """Nobody ever recorded what the block should be, and one side has other bytes."""
    for side in (pair.a, pair.b):
        await side.core.checksums.forget(0, PLACE, 1)
    rot(pair.b)


async def differ_right(pair: Sides) -> None:
    """Something wrote beside replication, and recorded it."""
    pair.b.fill(PLACE, b"another content")
    await pair.b.core.checksums.forget(0, PLACE, 1)
    content = pair.b.volume[PLACE : PLACE + BLOCK]
    await pair.b.do(destage.know(pair.b.core, 0, PLACE, content))


async def unreadable(pair: Sides) -> None:
    """The destination's device does not return the block: once for the extent, then for itself."""
    pair.b.disk.fail_at(1, FaultKind.EIO, operation="read", path=volume_path("B"), sticky=True)


#: name, what is done, wrong at the source, at the destination, undecided, verdict, repaired
CASES: list[tuple[Prepare, int, int, int, Wrong, int]] = [
    (rot_source, 1, 0, 0, Wrong.SOURCE, 1),
    (rot_destination, 0, 1, 0, Wrong.DESTINATION, 1),
    (rot_both, 1, 1, 0, Wrong.BOTH, 0),
    (rot_both_alike, 0, 0, 1, Wrong.CHECKSUM, 0),
    (differ_unknown, 0, 0, 1, Wrong.UNKNOWN, 0),
    (differ_right, 0, 0, 1, Wrong.UNKNOWN, 0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_it_says_which_side_is_wrong(case: tuple[Prepare, int, int, int, Wrong, int]) -> None:
    """By each side's own recorded checksum; and without --repair it changes nothing."""
    prepare, source, destination, undecided, verdict, _ = case

    async def test(pair: Sides) -> None:
        await written(pair)
        await prepare(pair)
        for _ in range(2):
            found = await verify(pair)
            assert wrong(found) == [(PLACE, verdict)]
            assert found.wrong_source_blocks == source
            assert found.wrong_destination_blocks == destination
            assert found.undecided_blocks == undecided
            assert found.differing_blocks == (verdict is not Wrong.CHECKSUM)
            assert found.repaired_blocks == 0
            assert not found.clean

    on_sides(test)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].__name__)
def test_it_mends_only_what_is_proven(case: tuple[Prepare, int, int, int, Wrong, int]) -> None:
    """What is right stays as it is, byte for byte, on both devices; what is not proven, too."""
    prepare, *_, repaired = case

    async def test(pair: Sides) -> None:
        await written(pair)
        right = pair.a.disk.image(volume_path("A")).durable_bytes()
        await prepare(pair)
        before = [s.disk.image(volume_path(s.name)).durable_bytes() for s in (pair.a, pair.b)]
        found = await verify(pair, REPAIR)
        assert found.repaired_blocks == repaired
        after = [s.disk.image(volume_path(s.name)).durable_bytes() for s in (pair.a, pair.b)]
        if repaired:
            assert after == [right, right]
            assert found.ranges[0].repaired
            assert (await verify(pair)).clean
        else:
            assert after == before
            assert not found.ranges[0].repaired

    on_sides(test)


def test_a_block_that_the_device_does_not_return_is_wrong_and_is_mended() -> None:
    """The commonest rot of all: a sector that cannot be read."""

    async def test(pair: Sides) -> None:
        await written(pair)
        fault = pair.b.disk.fail_at(
            1, FaultKind.EIO, operation="read", path=volume_path("B"), sticky=True
        )
        found = await verify(pair, VerifyOrder(limit_bytes=1))
        assert found.wrong_destination_blocks == BLOCKS
        assert {row.wrong for row in found.ranges} == {Wrong.DESTINATION}
        assert {row.proven for row in found.ranges[:12]} == {True}
        pair.b.disk.faults.remove(fault)
        assert (await verify(pair)).clean

    on_sides(test)


def test_what_the_page_cache_still_shows_is_not_believed() -> None:
    """Rot lies under pages that were read a moment ago."""

    async def test(pair: Sides) -> None:
        await written(pair)
        rot(pair.b)
        assert pair.b.volume[PLACE : PLACE + BLOCK] == bytes([6]) * BLOCK
        assert wrong(await verify(pair)) == [(PLACE, Wrong.DESTINATION)]

    on_sides(test)


@pytest.mark.parametrize("seed", range(6))
def test_no_false_alarm_while_writers_run(seed: int) -> None:
    """Of whole blocks and parts, at places that are being looked at."""
    chance = random.Random(seed)

    async def test(pair: Sides) -> None:
        await pair.sync()
        ended = False

        async def writer() -> None:
            while not ended:
                length = chance.choice((64, 512, BLOCK, 3 * BLOCK))
                offset = chance.randrange(VOLUME_BYTES - length)
                await pair.a.replica.write(VOLUME, offset, chance.randbytes(length))

        writers = [pair.a.begin(writer()) for _ in range(4)]
        for _ in range(4):
            found = await verify(pair, REPAIR)
            assert found.clean, found
        rot(pair.b, VOLUME_BYTES - BLOCK // 2)
        found = await verify(pair)
        ended = True
        for task in writers:
            await task
        assert found.differing_blocks <= 1
        assert found.wrong_source_blocks == found.undecided_blocks == 0
        assert pair.a.report.writes_total > 50

    on_sides(test, seed=seed)


def test_a_verification_goes_on_where_it_ended() -> None:
    async def test(pair: Sides) -> None:
        await written(pair)
        rot(pair.b)
        whole = await verify(pair)
        parts: list[Compared] = []
        order = VerifyOrder(limit_bytes=1)
        while not parts or not parts[-1].done:
            parts.append(await verify(pair, order))
            order = attrs.evolve(order, volume=parts[-1].next_volume, offset=parts[-1].next_offset)
        assert sum(part.blocks_compared for part in parts) == whole.blocks_compared
        assert sum(part.differing_blocks for part in parts) == 1
        assert parts[-1].log_records_compared == whole.log_records_compared

    on_sides(test)


def test_a_verification_is_as_slow_as_it_was_asked_to_be() -> None:
    async def test(pair: Sides) -> None:
        await written(pair)
        began = pair.loop.time()
        await verify(pair, VerifyOrder(bytes_per_second=VOLUME_BYTES / 10))
        assert pair.loop.time() - began >= 10

    on_sides(test)


def test_blocks_that_nobody_recorded_are_learnt_when_both_sides_are_equal() -> None:
    """After that the next verification can say who is wrong."""

    async def test(pair: Sides) -> None:
        await written(pair)
        for side in (pair.a, pair.b):
            await side.core.checksums.forget(0, 0, VOLUME_BYTES)
        assert (await verify(pair)).clean
        for side in (pair.a, pair.b):
            known = [side.core.checksums.get(0, block) for block in range(BLOCKS)]
            assert UNKNOWN not in known
        rot(pair.a)
        assert wrong(await verify(pair)) == [(PLACE, Wrong.SOURCE)]

    on_sides(test)


def test_a_group_that_is_not_in_sync_cannot_be_verified() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        with pytest.raises(SrError, match="SR7703"):
            await verify(pair)
        await pair.start()
        await pair.in_sync()
        with pytest.raises(SrError, match="SR7703"):
            await pair.b.do(pair.b.replica.verify())
        task = pair.a.begin(pair.a.replica.verify(VerifyOrder(bytes_per_second=1000)))
        await pair.pass_time(1.0)
        await pair.lose_peer()
        with pytest.raises(SrError, match="SR7703"):
            await task

    on_sides(test)


# What is on the log volumes.

#: where, and what the damage is called
METADATA = [
    (lambda side: (side.report.checkpoint_lsn * 0 + slot(side)) * SLOT_BYTES + 100, "superblock"),
    (lambda _: SUPERBLOCK_AREA_BYTES + 80, "bitmap page 0"),
    (lambda _: CHECKSUM_OFFSET + 70, "checksum page 0"),
    (lambda side: frame(side) + 60, "log at LSN"),
    (lambda side: frame(side) + HEADER_BYTES + 50, "log at LSN"),
]


def slot(side: Side) -> int:
    return side.core.superblock.generation % 4


def frame(side: Side) -> int:
    held = side.core.ring.frames[-1]
    return side.core.log.offset_of(held.position)


@pytest.mark.parametrize("name", ["A", "B"])
@pytest.mark.parametrize(("place", "called"), METADATA)
def test_rot_on_a_log_volume_is_found_and_mended(
    place: Callable[[Side], int], called: str, name: str
) -> None:
    """Slots, pages and frames, under the cache, while the group runs."""

    async def test(pair: Sides) -> None:
        await written(pair)
        await pair.a.write(0, bytes(BLOCK))
        side = pair.a if name == "A" else pair.b
        assert RING_OFFSET > CHECKSUM_OFFSET + PAGE_BYTES - 1
        where = "source" if name == "A" else "destination"
        rot_log(side, place(side))
        found = await verify(pair)
        assert [(at, called in text) for at, text in found.damage] == [(where, True)]
        assert not found.clean
        found = await verify(pair, REPAIR)
        assert len(found.damage) == 1
        assert (await verify(pair)).clean
        await side.restart()
        assert not side.report.failure

    on_sides(test)


def test_the_marker_at_the_end_of_a_lap_is_looked_at() -> None:
    """A log that is opened cannot get past a bad one."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(200):
            await pair.a.write(0, bytes([number]) * (2 * BLOCK))
            for one, other in pairwise(pair.a.core.ring.frames):
                end = one.position + one.total_bytes
                if other.position != end:
                    rot_log(pair.a, pair.a.core.log.offset_of(end) + 20)
                    found = await verify(pair)
                    assert [text for _, text in found.damage if "marker" in text]
                    return
        raise AssertionError("the ring never wrapped")

    on_sides(test)


@pytest.mark.parametrize("name", ["A", "B"])
def test_a_mended_block_is_durable_before_anybody_says_so(name: str) -> None:
    """Whatever the look afterwards does."""

    async def test(pair: Sides) -> None:
        await written(pair)
        side = pair.a if name == "A" else pair.b
        image = side.disk.image(volume_path(name))
        right = image.durable_bytes()
        image.flip(PLACE + 9)
        synced: list[bytes] = []
        done = "Mended" if name == "B" else "Digest"

        def note(message: object) -> None:
            if type(message).__name__ == done:
                synced.append(image.durable_bytes())

        link = (pair.b if name == "B" else pair.a).replica.peer_link
        end = link.lead.link if link.lead is not None else link.follow.link  # type: ignore[union-attr]
        send = end.send

        def watched(message: object, *payload: object) -> None:
            note(message)
            send(message, *payload)  # type: ignore[arg-type]

        end.send = watched  # type: ignore[method-assign]
        assert (await verify(pair, REPAIR)).repaired_blocks == 1
        assert synced[-1] == right

    on_sides(test)
