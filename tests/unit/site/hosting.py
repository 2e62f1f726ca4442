"""A small fabric of sites in this process, and partnerships between them."""

import asyncio
import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.checksum import Buffer
from srshell.engine.world import Limits
from srshell.model.inventory import PoolKind
from srshell.model.replica import Flow, ReplicaReport, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteVolume
from srshell.site.host import Site
from srshell.site.rundir import run_directory
from srshell.site.settings import SiteSettings
from srshell.storage import OsDisk, RawDisk, RawFile
from srshell.storage.os_disk import OsHandle

MIB: Final = 1024 * 1024
IDENTITY: Final = "f" * 32
PARTNERSHIP: Final = "a" * 32

#: Two sides that find each other at once, and lose each other soon.
QUICK: Final = Limits(
    heartbeat_seconds=0.05,
    peer_timeout_seconds=0.5,
    stable_link_seconds=0.05,
    reconnect_seconds=0.02,
    reconnect_seconds_max=0.05,
)


@attrs.define(eq=False)
class SyncHandle(OsHandle):
    """An open file that tells of each sync before it is made."""

    on_sync: Callable[[], None] = attrs.field(kw_only=True)

    def datasync(self) -> None:
        self.on_sync()
        super().datasync()

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Refuse: syncs are calls of their own here."""
        return False


class SyncDisk(OsDisk):
    """The system's files; counts their syncs, or lets them fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.syncs = 0
        self.fails = fails

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        file = super().open(path, writable=writable, lock=lock)
        assert isinstance(file._handle, OsHandle)
        file._handle = SyncHandle(file._handle.descriptor, on_sync=self._on_sync)
        return file

    def _on_sync(self) -> None:
        self.syncs += 1
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")


@attrs.define(eq=False)
class Fabric:
    """Sites by array; array A has pool PoolA with volume volA and log logA, and so on."""

    place: Path
    sites: dict[str, Site] = attrs.field(factory=dict)
    limits: Limits = QUICK

    def settings(self, array: str = "A") -> SiteSettings:
        return SiteSettings(
            array=array,
            fabric=IDENTITY,
            directory=self.place / "sites" / array,
            run_directory=run_directory(self.place),
            limits=self.limits,
        )

    async def open(
        self, array: str = "A", *, raw: RawDisk | None = None, sandbox: bool = False
    ) -> Site:
        """Open a site with nothing in it that was not there before."""
        settings = attrs.evolve(self.settings(array), sandbox=sandbox)
        site = self.sites[array] = await Site.open(settings, raw=raw)
        return site

    async def with_pool(
        self, array: str = "A", *, raw: RawDisk | None = None, sandbox: bool = False
    ) -> Site:
        """Open a site with a pool."""
        site = await self.open(array, raw=raw, sandbox=sandbox)
        await site.add_pool(self.pool(array))
        return site

    async def with_volumes(
        self, array: str = "A", *, raw: RawDisk | None = None, sandbox: bool = False
    ) -> Site:
        """Open a site with a pool, a data volume of 8 MiB and a log of 12 MiB."""
        site = await self.with_pool(array, raw=raw, sandbox=sandbox)
        await site.create_volume(volume(f"vol{array}", pool=f"Pool{array}", size_bytes=8 * MIB))
        await site.create_volume(log(f"log{array}", pool=f"Pool{array}"))
        return site

    def pool(self, array: str = "A", name: str = "") -> PoolSpec:
        """Specify a pool in a directory, which is made if need be."""
        name = name or f"Pool{array}"
        path = self.place / name
        path.mkdir(exist_ok=True)
        return PoolSpec(name, str(path), PoolKind.FILE, IDENTITY)

    def spec(self, array: str, peer: str, partnership: str = PARTNERSHIP) -> ReplicaSpec:
        """Specify one side; the side whose name comes first is primary and dials."""
        first = array < peer
        pool = self.place / f"Pool{array}"
        return ReplicaSpec(
            partnership=partnership,
            replica=(array * 32).lower(),
            peer=(peer * 32).lower(),
            group=f"group{array}",
            peer_group=f"group{peer}",
            array=array,
            peer_array=peer,
            role=ReplicaRole.PRIMARY if first else ReplicaRole.SECONDARY,
            initiator=first,
            peer_address=self.settings(peer).listen_address,
            log_path=str(pool / f"log{array}"),
            log_bytes=12 * MIB,
            volumes=(ReplicaVolume(f"vol{array}", str(pool / f"vol{array}"), 8 * MIB, 4096),),
        )

    async def in_sync(self, *, sandbox: bool = False) -> tuple[Site, Site]:
        """Open A and B with volA replicated to volB."""
        a = await self.with_volumes("A", sandbox=sandbox)
        b = await self.with_volumes("B", sandbox=sandbox)
        await a.create_replica(self.spec("A", "B"))
        await b.create_replica(self.spec("B", "A"))
        await b.start_replica(PARTNERSHIP)
        await a.start_replica(PARTNERSHIP)
        await reported(a, lambda report: report.flow is Flow.LIVE)
        return a, b

    async def reopen(self, array: str = "A") -> Site:
        """Close a site and open it again."""
        await self.sites[array].close()
        return await self.open(array)

    async def close(self) -> None:
        for site in self.sites.values():
            await site.close()


def volume(name: str = "vol", *, pool: str = "PoolA", size_bytes: int = MIB) -> SiteVolume:
    """Specify a data volume."""
    return SiteVolume(name, "", size_bytes, 4096, log=False, pool=pool)


def log(name: str = "log", *, pool: str = "PoolA", size_bytes: int = 12 * MIB) -> SiteVolume:
    """Specify a log volume."""
    return SiteVolume(name, "", size_bytes, 4096, log=True, pool=pool)


async def reported(
    site: Site, holds: Callable[[ReplicaReport], bool], partnership: str = PARTNERSHIP
) -> ReplicaReport:
    """Wait until a replica reports what is expected; the test's timeout ends a hang."""
    event = 0
    while not holds(report := await site.replica(partnership)):
        events = await site.events(event, 0.05)
        event = events[-1].id if events else event
    return report


async def until(happened: Callable[[], bool]) -> None:
    """Let the loop turn until something has happened."""
    while not happened():  # noqa: ASYNC110 - what is waited for has no event of ours
        await asyncio.sleep(0)
