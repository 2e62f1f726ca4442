"""Whatever happened: when faults stop, the group comes back in step.

Always true:

(1) `next_step` is what the engine does by itself when nothing fails, and what a person does when
    the engine must wait for one: a split is resolved, a group without a primary failed over.
(2) From every reachable state it ends in step: both logs equal, nothing acknowledged is missing,
    and the secondary, where the policy allows it, may promise that a failover loses nothing.
"""

from __future__ import annotations

from srshell.model.replica import OnPeerLoss
from srshell.replication import source
from tests.model import steps
from tests.model.group import Fence, Group, Stage
from tests.model.local import machine_of

# The first of these that can happen, happens; verbs without the name of the side.
_ORDER = (
    "makes its log durable",
    "makes in-sync durable",
    "makes alone durable",
    "cannot begin an epoch",
    "takes the peer's longer tail",
    "and its peer agree that it leads",
    "is ready to lead",
    "follows",
    "leads",
    "stores the fence",
    "hears that the fence is stored",
    "closes the fence",
    "makes a frame durable",
    "hears a confirmation",
    "ends the copy",
    "sees a stable link",
    "is given up",
    "is granted to lead alone",
    "is in step again",
    "is granted the switch",
    "is promoted as planned",
    "is granted the lead",
    "is promoted unplanned",
    "loses the link",
)
_RANK = {verb: rank for rank, verb in enumerate(_ORDER)}


def next_step(group: Group, state: int) -> tuple[str, int] | None:
    """Return the step that happens when nothing fails, or None when there is nothing left to do."""
    if is_in_step(group, state):
        return None
    possible = [
        (rank, label, reached)
        for label, reached in steps.successors(group, state)
        if (rank := _RANK.get(label.split(" ", 1)[1])) is not None and reached != state
    ]
    return min(possible)[1:] if possible else None


def is_in_step(group: Group, state: int) -> bool:
    """Tell whether both sides hold the same, and know it."""
    pair, link, known = group.unpack(state)
    if link.stage is not Stage.SERVING or link.fence is not Fence.NONE:
        return False
    leader, follower = (group.sides.values[pair[i]] for i in (link.primary, 1 - link.primary))
    machine = machine_of(leader)
    quiet = machine is not None and machine.phase is source.Phase.LIVE and not leader.pending
    policy = follower.superblock.on_peer_loss
    promises = policy is OnPeerLoss.CONTINUE or not follower.superblock.peer_may_ack_alone
    everything = group.held(pair[0]) == group.held(pair[1]) == group.logged(pair[0])
    return quiet and everything and promises and not known.acked & ~group.held(pair[0])


def restless(group: Group, states: list[int]) -> tuple[str, ...]:
    """Return the steps from a state that never comes in step, or nothing when there is none."""
    bound = group.sides.change_bound(1 << 30)
    try:
        return _first_restless(group, states)
    finally:
        group.sides.change_bound(bound)


def _first_restless(group: Group, states: list[int]) -> tuple[str, ...]:
    calm: set[int] = set()
    for state in states:
        path, seen = [state], {state}
        labels: list[str] = []
        while path[-1] not in calm and not is_in_step(group, path[-1]):
            step = next_step(group, path[-1])
            if step is None or step[1] in seen:
                return (*labels, "and then nothing" if step is None else "and round again")
            labels.append(step[0])
            path.append(step[1])
            seen.add(step[1])
        calm.update(path)
    return ()
