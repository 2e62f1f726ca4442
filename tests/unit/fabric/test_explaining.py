"""Codes and rules are explained, each in the words of its table."""

import pytest

from srshell.fabric.explaining import explained
from srshell.model.codes import CODES
from srshell.model.errors import SrError
from srshell.model.inventory import Profile
from srshell.model.rules import RULES, Rule


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code: str) -> None:
    found = explained(code.lower(), Profile.NATIVE)
    assert (found.code, found.rule) == (code, CODES[code].rule)
    assert found.explanation


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"R{rule.number}")
@pytest.mark.parametrize("profile", Profile)
def test_every_rule_that_a_refusal_names_is_explained(rule: Rule, profile: Profile) -> None:
    """With what becomes of it here, and the reason where it is not enforced."""
    found = explained(f"R{rule.number}", profile)
    assert (found.code, found.rule) == (rule.code, rule.text)
    assert (found.article_rule, found.status) == (rule.number, rule.status(profile).value)
    assert found.reason == rule.reason


@pytest.mark.parametrize("name", ["R0", "R82", "R05", "SR0000", "R", "", "6004"])
def test_what_is_neither_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(SrError, match="SR0105") as refused:
        explained(name, Profile.NATIVE)
    assert "did you mean: " in refused.value.facts
