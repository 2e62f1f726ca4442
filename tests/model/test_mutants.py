"""Rules made wrong on purpose: a proof that never fails proves nothing.

Each mutant names its catcher: the search, with words of what it must find broken; the calm
schedule; or a test of `tests/unit/replication`, which must fail while the mutant is planted.
"""

import importlib
from typing import Any

import attrs
import pytest

from srshell.model.replica import ReplicaData
from srshell.replication import decide, destination, reigns, ring, scan, source
from srshell.replication.source import Phase, Source
from tests.model import calm, local, mutants, roles, steps, witness
from tests.model.group import Scope
from tests.model.search import Search
from tests.unit.replication.contact_rows import ROWS, Row

pytestmark = pytest.mark.timeout(600)

TINY = Scope(writes_max=1, epochs_max=2)
COPIES = Scope(writes_max=1, epochs_max=2, copies=True)
POLICIES = Scope(writes_max=1, epochs_max=2, policy_changes=True)
LONGER = Scope(writes_max=1, epochs_max=3)

WITNESS = Scope(writes_max=1, epochs_max=2, witness=True)

LEADS_IN_VAIN = "may be granted the lead"
ALONE = "acknowledged without its peer"
APPLIED = "beyond the common point"
CLAIMS = "claims that a failover to it loses nothing"
NOBODY = "nobody may lead"


@attrs.frozen
class Mutant:
    """``wrong`` in place of ``name`` in ``place``."""

    sentence: str
    place: Any
    name: str
    wrong: Any
    caught_by: str  # words of the promise that breaks, or a test as "module:function"
    scope: Scope = TINY
    arguments: tuple[Any, ...] = ()

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the wrong rule in place."""
        monkeypatch.setattr(self.place, self.name, self.wrong)


def trusting(sentence: str, step: str) -> Mutant:
    """Return a durable step that writes down that the peer does not acknowledge alone."""
    wrong = mutants.with_fields(getattr(reigns, step), peer_may_ack_alone=False)
    return Mutant(sentence, reigns, step, wrong, CLAIMS)


BY_THE_SEARCH = (
    Mutant(
        "a write is acknowledged before the peer confirms it",
        *(Source, "_limit", mutants.acks_without_the_peer, ALONE),
    ),
    Mutant(
        "a write is acknowledged before the own log holds it",
        *(Source, "_limit", mutants.acks_before_its_own_log, "AssertionError"),
    ),
    Mutant(
        "the first ack alone does not wait for the new epoch",
        *(Source, "_part", mutants.parts_at_once, ALONE),
    ),
    Mutant(
        "LSNs are given out while the new epoch is being made durable",
        *(source, "ADMITS_WRITES", source.ADMITS_WRITES | {Phase.PARTING}, "corrupt"),
    ),
    Mutant(
        "the fence is sent before the peer holds what was acknowledged",
        *(Source, "_try_fence", mutants.fences_what_is_not_confirmed, "a side lacks"),
    ),
    Mutant(
        "the fence is sent before the copy ends",
        *(Source, "_try_fence", mutants.fences_before_the_copy_ends, "before the copy has ended"),
        COPIES,
    ),
    Mutant(
        "going alone begins no epoch",
        *(reigns, "go_alone", mutants.goes_alone_in_the_old_epoch, "AssertionError"),
    ),
    Mutant(
        "a promotion begins no epoch",
        *(reigns, "promote", mutants.promotes_in_the_old_epoch, NOBODY),
    ),
    Mutant(
        "an era begins at the last confirmed LSN",
        *(reigns, "begin_era", mutants.era_from_the_confirmed_lsn, APPLIED),
    ),
    Mutant(
        "a side that was given up and is promoted all the same still yields",
        *(reigns, "promote", mutants.promotes_and_still_yields, "lacks an acknowledged write"),
        LONGER,
    ),
    Mutant(
        "a follower keeps its mark of having been alone",
        *(reigns, "rejoin", mutants.follows_and_stays_alone, NOBODY),
        LONGER,
    ),
    Mutant(
        "alone is not made durable before acks alone",
        *(reigns, "go_alone", mutants.with_fields(reigns.go_alone, alone=False), ALONE),
    ),
    trusting("the fence closes before the primary has stopped", "fence_stored"),
    trusting("a follower believes that its primary is not alone", "rejoin"),
    trusting("a demoted side believes that its successor is not alone", "demote"),
    trusting("a given-up side believes that its peer is not alone", "give_up"),
    Mutant(
        "writes acknowledged alone are not counted",
        *(decide, "_wrote_alone", mutants.nothing, APPLIED),
    ),
    Mutant(
        "the longer log does not lead",
        *(decide, "_within_one_epoch", mutants.longer_log_does_not_lead, "equal sides have"),
    ),
    Mutant(
        "epochs outrank a person's word",
        *(decide, "_leader", mutants.ranks_before_a_persons_word, NOBODY),
    ),
    Mutant(
        "the side that asks leads",
        *(decide, "_by_order", mutants.who_asks_leads, "the sides disagree"),
    ),
    Mutant(
        "the oldest shared era counts, not the newest",
        *(decide, "_newest_shared", mutants.oldest_shared, "the sides disagree"),
    ),
    Mutant(
        "a crashed primary forgets that it crashed",
        *(local, "crash", mutants.forgets_that_it_crashed, "AssertionError"),
    ),
    Mutant(
        "a crashed primary without room for another epoch is not marked unclean",
        *(local, "crash", mutants.is_not_marked_unclean, "AssertionError"),
    ),
    Mutant(
        "acks alone from before a crash are not counted between new reign and link",
        *(local, "standing", mutants.counts_only_what_it_remembers, APPLIED),
        LONGER,
    ),
    Mutant(
        "an ack alone during the handshake does not end it",
        *(roles, "acknowledged_since", mutants.nothing, "on neither side"),
    ),
    Mutant(
        "a planned failover begins before the peer knows that it may be undone",
        *(roles, "is_told", mutants.everything, CLAIMS),
        LONGER,
    ),
    Mutant(
        "the secondary hears of a stricter policy before the primary goes by it",
        *(steps, "peer_goes_first", mutants.everything, CLAIMS),
        POLICIES,
    ),
    Mutant(
        "a primary leads alone without a grant",
        *(steps.Steps, "_may_lead_alone", mutants.everything, LEADS_IN_VAIN),
        WITNESS,
    ),
    Mutant(
        "a side is promoted without a grant",
        *(steps.Steps, "_may_take_over", mutants.everything, LEADS_IN_VAIN),
        WITNESS,
    ),
    Mutant(
        "the witness grants the lead to a side that is not in step",
        *(witness, "lead", mutants.grants_anybody, LEADS_IN_VAIN),
        WITNESS,
    ),
    Mutant(
        "the witness lets a side lead alone that is not the holder",
        *(witness, "solo", mutants.grants_anybody, LEADS_IN_VAIN),
        WITNESS,
    ),
    Mutant(
        "the witness counts the peer as in step while the holder leads alone",
        *(steps.Steps, "_may_lead_alone", mutants.is_the_holder, LEADS_IN_VAIN),
        WITNESS,
    ),
)

BY_THE_CALM_SCHEDULE = (
    Mutant(
        "the primary counts as alone until the superblock says otherwise",
        *(Source, "_fence_progressed", mutants.stays_alone_until_in_sync, "round again"),
    ),
    Mutant(
        "a secondary takes over at a handshake",
        *(decide, "roles_after", mutants.secondary_takes_over, "round again"),
    ),
)


def row(sentence: str) -> tuple[Row]:
    """Return the row of `decide` with these words."""
    (found,) = [row for row in ROWS if sentence in row.sentence]
    return (found,)


BY_A_TEST = (
    Mutant(
        "a primary parts on a live link",
        *(Source, "_told_to_part", mutants.parts_on_a_live_link),
        "test_source_links:test_nobody_parts_on_a_live_link",
        arguments=(Phase.LIVE,),
    ),
    Mutant(
        "the primary counts as alone until the superblock says otherwise",
        *(Source, "_fence_progressed", mutants.stays_alone_until_in_sync),
        "test_source:test_a_link_lost_between_fenced_and_in_sync_allows_no_ack_alone",
    ),
    Mutant(
        "an inconsistent side is promoted",
        *(reigns, "promote", mutants.promotes_anything),
        "test_reigns:test_only_consistent_data_is_promoted",
        arguments=(ReplicaData.INCONSISTENT,),
    ),
    Mutant(
        "a side's own epoch is a promise",
        *(reigns, "begin_era", mutants.own_epoch_is_a_promise),
        "test_reigns:test_a_sides_own_epoch_is_no_promise",
    ),
    Mutant(
        "a person's promotion is undone in silence",
        *(decide, "_reigns", mutants.nothing),
        "test_decide:test_the_verdict_of_this_side",
        arguments=row("a person made the other side lead"),
    ),
    Mutant(
        "the common point is not cut at the shorter log",
        *(decide, "_end_lsn", mutants.ends_where_the_era_ends),
        "test_decide:test_the_verdict_of_this_side",
        arguments=row("begins beyond the end of the log"),
    ),
    Mutant(
        "a frame is taken behind a gap",
        *(destination.Destination, "_judge", mutants.takes_any_frame),
        "test_destination:test_a_frame_that_does_not_follow_is_refused",
        arguments=(12, 12),
    ),
    Mutant(
        "a frame is confirmed before it is durable",
        *(destination.Destination, "handle", mutants.confirms_at_once),
        "test_destination:test_a_frame_is_confirmed_when_it_is_durable_and_not_before",
    ),
    Mutant(
        "log space is reused before a superblock gives it up",
        *(ring.Ring, "free_bytes", property(mutants.frees_what_is_forgotten)),
        "test_ring:test_what_is_forgotten_is_free_only_when_a_superblock_says_so",
    ),
    Mutant(
        "a frame that says what was durable before it proves nothing",
        *(scan.LogScan, "_proves_damage", mutants.nothing),
        "test_scan:test_a_frame_that_a_later_frame_calls_durable_is_missed",
        arguments=(0,),
    ),
)

#: Wrong, and harmless to every promise: after a handshake nobody holds a record of the old epoch
#: beyond the end of the log.  The new epoch is kept as a second lock, see decision 0014.
HARMLESS = (
    Mutant(
        "a crashed primary resumes in its old epoch",
        *(reigns, "resume_reign", mutants.resumes_in_the_old_epoch, ""),
    ),
)


def sentence_of(mutant: Mutant) -> str:
    """Return the name of a test case."""
    return mutant.sentence


@pytest.mark.parametrize("mutant", BY_THE_SEARCH, ids=sentence_of)
def test_the_search_catches(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words are those of the promise that breaks first."""
    mutant.plant(monkeypatch)
    found = Search(mutant.scope).run()
    assert mutant.caught_by in found.broken, str(found)


@pytest.mark.parametrize("mutant", BY_THE_CALM_SCHEDULE, ids=sentence_of)
def test_the_calm_schedule_catches(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """No promise breaks; the group never comes back in step."""
    mutant.plant(monkeypatch)
    search = Search(mutant.scope)
    assert not search.run().broken
    assert mutant.caught_by in calm.restless(search.group, search.states)[-1]


@pytest.mark.parametrize("mutant", BY_A_TEST, ids=sentence_of)
def test_a_sentence_catches(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search does not meet these: they need what the model takes for granted."""
    module, name = mutant.caught_by.split(":")
    test = getattr(importlib.import_module(f"tests.unit.replication.{module}"), name)
    test(*mutant.arguments)
    mutant.plant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(*mutant.arguments)


@pytest.mark.parametrize("scope", [TINY, COPIES, WITNESS], ids=str)
@pytest.mark.parametrize("mutant", HARMLESS, ids=sentence_of)
def test_harmless_all_the_same(
    mutant: Mutant, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known, so that nobody takes these rules for what protects the writes."""
    mutant.plant(monkeypatch)
    assert not Search(scope).run().broken


def test_no_mutant_is_listed_twice() -> None:
    """One wrong rule may have two catchers, never the same one twice."""
    listed = [*BY_THE_SEARCH, *BY_THE_CALM_SCHEDULE, *BY_A_TEST, *HARMLESS]
    assert len({(mutant.sentence, mutant.caught_by) for mutant in listed}) == len(listed)
    assert len({mutant.sentence for mutant in listed}) >= 35
