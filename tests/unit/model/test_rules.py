"""The article's rules are all there, each with a code and a verdict."""

import pytest

from srshell.model.codes import CODES, all_codes
from srshell.model.inventory import Profile
from srshell.model.rules import CODE_OF_RULE, RULES, Rule, RuleKind, RuleStatus, rule
from srshell.model.rules.entry import read_rules

EACH = pytest.mark.parametrize("entry", RULES, ids=lambda entry: f"R{entry.number}")


def test_the_table_counts_from_1_to_81() -> None:
    """No rule of the article is left out or counted twice."""
    assert [entry.number for entry in RULES] == list(range(1, 82))
    assert rule(59).text.startswith("Failover requires")


@EACH
def test_a_rule_has_a_registered_code(entry: Rule) -> None:
    """The table from rule to code is complete."""
    assert CODE_OF_RULE[entry.number] == entry.code
    assert entry.code in CODES


def test_a_code_names_a_rule_that_names_it_or_shares_its_subject() -> None:
    """The rule behind a code exists; where several codes serve one rule, one of them is its own."""
    for code in all_codes():
        if code.article_rule is not None:
            assert CODE_OF_RULE[code.article_rule][2] in "0123456789"
    own = {CODES[entry.code].article_rule for entry in RULES}
    shared = {12, 32, 74}  # these speak of the same thing as 10, 9 and 66
    assert own == set(range(1, 82)) - shared


@EACH
def test_a_rule_that_is_not_enforced_says_why(entry: Rule) -> None:
    """Warned of, or not applicable: a reader may ask."""
    both = {entry.native, entry.strict}
    if both != {RuleStatus.ENFORCED}:
        assert entry.reason.endswith(".")


@EACH
def test_a_rule_that_applies_is_enforced_by_something(entry: Rule) -> None:
    """And one that does not apply is enforced by nothing."""
    applies = {entry.native, entry.strict} != {RuleStatus.NOT_APPLICABLE}
    assert bool(entry.enforced_by) == applies


@EACH
def test_a_hard_rule_is_let_off_only_with_a_reason(entry: Rule) -> None:
    """H rules are what the engine needs."""
    if entry.kind is RuleKind.HARD and entry.native is not RuleStatus.ENFORCED:
        assert entry.reason


@EACH
def test_a_rule_has_a_sentence_a_place_and_a_mend(entry: Rule) -> None:
    """What the documentation prints."""
    assert entry.text.endswith(".")
    assert entry.place
    assert entry.mend.startswith("srshell ")


def test_the_profiles_differ_where_the_original_refuses_more() -> None:
    """Lab rules and lifted limits; never a rule that only native enforces."""
    stricter = [
        entry.number
        for entry in RULES
        if entry.status(Profile.SEED_STRICT) is not entry.status(Profile.NATIVE)
    ]
    assert stricter == [13, 20, 61, 62, 63, 71]


def test_a_paragraph_that_is_no_rule_is_refused() -> None:
    """A table that cannot be read must not start."""
    with pytest.raises(ValueError, match="no rule"):
        read_rules("R1 B Q SR0001: No such kind.")
