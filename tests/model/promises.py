"""What must hold in every state of the model, whatever happened before.

Always true of a correct rule book:

(1) An acknowledged write that nobody gave up is durable on a side; one that was durable on both
    sides stays on both, but for a side that is being copied over and says so.
(2) The side that would lead at the next contact lacks no acknowledged write; if both lack one, the
    contact is a split.
(3) Without an unplanned failover there is no split, and the newest primary lacks nothing.
(4) Both sides reach mirrored verdicts; equal sides have equal logs; what a target drops it never
    applied.
(5) A secondary that claims that a failover loses nothing is right.
(6) While a primary is in step, both sides hold everything that was acknowledged.
(7) With a witness there is never a split, and whom it may grant the lead lacks nothing.
"""

from __future__ import annotations

from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication import source
from srshell.replication.decide import Relation
from tests.model.contact import Contact, Pair
from tests.model.group import NAMES, Group, Known, LinkState, Stage
from tests.model.local import Side, machine_of

_LEADS = {Relation.SOURCE, Relation.EQUAL}
_LOSES = {0: _LEADS, 1: {Relation.TARGET, Relation.EQUAL}}


def broken_promise(group: Group, state: int) -> str:
    """Return what does not hold in a state, or nothing."""
    pair, link, known = group.unpack(state)
    contact = group.contact(pair)
    if contact.fault:
        return contact.fault
    held = (group.held(pair[0]), group.held(pair[1]))
    if known.acked & ~(held[0] | held[1]):
        return "an acknowledged write is on neither side"
    for index in (0, 1):
        fault = _of_a_side(group, index, pair, known, contact, held)
        if fault:
            return f"{NAMES[index]} {fault}"
    if contact.relation is Relation.SPLIT and not known.forced:
        why = "without an unplanned failover" if known.grant is None else "in spite of a witness"
        return f"a split {why}"
    if link.stage is Stage.SERVING:
        return _of_a_serving_link(group, pair, link, known, held)
    return ""


def _of_a_side(
    group: Group, index: int, pair: Pair, known: Known, contact: Contact, held: tuple[int, int]
) -> str:
    side = group.sides.values[pair[index]]
    peer = group.sides.values[pair[1 - index]]
    missing = known.acked & ~held[index]
    if not missing:
        return ""
    if known.joint & missing and side.superblock.data is ReplicaData.CONSISTENT:
        return "lost a write that was durable on both sides"
    if known.grant is not None and known.grant.in_step >> index & 1:
        return "may be granted the lead, and lacks an acknowledged write"
    if contact.relation in _LOSES[index]:
        return f"would lead ({contact.relation.value}) and lacks an acknowledged write"
    if known.grant is None and not known.forced and _is_newest_primary(side, peer):
        return "is the newest primary and lacks an acknowledged write"
    if claims_no_loss(side) and not known.untold:
        return "claims that a failover to it loses nothing, and lacks an acknowledged write"
    return ""


def _is_newest_primary(side: Side, peer: Side) -> bool:
    if side.superblock.role is not ReplicaRole.PRIMARY:
        return False
    mine, theirs = side.superblock.history[-1].epoch, peer.superblock.history[-1].epoch
    return peer.superblock.role is not ReplicaRole.PRIMARY or mine.number > theirs.number


def claims_no_loss(side: Side) -> bool:
    """Tell whether an unplanned failover to this side may be made without accepting a loss."""
    superblock = side.superblock
    return (
        superblock.role is ReplicaRole.SECONDARY
        and superblock.data is ReplicaData.CONSISTENT
        and not superblock.peer_may_ack_alone
        and superblock.on_peer_loss is not OnPeerLoss.CONTINUE
    )


def _of_a_serving_link(
    group: Group, pair: Pair, link: LinkState, known: Known, held: tuple[int, int]
) -> str:
    leader = group.sides.values[pair[link.primary]]
    follower = group.sides.values[pair[1 - link.primary]]
    machine = machine_of(leader)
    if machine is None or follower.machine is not None:
        return ""
    if follower.log != leader.log[: len(follower.log)]:
        return "the secondary's log is not the beginning of the primary's"
    if machine.phase is source.Phase.LIVE and known.acked & ~(held[0] & held[1]):
        return "the group is in step and a side lacks an acknowledged write"
    return ""
