"""The steps of one side that change roles, epochs or the link, as the engine takes them.

Always true:

(1) Each function is one durable write of one superblock, or None when the step is not allowed now.
(2) When they are taken says `tests.model.steps`; what they write, `srshell.replication.reigns`.
"""

from __future__ import annotations

import attrs

from srshell.model.replica import OnPeerLoss, ReplicaRole
from srshell.replication import reigns, source
from tests.model import local
from tests.model.local import (
    Side,
    Sides,
    Step,
    fields_of,
    handle,
    machine_of,
    new_machine,
    next_epoch,
    plain,
)

COPY_ID = "copy"


def pull(sides: Sides, number: int, peer: int) -> int:
    """Take the peer's longer tail into the log of a crashed primary, durably."""
    side, other = sides.values[number], sides.values[peer]
    log = other.log[: other.flushed]
    machine = machine_of(side)
    assert machine is not None, side
    machine.adopt_tail(len(log))
    fields = fields_of(machine)
    return sides.number(attrs.evolve(side, log=log, flushed=len(log), machine=fields))


def make_ready(sides: Sides, number: int, copying: bool, fresh: bool) -> int | None:
    """Begin a new epoch after a crash, go alone before a copy: the primary's part before Rejoin."""
    side = sides.values[number]
    machine = machine_of(side)
    if machine is None or side.flushed != len(side.log):
        return None
    superblock = side.superblock
    if superblock.unclean:
        epoch = next_epoch(sides, superblock)
        if epoch is None:
            return None
        superblock = reigns.resume_reign(superblock, epoch, side.flushed)
    if copying and not superblock.alone:
        epoch = next_epoch(sides, superblock)
        if epoch is None:
            return None
        superblock = reigns.go_alone(superblock, epoch, side.flushed, 0.0)
        machine.handle(source.AloneDurable())
    if fresh:
        superblock = attrs.evolve(superblock, copy_id=COPY_ID)
    fields = fields_of(machine)
    return sides.number(attrs.evolve(side, superblock=plain(superblock), machine=fields))


def rejoin(
    sides: Sides, number: int, peer: int, common_lsn: int, truncate_lsn: int, fresh: bool
) -> int | None:
    """Cut the tail and follow the peer; before a copy the same write says inconsistent."""
    side, leader = sides.values[number], sides.values[peer].superblock
    newest = max(era.epoch.number for era in leader.history)
    if newest < side.superblock.promised_epoch or acknowledged_since(sides, number, common_lsn):
        return None
    superblock = reigns.rejoin(side.superblock, leader.history, leader.on_peer_loss)
    log = side.log[:truncate_lsn]
    applied = side.applied
    if fresh:
        superblock = reigns.begin_copy(superblock, truncate_lsn, leader.copy_id)
        superblock = attrs.evolve(superblock, base_lsn=0, head_lsn=truncate_lsn + 1)
        log = sides.values[peer].log[:truncate_lsn]
        applied = truncate_lsn
    return sides.number(Side(plain(superblock), log, len(log), None, (), applied))


def acknowledged_since(sides: Sides, number: int, common_lsn: int) -> bool:
    """Tell whether a primary went on alone after it said Hello: then the agreement is void."""
    side = sides.values[number]
    if side.machine is None:
        return False
    return local.standing(sides, number).acked_alone_lsn > common_lsn


def store_fence(sides: Sides, number: int) -> int:
    """Fence, step 1: the secondary makes durable that it is consistent.

    The primary's history when it sent the fence is the one that this side took over with Rejoin.
    """
    side = sides.values[number]
    history = reigns.shortened(side.superblock.history)
    superblock = plain(reigns.fence_stored(side.superblock, history))
    return sides.number(attrs.evolve(side, superblock=superblock))


def close_fence(sides: Sides, number: int) -> int:
    """Fence, step 3: the secondary makes durable that the primary acknowledges alone no more."""
    side = sides.values[number]
    superblock = plain(reigns.fence_closed(side.superblock))
    return sides.number(attrs.evolve(side, superblock=superblock))


def promote_by_force(sides: Sides, number: int) -> int | None:
    """Unplanned failover: a person makes the secondary primary, whatever the other side does."""
    return _promote(sides, number, alone=True)


def promote_as_planned(sides: Sides, number: int, lsn: int) -> int | None:
    """Planned failover, second half: the secondary takes the role at the LSN of the seal."""
    if len(sides.values[number].log) != lsn:
        return None
    return _promote(sides, number, alone=False)


def _promote(sides: Sides, number: int, *, alone: bool) -> int | None:
    side = sides.values[number]
    superblock, tail = side.superblock, side.flushed
    epoch = next_epoch(sides, superblock)
    if superblock.role is not ReplicaRole.SECONDARY or epoch is None:
        return None
    try:
        superblock = plain(reigns.promote(superblock, epoch, tail, "", alone=alone))
    except reigns.RefusedStep:
        return None
    phase = source.Phase.ALONE if alone else source.Phase.LOST
    machine = new_machine(superblock, phase, tail, tail)
    return sides.number(Side(superblock, side.log, tail, machine, (), tail))


def is_told(secondary: Side) -> bool:
    """Tell whether the secondary knows that the primary's side may be promoted and lead alone."""
    return secondary.superblock.peer_may_ack_alone


def demote(sides: Sides, number: int) -> int | None:
    """Planned failover, first half: a drained primary gives up its role."""
    side = sides.values[number]
    epoch = next_epoch(sides, side.superblock)
    if side.pending or epoch is None:
        return None
    try:
        superblock = plain(reigns.demote(side.superblock, "", epoch.number))
    except reigns.RefusedStep:
        return None
    return sides.number(Side(superblock, side.log, side.flushed, None, (), side.applied))


def give_up(sides: Sides, number: int) -> int:
    """Lose a split brain: stop, and let the other side's data count."""
    side = sides.values[number]
    superblock = plain(reigns.give_up(side.superblock))
    log = side.log[: side.flushed]
    return sides.number(Side(superblock, log, len(log), None, (), side.applied))


def store_policy(sides: Sides, number: int, policy: OnPeerLoss, may_ack_alone: bool) -> int:
    """Store at the secondary what the primary is about to allow itself."""
    side = sides.values[number]
    superblock = attrs.evolve(
        side.superblock, on_peer_loss=policy, peer_may_ack_alone=may_ack_alone
    )
    return sides.number(attrs.evolve(side, superblock=plain(superblock)))


def reclaim(sides: Sides, number: int) -> int | None:
    """Drop the whole log of a primary that is alone: marked blocks stand in for it."""
    side = sides.values[number]
    machine = machine_of(side)
    if machine is None or machine.phase is not source.Phase.ALONE:
        return None
    if side.superblock.head_lsn > side.flushed or side.flushed != side.applied:
        return None
    superblock = attrs.evolve(side.superblock, head_lsn=side.flushed + 1)
    return sides.number(attrs.evolve(side, superblock=superblock))


def adopt_policy(sides: Sides, number: int, policy: OnPeerLoss) -> Step:
    """Go by a new policy that the secondary stored already."""
    side = sides.values[number]
    superblock = attrs.evolve(side.superblock, on_peer_loss=policy)
    step = handle(
        sides, sides.number(attrs.evolve(side, superblock=superblock)), source.PolicyChanged(policy)
    )
    assert step is not None, side
    return step
