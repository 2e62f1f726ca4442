"""Two sites of one group: the shipped engine, a faked disk each, and the wires between them.

Always true:

(1) A site is one process with one replica; `Site.boot` opens the log that the last one left.
(2) Whatever a person or a client asks of a site runs in the site's process, and ends with it:
    `Site.ask` then raises `SiteDown`.
(3) Nothing here decides what is right: that is `srshell.simulation.oracle`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import attrs

from srshell.codec.messages import Hello
from srshell.engine.core import ReplicaEvent
from srshell.engine.formatting import format_log
from srshell.engine.replica import Replica
from srshell.engine.world import Limits, World
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.simulation.disk import SimDisk
from srshell.simulation.loop import SimLoop
from srshell.simulation.network import SimNetwork
from srshell.simulation.process import SimProcess
from srshell.simulation.views import View
from srshell.storage import Disk, StorageError
from srshell.transport.link import Link

T = TypeVar("T")

NAMES: Final = ("A", "B")
PARTNERSHIP: Final = "c0" * 16
REPLICAS: Final = {"A": "aa" * 16, "B": "bb" * 16}
#: Where superblock slots end and bitmaps begin; see docs/format.md.
_SLOTS_BYTES: Final = 64 << 10
_PAGE_BYTES: Final = 4096

#: Times a hundredth to a twentieth of the real ones; sizes such that rings wrap and run full.
SMALL_LIMITS: Final = Limits(
    heartbeat_seconds=0.05,
    peer_timeout_seconds=0.25,
    stable_link_seconds=0.15,
    reconnect_seconds=0.02,
    reconnect_seconds_max=0.1,
    commit_notice_seconds=0.002,
    checkpoint_seconds=0.05,
    seal_seconds=3.0,
    handshake_seconds=1.5,
    frame_bytes=16 << 10,
    write_bytes=12 << 10,
    extent_bytes=16 << 10,
    extents_in_flight=2,
    unapplied_bytes=48 << 10,
    ring_bytes_min=64 << 10,
)


class SiteDown(Exception):
    """The site's process ended before it answered, or there is none."""


@attrs.frozen
class Shape:
    """How large everything is, in bytes; both sides are alike."""

    volumes: tuple[int, ...] = (96 << 10, (40 << 10) + 1536)
    ring_bytes: int = 128 << 10
    on_peer_loss: OnPeerLoss = OnPeerLoss.CONTINUE
    seeded: bool = False
    harsh: bool = False
    limits: Limits = SMALL_LIMITS

    @property
    def log_bytes(self) -> int:
        """The log volume: slots, one bitmap page for each volume, ring."""
        return _SLOTS_BYTES + _PAGE_BYTES * len(self.volumes) + self.ring_bytes


class Site:
    """One side: its machine's disk, and, while it is up, its process with the replica."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Begin with an empty disk and no process."""
        self.name = name
        self.peer_name = NAMES[1 - NAMES.index(name)]
        self.disk = SimDisk(cluster.loop, name, harsh=cluster.shape.harsh)
        self.process: SimProcess | None = None
        self.replica: Replica | None = None
        #: Why the last `boot` failed, or the replica of a running process; empty when all is well.
        self.trouble = ""
        self.boots = 0
        #: Grows when the disk is replaced: the names of its files are new ones.
        self.disks = 0
        self.events: list[ReplicaEvent] = []
        self.powered = True
        self._last: View | None = None
        self._cluster = cluster

    @property
    def peer(self) -> Site:
        """The other side."""
        return self._cluster.sites[self.peer_name]

    @property
    def up(self) -> bool:
        """Whether its process runs and the replica was opened."""
        return self.replica is not None and self.process is not None and self.process.alive

    @property
    def view(self) -> View | None:
        """What it has now, or had when it died; None before it was opened."""
        return View.of(self.replica.core) if self.replica is not None and self.up else self._last

    @property
    def role(self) -> ReplicaRole | None:
        """What its superblock says it is; None while it is down."""
        return None if self.replica is None else self.replica.core.superblock.role

    @property
    def superblock_yields(self) -> bool:
        """Whether this side was given up, and has not joined the other yet."""
        return self.replica is not None and self.replica.core.superblock.yields

    @property
    def log_path(self) -> str:
        """The log volume."""
        return f"/{self.name}/log{self.disks}"

    def volume_path(self, index: int) -> str:
        """A data volume."""
        return f"/{self.name}/volume{index}.{self.disks}"

    def spec(self, role: ReplicaRole) -> ReplicaSpec:
        """Return what `format_log` needs for this side."""
        shape = self._cluster.shape
        volumes = tuple(
            ReplicaVolume(f"v{index}", self.volume_path(index), size_bytes, 512)
            for index, size_bytes in enumerate(shape.volumes)
        )
        return ReplicaSpec(
            partnership=PARTNERSHIP,
            replica=REPLICAS[self.name],
            peer=REPLICAS[self.peer_name],
            group=f"group-{self.name}",
            peer_group=f"group-{self.peer_name}",
            array=self.name,
            peer_array=self.peer_name,
            role=role,
            initiator=self.name == NAMES[0],
            peer_address=f"site-{self.peer_name}",
            log_path=self.log_path,
            log_bytes=shape.log_bytes,
            volumes=volumes,
            on_peer_loss=shape.on_peer_loss,
            seeded=shape.seeded,
        )

    async def provide(self, role: ReplicaRole) -> None:
        """Make log and volumes, as a person's `enable` does."""
        shape = self._cluster.shape
        self._start_process()

        async def provide() -> None:
            world = self._world()
            await world.log_disk.create(self.log_path, shape.log_bytes, zeroed=True)
            for index, size_bytes in enumerate(shape.volumes):
                await world.data_disk.create(self.volume_path(index), size_bytes)
            await format_log(self.spec(role), world)

        try:
            await self.ask(provide)
        finally:
            self.kill()

    async def replace(self) -> None:
        """Give a failed side new files, blank, as a person does after changing a disk."""
        self.kill()
        self.disk.heal()
        self.disks += 1
        self.trouble = ""
        self._last = None
        await self.provide(ReplicaRole.SECONDARY)

    async def boot(self) -> bool:
        """Start the process and open the replica; False when it does not open (see ``trouble``)."""
        self._cluster.network.power_on(self.name)
        self.powered = True
        self.boots += 1
        self.trouble = ""
        self._start_process()
        try:
            self.replica = await self.ask(self._open)
        except SiteDown:
            return False
        except (SrError, StorageError) as error:
            self.trouble = f"{error} {getattr(error, 'facts', '')}"
            self.kill()
            return False
        return True

    def _start_process(self) -> None:
        assert self.process is None or not self.process.alive
        self.replica = None
        self.process = self._cluster.loop.process(self.name)

    def _world(self) -> World:
        cluster = self._cluster
        disk = Disk(self.disk, None)
        return World(
            log_disk=disk,
            data_disk=disk,
            network=cluster.network.host(self.name),
            wall_seconds=cluster.loop.wall_time,
            randomness=cluster.loop.random(f"site {self.name} {self.boots}"),
            limits=cluster.shape.limits,
        )

    async def _open(self) -> Replica:
        world = self._world()
        replica = await Replica.open(self.log_path, world)
        replica.subscribe(self._heard)
        self.replica = replica
        self._last = self.view
        for call in self._cluster.on_open:
            call(self, replica)

        async def accept(link: Link) -> None:
            hello, _ = await link.receive()
            assert isinstance(hello, Hello)
            await replica.accept(link, hello)

        await world.network.listen(f"site-{self.name}", accept)
        return replica

    def _heard(self, event: ReplicaEvent) -> None:
        self.events.append(event)
        self._cluster.loop.record(self.name, event.kind, event.text)
        if event.kind == "failure":
            self.trouble = event.text

    def kill(self) -> None:
        """End the process as SIGKILL does; the page cache stays."""
        if self.process is not None and self.process.alive:
            self._last = self.view
            self._cluster.loop.record(self.name, "killed")
            self.process.kill()
        self.replica = None

    def power_cut(self) -> None:
        """Take the power away: what was not synced is lost."""
        self._cluster.network.power_cut(self.name)
        self.kill()
        self.disk.power_cut()
        self.powered = False

    async def ask(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` in the site's process and return its result.  Raises `SiteDown`."""
        process = self.process
        if process is None or not process.alive:
            raise SiteDown(self.name)
        loop = self._cluster.loop
        answer: asyncio.Future[T] = loop.create_future()
        task = process.start(work())

        def died() -> None:
            if not answer.done():
                answer.set_exception(SiteDown(self.name))

        def ended(task: asyncio.Task[T]) -> None:
            process.forget_at_death(died)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if answer.done():
                return
            if isinstance(error, asyncio.CancelledError):
                answer.cancel()
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        process.at_death(died)
        task.add_done_callback(ended, context=loop.world)
        try:
            return await answer
        except asyncio.CancelledError:
            task.cancel()
            raise


class Cluster:
    """Two sites and the network between them."""

    def __init__(self, loop: SimLoop, shape: Shape) -> None:
        """Begin with two empty machines."""
        self.loop = loop
        self.shape = shape
        self.network = SimNetwork(loop)
        #: One way, from and to (virtual seconds), while nothing is wrong.
        self.delay_seconds = self.network.delay_seconds
        self.sites = {name: Site(self, name) for name in NAMES}
        #: Called with each replica that was opened, before it serves anybody.
        self.on_open: list[Callable[[Site, Replica], None]] = []

    async def provide(self) -> None:
        """Make both sides: A is primary."""
        await self.sites["A"].provide(ReplicaRole.PRIMARY)
        await self.sites["B"].provide(ReplicaRole.SECONDARY)

    async def start(self) -> None:
        """Boot both sites and let them replicate.  Raises `SiteDown`."""
        for site in self.sites.values():
            if not await site.boot() or site.replica is None:
                raise SiteDown(f"{site.name} {site.trouble}")
            await site.ask(site.replica.start)

    @property
    def primaries(self) -> list[Site]:
        """Sites that are up and whose superblock says primary."""
        return [
            site
            for site in self.sites.values()
            if site.up
            and site.replica is not None
            and site.replica.core.superblock.role is ReplicaRole.PRIMARY
        ]

    def set_delay(self, least: float, most: float) -> None:
        """Let messages take so long, both ways (virtual seconds)."""
        for name, peer in (NAMES, NAMES[::-1]):
            self.network.set_delay(name, peer, least, most)

    def heal(self) -> None:
        """Take back everything that was done to network and disks."""
        self.network.heal(*NAMES)
        self.set_delay(*self.delay_seconds)
        for site in self.sites.values():
            site.disk.heal()
            site.disk.slow_seconds = (0.0, 0.0)
            site.disk.resume()
