"""Two sides of a group, played by hand: the shipped machines, and what a scenario does to them.

Always true:

(1) Every instruction comes from `Source` or `Destination`, every superblock from `reigns`, every
    verdict from `decide`; this file only carries events to them.
(2) Nothing happens by itself: an instruction is carried out when the scenario says so, or never.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

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
from srshell.replication.decide import Decision, decide, roles_after

_NOW_UNIX = 0.0


@attrs.define
class Side:
    """One side: what is durable, and the machine of its process (None: the process is dead)."""

    superblock: Superblock
    log_lsn: int = 0
    machine: source.Source | destination.Destination | None = None

    @property
    def leads(self) -> source.Source:
        """The machine of a primary whose process lives."""
        assert isinstance(self.machine, source.Source), "this side is no living primary"
        return self.machine

    @property
    def follows(self) -> destination.Destination:
        """The machine of a secondary whose process lives."""
        assert isinstance(self.machine, destination.Destination), "this side is no living secondary"
        return self.machine

    @property
    def standing(self) -> Standing:
        """What this side would say of itself, as the engine makes it."""
        superblock, machine = self.superblock, self.machine
        leads = isinstance(machine, source.Source)
        tail_lsn = machine.last_lsn if isinstance(machine, source.Source) else self.log_lsn
        alone_lsn = 0
        if superblock.alone:
            known = isinstance(machine, source.Source) and not superblock.unclean
            alone_lsn = machine.acked_lsn if known else tail_lsn  # type: ignore[union-attr]
        return Standing(
            replica=superblock.replica,
            role=superblock.role,
            data=superblock.data,
            history=superblock.history,
            tail_lsn=tail_lsn,
            tail_crc=0,
            log_first_lsn=1,
            acked_alone_lsn=alone_lsn,
            marked_from_lsn=superblock.confirmed_lsn if leads else -1,
            alone=superblock.alone,
            unclean=superblock.unclean,
            yields=superblock.yields,
            base_lsn=superblock.base_lsn,
            copy_id=superblock.copy_id,
        )

    def epoch(self) -> Epoch:
        """The epoch that this side would begin now."""
        return reigns.next_epoch(self.superblock, nonce=0)


class TwoSides:
    """A (primary at first) and B, in sync, with empty logs."""

    def __init__(self, policy: OnPeerLoss) -> None:
        era = Era(Epoch(1, 0, "A"), 0)
        a, b = (_superblock(name, role, era, policy) for name, role in _FIRST_ROLES)
        lead = source.Source(policy, source.Phase.LIVE, 0, 0, 0, 0, alone=False)
        follow = destination.Destination(0, 0, 0, 0)
        self.sides = {"A": Side(a, machine=lead), "B": Side(b, machine=follow)}

    def do(self, line: str) -> list[str]:
        """Carry out one line; return what came of it, a line each."""
        if line == "show":
            return [_shown(name, side) for name, side in self.sides.items()]
        name, _, words = line.partition(" ")
        side, peer = self.sides[name], self.sides["B" if name == "A" else "A"]
        for pattern, action in _ACTIONS:
            found = re.fullmatch(pattern, words)
            if found:
                numbers = [int(group) for group in found.groups() if group and group.isdigit()]
                return self._said(side, lambda: action(side, peer, *numbers))  # noqa: B023 - called at once
        found = re.fullmatch(r"is told the policy (\S+)", words)
        assert found, f"no such command: {line}"
        event = source.PolicyChanged(OnPeerLoss(found[1]))
        return self._said(side, lambda: side.leads.handle(event))

    @staticmethod
    def _said(side: Side, act: Callable[[], Any]) -> list[str]:
        before = _phase(side)
        try:
            results = act() or []
        except reigns.RefusedStep as refusal:
            return [f"refused: {refusal}"]
        lines = [result if isinstance(result, str) else _words(result) for result in results]
        after = _phase(side)
        if before and after and before != after:
            lines.append(f"phase {before} -> {after}")
        return lines


_TEXTS = "peer group peer_group array peer_array peer_address"
_NUMBERS = (
    "generation ring_offset ring_bytes head_position head_chain"
    " checkpoint_lsn durable_lsn confirmed_lsn"
)
_FIRST_ROLES = (("A", ReplicaRole.PRIMARY), ("B", ReplicaRole.SECONDARY))


def _superblock(name: str, role: ReplicaRole, era: Era, policy: OnPeerLoss) -> Superblock:
    texts = dict.fromkeys(_TEXTS.split(), "")
    numbers = dict.fromkeys(_NUMBERS.split(), 0)
    return Superblock(
        partnership="0" * 32,
        replica=name,
        initiator=False,
        volumes=(),
        role=role,
        data=ReplicaData.CONSISTENT,
        on_peer_loss=policy,
        history=(era,),
        segments=(),
        head_lsn=1,
        **texts,  # type: ignore[arg-type]
        **numbers,  # type: ignore[arg-type]
    )


def _writes(side: Side, _: Side, count: int = 1) -> list[Any]:
    machine = side.leads
    if machine.phase not in source.ADMITS_WRITES:
        return [f"not admitted: {machine.phase.value}"]
    return machine.handle(source.FrameBuilt(machine.last_lsn + count))


def _log_holds(side: Side, _: Side, lsn: int) -> list[Any]:
    side.log_lsn = lsn
    if isinstance(side.machine, source.Source):
        return side.leads.handle(source.LogFlushed(lsn))
    return side.follows.handle(destination.FramesFlushed(lsn))


def _goes_alone(side: Side, _: Side) -> list[Any]:
    side.superblock = reigns.go_alone(side.superblock, side.epoch(), side.log_lsn, _NOW_UNIX)
    return side.leads.handle(source.AloneDurable())


def _stops_alone(side: Side, _: Side) -> list[Any]:
    machine = side.leads
    side.superblock = reigns.in_sync(side.superblock, side.superblock.history, machine.acked_lsn)
    return machine.handle(source.InSyncDurable())


def _crashes(side: Side, _: Side) -> None:
    """What is not in the log is gone, and so is every promise that was only in memory."""
    primary = side.superblock.role is ReplicaRole.PRIMARY
    side.superblock = attrs.evolve(side.superblock, unclean=side.superblock.unclean or primary)
    side.machine = None


def _starts(side: Side, _: Side) -> list[str]:
    superblock, lsn = side.superblock, side.log_lsn
    if superblock.role is ReplicaRole.SECONDARY:
        side.machine = destination.Destination(lsn, lsn, 0, 0)
        return []
    side.machine = source.Source(
        superblock.on_peer_loss,
        source.Phase.READ_ONLY if superblock.unclean else source.Phase.ALONE,
        last_lsn=lsn,
        flushed_lsn=lsn,
        confirmed_lsn=superblock.confirmed_lsn,
        acked_lsn=0,
        alone=superblock.alone,
    )
    return [f"phase {side.machine.phase.name}"]


def _meets(side: Side, peer: Side) -> list[str]:
    mine, theirs = side.standing, peer.standing
    decision = decide(mine, theirs)
    assert decide(theirs, mine) == decision.mirrored(), "the two sides disagree"
    roles = roles_after(mine, theirs, decision)
    said = f"nobody leads: {decision.reason}" if roles is None else f"becomes {roles[0].value}"
    return [_verdict(decision), said]


def _rejoins(side: Side, peer: Side) -> list[str]:
    """Follow the peer: cut what it does not hold, and take over its history."""
    decision = decide(side.standing, peer.standing)
    cut = side.log_lsn - min(side.log_lsn, decision.common_lsn)
    side.log_lsn -= cut
    history, policy = peer.superblock.history, peer.superblock.on_peer_loss
    side.superblock = reigns.rejoin(side.superblock, history, policy)
    lsn = side.log_lsn
    side.machine = destination.Destination(lsn, lsn, 0, 0)
    return [f"cuts {cut} records, follows from LSN {lsn}"]


def _pulls(side: Side, peer: Side) -> list[str]:
    side.leads.adopt_tail(peer.log_lsn)
    side.log_lsn = peer.log_lsn
    return [f"log ends at LSN {side.log_lsn}"]


def _resumes(side: Side, _: Side) -> None:
    side.superblock = reigns.resume_reign(side.superblock, side.epoch(), side.log_lsn)


def _demoted(side: Side, _: Side) -> None:
    side.superblock = reigns.demote(side.superblock, "op", side.epoch().number)
    lsn = side.log_lsn
    side.machine = destination.Destination(lsn, lsn, 0, 0)


def _promoted(side: Side, *, alone: bool) -> list[str]:
    epoch, lsn = side.epoch(), side.log_lsn
    side.superblock = reigns.promote(side.superblock, epoch, lsn, "op", alone=alone)
    phase = source.Phase.ALONE if alone else source.Phase.LOST
    policy = side.superblock.on_peer_loss
    side.machine = source.Source(policy, phase, lsn, lsn, lsn, lsn, alone=alone)
    return [f"phase {phase.name}"]


def _fence(step: Callable[[Superblock], Superblock]) -> Callable[[Side, Side], None]:
    def act(side: Side, _: Side) -> None:
        side.superblock = step(side.superblock)

    return act


def _stores_fence(side: Side, peer: Side, _: int) -> None:
    side.superblock = reigns.fence_stored(side.superblock, peer.superblock.history)


def _led(event: Callable[..., source.SourceEvent]) -> Callable[..., list[Any]]:
    """An event of the source machine, made of the numbers in the line."""
    return lambda side, _, *numbers: side.leads.handle(event(*numbers))


def _followed(event: Callable[..., destination.DestinationEvent]) -> Callable[..., list[Any]]:
    return lambda side, _, *numbers: side.follows.handle(event(*numbers))


#: What may follow the name of a side, and what it does.
_ACTIONS: tuple[tuple[str, Callable[..., Any]], ...] = (
    (r"writes (\d+)", _writes),
    (r"log holds (\d+)", _log_holds),
    (r"hears confirm (\d+)", _led(lambda lsn: source.PeerConfirmed(lsn, 0))),
    (r"loses the link", _led(source.LinkDown)),
    (r"waits out the peer timeout", _led(source.PeerTimeout)),
    (r"links, peer at (\d+)", _led(lambda lsn: source.LinkUp(lsn, copying=False, lag_bytes=0))),
    (r"links again, peer at (\d+)", _led(
        lambda lsn: source.LinkUp(lsn, copying=False, lag_bytes=0, settled=False))),
    (r"sees the link settle", _led(source.LinkSettled)),
    (r"links to copy, peer at (\d+)", _led(
        lambda lsn: source.LinkUp(lsn, copying=True, lag_bytes=0))),
    (r"finishes the copy", _led(lambda: source.CopyFinished(0))),
    (r"is suspended", _led(source.Part)),
    (r"hears fenced (\d+)", _led(source.Fenced)),
    (r"makes its new epoch durable", _goes_alone),
    (r"makes durable that it is in sync", _stops_alone),
    (r"receives (\d+) to (\d+)", _followed(destination.FrameArrived)),
    (r"hears commit (\d+)", _followed(destination.Committed)),
    (r"stores the fence (\d+)", _stores_fence),
    (r"closes the fence", _fence(reigns.fence_closed)),
    (r"crashes", _crashes),
    (r"starts", _starts),
    (r"meets its peer", _meets),
    (r"rejoins", _rejoins),
    (r"pulls the longer tail", _pulls),
    (r"resumes its reign", _resumes),
    (r"is demoted", _demoted),
    (r"is promoted", lambda side, _: _promoted(side, alone=False)),
    (r"is promoted alone", lambda side, _: _promoted(side, alone=True)),
)  # fmt: skip


def _phase(side: Side) -> str:
    return side.machine.phase.name if isinstance(side.machine, source.Source) else ""


def _words(instruction: Any) -> str:  # noqa: ANN401 - of either machine
    fields = attrs.asdict(instruction)
    values = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{type(instruction).__name__} {values}".strip()


def _verdict(decision: Decision) -> str:
    return f"{decision.relation.value} by {decision.amount.value}, common LSN {decision.common_lsn}"


def _shown(name: str, side: Side) -> str:
    superblock = side.superblock
    history = " ".join(f"{era.epoch.number}@{era.start_lsn}" for era in superblock.history)
    flags = [
        flag
        for flag in ("alone", "peer_may_ack_alone", "unclean", "yields")
        if getattr(superblock, flag)
    ]
    role = f"{superblock.role.value} {superblock.data.value}"
    return " ".join([f"{name}: {role}, log {side.log_lsn}, epochs {history}", *flags])
