"""What was written and what the checksum map says of it are the same, through crashes too."""

from __future__ import annotations

import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.codec.checksum_page import BLOCK_BYTES, CORRUPT, UNKNOWN, block_checksum
from srshell.engine import destage
from srshell.model.replica import ReplicaVolume
from srshell.simulation import run_simulated
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    VOLUME,
    Side,
    Sides,
    on_sides,
    volume_path,
)

#: The last block is short, and the volume small, so that records meet in one block.
SIZE_BYTES = 5 * BLOCK + 512
BLOCKS = 6


async def one_side(pair: Sides) -> Side:
    """A primary that has no peer yet."""
    await pair.a.format(volumes=(ReplicaVolume(VOLUME, volume_path("A"), SIZE_BYTES, 512),))
    await pair.a.open()
    return pair.a


async def known(side: Side, blocks: int = BLOCKS) -> list[int]:
    await side.core.checksums.load(0, range(blocks))
    return [side.core.checksums.get(0, block) for block in range(blocks)]


def right(side: Side, size_bytes: int = SIZE_BYTES) -> list[int]:
    """The checksums of what the volume holds."""
    volume = side.volume[:size_bytes]
    starts = range(0, size_bytes, BLOCK_BYTES)
    return [block_checksum(volume[start : start + BLOCK_BYTES]) for start in starts]


async def change(side: Side, kind: str, offset: int, length: int, byte: int) -> None:
    replica = side.replica
    if kind == "write":
        await side.do(replica.write(VOLUME, offset, bytes([byte]) * length))
    elif kind == "zero":
        await side.do(replica.zero(VOLUME, offset, length))
    else:
        await side.do(replica.trim(VOLUME, offset, length))


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("write", "write", "zero", "trim")),
        st.integers(0, SIZE_BYTES - 1),
        st.sampled_from((1, 100, 512, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, SIZE_BYTES)),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(CHANGES)
def test_every_block_that_was_touched_has_the_checksum_of_its_content(
    changes: list[tuple[str, int, int, bool]],
) -> None:
    """In one batch and in several; parts, whole blocks, zeros and the short last block."""

    async def main(pair: Sides) -> None:
        side = await one_side(pair)
        touched: set[int] = set()
        for number, (kind, offset, length, settles) in enumerate(changes, 1):
            start = offset // BLOCK * BLOCK if length % BLOCK == 0 else offset
            size_bytes = min(length, SIZE_BYTES - start)
            await change(side, kind, start, size_bytes, number)
            touched |= set(range(start // BLOCK, -(-(start + size_bytes) // BLOCK)))
            if settles:
                await side.settle()
        await side.settle()
        expected = [
            checksum if block in touched else UNKNOWN for block, checksum in enumerate(right(side))
        ]
        assert await known(side) == expected
        await side.restart()
        assert await known(side) == expected

    run_simulated(lambda loop: main(Sides(loop, LIMITS)))


@pytest.mark.parametrize("seed", range(12))
def test_no_known_checksum_is_wrong_after_a_crash(seed: int) -> None:
    """Of process or power, at any moment of writing, destaging and checkpoints."""
    chance = random.Random(seed)

    async def test(pair: Sides) -> None:
        side = await one_side(pair)
        pair.a.disk.harsh = bool(seed % 2)
        for _ in range(12):
            for _ in range(chance.randrange(1, 8)):
                length = chance.choice((100, 512, BLOCK, 2 * BLOCK))
                offset = chance.randrange(SIZE_BYTES - length)
                if length >= BLOCK and chance.random() < 0.5:
                    offset = offset // BLOCK * BLOCK
                await change(side, "write", offset, length, chance.randrange(256))
                if chance.random() < 0.3:
                    await pair.pass_time(chance.random() * 0.05)
            side.kill()
            if chance.random() < 0.7:
                side.disk.power_cut()
            await side.open()
            if chance.random() < 0.5:
                await side.settle()
        await side.settle()
        for block, (found, holds) in enumerate(zip(await known(side), right(side), strict=True)):
            assert found in (UNKNOWN, holds), block

    on_sides(test, seed=seed)


@pytest.mark.parametrize("batch_records", [1, 2, 2048])
@pytest.mark.parametrize("seed", range(8))
def test_a_replay_in_batches_of_any_size_ends_in_what_was_acknowledged(
    seed: int, batch_records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it is broken off and begun again, and in turns of the loop of any length."""
    monkeypatch.setattr(destage, "_PORTION", seed % 4 + 1)
    chance = random.Random(seed)
    limits = attrs.evolve(LIMITS, checkpoint_seconds=600.0, batch_records=batch_records)

    async def test(pair: Sides) -> None:
        side = await one_side(pair)
        expected = bytearray(side.volume[:SIZE_BYTES])
        for number in range(1, 25):
            kind = chance.choice(("write", "write", "write", "zero", "trim"))
            length = chance.choice((100, 512, BLOCK, 2 * BLOCK))
            offset = chance.randrange(SIZE_BYTES - length)
            if chance.random() < 0.6:
                offset = offset // BLOCK * BLOCK
            await change(side, kind, offset, length, number)
            expected[offset : offset + length] = bytes([number * (kind == "write")]) * length
        for _ in range(3):
            side.kill()
            if chance.random() < 0.5:
                side.disk.power_cut()
            await side.open()
            await pair.pass_time(chance.random() * 0.01)
        await side.settle()
        assert side.volume[:SIZE_BYTES] == bytes(expected)
        for block, (found, holds) in enumerate(zip(await known(side), right(side), strict=True)):
            assert found in (UNKNOWN, holds), block

    on_sides(test, seed=seed, limits=limits)


def test_a_write_of_a_part_does_not_bless_the_rotten_rest() -> None:
    """A checksum of the whole new block would make the rot the truth."""

    async def test(pair: Sides) -> None:
        side = await one_side(pair)
        await side.write(0, bytes([7]) * BLOCK)
        await side.settle()
        side.damage(volume_path("A"), 4000)
        await side.write(10, b"a part")
        await side.settle()
        assert (await known(side))[0] == CORRUPT
        assert any("part of it is new" in text for text in side.heard("failure"))
        await side.write(0, bytes([8]) * BLOCK)
        await side.settle()
        assert (await known(side))[0] == right(side)[0]

    on_sides(test)


def test_a_copy_records_what_arrives_and_what_was_compared() -> None:
    """At the destination as blocks come; in zeros, data and holes."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(3 * BLOCK, bytes(range(256)) * 32)
        await pair.a.write(9 * BLOCK, b"part")
        await pair.a.settle()
        await pair.start()
        await pair.in_sync()
        await pair.b.settle()
        size_bytes = len(pair.b.volume)
        blocks = size_bytes // BLOCK
        assert pair.b.volume == pair.a.volume
        assert await known(pair.b, blocks) == right(pair.b, size_bytes)
        assert await known(pair.a, blocks) == right(pair.a, size_bytes)


def test_the_source_of_a_copy_learns_what_it_read_and_keeps_what_it_knew() -> None:
    """A block that rotted before the copy is copied as it is; its checksum still says so."""

    async def test(pair: Sides) -> None:
        await pair.a.format()
        await pair.b.format()
        pair.a.fill(0, bytes([3]) * 4 * BLOCK)
        await pair.a.open()
        await pair.b.open()
        await pair.a.write(BLOCK, bytes([4]) * BLOCK)
        await pair.a.settle()
        pair.a.damage(volume_path("A"), BLOCK + 9)
        await pair.start()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 2 * BLOCK, bytes([5]) * BLOCK))
        await pair.in_sync()
        await writing
        await pair.b.settle()
        await pair.a.settle()
        size_bytes = len(pair.a.volume)
        found, holds = await known(pair.a, size_bytes // BLOCK), right(pair.a, size_bytes)
        assert [block for block in range(size_bytes // BLOCK) if found[block] != holds[block]] == [
            1
        ]
        assert await known(pair.b, size_bytes // BLOCK) == holds

    on_sides(test)


def test_an_extent_with_edges_inside_blocks_leaves_those_unknown() -> None:
    """Whoever sends one is no copier of ours."""

    async def test(pair: Sides) -> None:
        side = await one_side(pair)
        for block in range(4):
            await side.write(block * BLOCK, bytes([block + 1]) * BLOCK)
        await side.settle()
        await destage.store(side.core, 0, ((100, 2 * BLOCK),), (bytes(2 * BLOCK),))
        found = await known(side)
        assert (found[0], found[2]) == (UNKNOWN, UNKNOWN)
        assert (found[1], found[3]) == (right(side)[1], right(side)[3])
        await destage.store(side.core, 0, ((4 * BLOCK, BLOCK + 512),), None)
        assert (await known(side))[4:] == right(side)[4:]

    on_sides(test)


@pytest.mark.parametrize("seed", range(8))
def test_a_destination_that_dies_in_a_copy_knows_nothing_wrong_afterwards(seed: int) -> None:
    """It had other content before: what it told the source must be in the map, too."""
    chance = random.Random(seed)

    async def test(pair: Sides) -> None:
        await pair.sync()
        blocks = len(pair.a.volume) // BLOCK
        for block in range(blocks):
            await pair.a.write(block * BLOCK, bytes([block + 1]) * BLOCK)
        await pair.b.settle()
        await pair.go_alone()
        for block in range(blocks):
            await pair.a.write(block * BLOCK, bytes([block + 101]) * BLOCK)
        await pair.a.settle()
        marked = pair.a.core.dirty.count()
        assert marked > blocks // 4
        pair.mend()
        left = chance.randrange(marked)
        await pair.until(lambda: pair.a.core.dirty.count() <= left)
        pair.b.kill()
        if seed % 2:
            pair.b.disk.power_cut()
        await pair.b.open()
        await pair.in_sync()
        await pair.until(lambda: pair.b.report.applied_lsn == pair.a.report.acked_lsn)
        await pair.b.settle()
        holds = right(pair.b, len(pair.b.volume))
        assert pair.b.volume == pair.a.volume
        for block, found in enumerate(await known(pair.b, blocks)):
            assert found in (UNKNOWN, holds[block]), block

    on_sides(test, seed=seed)


def test_a_seeded_copy_records_what_was_compared() -> None:
    """Nothing is sent, and everything is known afterwards."""

    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            await side.format(seeded=True)
            side.fill(0, bytes(range(256)) * 1024)
            await side.open()
        await pair.start()
        await pair.in_sync()
        blocks = len(pair.b.volume) // BLOCK
        for side in (pair.a, pair.b):
            assert await known(side, blocks) == right(side, len(side.volume))

    on_sides(test)


def test_records_that_wait_while_their_blocks_are_copied_are_not_taken_for_rot() -> None:
    """What the copy shows of them is not in the volume yet."""

    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            await side.format()
        pair.a.fill(0, bytes(range(256)) * 1024)
        await pair.a.open()
        await pair.b.open()
        await pair.start()
        number = 0
        while pair.a.core.dirty.any():
            number += 1
            await pair.a.write(
                number * 1000 % (len(pair.a.volume) - 100), bytes([number % 256]) * 99
            )
        await pair.in_sync()
        await pair.a.settle()
        assert number > 5
        blocks = len(pair.a.volume) // BLOCK
        assert await known(pair.a, blocks) == right(pair.a, len(pair.a.volume))
        assert pair.a.heard("failure") == []

    on_sides(test)
