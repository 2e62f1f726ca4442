"""A peer whose disk hangs while its process answers keeps writers waiting only for so long."""

from __future__ import annotations

import attrs
import pytest

from srshell.model.replica import OnPeerLoss
from srshell.replication.source import Phase
from tests.unit.engine.sides import BLOCK, LIMITS, VOLUME, Sides, on_sides

STUCK = attrs.evolve(LIMITS, stuck_seconds=2.0)
#: The look at the peer's progress comes with the heartbeat.
LATEST_SECONDS = STUCK.stuck_seconds + 3 * STUCK.heartbeat_seconds


def test_a_primary_goes_on_alone_when_the_disk_of_its_peer_hangs() -> None:
    """Once, and not again for each write; what was written is at the peer when its disk is back."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.disk.hang()
        began = pair.loop.time()
        await pair.a.write(0, b"x" * BLOCK)
        assert pair.a.report.alone
        assert STUCK.stuck_seconds < pair.loop.time() - began < LATEST_SECONDS
        began = pair.loop.time()
        for number in range(50):
            await pair.a.write(number * BLOCK, b"y" * BLOCK)
        assert pair.loop.time() - began < STUCK.stuck_seconds
        pair.b.disk.resume()
        await pair.in_sync()
        await pair.until(lambda: pair.b.report.applied_lsn == pair.a.report.applied_lsn)
        await pair.b.settle()
        assert pair.b.volume == pair.a.volume

    on_sides(test, limits=STUCK)


@pytest.mark.parametrize("policy", [OnPeerLoss.SUSPEND_IO, OnPeerLoss.IO_ERROR])
def test_where_nobody_goes_alone_a_hanging_peer_is_lost_and_said_to_be(policy: OnPeerLoss) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=policy)
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x" * BLOCK))
        phase = Phase.HELD if policy is OnPeerLoss.SUSPEND_IO else Phase.REFUSING
        await pair.until(lambda: pair.a.source.phase is phase)
        assert not pair.a.report.alone
        assert writing.done() is (policy is OnPeerLoss.IO_ERROR)
        pair.b.disk.resume()
        await pair.in_sync()
        if policy is OnPeerLoss.SUSPEND_IO:
            await writing
        else:
            assert writing.exception() is not None

    on_sides(test, limits=STUCK)


def test_a_slow_peer_is_not_a_stuck_one() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        sessions = pair.a.replica.peer_link.sessions
        pair.b.disk.slow_seconds = (STUCK.stuck_seconds / 4, STUCK.stuck_seconds / 3)
        writes = [
            pair.a.begin(pair.a.replica.write(VOLUME, number * BLOCK, b"x" * BLOCK))
            for number in range(20)
        ]
        for write in writes:
            await write
        assert not pair.a.report.alone
        assert pair.a.replica.peer_link.sessions == sessions

    on_sides(test, limits=STUCK)


def test_a_hanging_peer_for_which_nothing_waits_is_left_in_peace() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        sessions = pair.a.replica.peer_link.sessions
        pair.b.disk.hang()
        await pair.pass_time(3 * STUCK.stuck_seconds)
        assert pair.a.replica.peer_link.sessions == sessions
        pair.b.disk.resume()
        await pair.a.write(0, b"x" * BLOCK)
        assert not pair.a.report.alone

    on_sides(test, limits=STUCK)


def test_an_own_disk_that_hangs_is_not_held_against_the_peer() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.a.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x" * BLOCK))
        await pair.pass_time(3 * STUCK.stuck_seconds)
        pair.a.disk.resume()
        await writing
        assert not pair.a.report.alone

    on_sides(test, limits=STUCK)
