"""One rule of the article as data, and the reader of the tables that the rules are written in.

Always true:

(1) A rule has a number (1-81), a code of the error registry and a sentence that can be checked.
(2) In each profile it is enforced, warned of, or not applicable; where it is not enforced in both,
    a reason says why.
(3) ``enforced_by`` names the check that refuses, or the part that makes a violation impossible.

A rule is written as a person reads it; native and strict are ``enforced`` where nothing is said::

    R13 B L SR8003: Each storage server has at least one 1 GbE link.
        native warned
        by     check_pair
        why    A slow link makes writes slower, not less safe.
"""

from __future__ import annotations

import re
from enum import StrEnum

import attrs

from srshell.model.codes import CODES
from srshell.model.inventory import Profile
from srshell.model.paragraphs import read_paragraphs

_HEAD = re.compile(r"R(\d{1,2}) (\S+) ([HLX]|L/H) (SR\d{4}): (.+)")
_LABELS = frozenset({"native", "strict", "by", "why", "mend"})


class RuleKind(StrEnum):
    """Whose rule it is."""

    HARD = "H"  # the engine needs it
    LAB = "L"  # of the original product's surroundings
    LIMIT = "X"  # a limit of the original that srshell lifts


class RuleStatus(StrEnum):
    """What happens when the rule is broken."""

    ENFORCED = "enforced"  # the command is refused, or the violation cannot come about
    WARNED = "warned"  # it is carried out, and a person is told
    NOT_APPLICABLE = "not_applicable"  # nothing here could break it


@attrs.frozen
class Rule:
    """A rule of the article: what it demands, and what srshell does about it."""

    number: int
    code: str
    text: str
    place: str  #: I introduction, B before you start, D deployment step, C command section
    kinds: tuple[RuleKind, ...]
    native: RuleStatus
    strict: RuleStatus
    reason: str
    enforced_by: str
    mend: str

    @property
    def kind(self) -> RuleKind:
        """The kind; where there are two, the first."""
        return self.kinds[0]

    def status(self, profile: Profile) -> RuleStatus:
        """What happens in ``profile`` when the rule is broken."""
        return self.strict if profile is Profile.SEED_STRICT else self.native


def read_rules(table: str) -> tuple[Rule, ...]:
    """Read a table of rules, one per paragraph.

    Raises:
        ValueError: a paragraph does not begin with number, place, kind, code and sentence.
    """
    return tuple(_rule(head, texts) for head, texts in read_paragraphs(table, _LABELS))


def _rule(head: str, texts: dict[str, str]) -> Rule:
    """The rule of one paragraph."""
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError(f"no rule: {head!r}")
    native = RuleStatus(texts["native"] or "enforced")
    return Rule(
        number=int(found[1]),
        code=found[4],
        text=found[5],
        place=found[2],
        kinds=tuple(RuleKind(letter) for letter in found[3].split("/")),
        native=native,
        strict=RuleStatus(texts["strict"] or native),
        reason=texts["why"],
        enforced_by=texts["by"],
        mend=texts["mend"] or CODES[found[4]].mend,
    )
