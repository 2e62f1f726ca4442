"""Sites without disks: a backend whose two sites move through states as the engine's do.

A fault may be planned before or after any verb of any site: the site then "dies" at that moment,
with the effect of the verb missing or done, as a process would that is killed there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from srshell.backends.base import Evidence, RpoGuarantee, SitePlan, SiteStanding, SiteState
from srshell.model.errors import SrError
from srshell.model.replica import (
    Superblock,
)
from tests.unit.fabric.fake_api import FakeApi
from tests.unit.fabric.fake_world import FakeSite, FakeWorld

__all__ = ["FakeBackend", "FakeSite", "FakeWorld"]


class FakeBackend:
    """Runs the sites of a `FakeWorld` for one owner."""

    name = "fake"
    rpo_guarantee = RpoGuarantee.ZERO

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self._held: set[str] = set()
        self._listeners: list[Callable[[SiteStanding], None]] = []
        self._arrays: set[str] = set()

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        self._arrays.add(plan.array)
        if held:
            self._held.add(plan.array)
            self.world.sites.setdefault(plan.array, FakeSite(plan.array, self.world))
            self.world.down(plan.array)
        else:
            self.world.start(plan.array)
        return self._tell(plan.array)

    def site(self, array: str) -> FakeApi:
        if array not in self._arrays:
            raise SrError.make("SR1107", array=array, mend=f"srshell discover X --as {array}")
        return FakeApi(self.world.sites[array])

    def link_address(self, array: str) -> str:
        return f"unix:{array}"

    def standing(self, array: str) -> SiteStanding:
        up = self.world.sites[array].up
        state = SiteState.RUNNING if up else SiteState.WAITING
        state = SiteState.HELD if array in self._held else state
        return SiteStanding(array, state, 4000 if up else 0)

    def subscribe(self, listener: Callable[[SiteStanding], None]) -> None:
        self._listeners.append(listener)

    async def hold(self, array: str, *, kill: bool = False) -> SiteStanding:
        self._held.add(array)
        self.world.down(array)
        return self._tell(array)

    async def release(self, array: str) -> SiteStanding:
        self._held.discard(array)
        self.world.start(array)
        return self._tell(array)

    async def kill(self, array: str) -> None:
        self.world.down(array)
        self._tell(array)

    async def forget(self, array: str) -> None:
        self._arrays.discard(array)
        self.world.sites.pop(array, None)

    async def evidence(self, array: str, log_path: str) -> Evidence:
        site = self.world.sites[array]
        if site.up:
            raise SrError.make("SR6018", facts="it lives", primary=array, group=log_path)
        if self.world.files_lost:
            raise SrError.make("SR9210", facts="nothing to read", group=log_path, array=array)
        replica = next(r for r in site.replicas.values() if r.log_path == log_path)
        return Evidence(log_path, cast("Superblock", None), replica.last_lsn, replica.alone)

    async def close(self, *, stop_sites: bool = False) -> None:
        return None

    def _tell(self, array: str) -> SiteStanding:
        standing = self.standing(array)
        for listener in self._listeners:
            listener(standing)
        return standing
