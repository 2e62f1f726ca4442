"""The sites of a copied fabric: what each said last, moved on by the verbs of a plan.

Always true:

(1) Nothing here reaches a real site, a file or a process; a site that did not answer when the copy
    was made does not answer in the copy.
(2) A link that was down between two sites that wanted it stays down: no plan counts on its return.
(3) Both sides of a partnership that can meet are in sync at once; what that copies is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from srshell.model.errors import SrError
from srshell.model.replica import (
    CopyProgress,
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
)
from srshell.site.api import PoolUsage, SiteApi, SiteBranch, SiteReport

_JOINED_ROLES = {ReplicaRole.PRIMARY, ReplicaRole.SECONDARY}


@attrs.define(eq=False)
class SiteCopy:
    """One site of the copy."""

    report: SiteReport
    up: bool = True
    held: bool = False
    #: The real site, asked what is on a volume that was there before; None for a site of the plan.
    origin: SiteApi | None = None
    #: Volumes that the plan has made.
    made: set[str] = attrs.Factory(set)
    branches: dict[str, SiteBranch] | None = None

    def find(self, partnership: str) -> ReplicaReport | None:
        """The replica of a partnership, if the site has one."""
        known = (found for found in self.report.replicas if found.partnership == partnership)
        return next(known, None)

    def replica(self, partnership: str) -> ReplicaReport:
        """The replica of a partnership.

        Raises:
            SrError: SR5310, the site has none.
        """
        found = self.find(partnership)
        if found is None:
            raise SrError.make("SR5310", group=partnership, peer="PEER")
        return found

    def put(self, replica: ReplicaReport) -> None:
        """Add a replica, or replace the one of its partnership."""
        others = [each for each in self.report.replicas if each.partnership != replica.partnership]
        self.report = attrs.evolve(self.report, replicas=(*others, replica))

    def drop(self, partnership: str) -> None:
        """The site has left a partnership."""
        left = [each for each in self.report.replicas if each.partnership != partnership]
        self.report = attrs.evolve(self.report, replicas=tuple(left))

    def take(self, pool: str, size_bytes: int) -> None:
        """Room of a pool is taken; a negative size gives it back."""

        def after(usage: PoolUsage) -> PoolUsage:
            if usage.name != pool:
                return usage
            return attrs.evolve(usage, free_bytes=max(usage.free_bytes - size_bytes, 0))

        self.report = attrs.evolve(self.report, pools=tuple(map(after, self.report.pools)))


@attrs.define(eq=False)
class World:
    """All sites of the copy."""

    #: Told of every change of a site: what it says now, and whether it answers.
    tell: Callable[[SiteReport, bool], None]
    sites: dict[str, SiteCopy] = attrs.Factory(dict)
    #: Sites that were forgotten, as a rename does for a moment.
    gone: dict[str, SiteCopy] = attrs.Factory(dict)
    #: Partnerships whose link was down although both sides wanted it.
    parted: set[str] = attrs.Factory(set)
    #: Whether copies end before the next command, as they do when the command waits for them.
    copies_end: bool = True
    taken_bytes: int = 0
    copied_bytes: int = 0

    def add(self, site: SiteCopy) -> None:
        """Take a site into the copy."""
        self.sites[site.report.array] = site

    def come_back(self, site: SiteCopy, old: str) -> None:
        """A site that was forgotten is back under another name, with all that it hosts."""
        before = self.gone.pop(old, None)
        if before is None:
            return
        array = site.report.array
        replicas = tuple(attrs.evolve(each, array=array) for each in before.report.replicas)
        site.report = attrs.evolve(before.report, array=array, replicas=replicas)
        site.origin, site.made, site.branches = before.origin, before.made, before.branches

    def note_links(self) -> None:
        """Remember which links are down, once all sites are here."""
        for partnership in {r.partnership for s in self.sites.values() for r in s.report.replicas}:
            both = self._both(partnership)
            if _may_meet(partnership, both) and any(
                site.replica(partnership).link is not LinkState.CONNECTED for site in both
            ):
                self.parted.add(partnership)

    def changed(self, site: SiteCopy) -> None:
        """Let the fabric of the copy know what a site says now."""
        self.tell(site.report, site.up)

    def change(self, site: SiteCopy, partnership: str, **fields: Any) -> ReplicaReport:  # noqa: ANN401
        """Change what a replica says of itself, and see what comes of it on both sides."""
        site.put(attrs.evolve(site.replica(partnership), **fields))
        self.settle(partnership)
        return site.replica(partnership)

    def settle(self, partnership: str) -> None:
        """Work out what both sides of a partnership see."""
        both = self._both(partnership)
        if _may_meet(partnership, both) and partnership not in self.parted:
            self._join(partnership, both)
        else:
            for site in both:
                site.put(_apart(site.replica(partnership)))
        for site in both:
            self.changed(site)

    def settle_all(self) -> None:
        """Copies that are under way come to their end."""
        for partnership in {r.partnership for s in self.sites.values() for r in s.report.replicas}:
            self.settle(partnership)

    def power(self, site: SiteCopy, *, up: bool, held: bool = False) -> None:
        """A site is stopped or started; its seals end with its process."""
        site.up, site.held = up, held
        for replica in site.report.replicas:
            site.put(attrs.evolve(replica, sealed=False))
            self.settle(replica.partnership)
        self.changed(site)

    def _both(self, partnership: str) -> list[SiteCopy]:
        return [site for site in self.sites.values() if site.find(partnership) is not None]

    def _join(self, partnership: str, both: list[SiteCopy]) -> None:
        """The two sides meet, and are in sync when what differs has been copied."""
        source, target = sorted(
            both, key=lambda site: site.replica(partnership).role is ReplicaRole.SECONDARY
        )
        primary, secondary = source.replica(partnership), target.replica(partnership)
        fresh = secondary.data in {ReplicaData.BLANK, ReplicaData.INCONSISTENT}
        size_bytes = sum(layout.size_bytes for layout in primary.volumes)
        if fresh and not self.copies_end:
            copying = CopyProgress(Flow.INITIAL_COPY, 0, size_bytes, 0.0)
            word: dict[str, Any] = {"link": LinkState.CONNECTED, "flow": Flow.INITIAL_COPY,
                                    "progress": copying}  # fmt: skip
            source.put(attrs.evolve(primary, **word))
            target.put(attrs.evolve(secondary, data=ReplicaData.INCONSISTENT, **word))
            return
        if primary.flow not in {Flow.LIVE, Flow.SEALED}:
            self.copied_bytes += size_bytes if fresh else primary.unconfirmed_bytes
        flow = Flow.SEALED if primary.sealed else Flow.LIVE
        lsn = primary.last_lsn
        word = {
            "link": LinkState.CONNECTED, "flow": flow, "progress": None, "alone": False,
            "peer_may_ack_alone": False, "epoch": max(primary.epoch, secondary.epoch),
            "unconfirmed_bytes": 0, "unconfirmed_writes": 0, "waiting_on": "",
            "last_lsn": lsn, "durable_lsn": lsn, "data": ReplicaData.CONSISTENT,
        }  # fmt: skip
        source.put(attrs.evolve(primary, writable=not primary.sealed, **word))
        target.put(attrs.evolve(secondary, writable=False, **word))


def _may_meet(partnership: str, both: list[SiteCopy]) -> bool:
    """Whether nothing but the link could keep two sides apart."""
    if len(both) != 2 or not all(site.up for site in both):  # noqa: PLR2004 - two sides
        return False
    return _fit(both[0].replica(partnership), both[1].replica(partnership))


def _fit(one: ReplicaReport, other: ReplicaReport) -> bool:
    """Whether two replicas of one partnership want each other."""
    pair = (one, other)
    return {one.role, other.role} == _JOINED_ROLES and all(
        side.started
        and not side.suspended
        and side.split is None
        and side.peer_split is None
        and side.data is not ReplicaData.FAILED
        for side in pair
    )


def _apart(replica: ReplicaReport) -> ReplicaReport:
    """A side whose peer is away: the primary does what its policy says."""
    leads = replica.role is ReplicaRole.PRIMARY
    alone = replica.alone or replica.on_peer_loss is OnPeerLoss.CONTINUE
    return attrs.evolve(
        replica,
        link=LinkState.CONNECTING if replica.started else LinkState.OFF,
        flow=Flow.SEALED if replica.sealed else Flow.IDLE,
        progress=None,
        alone=leads and alone and replica.started,
        writable=leads and not replica.sealed and (alone or not replica.started),
    )
