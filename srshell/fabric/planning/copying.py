"""A copy of a fabric: its catalogue in memory, its sites as they spoke last.

Always true:

(1) What is done to the copy is not done to the fabric: no site, process or file is touched.
(2) The copy is closed with everything that was begun in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import attrs

from srshell.backends.base import (
    Backend,
    Evidence,
    RpoGuarantee,
    SitePlan,
    SiteStanding,
    SiteState,
)
from srshell.fabric.context import Context
from srshell.fabric.planning.site import CopiedSite
from srshell.fabric.planning.world import SiteCopy, World
from srshell.model.errors import SrError
from srshell.model.replica import Superblock
from srshell.site.api import SiteReport


class CopyBackend:
    """Runs the sites of a copy."""

    name = "copy"

    def __init__(self, real: Backend, world: World) -> None:
        self._real = real
        self._world = world
        self.rpo_guarantee: RpoGuarantee = real.rpo_guarantee
        self._started: dict[str, SiteStanding] = {}
        self._listeners: list[Callable[[SiteStanding], None]] = []

    def adopt(self, standing: SiteStanding) -> None:
        """Keep how a real site was doing when the copy was made."""
        self._started[standing.array] = standing

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        """Run a site of the plan."""
        if plan.array not in self._world.sites:
            report = SiteReport(
                array=plan.array, pid=0, as_of=0.0, started_unix=0.0, owner_term=0,
                link_address="", nbd_socket="", pools=(), volumes=(), replicas=(), exports=(),
            )  # fmt: skip
            self._world.add(SiteCopy(report, held=held))
        return self._power(plan.array, up=not held, held=held)

    def site(self, array: str) -> CopiedSite:
        """The verbs of a site of the copy."""
        return CopiedSite(self._known(array), self._world)

    def _known(self, array: str) -> SiteCopy:
        found = self._world.sites.get(array)
        if found is None:
            raise SrError.make("SR1107", array=array, mend="srshell arrays")
        return found

    def link_address(self, array: str) -> str:
        """Where peers would find the site."""
        return f"copy:{array}"

    def standing(self, array: str) -> SiteStanding:
        """How a site is doing in the copy."""
        return self._started.get(array, SiteStanding(array, SiteState.WAITING))

    def subscribe(self, listener: Callable[[SiteStanding], None]) -> None:
        """Be told of every standing that changes."""
        self._listeners.append(listener)

    async def hold(self, array: str, *, kill: bool = False) -> SiteStanding:
        """Stop a site."""
        return self._power(array, up=False, held=True)

    async def release(self, array: str) -> SiteStanding:
        """Start it again."""
        return self._power(array, up=True)

    async def kill(self, array: str) -> None:
        """Let a site die."""
        self._power(array, up=False)

    async def forget(self, array: str) -> None:
        """Stop a site and know it no more."""
        self._power(array, up=False)
        self._world.gone[array] = self._world.sites.pop(array)
        self._started.pop(array, None)

    async def evidence(self, array: str, log_path: str) -> Evidence:
        """What a dead source left is read when it was fenced, which no plan does: nothing yet."""
        return Evidence(log_path, cast("Superblock", None), 0, alone=False)

    async def close(self, *, stop_sites: bool = False) -> None:
        """There is nothing to close."""

    def _power(self, array: str, *, up: bool, held: bool = False) -> SiteStanding:
        site = self._known(array)
        state = SiteState.RUNNING if up else SiteState.HELD if held else SiteState.WAITING
        self._started[array] = SiteStanding(array, state)
        self._world.power(site, up=up, held=held)
        for listener in self._listeners:
            listener(self._started[array])
        return self._started[array]


@attrs.frozen
class FabricCopy:
    """A copy to plan on, and what was counted in it."""

    context: Context
    world: World


@asynccontextmanager
async def copied(context: Context) -> AsyncIterator[FabricCopy]:
    """A copy of a fabric, after its sites were asked how they are."""
    await context.asked_view()
    catalogue = context.catalogue.in_memory()
    world = World(lambda _report, _up: None)
    backend = CopyBackend(context.backend, world)
    copy = Context(
        context.place,
        catalogue,
        cast("Backend", backend),
        context.clock,
        context.owner_term,
        context.owner_pid,
        sandbox=context.sandbox,
        in_process=context.in_process,
        copied=True,
    )
    try:
        copy.busy.update(context.busy)
        copy.sites.take_over(context.sites)
        for array in context.array_names():
            _take_site(context, array, backend, world)
        world.note_links()
        world.tell = copy.sites.learn
        yield FabricCopy(copy, world)
    finally:
        await copy.sites.close(stop_sites=False)
        catalogue.close()


def _take_site(context: Context, array: str, backend: CopyBackend, world: World) -> None:
    """Take one site as it spoke last; one that never spoke is down."""
    standing, report = context.sites.standing(array), context.sites.report(array)
    backend.adopt(standing)
    if report is not None:
        up = context.sites.facts(array).reachable
        held = standing.state is SiteState.HELD
        world.add(SiteCopy(report, up=up, held=held, origin=context.site(array)))
