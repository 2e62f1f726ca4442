"""Role changes and operator's orders: one durable step each, harmless when repeated."""

from __future__ import annotations

import pytest

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT
from srshell.engine.formatting import format_log
from srshell.engine.superblock_file import read_superblock
from srshell.model.errors import SrError
from srshell.model.replica import Flow, LinkState, OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication.source import Phase
from srshell.simulation import Operation
from tests.unit.engine.sides import (
    BLOCK,
    POLICIES,
    VOLUME,
    Side,
    Sides,
    log_path,
    on_sides,
    spec,
)


def test_a_planned_failover_moves_the_lead_and_loses_nothing() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        await pair.planned_failover()
        await pair.in_sync()
        assert (pair.a.report.role, pair.b.report.role) == (
            ReplicaRole.SECONDARY,
            ReplicaRole.PRIMARY,
        )
        assert await pair.b.read(0, BLOCK) == b"x" * BLOCK
        assert await pair.b.write(BLOCK, b"y") == 2
        await pair.until(lambda: pair.a.report.durable_lsn == 2)

    on_sides(test)


def test_each_step_of_a_failover_may_be_repeated() -> None:
    """A new owner does not know how far the old one came."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        a, b = pair.a, pair.b
        lsn = await a.do(a.replica.seal("op"))
        assert await a.do(a.replica.demote("op", 2)) == await a.do(a.replica.demote("op", 2)) == lsn
        first = await b.do(b.replica.promote("op", lsn, alone=False))
        again = await b.do(b.replica.promote("op", lsn, alone=False))
        assert (again.epoch, again.tail_lsn) == (first.epoch, first.tail_lsn) == (2, lsn)
        with pytest.raises(SrError, match="SR6007"):
            await b.do(b.replica.promote("another", lsn, alone=False))

    on_sides(test)


def test_a_secondary_that_ends_elsewhere_is_not_promoted() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x")
        with pytest.raises(SrError, match="SR6010"):
            await pair.b.do(pair.b.replica.promote("op", 7, alone=False))
        assert pair.b.report.role is ReplicaRole.SECONDARY

    on_sides(test)


def test_a_side_without_consistent_data_is_not_promoted() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        with pytest.raises(SrError, match="SR6026"):
            await pair.b.do(pair.b.replica.promote("op", None, alone=True))

    on_sides(test)


def test_suspending_lets_the_primary_go_alone_at_its_next_write() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.a.do(pair.a.replica.suspend())
        assert (pair.a.report.suspended, pair.a.report.link) == (True, LinkState.OFF)
        assert pair.b.report.peer_may_ack_alone
        assert not pair.a.report.alone
        assert await pair.a.write(0, b"x") == 1
        assert pair.a.report.alone
        await pair.a.do(pair.a.replica.suspend())
        await pair.a.do(pair.a.replica.resume())
        await pair.in_sync()
        assert not pair.a.report.alone
        assert pair.b.report.durable_lsn == 1

    on_sides(test)


def test_a_primary_whose_peer_cannot_be_told_is_not_suspended() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.lose_peer()
        with pytest.raises(SrError, match="SR5309"):
            await pair.a.do(pair.a.replica.suspend())
        assert not pair.a.report.suspended
        assert pair.a.source.phase is Phase.HELD

    on_sides(test)


def test_only_a_primary_takes_orders_about_replication() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        replica = pair.b.replica
        for order in (
            replica.suspend(),
            replica.set_policy(OnPeerLoss.IO_ERROR),
            replica.resume(alone=True),
        ):
            with pytest.raises(SrError, match="SR6017"):
                await pair.b.do(order)

    on_sides(test)


def test_a_group_that_was_never_started_has_nothing_to_resume() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        with pytest.raises(SrError, match="SR5308"):
            await pair.a.do(pair.a.replica.resume())
        await pair.start()
        await pair.in_sync()
        await pair.a.do(pair.a.replica.resume())

    on_sides(test)


def test_a_crashed_primary_leads_alone_when_a_person_says_so() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        pair.cut()
        await pair.a.restart()
        assert pair.a.source.phase is Phase.READ_ONLY
        await pair.a.do(pair.a.replica.resume(alone=True))
        assert pair.a.report.alone
        assert await pair.a.write(BLOCK, b"y") == 2
        assert await pair.a.read(0, 1) == b"x"
        await pair.a.do(pair.a.replica.resume(alone=True))

    on_sides(test)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_durable_on_both_sides_when_it_was_set(policy: OnPeerLoss) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.IO_ERROR)
        await pair.a.do(pair.a.replica.set_policy(policy))
        for side in (pair.a, pair.b):
            assert side.core.superblock.on_peer_loss is policy
        assert pair.a.source.on_peer_loss is policy

    on_sides(test)


def test_a_looser_policy_is_not_set_while_the_peer_is_away_and_a_stricter_one_is() -> None:
    """The peer must not go on believing that nothing can be acknowledged without it."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.lose_peer()
        replica = pair.a.replica
        with pytest.raises(SrError, match="SR5309"):
            await pair.a.do(replica.set_policy(OnPeerLoss.CONTINUE))
        writing = pair.a.begin(replica.write(VOLUME, 0, b"x"))
        await pair.pass_time(1.0)
        assert not writing.done()
        await pair.a.do(replica.set_policy(OnPeerLoss.IO_ERROR))
        await pair.until(writing.done)
        assert "SR9225" in str(writing.exception())

    on_sides(test)


def test_a_side_that_is_torn_down_holds_everything_and_no_partnership() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        await pair.until(lambda: pair.b.report.durable_lsn == 1)
        for side in (pair.b, pair.a):
            assert await side.do(side.replica.dismantle()) == 1
            assert side.volume[:BLOCK] == b"x" * BLOCK
            side.kill()
            with pytest.raises(SrError, match="SR9210"):
                await side.open()

    on_sides(test)


async def is_blank(side: Side) -> bool:
    async with await side.world.log_disk.open(log_path(side.name)) as file:
        return await read_superblock(file) is None


@pytest.mark.parametrize("written", range(8))
def test_a_wipe_that_is_interrupted_does_not_bring_a_partnership_back(written: int) -> None:
    """Before each write of it the log says that it was torn down, or nothing at all."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        writes = 0

        def before(operation: Operation) -> None:
            nonlocal writes
            if operation.name == "write" and operation.length in {4, SLOT_BYTES - 4}:
                if writes == written:
                    pair.a.kill()
                writes += 1

        pair.a.disk.before = before
        dismantling = pair.a.begin(pair.a.replica.dismantle())
        await pair.until(lambda: dismantling.done() or not pair.a.is_open)
        assert not dismantling.done()
        pair.a.disk.before = None
        pair.a.disk.power_cut()
        blank = written > SLOT_COUNT or (written > 0 and await is_blank(pair.a))
        if blank:
            with pytest.raises(SrError, match="SR9210"):
                await pair.a.open()
        else:
            await pair.a.open()
            assert (pair.a.report.torn_down, pair.a.report.flow) == (True, Flow.IDLE)
            await pair.a.do(pair.a.replica.dismantle())
            pair.a.kill()
        assert pair.a.volume[:BLOCK] == b"x" * BLOCK
        await format_log(spec("A"), pair.a.world)

    on_sides(test)


def test_a_side_that_failed_is_not_promoted() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.core.fail("the device is worn out")
        await pair.until(lambda: pair.b.core.superblock.data is ReplicaData.FAILED)
        with pytest.raises(SrError, match="SR9220"):
            await pair.b.do(pair.b.replica.promote("op", None, alone=True))

    on_sides(test)
