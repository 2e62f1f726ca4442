"""A verification teaches the maps what both sides hold alike, also beside what is wrong."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.codec.checksum_page import UNKNOWN
from srshell.codec.verify_messages import Digest
from srshell.engine import verifier
from srshell.engine.core import Core
from srshell.engine.looking import Look, agree
from srshell.engine.verifier import _unknown_runs
from srshell.model.verification import Compared, VerifyOrder
from srshell.replication.judge import Wrong
from srshell.simulation.wire import SimLink
from tests.unit.engine.sides import BLOCK, VOLUME, VOLUME_BYTES, Side, Sides, on_sides, volume_path

BLOCKS = VOLUME_BYTES // BLOCK


async def forgotten(pair: Sides, *sides: Side) -> None:
    """Both sides in sync, with content, of which some remember nothing."""
    await pair.sync()
    for block in range(BLOCKS):
        await pair.a.write(block * BLOCK, bytes([block + 1]) * BLOCK)
    await pair.a.settle()
    await pair.until(lambda: pair.b.report.applied_lsn == BLOCKS)
    for side in sides:
        await side.do(side.replica.applier.checkpoint())
        await side.core.checksums.forget(0, 0, VOLUME_BYTES)


async def verify(pair: Sides, order: VerifyOrder | None = None) -> Compared:
    return await pair.a.do(pair.a.replica.verify(order))


def unknown(side: Side) -> list[int]:
    """Return the blocks that a side could not prove right or wrong."""
    return [n for n in range(BLOCKS) if side.core.checksums.get(0, n) == UNKNOWN]


def rot(side: Side, block: int) -> None:
    side.disk.image(volume_path(side.name)).flip(block * BLOCK + 9, cached=False)


@pytest.mark.parametrize("rotten", [(0,), (BLOCKS - 1,), (3,), (2, 3, 7), (0, BLOCKS - 1)], ids=str)
@pytest.mark.parametrize("forgetful", ["A", "B", "AB"])
def test_what_is_equal_is_learnt_beside_what_is_wrong(
    rotten: tuple[int, ...], forgetful: str
) -> None:
    """Before, after and between the blocks that differ."""

    async def test(pair: Sides) -> None:
        sides = [side for side in (pair.a, pair.b) if side.name in forgetful]
        await forgotten(pair, *sides)
        for block in rotten:
            rot(pair.b, block)
        found = await verify(pair)
        assert [row.offset // BLOCK for row in found.ranges] == list(rotten)
        assert (found.differing_blocks, found.blocks_compared) == (len(rotten), BLOCKS)
        for side in sides:
            assert unknown(side) == list(rotten)
        fresh = next(block for block in range(BLOCKS) if block not in rotten)
        rot(pair.a, fresh)
        again = await verify(pair)
        assert (fresh * BLOCK, Wrong.SOURCE) in [(row.offset, row.wrong) for row in again.ranges]

    on_sides(test)


def test_what_is_learnt_is_learnt_while_nobody_can_write_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between a look and what is recorded of it, no write comes to the place."""
    learnt: list[int] = []

    async def test(pair: Sides) -> None:
        await forgotten(pair, pair.a)
        rot(pair.b, 5)

        async def watched(core: Core, found: Look) -> None:
            end = found.offset + len(found.checksums) * BLOCK
            locks = pair.a.replica.committer.locked
            assert any(
                volume == found.volume and offset <= found.offset and end <= offset + length
                for volume, offset, length in locks
            )
            learnt.append(found.offset // BLOCK)
            await agree(core, found)

        monkeypatch.setattr(verifier, "agree", watched)
        await verify(pair)
        assert learnt == [0, 6]

    on_sides(test)


def test_nothing_false_is_learnt_while_writers_run() -> None:
    """They write over what was found unknown and equal a moment ago."""

    async def test(pair: Sides) -> None:
        await forgotten(pair, pair.a, pair.b)
        rot(pair.b, 5)
        ended = False

        async def writer() -> None:
            number = 0
            while not ended:
                number += 1
                block = number % BLOCKS
                if block != 5:
                    await pair.a.replica.write(VOLUME, block * BLOCK, bytes([number % 251]) * BLOCK)

        writers = [pair.a.begin(writer()) for _ in range(3)]
        for _ in range(5):
            found = await verify(pair)
            assert [row.offset for row in found.ranges] == [5 * BLOCK]
        ended = True
        for task in writers:
            await task
        for side in (pair.a, pair.b):
            assert unknown(side) == [5]
        found = await verify(pair)
        assert [(row.offset, row.wrong) for row in found.ranges] == [(5 * BLOCK, Wrong.UNKNOWN)]

    on_sides(test)


def test_where_everything_is_known_only_what_is_wrong_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Learning costs nothing where there is nothing to learn."""
    asked: list[Digest] = []
    send = SimLink.send

    def heard(self: SimLink, message: Any, *rest: Any) -> None:  # noqa: ANN401
        if isinstance(message, Digest):
            asked.append(message)
        send(self, message, *rest)

    monkeypatch.setattr(SimLink, "send", heard)

    async def test(pair: Sides) -> None:
        await forgotten(pair)
        rot(pair.b, 3)
        await verify(pair)
        assert [(m.offset // BLOCK, m.length // BLOCK) for m in asked] == [(0, BLOCKS), (3, 1)]

    on_sides(test)


def looked(recorded: list[int], *, keeps: bool) -> Look:
    count = len(recorded)
    return Look(0, 0, b"", array("I", [7] * count), array("I", recorded), True, keeps)


@given(
    st.lists(
        st.tuples(st.sampled_from((UNKNOWN, 7)), st.sampled_from((UNKNOWN, 7)), st.booleans()),
        max_size=12,
    ),
    st.booleans(),
    st.booleans(),
)
def test_runs_hold_every_block_that_can_be_learnt_and_none_that_was_seen(
    blocks: list[tuple[int, int, bool]], ours_keep: bool, theirs_keep: bool
) -> None:
    """As few and as short as that can be."""
    ours = looked([row[0] for row in blocks], keeps=ours_keep)
    theirs = looked([row[1] for row in blocks], keeps=theirs_keep)
    seen = {index for index, row in enumerate(blocks) if row[2]}
    wanted = {
        index
        for index, row in enumerate(blocks)
        if (ours_keep and row[0] == UNKNOWN) or (theirs_keep and row[1] == UNKNOWN)
    } - seen
    runs = _unknown_runs(ours, theirs, seen)
    covered = [index for run in runs for index in run]
    assert covered == sorted(covered)
    assert wanted <= set(covered)
    assert not seen & set(covered)
    assert all({run.start, run.stop - 1} <= wanted for run in runs)
    for before, after in pairwise(runs):
        assert seen & set(range(before.stop, after.start))
