"""Peace: who brings a healed group back in sync, and knows when it is.

Always true:

(1) Only what no replica does by itself is done here: name a primary, end a split, replace a disk.
(2) A failed side gets a new disk only after the other side leads.
"""

from __future__ import annotations

from random import Random

from srshell.model.errors import SrError
from srshell.model.replica import Flow, LinkState, ReplicaData, ReplicaRole
from srshell.replication.source import Phase
from srshell.simulation.cluster import NAMES, Site, SiteDown
from srshell.simulation.person import Person


class Mender:
    """Puts right, one thing at a time, what a person has to put right."""

    def __init__(self, person: Person) -> None:
        """Use the hands of ``person``."""
        self.cluster = person.cluster
        self.oracle = person.oracle
        self.person = person
        #: The only disk with usable data broke while the other side was being copied to.
        self.disaster = False
        self._random: Random = self.cluster.loop.random("mender")

    def in_step(self) -> bool:
        """Whether the group is in sync, as both sides see it."""
        primary = self.person.primary()
        if primary is None or primary.replica is None:
            return False
        peer = primary.peer.replica
        if peer is None or not primary.peer.up:
            return False
        source = primary.replica.core.source
        return (
            source is not None
            and source.phase is Phase.LIVE
            and primary.replica.report().flow is Flow.LIVE
            and peer.peer_link.is_open
            and peer.core.superblock.data is ReplicaData.CONSISTENT
            and not peer.core.superblock.peer_may_ack_alone
        )

    async def mend(self) -> None:
        """Do the next thing that only a person can do, if there is one."""
        try:
            await self._mend()
        except (SiteDown, SrError) as error:
            self.cluster.loop.record("person", "mending ends with", str(error))

    async def _mend(self) -> None:
        sites = self.cluster.sites.values()
        if self.person.successor or any(site.torn for site in sites):
            await self._end_tear_down()
            return
        for site in sites:
            if not site.provided:
                await site.replace()
                return
        for site in sites:
            if site.trouble:
                await self._mend_failed(site)
                return
        if not all(site.up for site in self.cluster.sites.values()):
            return
        for site in self.cluster.sites.values():
            if site.replica is not None and not site.replica.core.superblock.started:
                await site.ask(site.replica.start)
        primaries = self.cluster.primaries
        if not primaries:
            await self._appoint()
        elif len(primaries) == 2:
            await self._end_split()
        else:
            await self._resume(primaries[0])

    async def _resume(self, primary: Site) -> None:
        """Let the primary go on with its peer, or the peer without it."""
        replica = primary.replica
        if replica is None:
            return
        if replica.core.superblock.suspended:
            await primary.ask(replica.resume)
        elif replica.peer_link.state is LinkState.REFUSED and not self.person.atlas.trusts(primary):
            # Its log lost what both had acknowledged, and the peer's does not reach back so far.
            self.cluster.loop.reached("mender: fails over to the peer that is ahead")
            await self.person.promote_by_force(primary.peer)

    async def _end_tear_down(self) -> None:
        """Go on where a tear-down was interrupted."""
        person, sites = self.person, self.cluster.sites.values()
        successor = self.cluster.sites.get(person.successor)
        if successor is not None and successor.trouble:
            # Whoever tears down one side relies on the other one alone.
            peer = successor.peer.view
            gone = peer is not None and peer.superblock.torn_down
            self.disaster = successor.peer.torn or gone
            person.successor = ""
        elif any(site.trouble and site.enable_as is ReplicaRole.PRIMARY for site in sites):
            # Both sides are torn down, and the disk that the next group was to begin with broke.
            self.disaster = True
        elif all(site.up or site.torn or site.trouble for site in sites):
            await person.finish_tear_down()

    async def _mend_failed(self, site: Site) -> None:
        """Give a failed side a new disk; before that the other side leads."""
        peer = site.peer
        if site.name != self.person.plan.brittle:
            self.oracle.fail(f"{site.name} failed on a good disk: {site.trouble}")
        replica = peer.replica
        if replica is None or not peer.up:
            return
        self.person.handover = None
        if replica.core.superblock.data is not ReplicaData.CONSISTENT:
            self.oracle.check_disaster(site)
            self.disaster = True
            return
        if replica.core.superblock.role is ReplicaRole.SECONDARY:
            await self.person.promote_by_force(peer)
        self.oracle.look()
        self.oracle.replaced(site)
        self.person.atlas.forget(site.name)
        await site.replace()

    async def _appoint(self) -> None:
        """Nobody leads: finish the planned failover, or take it back."""
        if self.person.handover is not None and self.person.handover.lsn is not None:
            try:
                await self.person.finish_handover()
                return
            except SrError:
                source = self.cluster.sites[self.person.handover.source]
                await self.person.promote_by_force(source)
                return
        candidates = [
            site
            for site in self.cluster.sites.values()
            if site.replica is not None
            and site.replica.core.superblock.data is ReplicaData.CONSISTENT
            and not site.superblock_yields
        ]
        if candidates:
            longest = max(candidates, key=lambda site: site.replica.core.log.durable_lsn)  # type: ignore[union-attr]
            self.person.atlas.forget(longest.name)
            await self.person.promote_by_force(longest)

    async def _end_split(self) -> None:
        """Give one side up once both know of the split."""
        splits = [
            site.replica is not None and site.replica.peer_link.split is not None
            for site in self.cluster.sites.values()
        ]
        for site in self.cluster.sites.values():
            replica = site.replica
            if replica is not None and replica.core.superblock.suspended:
                await site.ask(replica.resume)
        if all(splits):
            await self.person.give_up(self.cluster.sites[self._random.choice(NAMES)])
