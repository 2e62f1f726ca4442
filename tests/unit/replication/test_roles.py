"""Who leads after two sides met: all relations, all pairs of roles, counted."""

from itertools import product

import pytest

from srshell.model.replica import ReplicaRole
from srshell.replication.decide import Amount, Decision, Relation, roles_after
from tests.unit.replication.standings import A, B, era, standing

LEAD, FOLLOW = ReplicaRole.PRIMARY, ReplicaRole.SECONDARY

#: (relation, my role, the other's role): the roles afterwards.
WITHIN_ONE_EPOCH = {
    (Relation.SOURCE, LEAD, LEAD): (LEAD, FOLLOW),
    (Relation.SOURCE, LEAD, FOLLOW): (LEAD, FOLLOW),
    (Relation.SOURCE, FOLLOW, LEAD): (FOLLOW, LEAD),  # the primary pulls the longer tail first
    (Relation.SOURCE, FOLLOW, FOLLOW): (FOLLOW, FOLLOW),
    (Relation.TARGET, LEAD, LEAD): (FOLLOW, LEAD),
    (Relation.TARGET, FOLLOW, LEAD): (FOLLOW, LEAD),
    (Relation.TARGET, LEAD, FOLLOW): (LEAD, FOLLOW),
    (Relation.TARGET, FOLLOW, FOLLOW): (FOLLOW, FOLLOW),
    (Relation.EQUAL, LEAD, FOLLOW): (LEAD, FOLLOW),
    (Relation.EQUAL, FOLLOW, LEAD): (FOLLOW, LEAD),
    (Relation.EQUAL, FOLLOW, FOLLOW): (FOLLOW, FOLLOW),
}
#: A primary that takes more than a tail of its own epoch from a secondary would undo its reign.
PULLS = {(Relation.SOURCE, FOLLOW, LEAD), (Relation.TARGET, LEAD, FOLLOW)}
EVERY_CASE = list(product(Relation, ReplicaRole, ReplicaRole))


@pytest.mark.parametrize(("relation", "mine", "theirs"), EVERY_CASE)
def test_roles_within_one_epoch(relation: Relation, mine: ReplicaRole, theirs: ReplicaRole) -> None:
    """A case that is not in the table has no rule, and a person must look."""
    decision = Decision(relation, Amount.LOG, 5)
    roles = roles_after(standing(A, role=mine), standing(B, role=theirs), decision)
    assert roles == WITHIN_ONE_EPOCH.get((relation, mine, theirs))


@pytest.mark.parametrize(("relation", "mine", "theirs"), EVERY_CASE)
def test_roles_across_epochs(relation: Relation, mine: ReplicaRole, theirs: ReplicaRole) -> None:
    """A primary is never the target of a secondary that has another epoch."""
    decision = Decision(relation, Amount.LOG, 5)
    newer = standing(A, 5, era(2, 5), role=mine)
    roles = roles_after(newer, standing(B, role=theirs), decision)
    case = (relation, mine, theirs)
    assert roles == (None if case in PULLS else WITHIN_ONE_EPOCH.get(case))


@pytest.mark.parametrize("amount", [amount for amount in Amount if amount is not Amount.LOG])
def test_a_primary_pulls_records_and_nothing_else(amount: Amount) -> None:
    """A copy from a secondary to a primary does not exist."""
    decision = Decision(Relation.TARGET, amount, 5)
    assert roles_after(standing(A, role=LEAD), standing(B), decision) is None
