"""Two site processes with one replicated group, in sync: what every row of the suite measures."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import attrs

from benchmarks.distance import distance
from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend, site_settings
from srshell.model.inventory import PoolKind
from srshell.model.replica import Flow, ReplicaReport, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteVolume
from srshell.site.client import SiteClient
from srshell.site.host import Site

_PARTNERSHIP = "5" * 32
_REPLICAS = ("a" * 32, "b" * 32)
_ARRAYS = ("BenchA", "BenchB")
_LOG_BYTES = 64 << 20
_FABRIC = "f" * 32
#: A copy of a volume of the long form takes a part of this.
_PATIENCE_SECONDS = 600.0


@attrs.frozen
class Pair:
    """The two sites; the first holds the primary, its volume is called ``source``."""

    sites: tuple[SiteClient | Site, SiteClient]
    pids: tuple[int, int]
    folder: Path
    size_bytes: int

    @property
    def inside(self) -> bool:
        """Tell whether the primary lives in this very process."""
        return isinstance(self.sites[0], Site)

    def volume(self) -> Callable[[int, bytes], Awaitable[None]]:
        """Return what writes to the primary's volume: offset in bytes, and the bytes."""
        return functools.partial(self.sites[0].write, "source")

    async def report(self) -> ReplicaReport:
        """Return what the primary says of itself."""
        return await self.sites[0].replica(_PARTNERSHIP)

    async def start_copy(self) -> None:
        """Let the sides link; the first copy begins."""
        for site in self.sites:
            await site.start_replica(_PARTNERSHIP)

    async def suspend(self) -> None:
        """Let the primary go on without the other side until `resume`."""
        await self.sites[0].suspend(_PARTNERSHIP)

    async def resume(self) -> None:
        """Let the sides link again."""
        await self.sites[0].resume(_PARTNERSHIP)

    async def until_live(self) -> None:
        """Wait until the group is in sync.  Raises TimeoutError after ten minutes."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await self.report()).flow is not Flow.LIVE:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.01)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that both site processes have used."""
        ticks = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def open_pair(
    folder: Path,
    size_bytes: int,
    *,
    direct: bool = False,
    inside: bool = False,
    round_trip_seconds: float = 0.0,
) -> AsyncIterator[Pair]:
    """Start two sites with a group whose link is not wanted yet; stop them at the end.

    ``inside``: the primary's site lives in this process, the other one in its own.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    peer_address = site_settings(SitePlan(_ARRAYS[1]), folder, _FABRIC, 1).listen_address
    backend = NativeBackend(folder, _FABRIC, 1)
    plans = [SitePlan(array, sandbox=not inside, direct_commits=direct) for array in _ARRAYS]
    own: Site | None = None
    stack = ExitStack()
    try:
        far = stack.enter_context(distance(peer_address, round_trip_seconds))
        if inside:
            settings = site_settings(plans[0], folder, _FABRIC, 1)
            settings.directory.mkdir(parents=True, exist_ok=True)
            own = await Site.open(attrs.evolve(settings, own_process=True))
        else:
            await backend.start(plans[0])
        await backend.start(plans[1])
        sites = (own or backend.site(_ARRAYS[0]), backend.site(_ARRAYS[1]))
        for index, name in enumerate(("source", "destination")):
            await _provision(sites[index], index, name, folder, size_bytes, far)
        reports = [await site.describe() for site in sites]
        yield Pair(sites, (reports[0].pid, reports[1].pid), folder, size_bytes)
    finally:
        if own is not None:
            await own.close()
        await backend.close(stop_sites=True)
        stack.close()
        shutil.rmtree(folder)


async def _provision(
    site: SiteClient | Site, index: int, name: str, folder: Path, size_bytes: int, far: str
) -> None:
    array, peer = _ARRAYS[index], _ARRAYS[1 - index]
    pool = folder / name
    pool.mkdir()
    await site.add_pool(PoolSpec("pool", str(pool), PoolKind.FILE, _FABRIC))
    data = SiteVolume(name, str(pool / name), size_bytes, 4096, log=False)
    log = SiteVolume(f"{name}-log", str(pool / f"{name}-log"), _LOG_BYTES, 4096, log=True)
    await site.create_volume(data)
    await site.create_volume(log)
    await site.create_replica(
        ReplicaSpec(
            partnership=_PARTNERSHIP,
            replica=_REPLICAS[index],
            peer=_REPLICAS[1 - index],
            group=f"{name}-group",
            peer_group="bench",
            array=array,
            peer_array=peer,
            role=ReplicaRole.SECONDARY if index else ReplicaRole.PRIMARY,
            initiator=index == 0,
            peer_address=far,
            log_path=log.path,
            log_bytes=_LOG_BYTES,
            volumes=(ReplicaVolume(name, data.path, size_bytes, 4096),),
        )
    )
