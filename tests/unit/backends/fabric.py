"""Owners of one fabric, one after the other, and what they ask of their sites."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from srshell.backends.base import Backend, SitePlan, SiteStanding, SiteState
from srshell.backends.native import NativeBackend
from srshell.backends.supervisor import Pace
from srshell.model.commits import Commits
from srshell.model.inventory import PoolKind
from srshell.model.replica import Flow, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteApi, SiteVolume

MIB: Final = 1024 * 1024
IDENTITY: Final = "f" * 32
PARTNERSHIP: Final = "a" * 32
QUICK: Final = Pace(pause=0.02, pause_max=0.1, ping=0.05, silence=1.0, farewell=10.0)


@attrs.define(eq=False)
class Fabric:
    """A directory and the backends that were made for it."""

    place: Path
    backends: list[NativeBackend] = attrs.field(factory=list)

    def owner(self, term: int = 1) -> NativeBackend:
        """Begin as an owner that knows of no site yet."""
        backend = NativeBackend(self.place, IDENTITY, term, pace=QUICK)
        self.backends.append(backend)
        return backend

    async def close(self) -> None:
        for backend in self.backends:
            await backend.close()


async def add_volumes(site: SiteApi, place: Path, array: str) -> None:
    """Give a site a pool with a data volume of 8 MiB and a log of 12 MiB."""
    pool = place / f"Pool{array}"
    await asyncio.to_thread(pool.mkdir)
    await site.add_pool(PoolSpec(f"Pool{array}", str(pool), PoolKind.FILE, IDENTITY))
    for name, size_bytes, log in ((f"vol{array}", 8 * MIB, False), (f"log{array}", 12 * MIB, True)):
        await site.create_volume(SiteVolume(name, "", size_bytes, 4096, log, f"Pool{array}"))


async def pair(owner: Backend, place: Path, *, commits: Commits = Commits.AUTO) -> None:
    """Replicate volA of site A to volB of site B, and wait until they are in sync."""
    for array in ("A", "B"):
        await owner.start(SitePlan(array, commits=commits))
        await add_volumes(owner.site(array), place, array)
    for array, peer in (("A", "B"), ("B", "A")):
        await owner.site(array).create_replica(_spec(owner, place, array, peer))
    for array in ("B", "A"):
        await owner.site(array).start_replica(PARTNERSHIP)
    await in_sync(owner, "A")


async def in_sync(owner: Backend, array: str) -> None:
    """Wait until a site says that its group is in sync."""
    site = owner.site(array)
    while (await site.replica(PARTNERSHIP)).flow is not Flow.LIVE:
        await site.events((await site.describe()).last_event, 0.1)


async def stands(
    owner: NativeBackend, array: str, holds: Callable[[SiteStanding], bool]
) -> SiteStanding:
    """Wait until the supervisor of a site says what is expected."""
    changed = asyncio.Event()
    owner.subscribe(lambda _: changed.set())
    while not holds(owner.standing(array)):
        changed.clear()
        await changed.wait()
    return owner.standing(array)


async def restarted(owner: NativeBackend, array: str, times: int = 1) -> SiteStanding:
    """Wait until a site runs that was started again so often."""

    def holds(standing: SiteStanding) -> bool:
        return standing.state is SiteState.RUNNING and standing.restarts >= times

    return await stands(owner, array, holds)


def _spec(owner: Backend, place: Path, array: str, peer: str) -> ReplicaSpec:
    pool = place / f"Pool{array}"
    first = array < peer
    return ReplicaSpec(
        partnership=PARTNERSHIP,
        replica=(array * 32).lower(),
        peer=(peer * 32).lower(),
        group=f"group{array}",
        peer_group=f"group{peer}",
        array=array,
        peer_array=peer,
        role=ReplicaRole.PRIMARY if first else ReplicaRole.SECONDARY,
        initiator=first,
        peer_address=owner.link_address(peer),
        log_path=str(pool / f"log{array}"),
        log_bytes=12 * MIB,
        volumes=(ReplicaVolume(f"vol{array}", str(pool / f"vol{array}"), 8 * MIB, 4096),),
    )
