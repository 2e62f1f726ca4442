"""The words of a state follow from what a replica says, and change only along the table."""

import itertools

import msgspec
import pytest

from srshell.model.replica import (
    Divergence,
    Flow,
    LinkState,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
)
from srshell.model.states import (
    TRANSITIONS,
    DataState,
    ReplicationHealth,
    ReplicationState,
    Role,
    Surroundings,
    Trigger,
    derive_data,
    derive_role,
    derive_state,
    may_follow,
)
from tests.unit.model.replicas import LOST, primary, secondary

S = ReplicationState
SPLIT = Divergence(5, 9, 3, 12288)


@pytest.mark.parametrize("words", [ReplicationState, ReplicationHealth, Role, DataState])
def test_every_word_has_a_sentence(words: type[ReplicationState]) -> None:
    """A word that is shown can be explained."""
    for word in words:
        assert word.sentence.endswith(".")
        assert str(word) == word.value


def test_words_are_the_article_s() -> None:
    """Scripts compare with these very strings."""
    assert {state.value for state in S} == {
        "Disabled", "ReadyForInitialReplication", "Replicating", "Synchronizing",
        "WaitingForDestination", "WaitingForSource", "Resynchronizing", "Suspended",
        "PreparedForFailover", "FailedOver", "SplitBrain", "TornDownHere", "WaitingForTearDown",
        "Error",
    }  # fmt: skip
    assert [health.value for health in ReplicationHealth] == [
        "NotApplicable", "Normal", "Warning", "Critical",
    ]  # fmt: skip


def test_a_word_survives_the_way_through_json() -> None:
    """It is a plain string there."""
    data = msgspec.json.encode(S.SYNCHRONIZING)
    assert data == b'"Synchronizing"'
    assert msgspec.json.decode(data, type=ReplicationState) is S.SYNCHRONIZING


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (primary(), S.SYNCHRONIZING),
        (secondary(), S.SYNCHRONIZING),
        (primary(started=False, **LOST), S.READY),
        (primary(flow=Flow.INITIAL_COPY), S.REPLICATING),
        (secondary(flow=Flow.INITIAL_COPY, data=ReplicaData.INCONSISTENT), S.REPLICATING),
        (primary(flow=Flow.LOG_REPLAY), S.RESYNCHRONIZING),
        (primary(flow=Flow.BITMAP_COPY), S.RESYNCHRONIZING),
        (primary(flow=Flow.CHECKSUM_COPY), S.RESYNCHRONIZING),
        (primary(**LOST), S.WAITING_FOR_DESTINATION),
        (secondary(**LOST), S.WAITING_FOR_SOURCE),
        (primary(flow=Flow.IDLE), S.WAITING_FOR_DESTINATION),
        (primary(link=LinkState.REFUSED, flow=Flow.IDLE), S.WAITING_FOR_DESTINATION),
        (primary(suspended=True, **LOST), S.SUSPENDED),
        (primary(sealed=True, flow=Flow.SEALED), S.PREPARED_FOR_FAILOVER),
        (secondary(flow=Flow.SEALED), S.PREPARED_FOR_FAILOVER),
        (primary(sealed=True, **LOST), S.PREPARED_FOR_FAILOVER),
        (primary(data=ReplicaData.FAILED), S.ERROR),
        (primary(split=SPLIT, **LOST), S.SPLIT_BRAIN),
        (secondary(peer_split=SPLIT, **LOST), S.SPLIT_BRAIN),
        (primary(torn_down=True, **LOST), S.TORN_DOWN_HERE),
        (None, S.DISABLED),
    ],
)
def test_the_word_follows_from_the_report(report: ReplicaReport | None, state: S) -> None:
    """One sentence of the specification per row."""
    assert derive_state(report) is state


@pytest.mark.parametrize(
    ("report", "around", "state"),
    [
        (primary(), Surroundings(site_up=False), S.ERROR),
        (None, Surroundings(site_up=False), S.ERROR),
        (None, Surroundings(trouble="SR9210"), S.ERROR),
        (None, Surroundings(), S.DISABLED),
        (primary(**LOST), Surroundings(failed_over=True), S.FAILED_OVER),
        (secondary(**LOST), Surroundings(failed_over=True), S.FAILED_OVER),
        (primary(), Surroundings(failed_over=True), S.SYNCHRONIZING),
        (primary(flow=Flow.LOG_REPLAY), Surroundings(failed_over=True), S.RESYNCHRONIZING),
        (primary(**LOST), Surroundings(peer_torn_down=True), S.WAITING_FOR_TEAR_DOWN),
        (primary(torn_down=True), Surroundings(site_up=False), S.TORN_DOWN_HERE),
    ],
)
def test_the_word_follows_from_what_the_fabric_knows_besides(
    report: ReplicaReport | None, around: Surroundings, state: S
) -> None:
    """A dead site is an error; a role change is told until both sides are in sync."""
    assert derive_state(report, around) is state


def test_in_sync_is_said_only_of_a_live_link() -> None:
    """Over every combination of axes: RPO 0 never shows without its conditions."""
    for role, link, data, flow, bits in itertools.product(
        ReplicaRole, LinkState, ReplicaData, Flow, itertools.product((False, True), repeat=3)
    ):
        started, suspended, sealed = bits
        report = primary(role=role, link=link, data=data, flow=flow, started=started,
                         suspended=suspended, sealed=sealed)  # fmt: skip
        if derive_state(report) is S.SYNCHRONIZING:
            assert link is LinkState.CONNECTED
            assert flow is Flow.LIVE
            assert data is not ReplicaData.FAILED
            assert started
            assert not suspended


def test_role_and_data_have_words_too() -> None:
    """A copy of an earlier moment is outdated, not up to date."""
    assert derive_role(None) is Role.NONE
    assert derive_role(primary()) is Role.PRIMARY
    assert derive_role(secondary()) is Role.SECONDARY
    assert derive_data(primary(**LOST)) is DataState.UP_TO_DATE
    assert derive_data(secondary()) is DataState.UP_TO_DATE
    assert derive_data(secondary(**LOST)) is DataState.OUTDATED
    assert derive_data(secondary(data=ReplicaData.BLANK)) is DataState.BLANK
    assert derive_data(secondary(data=ReplicaData.INCONSISTENT)) is DataState.INCONSISTENT
    assert derive_data(primary(data=ReplicaData.FAILED)) is DataState.FAILED


# --- transitions --------------------------------------------------------------------------------


def test_the_table_has_the_transitions_of_this_release() -> None:
    """T12 and T13 (an undo window) and T18 (test failover) come later."""
    numbers = {row.number for row in TRANSITIONS}
    assert numbers == set(range(1, 21)) - {12, 13, 18}


def test_every_trigger_is_used() -> None:
    """A trigger without a row would be a word without meaning."""
    assert {row.trigger for row in TRANSITIONS} == set(Trigger)


def test_every_state_can_be_reached_and_left() -> None:
    """No state is a trap, and none is only a word."""
    reached = {S.DISABLED}
    while True:
        more = {after for row in TRANSITIONS for after in row.after if row.before & reached}
        if more <= reached:
            break
        reached |= more
    assert reached == set(S)
    assert {before for row in TRANSITIONS for before in row.before} == set(S)


@pytest.mark.parametrize(
    ("before", "after", "possible"),
    [
        (S.DISABLED, S.READY, True),
        (S.READY, S.REPLICATING, True),
        (S.REPLICATING, S.SYNCHRONIZING, True),
        (S.SYNCHRONIZING, S.PREPARED_FOR_FAILOVER, True),
        (S.PREPARED_FOR_FAILOVER, S.FAILED_OVER, True),
        (S.FAILED_OVER, S.RESYNCHRONIZING, True),
        (S.SYNCHRONIZING, S.SYNCHRONIZING, True),
        (S.DISABLED, S.SYNCHRONIZING, False),
        (S.READY, S.RESYNCHRONIZING, False),
        (S.SPLIT_BRAIN, S.SYNCHRONIZING, False),
        (S.REPLICATING, S.PREPARED_FOR_FAILOVER, False),
        (S.SYNCHRONIZING, S.DISABLED, False),
    ],
)
def test_what_may_follow_what(before: S, after: S, *, possible: bool) -> None:
    """A split brain ends only by a person's choice, and then by a copy."""
    assert may_follow(before, after) is possible


def test_only_a_fence_or_proof_leads_into_sync_from_a_copy() -> None:
    """Rule 55: a copy does not become RPO 0 by itself."""
    ways = {
        row.trigger
        for row in TRANSITIONS
        if S.SYNCHRONIZING in row.after and row.before & {S.REPLICATING, S.RESYNCHRONIZING}
    }
    assert ways == {Trigger.FENCE}
