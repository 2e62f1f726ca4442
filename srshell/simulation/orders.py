"""What people order: role changes, policies, resolutions, tear-downs and new disks.

Always true:

(1) A person gives only orders that a careful person might give: never up on both sides, never a
    promotion of a side that was given up, nothing that bets on a doubtful disk.
(2) What an order runs into is a refusal, or the end of its process; anything else is a violation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import attrs

from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole
from srshell.simulation.atlas import Atlas
from srshell.simulation.cluster import Cluster, Site, SiteDown
from srshell.simulation.oracle import Oracle
from srshell.simulation.plan import Plan, Step
from srshell.storage import StorageError

T = TypeVar("T")


@attrs.frozen
class Handover:
    """A planned failover that is under way: the demotion may be durable."""

    operation: str
    source: str
    target: str
    lsn: int | None = None


class Orders:
    """Gives orders to a cluster, one coroutine each."""

    def __init__(self, cluster: Cluster, oracle: Oracle, plan: Plan) -> None:
        """Begin with nothing under way."""
        self.cluster = cluster
        self.oracle = oracle
        self.plan = plan
        self.atlas = Atlas(cluster, plan.brittle, cluster.loop.random("atlas"), oracle.doubtful)
        self.handover: Handover | None = None
        #: Which side leads when both are enabled again; empty while no tear-down is under way.
        self.successor = ""
        #: Sides that nobody starts now.
        self.held: set[str] = set()
        self._random: Random = cluster.loop.random("person")
        self._operations = 0

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
            "new disk": self._new_disk,
            "tear down": self._tear_down,
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
        if primary is None or primary.replica is None or not self.atlas.trusts(primary):
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
            self.oracle.check_compared("under load", compared)

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
        if not self.atlas.trusts(site):
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
            source.changed.set()

    async def _give_up(self, step: Step, site: Site) -> None:
        await self.give_up(site)

    async def give_up(self, site: Site) -> bool:
        """Let the side lose its split brain, if it knows of one; say whether it did."""
        replica = site.replica
        if replica is None or not site.up or replica.peer_link.split is None:
            return False
        if site.peer.superblock_yields or not self.atlas.trusts(site.peer):
            return False
        await site.ask(lambda: replica.give_up(f"/{site.name}/branches"))
        self.oracle.look()
        return True

    # --- new disks and the end of a partnership -------------------------------------------------

    async def _new_disk(self, step: Step, site: Site) -> None:
        """Give the secondary new, other disks while the primary serves."""
        primary = self.primary()
        if primary is None or primary.replica is None or not self.atlas.trusts(primary):
            return
        secondary = primary.peer
        if secondary.torn or self.handover is not None or secondary.superblock_yields:
            return
        if self.successor:
            return  # a partnership that is being torn down ends first
        if primary.replica.core.failure or primary.superblock_yields:
            return
        await self.replace(secondary)

    async def replace(self, site: Site) -> None:
        """Throw a side's disks away; the other side leads."""
        self.oracle.look()
        self.oracle.replaced(site)
        self.atlas.forget(site.name)
        await site.replace()

    async def _tear_down(self, step: Step, site: Site) -> None:
        """Tear one side down, later the other, and enable protection again."""
        sites = (site, site.peer)
        if self.successor or self.handover is not None or len(self.cluster.primaries) == 2:
            return
        for one in sites:
            failed = one.trouble or not one.up or one.superblock_yields
            if failed or not self.atlas.trusts(one):
                return
        primary = self.primary()
        if primary is None and not all(self._is_consistent(one) for one in sites):
            return
        # Without a primary, both hold what was acknowledged; the longer log holds what was not.
        longest = max(sites, key=lambda one: one.replica.core.log.durable_lsn)  # type: ignore[union-attr]
        self.successor = (primary or longest).name
        site.tearing = True
        await self.dismantle(site)
        await asyncio.sleep(step.seconds)
        await self.finish_tear_down()

    def _is_consistent(self, site: Site) -> bool:
        replica = site.replica
        return replica is not None and replica.core.superblock.data is ReplicaData.CONSISTENT

    async def dismantle(self, site: Site) -> None:
        """Tear one side down, and look what its volumes hold."""
        site.tearing = True
        if not site.torn:
            await site.dismantle()
        self.cluster.loop.reached(f"torn down: {'primary' if site.leading else 'secondary'}")
        if site.name == self.successor:
            self.oracle.check_plain(site)

    async def finish_tear_down(self) -> None:
        """Tear down what is left, then enable both sides and start them; repeatable."""
        sites = list(self.cluster.sites.values())
        if self.successor:
            successor = self.cluster.sites[self.successor]
            for site in (successor.peer, successor):
                if site is successor or not site.trouble:
                    await self.dismantle(site)
            self.oracle.check_plain(successor)
            self.oracle.parted(successor)
            self.cluster.partnerships += 1
            self.successor = ""
            for site in sites:
                site.last = None
                self.atlas.forget(site.name)
                site.enable_as = ReplicaRole.PRIMARY if site is successor else ReplicaRole.SECONDARY
        for site in sites:
            if site.enable_as is not None and site.trouble:
                await site.replace()
            elif site.enable_as is not None:
                await self._enable(site, site.enable_as)
        for site in sites:
            await self._start(site)

    async def _enable(self, site: Site, role: ReplicaRole) -> None:
        try:
            await site.enable(role)
        except StorageError as error:
            site.trouble = str(error)
            raise SiteDown(site.name) from error

    async def _start(self, site: Site) -> None:
        """Wait for a supervisor to boot the site, then let it replicate."""
        for _ in range(100):
            if site.up and site.replica is not None:
                await site.ask(site.replica.start)
                return
            await asyncio.sleep(0.02)
        raise SiteDown(site.name)
