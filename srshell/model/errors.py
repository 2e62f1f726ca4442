"""What a person is told when a command is refused: a code, a sentence, a rule, facts, a mend.

Always true:

(1) The code is in `srshell.model.codes`; the sentence and the rule come from there.
(2) ``mend`` is one line that can be run as it stands; at the least it explains the code.
(3) The error renders itself: no traceback reaches a person who made a mistake, and no control
    character of a name or of the system's answer reaches a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srshell.model.codes import CODES, ErrorCode
from srshell.model.printable import printable

#: Schema of the JSON object that stands for an error on the wire and on stderr.
ERROR_SCHEMA = "srshell.error/1"


class SrError(Exception):
    """A refusal or failure that a person can read, act on and look up."""

    def __init__(
        self,
        code: str,
        message: str,
        rule: str = "",
        facts: str = "",
        mend: str = "",
        article_rule: int | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.rule = rule
        self.facts = facts
        self.mend = mend
        #: Number of the article's rule (1-81) that was broken, if one was.
        self.article_rule = article_rule

    @classmethod
    def make(
        cls,
        code: str,
        facts: str = "",
        mend: str = "",
        article_rule: int | None = None,
        **names: object,
    ) -> SrError:
        """Build the error for ``code``, filling its sentence and its mend with ``names``.

        Args:
            code: a registered code, such as ``"SR2001"``.
            facts: what was measured, with units.
            mend: one command line; without it the code's own line is filled in.
            article_rule: the rule broken, where one code serves several rules.
            names: the objects that the sentence speaks of.
        """
        entry = CODES[code]
        number = entry.article_rule if article_rule is None else article_rule
        return cls(
            code=code,
            message=_sentence(entry.message, names),
            rule=entry.rule,
            facts=facts,
            mend=mend or _mend_line(entry, names),
            article_rule=number,
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SrError:
        """Rebuild an error that crossed a socket; unknown fields are ignored."""
        number = data.get("article_rule")
        return cls(
            code=str(data.get("code", "SR9999")),
            message=str(data.get("message", "")),
            rule=str(data.get("rule", "")),
            facts=str(data.get("facts", "")),
            mend=str(data.get("mend", "")),
            article_rule=number if isinstance(number, int) else None,
        )

    def to_json(self) -> dict[str, str | int | None]:
        """The error as the JSON object that every surface prints."""
        return {
            "schema": ERROR_SCHEMA,
            "code": self.code,
            "message": self.message,
            "rule": self.rule,
            "facts": self.facts,
            "mend": self.mend,
            "article_rule": self.article_rule,
        }

    def lines(self) -> list[str]:
        """The error as a person reads it: the sentence, then rule, facts and mend."""
        rule = f"{self.rule} (R{self.article_rule})" if self.article_rule else self.rule
        labelled = (("rule", rule), ("facts", self.facts), ("mend", self.mend))
        rows = (f"  {label:<6} {printable(text)}" for label, text in labelled if text)
        return [str(self), *rows]

    def __str__(self) -> str:
        return printable(f"{self.code} {self.message}")

    def __repr__(self) -> str:
        return f"SrError({self.code!r}, {self.message!r}, facts={self.facts!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SrError) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.code, self.message, self.facts))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.code, self.message, self.rule, self.facts, self.mend, self.article_rule)
        return SrError, fields

    def _render_traceback_(self) -> list[str]:
        """IPython and Jupyter print these lines in place of a traceback."""
        return self.lines()


class _Names(dict[str, object]):
    """Names for a sentence; a missing one reads as ``?``: an error must not raise another."""

    def __missing__(self, key: str) -> str:
        return "?"


def _sentence(message: str, names: Mapping[str, object]) -> str:
    """The sentence of a code, filled in: an array, a group."""
    if str(names.get("noun", ""))[:1] in {"a", "e", "i", "o"}:
        message = message.replace(" a {noun}", " an {noun}")
    return message.format_map(_Names(names))


def _mend_line(entry: ErrorCode, names: Mapping[str, object]) -> str:
    """Fill the code's mending line; with a name missing, explain the code instead."""
    try:
        return entry.mend.format_map(dict(names)) or f"srshell explain {entry.code}"
    except KeyError:
        return f"srshell explain {entry.code}"
