"""Planted bugs in roles, epochs, handshakes and orders: what each replaces in the engine.

Always true: a function here returns who is replaced, which name of it, and by what; it changes
nothing itself.
"""

from __future__ import annotations

from typing import Any

import attrs

from srshell.codec.messages import Hello
from srshell.engine import handshake, peer_link, role_changes
from srshell.engine import replica as replica_module
from srshell.engine.core import Core
from srshell.engine.peer_link import PeerLink
from srshell.engine.rejoining import Incompatible
from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.model.replica import (
    Epoch,
    LinkState,
    ReplicaData,
    ReplicaRole,
    Standing,
    Superblock,
)
from srshell.replication import decide, reigns
from srshell.simulation.planting import Change, plants

# --- what two sides decide ----------------------------------------------------------------------


@plants("merged-split", "P13", "a split brain is never merged")
def merge_a_split() -> list[Change]:
    leader = decide._leader

    def by_rank(mine: Standing, theirs: Standing, *rest: Any) -> decide.Relation:  # noqa: ANN401
        found = leader(mine, theirs, *rest)
        if found is not decide.Relation.SPLIT:
            return found
        newest = (mine.history[-1].epoch.number, mine.replica)
        return (
            decide.Relation.SOURCE
            if newest > (theirs.history[-1].epoch.number, theirs.replica)
            else decide.Relation.TARGET
        )

    return [(decide, "_leader", by_rank)]


@plants("split-kept-secret", "P13", "both sides know of a split")
def keep_a_split_to_oneself() -> list[Change]:
    refused = PeerLink._refused

    def forget(self: Any, error: Incompatible) -> None:  # noqa: ANN401
        if self._core.superblock.initiator:
            refused(self, error)
        else:
            self._set_state(LinkState.REFUSED, error.reason)

    return [(PeerLink, "_refused", forget)]


@plants("loser-leads", "P13", "who was given up follows")
def ignore_who_was_given_up() -> list[Change]:
    leader = decide._leader

    def without_yields(mine: Standing, theirs: Standing, *rest: Any) -> decide.Relation:  # noqa: ANN401
        return leader(attrs.evolve(mine, yields=False), attrs.evolve(theirs, yields=False), *rest)

    return [(decide, "_leader", without_yields)]


@plants("promotion-undone", "P13", "a person's promotion is not undone in silence")
def undo_a_promotion() -> list[Change]:
    return [(decide, "_reigns", lambda side, later: False)]


# --- epochs -------------------------------------------------------------------------------------


@plants("promoted-in-the-old-epoch", "P6", "a promotion begins an epoch")
def promote_in_the_old_epoch() -> list[Change]:
    promote = reigns.promote

    def same_epoch(superblock: Superblock, *arguments: Any, **options: Any) -> Superblock:  # noqa: ANN401
        promoted = promote(superblock, *arguments, **options)
        return attrs.evolve(promoted, history=superblock.history)

    return [(reigns, "promote", same_epoch)]


@plants("alone-in-the-old-epoch", "P6", "going alone begins an epoch")
def go_alone_in_the_old_epoch() -> list[Change]:
    go_alone = reigns.go_alone

    def same_epoch(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(go_alone(superblock, *arguments), history=superblock.history)

    return [(reigns, "go_alone", same_epoch)]


@plants("era-from-the-confirmed", "P6", "an era begins at the end of the log")
def begin_an_era_at_the_confirmed_lsn() -> list[Change]:
    begin_era = reigns.begin_era

    def earlier(superblock: Superblock, epoch: Epoch, start_lsn: int) -> Superblock:
        return begin_era(superblock, epoch, min(superblock.confirmed_lsn, start_lsn))

    return [(reigns, "begin_era", earlier)]


@plants("trusting-follower", "P1", "who follows does not know whether its primary is alone")
def trust_a_primary_that_may_be_alone() -> list[Change]:
    rejoin = reigns.rejoin

    def trusting(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(rejoin(superblock, *arguments), peer_may_ack_alone=False)

    return [(reigns, "rejoin", trusting)]


@plants("trusting-predecessor", "P14", "who was demoted does not know what its successor does")
def trust_a_successor_that_may_be_alone() -> list[Change]:
    demote = reigns.demote

    def trusting(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(demote(superblock, *arguments), peer_may_ack_alone=False)

    return [(reigns, "demote", trusting)]


@plants("no-clock", "P23", "the clock runs while writes may be missing")
def forget_the_clock() -> list[Change]:
    go_alone = reigns.go_alone

    def timeless(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(go_alone(superblock, *arguments), lost_unix=0.0)

    return [(reigns, "go_alone", timeless)]


# --- handshakes ---------------------------------------------------------------------------------


@plants("stranger", "P22", "only the peer is let in")
def let_a_stranger_in() -> list[Change]:
    def unchecked(self: Any, hello: Hello) -> Standing:  # noqa: ANN401
        return hello.standing

    return [
        (handshake.Handshake, "_checked", unchecked),
        (peer_link, "is_for", lambda superblock, hello: True),
    ]


@plants("old-tail", "P3", "who follows drops its own tail")
def follow_with_the_old_tail() -> list[Change]:
    return [(Core, "cut_log", lambda self, lsn: None)]


@plants("half-copy-is-consistent", "P10", "half a copy is inconsistent")
def call_a_half_copy_consistent() -> list[Change]:
    begin_copy = reigns.begin_copy

    def consistent(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(begin_copy(superblock, *arguments), data=ReplicaData.CONSISTENT)

    return [(reigns, "begin_copy", consistent)]


@plants("loser-keeps-blocks", "P13", "the loser's own blocks are copied over")
def forget_the_blocks_of_the_loser() -> list[Change]:
    async def fetch_nothing(self: handshake.Handshake) -> None:
        return None

    return [(handshake.Handshake, "_fetch_dirty", fetch_nothing)]


# --- orders -------------------------------------------------------------------------------------


@plants("half-copy-leads", "P10", "half a copy never leads")
def promote_half_a_copy() -> list[Change]:
    promote = role_changes._promote

    async def unchecked(replica: Replica, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        superblocks = replica.core.superblocks
        superblocks.current = attrs.evolve(superblocks.current, data=ReplicaData.CONSISTENT)
        return await promote(replica, *arguments, **options)

    return [(role_changes, "_promote", unchecked)]


@plants("frames-after-promotion", "P4", "who was promoted follows nobody")
def take_frames_after_a_promotion() -> list[Change]:
    close = PeerLink.close

    async def stay(self: PeerLink, reason: str) -> None:
        if "promoted" not in reason:
            await close(self, reason)

    return [(PeerLink, "close", stay)]


@plants("ghost-frame", "P5", "no frame is written after a change of role")
def step_down_in_the_middle_of_a_frame() -> list[Change]:
    async def at_once(self: Any, common_lsn: int | None = None) -> None:  # noqa: ANN401
        self.core.source = None
        self.committer.fail_waiting(self._unavailable)
        self.committer.poke()

    return [(replica_module.Replica, "step_down", at_once)]


@plants("undrained", "P14", "a primary is drained before it is demoted")
def demote_without_draining() -> list[Change]:
    demote = role_changes.demote

    async def undrained(replica: Replica, operation: str, new_epoch: int) -> int:
        source = replica.core.source
        if source is not None:
            source.acked_lsn = source.flushed_lsn = source.last_lsn
        return await demote(replica, operation, new_epoch)

    async def seal(replica: Replica, operation: str) -> int:
        replica.committer.sealed_by = operation
        source = replica.core.source
        if source is None:
            raise SrError.make("SR6017", group=replica.core.superblock.group)
        return source.last_lsn

    return [(role_changes, "demote", undrained), (role_changes, "seal", seal)]


@plants("anybody-unseals", "P14", "a seal belongs to one operation")
def let_anybody_unseal() -> list[Change]:
    unseal = role_changes.unseal

    def any_operation(replica: Replica, operation: str) -> None:
        unseal(replica, replica.committer.sealed_by)

    return [(role_changes, "unseal", any_operation)]


@plants("not-twice", "P20", "a repeated order is harmless")
def refuse_what_is_done_already() -> list[Change]:
    promote = role_changes.promote

    async def once(replica: Replica, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        superblock = replica.core.superblock
        if superblock.role is ReplicaRole.PRIMARY:
            raise SrError.make("SR6007", group=superblock.group)
        return await promote(replica, *arguments, **options)

    return [(role_changes, "promote", once)]
