"""Role changes and operator's orders on one replica, from seal to tear-down.

Always true:

(1) Every step is one durable superblock, taken from `srshell.replication.reigns`; repeating a
    step that was carried out under the same operation is harmless.
(2) Locks are taken in this order: linking, transition, frames.
(3) A seal ends by itself: a primary that hears from no owner for a while takes writes again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from srshell.codec.superblock import SLOT_COUNT
from srshell.engine.formatting import wipe_log
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole, Superblock
from srshell.replication import reigns
from srshell.replication import source as machine
from srshell.replication.source import ACKS_ALONE, LINKED, Phase
from srshell.storage import StorageError
from srshell.transport.link import LinkClosed

if TYPE_CHECKING:
    from srshell.engine.replica import Replica


@attrs.frozen
class Promoted:
    """What a promotion did; ``lost_lsns`` is what only the operator can know."""

    epoch: int
    tail_lsn: int
    applied_records: int


async def seal(replica: Replica, operation: str) -> int:
    """Admit no more writes, drain what is under way, return the LSN at which both logs end.

    Raises SrError SR6013 unless the group is in sync; then nothing is sealed.
    """
    core, committer = replica.core, replica.committer
    source = core.source
    if source is None:
        raise SrError.make("SR6017", group=core.superblock.group)
    if committer.sealed_by and committer.sealed_by != operation:
        raise SrError.make("SR6009", group=core.superblock.group, holder=committer.sealed_by)
    if source.phase is not Phase.LIVE:
        raise SrError.make("SR6013", group=core.superblock.group, state=source.phase.name.lower())
    committer.sealed_by = operation
    owner_heard(replica)
    core.wake()
    try:
        while source.acked_lsn < source.last_lsn:
            _check_live(replica, source)
            await core.progressed()
    except BaseException:
        # Also when whoever asked lost patience: nobody would ever take this seal away.
        unseal(replica, operation)
        raise
    _unseal_later(replica, operation, core.world.limits.seal_seconds)
    core.tell("state", f"sealed at LSN {source.last_lsn}", lsn=source.last_lsn)
    return source.last_lsn


def _check_live(replica: Replica, source: machine.Source) -> None:
    if not _is_live(replica, source):
        group = replica.core.superblock.group
        raise SrError.make("SR6013", group=group, state="no longer in sync")


def _is_live(replica: Replica, source: machine.Source) -> bool:
    return replica.core.source is source and source.phase is Phase.LIVE


def owner_heard(replica: Replica) -> None:
    """Keep a seal for longer: its owner lives."""
    replica.owner_heard_at = asyncio.get_running_loop().time()


def _unseal_later(replica: Replica, operation: str, delay_seconds: float) -> None:
    """Take the seal away when no owner was heard for as long as a seal lasts."""
    loop = asyncio.get_running_loop()
    if replica.seal_timer is not None:
        replica.seal_timer.cancel()

    def expire() -> None:
        replica.seal_timer = None
        if replica.committer.sealed_by != operation:
            return
        lasts_seconds = replica.core.world.limits.seal_seconds
        left_seconds = replica.owner_heard_at + lasts_seconds - loop.time()
        if left_seconds > 0:
            _unseal_later(replica, operation, left_seconds)
        else:
            replica.spawn(_expire(replica, operation))

    replica.seal_timer = loop.call_later(delay_seconds, expire)


async def _expire(replica: Replica, operation: str) -> None:
    # A demotion under way ends first, and none begins later: see `demote`.
    async with replica.core.transition:
        if replica.committer.sealed_by == operation and replica.core.source is not None:
            replica.core.tell("state", "unsealed: no owner was heard")
            unseal(replica, operation)


def unseal(replica: Replica, operation: str) -> None:
    """Admit writes again; another operation's seal is left alone."""
    if replica.committer.sealed_by == operation:
        replica.committer.sealed_by = ""
        replica.committer.poke()
        replica.core.wake()


async def demote(replica: Replica, operation: str, new_epoch: int) -> int:
    """End the reign of a sealed primary; ``new_epoch`` is its successor's number.

    Returns the LSN at which its log ends.  Raises SrError SR6015 when it is not sealed by this
    operation.
    """
    core, link = replica.core, replica.peer_link
    async with link.linking:
        superblock = core.superblock
        if superblock.role is ReplicaRole.SECONDARY and superblock.operation == operation:
            return core.log.durable_lsn
        if superblock.role is ReplicaRole.SECONDARY:
            raise SrError.make("SR6017", group=superblock.group)
        if replica.committer.sealed_by != operation:
            raise SrError.make("SR6015", group=superblock.group)
        # Once demoted, this side may be promoted again without the peer: the peer must not go on
        # believing that nothing can be acknowledged without it.
        await _tell_peer(replica, superblock.on_peer_loss, may_ack_alone=True)
        async with core.transition, core.frames:
            source = core.source
            if (
                source is None
                or replica.committer.sealed_by != operation  # it may have ended meanwhile
                or source.acked_lsn < source.last_lsn
                or not _is_live(replica, source)
            ):
                raise SrError.make("SR6015", group=superblock.group)
            await core.persist(lambda sb: reigns.demote(sb, operation, new_epoch))
            committed_lsn = source.acked_lsn
            core.source = None
        replica.committer.sealed_by = ""
        await replica.step_down_after_demotion(committed_lsn)
        await link.close("this side was demoted")
    core.tell("state", f"demoted at LSN {committed_lsn}", lsn=committed_lsn)
    return committed_lsn


async def promote(
    replica: Replica, operation: str, expected_lsn: int | None, *, alone: bool
) -> Promoted:
    """Begin the reign of this side at its own log's end.

    ``expected_lsn``: where a planned failover's source ended; None for an unplanned one.
    Raises SrError SR6026 (data not consistent), SR6010 (the log ends elsewhere), SR6025 (history
    full).
    """
    core, link = replica.core, replica.peer_link
    link.give_up_handshake()
    async with link.linking:
        superblock = core.superblock
        if superblock.role is ReplicaRole.PRIMARY:
            if superblock.operation == operation:
                return Promoted(superblock.history[-1].epoch.number, core.log.durable_lsn, 0)
            raise SrError.make("SR6007", group=superblock.group)
        await link.close("this side is being promoted")
        async with core.transition:
            return await _promote(replica, operation, expected_lsn, alone=alone)


async def _promote(
    replica: Replica, operation: str, expected_lsn: int | None, *, alone: bool
) -> Promoted:
    core = replica.core
    superblock = core.superblock
    core.check_usable()
    tail_lsn = core.log.durable_lsn
    if superblock.data is not ReplicaData.CONSISTENT:
        facts = f"the data of this side is {superblock.data.value}"
        raise SrError.make(
            "SR6026",
            facts=facts,
            array=superblock.array,
            group=superblock.group,
            data=superblock.data.value,
        )
    if expected_lsn is not None and tail_lsn != expected_lsn:
        facts = f"the source ended at LSN {expected_lsn}, this log at {tail_lsn}"
        raise SrError.make("SR6010", facts=facts, group=superblock.group)
    # What the old primary is known to hold: everything after it may be missing there.
    confirmed_lsn = tail_lsn if expected_lsn is not None else core.committed_lsn
    unapplied = tail_lsn - core.applied_lsn
    _check_history(superblock)
    epoch = reigns.next_epoch(superblock, core.world.randomness.getrandbits(63))
    now_unix = core.world.wall_seconds()
    core.dirty.clear_all()

    def promoted(current: Superblock) -> Superblock:
        changed = reigns.promote(current, epoch, tail_lsn, operation, alone=alone)
        lost = now_unix if alone else 0.0
        return attrs.evolve(changed, confirmed_lsn=confirmed_lsn, lost_unix=lost)

    await core.write_dirty_pages()
    await core.persist(promoted)
    core.lead(confirmed_lsn, alone=alone)
    replica.lead_from_here()
    replica.applier.commit(tail_lsn)
    core.tell("epoch", f"primary in epoch {epoch.number}", epoch=epoch.number, lsn=tail_lsn)
    return Promoted(epoch.number, tail_lsn, unapplied)


def _check_history(superblock: Superblock) -> None:
    """Refuse before anything is changed what would begin an epoch in a full history."""
    try:
        reigns.begin_era(superblock, reigns.next_epoch(superblock, 0), superblock.durable_lsn)
    except reigns.RefusedStep as error:
        raise SrError.make("SR6025", facts=str(error), group=superblock.group) from error


async def suspend(replica: Replica) -> None:
    """Stop replicating until `resume`; the peer knows it before this side acknowledges alone.

    Raises SrError SR5309 when the peer cannot be told.
    """
    core, link = replica.core, replica.peer_link
    source = core.source
    if source is None:
        raise SrError.make("SR6017", group=core.superblock.group)
    if core.superblock.suspended:
        return
    if not source.alone:
        _check_history(core.superblock)  # it goes on alone, in an epoch of its own
    async with link.linking:
        async with core.transition:
            # Held until the link is closed: a fence that ended in between would take back what the
            # peer was just told.
            await _tell_peer(replica, core.superblock.on_peer_loss, may_ack_alone=True)
            await core.persist(lambda sb: attrs.evolve(sb, suspended=True))
            await link.close("suspended")
        # A primary that crashed still has to meet its peer before it leads.
        if source.phase not in ACKS_ALONE | {Phase.READ_ONLY}:
            replica.carry_out(source.handle(machine.Part()))
            while source.phase is Phase.PARTING:
                await core.progressed()
    core.tell("state", "suspended by an operator")


async def _tell_peer(replica: Replica, policy: OnPeerLoss, *, may_ack_alone: bool) -> None:
    lead, core = replica.peer_link.lead, replica.core
    source = core.source
    if lead is None or lead.link.closed:
        if source is not None and source.alone:
            return  # the peer has been told, by the first acknowledgement that it took no part in
        raise _untold(core.superblock, "the link is down")
    try:
        await lead.tell_policy(policy, may_ack_alone=may_ack_alone)
    except LinkClosed as error:
        raise _untold(core.superblock, error.reason) from error


def _untold(superblock: Superblock, facts: str) -> SrError:
    return SrError.make("SR5309", facts=facts, group=superblock.group, peer=superblock.peer_array)


async def resume(replica: Replica, *, alone: bool) -> None:
    """Replicate again; ``alone``: lead without the peer, at the operator's word."""
    core, link = replica.core, replica.peer_link
    if core.superblock.suspended:
        async with core.transition:
            await core.persist(lambda sb: attrs.evolve(sb, suspended=False))
        link.nudge()
        core.tell("state", "resumed by an operator")
        return
    source = core.source
    if not alone:
        if core.superblock.started:
            return
        raise SrError.make("SR5308", group=core.superblock.group)
    if source is None:
        raise SrError.make("SR6017", group=core.superblock.group)
    if source.phase in ACKS_ALONE:
        return
    if source.phase in LINKED:
        facts = f"{core.superblock.peer_array} follows: the link is up"
        raise SrError.make("SR6029", facts=facts, group=core.superblock.group)
    _check_history(core.superblock)
    replica.carry_out(source.handle(machine.Part()))
    while source.phase is Phase.PARTING and core.source is source:
        await core.progressed()
    if source.phase in {Phase.HELD, Phase.READ_ONLY}:
        _check_history(core.superblock)  # it has filled since
    if core.source is not source or source.phase in LINKED:
        facts = f"{core.superblock.peer_array} came back meanwhile"
        raise SrError.make("SR6029", facts=facts, group=core.superblock.group)
    core.tell("state", "leads alone by an operator's order")


async def set_policy(replica: Replica, policy: OnPeerLoss) -> None:
    """Change what happens when the peer is lost.

    The peer knows that this side may go on alone for as long as that is so: it is told before a
    change to ``continue`` and after a change from it.
    """
    core = replica.core
    source = core.source
    if source is None:
        raise SrError.make("SR6017", group=core.superblock.group)
    if core.superblock.on_peer_loss is policy:
        return
    async with core.transition:
        if policy is OnPeerLoss.CONTINUE:
            await _tell_peer_of_policy(replica, policy)
        await core.persist(lambda sb: attrs.evolve(sb, on_peer_loss=policy))
        if policy is not OnPeerLoss.CONTINUE:
            # What it no longer allows itself may be told afterwards, or at the next handshake.
            with suppress(SrError):
                await _tell_peer_of_policy(replica, policy)
    replica.carry_out(source.handle(machine.PolicyChanged(policy)))
    core.tell("state", f"on peer loss: {policy.value}")


async def _tell_peer_of_policy(replica: Replica, policy: OnPeerLoss) -> None:
    superblock = replica.core.superblock
    if superblock.started:
        await _tell_peer(replica, policy, may_ack_alone=superblock.alone)


async def dismantle(replica: Replica) -> int:
    """Tear this side down: apply what is committed, forget the partnership (rules R75-R77).

    Returns the LSN at which the volumes stand.
    """
    core, link = replica.core, replica.peer_link
    link.give_up_handshake()
    async with link.linking:
        async with core.transition:
            await core.persist(lambda sb: attrs.evolve(sb, torn_down=True, suspended=True))
        await link.close("torn down")
        await replica.step_down()
        # Nobody will roll anything back; a primary that crashed may have acknowledged all of it.
        replica.applier.commit(core.log.durable_lsn)
        await replica.applier.settle()
        await replica.applier.checkpoint()
        # Every slot says so: half of a wipe must not bring back what this side was before.
        for _ in range(SLOT_COUNT):
            await core.persist()
        lsn = core.applied_lsn
    core.tell("state", f"torn down at LSN {lsn}", lsn=lsn)
    async with replica.applier.checkpointing:
        # From here on nothing writes a superblock: it would bring the partnership back.
        core.closing = True
        try:
            await wipe_log(core.log_device)
        except StorageError as error:
            raise core.fail(error) from error
    return lsn
