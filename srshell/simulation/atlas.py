"""Where disks may do damage and say nothing: the fault atlas.

Always true:

(1) Silent damage strikes one side of a group alone, the brittle one, and never its volumes: what is
    on them has no second witness but a verification, which has tests of its own.
(2) Bytes rot where something notices: in one superblock slot at a time, in the bitmaps, in the
    checksums, and in frames of the log that the superblock names as durable.
(3) A disk lies about the log alone, and only while the other side holds everything: such a side is
    *doubtful* until its disk is replaced; a careful person bets nothing on it, and the oracle
    expects of it no more than that it comes in step again.
"""

from __future__ import annotations

from random import Random
from typing import Final

from srshell.engine.core import Core
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.replica import ReplicaData
from srshell.simulation.cluster import Cluster, Site
from srshell.simulation.faults import FaultKind

_SLOT_BYTES: Final = SUPERBLOCK_AREA_BYTES // 4
#: Kinds of places that rot, as often as they stand here.
_PLACES: Final = ("ring", "ring", "slot", "maps")


class Atlas:
    """Decides where silent damage may strike on the brittle side."""

    def __init__(self, cluster: Cluster, brittle: str, random: Random, doubtful: set[str]) -> None:
        """Begin with sound disks; an empty ``brittle`` names no side."""
        self._cluster = cluster
        self._brittle = brittle
        self._random = random
        #: Sides whose log may hold less than they said.
        self.doubtful = doubtful
        #: The generation whose slot rots; another one may after two more.
        self._rotten_generation = -2

    def trusts(self, site: Site) -> bool:
        """Whether a careful person may bet data on this side alone."""
        return site.name not in self.doubtful

    def forget(self, side: str) -> None:
        """The side has a new disk, or a person has no other."""
        self.doubtful.discard(side)

    # --- lies -----------------------------------------------------------------------------------

    def arm(self, kind: FaultKind, count: int) -> None:
        """Let the ``count``-th operation from now on that may go wrong silently do so."""
        site = self._cluster.sites[self._brittle]
        core = self._core(site)
        if core is None:
            return
        operation = "sync" if kind is FaultKind.LIE else "write"
        fault = site.disk.fail_at(count, kind, operation=operation, path=site.log_path)
        fault.from_offset = site.disk.silent_from_offset = core.superblock.ring_offset
        fault.guard = lambda: self._may_lie(site)

    def _may_lie(self, site: Site) -> bool:
        core, peer = self._core(site), site.peer.view
        if core is None or core.superblock.alone or (core.source and core.source.alone):
            return False
        if peer is None or peer.failed or peer.superblock.data is not ReplicaData.CONSISTENT:
            return False
        if core.superblock.data is not ReplicaData.CONSISTENT:
            return False
        self.doubtful.add(site.name)
        site.damages += 1
        self._cluster.loop.reached("atlas: a side is doubtful")
        return True

    def _core(self, site: Site) -> Core | None:
        return site.replica.core if site.replica is not None and site.up else None

    # --- rot ------------------------------------------------------------------------------------

    def rot(self) -> None:
        """Let one byte rot somewhere on the brittle side, if there is a place for it."""
        site = self._cluster.sites[self._brittle]
        core = self._core(site)
        if core is None:
            return
        place = self._random.choice(_PLACES)
        offset = self._slot(core) if place == "slot" else self._maps(core)
        if place == "ring":
            offset = self._frame(core)
        if offset is None:
            return
        self._cluster.loop.record("atlas", site.name, "rot", place, offset)
        self._cluster.loop.reached(f"disk: rot in the {place}")
        site.damages += 1
        site.disk.image(site.log_path).flip(offset, 1 << self._random.randrange(8))

    def _slot(self, core: Core) -> int | None:
        generation = core.superblock.generation
        if generation < self._rotten_generation + 2:
            return None
        self._rotten_generation = generation
        return generation % 4 * _SLOT_BYTES + self._random.randrange(256)

    def _maps(self, core: Core) -> int | None:
        return self._random.randrange(SUPERBLOCK_AREA_BYTES, core.superblock.ring_offset)

    def _frame(self, core: Core) -> int | None:
        """Return a byte of a frame whose loss the superblock proves."""
        durable_lsn = core.superblock.durable_lsn
        frames = [frame for frame in core.ring.frames if frame.last_lsn <= durable_lsn]
        if not frames:
            return None
        frame = self._random.choice(frames)
        within = self._random.randrange(frame.total_bytes)
        superblock = core.superblock
        return superblock.ring_offset + (frame.position + within) % superblock.ring_bytes
