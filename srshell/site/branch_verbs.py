"""The verbs of a site that concern branches, as methods for `Site`.

Always true: `SiteApi` says what each verb does and raises.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from srshell.model.report import NbdExport
from srshell.site.api import BranchList, SiteBranch
from srshell.site.branches import Branches


class BranchVerbs(ABC):
    """What can be done with branches once the site is open."""

    _branches: Branches

    async def branches(self) -> BranchList:
        """See `SiteApi.branches`."""
        self._check_open()
        return await self._branches.listed()

    async def export_branch(self, name: str) -> tuple[NbdExport, ...]:
        """See `SiteApi.export_branch`."""
        self._check_open()
        return await self._branches.export(name)

    async def unexport_branch(self, name: str) -> None:
        """See `SiteApi.unexport_branch`."""
        self._check_open()
        await self._branches.unexport(name)

    async def keep_branch(self, name: str, expires_unix: float) -> SiteBranch:
        """See `SiteApi.keep_branch`."""
        self._check_open()
        return await self._branches.keep(name, expires_unix)

    async def remove_branch(self, name: str, *, expired: bool = False) -> None:
        """See `SiteApi.remove_branch`."""
        self._check_open()
        await self._branches.remove(name, expired=expired)

    @abstractmethod
    def _check_open(self) -> None:
        """Refuse while the site ends."""
