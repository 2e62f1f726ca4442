"""How healthy a group is, whether it can fail over now, and what a failover would lose.

Always true:

(1) Every health but Normal and NotApplicable comes with at least one reason, the worst first; the
    health is the worst of its reasons.
(2) ``rpo_seconds == 0`` and ``ready`` are said only of a live source heard of at most
    `FRESH_SECONDS` ago; what is not known is None, never zero.
(3) The reason of a group that is not ready is a sentence; of a ready one it says why, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from srshell.model.geometry import format_size
from srshell.model.replica import (
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
)
from srshell.model.states import ReplicationHealth, ReplicationState, Surroundings

#: How old the source's word may be to be repeated as the present, in seconds.
FRESH_SECONDS: Final = 2.0
#: How long a peer may be away before that is critical, in seconds.
GRACE_SECONDS: Final = 30.0
#: A copy whose counters stand still this long is stuck, in seconds.
STALLED_SECONDS: Final = 60.0
#: Fill of the log above which an outage will soon not be bridged by it.
LOG_FILL_MAX: Final = 0.7

_H = ReplicationHealth
_S = ReplicationState

#: Every reason for a health below Normal: the health, and the code that explains it.
REASONS: Final[dict[str, tuple[ReplicationHealth, str]]] = {
    "site-down": (_H.CRITICAL, "SR9301"),
    "failed": (_H.CRITICAL, "SR9220"),
    "split-brain": (_H.CRITICAL, "SR6005"),
    "blocks-differ": (_H.CRITICAL, "SR7702"),
    "no-primary": (_H.CRITICAL, "SR6013"),
    "writes-wait": (_H.CRITICAL, "SR8004"),
    "peer-away-long": (_H.CRITICAL, "SR8004"),
    "refused": (_H.CRITICAL, "SR6002"),
    "destination-inconsistent": (_H.CRITICAL, "SR5203"),
    "log-overrun": (_H.CRITICAL, "SR5305"),
    "stalled": (_H.CRITICAL, "SR5203"),
    "peer-away": (_H.WARNING, "SR8004"),
    "first-copy": (_H.WARNING, "SR5101"),
    "catching-up": (_H.WARNING, "SR5202"),
    "suspended": (_H.WARNING, "SR5308"),
    "prepared": (_H.WARNING, "SR6020"),
    "failed-over": (_H.WARNING, "SR6021"),
    "torn-down-here": (_H.WARNING, "SR7001"),
    "waiting-for-tear-down": (_H.WARNING, "SR7001"),
    "log-fill": (_H.WARNING, "SR5304"),
    "log-damaged": (_H.WARNING, "SR7704"),
    "verify-overdue": (_H.WARNING, "SR7706"),
}


@attrs.frozen
class HealthReason:
    """One reason for a health below Normal: a word to match on and a sentence to read."""

    code: str
    text: str


@attrs.frozen
class Health:
    """The health of one side and why, the worst reason first."""

    health: ReplicationHealth
    reasons: tuple[HealthReason, ...] = ()


def derive_health(
    state: ReplicationState, report: ReplicaReport | None, around: Surroundings | None = None
) -> Health:
    """The health of one side, from its state, its replica's report and what the fabric knows."""
    if state in {_S.DISABLED, _S.READY}:
        return Health(_H.NOT_APPLICABLE)
    known = around or Surroundings()
    found = [*_state_reasons(state, report, known), *_measured_reasons(state, report, known)]
    order = {_H.CRITICAL: 0, _H.WARNING: 1}
    found.sort(key=lambda reason: order[REASONS[reason.code][0]])
    worst = REASONS[found[0].code][0] if found else _H.NORMAL
    return Health(worst, tuple(found))


def _state_reasons(
    state: ReplicationState, report: ReplicaReport | None, known: Surroundings
) -> Iterator[HealthReason]:
    """What the state alone gives cause to say."""
    if not known.site_up:
        yield HealthReason("site-down", "the site process does not answer")
    elif state is _S.ERROR:
        text = (report.failure if report else "") or known.trouble or "the side has failed"
        yield HealthReason("failed", text)
    if state in {_S.WAITING_FOR_DESTINATION, _S.WAITING_FOR_SOURCE} and report is not None:
        yield from _waiting_reasons(state, report)
    simple = {
        _S.SPLIT_BRAIN: ("split-brain", "both sides hold writes that the other lacks"),
        _S.REPLICATING: ("first-copy", "the first copy is under way, not protected yet"),
        _S.SUSPENDED: ("suspended", "replication was suspended by a person"),
        _S.PREPARED_FOR_FAILOVER: ("prepared", "sealed for a failover, no writes are taken"),
        _S.FAILED_OVER: ("failed-over", "the old primary has not rejoined"),
        _S.TORN_DOWN_HERE: ("torn-down-here", "the other side is still to be torn down"),
        _S.WAITING_FOR_TEAR_DOWN: ("waiting-for-tear-down", "the other side was torn down"),
    }
    if state in simple:
        yield HealthReason(*simple[state])


def _waiting_reasons(state: ReplicationState, report: ReplicaReport) -> Iterator[HealthReason]:
    """Why a side waits for its peer, and what that means for writes."""
    primary = report.role is ReplicaRole.PRIMARY
    if report.link is LinkState.REFUSED:
        yield HealthReason("refused", f"the peer refused: {report.link_reason}")
    if primary and report.unclean and not report.writable:
        yield HealthReason("no-primary", "restarted after a crash: read-only until the peer agrees")
    elif primary and not report.writable and report.on_peer_loss is not OnPeerLoss.CONTINUE:
        yield HealthReason("writes-wait", f"the policy is {report.on_peer_loss.value}")
    away = None if report.lost_unix is None else report.as_of - report.lost_unix
    who = "destination" if state is _S.WAITING_FOR_DESTINATION else "source"
    if away is not None and away > GRACE_SECONDS:
        yield HealthReason("peer-away-long", f"the {who} has been away for {away:.0f} s")
    else:
        yield HealthReason("peer-away", f"the {who} does not answer")


def _measured_reasons(
    state: ReplicationState, report: ReplicaReport | None, known: Surroundings
) -> Iterator[HealthReason]:
    """What counters give cause to say."""
    if known.differing_blocks:
        text = f"wrong blocks found by the last verification: {known.differing_blocks}"
        yield HealthReason("blocks-differ", text)
    if known.damaged_places:
        text = f"damaged places on the log volumes: {known.damaged_places}"
        yield HealthReason("log-damaged", text)
    if known.verify_overdue_seconds:
        hours = known.verify_overdue_seconds / 3600
        yield HealthReason("verify-overdue", f"a verification is overdue by {hours:.1f} h")
    if report is None:
        return
    if state is _S.RESYNCHRONIZING:
        if report.flow is Flow.LOG_REPLAY:
            yield HealthReason("catching-up", "records that the peer missed are replayed")
        else:
            text = "blocks are copied out of order; no failover until that ends"
            yield HealthReason("destination-inconsistent", text)
    if state in {_S.REPLICATING, _S.RESYNCHRONIZING} and known.stalled_seconds > STALLED_SECONDS:
        yield HealthReason("stalled", f"no progress for {known.stalled_seconds:.0f} s")
    if report.log_bytes and known.site_up:
        fill = 1 - report.log_bytes_free / report.log_bytes
        if fill > LOG_FILL_MAX:
            free = format_size(report.log_bytes_free)
            yield HealthReason("log-fill", f"the log is {fill:.0%} full, {free} left")


@attrs.frozen
class Readiness:
    """Whether a failover would lose nothing now, and why."""

    ready: bool
    reason: str


def derive_readiness(source_state: ReplicationState, source: ReplicaReport | None,
                     around: Surroundings | None = None) -> Readiness:  # fmt: skip
    """Whether the group can fail over now without loss, as the live source says.

    Args:
        source_state: the derived word of the side that is primary.
        source: the report of that side; None if there is none.
        around: how old the report is, and whether the site of the source answers.
    """
    known = around or Surroundings()
    if source is None or not known.site_up:
        return Readiness(False, "the source does not answer: what it acknowledged is unknown")
    if known.age_seconds > FRESH_SECONDS:
        text = f"the source was last heard of {known.age_seconds:.0f} s ago"
        return Readiness(False, text)
    if source_state is _S.SYNCHRONIZING:
        return Readiness(True, "every acknowledged write is in both logs")
    if source_state is _S.PREPARED_FOR_FAILOVER and _holds_link(source):
        return Readiness(True, f"sealed: both logs end at LSN {source.durable_lsn}")
    return Readiness(False, _not_ready(source_state, source, known))


def _holds_link(source: ReplicaReport) -> bool:
    """Whether a sealed source still has its destination beside it."""
    return source.link is LinkState.CONNECTED and source.flow in {Flow.LIVE, Flow.SEALED}


def _not_ready(state: ReplicationState, source: ReplicaReport, known: Surroundings) -> str:
    """Why a group in ``state`` cannot fail over, with the number that says how far it is."""
    progress = source.progress
    left = max(progress.total_bytes - progress.done_bytes, 0) if progress else 0
    to_go = f", {format_size(left)} to go" if progress else ""
    if state is _S.READY and known.waiting_for_refresh:
        return f"waiting for a refresh of {', '.join(known.waiting_for_refresh)}"
    if state is _S.WAITING_FOR_DESTINATION and source.unclean:
        return "the source restarted after a crash and waits for the destination"
    return {
        _S.DISABLED: "protection is not enabled",
        _S.READY: "the first copy has not begun",
        _S.REPLICATING: f"the first copy is not complete{to_go}",
        _S.PREPARED_FOR_FAILOVER: "sealed, but the destination is away",
        _S.WAITING_FOR_DESTINATION: "the destination is away",
        _S.WAITING_FOR_SOURCE: "the source is away",
        _S.RESYNCHRONIZING: f"the destination is catching up{to_go}",
        _S.SUSPENDED: "replication is suspended",
        _S.FAILED_OVER: "the old primary has not rejoined",
        _S.SPLIT_BRAIN: "both sides hold writes that the other lacks: resolve first",
        _S.TORN_DOWN_HERE: "the partnership is being torn down",
        _S.WAITING_FOR_TEAR_DOWN: "the partnership is being torn down",
        _S.ERROR: source.failure or "the source has failed",
    }[state]


def derive_rpo_seconds(
    source_state: ReplicationState, source: ReplicaReport | None, around: Surroundings | None = None
) -> float | None:
    """How much acknowledged work a loss of the source would take now, in seconds.

    Zero only if a live source says so; None when it is unknown, as during the first copy.
    """
    known = around or Surroundings()
    if source is None or not known.site_up or known.age_seconds > FRESH_SECONDS:
        return None
    if source.data is ReplicaData.FAILED:
        return None
    sealed = source_state is _S.PREPARED_FOR_FAILOVER
    if source_state is _S.SYNCHRONIZING or (sealed and _holds_link(source)):
        return 0.0
    # A destination between two moments is no basis to go on from: the loss would be everything.
    blocks_copied = source_state is _S.RESYNCHRONIZING and source.flow is not Flow.LOG_REPLAY
    if blocks_copied or known.destination_data is not ReplicaData.CONSISTENT:
        return None
    if source_state not in _BEHIND:
        return None
    if source.lost_unix is not None:
        # A clock that was put back knows of no time since the loss.
        seconds = source.as_of - source.lost_unix
        return seconds if seconds > 0 else None
    acked_alone = source.alone or source.unconfirmed_writes > 0 or source.unclean
    return None if acked_alone or source_state not in _WAITING else 0.0


#: States in which the destination is equal to the source at a known earlier moment.
_BEHIND: Final = frozenset(
    {
        _S.WAITING_FOR_DESTINATION,
        _S.PREPARED_FOR_FAILOVER,
        _S.RESYNCHRONIZING,
        _S.SUSPENDED,
        _S.FAILED_OVER,
    }
)
#: Of those, the ones in which nothing is acknowledged unless the source says that it may be.
_WAITING: Final = frozenset({_S.WAITING_FOR_DESTINATION, _S.PREPARED_FOR_FAILOVER})
