"""The long text of a code, or of a rule by its number.

Always true: nothing is asked of owner or sites; the text is the same wherever it is read.
"""

from __future__ import annotations

import re

from srshell.model.codes import CODES
from srshell.model.errors import SrError
from srshell.model.identity import nearest
from srshell.model.inventory import Profile
from srshell.model.report import ExplainReport
from srshell.model.rules import RULES, Rule

_RULE_NUMBER = re.compile(r"R([1-9]\d?)")


def explained(name: str, profile: Profile) -> ExplainReport:
    """Explain a code (SR6004) or a rule (R54), as it is held in ``profile``.

    Raises:
        SrError: SR0105, there is none of that name; with the nearest ones.
    """
    name = name.upper()
    called = _rule_called(name)
    entry = CODES.get(called.code if called else name)
    if entry is None:
        raise _unknown(name)
    rule = called or next((rule for rule in RULES if rule.number == entry.article_rule), None)
    return ExplainReport(
        code=entry.code,
        severity=entry.severity.value,
        message=entry.message,
        rule=called.text if called else entry.rule,
        explanation=entry.explanation,
        mend=entry.mend,
        article_rule=rule.number if rule else None,
        status=rule.status(profile).value if rule else "",
        reason=rule.reason if rule else "",
    )


def _rule_called(name: str) -> Rule | None:
    number = _RULE_NUMBER.fullmatch(name)
    return next((rule for rule in RULES if number and rule.number == int(number[1])), None)


def _unknown(name: str) -> SrError:
    known = [*CODES, *(f"R{rule.number}" for rule in RULES)]
    facts = f"did you mean: {', '.join(nearest(name, known))}"
    return SrError.make("SR0105", facts=facts, mend="srshell events", noun="code", name=name)
