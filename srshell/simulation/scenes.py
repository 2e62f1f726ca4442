"""Directed scenes: short stories that lead straight to where a rule is needed.

Always true:

(1) A scene goes the same way every time: it has one seed, and waits for what it needs to happen.
(2) The shipped engine keeps every promise in every scene; a scene that says otherwise raises
    `Failure`.
(3) After its story a scene is healed, in sync, equal and written to once more, as every episode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs

from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaRole
from srshell.replication.source import Phase
from srshell.simulation.cluster import NAMES, SMALL_LIMITS, Shape, Site
from srshell.simulation.episode import Episode
from srshell.simulation.faults import FaultKind, Operation
from srshell.simulation.loop import SimLoop
from srshell.simulation.plan import Plan, Step
from srshell.simulation.workload import Habits

#: How long a scene waits for what it needs (virtual seconds).
_PATIENCE_SECONDS: Final = 8.0
SMALL: Final = Shape(
    volumes=(48 << 10, (20 << 10) + 512),
    ring_bytes=64 << 10,
    limits=attrs.evolve(SMALL_LIMITS, unapplied_bytes=32 << 10),
)
SUSPENDING: Final = attrs.evolve(SMALL, on_peer_loss=OnPeerLoss.SUSPEND_IO)

Story = Callable[["Stage"], Coroutine[Any, Any, None]]


@attrs.frozen
class Scene:
    """A story, the group that it needs, and which side's disk it breaks."""

    story: Story
    shape: Shape = SMALL
    brittle: str = "B"
    #: Virtual seconds that a job takes, from and to.
    job_seconds: tuple[float, float] = (20e-6, 2e-3)
    #: The story itself starts the sites.
    starts_by_itself: bool = False


class Stage(Episode):
    """What a story works with: two sites, clients, a person, and the oracle that watches."""

    def __init__(self, loop: SimLoop, scene: Scene) -> None:
        """Make a cluster for the scene."""
        plan = Plan(
            seed=0,
            shape=scene.shape,
            habits=Habits(clients=0),
            duration_seconds=0.0,
            brittle=scene.brittle,
            restart_seconds=0.02,
            job_seconds=scene.job_seconds,
            delay_seconds=(50e-6, 500e-6),
            ends_in_the_dark=False,
            steps=(),
        )
        super().__init__(loop, plan)
        self._scene = scene
        self._writes: list[asyncio.Task[bool]] = []

    async def play(self) -> None:
        """Tell the story, then expect peace."""
        await self.cluster.provide()
        if not self._scene.starts_by_itself:
            await self.cluster.start()
        await self._scene.story(self)
        for site in self.cluster.sites.values():
            site.disk.before = site.disk.after = None
        self.person.start()
        self.cluster.heal()
        await self._peace()
        if not self.mender.disaster:
            await self.burst(3)
            await self._peace()
            await self._compare()
        await asyncio.gather(*self._writes)
        self.person.stop()

    # --- sites ----------------------------------------------------------------------------------

    @property
    def a(self) -> Site:
        """The side that leads at the beginning."""
        return self.cluster.sites["A"]

    @property
    def b(self) -> Site:
        """The other one."""
        return self.cluster.sites["B"]

    def replica(self, site: Site) -> Replica:
        """Return the replica of a site that is up."""
        assert site.replica is not None, site.name
        return site.replica

    def phase(self, site: Site) -> Phase | None:
        """Return the phase of a primary."""
        source = site.replica.core.source if site.replica is not None else None
        return None if source is None else source.phase

    def fail(self, text: str) -> None:
        """Say that a promise was broken."""
        self.oracle.fail(text)

    # --- time -----------------------------------------------------------------------------------

    async def until(self, reached: Callable[[], object], what: str = "it") -> None:
        """Wait until something is so.  Raises `Violation` when it takes too long."""
        deadline = self.loop.time() + _PATIENCE_SECONDS
        while not reached():
            if self.loop.time() > deadline:
                self.fail(f"the scene waits in vain for {what}")
            await asyncio.sleep(0.001)
            self._check()

    async def pause(self, seconds: float) -> None:
        """Let time pass (virtual seconds)."""
        deadline = self.loop.time() + seconds
        while (left := deadline - self.loop.time()) > 0:
            await asyncio.sleep(min(0.01, left))
            self._check()

    async def in_step(self) -> None:
        """Wait until the group is in sync."""
        await self.until(self.mender.in_step, "the group to be in sync")

    # --- clients --------------------------------------------------------------------------------

    def begin(
        self, site: Site, first: int, count: int = 8, *, kind: str = "write", volume: int = 0
    ) -> asyncio.Task[bool]:
        """Hand in a write of ``count`` sectors; the task says whether it was acknowledged."""

        async def begun() -> bool:
            if site.replica is None:  # it died before the client came to its turn
                return False
            end = first + count
            return await self.clients.write(site, site.replica, kind, volume, first, end)

        task = asyncio.ensure_future(begun())
        self._writes.append(task)
        return task

    async def write(
        self, site: Site, first: int, count: int = 8, *, kind: str = "write", volume: int = 0
    ) -> bool:
        """Write and wait; say whether it was acknowledged."""
        written = await self.begin(site, first, count, kind=kind, volume=volume)
        self._check()
        return written

    async def read(self, site: Site, first: int, count: int = 8, *, volume: int = 0) -> None:
        """Read and let the oracle judge it."""
        await self.clients.read(site, self.replica(site), volume, first, first + count)

    async def burst(self, count: int) -> None:
        """Let writes that overlap wait together, wherever a primary is."""
        site = self.person.primary()
        if site is None or site.replica is None:
            return
        begun = [
            self.begin(site, number * 5 % 32, (8, 1, 11)[number % 3], volume=number % 2)
            for number in range(count)
        ]
        await asyncio.gather(*begun)
        self._check()

    # --- people, disks and wires ----------------------------------------------------------------

    async def lose_what_the_peer_holds(self) -> None:
        """Cut A's power when B's log holds a record that A's does not."""
        await self.in_step()
        await self.write(self.a, 0)
        log = self.replica(self.b).core.log
        held_lsn = log.durable_lsn
        self.a.disk.hang()
        self.begin(self.a, 8)
        await self.until(lambda: log.durable_lsn > held_lsn, "the peer to hold the record")
        self.a.power_cut()

    def cut(self) -> None:
        """Let nothing pass between the sides."""
        self.cluster.network.partition(*NAMES)

    def join(self) -> None:
        """Let everything pass again."""
        self.cluster.network.heal(*NAMES)

    async def order(self, action: str, side: str = "A") -> None:
        """Let a person give an order and wait for it."""
        self.person.do(Step(0.0, action, side))
        await self.until(lambda: self.person.done, f"the order {action} to end")

    async def boot(self, site: Site) -> None:
        """Start a site; a side that says that it failed is left to the mender."""
        if await site.boot() and site.replica is not None and site.replica.core.failure:
            site.trouble = site.replica.core.failure

    async def promote(self, site: Site) -> None:
        """Promote a side by force, as a person does who accepts what is lost."""
        await self.person.promote_by_force(site)
        if site.role is not ReplicaRole.PRIMARY:
            self.fail(f"{site.name} was not promoted")

    async def refused(self, site: Site, what: str, order: Coroutine[Any, Any, object]) -> None:
        """Expect that an order is refused."""
        try:
            await site.ask(lambda: order)
        except SrError:
            return
        self.fail(f"{site.name} did not refuse {what}")

    def knows_split(self) -> bool:
        """Tell whether both sides know that they are split."""
        return all(
            site.replica is not None and site.replica.peer_link.split is not None
            for site in self.cluster.sites.values()
        )

    def brief(self, site: Site, operation: str, path: str) -> None:
        """Cut the next such operation of a site's disk short."""
        site.disk.fail_at(1, FaultKind.SHORT, operation=operation, path=path)

    def strike_after(self, site: Site, matches: Callable[[Operation], bool]) -> Callable[[], bool]:
        """Cut the power after the first matching operation; return a question: did it happen?"""
        struck: list[Operation] = []

        def look(operation: Operation) -> None:
            if not struck and matches(operation):
                struck.append(operation)
                site.power_cut()

        site.disk.after = look
        return lambda: bool(struck)
