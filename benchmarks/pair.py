"""Two site processes with replicated groups: what most rows of the suite measure.

Always true:

(1) The first site holds the primaries; the first volume of the first group is called ``source``.
(2) Every log has the same ring, however large the volumes are: what stands before it grows instead.
(3) When the block has ended, however it ended, no process runs and no file is left.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

from benchmarks.distance import distance
from benchmarks.far_site import far_site
from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend, site_settings
from srshell.engine.formatting import metadata_bytes
from srshell.engine.world import Limits
from srshell.model.commits import Commits
from srshell.model.inventory import PoolKind
from srshell.model.replica import Flow, ReplicaReport, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteVolume
from srshell.site.client import SiteClient
from srshell.site.host import Site

_REPLICAS = ("a", "b")
_NAMES = ("source", "destination")
ARRAYS = ("BenchA", "BenchB")
_RING_BYTES = 64 << 20
FABRIC = "f" * 32
#: A copy of a volume of the long form takes a part of this.
_PATIENCE_SECONDS = 600.0


@attrs.frozen
class Shape:
    """How large a pair is: bytes of each volume and of each log's ring."""

    size_bytes: int
    groups: int = 1
    volumes: int = 1  # of each group
    ring_bytes: int = _RING_BYTES

    def names(self, group: int) -> tuple[str, ...]:
        """Return the names of a group's volumes at the primary."""
        return tuple(
            f"v{group}.{volume}" if group or volume else "source"  # short: a log lists them all
            for volume in range(self.volumes)
        )

    @property
    def log_bytes(self) -> int:
        """Return the size of a log volume with that ring."""
        return self.ring_bytes + metadata_bytes([self.size_bytes] * self.volumes)


def partnership_of(group: int) -> str:
    """Return the identity of a group's partnership."""
    return f"{group + 5:032x}"


@attrs.frozen
class Pair:
    """The two sites, and where their files are."""

    sites: tuple[SiteClient | Site, SiteClient]
    pids: tuple[int, int]
    folder: Path
    shape: Shape

    @property
    def size_bytes(self) -> int:
        """Return the size of each volume."""
        return self.shape.size_bytes

    @property
    def inside(self) -> bool:
        """Tell whether the primary lives in this very process."""
        return isinstance(self.sites[0], Site)

    @property
    def source_path(self) -> Path:
        """Return the file of the volume ``source``."""
        return self.folder / "source" / "source"

    def volume(self, name: str = "source") -> Callable[[int, bytes], Awaitable[None]]:
        """Return what writes to a volume of the primary: offset in bytes, and the bytes."""
        return functools.partial(self.sites[0].write, name)

    async def report(self, group: int = 0) -> ReplicaReport:
        """Return what the primary says of itself."""
        return await self.sites[0].replica(partnership_of(group))

    async def start_copy(self) -> None:
        """Let the sides link, the other one first, as an owner does; the first copies begin."""
        for group in range(self.shape.groups):
            for site in reversed(self.sites):
                await site.start_replica(partnership_of(group))

    async def suspend(self) -> None:
        """Let the first primary go on without the other side until `resume`."""
        await self.sites[0].suspend(partnership_of(0))

    async def resume(self) -> None:
        """Let the sides link again."""
        await self.sites[0].resume(partnership_of(0))

    async def until_live(self) -> None:
        """Wait until every group is in sync.  Raises TimeoutError after ten minutes."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for group in range(self.shape.groups):
                while (await self.report(group)).flow is not Flow.LIVE:  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(0.005)

    async def until_applied(self, *, linked: bool = True) -> None:
        """Wait until both sides' volumes hold all that the first primary acknowledged, durably.

        Without a link only its own volumes are waited for.
        """
        acked_lsn = (await self.report()).acked_lsn
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for site in self.sites if linked else self.sites[:1]:
                while (await site.replica(partnership_of(0))).applied_lsn < acked_lsn:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        await asyncio.to_thread(os.sync)

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
    shape: Shape,
    *,
    commits: Commits = Commits.AUTO,
    inside: bool = False,
    round_trip_seconds: float = 0.0,
    limits: Limits | None = None,
) -> AsyncIterator[Pair]:
    """Start two sites with groups whose links are not wanted yet; stop them at the end.

    ``inside``: the primary's site lives in this process, the other one in its own; only then may
    both have other ``limits``.
    """
    folder = Path(tempfile.mkdtemp(prefix="", dir=folder))
    peer_address = site_settings(SitePlan(ARRAYS[1]), folder, FABRIC, 1).listen_address
    backend = NativeBackend(folder, FABRIC, 1)
    plans = [SitePlan(array, commits=commits) for array in ARRAYS]
    own: Site | None = None
    other: SiteClient | None = None
    stack = AsyncExitStack()
    try:
        far = stack.enter_context(distance(peer_address, round_trip_seconds))
        if inside:
            settings = site_settings(plans[0], folder, FABRIC, 1)
            settings.directory.mkdir(parents=True, exist_ok=True)
            settings = attrs.evolve(settings, own_process=True, limits=limits or Limits())
            own = await Site.open(settings)
        else:
            assert limits is None, "a site that a backend starts has its own"
            await backend.start(plans[0])
        if limits is not None:
            settings = site_settings(plans[1], folder, FABRIC, 1)
            settings = attrs.evolve(settings, own_process=True, limits=limits)
            other = await stack.enter_async_context(far_site(settings))
        else:
            await backend.start(plans[1])
        sites = (own or backend.site(ARRAYS[0]), other or backend.site(ARRAYS[1]))
        for index in range(len(ARRAYS)):
            await add_pool(sites[index], index, folder)
            for group in range(shape.groups):
                await provision(sites[index], index, group, folder, shape, far)
        reports = [await site.describe() for site in sites]
        yield Pair(sites, (reports[0].pid, reports[1].pid), folder, shape)
    finally:
        if own is not None:
            await own.close()
        await backend.close(stop_sites=True)
        await stack.aclose()
        shutil.rmtree(folder)


async def add_pool(site: SiteClient | Site, index: int, folder: Path) -> None:
    """Make the folder of a site's volumes: the first one's is called ``source``."""
    pool = folder / _NAMES[index]
    pool.mkdir()
    await site.add_pool(PoolSpec("pool", str(pool), PoolKind.FILE, FABRIC))


async def provision(
    site: SiteClient | Site, index: int, group: int, folder: Path, shape: Shape, peer_address: str
) -> None:
    """Make one side of a group: its volumes, its log, its replica; its link is not wanted yet."""
    name = _NAMES[index]
    pool, partnership = folder / name, partnership_of(group)
    names = [one.replace("source", name) for one in shape.names(group)]
    log_path = str(pool / f"{name}-{group}-log")
    volumes = [SiteVolume(n, str(pool / n), shape.size_bytes, 4096, log=False) for n in names]
    for volume in volumes:
        await site.create_volume(volume)
    log_name = f"{name}-{group}-log"
    await site.create_volume(SiteVolume(log_name, log_path, shape.log_bytes, 4096, log=True))
    await site.create_replica(
        ReplicaSpec(
            partnership=partnership,
            replica=_REPLICAS[index] + partnership[1:],
            peer=_REPLICAS[1 - index] + partnership[1:],
            group=f"{name}-group-{group}",
            peer_group="bench",
            array=ARRAYS[index],
            peer_array=ARRAYS[1 - index],
            role=ReplicaRole.SECONDARY if index else ReplicaRole.PRIMARY,
            initiator=index == 0,
            peer_address=peer_address,
            log_path=log_path,
            log_bytes=shape.log_bytes,
            volumes=tuple(ReplicaVolume(v.name, v.path, shape.size_bytes, 4096) for v in volumes),
        )
    )


def fill(path: Path, *, every: int = 1) -> int:
    """Write data into a volume's file before anything runs on it; return how many bytes.

    ``every``: of so many pieces of 2 MiB the first one gets data, the others stay holes.
    """
    piece = os.urandom(2 << 20)
    size_bytes = path.stat().st_size
    written = 0
    with path.open("r+b") as file:
        for offset in range(0, size_bytes, every * len(piece)):
            file.seek(offset)
            written += file.write(piece[: size_bytes - offset])
        file.flush()
        os.fsync(file.fileno())
        # Pages of large writes would make every later small one dear.
        os.posix_fadvise(file.fileno(), 0, size_bytes, os.POSIX_FADV_DONTNEED)
    return written
