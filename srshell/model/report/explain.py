"""Why something is as it is: errors, codes and chains of causes.

Always true: an error has the same fields on every surface.
"""

from __future__ import annotations

import attrs

from srshell.model.errors import ERROR_SCHEMA, SrError


@attrs.frozen
class ExplainReport:
    """The long text of a code."""

    code: str
    severity: str
    message: str
    rule: str
    explanation: str
    mend: str
    article_rule: int | None = None
    status: str = ""
    reason: str = ""
    schema: str = "srshell.explain/1"


@attrs.frozen
class WhyReport:
    """Why an object is as it is: the chain from the word that is shown to what was observed."""

    object: str
    chain: tuple[str, ...]
    mend: str = ""
    schema: str = "srshell.why/1"


@attrs.frozen
class ErrorReport:
    """An error as JSON."""

    code: str
    message: str
    rule: str
    facts: str
    mend: str
    article_rule: int | None = None
    schema: str = ERROR_SCHEMA

    @classmethod
    def of(cls, error: SrError) -> ErrorReport:
        """The error as a value."""
        return cls(
            error.code, error.message, error.rule, error.facts, error.mend, error.article_rule
        )
