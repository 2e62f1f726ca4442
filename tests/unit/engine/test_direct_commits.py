"""A log that is written where the write is made: no task is woken for it, all else is as ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from srshell.codec.log_frame import RecordKind
from srshell.model.errors import SrError
from srshell.simulation import FaultKind
from tests.unit.engine.sides import BLOCK, KIB, VOLUME, Sides, log_path, on_sides


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
        committer = pair.a.replica.committer
        committer.locked.append((0, 0, BLOCK))
        writing = [pair.a.begin(pair.a.write(number * BLOCK, b"x")) for number in range(2)]
        await pair.pass_time(0.1)
        assert not any(write.done() for write in writing)
        committer.locked.clear()
        committer.poke()
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
