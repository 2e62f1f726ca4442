"""Decide what the primary does with each write: when it is acknowledged, when it goes alone.

Always true:

(1) acked_lsn <= flushed_lsn: nothing is acknowledged before the primary's own log holds it.
(2) Unless the phase is ALONE or CATCHING_UP, nothing is acknowledged beyond confirmed_lsn.
(3) ALONE and CATCHING_UP are entered only after ``alone`` was made durable.
(4) Only `_acknowledge` emits an acknowledgement, in LSN order, each LSN once.

    READ_ONLY --LinkUp--> FENCING | CATCHING_UP         (a crashed primary waits for a handshake)
    CATCHING_UP --caught up--> FENCING --Fenced, InSyncDurable--> LIVE --LinkDown--> LOST
    LOST --PeerTimeout--> LONELY (continue) | HELD (suspend-io) | REFUSING (io-error)
    LONELY --a write is waiting--> PARTING --AloneDurable--> ALONE --LinkUp--> CATCHING_UP
    PARTING --PartRefused--> HELD | READ_ONLY           (the history is full: only the peer helps)
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

import attrs

from srshell.model.replica import OnPeerLoss

# The fence begins when the peer lacks at most this much; acknowledgements then wait for both sides.
FENCE_LAG_BYTES = 1 << 20


class Phase(Enum):
    """What an acknowledgement needs now."""

    READ_ONLY = "no writes are admitted until a handshake or an operator says who leads"
    ALONE = "the own log is enough; the peer is away"
    CATCHING_UP = "the own log is enough; the peer is being brought in step"
    FENCING = "both logs; the two sides agree that the peer is in step"
    LIVE = "both logs"
    LOST = "both logs; the peer is silent, for less than the peer timeout"
    LONELY = "both logs; the first write that waits makes the primary go alone"
    PARTING = "both logs; the new epoch is being made durable"
    HELD = "both logs; writes wait until the peer is back (suspend-io)"
    REFUSING = "both logs; writes fail until the peer is back (io-error)"

    __hash__ = object.__hash__  # an enum's own is a Python call for each look into a set


ACKS_ALONE = frozenset({Phase.ALONE, Phase.CATCHING_UP})
LINKED = frozenset({Phase.CATCHING_UP, Phase.FENCING, Phase.LIVE})
# While the new epoch is being made durable no LSN is given out: it would belong to the old epoch,
# in which the peer may hold another record under that LSN if this primary crashed.
ADMITS_WRITES = frozenset(Phase) - {Phase.READ_ONLY, Phase.REFUSING, Phase.PARTING}


@attrs.frozen
class FrameBuilt:
    """A frame got its LSNs; both legs of the write begin now."""

    last_lsn: int


@attrs.frozen
class LogFlushed:
    """The own log holds everything up to ``lsn``."""

    lsn: int


@attrs.frozen
class PeerConfirmed:
    """The peer's log holds everything up to ``lsn``; ``lag_bytes`` of frames are on the way."""

    lsn: int
    lag_bytes: int


@attrs.frozen
class CopyFinished:
    """No block is marked any more: the peer lacks nothing but records on the way."""

    lag_bytes: int


@attrs.frozen
class LinkUp:
    """The handshake ended in this side's favour; the peer follows from ``peer_lsn``.

    ``copying`` only after ``alone`` was made durable: an inconsistent peer protects nothing.
    """

    peer_lsn: int
    copying: bool
    lag_bytes: int
    settled: bool = True


@attrs.frozen
class LinkSettled:
    """The link has held long enough after a loss to count as back."""


@attrs.frozen
class LinkDown:
    """The link broke or the peer is silent."""


@attrs.frozen
class PeerTimeout:
    """The peer has been away for the whole peer timeout."""


@attrs.frozen
class Fenced:
    """The peer made durable that it is consistent at the fence."""

    lsn: int


@attrs.frozen
class InSyncDurable:
    """The superblock without ``alone`` is durable."""


@attrs.frozen
class AloneDurable:
    """The superblock with the new epoch and ``alone`` is durable."""


@attrs.frozen
class PartRefused:
    """No new epoch can begin here; ``unclean``: this primary crashed and has not met its peer."""

    unclean: bool


@attrs.frozen
class PolicyChanged:
    """The peer holds the new policy (or there is no peer to tell)."""

    on_peer_loss: OnPeerLoss


@attrs.frozen
class Part:
    """An operator suspends the group, or lets this side lead without its peer.

    The link is closed before: while it is up, nothing happens.  The new epoch is made at the first
    write, or at once by a primary that crashed.
    """


SourceEvent = (
    FrameBuilt
    | LogFlushed
    | PeerConfirmed
    | CopyFinished
    | LinkUp
    | LinkSettled
    | LinkDown
    | PeerTimeout
    | Fenced
    | InSyncDurable
    | AloneDurable
    | PartRefused
    | PolicyChanged
    | Part
)


@attrs.frozen
class Acknowledge:
    """All writes up to ``lsn`` are acknowledged, and may be applied."""

    lsn: int


@attrs.frozen
class GoAlone:
    """Make a new epoch and ``alone`` durable, between two frames; then report AloneDurable."""


@attrs.frozen
class SendFence:
    """Ask the peer to make durable that it is consistent at ``lsn``."""

    lsn: int


@attrs.frozen
class PersistInSync:
    """Make durable that this side no longer acknowledges alone; then report InSyncDurable."""

    lsn: int


@attrs.frozen
class CloseFence:
    """Tell the peer that this side has stopped acknowledging alone."""

    lsn: int


@attrs.frozen
class FailWaiting:
    """Fail every write that waits: its outcome is unknown, the peer is away (io-error)."""


Instruction = Acknowledge | GoAlone | SendFence | PersistInSync | CloseFence | FailWaiting


@attrs.define
class Source:
    """The primary's side of one group.

    ``handle`` takes one event and returns what to do, in order.
    """

    on_peer_loss: OnPeerLoss
    phase: Phase
    last_lsn: int
    flushed_lsn: int
    confirmed_lsn: int
    acked_lsn: int
    alone: bool
    copying: bool = False
    settled: bool = True
    fence_sent: bool = False
    lag_bytes: int = 0

    def handle(self, event: SourceEvent) -> list[Instruction]:
        """Change state and return the instructions; LSNs must not go back (AssertionError)."""
        match event:
            case FrameBuilt():
                assert event.last_lsn > self.last_lsn, (event, self)
                self.last_lsn = event.last_lsn
                instructions: list[Instruction] = []
            case LogFlushed():
                instructions = self._flushed(event.lsn)
            case PeerConfirmed() | CopyFinished():
                instructions = self._peer_progressed(event)
            case LinkUp():
                instructions = self._link_up(event)
            case LinkSettled():
                self.settled = True
                instructions = self._try_fence()
            case LinkDown():
                instructions = self._link_down()
            case PeerTimeout():
                instructions = self._peer_timeout()
            case Fenced() | InSyncDurable():
                instructions = self._fence_progressed(event)
            case AloneDurable() | PartRefused():
                instructions = self._parted(event)
            case PolicyChanged():
                instructions = self._policy_changed(event.on_peer_loss)
            case Part():
                instructions = self._told_to_part()
            case _:
                assert_never(event)
        self._check()
        return instructions

    def adopt_tail(self, lsn: int) -> None:
        """Take records that a crashed primary pulled from its peer's longer log.

        It may have been told to lead alone meanwhile, so the phase is READ_ONLY or PARTING.
        """
        assert self.phase in {Phase.READ_ONLY, Phase.PARTING}, self
        assert self.flushed_lsn == self.last_lsn <= lsn, (lsn, self)
        self.last_lsn = self.flushed_lsn = lsn

    def _check(self) -> None:
        assert self.acked_lsn <= self.flushed_lsn <= self.last_lsn, self
        assert self.alone or self.phase not in ACKS_ALONE, self

    def _limit(self) -> int:
        if self.phase in ACKS_ALONE:
            return self.flushed_lsn
        return min(self.flushed_lsn, self.confirmed_lsn)

    def _acknowledge(self) -> list[Instruction]:
        limit_lsn = self._limit()
        if limit_lsn <= self.acked_lsn:
            return []
        self.acked_lsn = limit_lsn
        return [Acknowledge(limit_lsn)]

    def _flushed(self, lsn: int) -> list[Instruction]:
        self.flushed_lsn = max(self.flushed_lsn, lsn)
        acknowledged = self._acknowledge()
        if self.phase is Phase.LONELY and self.flushed_lsn > self.acked_lsn:
            return [*acknowledged, *self._part()]
        if self.phase is Phase.REFUSING and self.flushed_lsn > self.acked_lsn:
            return [*acknowledged, FailWaiting()]
        return acknowledged

    def _peer_progressed(self, event: PeerConfirmed | CopyFinished) -> list[Instruction]:
        if isinstance(event, PeerConfirmed):
            # The peer may confirm before our own disk does: a remote device can beat a local one.
            self.confirmed_lsn = max(self.confirmed_lsn, event.lsn)
        else:
            self.copying = False
        self.lag_bytes = event.lag_bytes
        return [*self._acknowledge(), *self._try_fence()]

    def _try_fence(self) -> list[Instruction]:
        caught_up = self.settled and not self.copying and self.lag_bytes <= FENCE_LAG_BYTES
        if self.phase is Phase.CATCHING_UP and caught_up:
            self.phase = Phase.FENCING
        ready = self.phase is Phase.FENCING and not self.fence_sent
        if ready and self.confirmed_lsn >= self.acked_lsn:
            self.fence_sent = True
            return [SendFence(self.acked_lsn)]
        return []

    def _link_up(self, event: LinkUp) -> list[Instruction]:
        self.confirmed_lsn = event.peer_lsn
        self.copying = event.copying
        self.lag_bytes = event.lag_bytes
        self.settled = event.settled
        self.fence_sent = False
        # Nobody copies before ``alone`` is durable, though a fence may have begun to end that.
        self.alone = self.alone or event.copying
        # A source that never acknowledged alone has a peer that holds every acknowledged write
        # already.
        self.phase = Phase.CATCHING_UP if self.alone else Phase.FENCING
        return [*self._acknowledge(), *self._try_fence()]

    def _link_down(self) -> list[Instruction]:
        self.fence_sent = False
        if self.phase in {Phase.CATCHING_UP, Phase.FENCING} and self.alone:
            self.phase = Phase.ALONE
            return self._acknowledge()
        if self.phase in {Phase.LIVE, Phase.FENCING}:
            self.phase = Phase.LOST
        return []

    def _peer_timeout(self) -> list[Instruction]:
        if self.phase is not Phase.LOST:
            return []
        return self._apply_policy()

    def _apply_policy(self) -> list[Instruction]:
        waiting = self.flushed_lsn > self.acked_lsn
        match self.on_peer_loss:
            case OnPeerLoss.CONTINUE:
                self.phase = Phase.LONELY
                return self._part() if waiting else []
            case OnPeerLoss.SUSPEND_IO:
                self.phase = Phase.HELD
                return []
            case OnPeerLoss.IO_ERROR:
                self.phase = Phase.REFUSING
                return [FailWaiting()]
            case _:
                assert_never(self.on_peer_loss)

    def _told_to_part(self) -> list[Instruction]:
        if self.phase is Phase.READ_ONLY:
            # No LSN in the old epoch: the peer may hold records that the crash lost here.
            return self._part()
        if self.phase in {Phase.LOST, Phase.HELD, Phase.REFUSING}:
            # The new epoch is for a write: a group in which nothing is written does not part.
            self.phase = Phase.LONELY
            return self._part() if self.flushed_lsn > self.acked_lsn else []
        # A new epoch on a link whose peer does not know it would part the two histories.
        return []

    def _part(self) -> list[Instruction]:
        self.phase = Phase.PARTING
        return [GoAlone()]

    def _parted(self, event: AloneDurable | PartRefused) -> list[Instruction]:
        if isinstance(event, AloneDurable):
            self.alone = True
        if self.phase is Phase.PARTING and isinstance(event, PartRefused):
            self.phase = Phase.READ_ONLY if event.unclean else Phase.HELD  # only the peer can help
        elif self.phase is Phase.PARTING:
            self.phase = Phase.ALONE
            return self._acknowledge()
        return []

    def _fence_progressed(self, event: Fenced | InSyncDurable) -> list[Instruction]:
        if self.phase is not Phase.FENCING:
            return []
        if isinstance(event, Fenced):
            if not self.fence_sent:
                return []  # nobody was asked: the peer may lack what was acknowledged
            # From here on the superblock may say that we are not alone: if the link breaks while it
            # is being written, only a new epoch lets us acknowledge alone again.
            self.alone = False
            return [PersistInSync(event.lsn)]
        self.phase = Phase.LIVE
        return [CloseFence(self.acked_lsn), *self._acknowledge()]

    def _policy_changed(self, on_peer_loss: OnPeerLoss) -> list[Instruction]:
        self.on_peer_loss = on_peer_loss
        if self.phase in {Phase.LONELY, Phase.HELD, Phase.REFUSING}:
            return self._apply_policy()
        return []
