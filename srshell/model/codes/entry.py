"""One entry of the error registry, and the reader of the tables that the entries are written in.

Always true:

(1) A code is ``SR`` and four digits; the first digit names the family.
(2) ``message`` is a sentence, ``mend`` a command line or empty; both hold ``{names}`` to fill in.
(3) ``article_rule`` is the rule of the article (1-81) behind the code; None when it is ours.

An entry is written as it is read by a person; the rule's number is left out where there is none::

    SR1004 error R24: The array {array} does not carry the name of its cluster {cluster}.
        rule  the name of an array equals the name of its cluster
        why   The pool was labelled under another name.
        mend  srshell rename {array} {cluster}
"""

from __future__ import annotations

import re
from enum import StrEnum

import attrs

from srshell.model.paragraphs import read_paragraphs

#: What the first digit of a code says.
FAMILIES: dict[str, str] = {
    "0": "asking: words, names, sizes, confirmation",
    "1": "arrays, pools, pairs",
    "2": "volumes",
    "3": "replication groups",
    "4": "enabling protection",
    "5": "refresh, copy and catching up",
    "6": "failover and failback",
    "7": "tear-down and verification",
    "8": "network and environment",
    "9": "processes, files, machines, faults",
}

_HEAD = re.compile(r"(SR\d{4}) (error|warning|event)(?: R(\d{1,2}))?: (.+)")
_LABELS = frozenset({"rule", "why", "mend"})


class Severity(StrEnum):
    """How much a code asks of its reader."""

    ERROR = "error"  # something was refused or failed
    WARNING = "warning"  # it was done, or holds, and a person should know
    EVENT = "event"  # it happened; nothing to do


@attrs.frozen
class ErrorCode:
    """A code, its sentence, the rule behind it, the mending line and the text of `explain`."""

    code: str
    severity: Severity
    message: str
    rule: str
    explanation: str
    mend: str = ""
    article_rule: int | None = None

    @property
    def family(self) -> str:
        """What the first digit of the code says."""
        return FAMILIES[self.code[2]]


def read_entries(table: str) -> tuple[ErrorCode, ...]:
    """Read a table of entries, one per paragraph.

    Raises:
        ValueError: a paragraph does not begin with a code, a severity and a sentence.
    """
    return tuple(_entry(head, texts) for head, texts in read_paragraphs(table, _LABELS))


def _entry(head: str, texts: dict[str, str]) -> ErrorCode:
    """The entry of one paragraph."""
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError(f"no entry of the error registry: {head!r}")
    return ErrorCode(
        code=found[1],
        severity=Severity(found[2]),
        message=found[4],
        rule=texts["rule"],
        explanation=texts["why"],
        mend=texts["mend"],
        article_rule=int(found[3]) if found[3] else None,
    )
