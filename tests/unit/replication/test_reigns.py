"""Role changes and epochs: each durable step writes what its sentence says, and nothing else."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.model.replica import Epoch, Era, OnPeerLoss, ReplicaData, ReplicaRole, Superblock
from srshell.replication import reigns
from tests.unit.replication.superblocks import FIRST, superblock

PRIMARY, SECONDARY = ReplicaRole.PRIMARY, ReplicaRole.SECONDARY


def changes(step: Callable[[Superblock], Superblock], before: Superblock) -> dict[str, Any]:
    """Return the fields that a step changes, with their new values."""
    after = step(before)
    fields = [field.name for field in attrs.fields(Superblock)]
    return {
        name: getattr(after, name)
        for name in fields
        if getattr(after, name) != getattr(before, name)
    }


def test_the_next_epoch_is_above_every_epoch_and_every_promise() -> None:
    """A number is never reused, not even by a side that only promised it."""
    plain = superblock()
    assert reigns.next_epoch(plain, 9) == Epoch(2, 9, "me")
    assert reigns.next_epoch(attrs.evolve(plain, promised_epoch=6), 9) == Epoch(7, 9, "me")
    assert reigns.next_epoch(attrs.evolve(plain, history=()), 9) == Epoch(1, 9, "me")


def test_an_era_begins_where_the_log_ends() -> None:
    """So each frame carries the epoch that the history gives for its LSN."""
    epoch = Epoch(2, 9, "me")
    begun = reigns.begin_era(superblock(), epoch, 12)
    assert begun.history == (FIRST, Era(epoch, 12))


def test_a_sides_own_epoch_is_no_promise() -> None:
    """It may have to follow a peer that leads in a lower epoch, and must not refuse it then."""
    begun = reigns.begin_era(superblock(), Epoch(5, 9, "me"), 12)
    assert begun.promised_epoch == 0


@pytest.mark.parametrize("number", [0, 1])
def test_an_epoch_that_is_not_newer_is_refused(number: int) -> None:
    """Epochs never run backwards."""
    with pytest.raises(reigns.RefusedStep, match="not newer"):
        reigns.begin_era(superblock(), Epoch(number, 9, "me"), 12)


def test_an_epoch_below_a_promise_is_refused() -> None:
    """The promised number itself is the successor's, so it may be begun."""
    promised = superblock(promised_epoch=4)
    with pytest.raises(reigns.RefusedStep):
        reigns.begin_era(promised, Epoch(3, 9, "me"), 12)
    assert reigns.begin_era(promised, Epoch(4, 9, "me"), 12).history[-1].epoch.number == 4


def test_a_full_history_refuses_an_era_of_the_other_side() -> None:
    """It is shortened when both sides are in step."""
    eras = tuple(Era(Epoch(n, 0, "me"), n) for n in range(1, reigns.HISTORY_LIMIT + 1))
    with pytest.raises(reigns.RefusedStep, match="shortened once both sides are in sync"):
        reigns.begin_era(superblock(history=eras), Epoch(99, 0, "other"), 99)


def test_a_full_history_joins_the_newest_eras_of_one_side() -> None:
    """A primary that crashes again and again goes on; the joined era begins where both did."""
    eras = tuple(Era(Epoch(n, 0, "me"), n) for n in range(1, reigns.HISTORY_LIMIT + 1))
    history = reigns.begin_era(superblock(history=eras), Epoch(99, 0, "me"), 99).history
    assert len(history) == reigns.HISTORY_LIMIT
    assert history[-2] == Era(Epoch(reigns.HISTORY_LIMIT, 0, "me"), reigns.HISTORY_LIMIT - 1)
    assert history[:-2] == eras[:-2]


def test_sides_that_agree_forget_what_is_older_than_they_share() -> None:
    """Nobody else could share an older era; a few stay for people to look at."""
    eras = tuple(Era(Epoch(n, 0, "me"), n) for n in range(1, 21))
    mine = superblock(history=eras)
    assert reigns.without_older(mine, eras[:18]).history == eras[-reigns.HISTORY_KEPT :]
    assert reigns.without_older(mine, eras[:5]).history == eras[4:]
    assert reigns.without_older(mine, ()).history == eras[-reigns.HISTORY_KEPT :]


def test_going_alone_begins_an_epoch_and_says_so_in_one_write() -> None:
    """Neither without the other: the flag tells who may have acked, the era tells from where."""
    before = superblock(PRIMARY, unclean=True)
    epoch = Epoch(2, 9, "me")
    assert changes(lambda sb: reigns.go_alone(sb, epoch, 12, 50.0), before) == {
        "history": (FIRST, Era(epoch, 12)),
        "alone": True,
        "unclean": False,
        "lost_unix": 50.0,
    }


def test_the_loss_is_dated_from_when_the_peer_went_away() -> None:
    """Going alone again, after a crash, does not make the peer's lack younger."""
    before = superblock(PRIMARY, lost_unix=20.0)
    assert reigns.go_alone(before, Epoch(2, 9, "me"), 12, 50.0).lost_unix == 20.0


def test_a_crashed_primary_resumes_in_a_new_epoch() -> None:
    """It stays alone if it was: what it acknowledged alone is still missing at the peer."""
    before = superblock(PRIMARY, unclean=True, alone=True)
    epoch = Epoch(2, 9, "me")
    assert changes(lambda sb: reigns.resume_reign(sb, epoch, 12), before) == {
        "history": (FIRST, Era(epoch, 12)),
        "unclean": False,
    }


def test_a_demoted_primary_knows_that_its_peer_may_lead_alone() -> None:
    """From the demotion on the peer may be promoted at any time, also unplanned."""
    before = superblock(PRIMARY, unclean=True)
    assert changes(lambda sb: reigns.demote(sb, "op", 2), before) == {
        "role": SECONDARY,
        "unclean": False,
        "peer_may_ack_alone": True,
        "promised_epoch": 2,
        "operation": "op",
    }


def test_a_demotion_promises_no_more_than_the_successor_will_have() -> None:
    """An owner that names a far epoch must not lock the old primary out for ever."""
    assert reigns.demote(superblock(PRIMARY), "op", 99).promised_epoch == 2
    assert reigns.demote(superblock(PRIMARY, promised_epoch=7), "op", 2).promised_epoch == 7


def test_a_primary_that_acknowledges_alone_cannot_be_demoted() -> None:
    """Its peer lacks acknowledged writes: that would be an unplanned failover by another name."""
    with pytest.raises(reigns.RefusedStep, match="alone"):
        reigns.demote(superblock(PRIMARY, alone=True), "op", 2)


@pytest.mark.parametrize("alone", [True, False])
def test_a_promotion_begins_an_epoch_at_the_own_logs_end(alone: bool) -> None:
    """Everything that belonged to following is over; a side that was given up counts again."""
    before = superblock(
        yields=True, unclean=True, peer_may_ack_alone=True, base_lsn=3, copy_id="c", compare=True
    )
    epoch = Epoch(2, 9, "me")
    expected = {
        "role": PRIMARY,
        "history": (FIRST, Era(epoch, 12)),
        "confirmed_lsn": 12,
        "unclean": False,
        "yields": False,
        "peer_may_ack_alone": False,
        "base_lsn": 0,
        "copy_id": "",
        "compare": False,
        "operation": "op",
    }
    if alone:
        expected["alone"] = True
    promoted = changes(lambda sb: reigns.promote(sb, epoch, 12, "op", alone=alone), before)
    assert promoted == expected


@pytest.mark.parametrize("data", [data for data in ReplicaData if data != ReplicaData.CONSISTENT])
def test_only_consistent_data_is_promoted(data: ReplicaData) -> None:
    """Half a copy is no data."""
    with pytest.raises(reigns.RefusedStep, match=data.value):
        reigns.promote(superblock(data=data), Epoch(2, 9, "me"), 12, "op", alone=True)


def test_a_side_that_is_given_up_follows_but_remembers_that_it_wrote() -> None:
    """``alone`` makes its blocks be copied over; until then it promises nothing."""
    before = superblock(PRIMARY, alone=True, unclean=True)
    assert changes(reigns.give_up, before) == {
        "role": SECONDARY,
        "yields": True,
        "unclean": False,
        "peer_may_ack_alone": True,
    }


def test_a_follower_takes_the_history_and_the_policy_of_its_primary() -> None:
    """And forgets what it was: alone, unclean, given up, a loser of its own peer."""
    history = (FIRST, Era(Epoch(4, 1, "peer"), 8))
    before = superblock(PRIMARY, alone=True, unclean=True, yields=True, lost_unix=5.0)
    joined = changes(lambda sb: reigns.rejoin(sb, history, OnPeerLoss.SUSPEND_IO), before)
    assert joined == {
        "role": SECONDARY,
        "history": history,
        "promised_epoch": 4,
        "on_peer_loss": OnPeerLoss.SUSPEND_IO,
        "alone": False,
        "unclean": False,
        "yields": False,
        "lost_unix": 0.0,
        "peer_may_ack_alone": True,
    }


def test_a_follower_keeps_a_higher_promise() -> None:
    """A promise is kept across any number of handshakes."""
    before = superblock(promised_epoch=9)
    assert reigns.rejoin(before, (FIRST,), OnPeerLoss.CONTINUE).promised_epoch == 9


def test_a_copy_makes_its_target_inconsistent_and_its_log_begin_after_the_base() -> None:
    """In one write, before the first copied block."""
    assert changes(lambda sb: reigns.begin_copy(sb, 30, "c"), superblock()) == {
        "data": ReplicaData.INCONSISTENT,
        "base_lsn": 30,
        "copy_id": "c",
        "checkpoint_lsn": 30,
        "durable_lsn": 30,
    }


def test_the_first_step_of_the_fence_makes_consistent_and_still_expects_acks_alone() -> None:
    """The primary stops only after it has heard of this step."""
    before = superblock(data=ReplicaData.INCONSISTENT, base_lsn=30, copy_id="c")
    stored = changes(lambda sb: reigns.fence_stored(sb, (FIRST,)), before)
    assert stored == {
        "data": ReplicaData.CONSISTENT,
        "peer_may_ack_alone": True,
        "base_lsn": 0,
        "copy_id": "",
    }


def test_the_second_step_of_the_fence_ends_acknowledging_alone() -> None:
    """With it, everything that belonged to catching up."""
    before = superblock(
        PRIMARY, alone=True, unclean=True, lost_unix=5.0, copy_id="c", compare=True, full_copy=True
    )
    assert changes(lambda sb: reigns.in_sync(sb, (FIRST,), 40), before) == {
        "alone": False,
        "unclean": False,
        "confirmed_lsn": 40,
        "lost_unix": 0.0,
        "copy_id": "",
        "compare": False,
        "full_copy": False,
    }


def test_the_third_step_of_the_fence_lets_the_secondary_promise_again() -> None:
    """Only now may it say that a failover loses nothing."""
    before = superblock(peer_may_ack_alone=True)
    assert changes(reigns.fence_closed, before) == {"peer_may_ack_alone": False}


STEPS_OF_A_PRIMARY: list[Callable[[Superblock], Superblock]] = [
    lambda sb: reigns.go_alone(sb, Epoch(2, 9, "me"), 12, 0.0),
    lambda sb: reigns.resume_reign(sb, Epoch(2, 9, "me"), 12),
    lambda sb: reigns.demote(sb, "op", 2),
    lambda sb: reigns.in_sync(sb, (FIRST,), 12),
]


@pytest.mark.parametrize("step", STEPS_OF_A_PRIMARY)
def test_a_secondary_takes_no_step_of_a_primary(
    step: Callable[[Superblock], Superblock],
) -> None:
    """A late task of an old reign changes nothing."""
    with pytest.raises(reigns.RefusedStep, match="not primary"):
        step(superblock(SECONDARY))


def test_a_primary_stores_no_fence() -> None:
    """A fence that arrives after a promotion is void."""
    with pytest.raises(reigns.RefusedStep, match="not secondary"):
        reigns.fence_stored(superblock(PRIMARY), (FIRST,))


@given(st.integers(1, 60))
def test_a_shortened_history_ends_as_the_long_one_does(count: int) -> None:
    """The newest eras are the ones by which two sides find their common point."""
    history = tuple(Era(Epoch(n, 0, "me"), n) for n in range(1, count + 1))
    short = reigns.shortened(history)
    assert 1 <= len(short) <= reigns.HISTORY_KEPT
    assert history[-len(short) :] == short
