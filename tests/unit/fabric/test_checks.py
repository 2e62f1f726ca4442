"""Every enforced rule is refused with its code, its facts and a line that mends it."""

import re

import pytest

from srshell.fabric import checks
from srshell.fabric.calls import parse_line
from srshell.model.errors import SrError
from srshell.model.rules import RULES, Rule, RuleStatus
from tests.unit.fabric.refusals import REFUSALS, Refusal

EACH = pytest.mark.parametrize("row", REFUSALS, ids=str)


@EACH
def test_a_broken_rule_is_refused_with_its_code_and_number(row: Refusal) -> None:
    """Scripts match on the code, people on the rule."""
    errors = row.broken().errors
    # R32 sums up R9 to R12; the error names the one that was broken.
    numbers = {9} if row.rule == 32 else {row.rule}
    assert row.code in {error.code for error in errors if error.article_rule in numbers}


@EACH
def test_the_first_error_is_the_one_that_is_raised(row: Refusal) -> None:
    """A refusal names one rule; the others would hide it."""
    with pytest.raises(SrError) as raised:
        row.broken().enforce()
    assert raised.value == row.broken().errors[0]


@EACH
def test_the_same_command_in_order_is_allowed(row: Refusal) -> None:
    """A check that refuses everything would pass the tests above."""
    verdict = row.in_order()
    assert verdict.enforce() is verdict


@EACH
def test_every_error_says_what_to_do_in_a_line_that_can_be_read(row: Refusal) -> None:
    """The mend is a command with the real names filled in."""
    for error in row.broken().errors:
        call = parse_line(error.mend)
        assert call.spec.name != "explain", error.mend
        assert not re.search(r"[{}?<>]", error.mend), error.mend
        assert not re.search(r"[{}?]", error.message), error.message


@EACH
def test_a_check_says_the_same_twice(row: Refusal) -> None:
    """Checks run for the plan and again for the command."""
    assert row.broken() == row.broken()


def test_every_rule_that_a_check_enforces_has_a_row() -> None:
    """A rule without a refusal is a promise nobody has tried."""
    positive = {6, 28, 50, 51, 52, 55, 58, 66, 74}
    enforced = {
        rule.number
        for rule in RULES
        if RuleStatus.ENFORCED in {rule.native, rule.strict} and "check_" in rule.enforced_by
    }
    assert enforced - positive == {row.rule for row in REFUSALS}


def test_every_check_that_a_rule_names_exists() -> None:
    """The table of rules does not drift from the code."""
    rooms = {"engine", "session", "health"}
    for rule in RULES:
        for name in rule.enforced_by.split():
            assert name in rooms or callable(getattr(checks, name)), (rule.number, name)


def test_facts_are_measured_values() -> None:
    """Sizes that differ are shown with both values and the difference, to the byte."""
    row = next(row for row in REFUSALS if str(row) == "R9")
    error = row.broken().errors[0]
    assert error.facts == "1 073 741 824 B and 1 073 737 728 B (-4 096 B)"
    assert error.mend == (
        "srshell provision RecoveryVol-2 --on ClusterB/PoolB --size 1G --like PrimaryVol"
    )


def test_an_error_reads_as_four_lines() -> None:
    """What was refused, which rule, what was measured, what mends it."""
    row = next(row for row in REFUSALS if str(row) == "R26")
    assert row.broken().errors[0].lines() == [
        "SR1010 ClusterA is not paired yet.",
        "  rule   arrays are paired before storage is provisioned for replication (R26)",
        "  mend   srshell pair ClusterA ClusterB",
    ]


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.native is not rule.strict], ids=lambda r: f"R{r.number}"
)
def test_the_strict_profile_refuses_what_native_does_not(rule: Rule) -> None:
    """Profiles differ in one direction, and the table says why."""
    assert rule.strict is RuleStatus.ENFORCED
    assert rule.reason
