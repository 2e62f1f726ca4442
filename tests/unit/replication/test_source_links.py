"""How a primary and its peer come in step, and what people may order meanwhile."""

import pytest

from srshell.model.replica import OnPeerLoss
from srshell.replication import source
from srshell.replication.source import (
    FENCE_LAG_BYTES,
    Acknowledge,
    AloneDurable,
    CopyFinished,
    FailWaiting,
    Fenced,
    GoAlone,
    InSyncDurable,
    LinkDown,
    LinkSettled,
    LinkUp,
    Part,
    PartRefused,
    PeerConfirmed,
    Phase,
    PolicyChanged,
    SendFence,
)
from tests.unit.replication.sources import in_phase, phase_of, waiting

FAR = FENCE_LAG_BYTES + 1


# A link comes up.


@pytest.mark.parametrize("phase", [Phase.READ_ONLY, Phase.LOST, Phase.HELD, Phase.LONELY])
def test_a_primary_that_was_not_alone_needs_both_logs_at_once(phase: Phase) -> None:
    """Its peer holds every acknowledged write: there is nothing to catch up with alone."""
    primary = waiting(phase)
    primary.handle(LinkUp(10, copying=False, lag_bytes=0))
    assert phase_of(primary) is Phase.FENCING


def test_a_primary_that_was_alone_goes_on_alone_while_the_peer_catches_up() -> None:
    """Writers do not wait for a replay; the recovery point is not zero and is not shown as zero."""
    primary = in_phase(Phase.ALONE)
    assert primary.handle(LinkUp(4, copying=False, lag_bytes=FAR)) == []
    assert phase_of(primary) is Phase.CATCHING_UP
    assert primary.confirmed_lsn == 4


def test_what_the_last_link_had_confirmed_is_forgotten() -> None:
    """The peer may have lost its tail since: only what it says now counts."""
    primary = in_phase(Phase.LOST, last_lsn=12, flushed_lsn=12, confirmed_lsn=12, acked_lsn=12)
    primary.handle(LinkUp(10, copying=False, lag_bytes=0))
    assert primary.confirmed_lsn == 10


def test_a_link_up_acknowledges_what_the_peer_turns_out_to_hold() -> None:
    """The confirmation was lost with the last link, the records were not."""
    primary = waiting(Phase.LOST)
    expected = [Acknowledge(11), SendFence(11)]
    assert primary.handle(LinkUp(11, copying=False, lag_bytes=0)) == expected


def test_a_copy_means_alone() -> None:
    """An inconsistent peer protects nothing, though a fence may have begun to end ``alone``."""
    primary = in_phase(Phase.LOST)
    assert primary.handle(LinkUp(10, copying=True, lag_bytes=0)) == []
    assert phase_of(primary) is Phase.CATCHING_UP
    assert primary.alone


# Catching up, and the fence.


@pytest.mark.parametrize(
    "missing", ["copying", "far", "unsettled"], ids=["blocks", "records", "time"]
)
def test_the_fence_waits_until_the_peer_has_caught_up(missing: str) -> None:
    """Blocks copied, few records on the way, and a link that has held for a while."""
    primary = in_phase(Phase.ALONE, confirmed_lsn=10)
    lag_bytes = FAR if missing == "far" else 0
    event = LinkUp(10, missing == "copying", lag_bytes, settled=missing != "unsettled")
    assert primary.handle(event) == []
    assert phase_of(primary) is Phase.CATCHING_UP
    ends: dict[str, source.SourceEvent] = {
        "copying": CopyFinished(0),
        "far": PeerConfirmed(10, FENCE_LAG_BYTES),
        "unsettled": LinkSettled(),
    }
    assert primary.handle(ends[missing]) == [SendFence(10)]
    assert phase_of(primary) is Phase.FENCING


def test_the_fence_is_sent_when_the_peer_holds_all_that_was_acknowledged() -> None:
    """Otherwise it would call itself consistent without an acknowledged write."""
    primary = in_phase(Phase.ALONE)
    assert primary.handle(LinkUp(8, copying=False, lag_bytes=100)) == []
    assert phase_of(primary) is Phase.FENCING
    assert primary.handle(PeerConfirmed(9, 50)) == []
    assert primary.handle(PeerConfirmed(10, 0)) == [SendFence(10)]


def test_the_fence_is_sent_once_for_one_link() -> None:
    """Each confirmation would repeat it."""
    primary = in_phase(Phase.LOST)
    assert primary.handle(LinkUp(10, copying=False, lag_bytes=0)) == [SendFence(10)]
    assert primary.handle(PeerConfirmed(10, 0)) == []
    primary.handle(LinkDown())
    assert primary.handle(LinkUp(10, copying=False, lag_bytes=0)) == [SendFence(10)]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.FENCING])
@pytest.mark.parametrize("event", [Fenced(10), InSyncDurable()])
def test_a_step_of_the_fence_that_comes_too_late_is_void(
    phase: Phase, event: source.SourceEvent
) -> None:
    """The link broke or a person parted the group: the fence begins anew."""
    primary = waiting(phase)
    assert primary.handle(event) == []
    assert phase_of(primary) is phase


def test_a_link_that_breaks_while_the_peer_catches_up_leaves_the_primary_alone() -> None:
    """As it was before: no new epoch for each attempt."""
    primary = in_phase(Phase.ALONE)
    primary.handle(LinkUp(4, copying=True, lag_bytes=FAR))
    assert primary.handle(LinkDown()) == []
    assert phase_of(primary) is Phase.ALONE


# What people order.


@pytest.mark.parametrize("phase", [Phase.LOST, Phase.HELD, Phase.REFUSING])
def test_told_to_part_the_first_write_makes_the_primary_go_alone(phase: Phase) -> None:
    """A suspended group in which nothing is written stays in step, and cannot split."""
    quiet = in_phase(phase)
    assert quiet.handle(Part()) == []
    assert phase_of(quiet) is Phase.LONELY
    assert waiting(phase).handle(Part()) == [GoAlone()]


def test_told_to_part_a_crashed_primary_begins_its_epoch_before_any_write() -> None:
    """The peer may hold records under the LSNs that it would give out."""
    primary = in_phase(Phase.READ_ONLY)
    assert primary.handle(Part()) == [GoAlone()]
    assert phase_of(primary) is Phase.PARTING
    assert primary.handle(AloneDurable()) == []
    assert phase_of(primary) is Phase.ALONE


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.FENCING, Phase.CATCHING_UP])
def test_nobody_parts_on_a_live_link(phase: Phase) -> None:
    """The peer would go on following an epoch that its history does not have."""
    primary = waiting(phase)
    assert primary.handle(Part()) == []
    assert phase_of(primary) is phase


@pytest.mark.parametrize("phase", [Phase.ALONE, Phase.LONELY, Phase.PARTING])
def test_parting_twice_is_parting_once(phase: Phase) -> None:
    """A repeated order begins no second epoch."""
    primary = in_phase(phase)
    assert primary.handle(Part()) == []
    assert phase_of(primary) is phase


@pytest.mark.parametrize("phase", [Phase.LONELY, Phase.HELD, Phase.REFUSING])
def test_a_new_policy_counts_at_once_for_a_peer_that_is_away(phase: Phase) -> None:
    """An operator changes it because writers wait or fail now."""
    primary = waiting(phase)
    assert primary.handle(PolicyChanged(OnPeerLoss.CONTINUE)) == [GoAlone()]
    held = waiting(phase)
    assert held.handle(PolicyChanged(OnPeerLoss.SUSPEND_IO)) == []
    assert phase_of(held) is Phase.HELD
    refusing = waiting(phase)
    assert refusing.handle(PolicyChanged(OnPeerLoss.IO_ERROR)) == [FailWaiting()]


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.LOST, Phase.ALONE, Phase.PARTING])
def test_a_new_policy_waits_for_the_next_loss_otherwise(phase: Phase) -> None:
    """It says what to do after a peer timeout, and none has passed or it is done."""
    primary = waiting(phase)
    assert primary.handle(PolicyChanged(OnPeerLoss.IO_ERROR)) == []
    assert phase_of(primary) is phase
    assert primary.on_peer_loss is OnPeerLoss.IO_ERROR


def test_going_alone_for_a_copy_changes_no_phase() -> None:
    """A handshake makes ``alone`` durable before it asks for a copy."""
    primary = in_phase(Phase.READ_ONLY)
    assert primary.handle(AloneDurable()) == []
    assert primary.alone
    assert phase_of(primary) is Phase.READ_ONLY


@pytest.mark.parametrize("phase", [Phase.READ_ONLY, Phase.PARTING])
def test_a_crashed_primary_takes_over_the_longer_tail_of_its_peer(phase: Phase) -> None:
    """Nothing of it is acknowledged by that; the handshake goes on from there."""
    primary = in_phase(phase)
    primary.adopt_tail(13)
    assert (primary.last_lsn, primary.flushed_lsn, primary.acked_lsn) == (13, 13, 10)


def test_a_primary_that_takes_writes_takes_no_tail() -> None:
    """Its own LSNs are the longest: a longer peer is a mistake of ours."""
    with pytest.raises(AssertionError):
        in_phase(Phase.LOST).adopt_tail(13)


@pytest.mark.parametrize(("unclean", "phase"), [(True, Phase.READ_ONLY), (False, Phase.HELD)])
def test_a_new_epoch_that_cannot_begin_leaves_the_primary_waiting(
    *, unclean: bool, phase: Phase
) -> None:
    """Its peer alone can help; one that crashed admits no write until it has met it."""
    primary = waiting(Phase.PARTING)
    assert primary.handle(PartRefused(unclean)) == []
    assert phase_of(primary) is phase
    assert not primary.alone


@pytest.mark.parametrize("phase", [Phase.FENCING, Phase.LIVE, Phase.ALONE])
def test_a_refusal_that_comes_late_changes_nothing(phase: Phase) -> None:
    """The peer came back meanwhile."""
    primary = in_phase(phase)
    assert primary.handle(PartRefused(unclean=False)) == []
    assert phase_of(primary) is phase
