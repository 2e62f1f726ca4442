"""Our own engine: each site is a process of its own on this machine.

Always true:

(1) Sites outlive the owner; a new owner finds them by the locks in their directories.
(2) Every acknowledged write of a group in sync is durable in both logs: nothing is lost with one
    site.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from srshell.backends.base import Evidence, RpoGuarantee, SitePlan, SiteStanding, SiteState
from srshell.backends.evidence import read_evidence
from srshell.backends.supervisor import Pace, Supervisor
from srshell.model.errors import SrError
from srshell.model.identity import unknown
from srshell.site.client import SiteClient
from srshell.site.rundir import run_directory
from srshell.site.settings import SiteSettings

SITES_DIRECTORY: Final = "sites"


class NativeBackend:
    """See `srshell.backends.base.Backend`."""

    name: Final = "native"
    rpo_guarantee: Final = RpoGuarantee.ZERO

    def __init__(
        self, fabric_directory: Path, fabric: str, owner_term: int, *, pace: Pace | None = None
    ) -> None:
        """Run the sites of a fabric; none is looked for yet.

        Args:
            fabric_directory: the sites' own files go below it.
            fabric: identity of the fabric.
            owner_term: term of the owner that asks.
            pace: times of the supervisors.

        Raises:
            SrError: SR9006, there is no place for sockets.
        """
        self.fabric_directory = fabric_directory.resolve()
        self.fabric = fabric
        self.owner_term = owner_term
        self.run_directory = run_directory(self.fabric_directory)
        self._pace = pace or Pace()
        self._supervisors: dict[str, Supervisor] = {}
        self._listeners: list[Callable[[SiteStanding], None]] = []

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        """See `Backend.start`."""
        assert plan.array not in self._supervisors, plan.array
        settings = site_settings(plan, self.fabric_directory, self.fabric, self.owner_term)
        supervisor = Supervisor(settings, self._tell, held, self._pace)
        self._supervisors[plan.array] = supervisor
        return await supervisor.begin()

    def site(self, array: str) -> SiteClient:
        """See `Backend.site`."""
        return self._of(array).client

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
        return await self._of(array).hold(kill=kill)

    async def release(self, array: str) -> SiteStanding:
        """See `Backend.release`."""
        return await self._of(array).release()

    async def kill(self, array: str) -> None:
        """See `Backend.kill`."""
        await self._of(array).kill()

    async def forget(self, array: str) -> None:
        """See `Backend.forget`."""
        supervisor = self._of(array)
        await supervisor.close(stop=True)
        del self._supervisors[array]

    async def evidence(self, array: str, log_path: str) -> Evidence:
        """See `Backend.evidence`."""
        supervisor = self._of(array)
        mark = await supervisor.living()
        if mark is not None or supervisor.standing.state is not SiteState.HELD:
            what = f"process {mark.pid} lives" if mark else "it is not held, and would start again"
            raise SrError.make("SR6018", facts=what, primary=array, group=log_path)
        return await read_evidence(array, log_path)

    async def close(self, *, stop_sites: bool = False) -> None:
        """See `Backend.close`."""
        supervisors = list(self._supervisors.values())
        self._supervisors.clear()
        await asyncio.gather(*(each.close(stop=stop_sites) for each in supervisors))

    def _of(self, array: str) -> Supervisor:
        supervisor = self._supervisors.get(array)
        if supervisor is None:
            raise unknown_array(array, self._supervisors)
        return supervisor

    def _tell(self, standing: SiteStanding) -> None:
        for listener in self._listeners:
            listener(standing)


def site_settings(
    plan: SitePlan, fabric_directory: Path, fabric: str, owner_term: int
) -> SiteSettings:
    """Return how a site of a fabric is set up; raises SR9006."""
    return SiteSettings(
        array=plan.array,
        fabric=fabric,
        directory=fabric_directory / SITES_DIRECTORY / plan.array,
        run_directory=run_directory(fabric_directory),
        link_address=plan.link_address,
        owner_term=owner_term,
        sandbox=plan.sandbox,
        commits=plan.commits,
    )


def unknown_array(array: str, known: Iterable[str]) -> SrError:
    """Return the error for an array that no site serves."""
    facts = unknown("array", array, known).facts
    return SrError.make("SR1107", facts=facts, array=array, where="WHERE")
