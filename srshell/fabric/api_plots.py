"""The verbs whose answers are drawn.

Always true: `srshell.fabric.api` says what holds for every verb; none of these changes anything.
"""
# mypy: disable-error-code="empty-body"
# The decorator performs the verb; there is nothing left for a body to do.

from __future__ import annotations

from srshell.fabric.verb import Name, verb
from srshell.model.report.plots import DrillReport, LagReport, MapReport, TraceReport


class PlotVerbs:
    """Verbs that look at a group over time, and at the fabric as a whole."""

    @verb
    async def lag(self, group: Name, *, last: float | None = None) -> LagReport:
        """How a group fared during the ``last`` seconds, five minutes when not given."""

    @verb
    async def trace_write(self, group: Name) -> TraceReport:
        """Where the time of a write goes, leg by leg."""

    @verb
    async def drawing(self) -> MapReport:
        """Arrays, pools, volumes, groups and the direction in which they replicate."""

    @verb
    async def drill(self, group: Name) -> DrillReport:
        """Every change of roles of a group: who, steps, times, what was lost."""
