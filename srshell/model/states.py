"""The article's word for the state of a group, and how it follows from what a site says.

Always true:

(1) The word is derived from four axes (role, link, data, flow) and a few flags; it is never stored.
(2) ``Synchronizing`` means in sync: each acknowledged write is in both logs.  ``Replicating`` is
    the first copy, ``Resynchronizing`` every later one; neither is RPO 0.
(3) A row of `TRANSITIONS` carries the number of the specified transition; what has no row does not
    happen from one look to the next, unless a look was missed.

    Disabled --enable--> ReadyForInitialReplication --refresh--> Replicating --> Synchronizing
    Synchronizing --peer lost--> WaitingFor... --peer back--> Resynchronizing --> Synchronizing
    Synchronizing --prepare--> PreparedForFailover --failover--> FailedOver --> Resynchronizing
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

import attrs

from srshell.model.replica import Flow, LinkState, ReplicaData, ReplicaReport, ReplicaRole


class Word(StrEnum):
    """A word that a person reads, with the sentence that explains it."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Self:
        """A member equal to its word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member


class ReplicationState(Word):
    """The state of one side of a replication group, in the article's property of that name."""

    DISABLED = "Disabled", "The group has no partner."
    READY = (
        "ReadyForInitialReplication",
        "Protection is enabled; both providers have to be refreshed to begin the first copy.",
    )
    REPLICATING = (
        "Replicating",
        "The first copy is under way; writes are acknowledged by the source alone.",
    )
    SYNCHRONIZING = "Synchronizing", "In sync: every acknowledged write is in both logs."
    WAITING_FOR_DESTINATION = (
        "WaitingForDestination",
        "The destination is away; the policy of the group says what its writes do.",
    )
    WAITING_FOR_SOURCE = (
        "WaitingForSource",
        "The source is away; what it has written since is unknown here.",
    )
    RESYNCHRONIZING = "Resynchronizing", "The side that was away is brought back in step."
    SUSPENDED = (
        "Suspended",
        "A person paused replication; the source goes on alone, its writes are logged.",
    )
    PREPARED_FOR_FAILOVER = (
        "PreparedForFailover",
        "The source takes no writes any more, and both logs end at the same record.",
    )
    FAILED_OVER = (
        "FailedOver",
        "The roles have changed; the old primary has not rejoined yet.",
    )
    SPLIT_BRAIN = (
        "SplitBrain",
        "Both sides hold acknowledged writes that the other lacks; a person has to choose.",
    )
    TORN_DOWN_HERE = "TornDownHere", "This side has left the partnership; the other has not yet."
    WAITING_FOR_TEAR_DOWN = (
        "WaitingForTearDown",
        "The other side has left the partnership; this one has not yet.",
    )
    ERROR = "Error", "A disk, a log or the site itself has failed; the reason is given."


class ReplicationHealth(Word):
    """The health of one side of a replication group, in the article's property of that name."""

    NOT_APPLICABLE = "NotApplicable", "Nothing is replicated yet."
    NORMAL = "Normal", "In sync, and nothing calls for attention."
    WARNING = "Warning", "Something reduces protection, or soon will."
    CRITICAL = "Critical", "Acknowledged writes are at risk, or a person has to act."


class Role(Word):
    """The role of one side, as a person reads it."""

    NONE = "None", "The group has no partner and so no role."
    PRIMARY = "Primary", "The side that takes writes."
    SECONDARY = "Secondary", "The side that holds the copy; it is read-only."


class DataState(Word):
    """What the volumes of one side hold, as a person reads it."""

    BLANK = "Blank", "Nothing here belongs to the group yet."
    INCONSISTENT = "Inconsistent", "Blocks of different moments lie side by side."
    OUTDATED = "Outdated", "Equal to the source at an earlier moment."
    UP_TO_DATE = "UpToDate", "Equal to the source."
    FAILED = "Failed", "A disk failed or its content is damaged."


class Trigger(StrEnum):
    """What moves a group from one state to the next."""

    ENABLE = "protection is enabled"
    REFRESH = "both providers were refreshed"
    NOTHING_TO_COPY = "both sides are blank, or proven equal"
    FENCE = "everything up to the fence is durable on both sides"
    PEER_LOST = "no sign of the peer for the peer timeout"
    PEER_BACK = "the peer shook hands"
    SUSPEND = "a person paused replication"
    RESUME = "a person resumed replication"
    PREPARE = "the source was drained and sealed"
    UNSEAL = "the seal was taken away"
    FAILOVER = "the other side was promoted after the seal"
    UNPLANNED_FAILOVER = "the other side was promoted without a seal"
    DIVERGED = "the handshake found acknowledged writes on both sides"
    RESOLVE = "a person chose the side to keep"
    TEAR_DOWN = "this side was torn down"
    PEER_TORN_DOWN = "the other side was torn down"
    BOTH_TORN_DOWN = "the last side was torn down"
    FAILURE = "a disk, a log or the site failed"
    RECOVERY = "the side was started again, and reads its disks"


@attrs.frozen
class Transition:
    """One row of the table: the number of the specification, and what follows what."""

    number: int
    before: frozenset[ReplicationState]
    trigger: Trigger
    after: frozenset[ReplicationState]
    durable: str  #: what is on disk before the new word is shown


_S = ReplicationState
_WAITING = frozenset({_S.WAITING_FOR_DESTINATION, _S.WAITING_FOR_SOURCE})
_COPYING = frozenset({_S.REPLICATING, _S.RESYNCHRONIZING})
_LIVE = frozenset({_S.SYNCHRONIZING, _S.PREPARED_FOR_FAILOVER}) | _COPYING | _WAITING
_STARTED = _LIVE | {_S.SUSPENDED, _S.FAILED_OVER, _S.SPLIT_BRAIN, _S.ERROR}
_ENABLED = _STARTED | {_S.READY}


def _row(
    number: int,
    before: frozenset[ReplicationState] | ReplicationState,
    trigger: Trigger,
    after: frozenset[ReplicationState] | ReplicationState,
    durable: str = "",
) -> Transition:
    """A row, with a single state standing for the set of it."""
    return Transition(number, _as_set(before), trigger, _as_set(after), durable)


def _as_set(
    states: frozenset[ReplicationState] | ReplicationState,
) -> frozenset[ReplicationState]:
    return frozenset({states}) if isinstance(states, ReplicationState) else states


#: Numbers 1-18 are the specification's; 12, 13 (an undo window) and 18 (test failover) are not in
#: this release. 19 and 20 are failure and recovery, which the specification leaves to its text.
TRANSITIONS: Final[tuple[Transition, ...]] = (
    _row(1, _S.DISABLED, Trigger.ENABLE, _S.READY, "the partnership on both sides"),
    _row(2, _S.READY, Trigger.REFRESH, _S.REPLICATING, "the destination is inconsistent"),
    _row(3, _S.READY, Trigger.NOTHING_TO_COPY, _S.SYNCHRONIZING, "both sides are in sync"),
    _row(4, _S.REPLICATING, Trigger.FENCE, _S.SYNCHRONIZING, "destination, then source in sync"),
    _row(5, _LIVE, Trigger.PEER_LOST, _WAITING, "fork and epoch, before the first solo ack"),
    _row(6, _WAITING, Trigger.PEER_BACK, _COPYING | {_S.SYNCHRONIZING}, "inconsistent, if copied"),
    _row(7, _S.RESYNCHRONIZING, Trigger.FENCE, _S.SYNCHRONIZING, "destination, then source"),
    _row(8, _LIVE, Trigger.SUSPEND, _S.SUSPENDED, "the destination knows of it"),
    _row(8, _S.SUSPENDED, Trigger.RESUME, _WAITING | _COPYING | {_S.SYNCHRONIZING}),
    _row(9, _S.SYNCHRONIZING, Trigger.PREPARE, _S.PREPARED_FOR_FAILOVER),
    _row(9, _S.PREPARED_FOR_FAILOVER, Trigger.UNSEAL, _S.SYNCHRONIZING),
    _row(10, _S.PREPARED_FOR_FAILOVER, Trigger.FAILOVER, _S.FAILED_OVER, "roles and epoch"),
    _row(11, _STARTED, Trigger.UNPLANNED_FAILOVER, _S.FAILED_OVER, "the new role and epoch"),
    _row(14, _S.FAILED_OVER, Trigger.PEER_BACK, _COPYING | {_S.SYNCHRONIZING}, "rolled back tail"),
    _row(15, _STARTED, Trigger.DIVERGED, _S.SPLIT_BRAIN),
    _row(16, _S.SPLIT_BRAIN, Trigger.RESOLVE, _S.RESYNCHRONIZING, "the branch of the loser"),
    _row(17, _ENABLED, Trigger.TEAR_DOWN, _S.TORN_DOWN_HERE, "the LSN of the copy"),
    _row(17, _ENABLED, Trigger.PEER_TORN_DOWN, _S.WAITING_FOR_TEAR_DOWN),
    _row(17, frozenset({_S.TORN_DOWN_HERE, _S.WAITING_FOR_TEAR_DOWN}), Trigger.BOTH_TORN_DOWN,
         _S.DISABLED),
    _row(19, _ENABLED, Trigger.FAILURE, _S.ERROR, "the failure"),
    _row(20, _S.ERROR, Trigger.RECOVERY, _STARTED),
)  # fmt: skip


def may_follow(before: ReplicationState, after: ReplicationState) -> bool:
    """Whether some transition leads from ``before`` to ``after``; staying is always possible."""
    return before is after or any(
        before in row.before and after in row.after for row in TRANSITIONS
    )


@attrs.frozen
class Surroundings:
    """What the fabric knows about one side beyond the report of its replica."""

    #: The site process answers.
    site_up: bool = True
    #: Why the site could not open the replica; empty when it did.
    trouble: str = ""
    #: The roles changed, and the two sides have not been in sync since.
    failed_over: bool = False
    #: The other side has left the partnership.
    peer_torn_down: bool = False
    #: Arrays whose refresh is still missing since protection was enabled.
    waiting_for_refresh: tuple[str, ...] = ()
    #: What the volumes of the destination held when it was last heard of; None: never heard of.
    destination_data: ReplicaData | None = None
    #: Since the report was made, in seconds.
    age_seconds: float = 0.0
    #: Since the counters of a copy moved last, in seconds.
    stalled_seconds: float = 0.0
    #: Blocks found wrong by the last verification, and not mended.
    differing_blocks: int = 0
    #: What it found damaged on the log volumes.
    damaged_places: int = 0
    #: For how long a verification that should come by itself has not ended, in seconds.
    verify_overdue_seconds: float = 0.0


def derive_state(
    report: ReplicaReport | None, around: Surroundings | None = None
) -> ReplicationState:
    """The article's word for one side of a group.

    Args:
        report: what its replica says; None for a group that is not enabled, or could not be opened.
        around: what the fabric knows besides.
    """
    known = around or Surroundings()
    if report is None:
        return _S.DISABLED if known.site_up and not known.trouble else _S.ERROR
    if report.torn_down:
        return _S.TORN_DOWN_HERE
    if not known.site_up or report.data is ReplicaData.FAILED:
        return _S.ERROR
    if known.peer_torn_down:
        return _S.WAITING_FOR_TEAR_DOWN
    if report.split is not None or report.peer_split is not None:
        return _S.SPLIT_BRAIN
    if not report.started:
        return _S.READY
    return _derive_running(report, known)


def _derive_running(report: ReplicaReport, known: Surroundings) -> ReplicationState:
    """The word for a replica that was started and has neither failed nor split."""
    if report.suspended:
        return _S.SUSPENDED
    if report.sealed:
        return _S.PREPARED_FOR_FAILOVER
    if report.link is LinkState.CONNECTED and report.flow is not Flow.IDLE:
        return _BY_FLOW[report.flow]
    if known.failed_over:
        return _S.FAILED_OVER
    if report.role is ReplicaRole.PRIMARY:
        return _S.WAITING_FOR_DESTINATION
    return _S.WAITING_FOR_SOURCE


_BY_FLOW: Final[dict[Flow, ReplicationState]] = {
    Flow.INITIAL_COPY: _S.REPLICATING,
    Flow.LOG_REPLAY: _S.RESYNCHRONIZING,
    Flow.BITMAP_COPY: _S.RESYNCHRONIZING,
    Flow.CHECKSUM_COPY: _S.RESYNCHRONIZING,
    Flow.LIVE: _S.SYNCHRONIZING,
    Flow.SEALED: _S.PREPARED_FOR_FAILOVER,
}


def derive_role(report: ReplicaReport | None) -> Role:
    """The role of one side; None for a group that is not enabled."""
    if report is None:
        return Role.NONE
    return Role.PRIMARY if report.role is ReplicaRole.PRIMARY else Role.SECONDARY


def derive_data(report: ReplicaReport) -> DataState:
    """What the volumes hold, with ``Outdated`` told from ``UpToDate`` by the flow."""
    match report.data:
        case ReplicaData.BLANK:
            return DataState.BLANK
        case ReplicaData.INCONSISTENT:
            return DataState.INCONSISTENT
        case ReplicaData.FAILED:
            return DataState.FAILED
        case ReplicaData.CONSISTENT:
            in_sync = report.link is LinkState.CONNECTED and report.flow in {Flow.LIVE, Flow.SEALED}
            if report.role is ReplicaRole.PRIMARY or in_sync:
                return DataState.UP_TO_DATE
            return DataState.OUTDATED
