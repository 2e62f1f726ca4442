"""Sites in this very process and event loop: for tests, notebooks and programs that embed srshell.

Always true:

(1) A site ends with this process; what it hosts stays on disk, as with a process of its own.
(2) There is no site that lives and does not answer: a held one is closed, its locks are free.
(3) A site that is "killed" is closed in good order, for nothing here can end abruptly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from srshell.backends.base import Evidence, RpoGuarantee, SitePlan, SiteStanding, SiteState
from srshell.backends.evidence import read_evidence
from srshell.backends.native import site_settings, unknown_array
from srshell.engine.world import Limits
from srshell.model.errors import SrError
from srshell.site.api import SiteApi
from srshell.site.host import Site
from srshell.site.rundir import run_directory
from srshell.site.settings import SiteSettings
from srshell.transport import Network


@attrs.define(eq=False)
class _Embedded:
    """One site: how it is set up, how it is doing, and the site itself while it runs."""

    settings: SiteSettings
    standing: SiteStanding
    site: Site | None = None


class EmbeddedBackend:
    """See `srshell.backends.base.Backend`."""

    name: Final = "embedded"
    rpo_guarantee: Final = RpoGuarantee.ZERO

    def __init__(
        self,
        fabric_directory: Path,
        fabric: str,
        owner_term: int,
        *,
        network: Network | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Host the sites of a fabric; see `NativeBackend` for what is given and raised.

        Args:
            fabric_directory: the sites' own files go below it.
            fabric: identity of the fabric.
            owner_term: term of the owner that asks.
            network: carries the links; sockets if there is none.
            limits: times and sizes of the engine.
        """
        self.fabric_directory = fabric_directory.resolve()
        self.fabric = fabric
        self.owner_term = owner_term
        self.run_directory = run_directory(self.fabric_directory)
        self._network = network
        self._limits = limits or Limits()
        self._sites: dict[str, _Embedded] = {}
        self._listeners: list[Callable[[SiteStanding], None]] = []

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        """See `Backend.start`; a site that fails to start is tried again by `release` alone."""
        assert plan.array not in self._sites, plan.array
        settings = site_settings(plan, self.fabric_directory, self.fabric, self.owner_term)
        settings = attrs.evolve(settings, limits=self._limits)
        state = SiteState.HELD if held else SiteState.STARTING
        standing = SiteStanding(plan.array, state, since_unix=time.time())
        self._sites[plan.array] = embedded = _Embedded(settings, standing)
        return standing if held else await self._open(embedded)

    def site(self, array: str) -> SiteApi:
        """See `Backend.site`; to be asked for again after a hold."""
        embedded = self._of(array)
        if embedded.site is not None:
            return embedded.site
        code = "SR9302" if embedded.standing.state is SiteState.HELD else "SR9301"
        raise SrError.make(code, facts=embedded.standing.problem, array=array)

    def link_address(self, array: str) -> str:
        """See `Backend.link_address`."""
        return self._of(array).settings.listen_address

    def standing(self, array: str) -> SiteStanding:
        """See `Backend.standing`."""
        return self._of(array).standing

    def subscribe(self, listener: Callable[[SiteStanding], None]) -> None:
        """See `Backend.subscribe`."""
        self._listeners.append(listener)

    async def hold(self, array: str, *, kill: bool = False) -> SiteStanding:
        """See `Backend.hold`."""
        embedded = self._of(array)
        await self._close(embedded)
        return self._change(embedded, SiteState.HELD)

    async def release(self, array: str) -> SiteStanding:
        """See `Backend.release`."""
        embedded = self._of(array)
        if embedded.site is not None:
            return embedded.standing
        self._change(embedded, SiteState.STARTING)
        return await self._open(embedded)

    async def kill(self, array: str) -> None:
        """See `Backend.kill`."""
        embedded = self._of(array)
        await self._close(embedded)
        self._change(embedded, SiteState.WAITING, "it was ended")
        await self._open(embedded)

    async def forget(self, array: str) -> None:
        """See `Backend.forget`."""
        await self._close(self._of(array))
        del self._sites[array]

    async def evidence(self, array: str, log_path: str) -> Evidence:
        """See `Backend.evidence`."""
        if self._of(array).site is not None:
            raise SrError.make("SR6018", facts="it runs", primary=array, group=log_path)
        return await read_evidence(array, log_path)

    async def close(self, *, stop_sites: bool = False) -> None:
        """See `Backend.close`; the sites end in any case."""
        for embedded in self._sites.values():
            await self._close(embedded)
        self._sites.clear()

    async def _open(self, embedded: _Embedded) -> SiteStanding:
        try:
            embedded.site = await Site.open(embedded.settings, network=self._network)
        except SrError as error:
            self._change(embedded, SiteState.WAITING, f"{error}: {error.facts}")
            raise
        return self._change(embedded, SiteState.RUNNING)

    async def _close(self, embedded: _Embedded) -> None:
        site, embedded.site = embedded.site, None
        if site is not None:
            await site.close()

    def _change(self, embedded: _Embedded, state: SiteState, problem: str = "") -> SiteStanding:
        pid = os.getpid() if state is SiteState.RUNNING else 0
        embedded.standing = SiteStanding(
            embedded.settings.array, state, pid, time.time(), problem=problem
        )
        for listener in self._listeners:
            listener(embedded.standing)
        return embedded.standing

    def _of(self, array: str) -> _Embedded:
        embedded = self._sites.get(array)
        if embedded is None:
            raise unknown_array(array, self._sites)
        return embedded
