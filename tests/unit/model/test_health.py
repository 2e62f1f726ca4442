"""Health, readiness and recovery point never promise more than a live source has said."""

import itertools

import attrs
import pytest

from srshell.model.codes import CODES
from srshell.model.geometry import MIB
from srshell.model.health import (
    FRESH_SECONDS,
    REASONS,
    derive_health,
    derive_readiness,
    derive_rpo_seconds,
)
from srshell.model.replica import (
    CopyProgress,
    Divergence,
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
)
from srshell.model.states import (
    ReplicationHealth,
    ReplicationState,
    Surroundings,
    derive_state,
)
from tests.unit.model.replicas import LOST, primary, secondary

H = ReplicationHealth
S = ReplicationState
CONSISTENT = Surroundings(destination_data=ReplicaData.CONSISTENT)


def health_of(
    report: ReplicaReport | None, around: Surroundings | None = None
) -> tuple[ReplicationHealth, list[str]]:
    """The health and the codes of its reasons."""
    found = derive_health(derive_state(report, around), report, around)
    return found.health, [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("report", "around", "health", "reasons"),
    [
        (None, None, H.NOT_APPLICABLE, []),
        (primary(started=False), None, H.NOT_APPLICABLE, []),
        (primary(), None, H.NORMAL, []),
        (secondary(), None, H.NORMAL, []),
        (primary(flow=Flow.INITIAL_COPY), None, H.WARNING, ["first-copy"]),
        (primary(flow=Flow.LOG_REPLAY), None, H.WARNING, ["catching-up"]),
        (primary(flow=Flow.BITMAP_COPY), None, H.CRITICAL, ["destination-inconsistent"]),
        (primary(suspended=True), None, H.WARNING, ["suspended"]),
        (primary(sealed=True, flow=Flow.SEALED), None, H.WARNING, ["prepared"]),
        (primary(**LOST), None, H.WARNING, ["peer-away"]),
        (primary(lost_unix=960.0, **LOST), None, H.CRITICAL, ["peer-away-long"]),
        (secondary(**LOST), None, H.WARNING, ["peer-away"]),
        (primary(unclean=True, writable=False, **LOST), None, H.CRITICAL,
         ["no-primary", "peer-away"]),
        (primary(on_peer_loss=OnPeerLoss.SUSPEND_IO, writable=False, **LOST), None, H.CRITICAL,
         ["writes-wait", "peer-away"]),
        (primary(link=LinkState.REFUSED, link_reason="unrelated", flow=Flow.IDLE), None,
         H.CRITICAL, ["refused", "peer-away"]),
        (primary(split=Divergence(1, 2, 1, 1), **LOST), None, H.CRITICAL, ["split-brain"]),
        (primary(data=ReplicaData.FAILED, failure="EIO"), None, H.CRITICAL, ["failed"]),
        (primary(), Surroundings(site_up=False), H.CRITICAL, ["site-down"]),
        (None, Surroundings(trouble="SR9210"), H.CRITICAL, ["failed"]),
        (primary(torn_down=True), None, H.WARNING, ["torn-down-here"]),
        (primary(**LOST), Surroundings(peer_torn_down=True), H.WARNING,
         ["waiting-for-tear-down"]),
        (primary(**LOST), Surroundings(failed_over=True), H.WARNING, ["failed-over"]),
        (primary(log_bytes_free=10 * MIB), None, H.WARNING, ["log-fill"]),
        (primary(), Surroundings(differing_blocks=3), H.CRITICAL, ["blocks-differ"]),
        (primary(flow=Flow.LOG_REPLAY), Surroundings(stalled_seconds=61), H.CRITICAL,
         ["stalled", "catching-up"]),
    ],
)  # fmt: skip
def test_health_is_the_worst_of_its_reasons(
    report: ReplicaReport | None,
    around: Surroundings | None,
    health: ReplicationHealth,
    reasons: list[str],
) -> None:
    """One row per cause; the worst comes first."""
    assert health_of(report, around) == (health, reasons)


def test_every_reason_has_a_code_that_explains_it() -> None:
    """`explain` leads from a reason to what can be done."""
    assert {code for _, code in REASONS.values()} <= set(CODES)


def test_anything_but_normal_says_why() -> None:
    """Over the states of a started group."""
    for flow, link, suspended in itertools.product(Flow, LinkState, (False, True)):
        report = primary(flow=flow, link=link, suspended=suspended)
        found = derive_health(derive_state(report), report)
        assert (found.health is H.NORMAL) == (not found.reasons)


# --- ready to fail over -------------------------------------------------------------------------


def test_a_group_in_sync_is_ready() -> None:
    """So is a sealed one, and it says at which LSN."""
    assert derive_readiness(S.SYNCHRONIZING, primary()).ready
    sealed = derive_readiness(S.PREPARED_FOR_FAILOVER, primary(sealed=True))
    assert (sealed.ready, sealed.reason) == (True, "sealed: both logs end at LSN 10")


@pytest.mark.parametrize(
    ("state", "report", "around", "reason"),
    [
        (S.SYNCHRONIZING, primary(), Surroundings(age_seconds=FRESH_SECONDS + 1),
         "the source was last heard of 3 s ago"),
        (S.SYNCHRONIZING, primary(), Surroundings(site_up=False),
         "the source does not answer: what it acknowledged is unknown"),
        (S.SYNCHRONIZING, None, None,
         "the source does not answer: what it acknowledged is unknown"),
        (S.REPLICATING, primary(progress=CopyProgress(Flow.INITIAL_COPY, MIB, 4 * MIB, 0.0)), None,
         "the first copy is not complete, 3 MiB to go"),
        (S.RESYNCHRONIZING, primary(), None, "the destination is catching up"),
        (S.READY, primary(), Surroundings(waiting_for_refresh=("ClusterA", "ClusterB")),
         "waiting for a refresh of ClusterA, ClusterB"),
        (S.READY, primary(), None, "the first copy has not begun"),
        (S.WAITING_FOR_DESTINATION, primary(), None, "the destination is away"),
        (S.PREPARED_FOR_FAILOVER, primary(sealed=True, **LOST), None,
         "sealed, but the destination is away"),
        (S.WAITING_FOR_DESTINATION, primary(unclean=True), None,
         "the source restarted after a crash and waits for the destination"),
        (S.ERROR, primary(failure="EIO on /log"), None, "EIO on /log"),
    ],
)  # fmt: skip
def test_a_group_that_is_not_ready_says_why(
    state: S, report: ReplicaReport | None, around: Surroundings | None, reason: str
) -> None:
    """``failover ready: no, because …``."""
    found = derive_readiness(state, report, around)
    assert (found.ready, found.reason) == (False, reason)


def test_every_state_has_a_reason() -> None:
    """No combination is left to a blank."""
    for state in S:
        assert derive_readiness(state, primary()).reason


# --- the recovery point -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "around", "rpo_seconds"),
    [
        (primary(), CONSISTENT, 0.0),
        (primary(sealed=True, flow=Flow.SEALED), CONSISTENT, 0.0),
        (primary(lost_unix=958.0, alone=True, **LOST), CONSISTENT, 42.0),
        (primary(lost_unix=990.0, suspended=True, alone=True), CONSISTENT, 10.0),
        (primary(lost_unix=1001.0, alone=True, **LOST), CONSISTENT, None),
        (primary(sealed=True, **LOST), None, None),
        (primary(sealed=True, **LOST), CONSISTENT, 0.0),
        (primary(on_peer_loss=OnPeerLoss.SUSPEND_IO, **LOST), CONSISTENT, 0.0),
        (primary(flow=Flow.LOG_REPLAY, lost_unix=999.0, alone=True), CONSISTENT, 1.0),
        (primary(flow=Flow.LOG_REPLAY), CONSISTENT, None),
        (primary(flow=Flow.BITMAP_COPY, lost_unix=999.0), CONSISTENT, None),
        (primary(flow=Flow.INITIAL_COPY), CONSISTENT, None),
        (primary(unclean=True, **LOST), CONSISTENT, None),
        (primary(unconfirmed_writes=1, **LOST), CONSISTENT, None),
        (primary(lost_unix=958.0, **LOST),
         Surroundings(destination_data=ReplicaData.INCONSISTENT), None),
        (primary(lost_unix=958.0, **LOST), Surroundings(), None),
        (primary(), attrs.evolve(CONSISTENT, age_seconds=2.1), None),
        (primary(), attrs.evolve(CONSISTENT, site_up=False), None),
        (primary(data=ReplicaData.FAILED), CONSISTENT, None),
        (None, CONSISTENT, None),
    ],
)  # fmt: skip
def test_the_recovery_point_is_known_or_none(
    report: ReplicaReport | None, around: Surroundings, rpo_seconds: float | None
) -> None:
    """Zero only where nothing acknowledged would be lost; unknown is never zero."""
    assert derive_rpo_seconds(derive_state(report, around), report, around) == rpo_seconds


def test_the_state_alone_never_makes_rpo_zero() -> None:
    """A failed source claims nothing, whatever word is passed."""
    failed = primary(data=ReplicaData.FAILED)
    assert derive_rpo_seconds(S.SYNCHRONIZING, failed, CONSISTENT) is None
