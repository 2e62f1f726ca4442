"""A log that is written where the write is made: no task is woken for it, all else is as ever.

With ``--commit auto`` the loop makes some commits and a thread makes the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from srshell.codec.log_frame import RecordKind
from srshell.engine import committer
from srshell.model.errors import SrError
from srshell.simulation import FaultKind
from tests.unit.engine.sides import BLOCK, KIB, LIMITS, VOLUME, Sides, log_path, on_sides


def on_direct_sides(test: Callable[[Sides], Awaitable[None]]) -> None:
    async def direct(pair: Sides) -> None:
        pair.a.direct = pair.b.direct = True
        await test(pair)

    on_sides(direct)


def hand_in(pair: Sides, count: int, size_bytes: int = 1) -> list[asyncio.Future[int]]:
    submit = pair.a.replica.committer.submit
    payload = bytes(size_bytes)
    return [
        submit(RecordKind.WRITE, 0, number * BLOCK, size_bytes, payload) for number in range(count)
    ]


async def all_of(pair: Sides, count: int, size_bytes: int = 1) -> list[int]:
    return await asyncio.gather(*hand_in(pair, count, size_bytes))


def test_writes_of_one_moment_share_a_frame_on_both_sides() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        assert await pair.a.do(all_of(pair, 10)) == list(range(1, 11))
        for side in (pair.a, pair.b):
            assert [frame.last_lsn for frame in side.core.ring.frames] == [10]

    on_direct_sides(test)


def test_the_primary_acknowledges_what_both_logs_hold() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"both")
        assert pair.a.core.log.durable_lsn == pair.b.core.log.durable_lsn == 1
        pair.cut()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"waits"))
        await pair.pass_time(0.5)
        assert pair.a.core.log.durable_lsn == 2
        assert not writing.done()
        pair.mend()
        assert await writing == 2

    on_direct_sides(test)


def test_writes_wait_for_room_in_both_logs() -> None:
    """What cannot be written now is left to the task that waits; nothing overtakes it."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for _ in range(4):
            lsns = await pair.a.do(all_of(pair, 20, 8 * KIB))
            assert lsns == sorted(lsns)
        assert pair.b.core.log.durable_lsn == 80

    on_direct_sides(test)


def test_a_locked_range_waits_and_others_behind_it_too() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        present = pair.a.replica.committer
        present.locked.append((0, 0, BLOCK))
        writing = [pair.a.begin(pair.a.write(number * BLOCK, b"x")) for number in range(2)]
        await pair.pass_time(0.1)
        assert not any(write.done() for write in writing)
        present.locked.clear()
        present.poke()
        assert await asyncio.gather(*writing) == [1, 2]

    on_direct_sides(test)


def test_no_lsn_is_given_out_while_somebody_holds_the_frames() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        core = pair.a.core
        await core.frames.acquire()
        writing = pair.a.begin(pair.a.write(0, b"x"))
        await pair.pass_time(0.1)
        assert pair.a.source.last_lsn == 0
        core.frames.release()
        assert await writing == 1

    on_direct_sides(test)


def test_a_write_that_comes_alone_is_in_the_log_when_it_is_handed_in() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"first")

        async def hand_one_in() -> bool:
            (write,) = hand_in(pair, 1)
            assert pair.a.core.log.durable_lsn == 2
            done = write.done()
            await write
            return done

        assert await pair.a.do(hand_one_in()) is False  # both logs

    on_direct_sides(test)


def test_writes_wait_for_an_acknowledgement_that_is_near_and_share_a_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing but that acknowledgement lets them go on: no checkpoint, nothing that is applied."""
    monkeypatch.setattr(committer, "_NEAR_NS", 10**9)

    async def test(pair: Sides) -> None:
        pair.a.direct = pair.b.direct = True
        await pair.sync()
        await pair.a.write(0, b"first")

        async def hand_in_while_one_is_under_way() -> None:
            writes = hand_in(pair, 1)
            assert pair.a.core.log.durable_lsn == 2
            for _ in range(3):
                await asyncio.sleep(0)
                writes += hand_in(pair, 1)
            async with asyncio.timeout(1.0):
                assert await asyncio.gather(*writes) == [2, 3, 4, 5]

        await pair.a.do(hand_in_while_one_is_under_way())
        assert [frame.last_lsn for frame in pair.a.core.ring.frames] == [1, 2, 5]

    idle = attrs.evolve(LIMITS, linger_seconds=600.0, checkpoint_seconds=600.0)
    on_sides(test, limits=idle)


def test_writes_do_not_wait_for_an_acknowledgement_that_is_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over a distance there is more than one frame on its way."""
    monkeypatch.setattr(committer, "_NEAR_NS", 0)

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"first")

        async def hand_in_while_one_is_under_way() -> None:
            writes = hand_in(pair, 1)
            await asyncio.sleep(0)
            writes += hand_in(pair, 1)
            while pair.a.core.log.durable_lsn < 3:  # noqa: ASYNC110  (as many turns as it takes)
                await asyncio.sleep(0)
            assert not any(write.done() for write in writes)
            await asyncio.gather(*writes)

        await pair.a.do(hand_in_while_one_is_under_way())

    on_direct_sides(test)


def test_a_side_that_acknowledges_alone_leaves_the_loop_a_turn() -> None:
    """A writer whose every write were done when it is handed in would let nobody else live."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.cut()
        await pair.a.write(0, b"alone")  # after the peer timeout

        async def hand_one_in() -> bool:
            (write,) = hand_in(pair, 1)
            done = write.done()
            await write
            return done

        assert pair.a.report.alone
        assert await pair.a.do(hand_one_in()) is False

    on_direct_sides(test)


class Script:
    """Lets the loop commit or not, as the test says, and notes who did."""

    def __init__(self) -> None:
        self.here = True
        self.by: list[str] = []

    def allows(self, who: object) -> bool:
        return self.here

    def committed(self, who: object, in_loop_ns: int = 0) -> None:
        self.by.append("loop" if self.here else "thread")

    def read(self) -> None:
        pass


def test_each_commit_is_made_where_the_site_wants_it() -> None:
    async def test(pair: Sides) -> None:
        scripts = pair.a.promptness, pair.b.promptness = Script(), Script()
        await pair.sync()
        for lsn, here in enumerate((True, False, False, True, True), 1):
            for script in scripts:
                script.here = here
            assert await pair.a.write(0, b"x") == lsn
        for side, script in zip((pair.a, pair.b), scripts, strict=True):
            assert script.by == ["loop", "thread", "thread", "loop", "loop"]
            assert side.core.log.durable_lsn == 5

    on_sides(test)


def test_the_loop_does_not_write_a_log_that_a_thread_is_writing() -> None:
    async def test(pair: Sides) -> None:
        script = pair.a.promptness = Script()
        await pair.sync()
        core = pair.a.core

        async def write_while_a_checkpoint_writes() -> None:
            checkpoint = asyncio.ensure_future(pair.a.replica.applier.checkpoint())
            while core.log.file.idle:  # noqa: ASYNC110  (nothing says when a job begins)
                await asyncio.sleep(0)
            assert not core.commits_now
            (write,) = hand_in(pair, 1)
            assert await write == 2
            await checkpoint

        await pair.a.write(0, b"x")
        await pair.a.do(write_while_a_checkpoint_writes())
        assert script.by[0] == "loop"

    on_sides(test)


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_log_that_fails_fails_the_primary_and_the_write(operation: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.pass_time(0.2)  # no checkpoint is under way
        pair.a.disk.fail_at(1, FaultKind.EIO, operation=operation, path=log_path("A"))
        with pytest.raises(SrError) as caught:
            await pair.a.write(0, b"lost?")
        assert caught.value.code == "SR9225"
        assert pair.a.report.failure

    on_direct_sides(test)


@pytest.mark.parametrize("kind", ["write", "zero"])
def test_a_long_write_whose_first_record_failed_the_log_is_of_unknown_outcome(kind: str) -> None:
    """The peer may have got that record: nobody may say that nothing happened, or wait for ever."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"comes alone, as the next one does")
        await pair.pass_time(0.2)
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="write", path=log_path("A"))
        replica, length = pair.a.replica, 2 * LIMITS.write_bytes
        data = bytes(length)
        work = (
            replica.write(VOLUME, 0, data) if kind == "write" else replica.zero(VOLUME, 0, length)
        )
        with pytest.raises(SrError) as caught:
            await asyncio.wait_for(pair.a.do(work), 60)
        assert caught.value.code == "SR9225"

    async def direct(pair: Sides) -> None:
        pair.a.direct = pair.b.direct = True
        await test(pair)

    on_sides(direct, limits=attrs.evolve(LIMITS, clear_bytes=LIMITS.write_bytes))


def test_a_log_that_fails_fails_the_secondary_alone() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.pass_time(0.2)
        pair.b.disk.fail_at(1, FaultKind.EIO, operation="sync", path=log_path("B"))
        assert await pair.a.write(0, b"alone") == 1
        assert pair.b.report.failure
        assert pair.a.report.alone

    on_direct_sides(test)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_bug_in_the_moment_of_the_commit_is_not_silent(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody awaits a callback; the side fails all the same, and the error is raised somewhere."""

    def crooked(*_: object) -> None:
        raise ValueError("planted")

    async def test(pair: Sides) -> None:
        await pair.sync()
        side = pair.a if name == "a" else pair.b
        monkeypatch.setattr(side.core.log, "append_now", crooked)
        writing = pair.a.begin(pair.a.write(0, b"x"))
        await pair.until(writing.done)
        assert "planted" in side.report.failure
        assert (writing.exception() is None) == (name == "b")

    with pytest.raises(ValueError, match="planted"):
        on_direct_sides(test)
