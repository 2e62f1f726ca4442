"""A change that passed its checks and has not begun: what it would do, and how it is done.

Always true:

(1) A verb that changes something returns a `Change`; building it asks and looks, and changes
    nothing.  So a plan and a refused command change nothing, and both run the same checks.
(2) ``carry_out`` runs under the lock that ``exclusive`` names, ``afterwards`` under none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import attrs

from srshell.fabric.findings import Verdict
from srshell.fabric.jobs import JobHandle
from srshell.model.errors import SrError
from srshell.model.report import CheckRow, Note, PlanReport, StepRow

#: The lock that all changes of arrays, volumes and groups share.
SETUP = "setup"


@attrs.frozen
class Change:
    """One change of the fabric, checked and ready."""

    command: str
    about: str  # what is changed, by name
    steps: tuple[StepRow, ...]
    carry_out: Callable[[JobHandle], Awaitable[object]]
    exclusive: str = SETUP
    confirm: str = ""  # what has to be typed after --confirm; empty when nothing has to be
    checks: tuple[CheckRow, ...] = ()
    lost_bytes: int | None = 0
    about_seconds: float | None = None
    #: The result, when nothing is left to do.
    already: object = None
    afterwards: Callable[[JobHandle, object], Awaitable[object]] | None = None
    #: The plans of several commands that are carried out one after the other.
    parts: tuple[PlanReport, ...] = ()

    @property
    def plan(self) -> PlanReport:
        """What would be done."""
        return PlanReport(
            command=self.command,
            steps=self.steps,
            checks=self.checks,
            confirm=self.confirm or None,
            lost_bytes=self.lost_bytes,
            about_seconds=self.about_seconds,
            parts=self.parts,
        )


def steps(*rows: tuple[str, str]) -> tuple[StepRow, ...]:
    """Steps of a plan, from names and sentences."""
    return tuple(StepRow(name, text) for name, text in rows)


def check_rows(verdict: Verdict) -> tuple[CheckRow, ...]:
    """What the rules said, as rows of a plan."""
    rows = [
        CheckRow(error.code, "refused", error.message, error.article_rule)
        for error in verdict.errors
    ]
    rows += [
        CheckRow(error.code, "warning", error.message, error.article_rule)
        for error in verdict.warnings
    ]
    return tuple(rows)


def notes(warnings: Iterable[SrError]) -> tuple[Note, ...]:
    """Warnings as they come with a result."""
    return tuple(Note.of(warning) for warning in warnings)
