"""What the checks of machines, pauses, split brains and tear-down allow, warn of, and ask for."""

import attrs

from srshell.fabric import checks
from srshell.fabric.calls import parse_line
from srshell.fabric.checks import Verdict, View
from srshell.model.replica import Flow, OnPeerLoss, ReplicaData, ReplicaRole
from tests.unit.fabric.refusals import CATCHING_UP, COPYING, LOST, OLD_VM, SEALED, SPLIT
from tests.unit.fabric.world import GONE, PARTNERSHIP, A, B, failed_over, protected, view


def codes(verdict: Verdict) -> list[str]:
    """The codes of errors, then of warnings; every mend can be read."""
    for error in (*verdict.errors, *verdict.warnings):
        parse_line(error.mend)
    return [error.code for error in (*verdict.errors, *verdict.warnings)]


def busy(known: View) -> View:
    """The same view while another role change holds the group."""
    return attrs.evolve(known, busy={PARTNERSHIP: "job 17"})


# --- machines -----------------------------------------------------------------------------------


def test_a_machine_on_a_replicated_volume_needs_no_further_step() -> None:
    """R58: its volume is replicated, and so is what it writes."""
    assert checks.check_add_vm(protected(), "DemoVM", "PrimaryVol") == Verdict()


def test_a_machine_is_created_at_the_destination_after_a_failover() -> None:
    """R66, R74: on the new primary in its first moment, without its peer, and when in sync."""
    alone = failed_over(west={**LOST, "alone": True}, here=GONE, joined={"failed_over": True})
    for known in (failed_over(), failed_over(west=CATCHING_UP), alone):
        assert checks.check_add_vm(known, "DemoVM", "RecoveryVol") == Verdict()


def test_the_machine_left_behind_is_told() -> None:
    """R65: it can be deleted, and has to be before failing back."""
    verdict = checks.check_add_vm(failed_over(vms=(OLD_VM,)), "NewVM", "RecoveryVol")
    assert (verdict.allowed, codes(verdict)) == (True, ["SR9108"])
    assert verdict.warnings[0].mend == "srshell vm rm DemoVM"


def test_a_machine_without_protection_is_added_with_a_warning() -> None:
    """Not every volume is replicated; nobody is to believe it is."""
    verdict = checks.check_add_vm(view(), "DemoVM", "PrimaryVol")
    assert (verdict.allowed, codes(verdict)) == (True, ["SR9101"])
    assert verdict.warnings[0].mend == "srshell enable PriRG RecRG"
    loose = checks.check_add_vm(view(groups=()), "DemoVM", "PrimaryVol")
    assert loose.warnings[0].mend == (
        "srshell group create PrimaryVol-RG --data PrimaryVol --log PrimaryLogVol"
    )


def test_a_machine_is_not_placed_on_a_log() -> None:
    """R36: the log volume carries nothing else."""
    assert codes(checks.check_add_vm(protected(), "DemoVM", "PrimaryLogVol")) == ["SR3008"]


def test_adding_a_machine_again_changes_nothing() -> None:
    """The same name on another volume is refused."""
    known = protected(vms=(OLD_VM,))
    assert checks.check_add_vm(known, "DemoVM", "PrimaryVol").already
    assert codes(checks.check_add_vm(known, "DemoVM", "RecoveryVol")) == ["SR0103"]
    assert checks.check_remove_vm(known, "DemoVM") == Verdict()
    assert codes(checks.check_remove_vm(known, "Demo")) == ["SR0105"]


# --- suspend, resume, policy, resolve -----------------------------------------------------------


def test_suspend_tells_the_destination_first() -> None:
    """Otherwise a later failover could not know what it loses."""
    assert checks.check_suspend(protected(), "RecRG") == Verdict()
    assert checks.check_suspend(protected({"suspended": True}), "PriRG").already
    for known in (protected(there=GONE), protected(LOST, LOST)):
        assert codes(checks.check_suspend(known, "PriRG")) == ["SR5309"]
    assert codes(checks.check_suspend(protected({"started": False}), "PriRG")) == ["SR5307"]


def test_resume_takes_back_a_pause_and_a_seal() -> None:
    """What runs already needs nothing."""
    assert checks.check_resume(protected({"suspended": True}), "PriRG") == Verdict()
    assert checks.check_resume(protected(SEALED), "PriRG") == Verdict()
    assert checks.check_resume(protected(), "PriRG").already
    assert codes(checks.check_resume(protected({"started": False}), "PriRG")) == ["SR5308"]


def test_going_on_alone_says_what_it_means() -> None:
    """Loss unknown, and the array that goes on is named."""
    waiting = protected({**LOST, "unclean": True, "writable": False}, there=GONE)
    bare = checks.check_resume(waiting, "PriRG", alone=True)
    assert codes(bare) == ["SR6004"]
    line = "srshell resume PriRG --alone --accept-loss unknown --confirm ClusterA"
    assert bare.errors[0].mend == line
    asked = checks.check_resume(waiting, "PriRG", alone=True, accept_loss="unknown")
    assert (codes(asked), asked.errors[0].mend) == (["SR0101"], line)
    done = checks.check_resume(waiting, "PriRG", alone=True, accept_loss="unknown", confirm=A)
    assert done == Verdict()
    in_sync = checks.check_resume(protected(), "PriRG", alone=True, accept_loss="unknown")
    assert codes(in_sync) == ["SR5308"]
    gone = checks.check_resume(protected(here=GONE), "PriRG", alone=True)
    assert codes(gone) == ["SR1105"]


def test_a_policy_that_lets_the_source_go_on_needs_the_destination() -> None:
    """A stricter one does not."""
    stricter = checks.check_policy(protected(LOST, LOST), "PriRG", "suspend-io")
    assert stricter == Verdict()
    groups = tuple(
        attrs.evolve(g, on_peer_loss=OnPeerLoss.SUSPEND_IO) for g in view().snapshot.groups
    )
    looser = checks.check_policy(protected(LOST, LOST, groups=groups), "PriRG", "continue")
    assert codes(looser) == ["SR5309"]
    assert checks.check_policy(protected(groups=groups), "PriRG", "continue") == Verdict()
    assert checks.check_policy(view(), "PriRG", "continue").already
    assert codes(checks.check_policy(view(), "PriRG", "stop")) == ["SR0005"]


def test_a_person_resolves_a_split_brain() -> None:
    """The array that loses is typed; nothing is resolved that is not split."""
    asked = checks.check_resolve(protected(SPLIT), "PriRG", A, None)
    assert asked.errors[0].mend == "srshell resolve PriRG --keep ClusterA --confirm ClusterB"
    assert checks.check_resolve(protected(SPLIT), "PriRG", B, A) == Verdict()
    assert codes(checks.check_resolve(protected(), "PriRG", A, B)) == ["SR6023"]
    assert codes(checks.check_resolve(protected(SPLIT), "PriRG", "ClusterC", B)) == ["SR0105"]
    gone = protected(west=SPLIT, here=GONE)
    assert codes(checks.check_resolve(gone, "PriRG", A, B)) == ["SR1105"]


def test_both_sides_stop_when_they_are_split() -> None:
    """R67: every role change names the command that ends it."""
    for verdict in (
        checks.check_failover(protected(SPLIT), "PriRG", "planned"),
        checks.check_failback(failed_over(west=SPLIT), "PriRG"),
        checks.check_prepare(protected(SPLIT), "PriRG"),
    ):
        assert codes(verdict) == ["SR6005"]


# --- tear-down ----------------------------------------------------------------------------------


def test_a_teardown_does_both_sides() -> None:
    """R75: with one side only it says what is left to do."""
    assert checks.check_teardown(protected(), "PriRG", confirm="PriRG") == Verdict()
    half = checks.check_teardown(protected(), "PriRG", this_side_only=True, confirm="PriRG")
    assert (half.allowed, codes(half)) == (True, ["SR7001"])
    assert half.warnings[0].mend == "srshell teardown RecRG --confirm RecRG"


def test_the_second_side_ends_it() -> None:
    """What was torn down already is not asked for again."""
    known = protected(joined={"torn_down": ("PriRG",)})
    assert checks.check_teardown(known, "PriRG").already
    last = checks.check_teardown(known, "RecRG", this_side_only=True, confirm="RecRG")
    assert last == Verdict()
    assert checks.check_teardown(view(), "PriRG").already


def test_a_side_that_is_lost_does_not_hold_the_other() -> None:
    """The mend tears down the side that is left."""
    lost = protected(there=GONE)
    refused = checks.check_teardown(lost, "PriRG", confirm="PriRG")
    mend = "srshell teardown PriRG --this-side-only --confirm PriRG"
    assert (codes(refused), refused.errors[0].mend) == (["SR1105"], mend)
    alone = checks.check_teardown(lost, "PriRG", this_side_only=True, confirm="PriRG")
    assert alone.allowed


def test_a_teardown_waits_for_the_end_of_a_failover() -> None:
    """A sealed source would stay read-only."""
    assert codes(checks.check_teardown(protected(SEALED), "PriRG", confirm="PriRG")) == ["SR7004"]


def test_a_teardown_is_confirmed_and_tells_of_machines() -> None:
    """The machine goes on without protection."""
    known = protected(vms=(OLD_VM,))
    verdict = checks.check_teardown(known, "PriRG")
    assert codes(verdict) == ["SR0101", "SR7005"]
    assert verdict.errors[0].mend == "srshell teardown PriRG --confirm PriRG"


# --- looking ------------------------------------------------------------------------------------


def test_sides_are_compared_when_they_should_be_equal() -> None:
    """During a copy a difference means nothing."""
    assert checks.check_verify(protected(), "PriRG") == Verdict()
    assert codes(checks.check_verify(protected(COPYING), "PriRG")) == ["SR7703"]


def test_a_wait_is_for_a_state_that_can_come() -> None:
    """A group that is not enabled stays as it is."""
    assert checks.check_wait(protected(COPYING), "PriRG", "Synchronizing") == Verdict()
    assert checks.check_wait(protected(), "PriRG", "Synchronizing").already
    assert codes(checks.check_wait(view(), "PriRG", "Synchronizing")) == ["SR5307"]
    assert codes(checks.check_wait(view(), "PriRG", "InSync")) == ["SR0005"]
    assert codes(checks.check_wait(view(), "Nobody", "Synchronizing")) == ["SR0105"]


def test_a_known_array_can_be_restarted() -> None:
    """Even one that is held or down."""
    assert checks.check_restart(view(east=GONE), A) == Verdict()
    assert codes(checks.check_restart(view(), "Elsewhere")) == ["SR1107"]


# --- the view -----------------------------------------------------------------------------------


def test_the_primary_is_what_the_sites_say() -> None:
    """The higher epoch wins; a lone secondary points to the other; at first it is the source."""
    assert protected().primary_of("RecRG") == "PriRG"
    assert failed_over().primary_of("PriRG") == "RecRG"
    stale = failed_over(east={"role": ReplicaRole.PRIMARY, "epoch": 1})
    assert stale.primary_of("PriRG") == "RecRG"
    unheard = view(partnerships=protected().snapshot.partnerships)
    assert unheard.primary_of("RecRG") == "PriRG"
    only = attrs.evolve(failed_over(), facts={A: failed_over().site(A)})
    assert only.primary_of("PriRG") == "RecRG"


def test_the_destination_data_that_is_known_last_is_used() -> None:
    """It decides whether a recovery point can be given at all."""
    around = protected(west={"data": ReplicaData.INCONSISTENT, "flow": Flow.IDLE}).surroundings(
        "PriRG"
    )
    assert around.destination_data is ReplicaData.INCONSISTENT
