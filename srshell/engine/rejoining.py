"""The last step of a secondary in a handshake: cut the tail, follow, before a copy begin anew.

Always true:

(1) What is cut was never applied; what a copy does not cover is in the volumes before the log goes.
(2) What an interrupted copy stored is durable before the peer is told what to compare.
(3) The log's pointers, the history and the data state change in one durable write.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import attrs

from srshell.codec.messages import Rejoin
from srshell.engine.core import Core
from srshell.engine.recovery import new_segment, with_segment
from srshell.model.replica import Divergence, ReplicaData, Standing, Superblock
from srshell.replication import reigns
from srshell.replication import source as machine
from srshell.replication.decide import Decision


class Incompatible(Exception):
    """The two sides cannot work together now; ``relation`` says how, and nothing was changed."""

    def __init__(self, relation: str, reason: str, theirs: Standing | None = None) -> None:
        """Keep the verdict for status and events."""
        super().__init__(reason)
        self.relation = relation
        self.reason = reason
        self.theirs = theirs


class Split(Incompatible):
    """Both sides hold acknowledged writes that the other lacks, and each knows what.

    ``peer`` is None when the link broke before the other side had said it.
    """

    def __init__(self, reason: str, theirs: Standing, mine: Divergence, peer: Divergence | None):
        """Keep both deltas for status and events."""
        super().__init__("split", reason, theirs)
        self.mine = mine
        self.peer = peer


class Parts(Protocol):
    """What a handshake needs of the replica around it."""

    @property
    def checkpointing(self) -> asyncio.Lock:
        """The lock that a checkpoint holds."""

    async def apply_through(self, lsn: int) -> None:
        """Bring every record up to ``lsn`` durably into the volumes."""

    def carry_out(self, instructions: list[machine.Instruction]) -> None:
        """Do what the source machine decided."""

    async def step_down(self, common_lsn: int) -> None:
        """Stop giving out LSNs, unless some after ``common_lsn`` were acknowledged alone."""


async def rejoin_source(core: Core, parts: Parts, rejoin: Rejoin, decision: Decision) -> None:
    """Cut the tail, take the source's history, before a copy become inconsistent: one write."""
    if rejoin.copy and core.superblock.data is not ReplicaData.BLANK:
        # The copy covers what lies after the common point only, so everything before must be in the
        # volumes before the log is emptied.
        await parts.apply_through(decision.common_lsn)
    if not rejoin.copy and core.applied_lsn > rejoin.truncate_lsn:
        raise Incompatible("disagree", f"LSN {core.applied_lsn} is applied already, beyond the cut")
    if core.superblock.data is ReplicaData.INCONSISTENT:
        # Extents that came over an earlier link are stored and synced: the primary will compare
        # them, and forgets a block that is equal.
        await parts.apply_through(core.committed_lsn)
    await parts.step_down(decision.common_lsn)
    async with parts.checkpointing:  # a checkpoint of the old log must not end in the new one
        await _begin_anew(core, rejoin)


async def _begin_anew(core: Core, rejoin: Rejoin) -> None:
    """Cut the log and follow; memory and disk change together, nothing waits in between."""
    core.cut_log(core.ring.head_lsn - 1 if rejoin.copy else rejoin.truncate_lsn)
    first_lsn = (rejoin.base_lsn if rejoin.copy else rejoin.truncate_lsn) + 1
    segment = new_segment(first_lsn, core.ring.tail_position, core.world.randomness)
    core.begin_segment(segment)

    def rejoined(superblock: Superblock) -> Superblock:
        joined = reigns.rejoin(superblock, rejoin.history, rejoin.policy)
        if rejoin.copy:
            joined = reigns.begin_copy(joined, rejoin.base_lsn, rejoin.copy_id)
            joined = attrs.evolve(joined, segments=())
        return with_segment(joined, segment)

    await core.persist(rejoined)
    core.follow()
