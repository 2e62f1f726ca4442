"""The verbs of branches: what losers of split brains wrote.

Always true: `srshell.fabric.api` says what holds for every verb.
"""
# mypy: disable-error-code="empty-body"
# The decorator performs the verb; there is nothing left for a body to do.

from __future__ import annotations

from srshell.fabric.verb import Name, verb
from srshell.model.report import BranchesReport, BranchExport, BranchReport


class BranchVerbs:
    """Verbs that list, serve, keep and remove branches."""

    @verb
    async def branches(self, group: Name | None = None) -> BranchesReport:
        """The branches of all groups, or of one and its partner."""

    @verb
    async def branch(self, name: Name) -> BranchReport:
        """One branch."""

    @verb
    async def export_branch(
        self, name: Name, *, on: bool = True, dry_run: bool = False, wait: bool = True
    ) -> BranchExport:
        """Serve the volumes of a branch over NBD, read-only, or with ``on=False`` no longer."""

    @verb
    async def keep_branch(
        self, name: Name, keep_days: int, *, dry_run: bool = False, wait: bool = True
    ) -> BranchReport:
        """Keep a branch for so many days from now."""

    @verb
    async def remove_branch(
        self,
        name: Name,
        *,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> BranchReport:
        """Remove a branch and give its space back; ``confirm`` names it."""
