"""What two sides would decide if they met now, and whether that would be right.

Always true:

(1) The verdict comes from the shipped `decide` and `roles_after`, asked from both sides.
(2) It is judged by the logs, write by write, which neither side can do.
"""

from __future__ import annotations

from typing import NamedTuple

from srshell.model.replica import ReplicaData, ReplicaRole, Standing
from srshell.replication import decide as rules
from srshell.replication.decide import Amount, Decision, Relation
from tests.model import local
from tests.model.local import Sides

Pair = tuple[int, int]


class Contact(NamedTuple):
    """The verdict of two sides."""

    relation: Relation  # of side A
    amount: Amount
    common_lsn: int
    primary: int  # who leads afterwards; -1: nobody
    pulls: bool  # who leads takes the other's longer tail first
    fault: str  # why the verdict is wrong whatever was acknowledged; empty when it is not


class Face(NamedTuple):
    """All of a side that matters when it meets the other."""

    standing: Standing
    log: tuple[int, ...]
    applied: int


class Contacts:
    """Remembers what any two sides would decide."""

    def __init__(self, sides: Sides) -> None:
        """Begin with nothing remembered."""
        self._sides = sides
        self._faces: list[int] = []  # by the number of a side
        self._face_numbers: dict[Face, int] = {}
        self._found: dict[Pair, Contact] = {}

    def of(self, pair: Pair) -> Contact:
        """Return the verdict of two sides."""
        key = (self._face(pair[0]), self._face(pair[1]))
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = meet(self._shown(pair[0]), self._shown(pair[1]))
        return found

    def _face(self, number: int) -> int:
        while len(self._faces) <= number:
            face = self._shown(len(self._faces))
            self._faces.append(self._face_numbers.setdefault(face, len(self._face_numbers)))
        return self._faces[number]

    def _shown(self, number: int) -> Face:
        side, standing = self._sides.values[number], local.standing(self._sides, number)
        return Face(standing, side.log[: standing.tail_lsn], side.applied)


def meet(mine: Face, theirs: Face) -> Contact:
    """Let two sides decide, and judge the verdict."""
    decision = rules.decide(mine.standing, theirs.standing)
    reverse = rules.decide(theirs.standing, mine.standing)
    roles = rules.roles_after(mine.standing, theirs.standing, decision)
    back = rules.roles_after(theirs.standing, mine.standing, reverse)
    if decision != reverse.mirrored():
        fault = f"the sides disagree: {decision} and {reverse}"
    elif roles != (back and (back[1], back[0])):
        fault = f"the sides disagree about roles: {roles} and {back}"
    elif roles is None and decision.relation is not Relation.SPLIT:
        fault = f"nobody may lead after {decision}"
    else:
        fault = _wrong_logs(mine, theirs, decision)
    primary = -1
    if roles is not None and ReplicaRole.PRIMARY in roles:
        primary = roles.index(ReplicaRole.PRIMARY)
    led_by = {Relation.SOURCE: 0, Relation.TARGET: 1}.get(decision.relation, primary)
    pulls = primary != led_by
    return Contact(decision.relation, decision.amount, decision.common_lsn, primary, pulls, fault)


def _wrong_logs(mine: Face, theirs: Face, decision: Decision) -> str:
    """Say what is wrong with a verdict when the logs are compared write by write."""
    common = decision.common_lsn
    if mine.log[:common] != theirs.log[:common]:
        return f"the logs differ before the common point {common}"
    if decision.relation is Relation.EQUAL and mine.log != theirs.log:
        return "equal sides have different logs"
    source, target = mine, theirs
    if decision.relation is Relation.TARGET:
        source, target = theirs, mine
    if decision.amount is Amount.LOG and target.standing.data is ReplicaData.CONSISTENT:
        if target.applied > common:
            return f"the target applied LSN {target.applied}, beyond the common point {common}"
        if source.standing.log_first_lsn > common + 1:
            return "the source's log does not reach back to the common point"
    return ""
