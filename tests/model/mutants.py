"""Wrong rules, to be planted one at a time in place of the right ones (`tests.model.test_mutants`).

Always true:

(1) A wrong rule differs from what ships in one thing: the one that its name says.
(2) The right rules are remembered here before anything is planted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from srshell.model.replica import Epoch, Era, ReplicaData, ReplicaRole, Standing, Superblock
from srshell.replication import decide, destination, reigns, ring, source
from srshell.replication.source import Phase, Source
from tests.model import local, steps, witness

Roles = tuple[ReplicaRole, ReplicaRole]

_begin_era = reigns.begin_era
_promote = reigns.promote
_rejoin = reigns.rejoin
_within_one_epoch = decide._within_one_epoch
_leader = decide._leader
_roles_after = decide.roles_after
_taken = destination.Destination.handle
_crash = local.crash
_standing = local.standing


def nothing(*_: object) -> bool:
    """Say no to everything."""
    return False


def everything(*_: object) -> bool:
    """Say yes to everything."""
    return True


def with_fields(right: Callable[..., Superblock], **changes: Any) -> Callable[..., Superblock]:  # noqa: ANN401
    """Return a durable step that writes some fields wrongly."""

    def wrong(*arguments: Any, **options: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(right(*arguments, **options), **changes)

    return wrong


# The primary's machine.


def acks_without_the_peer(machine: Source) -> int:
    """In place of `Source._limit`."""
    return machine.flushed_lsn


def acks_before_its_own_log(machine: Source) -> int:
    """In place of `Source._limit`."""
    return machine.flushed_lsn if machine.phase in source.ACKS_ALONE else machine.confirmed_lsn


def parts_at_once(machine: Source) -> list[source.Instruction]:
    """In place of `Source._part`."""
    machine.phase, machine.alone = Phase.ALONE, True
    return [source.GoAlone(), *machine._acknowledge()]


def parts_on_a_live_link(machine: Source) -> list[source.Instruction]:
    """In place of `Source._told_to_part`."""
    return [] if machine.phase in source.ACKS_ALONE else machine._part()


def stays_alone_until_in_sync(
    machine: Source, event: source.Fenced | source.InSyncDurable
) -> list[source.Instruction]:
    """In place of `Source._fence_progressed`."""
    if machine.phase is not Phase.FENCING:
        return []
    if isinstance(event, source.Fenced):
        return [source.PersistInSync(event.lsn)]
    machine.phase = Phase.LIVE
    return [source.CloseFence(machine.acked_lsn), *machine._acknowledge()]


def fences_what_is_not_confirmed(machine: Source) -> list[source.Instruction]:
    """In place of `Source._try_fence`."""
    if machine.phase is Phase.CATCHING_UP and machine.settled and not machine.copying:
        machine.phase = Phase.FENCING
    if machine.phase is not Phase.FENCING or machine.fence_sent:
        return []
    machine.fence_sent = True
    return [source.SendFence(machine.acked_lsn)]


def fences_before_the_copy_ends(machine: Source) -> list[source.Instruction]:
    """In place of `Source._try_fence`."""
    if machine.phase is Phase.CATCHING_UP and machine.settled:
        machine.phase = Phase.FENCING
    ready = machine.phase is Phase.FENCING and not machine.fence_sent
    if not ready or machine.confirmed_lsn < machine.acked_lsn:
        return []
    machine.fence_sent = True
    return [source.SendFence(machine.acked_lsn)]


# The secondary's machine.


def takes_any_frame(
    machine: destination.Destination, frame: destination.FrameArrived
) -> destination.DestinationInstruction:
    """In place of `Destination._judge`."""
    machine.received_lsn = max(machine.received_lsn, frame.last_lsn)
    return destination.Append()


def confirms_at_once(
    machine: destination.Destination, event: destination.DestinationEvent
) -> list[destination.DestinationInstruction]:
    """In place of `Destination.handle`."""
    instructions = _taken(machine, event)
    if destination.Append() in instructions:
        return [*instructions, destination.Confirm(machine.received_lsn)]
    return instructions


def frees_what_is_forgotten(log: ring.Ring) -> int:
    """In place of `Ring.free_bytes`."""
    return log.ring_bytes - (log.tail_position - log.head_position)


# Durable steps.


def goes_alone_in_the_old_epoch(superblock: Superblock, *_: object) -> Superblock:
    """In place of `go_alone`."""
    return attrs.evolve(superblock, alone=True, unclean=False)


def resumes_in_the_old_epoch(superblock: Superblock, *_: object) -> Superblock:
    """In place of `resume_reign`."""
    return attrs.evolve(superblock, unclean=False)


def promotes_in_the_old_epoch(
    superblock: Superblock, _epoch: Epoch, _tail: int, _operation: str, *, alone: bool
) -> Superblock:
    """In place of `promote`."""
    if superblock.data is not ReplicaData.CONSISTENT:
        raise reigns.RefusedStep
    return attrs.evolve(superblock, role=ReplicaRole.PRIMARY, alone=alone, yields=False)


def promotes_anything(superblock: Superblock, *arguments: Any, **options: Any) -> Superblock:  # noqa: ANN401
    """In place of `promote`."""
    usable = attrs.evolve(superblock, data=ReplicaData.CONSISTENT)
    return _promote(usable, *arguments, **options)


def promotes_and_still_yields(
    superblock: Superblock,
    *arguments: Any,  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> Superblock:
    """In place of `promote`."""
    return attrs.evolve(_promote(superblock, *arguments, **options), yields=superblock.yields)


def era_from_the_confirmed_lsn(superblock: Superblock, epoch: Epoch, _start: int) -> Superblock:
    """In place of `begin_era`."""
    return _begin_era(superblock, epoch, superblock.confirmed_lsn)


def own_epoch_is_a_promise(superblock: Superblock, epoch: Epoch, start_lsn: int) -> Superblock:
    """In place of `begin_era`."""
    begun = _begin_era(superblock, epoch, start_lsn)
    return attrs.evolve(begun, promised_epoch=epoch.number)


def follows_and_stays_alone(superblock: Superblock, *arguments: Any) -> Superblock:  # noqa: ANN401
    """In place of `rejoin`."""
    return attrs.evolve(_rejoin(superblock, *arguments), alone=superblock.alone)


# Contact.


def longer_log_does_not_lead(mine: Standing, theirs: Standing) -> decide.Relation:
    """In place of `_within_one_epoch`."""
    if ReplicaData.INCONSISTENT in (mine.data, theirs.data):
        return _within_one_epoch(mine, theirs)
    return decide.Relation.EQUAL


def ranks_before_a_persons_word(mine: Standing, theirs: Standing, *rest: Any) -> decide.Relation:  # noqa: ANN401
    """In place of `_leader`: a side that yields has acknowledged nothing, and that is all."""
    my_lsn = 0 if mine.yields else mine.acked_alone_lsn
    their_lsn = 0 if theirs.yields else theirs.acked_alone_lsn
    return _leader(
        attrs.evolve(mine, yields=False, acked_alone_lsn=my_lsn),
        attrs.evolve(theirs, yields=False, acked_alone_lsn=their_lsn),
        *rest,
    )


def who_asks_leads(_mine: object, _theirs: object) -> decide.Relation:
    """In place of `_by_order`."""
    return decide.Relation.SOURCE


def ends_where_the_era_ends(standing: Standing, later: tuple[Era, ...]) -> int:
    """In place of `_end_lsn`."""
    return later[0].start_lsn if later else standing.tail_lsn


def oldest_shared(mine: tuple[Era, ...], theirs: tuple[Era, ...]) -> Era | None:
    """In place of `_newest_shared`."""
    return next((era for era in mine if era in theirs), None)


def secondary_takes_over(
    mine: Standing, theirs: Standing, decision: decide.Decision
) -> Roles | None:
    """In place of `roles_after`."""
    if ReplicaRole.PRIMARY in (mine.role, theirs.role):
        if decision.relation is decide.Relation.SOURCE:
            return ReplicaRole.PRIMARY, ReplicaRole.SECONDARY
        if decision.relation is decide.Relation.TARGET:
            return ReplicaRole.SECONDARY, ReplicaRole.PRIMARY
    return _roles_after(mine, theirs, decision)


# The engine's steps, as the model takes them.


def is_not_marked_unclean(sides: local.Sides, number: int) -> local.Step | None:
    """In place of `crash`."""
    step = _crash(sides, number)
    if step is None:
        return None
    restarted = sides.values[step.side]
    superblock = attrs.evolve(restarted.superblock, unclean=False)
    return local.Step(sides.number(attrs.evolve(restarted, superblock=superblock)))


def forgets_that_it_crashed(sides: local.Sides, number: int) -> local.Step | None:
    """In place of `crash`."""
    step = is_not_marked_unclean(sides, number)
    if step is None:
        return None
    restarted = sides.values[step.side]
    superblock, tail = restarted.superblock, len(restarted.log)
    phase = Phase.ALONE if superblock.alone else Phase.LOST
    acked = tail if superblock.alone else 0
    machine = local.new_machine(superblock, phase, tail, acked)
    return local.Step(sides.number(attrs.evolve(restarted, machine=machine)))


def counts_only_what_it_remembers(sides: local.Sides, number: int) -> Standing:
    """In place of `standing`: between a new reign and the link, nothing was acknowledged yet."""
    standing = _standing(sides, number)
    machine = local.machine_of(sides.values[number])
    if machine is not None and machine.phase is Phase.READ_ONLY and not standing.unclean:
        return attrs.evolve(standing, acked_alone_lsn=0)
    return standing


# The witness.


def grants_anybody(_grant: witness.Grant, index: int) -> witness.Grant:
    """In place of `solo` and `lead`."""
    return witness.only(index)


def is_the_holder(state: steps.Steps, index: int) -> bool:
    """In place of `Steps._may_lead_alone`: the peer is still counted as in step."""
    grant = state._known.grant
    return grant is None or grant.holder == index
