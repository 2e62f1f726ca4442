"""What the checks of role changes allow, warn of, and ask for."""

from typing import Any

import attrs
import pytest

from srshell.fabric import checks
from srshell.fabric.calls import parse_line
from srshell.fabric.checks import Loss, Verdict, View
from srshell.model.inventory import Vm
from srshell.model.replica import ReplicaData, ReplicaRole
from tests.unit.fabric.refusals import CATCHING_UP, COPYING, LOST, SEALED, SPLIT
from tests.unit.fabric.world import GONE, PARTNERSHIP, A, B, failed_over, protected, view


def codes(verdict: Verdict) -> list[str]:
    """The codes of errors, then of warnings; every mend can be read."""
    for error in (*verdict.errors, *verdict.warnings):
        parse_line(error.mend)
    return [error.code for error in (*verdict.errors, *verdict.warnings)]


def busy(known: View) -> View:
    """The same view while another role change holds the group."""
    return attrs.evolve(known, busy={PARTNERSHIP: "job 17"})


# --- failover -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PriRG", "RecRG"])
@pytest.mark.parametrize("kind", ["planned", "unplanned"])
def test_either_group_may_be_named(name: str, kind: str) -> None:
    """Native resolves the direction; R61 holds in the strict profile."""
    loss = Loss(0) if kind == "unplanned" else None
    verdict = checks.check_failover(protected(), name, kind, confirm="RecRG", loss=loss)
    assert verdict.errors == ()
    assert checks.resolve_direction(protected(), name).target == "RecRG"


def test_a_failover_is_confirmed_with_the_group_that_becomes_primary() -> None:
    """The mend is the line to type; a dry run asks for nothing."""
    asked = checks.check_failover(protected(), "PriRG", "planned")
    assert codes(asked) == ["SR0101"]
    assert asked.errors[0].mend == "srshell failover PriRG --planned --confirm RecRG"
    wrong = checks.check_failover(protected(), "PriRG", "planned", confirm="PriRG")
    assert wrong.errors[0].facts == "--confirm must name RecRG, not PriRG"
    assert checks.check_failover(protected(), "PriRG", "planned", ask=False) == Verdict()


def test_a_refused_failover_asks_for_no_confirmation() -> None:
    """Nobody types a name to be told no."""
    assert codes(checks.check_failover(protected(COPYING), "PriRG", "planned")) == ["SR6001"]


@pytest.mark.parametrize(
    ("changes", "mend"),
    [({"suspended": True}, "resume PriRG"), ({"data": ReplicaData.FAILED}, "why PriRG")],
)
def test_nobody_is_told_to_wait_for_what_does_not_come_by_itself(
    changes: dict[str, Any], mend: str
) -> None:
    """A person has to resume it; a side that failed has to be looked at."""
    (error,) = checks.check_failover(protected(changes), "PriRG", "planned").errors
    assert (error.code, error.mend) == ("SR6013", f"srshell {mend}")


def test_the_facts_of_a_refusal_say_how_far_the_copy_is() -> None:
    """R59: what is left, in bytes."""
    error = checks.check_failover(protected(CATCHING_UP), "PriRG", "planned").errors[0]
    assert error.mend == "srshell wait PriRG --until Synchronizing"


def test_a_planned_failover_needs_both_sides() -> None:
    """Without the source there is the unplanned one, without the destination none."""
    no_source = checks.check_failover(protected(here=GONE), "PriRG", "planned")
    assert codes(no_source) == ["SR6003"]
    assert no_source.errors[0].mend == "srshell failover PriRG --unplanned --confirm RecRG"
    no_target = checks.check_failover(protected(there=GONE), "PriRG", "planned")
    assert no_target.errors[0].mend == "srshell restart ClusterB"


def test_an_unplanned_failover_needs_the_destination() -> None:
    """There is nobody to promote."""
    assert codes(checks.check_failover(protected(there=GONE), "PriRG", "unplanned")) == ["SR1105"]


def test_a_living_source_is_fenced_first() -> None:
    """R63: where the owner can stop it, that is said and done."""
    verdict = checks.check_failover(protected(), "PriRG", "unplanned", confirm="RecRG")
    assert (verdict.allowed, codes(verdict)) == (True, ["SR6018"])


@pytest.mark.parametrize(
    ("size_bytes", "accepted", "allowed"),
    [
        (0, None, True),
        (4096, None, False),
        (4096, 4095, False),
        (4096, 4096, True),
        (4096, "unknown", True),
        (None, None, False),
        (None, 10**12, False),
        (None, "unknown", True),
    ],
)
def test_a_loss_has_to_be_accepted(
    size_bytes: int | None, accepted: int | str | None, *, allowed: bool
) -> None:
    """As many bytes as are known to be lost; an unknown loss only as such."""
    known = protected(LOST, LOST, here=GONE)
    verdict = checks.check_failover(
        known, "RecRG", "unplanned", loss=Loss(size_bytes, 3), accept_loss=accepted, confirm="RecRG"
    )
    assert verdict.allowed is allowed
    if not allowed:
        wanted = "unknown" if size_bytes is None else size_bytes
        assert codes(verdict) == ["SR6004"]
        assert verdict.errors[0].mend == (
            f"srshell failover RecRG --unplanned --accept-loss {wanted} --confirm RecRG"
        )


def test_one_role_change_at_a_time() -> None:
    """The holder is named."""
    for verdict in (
        checks.check_failover(busy(protected()), "PriRG", "planned"),
        checks.check_prepare(busy(protected()), "PriRG"),
        checks.check_failback(busy(failed_over()), "PriRG"),
        checks.check_teardown(busy(protected()), "PriRG", confirm="PriRG"),
        checks.check_resolve(busy(protected(SPLIT)), "PriRG", A, B),
    ):
        assert codes(verdict) == ["SR6009"]
        assert verdict.errors[0].facts == "job 17"


def test_two_primaries_are_an_alarm_and_stop_role_changes() -> None:
    """R54: only what both say at this moment counts."""
    both = {"role": ReplicaRole.PRIMARY, "epoch": 2, "writable": True}
    assert codes(checks.check_failover(protected(west=both), "PriRG", "planned")) == ["SR6012"]
    silent = protected(west=both, here={"answered_seconds": 5.0})
    assert checks.check_roles(silent) == Verdict()


def test_a_group_that_is_not_enabled_has_no_roles() -> None:
    """The mend enables it."""
    for verdict in (
        checks.check_failover(view(), "PriRG", "planned"),
        checks.check_failback(view(), "PriRG"),
        checks.check_prepare(view(), "PriRG"),
        checks.check_suspend(view(), "PriRG"),
    ):
        assert codes(verdict) == ["SR5310"]
        assert verdict.errors[0].mend == "srshell enable PriRG RecRG"


def test_a_group_that_does_not_exist_is_answered_with_its_likes() -> None:
    """SR0105 with the nearest names."""
    error = checks.check_failover(protected(), "prirg", "planned").errors[0]
    assert (error.code, error.facts) == ("SR0105", "known: PriRG, RecRG")


def test_preparing_again_changes_nothing() -> None:
    """Neither does failing over from there need more than the name."""
    assert checks.check_prepare(protected(SEALED), "PriRG").already
    sealed = checks.check_failover(protected(SEALED), "RecRG", "planned", confirm="RecRG")
    assert sealed == Verdict()


def test_a_word_for_a_failover_that_is_none_is_refused() -> None:
    """Planned or unplanned."""
    assert codes(checks.check_failover(protected(), "PriRG", "quick")) == ["SR0005"]


# --- failback -----------------------------------------------------------------------------------


def test_a_failback_brings_the_side_in_step_first() -> None:
    """R71: told in native, as the first step of the plan."""
    verdict = checks.check_failback(failed_over(west=CATCHING_UP), "RecRG", confirm="PriRG")
    assert (verdict.allowed, codes(verdict)) == (True, ["SR6021"])


def test_a_failback_needs_both_sides() -> None:
    """R73: the mend restarts the one that is gone."""
    refused = checks.check_failback(failed_over(here=GONE), "RecRG", confirm="PriRG")
    assert (codes(refused), refused.errors[0].mend) == (["SR6003"], "srshell restart ClusterA")


def test_a_failback_is_confirmed_with_the_group_that_returns() -> None:
    """Either group may be named as the one to fail back."""
    asked = checks.check_failback(failed_over(), "RecRG")
    assert asked.errors[0].mend == "srshell failback RecRG --confirm PriRG"
    assert checks.check_failback(failed_over(), "PriRG", confirm="PriRG") == Verdict()


def test_a_machine_at_the_new_primary_does_not_stop_the_failback() -> None:
    """R69 speaks of the machine at the source."""
    there = Vm("NewVM", "RecoveryVol", "RecRG", B)
    assert checks.check_failback(failed_over(vms=(there,)), "RecRG", confirm="PriRG").allowed


def test_the_strict_failback_brings_a_failed_over_side_back() -> None:
    """There the old primary rejoins by this very command."""
    known = failed_over(
        east=LOST, west={**LOST, "alone": True}, joined={"failed_over": True}, strict=True
    )
    assert checks.check_failback(known, "RecRG", confirm="PriRG").allowed


def test_a_failback_is_synchronous() -> None:
    """R72 and R3."""
    verdict = checks.check_failback(failed_over(), "RecRG", mode="async", confirm="PriRG")
    assert codes(verdict) == ["SR3003"]
