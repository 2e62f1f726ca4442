"""When a write is acknowledged: one sentence for each rule."""

import pytest

from srshell.model.replica import OnPeerLoss
from srshell.replication import source
from srshell.replication.source import (
    Acknowledge,
    AloneDurable,
    CloseFence,
    FailWaiting,
    Fenced,
    FrameBuilt,
    GoAlone,
    InSyncDurable,
    LinkDown,
    LinkUp,
    LogFlushed,
    PeerConfirmed,
    PeerTimeout,
    PersistInSync,
    Phase,
    SendFence,
    Source,
)
from tests.unit.replication.sources import in_phase, phase_of, waiting

BOTH_LOGS = [phase for phase in Phase if phase not in source.ACKS_ALONE]
ALONE_IS_ENOUGH = [phase for phase in Phase if phase in source.ACKS_ALONE]


def acked(instructions: list[source.Instruction]) -> list[int]:
    """Return the LSNs up to which the instructions acknowledge."""
    return [i.lsn for i in instructions if isinstance(i, Acknowledge)]


@pytest.mark.parametrize(
    "legs",
    [[LogFlushed(11), PeerConfirmed(11, 0)], [PeerConfirmed(11, 0), LogFlushed(11)]],
    ids=["peer-last", "log-last"],
)
def test_the_ack_waits_for_the_later_of_log_and_peer(legs: list[source.SourceEvent]) -> None:
    """Both logs, in whichever order they become durable: a remote device can beat a local one."""
    primary = in_phase()
    assert primary.handle(FrameBuilt(11)) == []
    assert primary.handle(legs[0]) == []
    assert primary.handle(legs[1]) == [Acknowledge(11)]


def test_one_confirmation_acknowledges_every_write_before_it() -> None:
    """Frames are durable in order, so the last LSN speaks for all."""
    primary = in_phase(last_lsn=15, flushed_lsn=14)
    assert primary.handle(PeerConfirmed(15, 0)) == [Acknowledge(14)]
    assert primary.handle(LogFlushed(15)) == [Acknowledge(15)]


def test_a_confirmation_that_comes_twice_acknowledges_once() -> None:
    """A heartbeat repeats what the peer holds."""
    primary = waiting(Phase.LIVE)
    assert primary.handle(PeerConfirmed(11, 0)) == [Acknowledge(11)]
    assert primary.handle(PeerConfirmed(11, 0)) == []
    assert primary.handle(PeerConfirmed(9, 0)) == []


@pytest.mark.parametrize("phase", BOTH_LOGS)
def test_the_own_log_is_not_enough(phase: Phase) -> None:
    """Ten phases acknowledge by both logs, whatever else they do when a write is durable here."""
    primary = in_phase(phase, last_lsn=11)
    assert acked(primary.handle(LogFlushed(11))) == []
    assert primary.acked_lsn == 10


@pytest.mark.parametrize("phase", ALONE_IS_ENOUGH)
def test_alone_the_own_log_is_enough(phase: Phase) -> None:
    """Two phases acknowledge by the own log; both have ``alone`` on disk."""
    primary = in_phase(phase, last_lsn=11, copying=True)
    assert acked(primary.handle(LogFlushed(11))) == [11]


@pytest.mark.parametrize("phase", list(Phase))
def test_the_peers_log_is_never_enough(phase: Phase) -> None:
    """Nothing is acknowledged before the own log holds it."""
    primary = in_phase(phase, last_lsn=11)
    assert acked(primary.handle(PeerConfirmed(11, 0))) == []


def test_a_confirmation_heard_before_the_link_broke_still_counts() -> None:
    """The peer holds the write: a link that breaks afterwards does not take it away."""
    primary = in_phase()
    primary.handle(FrameBuilt(11))
    primary.handle(PeerConfirmed(11, 0))
    primary.handle(LinkDown())
    assert primary.handle(LogFlushed(11)) == [Acknowledge(11)]


def test_an_lsn_is_given_out_once() -> None:
    """A frame that begins before the last one is a mistake of ours, not of the world."""
    with pytest.raises(AssertionError):
        in_phase().handle(FrameBuilt(10))


@pytest.mark.parametrize("phase", [Phase.READ_ONLY, Phase.REFUSING, Phase.PARTING])
def test_some_phases_admit_no_write(phase: Phase) -> None:
    """PARTING too: an LSN of the old epoch may name another record at the peer."""
    assert phase not in source.ADMITS_WRITES


def test_every_other_phase_admits_writes() -> None:
    """A short break costs latency, not errors."""
    assert set(Phase) - source.ADMITS_WRITES == {Phase.READ_ONLY, Phase.REFUSING, Phase.PARTING}


# The peer is away.


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.FENCING])
def test_a_lost_link_acknowledges_nothing(phase: Phase) -> None:
    """Until the peer timeout nobody knows whether it is a break or a loss."""
    primary = waiting(phase)
    assert primary.handle(LinkDown()) == []
    assert phase_of(primary) is Phase.LOST


@pytest.mark.parametrize(
    ("policy", "phase", "instructions"),
    [
        (OnPeerLoss.CONTINUE, Phase.PARTING, [GoAlone()]),
        (OnPeerLoss.SUSPEND_IO, Phase.HELD, []),
        (OnPeerLoss.IO_ERROR, Phase.REFUSING, [FailWaiting()]),
    ],
)
def test_after_the_peer_timeout_the_policy_decides(
    policy: OnPeerLoss, phase: Phase, instructions: list[source.Instruction]
) -> None:
    """Go on alone, wait, or fail: what the group was told to do."""
    primary = waiting(Phase.LOST, on_peer_loss=policy)
    assert primary.handle(PeerTimeout()) == instructions
    assert phase_of(primary) is phase


def test_without_a_write_the_primary_does_not_go_alone() -> None:
    """The new epoch is for the first acknowledgement alone, not for the loss: no false splits."""
    primary = in_phase(Phase.LOST)
    assert primary.handle(PeerTimeout()) == []
    assert phase_of(primary) is Phase.LONELY
    primary.handle(FrameBuilt(11))
    assert primary.handle(LogFlushed(11)) == [GoAlone()]
    assert phase_of(primary) is Phase.PARTING


def test_the_first_ack_alone_comes_after_the_new_epoch_is_durable() -> None:
    """A crash in between must find nothing acknowledged."""
    primary = waiting(Phase.PARTING)
    assert primary.handle(LogFlushed(11)) == []
    assert primary.handle(AloneDurable()) == [Acknowledge(11)]
    assert phase_of(primary) is Phase.ALONE
    assert primary.alone


def test_a_write_that_becomes_durable_while_writes_are_refused_is_failed() -> None:
    """It was under way when the policy began to count; its outcome is unknown."""
    primary = in_phase(Phase.REFUSING, last_lsn=11)
    assert primary.handle(LogFlushed(11)) == [FailWaiting()]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.LOST])
def test_a_timeout_that_comes_too_late_changes_nothing(phase: Phase) -> None:
    """The link came back, or the policy has decided already."""
    primary = waiting(phase)
    assert primary.handle(PeerTimeout()) == []
    assert phase_of(primary) is phase


# A write acknowledged alone while the fence closes.


def fenced() -> Source:
    """Return a primary that was alone, whose peer has stored the fence."""
    primary = waiting(Phase.FENCING, alone=True, fence_sent=True)
    assert primary.handle(Fenced(10)) == [PersistInSync(10)]
    return primary


def test_a_link_lost_between_fenced_and_in_sync_allows_no_ack_alone() -> None:
    """The superblock may say already that this side is not alone: only a new epoch allows it."""
    primary = fenced()
    assert not primary.alone
    assert primary.handle(LinkDown()) == []
    assert phase_of(primary) is Phase.LOST
    assert primary.handle(InSyncDurable()) == []
    assert primary.handle(PeerTimeout()) == [GoAlone()]
    assert primary.handle(AloneDurable()) == [Acknowledge(11)]


def test_a_link_lost_before_fenced_goes_on_alone_in_the_same_epoch() -> None:
    """The peer has not been asked to rely on anything yet, and ``alone`` is on disk."""
    primary = waiting(Phase.FENCING, alone=True, fence_sent=True)
    assert primary.handle(LinkDown()) == [Acknowledge(11)]
    assert phase_of(primary) is Phase.ALONE


def test_in_step_the_peer_is_told_that_nobody_is_alone() -> None:
    """The third step of the fence follows the second, never before it."""
    primary = fenced()
    assert primary.handle(InSyncDurable()) == [CloseFence(10)]
    assert phase_of(primary) is Phase.LIVE
    assert primary.handle(PeerConfirmed(11, 0)) == [Acknowledge(11)]


def test_a_side_that_was_never_alone_fences_all_the_same() -> None:
    """The peer that was away must hear that the primary acknowledged nothing without it."""
    primary = waiting(Phase.LOST)
    assert primary.handle(LinkUp(10, copying=False, lag_bytes=100)) == [SendFence(10)]
    assert phase_of(primary) is Phase.FENCING
