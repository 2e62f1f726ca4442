"""The article's rules R1-R81 as data: what each demands, and what srshell does about it.

Always true:

(1) Every number from 1 to 81 appears once, and has a code of the error registry.
(2) A rule that is not enforced in both profiles says why.
(3) What enforces a rule exists: a test looks each check up by its name.
"""

from __future__ import annotations

from typing import Final

from srshell.model.rules.entry import Rule, RuleKind, RuleStatus
from srshell.model.rules.running import RUNNING_RULES
from srshell.model.rules.setup import SETUP_RULES

__all__ = ["CODE_OF_RULE", "RULES", "Rule", "RuleKind", "RuleStatus", "rule"]

#: All rules in the order of their numbers.
RULES: Final[tuple[Rule, ...]] = (*SETUP_RULES, *RUNNING_RULES)

#: The table from rule to code.
CODE_OF_RULE: Final[dict[int, str]] = {entry.number: entry.code for entry in RULES}

_BY_NUMBER: Final = {entry.number: entry for entry in RULES}


def rule(number: int) -> Rule:
    """The rule with ``number``, 1 to 81."""
    return _BY_NUMBER[number]
