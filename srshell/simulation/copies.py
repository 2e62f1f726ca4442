"""Holds what a resynchronisation copies against what may differ.

Always true of the engine, or `Violation` is raised: a copy by marked blocks sends at most what was
written since both sides were last in sync, what the log held then, and what is on its way; unless
a bitmap page was damaged since, which counts as all ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srshell.engine.replica import Replica
from srshell.model.replica import Flow
from srshell.replication.source import Phase
from srshell.simulation.cluster import Cluster, Site
from srshell.simulation.notes import Note
from srshell.simulation.workload import SECTOR_BYTES

if TYPE_CHECKING:
    from srshell.simulation.oracle import Oracle

_BLOCK_BYTES: Final = 4096


class Copies:
    """Judges the copies of one cluster."""

    def __init__(self, cluster: Cluster, oracle: Oracle) -> None:
        """Begin; nothing was copied yet."""
        self._cluster = cluster
        self._oracle = oracle
        #: How many writes there were, and how often each bitmap may have been damaged, when both
        #: sides were last in sync.
        self._written = 0
        self._damaged = self._damages()
        self._begun: tuple[Replica, int] | None = None
        self._sent_before_bytes = 0

    def _damages(self) -> int:
        return sum(site.damages for site in self._cluster.sites.values())

    def check(self, site: Site, replica: Replica) -> None:
        """Judge what a primary has copied so far."""
        source, link = replica.core.source, replica.peer_link
        if source is not None and source.phase is Phase.LIVE:
            self._written, self._damaged = len(self._oracle.notes), self._damages()
        if link.flow is not Flow.BITMAP_COPY or link.lead is None:
            return
        if self._begun != (replica, link.sessions):
            self._begun = (replica, link.sessions)
            self._sent_before_bytes = link.copied_bytes_total
        if self._damaged != self._damages():
            return
        sent_bytes = link.copied_bytes_total - self._sent_before_bytes
        self._cluster.loop.reached("copy: counted")
        if sent_bytes > self._allowed_bytes():
            self._oracle.fail(
                f"{site.name} copied {sent_bytes} bytes, at most {self._allowed_bytes()} may differ"
            )

    def _allowed_bytes(self) -> int:
        shape = self._cluster.shape
        in_flight_bytes = shape.limits.extents_in_flight * shape.limits.extent_bytes
        notes = self._oracle.notes[self._written :]
        return shape.ring_bytes + in_flight_bytes + sum(map(_blocks, notes)) * _BLOCK_BYTES


def _blocks(note: Note) -> int:
    first, end = note.first * SECTOR_BYTES, note.end * SECTOR_BYTES
    return -(-end // _BLOCK_BYTES) - first // _BLOCK_BYTES
