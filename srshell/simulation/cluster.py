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

from srshell.codec.messages import Hello
from srshell.engine.core import ReplicaEvent
from srshell.engine.formatting import format_log
from srshell.engine.replica import Replica
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.simulation.disk import SimDisk
from srshell.simulation.loop import SimLoop
from srshell.simulation.network import SimNetwork
from srshell.simulation.process import SimProcess
from srshell.simulation.shape import SMALL_LIMITS, Shape
from srshell.simulation.views import View
from srshell.simulation.whims import whims
from srshell.storage import DirectExecutor, Disk, StorageError
from srshell.transport.link import Link

__all__ = ["NAMES", "REPLICAS", "SMALL_LIMITS", "Cluster", "Shape", "Site", "SiteDown"]

T = TypeVar("T")

NAMES: Final = ("A", "B")
REPLICAS: Final = {"A": "aa" * 16, "B": "bb" * 16}


class SiteDown(Exception):
    """The site's process ended before it answered, or there is none."""


class Site:
    """One side: its machine's disk, and, while it is up, its process with the replica."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Begin with an empty disk and no process."""
        self.name = name
        self.peer_name = NAMES[1 - NAMES.index(name)]
        self.disk = SimDisk(cluster.loop, name, cluster.shape.harsh, cluster.shape.through)
        self.process: SimProcess | None = None
        self.replica: Replica | None = None
        #: Why the last `boot` failed, or the replica of a running process; empty when all is well.
        self.trouble = ""
        self.boots = 0
        #: How often something happened that may have damaged what is on its disk.
        self.damages = 0
        #: Grows when the disk is replaced: the names of its files are new ones.
        self.disks = 0
        self.provided = False
        #: A person began to tear it down here.
        self.tearing = False
        #: The partnership was torn down here: the volumes are ordinary ones.
        self.torn = False
        #: Protection is being enabled again, in this role.
        self.enable_as: ReplicaRole | None = None
        #: What this machine's wall clock is ahead of the true one (seconds).
        self.clock_shift_seconds = 0.0
        self.events: list[ReplicaEvent] = []
        self.powered = True
        #: Set whenever a keeper has something to look at.
        self.changed = asyncio.Event()
        #: What it had when it died, in the present partnership.
        self.last: View | None = None
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
        return View.of(self.replica.core) if self.replica is not None and self.up else self.last

    @property
    def role(self) -> ReplicaRole | None:
        """What its superblock says it is; None while it is down."""
        return None if self.replica is None else self.replica.core.superblock.role

    @property
    def leading(self) -> bool:
        """Whether it is primary, or was when it was last up."""
        view = self.view
        return view is not None and view.superblock.role is ReplicaRole.PRIMARY

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
            partnership=self._cluster.partnership,
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
            for fill in self._cluster.on_volumes:
                fill(self)
            await format_log(self.spec(role), world)

        try:
            await self.ask(provide)
        finally:
            self.kill()
        self.provided = True
        self.changed.set()

    async def dismantle(self) -> None:
        """Tear this side down.  Raises `SiteDown` and SrError; then a repeat goes on."""
        replica = self.replica
        if replica is None:
            raise SiteDown(self.name)
        await self.ask(replica.dismantle)
        self.torn = True
        self.kill()

    async def enable(self, role: ReplicaRole) -> None:
        """Make the log of a torn-down side ready for the cluster's partnership; repeatable."""
        self._start_process()
        try:
            await self.ask(lambda: format_log(self.spec(role), self._world()))
        finally:
            self.kill()
        self.torn = self.tearing = False
        self.enable_as = None
        self.last = None
        self.changed.set()

    async def replace(self) -> None:
        """Give a failed side new files, blank, as a person does after changing a disk."""
        self.kill()
        self.disk.heal()
        self.disks += 1
        self.provided = False
        self.trouble = ""
        self.torn = self.tearing = False
        self.enable_as = None
        self.last = None
        await self.provide(ReplicaRole.SECONDARY)

    async def boot(self) -> bool:
        """Start the process and open the replica; False when it does not open (see ``trouble``)."""
        self.boots += 1
        self.trouble = ""
        self._start_process()
        try:
            self.replica = await self.ask(self._open)
        except SiteDown:
            return False
        except (SrError, StorageError) as error:
            if self._was_wiped(error):
                self.torn = True
            else:
                self.trouble = f"{error} {getattr(error, 'facts', '')}"
            self.kill()
            return False
        return True

    def _was_wiped(self, error: Exception) -> bool:
        """Say whether a tear-down went as far as wiping the log before it was interrupted."""
        return self.tearing and isinstance(error, SrError) and error.code == "SR9210"

    def _start_process(self) -> None:
        assert self.process is None or not self.process.alive
        self._cluster.network.power_on(self.name)
        self.powered = True
        self.replica = None
        self.process = self._cluster.loop.process(self.name)
        self.process.at_death(self.changed.set)

    def _world(self) -> World:
        cluster = self._cluster
        return World(
            log_disk=Disk(self.disk, DirectExecutor() if cluster.shape.direct else None),
            data_disk=Disk(self.disk, None),
            network=cluster.network.host(self.name),
            wall_seconds=self.wall_seconds,
            clock_ns=lambda: int(cluster.loop.time() * 1e9),
            randomness=cluster.loop.random(f"site {self.name} {self.boots}"),
            limits=cluster.shape.engine_limits,
            promptness=whims(cluster.loop, self.name, self.boots) if cluster.shape.fickle else None,
        )

    def wall_seconds(self) -> float:
        """Return what this machine's clock says (Unix seconds)."""
        return self._cluster.loop.wall_time() + self.clock_shift_seconds

    async def _open(self) -> Replica:
        replica = await Replica.open(self.log_path, world := self._world())
        replica.subscribe(self._heard)
        self.replica = replica
        self.last = self.view
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
        if event.kind == "failure" and self.replica is not None and self.replica.core.failure:
            self.trouble = event.text
            self.changed.set()
        for call in self._cluster.on_event:
            call(self, event)

    def kill(self) -> None:
        """End the process as SIGKILL does; the page cache stays."""
        if self.process is not None and self.process.alive:
            self.last = self.view
            self._cluster.loop.record(self.name, "killed")
            self._cluster.loop.reached("crash: kill" if self.powered else "crash: power cut")
            self.process.kill()
        self.replica = None

    def freeze(self) -> None:
        """Stop the process where it is."""
        if self.process is not None and self.process.alive:
            self._cluster.loop.record(self.name, "frozen")
            self._cluster.loop.reached("process: frozen")
            self._cluster.loop.freeze(self.process)

    def thaw(self) -> None:
        """Let the process go on, if it is stopped."""
        if self.process is not None:
            self._cluster.loop.thaw(self.process)

    @property
    def frozen(self) -> bool:
        """Whether its process is stopped."""
        return self.process is not None and self._cluster.loop.is_frozen(self.process)

    def power_cut(self) -> None:
        """Take the power away: what was not synced is lost."""
        self._cluster.network.power_cut(self.name)
        self.powered = False
        self.damages += 1
        self.kill()
        self.disk.power_cut()

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
        #: Grows with every new partnership of the two sides.
        self.partnerships = 1
        #: Called with each replica that was opened, before it serves anybody.
        self.on_open: list[Callable[[Site, Replica], None]] = []
        #: Called with a site whose volumes were just made.
        self.on_volumes: list[Callable[[Site], None]] = []
        #: Called with everything that a replica tells.
        self.on_event: list[Callable[[Site, ReplicaEvent], None]] = []

    @property
    def partnership(self) -> str:
        """The identity that both sides share now."""
        return f"{0xBF + self.partnerships:02x}" * 16

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
            site.thaw()
