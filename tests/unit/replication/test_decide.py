"""Who has what: the table of rules, counted, and what holds for any two standings."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.model.replica import Era, ReplicaData, ReplicaRole, Standing
from srshell.replication import decide as rules
from srshell.replication.decide import Amount, Decision, Relation
from tests.unit.replication.contact_rows import ROWS, Row
from tests.unit.replication.standings import A, B, era, standing

MOVES = {Relation.SOURCE, Relation.TARGET}
IMPOSSIBLE = {
    (relation, amount)
    for relation, amount in product(Relation, Amount)
    if (relation in MOVES) is (amount is Amount.NOTHING)
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_verdict_of_this_side(row: Row) -> None:
    """Each row is a rule."""
    expected = Decision(row.relation, row.amount, row.common_lsn)
    assert rules.decide(row.mine, row.theirs) == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_verdict_of_the_other_side(row: Row) -> None:
    """The other side reaches the same verdict by itself, seen from there."""
    expected = Decision(row.relation, row.amount, row.common_lsn).mirrored()
    assert rules.decide(row.theirs, row.mine) == expected


def test_every_relation_and_amount_is_reached_or_cannot_be() -> None:
    """A target is always brought in step by something; without a target nothing moves."""
    verdicts = {(row.relation, row.amount) for row in ROWS}
    mirrored = {
        (decision.relation, decision.amount)
        for row in ROWS
        for decision in [Decision(row.relation, row.amount, 0).mirrored()]
    }
    assert (verdicts | mirrored) == set(product(Relation, Amount)) - IMPOSSIBLE
    assert len(verdicts | mirrored) == 15


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_a_verdict_that_needs_a_person_says_why(row: Row) -> None:
    """Status and events print the reason as it stands."""
    silent = {*MOVES, Relation.EQUAL}
    assert bool(rules.decide(row.mine, row.theirs).reason) is (row.relation not in silent)


# Any two standings.

ERAS = st.builds(
    era, st.integers(2, 4), st.integers(0, 5), st.sampled_from([A, B]), st.integers(0, 1)
)


def standings(replica: str) -> st.SearchStrategy[Standing]:
    """Any standing of one site, also one that no rule leads to."""
    branches = st.lists(ERAS, max_size=3)
    lsn = st.integers(0, 6)

    def build(branch: list[Era], tail_lsn: int, **fields: object) -> Standing:
        return standing(replica, tail_lsn, *branch, **fields)

    return st.builds(
        build,
        branches,
        lsn,
        role=st.sampled_from(ReplicaRole),
        data=st.sampled_from(ReplicaData),
        tail_crc=st.integers(0, 2),
        log_first_lsn=lsn,
        acked_alone_lsn=lsn,
        marked_from_lsn=st.integers(-1, 6),
        alone=st.booleans(),
        yields=st.booleans(),
        copy_id=st.sampled_from(["", "c", "d"]),
    )


@given(standings(A), standings(B))
def test_the_two_verdicts_mirror_each_other(mine: Standing, theirs: Standing) -> None:
    """Even sides whose files were exchanged or restored never act on different verdicts."""
    assert rules.decide(theirs, mine) == rules.decide(mine, theirs).mirrored()


@given(standings(A), standings(B))
def test_the_two_sides_agree_about_roles(mine: Standing, theirs: Standing) -> None:
    """A link never joins two primaries, nor two sides that both believe that the other leads."""
    decision = rules.decide(mine, theirs)
    roles = rules.roles_after(mine, theirs, decision)
    back = rules.roles_after(theirs, mine, decision.mirrored())
    assert roles == (back and back[::-1])
    assert roles != (ReplicaRole.PRIMARY, ReplicaRole.PRIMARY)


@given(standings(A), standings(B))
@settings(max_examples=300)
def test_an_acknowledged_write_is_dropped_by_a_persons_word_only(
    mine: Standing, theirs: Standing
) -> None:
    """And then the blocks that it wrote are brought back, not only its records."""
    decision = rules.decide(mine, theirs)
    blank = ReplicaData.BLANK in (mine.data, theirs.data)
    wrote = mine.acked_alone_lsn > decision.common_lsn
    if decision.relation is Relation.TARGET and wrote and not blank:
        assert mine.yields
        assert not theirs.yields
        assert decision.amount in {Amount.BITMAP, Amount.CHECKSUM}


@given(standings(A), standings(B))
@settings(max_examples=300)
def test_nothing_is_taken_from_a_side_that_cannot_give_it(mine: Standing, theirs: Standing) -> None:
    """Neither from half a copy, nor from a log that begins after the common point."""
    decision = rules.decide(mine, theirs)
    if decision.relation is Relation.SOURCE:
        assert mine.data is ReplicaData.CONSISTENT
        if decision.amount in {Amount.LOG, Amount.RESUME}:
            assert mine.log_first_lsn <= decision.common_lsn + 1
