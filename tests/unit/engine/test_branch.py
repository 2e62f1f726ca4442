"""The loser of a split brain is kept whole: as it was, at once, and once."""

from __future__ import annotations

from collections import deque
from functools import partial

import pytest

from srshell.engine.branch import Saving, save_branch
from srshell.engine.rejoining import Split
from srshell.engine.resolving import KEEP_SECONDS
from srshell.engine.standing import divergence, standing
from srshell.model.branch import Branch, decode_branch
from srshell.model.errors import SrError
from srshell.model.replica import LinkState
from srshell.simulation import FaultKind, Operation
from tests.unit.engine.sides import BLOCK, VOLUME_BYTES, Side, Sides, in_sync, on_sides

FOLDER = "/branches"


async def split(pair: Sides) -> None:
    """Both sides write alone, to blocks of their own and to one in common, then meet."""
    await pair.sync()
    await pair.a.write(0, b"common")
    await pair.go_alone(BLOCK, b"only A")
    await pair.b.do(pair.b.replica.promote("force", None, alone=True))
    await pair.b.write(2 * BLOCK, b"only B")
    for side in (pair.a, pair.b):
        await side.write(3 * BLOCK, b"both " + side.name.encode())
    pair.mend()
    await pair.until(lambda: pair.a.report.split and pair.b.report.split)


def image(side: Side, branch: Branch) -> bytes:
    content: bytes = side.disk.image(f"{FOLDER}/{branch.images[0].file}").read(0, VOLUME_BYTES)
    return content


def described(side: Side) -> list[Branch]:
    """The branches that whoever looks into the folder finds."""
    found = []
    for path in side.disk.paths():
        if path.endswith(".branch.json"):
            content = side.disk.image(path)
            found.append(decode_branch(content.read(0, content.size_bytes), path))
    return found


def splits(side: Side) -> bool:
    """Whether the side knows of the split brain."""
    return side.report.split is not None


async def seen_by(side: Side) -> bytes:
    """What the side's clients read before it loses."""
    return await side.read(0, VOLUME_BYTES)


@pytest.mark.parametrize("loser", ["A", "B"])
def test_the_branch_is_the_whole_volume_as_the_loser_had_it(loser: str) -> None:
    async def test(pair: Sides) -> None:
        await split(pair)
        lost, kept = (pair.a, pair.b) if loser == "A" else (pair.b, pair.a)
        before, winner = await seen_by(lost), await seen_by(kept)
        branch = await lost.do(lost.replica.give_up(FOLDER))
        assert described(lost) == [branch]
        await pair.until(lambda: in_sync(kept.report))
        await kept.write(0, b"written after the split was resolved")
        await lost.settle()
        assert image(lost, branch) == before
        assert lost.volume[BLOCK:] == winner[BLOCK:]
        assert (branch.array, branch.kept) == (loser, kept.name)
        assert branch.expires_unix == branch.saved_unix + KEEP_SECONDS

    on_sides(test)


def test_a_healthy_side_has_nothing_to_give_up() -> None:
    """And keeps its link."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        with pytest.raises(SrError, match="SR6023"):
            await pair.b.do(pair.b.replica.give_up(FOLDER))
        assert pair.a.report.link is LinkState.CONNECTED

    on_sides(test)


@pytest.mark.parametrize("count", range(1, 8))
def test_a_branch_that_does_not_fit_changes_nothing(count: int) -> None:
    """The loser goes on as it was, with the writes that came meanwhile, and nothing is left."""

    async def test(pair: Sides) -> None:
        await split(pair)
        fault = pair.a.disk.fail_at(count, FaultKind.ENOSPC, path=FOLDER)
        giving = pair.a.begin(pair.a.replica.give_up(FOLDER))
        writing = pair.a.begin(pair.a.replica.write("data", 5 * BLOCK, b"meanwhile"))
        with pytest.raises(SrError, match="SR6024") as refused:
            await giving
        assert "ENOSPC" in refused.value.facts
        await writing
        assert fault.hits == 1
        assert described(pair.a) == []
        assert [path for path in pair.a.disk.paths() if path.endswith(".image")] == []
        assert pair.a.report.writable
        assert (await pair.a.read(5 * BLOCK, 9)) == b"meanwhile"
        branch = await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert image(pair.a, branch)[5 * BLOCK :][:9] == b"meanwhile"

    on_sides(test)


def test_a_crash_leaves_a_whole_branch_or_none() -> None:
    """At every operation on the disk, before or after it; the next attempt completes it."""

    async def operations(pair: Sides) -> int:
        await split(pair)
        before = pair.a.disk.operations
        await pair.a.do(pair.a.replica.give_up(FOLDER))
        return pair.a.disk.operations - before

    async def crash(pair: Sides, *, number: int, late: bool) -> None:
        await split(pair)
        expected = await seen_by(pair.a)
        last = pair.a.disk.operations + number

        def kill(operation: Operation) -> None:
            if operation.number == last:
                pair.a.disk.before = pair.a.disk.after = None
                pair.a.kill()

        setattr(pair.a.disk, "after" if late else "before", kill)
        giving = pair.a.begin(pair.a.replica.give_up(FOLDER))
        await pair.until(lambda: giving.done() or not pair.a.is_open)
        if not pair.a.is_open:
            pair.a.disk.power_cut()
            for branch in described(pair.a):
                assert image(pair.a, branch) == expected, (number, late)
            await pair.a.open()
            if not pair.a.core.superblock.yields:
                await pair.until(lambda: pair.a.report.split)
                await pair.a.do(pair.a.replica.give_up(FOLDER))
        await pair.until(lambda: in_sync(pair.b.report))
        (branch,) = described(pair.a)
        assert image(pair.a, branch) == expected

    count = on_sides(operations)
    assert count > 10
    for number in range(1, count + 1):
        on_sides(partial(crash, number=number, late=bool(number % 2)))


def test_a_description_that_stands_there_is_never_replaced() -> None:
    """Be it damaged, or of another moment with the same LSN."""

    async def test(pair: Sides) -> None:
        await split(pair)
        name = f"group-A.{pair.a.report.durable_lsn}"
        other = f"{FOLDER}/{name}.branch.json"
        pair.a.disk.create(other, 7)
        branch = await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert branch.name == f"{name}.2"
        assert pair.a.disk.image(other).size_bytes == 7

    on_sides(test)


def test_the_same_moment_is_saved_once() -> None:
    """An answer that was lost is asked for again."""

    async def test(pair: Sides) -> None:
        await split(pair)
        pair.cut()
        first = await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert await pair.a.do(pair.a.replica.give_up(FOLDER)) == first
        await pair.a.restart()
        assert await pair.a.do(pair.a.replica.give_up(FOLDER)) == first
        assert described(pair.a) == [first]

    on_sides(test)


def test_a_description_whose_images_have_gone_is_no_branch() -> None:
    """The moment is saved again, under another name."""

    async def test(pair: Sides) -> None:
        await split(pair)
        expected = await seen_by(pair.a)
        saving = Saving(FOLDER, divergence(pair.a.core, 1), None, 60.0)
        first = await pair.a.do(save_branch(pair.a.core, saving))
        pair.a.disk.remove(f"{FOLDER}/{first.images[0].file}")
        second = await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert second.name == f"{first.name}.2"
        assert image(pair.a, second) == expected

    on_sides(test)


def test_both_sides_know_both_deltas_at_the_first_contact() -> None:
    """Blocks, bytes, LSNs and times beyond the fork, the same on both sides; told once."""

    async def test(pair: Sides) -> None:
        began = pair.loop.wall_time()
        await split(pair)
        a, b = pair.a.report, pair.b.report
        assert a.split is not None
        assert b.split is not None
        assert (a.split.blocks, a.split.bytes) == (2, 2 * BLOCK)
        assert (a.split.from_lsn, a.split.to_lsn, b.split.to_lsn) == (1, 3, 3)
        for mine, theirs in ((a.split, b.peer_split), (b.split, a.peer_split)):
            assert theirs is not None
            assert (mine.from_lsn, mine.to_lsn, mine.bytes) == (
                theirs.from_lsn,
                theirs.to_lsn,
                theirs.bytes,
            )
            first, last = mine.first_unix, mine.last_unix
            assert first is not None
            assert last is not None
            assert began < first < last < pair.loop.wall_time()
            assert theirs.first_unix == pytest.approx(first, abs=0.001)
            assert theirs.last_unix == pytest.approx(last, abs=0.001)
        await pair.pass_time(10)
        assert len(pair.a.heard("split")) == len(pair.b.heard("split")) == 1

    on_sides(test)


def test_the_times_of_writes_alone_outlive_a_crash_and_end_in_sync() -> None:
    """As of the last superblock; a fence forgets them."""

    async def test(pair: Sides) -> None:
        await split(pair)
        before = [pair.a.report.split, pair.b.report.split]
        await pair.pass_time(3)
        for side, known in zip((pair.a, pair.b), before, strict=True):
            await side.restart()
            await pair.until(partial(splits, side))
            after = side.report.split
            assert known is not None
            assert after is not None
            assert (after.first_unix, after.last_unix) == (known.first_unix, known.last_unix)
        await pair.a.do(pair.a.replica.give_up(FOLDER))
        await pair.until(lambda: in_sync(pair.b.report))
        for side in (pair.a, pair.b):
            superblock = side.core.superblock
            assert (superblock.alone_first_unix, superblock.alone_last_unix) == (0.0, 0.0)

    on_sides(test)


def test_a_split_is_known_even_if_the_link_breaks_before_the_deltas_came() -> None:
    """What the other side holds is unknown then, and comes with the next contact."""

    async def test(pair: Sides) -> None:
        await split(pair)
        link, mine = pair.a.replica.peer_link, pair.a.report.split
        assert mine is not None
        link.split = link.peer_split = None
        link._refused(Split("broken off", standing(pair.b.core), mine, None))
        assert (pair.a.report.split, pair.a.report.peer_split) == (mine, None)
        await pair.until(lambda: pair.a.report.peer_split)

    on_sides(test)


def test_what_is_logged_and_not_applied_is_in_the_image() -> None:
    """Writes, and zeros in a place that holds data."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"old" * BLOCK)
        await pair.a.settle()
        await pair.a.write(BLOCK, b"new")
        await pair.a.do(pair.a.replica.trim("data", 2 * BLOCK, 100))
        assert len(pair.a.core.overlay.records) == 2
        expected = await seen_by(pair.a)
        saving = Saving(FOLDER, divergence(pair.a.core, 0), None, 60.0)
        branch = await pair.a.do(save_branch(pair.a.core, saving))
        assert image(pair.a, branch) == expected
        assert expected[2 * BLOCK :][:100] == bytes(100)

    on_sides(test)


@pytest.mark.parametrize("early", [False, True])
def test_a_loser_that_crashes_before_it_meets_the_winner_still_gives_its_blocks_back(
    *, early: bool
) -> None:
    """Its log has forgotten them by then: the marks are durable before it yields."""

    async def test(pair: Sides) -> None:
        await split(pair)
        pair.cut()
        await pair.a.settle()
        await pair.a.do(pair.a.replica.give_up(FOLDER))
        if early:
            await pair.a.restart()
        await pair.pass_time(3)
        assert pair.a.core.ring.frames == deque()
        if not early:
            await pair.a.restart()
        pair.mend()
        await pair.until(lambda: in_sync(pair.b.report))
        await pair.b.settle()
        await pair.a.settle()
        assert pair.a.volume == pair.b.volume

    on_sides(test)


def test_a_branch_leaves_room_for_what_the_other_side_sends() -> None:
    """The volume must not run full a moment after its loser was saved; the facts say how much."""

    async def test(pair: Sides) -> None:
        await split(pair)
        await pair.a.write(0, b"x" * VOLUME_BYTES)
        theirs = pair.b.report.split
        assert theirs is not None
        # Beside the volume: what the file system needs for itself, and the description.
        needed = (1 << 20) + VOLUME_BYTES + theirs.bytes
        pair.a.disk.free_room_bytes = needed - 1
        with pytest.raises(SrError, match="SR6024") as refused:
            await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert refused.value.facts.endswith("missing 1 B")
        assert described(pair.a) == []
        assert pair.a.report.writable
        pair.a.disk.free_room_bytes = needed
        await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert len(described(pair.a)) == 1

    on_sides(test)


def test_a_disk_that_fails_is_not_taken_for_a_full_one() -> None:
    """The side goes on as it was, and the error says what failed."""

    async def test(pair: Sides) -> None:
        await split(pair)
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="write", path=FOLDER)
        with pytest.raises(SrError, match="SR9220") as refused:
            await pair.a.do(pair.a.replica.give_up(FOLDER))
        assert "EIO" in refused.value.facts
        assert described(pair.a) == []
        assert pair.a.report.writable

    on_sides(test)
