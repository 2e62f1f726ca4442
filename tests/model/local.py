"""One side of the model: a superblock, a log and a machine, moved by the shipped functions alone.

Always true:

(1) A `Side` is a frozen value.  `Sides` numbers the values and remembers each step, so that a step
    of the shipped code runs once however many global states share it.
(2) Every superblock comes from `srshell.replication.reigns`, every acknowledgement from
    `srshell.replication.source.Source`, every appended frame from
    `srshell.replication.destination.Destination`.
(3) The log is a tuple of write numbers; LSN n is element n - 1; what lies beyond ``flushed`` is
    lost in a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import attrs

from srshell.model.replica import (
    Epoch,
    Era,
    OnPeerLoss,
    ReplicaData,
    ReplicaRole,
    Standing,
    Superblock,
)
from srshell.replication import destination, reigns, source

PENDING_ALONE = "alone"
PENDING_IN_SYNC = "in-sync"


@attrs.frozen(cache_hash=True)
class Side:
    """One site: durable superblock and log, what is in memory, how far its volumes were written."""

    superblock: Superblock
    log: tuple[int, ...]
    flushed: int
    machine: tuple[Any, ...] | None  # the fields of Source while this side is primary
    pending: tuple[str, ...]  # superblock writes that the machine asked for, oldest first
    applied: int  # the volumes may hold every record up to here, also after a crash


class Step(NamedTuple):
    """What one step of one side leads to."""

    side: int
    acked_lsn: int = 0
    sends_fence: bool = False
    closes_fence: bool = False


class Sides:
    """Numbers every value of `Side` that was met, and remembers its steps."""

    def __init__(self, epochs_max: int) -> None:
        """No epoch above ``epochs_max`` is begun: that bounds the search."""
        self.epochs_max = epochs_max
        self.values: list[Side] = []
        self._numbers: dict[Side, int] = {}
        self._steps: dict[tuple[Any, ...], Any] = {}

    def number(self, side: Side) -> int:
        """Return the number of a value, a new one if it was not met before."""
        found = self._numbers.get(side)
        if found is None:
            found = self._numbers[side] = len(self.values)
            self.values.append(side)
        return found

    def change_bound(self, epochs_max: int) -> int:
        """Allow this many epochs from now on; return the bound until now."""
        self.epochs_max, before = epochs_max, self.epochs_max
        self._steps.clear()
        return before

    def step(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Call ``function(self, *arguments)``, once for equal arguments."""
        key = (function, *arguments)
        try:
            return self._steps[key]
        except KeyError:
            result = self._steps[key] = function(self, *arguments)
            return result


def first_superblock(name: str, role: ReplicaRole, creator: str, policy: OnPeerLoss) -> Superblock:
    """Return a side of a group in step, in its first epoch."""
    superblock = Superblock(
        generation=0,
        partnership="0" * 32,
        replica=name,
        peer="",
        group="",
        peer_group="",
        array="",
        peer_array="",
        initiator=False,
        peer_address="",
        volumes=(),
        ring_offset=0,
        ring_bytes=0,
        role=role,
        data=ReplicaData.CONSISTENT,
        on_peer_loss=policy,
        history=(Era(Epoch(1, 0, creator), 0),),
        segments=(),
        head_lsn=1,
        head_position=0,
        head_chain=0,
        checkpoint_lsn=0,
        durable_lsn=0,
        confirmed_lsn=0,
        started=True,
    )
    return plain(superblock)


def plain(superblock: Superblock) -> Superblock:
    """Drop what no later step looks at, so that equal situations are equal values."""
    may_ack_alone = superblock.peer_may_ack_alone
    if superblock.role is ReplicaRole.PRIMARY:
        may_ack_alone = False
    elif superblock.on_peer_loss is OnPeerLoss.CONTINUE:
        may_ack_alone = True
    promised = superblock.promised_epoch
    if any(era.epoch.number == promised for era in superblock.history):
        # Kept when it was made, and shared since: a peer cannot fall behind it any more.
        promised = 0
    return attrs.evolve(
        superblock,
        peer_may_ack_alone=may_ack_alone,
        promised_epoch=promised,
        confirmed_lsn=0,
        checkpoint_lsn=0,
        durable_lsn=0,
        lost_unix=0.0,
        operation="",
    )


def machine_of(side: Side) -> source.Source | None:
    """Return the side's machine as the shipped class, ready to handle one event."""
    return None if side.machine is None else source.Source(*side.machine)


def fields_of(machine: source.Source) -> tuple[Any, ...]:
    """Return a machine's fields, without what a LinkUp sets anew before anything looks at it."""
    if machine.phase not in source.LINKED:
        machine.copying, machine.settled, machine.fence_sent = False, True, False
    if machine.phase is source.Phase.LIVE:
        machine.fence_sent = False
    if machine.phase is not source.Phase.CATCHING_UP:
        machine.lag_bytes = 0
    if machine.phase is source.Phase.ALONE:
        machine.confirmed_lsn = 0
    return attrs.astuple(machine, recurse=False)


def new_machine(superblock: Superblock, phase: source.Phase, tail: int, acked: int) -> Any:  # noqa: ANN401
    machine = source.Source(
        on_peer_loss=superblock.on_peer_loss,
        phase=phase,
        last_lsn=tail,
        flushed_lsn=tail,
        confirmed_lsn=0,
        acked_lsn=acked,
        alone=superblock.alone,
    )
    return fields_of(machine)


def _handled(sides: Sides, side: Side, event: source.SourceEvent, **changes: Any) -> Step:  # noqa: ANN401
    """Let the machine handle an event and carry out what it says on this side."""
    machine = machine_of(side)
    assert machine is not None, side
    acked_lsn, sends_fence, closes_fence = 0, False, False
    pending = changes.pop("pending", side.pending)
    for instruction in machine.handle(event):
        match instruction:
            case source.Acknowledge():
                acked_lsn = instruction.lsn
            case source.GoAlone():
                pending = _asked(pending, PENDING_ALONE)
            case source.PersistInSync():
                pending = _asked(pending, PENDING_IN_SYNC)
            case source.SendFence():
                sends_fence = True
            case source.CloseFence():
                closes_fence = True
            case source.FailWaiting():
                pass
    # The worst case for a rollback: what is acknowledged is in the volumes at once.
    applied = max(side.applied, acked_lsn)
    machine_fields = fields_of(machine)
    after = attrs.evolve(side, machine=machine_fields, pending=pending, applied=applied, **changes)
    return Step(sides.number(after), acked_lsn, sends_fence, closes_fence)


def _asked(pending: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Add a superblock write; one that waits already does the same when its turn comes."""
    return pending if kind in pending else (*pending, kind)


def handle(sides: Sides, number: int, event: source.SourceEvent) -> Step | None:
    """Give the primary's machine an event; None when nothing changes."""
    side = sides.values[number]
    if side.machine is None:
        return None
    step = _handled(sides, side, event)
    return None if step == Step(number) else step


def write(sides: Sides, number: int, write_number: int) -> Step | None:
    """Admit a write: it gets its LSN, and both of its legs begin."""
    side = sides.values[number]
    if side.machine is None or source.Source(*side.machine).phase not in source.ADMITS_WRITES:
        return None
    log = (*side.log, write_number)
    return _handled(sides, side, source.FrameBuilt(len(log)), log=log)


def flush(sides: Sides, number: int) -> Step | None:
    """Make the primary's log durable."""
    side = sides.values[number]
    if side.machine is None or side.flushed == len(side.log):
        return None
    return _handled(sides, side, source.LogFlushed(len(side.log)), flushed=len(side.log))


def receive(sides: Sides, number: int, write_number: int, committed_lsn: int) -> int | None:
    """Append the primary's next frame, durably, if the secondary's machine takes it.

    A frame that is lost before it is durable was never confirmed: as if never received.
    """
    side = sides.values[number]
    lsn = side.flushed + 1
    machine = destination.Destination(side.flushed, side.flushed, committed_lsn, side.applied)
    if machine.handle(destination.FrameArrived(lsn, lsn)) != [destination.Append()]:
        return None
    instructions = machine.handle(destination.FramesFlushed(lsn))
    log = (*side.log, write_number)
    applied = _applied(side, instructions)
    return sides.number(attrs.evolve(side, log=log, flushed=lsn, applied=applied))


def apply_committed(sides: Sides, number: int, committed_lsn: int) -> int:
    """Let the secondary apply what the primary acknowledged; return the new side."""
    side = sides.values[number]
    machine = destination.Destination(side.flushed, side.flushed, 0, side.applied)
    instructions = machine.handle(destination.Committed(committed_lsn))
    return sides.number(attrs.evolve(side, applied=_applied(side, instructions)))


def _applied(side: Side, instructions: list[destination.DestinationInstruction]) -> int:
    applied = [i.lsn for i in instructions if isinstance(i, destination.Apply)]
    return max([side.applied, *applied])


def crash(sides: Sides, number: int) -> Step | None:
    """Lose what is not durable and start again; a primary waits for a handshake or a person.

    Everything that a secondary has is durable: for the model its crash is the loss of its link.
    """
    side = sides.values[number]
    if side.machine is None:
        return None
    superblock = side.superblock
    log = side.log[: side.flushed]
    superblock = attrs.evolve(superblock, unclean=True)
    # Nobody remembers what was acknowledged alone: everything in the log may have been.
    acked = len(log) if superblock.alone else 0
    machine = new_machine(superblock, source.Phase.READ_ONLY, len(log), acked)
    applied = max(side.applied, acked)
    return Step(sides.number(Side(superblock, log, len(log), machine, (), applied)))


def next_epoch(sides: Sides, superblock: Superblock) -> Epoch | None:
    epoch = reigns.next_epoch(superblock, 0)
    return epoch if epoch.number <= sides.epochs_max else None


def persist(sides: Sides, number: int) -> Step | None:
    """Make the oldest pending superblock write durable and report it to the machine."""
    side = sides.values[number]
    machine = machine_of(side)
    if not side.pending or machine is None:
        return None
    kind, rest = side.pending[0], side.pending[1:]
    awaited = (
        machine.phase is source.Phase.FENCING and not machine.alone
        if kind == PENDING_IN_SYNC
        else machine.phase is source.Phase.PARTING
    )
    if not awaited:
        # The link came up or broke before the write began: the reason for it is gone.
        return Step(sides.number(attrs.evolve(side, pending=rest)))
    if kind == PENDING_IN_SYNC:
        history = reigns.shortened(side.superblock.history)
        superblock = plain(reigns.in_sync(side.superblock, history, 0))
        changed = attrs.evolve(side, superblock=superblock)
        return _handled(sides, changed, source.InSyncDurable(), pending=rest)
    epoch = next_epoch(sides, side.superblock)
    if epoch is None:
        # The bound of the search stands for a history that is full.
        refused = source.PartRefused(side.superblock.unclean)
        return _handled(sides, side, refused, pending=rest)
    if side.flushed != len(side.log):
        return None
    superblock = plain(reigns.go_alone(side.superblock, epoch, side.flushed, 0.0))
    changed = attrs.evolve(side, superblock=superblock)
    return _handled(sides, changed, source.AloneDurable(), pending=rest)


def standing(sides: Sides, number: int) -> Standing:
    """Return what this side says of itself."""
    side = sides.values[number]
    superblock = side.superblock
    machine = machine_of(side)
    tail = side.flushed if machine is None else len(side.log)
    alone_lsn = 0
    if superblock.alone:
        alone_lsn = tail if machine is None else machine.acked_lsn
    return Standing(
        replica=superblock.replica,
        role=superblock.role,
        data=superblock.data,
        history=superblock.history,
        tail_lsn=tail,
        tail_crc=side.log[tail - 1] + 1 if tail else 0,
        log_first_lsn=superblock.head_lsn,
        acked_alone_lsn=alone_lsn,
        marked_from_lsn=0,
        alone=superblock.alone,
        unclean=superblock.unclean,
        yields=superblock.yields,
        base_lsn=superblock.base_lsn,
        copy_id=superblock.copy_id,
    )
