"""Going alone: refused where it cannot be, said when nothing is done, and never stuck half-way."""

from __future__ import annotations

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.replica import Epoch, Era, OnPeerLoss, Superblock
from srshell.replication import reigns
from srshell.replication.source import Phase
from tests.unit.engine.sides import (
    BLOCK,
    REPLICAS,
    Side,
    Sides,
    in_sync,
    log_path,
    on_sides,
    volume_path,
)


def long_history(superblock: Superblock) -> tuple[Era, ...]:
    """As many epochs as there can be, begun by both sides in turn."""
    (first,) = superblock.history[:1]
    creators = [REPLICAS["B"], REPLICAS["A"]]
    count = reigns.HISTORY_LIMIT - 1
    later = (Era(Epoch(100 + n, n, creators[n % 2]), first.start_lsn) for n in range(count))
    return (first, *later)


async def fill_histories(pair: Sides) -> None:
    """Sides that changed their roles again and again, and were never in sync meanwhile."""
    history = long_history(pair.a.core.superblock)
    for side in (pair.a, pair.b):
        await side.do(side.core.persist(lambda sb: attrs.evolve(sb, history=history)))


@pytest.mark.parametrize("policy", [OnPeerLoss.CONTINUE, OnPeerLoss.SUSPEND_IO])
def test_a_live_link_is_not_left_by_resume_alone(policy: OnPeerLoss) -> None:
    """It would report success and do nothing."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=policy)
        with pytest.raises(SrError, match="SR6029") as refused:
            await pair.a.do(pair.a.replica.resume(alone=True))
        assert "B follows" in refused.value.facts
        assert in_sync(pair.a.report)
        with pytest.raises(SrError, match="SR6017"):
            await pair.b.do(pair.b.replica.resume(alone=True))

    on_sides(test)


def test_resume_alone_takes_the_waiting_writes() -> None:
    """The policy had held them."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.lose_peer()
        writing = pair.a.begin(pair.a.replica.write("data", 0, b"waits"))
        await pair.pass_time(1)
        assert not writing.done()
        await pair.a.do(pair.a.replica.resume(alone=True))
        await writing
        assert pair.a.report.alone
        await pair.a.do(pair.a.replica.resume(alone=True))  # it is so already

    on_sides(test)


def test_a_full_history_holds_the_writes_until_the_peer_is_back() -> None:
    """No acknowledgement in an epoch that cannot begin, no failed replica, no state for ever."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await fill_histories(pair)
        await pair.lose_peer()
        writing = pair.a.begin(pair.a.replica.write("data", 0, b"waits"))
        await pair.until(lambda: pair.a.source.phase is Phase.HELD)
        assert pair.a.report.failure == ""
        assert "SR6025" in pair.a.report.waiting_on
        assert any("cannot go alone" in text for text in pair.a.heard("epoch"))
        with pytest.raises(SrError, match="SR6025") as refused:
            await pair.a.do(pair.a.replica.resume(alone=True))
        assert "32 epochs" in refused.value.facts
        assert refused.value.mend.startswith("srshell wait")
        await pair.pass_time(10)
        assert not writing.done()
        assert not pair.a.report.alone
        pair.mend()
        await writing
        await pair.in_sync()
        assert len(pair.a.core.superblock.history) == reigns.HISTORY_KEPT
        await pair.go_alone(BLOCK, b"again")

    on_sides(test)


def test_a_crashed_primary_with_a_full_history_stays_read_only() -> None:
    """It may lack what its peer holds: an LSN given out now could name another record there."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await fill_histories(pair)
        pair.cut()
        await pair.a.restart()
        with pytest.raises(SrError, match="SR6025"):
            await pair.a.do(pair.a.replica.resume(alone=True))
        assert pair.a.source.phase is Phase.READ_ONLY
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.writable

    on_sides(test)


def test_a_race_for_the_last_epoch_ends_where_it_began() -> None:
    """The order was checked, then the history filled: the machine is told, and waits."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.cut()
        await pair.a.restart()
        transition = pair.a.core.transition
        await transition.acquire()
        resuming = pair.a.begin(pair.a.replica.resume(alone=True))
        await pair.until(lambda: pair.a.source.phase is Phase.PARTING)
        history = long_history(pair.a.core.superblock)
        await pair.a.do(pair.a.core.persist(lambda sb: attrs.evolve(sb, history=history)))
        transition.release()
        with pytest.raises(SrError, match="SR6025"):
            await resuming
        assert pair.a.source.phase is Phase.READ_ONLY

    on_sides(test)


def test_a_full_history_is_no_obstacle_to_a_new_peer() -> None:
    """Both sides have agreed: older epochs are nobody's any more."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await fill_histories(pair)
        pair.b.kill()
        for path in (log_path("B"), volume_path("B")):
            pair.b.disk.remove(path)
        await pair.b.format()
        await pair.b.open()
        await pair.b.start()
        await pair.in_sync()
        assert len(pair.a.core.superblock.history) <= reigns.HISTORY_KEPT

    on_sides(test)


def refuses(side: Side, history: tuple[Era, ...]) -> bool:
    """Whether a promotion is refused, with everything left as it was."""
    superblock = side.core.superblock
    return superblock.history == history and superblock.role.value == "secondary"


def test_a_full_history_refuses_a_promotion_and_changes_nothing() -> None:
    """The marks of blocks that a loser has to give back stay, too."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await fill_histories(pair)
        await pair.lose_peer()
        history = pair.b.core.superblock.history
        pair.b.core.dirty.mark(0, 0, BLOCK)
        with pytest.raises(SrError, match="SR6025"):
            await pair.b.do(pair.b.replica.promote("force", None, alone=True))
        assert refuses(pair.b, history)
        assert pair.b.core.dirty.count() == 1

    on_sides(test)


def test_a_full_history_is_no_reason_to_refuse_a_suspension_half_way() -> None:
    """A suspended source goes on alone: it is told at once that it could not."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await fill_histories(pair)
        with pytest.raises(SrError, match="SR6025"):
            await pair.a.do(pair.a.replica.suspend())
        assert in_sync(pair.a.report)
        assert not pair.a.core.superblock.suspended

    on_sides(test)
