"""What the two sides of a cluster have, as seen from outside.

Always true: looking changes nothing.  A side that is down is judged by what it had in memory when
it died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from srshell.engine.core import Core
from srshell.engine.replica import Replica
from srshell.model.replica import Era, Flow, LinkState, ReplicaRole, Superblock
from srshell.replication.source import Phase, Source

if TYPE_CHECKING:
    from srshell.simulation.cluster import Site
    from srshell.simulation.loop import SimLoop

_FLAGS = ("alone", "peer_may_ack_alone", "unclean", "yields", "suspended")


@attrs.frozen
class View:
    """What one side has, or had when it died."""

    superblock: Superblock
    #: Its log holds every record up to here.
    durable_lsn: int
    failed: bool

    @classmethod
    def of(cls, core: Core) -> View:
        """Return what a running replica has now."""
        return cls(core.superblock, core.log.durable_lsn, bool(core.failure))

    @property
    def leads(self) -> bool:
        """Say whether it is primary by its own account: then it holds nothing of another reign."""
        return self.superblock.role is ReplicaRole.PRIMARY

    def holds(self, lsn: int, era: Era | None) -> bool:
        """Say whether the record that got this LSN in this era is here."""
        history = self.superblock.history
        if lsn > self.durable_lsn:
            return False
        if not history or lsn <= history[0].start_lsn:
            return True  # older than what the history still lists
        return era_of(history, lsn) == era


@attrs.frozen
class Replaced:
    """What a side had that a person threw away, with the disks that it was on."""

    #: Which link the other side had then; None if it had none.
    link: object
    #: What was on each of the disks that were thrown away, one after the other.
    views: tuple[View, ...]

    def held(self, lsn: int, era: Era | None) -> bool:
        """Say whether it could have confirmed the record that got this LSN in this era."""
        return any(view.holds(lsn, era) for view in self.views)


class Seen:
    """What one side looked like when it was last looked at."""

    __slots__ = (
        "acked_lsn",
        "confirmed_lsn",
        "durable_lsn",
        "failure",
        "flow",
        "link",
        "loop",
        "phase",
        "replica",
        "sealed_by",
        "site",
        "source",
        "superblock",
    )

    def __init__(self, site: Site, loop: SimLoop) -> None:
        """Begin with a side that was never up."""
        self.site = site
        self.loop = loop
        self.replica: Replica | None = None
        self.superblock: Superblock | None = None
        self.source: Source | None = None
        self.phase: Phase | None = None
        self.link: LinkState | None = None
        self.flow: Flow | None = None
        self.failure = self.sealed_by = ""
        self.durable_lsn = self.acked_lsn = self.confirmed_lsn = 0

    def has_moved(self) -> bool:
        """Say whether anything that matters changed since the last call, and remember it."""
        replica = self.site.replica
        if replica is None:
            return False
        core, link = replica.core, replica.peer_link
        source, durable_lsn = core.source, core.log.durable_lsn
        if (
            replica is self.replica
            and core.superblocks.current is self.superblock
            and durable_lsn == self.durable_lsn
            and source is self.source
            and link.state is self.link
            and link.flow is self.flow
            and core.failure == self.failure
            and replica.committer.sealed_by == self.sealed_by
            and (
                source is None
                or (
                    source.acked_lsn == self.acked_lsn
                    and source.confirmed_lsn == self.confirmed_lsn
                    and source.phase is self.phase
                )
            )
        ):
            return False
        if replica is self.replica and durable_lsn < self.durable_lsn:
            self.loop.reached("log: rolled back, or begun anew")
        self.replica, self.superblock, self.source = replica, core.superblocks.current, source
        self.durable_lsn, self.failure = durable_lsn, core.failure
        self.link, self.flow, self.sealed_by = link.state, link.flow, replica.committer.sealed_by
        if source is not None:
            self.acked_lsn, self.confirmed_lsn = source.acked_lsn, source.confirmed_lsn
            self.phase = source.phase
        return True


def era_of(history: tuple[Era, ...], lsn: int) -> Era | None:
    """Return the era in which an LSN was given out; None when it is before all that are listed."""
    found = None
    for era in history:
        if era.start_lsn < lsn:
            found = era
    return found


def describe(site: Site) -> str:
    """Say how a side stands, for people."""
    view = site.view
    if view is None:
        return f"  {site.name}: never opened {site.trouble}"
    superblock = view.superblock
    eras = " ".join(
        f"{era.epoch.number}{era.epoch.creator[0]}>{era.start_lsn}" for era in superblock.history
    )
    flags = " ".join(name for name in _FLAGS if getattr(superblock, name))
    log = f"log {superblock.head_lsn}..{view.durable_lsn} [{eras}]"
    state = f"{superblock.role.value} {superblock.data.value} {flags}"
    line = f"  {site.name}: {'up' if site.up else 'down'} {state} {log} {site.trouble}"
    replica = site.replica
    if replica is None:
        return line
    core, link = replica.core, replica.peer_link
    source = core.source
    phase = f"{source.phase.name} acked {source.acked_lsn}" if source else "following"
    applied = f"committed {core.committed_lsn} applied {core.applied_lsn}"
    return f"{line}\n     {phase} {applied} link {link.state.value} {link.reason}"
