"""The people and supervisors of an episode: they break things and give orders.

Always true:

(1) A side that went down is started again after a while, unless it is held.
(2) A person gives only orders that a careful person might give: never up on both sides, never a
    promotion of a side that was given up.
(3) What an order runs into is a refusal, or the end of its process; anything else is a violation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import attrs

from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaRole
from srshell.simulation.cluster import NAMES, Cluster, Site, SiteDown
from srshell.simulation.faults import FaultKind
from srshell.simulation.oracle import Oracle
from srshell.simulation.plan import Plan, Step

T = TypeVar("T")


@attrs.frozen
class Handover:
    """A planned failover that is under way: the demotion may be durable."""

    operation: str
    source: str
    target: str
    lsn: int | None = None


class Person:
    """Carries out the steps of a plan."""

    def __init__(self, cluster: Cluster, oracle: Oracle, plan: Plan) -> None:
        """Begin with nothing under way."""
        self.cluster = cluster
        self.oracle = oracle
        self.plan = plan
        self.handover: Handover | None = None
        #: Sides that nobody starts now.
        self.held: set[str] = set()
        self._random: Random = cluster.loop.random("person")
        self._operations = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._late: list[Callable[[], None]] = []

    # --- tasks ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Let the supervisors begin."""
        for site in self.cluster.sites.values():
            self._keepers.append(asyncio.ensure_future(self._keep(site)))

    def do(self, step: Step) -> None:
        """Begin a step; it goes on beside the next ones."""
        self.cluster.loop.record("person", step.action, step.side)
        self._tasks.append(asyncio.ensure_future(self._carry_out(step)))

    @property
    def done(self) -> bool:
        """Whether every order has ended."""
        return all(task.done() for task in self._tasks)

    def raise_errors(self) -> None:
        """Raise what went wrong in a step or a restart, if anything."""
        for task in (*self._tasks, *self._keepers):
            if task.done():
                task.result()

    def stop(self) -> None:
        """Stop keeping sites up."""
        for task in self._keepers:
            task.cancel()

    async def _keep(self, site: Site) -> None:
        """Start the site's process whenever it is down."""
        while True:
            if site.process is None or not site.process.alive:
                await asyncio.sleep(self._random.uniform(0.0, self.plan.restart_seconds))
                down = site.process is None or not site.process.alive
                if down and not site.trouble and site.name not in self.held:
                    await site.boot()
            if site.trouble and site.name != self.plan.brittle:
                self.oracle.fail(f"{site.name} failed on a good disk: {site.trouble}")
            await asyncio.sleep(0.01)

    # --- breaking things ------------------------------------------------------------------------

    async def _carry_out(self, step: Step) -> None:
        site = self.cluster.sites[step.side]
        network, peer = self.cluster.network, site.peer
        match step.action:
            case "kill":
                site.kill()
            case "power":
                site.power_cut()
            case "kill both":
                site.kill()
                peer.kill()
            case "power both":
                site.power_cut()
                peer.power_cut()
            case "partition" | "one way":
                both = step.action == "partition"
                network.partition(site.name, peer.name, both=both)
                await asyncio.sleep(step.seconds)
                network.heal(site.name, peer.name, both=both)
            case "reset":
                network.reset(*NAMES)
            case "delay":
                self.cluster.set_delay(1e-3, 0.04)
                await asyncio.sleep(step.seconds)
                self.cluster.set_delay(*self.cluster.delay_seconds)
            case "slow disk":
                site.disk.slow_seconds = (0.0, 0.02)
                await asyncio.sleep(step.seconds)
                site.disk.slow_seconds = (0.0, 0.0)
            case "hang disk":
                site.disk.hang()
                await asyncio.sleep(step.seconds)
                site.disk.resume()
            case "fault":
                brittle = self.cluster.sites[self.plan.brittle]
                brittle.disk.fail_at(
                    step.count, FaultKind[step.kind], operation=step.operation, path=step.path
                )
            case _:
                await self._order(step, site)

    async def _order(self, step: Step, site: Site) -> None:
        order = self._orders()[step.action]
        try:
            if step.patience_seconds:
                await asyncio.wait_for(order(step, site), step.patience_seconds)
            else:
                await order(step, site)
        except (SiteDown, SrError, TimeoutError) as error:
            self.cluster.loop.record("person", step.action, "ends with", str(error))

    # --- orders ---------------------------------------------------------------------------------

    def _orders(self) -> dict[str, Callable[[Step, Site], Coroutine[Any, Any, None]]]:
        return {
            "restart": self._restart,
            "policy": self._set_policy,
            "suspend": self._suspend,
            "resume": self._resume,
            "planned": self._fail_over_as_planned,
            "unplanned": self._fail_over,
            "unplanned after a kill": self._fail_over_after_a_kill,
            "alone": self._lead_alone,
            "give up": self._give_up,
            "verify": self._verify,
            "seal": self._seal,
        }

    def _operation(self, word: str) -> str:
        self._operations += 1
        return f"{word}-{self._operations}"

    def primary(self) -> Site | None:
        """The one side that leads; None if there is none or there are two."""
        primaries = self.cluster.primaries
        return primaries[0] if len(primaries) == 1 else None

    async def _with_primary(self, call: Callable[[Replica], Coroutine[Any, Any, T]]) -> T:
        primary = self.primary()
        if primary is None or primary.replica is None:
            raise SiteDown("no primary")
        replica = primary.replica
        return await primary.ask(lambda: call(replica))

    async def _restart(self, step: Step, site: Site) -> None:
        replica = site.replica
        if replica is not None:
            try:
                await site.ask(replica.close)
            finally:
                site.kill()

    async def _set_policy(self, step: Step, site: Site) -> None:
        await self._with_primary(lambda replica: replica.set_policy(OnPeerLoss(step.kind)))

    async def _suspend(self, step: Step, site: Site) -> None:
        await self._with_primary(lambda replica: replica.suspend())

    async def _resume(self, step: Step, site: Site) -> None:
        await self._with_primary(lambda replica: replica.resume())

    async def _lead_alone(self, step: Step, site: Site) -> None:
        primary = self.primary()
        if primary is None or primary.replica is None:
            return
        self.oracle.overridden = True
        await self._with_primary(lambda replica: replica.resume(alone=True))

    async def _verify(self, step: Step, site: Site) -> None:
        # Two people may ask at once.
        times = 2 if step.seconds > 0.3 else 1
        results = await asyncio.gather(
            *(self._with_primary(lambda replica: replica.verify()) for _ in range(times)),
            return_exceptions=True,
        )
        for compared in results:
            if isinstance(compared, BaseException):
                raise compared
            if compared.differing_blocks or compared.log_differences:
                self.oracle.fail(f"verify found {compared}")

    async def _seal(self, step: Step, site: Site) -> None:
        primary = self.primary()
        if primary is None or primary.replica is None:
            return
        replica, operation = primary.replica, self._operation("seal")
        await primary.ask(lambda: replica.seal(operation))
        if step.seconds > 0.3:
            return  # it ends by itself
        await asyncio.sleep(step.seconds)

        async def unseal() -> None:
            replica.unseal(operation)

        await primary.ask(unseal)

    async def _fail_over_as_planned(self, step: Step, site: Site) -> None:
        source = self.primary()
        if source is None or source.replica is None or self.handover is not None:
            return
        if source.superblock_yields or source.peer.superblock_yields:
            return
        replica = source.replica
        handover = Handover(self._operation("planned"), source.name, source.peer_name)
        operation = handover.operation
        await source.ask(lambda: replica.seal(operation))
        self.handover = handover
        epoch = replica.core.superblock.history[-1].epoch.number + 1
        try:
            lsn = await source.ask(lambda: replica.demote(operation, epoch))
        except SrError:
            self.handover = None

            async def unseal() -> None:
                replica.unseal(operation)

            await source.ask(unseal)
            raise
        self.handover = attrs.evolve(handover, lsn=lsn)
        await self.finish_handover()

    async def finish_handover(self) -> None:
        """Promote the target of a planned failover whose demotion is durable."""
        handover = self.handover
        assert handover is not None
        target = self.cluster.sites[handover.target]
        replica = target.replica
        if replica is None:
            raise SiteDown(target.name)
        operation, lsn = handover.operation, handover.lsn
        await target.ask(lambda: replica.promote(operation, lsn, alone=False))
        self.handover = None

    async def _fail_over(self, step: Step, site: Site) -> None:
        await self.promote_by_force(site)

    async def promote_by_force(self, site: Site) -> None:
        """Promote a secondary, whatever its peer does."""
        replica = site.replica
        if replica is None or not site.up or site.superblock_yields:
            return
        superblock = replica.core.superblock
        if superblock.role is not ReplicaRole.SECONDARY or site.peer.superblock_yields:
            return
        if not self.oracle.check_evidence(site) and site.peer.role is ReplicaRole.SECONDARY:
            # Nobody led, and a person accepts an unknown loss: the other side cannot know of it.
            self.oracle.overridden = True
        operation = self._operation("unplanned")
        await site.ask(lambda: replica.promote(operation, None, alone=True))
        self.oracle.look()
        self.handover = None

    async def _fail_over_after_a_kill(self, step: Step, site: Site) -> None:
        """Hold the old primary's restart, kill it, promote the other side, let it come back."""
        source = self.primary()
        if source is None:
            return
        self.held.add(source.name)
        try:
            source.kill()
            await asyncio.sleep(step.seconds / 4)
            await self.promote_by_force(source.peer)
            await asyncio.sleep(step.seconds)
        finally:
            self.held.discard(source.name)

    async def _give_up(self, step: Step, site: Site) -> None:
        await self.give_up(site)

    async def give_up(self, site: Site) -> bool:
        """Let the side lose its split brain, if it knows of one; say whether it did."""
        replica = site.replica
        if replica is None or not site.up or replica.peer_link.split is None:
            return False
        if site.peer.superblock_yields:
            return False
        await site.ask(lambda: replica.give_up(f"/{site.name}/branches"))
        self.oracle.look()
        return True
