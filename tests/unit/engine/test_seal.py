"""A seal holds writes back for one operation, and ends by itself when no owner is heard."""

from __future__ import annotations

import asyncio

import pytest

from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaRole
from srshell.replication.source import Phase
from tests.unit.engine.sides import LIMITS, VOLUME, Sides, on_sides

LASTS = LIMITS.seal_seconds


async def sealed(pair: Sides, operation: str = "op") -> int:
    return await pair.a.do(pair.a.replica.seal(operation))


def test_a_sealed_primary_says_where_both_logs_end_and_admits_no_write() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"before")
        assert await sealed(pair) == 1
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"after"))
        await pair.pass_time(5.0)
        assert not writing.done()
        assert (pair.a.report.sealed, pair.a.report.writable) == (True, False)
        assert pair.b.report.durable_lsn == 1
        pair.a.replica.unseal("op")
        await pair.until(writing.done)
        assert writing.result() == 2

    on_sides(test)


def test_a_seal_drains_what_was_admitted_before() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"slow"))
        await pair.until(lambda: pair.a.source.last_lsn == 1)
        sealing = pair.a.begin(pair.a.replica.seal("op"))
        await pair.pass_time(2.0)
        assert not sealing.done()
        pair.b.disk.resume()
        await pair.until(sealing.done)
        assert (sealing.result(), writing.done()) == (1, True)

    on_sides(test)


def test_a_seal_of_the_same_operation_may_be_asked_for_again() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        assert await sealed(pair) == await sealed(pair) == 0
        with pytest.raises(SrError, match="SR6009"):
            await sealed(pair, "another")
        pair.a.replica.unseal("another")
        assert pair.a.report.sealed

    on_sides(test)


def test_only_a_primary_in_sync_is_sealed() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        with pytest.raises(SrError, match="SR6017"):
            await pair.b.do(pair.b.replica.seal("op"))
        await pair.go_alone()
        with pytest.raises(SrError, match="SR6013"):
            await sealed(pair)
        assert not pair.a.report.sealed

    on_sides(test)


def test_a_seal_that_loses_its_peer_while_it_drains_is_taken_back() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"slow"))
        await pair.until(lambda: pair.a.source.last_lsn == 1)
        sealing = pair.a.begin(pair.a.replica.seal("op"))
        await pair.pass_time(0.5)
        pair.cut()
        await pair.until(sealing.done)
        assert "SR6013" in str(sealing.exception())
        assert not pair.a.report.sealed
        pair.b.disk.resume()
        pair.mend()
        await pair.until(writing.done)

    on_sides(test)


def test_whoever_loses_patience_while_a_seal_drains_leaves_no_seal() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"slow"))
        await pair.until(lambda: pair.a.source.last_lsn == 1)
        sealing = pair.a.begin(pair.a.replica.seal("op"))
        await pair.pass_time(0.5)
        sealing.cancel()
        await pair.until(sealing.done)
        assert not pair.a.report.sealed
        pair.b.disk.resume()
        pair.mend()
        await pair.until(writing.done)

    on_sides(test)


def test_a_seal_ends_when_no_owner_is_heard_for_as_long_as_it_lasts() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair)
        await pair.pass_time(LASTS - 1)
        assert pair.a.report.sealed
        await pair.pass_time(2)
        assert not pair.a.report.sealed
        assert "unsealed: no owner was heard" in pair.a.heard("state")
        assert await pair.a.write(0, b"on") == 1

    on_sides(test)


def test_a_seal_stays_for_as_long_as_an_owner_is_heard() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair)
        for _ in range(10):
            await pair.pass_time(LASTS / 2)
            pair.a.replica.owner_heard()
        assert pair.a.report.sealed
        await pair.pass_time(LASTS - 1)
        assert pair.a.report.sealed
        await pair.pass_time(2)
        assert not pair.a.report.sealed

    on_sides(test)


def test_the_end_of_an_older_seal_does_not_end_a_younger_one() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair, "first")
        await pair.pass_time(LASTS / 2)
        pair.a.replica.unseal("first")
        await sealed(pair, "second")
        await pair.pass_time(LASTS - 1)
        assert pair.a.report.sealed
        await pair.pass_time(2)
        assert not pair.a.report.sealed

    on_sides(test)


def test_a_closed_replica_leaves_no_timer_behind() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair)
        timer = pair.a.replica.seal_timer
        assert timer is not None
        await pair.a.close()
        assert timer.cancelled()

    on_sides(test)


def test_a_demotion_whose_seal_was_taken_away_meanwhile_demotes_nobody() -> None:
    """Whoever takes a seal away is told that no demotion follows."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair)
        pair.b.disk.hang()  # the demotion waits until the peer has stored what it is told
        demoting = pair.a.begin(pair.a.replica.demote("op", 2))
        await pair.pass_time(0.5)

        async def take_away() -> None:
            async with pair.a.core.transition:
                pair.a.replica.unseal("op")

        await pair.a.do(take_away())
        pair.b.disk.resume()
        await pair.until(demoting.done)
        assert "SR6015" in str(demoting.exception())
        assert pair.a.report.role is ReplicaRole.PRIMARY
        assert await pair.a.write(0, b"on") == 1
        assert pair.a.source.phase is Phase.LIVE

    on_sides(test)


def test_a_demotion_needs_the_seal_of_its_operation() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        with pytest.raises(SrError, match="SR6015"):
            await pair.a.do(pair.a.replica.demote("op", 2))
        await sealed(pair)
        with pytest.raises(SrError, match="SR6015"):
            await pair.a.do(pair.a.replica.demote("another", 2))
        with pytest.raises(SrError, match="SR6017"):
            await pair.b.do(pair.b.replica.demote("op", 2))

    on_sides(test)


def test_a_write_that_waits_behind_a_seal_is_refused_when_the_primary_is_demoted() -> None:
    """It has no LSN, so its outcome is known: it was not made."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await sealed(pair)
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"late"))
        await asyncio.sleep(0)
        await pair.a.do(pair.a.replica.demote("op", 2))
        await pair.until(writing.done)
        assert "SR9224" in str(writing.exception())

    on_sides(test)
