"""Holds what a replica publishes against what both sides really have.

Always true of the engine, or `Violation` is raised:

(1) A recovery point of zero, ``failover ready`` and UpToDate are published only while the peer
    holds every acknowledged write.
(2) A recovery point in seconds is never less than the age of the oldest acknowledged write that the
    peer lacks, unless a clock was put back and the process began anew.
(3) A primary that counts on its peer has one whose data is consistent.

The words are derived by the same functions that the fabric uses for its status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srshell.engine.replica import Replica
from srshell.model.health import derive_readiness, derive_rpo_seconds
from srshell.model.replica import Flow, ReplicaData, ReplicaReport, ReplicaRole
from srshell.model.states import DataState, Surroundings, derive_data, derive_state
from srshell.simulation.cluster import Cluster, Site
from srshell.simulation.views import View

if TYPE_CHECKING:
    from srshell.simulation.oracle import Oracle

#: Between an acknowledgement and a report of the same moment (seconds).
_ROUNDING_SECONDS: Final = 1e-6


def link_of(site: Site) -> object:
    """Return what tells one link of a side from the next one; None while it has none."""
    link = None if site.replica is None else site.replica.peer_link
    return None if link is None or link.lead is None else (site.boots, link.sessions)


class Claims:
    """Judges what the sides of one cluster say."""

    def __init__(self, cluster: Cluster, oracle: Oracle) -> None:
        """Begin; nothing was acknowledged yet."""
        self._cluster = cluster
        self._oracle = oracle
        #: Since when each side acknowledged writes that its peer lacks (virtual seconds), how often
        #: it had been started, and what its clock was ahead.
        self._exposed: dict[str, tuple[float, int, float]] = {}

        #: What each side looked like when it was last judged, and whether it promised that its peer
        #: holds everything.
        self._judged: dict[str, object] = {}
        self._promised: dict[str, bool] = {}

    def forget(self) -> None:
        """A new partnership begins."""
        self._exposed.clear()

    def check(self, site: Site, view: View) -> None:
        """Judge a side that is up."""
        replica = site.replica
        assert replica is not None
        source = replica.core.source
        if source is None or view.superblock.role is not ReplicaRole.PRIMARY:
            return
        self._note_exposure(site)
        core, link, peer = replica.core, replica.peer_link, site.peer.view
        now = (
            replica,
            core.superblocks.current,
            source.phase,
            link.state,
            link.flow,
            replica.committer.sealed_by,
            None if peer is None else (peer.superblock, peer.failed, site.peer.trouble),
        )
        if now == self._judged.get(site.name) and not (
            site.name in self._exposed and self._promised.get(site.name)
        ):
            return  # LSNs moved; what is said of them did not
        self._judged[site.name] = now
        self._promised[site.name] = True
        report = replica.report()
        self._count(replica, report)
        self._check_words(site, report)
        self._check_protection(site, view, report)

    def _is_doubtful(self, site: Site) -> bool:
        return site.name in self._oracle.doubtful

    def _count(self, replica: Replica, report: ReplicaReport) -> None:
        loop, core = self._cluster.loop, replica.core
        loop.reached(f"flow: {report.flow.value}")
        if report.log_bytes_free < core.world.limits.frame_bytes:
            loop.reached("log: full")
        if core.ring.head_lsn > report.confirmed_lsn + 1:
            loop.reached("log: overrun, marked blocks stand in for it")

    def _peer_lacks(self, site: Site) -> str:
        """Return the newest write that a side acknowledged and its peer lacks; empty if none."""
        newest = self._oracle.newest.get(site.name)
        peer = site.peer.view
        if newest is None or not newest.counts or not newest.lsn:
            return ""
        if peer is not None and peer.holds(newest.lsn, newest.era):
            return ""
        return f"write {newest.number}, LSN {newest.lsn}"

    def _note_exposure(self, site: Site) -> None:
        newest = self._oracle.newest.get(site.name)
        if newest is None or not self._peer_lacks(site):
            self._exposed.pop(site.name, None)
        else:
            exposed = (newest.acknowledged_at, site.boots, site.clock_shift_seconds)
            self._exposed.setdefault(site.name, exposed)

    def _check_words(self, site: Site, report: ReplicaReport) -> None:
        """What `status` would show now overstates nothing."""
        peer = site.peer.view
        if peer is None or peer.failed or site.peer.trouble or self._is_doubtful(site.peer):
            return  # nobody can know of a failure in the moment in which it happens
        before = self._oracle.replaced_sides.get(site.peer_name)
        if before is not None and before.link is not None and before.link == link_of(site):
            return  # nor of a new disk
        around = Surroundings(destination_data=peer.superblock.data)
        state = derive_state(report, around)
        rpo_seconds = derive_rpo_seconds(state, report, around)
        ready = derive_readiness(state, report, around).ready
        lacking = self._peer_lacks(site)
        self._promised[site.name] = ready or rpo_seconds == 0.0 or not report.alone
        if (ready or rpo_seconds == 0.0) and lacking:
            said = f"{state.value}, RPO {rpo_seconds}, {'ready' if ready else 'not ready'}"
            self._oracle.fail(f"{site.name} says {said}, but its peer lacks {lacking}")
        if ready and peer.superblock.data is not ReplicaData.CONSISTENT:
            data = peer.superblock.data.value
            self._oracle.fail(f"{site.name} says failover ready, but its peer is {data}")
        exposed = self._exposed.get(site.name)
        if rpo_seconds is None or exposed is None:
            return
        exposed_at, boots, shift_seconds = exposed
        if site.boots > boots and site.clock_shift_seconds < shift_seconds:
            return  # its clock was put back, and nothing else of it remembers
        seconds = self._cluster.loop.time() - exposed_at
        if rpo_seconds + _ROUNDING_SECONDS < seconds:
            self._oracle.fail(
                f"{site.name} says RPO {rpo_seconds:.6f} s, but its peer lacks"
                f" what was acknowledged {seconds:.6f} s ago"
            )

    def _check_protection(self, site: Site, view: View, report: ReplicaReport) -> None:
        """In sync is said, and acted upon, only when the peer holds all that was acknowledged."""
        replica = site.replica
        assert replica is not None
        protected = not view.superblock.alone
        live = replica.peer_link.lead is not None and report.flow is Flow.LIVE
        if live and not protected:
            self._oracle.fail(f"{site.name} says LIVE but may acknowledge alone")
        peer = site.peer.view
        if not protected or peer is None or peer.failed or self._is_doubtful(site.peer):
            return
        if peer.superblock.role is ReplicaRole.PRIMARY:
            return
        replaced = self._oracle.replaced_sides
        if peer.superblock.data is ReplicaData.CONSISTENT:
            replaced.pop(site.peer_name, None)
        elif site.peer_name in replaced and (
            not live or replaced[site.peer_name].link == link_of(site)
        ):
            return
        if peer.superblock.data is not ReplicaData.CONSISTENT:
            data = peer.superblock.data.value
            self._oracle.fail(f"{site.name} counts on a peer whose data is {data}")
        if lacking := self._peer_lacks(site):
            self._oracle.fail(f"{site.name} counts on a peer that lacks {lacking}")
        if live and site.peer.up and not site.peer.frozen:
            self._check_secondary(site)

    def _check_secondary(self, site: Site) -> None:
        """A secondary that calls itself up to date is not failed or between two moments."""
        follower = site.peer.replica
        assert follower is not None
        report = follower.report()
        if derive_data(report) is DataState.UP_TO_DATE and (lacking := self._peer_lacks(site)):
            self._oracle.fail(f"{site.peer_name} says UpToDate, but lacks {lacking}")
