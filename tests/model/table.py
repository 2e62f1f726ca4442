"""The decision table of two sides that meet: twenty-four cells, and the verdict of each.

Always true:

(1) `cell_of` looks at two standings without asking the shipped `decide`; every two standings are
    in exactly one cell.
(2) `VERDICTS` says what each cell means to the side called *mine*.
"""

from __future__ import annotations

from enum import Enum

from srshell.model.replica import Era, ReplicaData, ReplicaRole, Standing
from srshell.replication.decide import Relation


class Stance(Enum):
    """What a side has after the common point."""

    SAME = "the epoch that both know"
    BEGAN = "an epoch of its own, in which it acknowledged nothing"
    REIGNS = "the same, and a person made it lead without the other"
    WROTE = "writes that it acknowledged alone"


class Cell(Enum):
    """The cells, by what mine and theirs are."""

    NOTHING_TO_FOLLOW = "a side failed, or neither has data that a blank one could take"
    MINE_BLANK = "mine is blank"
    THEIRS_BLANK = "theirs is blank"
    UNRELATED = "no epoch in common"
    MINE_GIVEN_UP = "mine was given up by a person"
    THEIRS_GIVEN_UP = "theirs was given up by a person"
    LEADER_INCONSISTENT = "whoever should lead has half a copy"
    WROTE_WROTE = "both acknowledged alone"
    WROTE_REIGNS = "mine acknowledged alone, theirs was made to lead"
    REIGNS_WROTE = "mine was made to lead, theirs acknowledged alone"
    WROTE_BEGAN = "mine acknowledged alone, theirs began an epoch"
    BEGAN_WROTE = "mine began an epoch, theirs acknowledged alone"
    WROTE_SAME = "mine acknowledged alone"
    SAME_WROTE = "theirs acknowledged alone"
    BEGAN_BEGAN = "both began epochs"
    BEGAN_SAME = "mine began an epoch"
    SAME_BEGAN = "theirs began an epoch"
    BOTH_TORN = "one epoch, both have half a copy"
    MINE_TORN = "one epoch, mine has half a copy"
    THEIRS_TORN = "one epoch, theirs has half a copy"
    MINE_LONGER = "one epoch, mine is longer"
    THEIRS_LONGER = "one epoch, theirs is longer"
    EQUAL = "one epoch, one end"
    CORRUPT = "one epoch, one end, different records"


#: What mine is to theirs; of two that both began epochs the higher one leads.
VERDICTS: dict[Cell, Relation | None] = {
    Cell.NOTHING_TO_FOLLOW: Relation.STUCK,
    Cell.MINE_BLANK: Relation.TARGET,
    Cell.THEIRS_BLANK: Relation.SOURCE,
    Cell.UNRELATED: Relation.UNRELATED,
    Cell.MINE_GIVEN_UP: Relation.TARGET,
    Cell.THEIRS_GIVEN_UP: Relation.SOURCE,
    Cell.LEADER_INCONSISTENT: Relation.STUCK,
    Cell.WROTE_WROTE: Relation.SPLIT,
    Cell.WROTE_REIGNS: Relation.SPLIT,
    Cell.REIGNS_WROTE: Relation.SPLIT,
    Cell.WROTE_BEGAN: Relation.SOURCE,
    Cell.BEGAN_WROTE: Relation.TARGET,
    Cell.WROTE_SAME: Relation.SOURCE,
    Cell.SAME_WROTE: Relation.TARGET,
    Cell.BEGAN_BEGAN: None,
    Cell.BEGAN_SAME: Relation.SOURCE,
    Cell.SAME_BEGAN: Relation.TARGET,
    Cell.BOTH_TORN: Relation.STUCK,
    Cell.MINE_TORN: Relation.TARGET,
    Cell.THEIRS_TORN: Relation.SOURCE,
    Cell.MINE_LONGER: Relation.SOURCE,
    Cell.THEIRS_LONGER: Relation.TARGET,
    Cell.EQUAL: Relation.EQUAL,
    Cell.CORRUPT: Relation.CORRUPT,
}

#: The cell that the other side sees.
MIRRORED: dict[Cell, Cell] = {
    **{cell: cell for cell in Cell},
    Cell.MINE_BLANK: Cell.THEIRS_BLANK,
    Cell.THEIRS_BLANK: Cell.MINE_BLANK,
    Cell.MINE_GIVEN_UP: Cell.THEIRS_GIVEN_UP,
    Cell.THEIRS_GIVEN_UP: Cell.MINE_GIVEN_UP,
    Cell.WROTE_REIGNS: Cell.REIGNS_WROTE,
    Cell.REIGNS_WROTE: Cell.WROTE_REIGNS,
    Cell.WROTE_BEGAN: Cell.BEGAN_WROTE,
    Cell.BEGAN_WROTE: Cell.WROTE_BEGAN,
    Cell.WROTE_SAME: Cell.SAME_WROTE,
    Cell.SAME_WROTE: Cell.WROTE_SAME,
    Cell.BEGAN_SAME: Cell.SAME_BEGAN,
    Cell.SAME_BEGAN: Cell.BEGAN_SAME,
    Cell.MINE_TORN: Cell.THEIRS_TORN,
    Cell.THEIRS_TORN: Cell.MINE_TORN,
    Cell.MINE_LONGER: Cell.THEIRS_LONGER,
    Cell.THEIRS_LONGER: Cell.MINE_LONGER,
}

_PAIRS = {
    (Stance.WROTE, Stance.WROTE): Cell.WROTE_WROTE,
    (Stance.WROTE, Stance.REIGNS): Cell.WROTE_REIGNS,
    (Stance.REIGNS, Stance.WROTE): Cell.REIGNS_WROTE,
    (Stance.WROTE, Stance.BEGAN): Cell.WROTE_BEGAN,
    (Stance.BEGAN, Stance.WROTE): Cell.BEGAN_WROTE,
    (Stance.WROTE, Stance.SAME): Cell.WROTE_SAME,
    (Stance.SAME, Stance.WROTE): Cell.SAME_WROTE,
}


def verdict_of(mine: Standing, theirs: Standing) -> Relation:
    """Return what the table says."""
    cell = cell_of(mine, theirs)
    verdict = VERDICTS[cell]
    if verdict is not None:
        return verdict
    return Relation.SOURCE if _newest(mine) > _newest(theirs) else Relation.TARGET


def cell_of(mine: Standing, theirs: Standing) -> Cell:
    """Return the cell of two standings."""
    cell = _cell(mine, theirs)
    verdict = VERDICTS[cell]
    if cell is Cell.BEGAN_BEGAN:
        verdict = Relation.SOURCE if _newest(mine) > _newest(theirs) else Relation.TARGET
    leader = {Relation.SOURCE: mine, Relation.TARGET: theirs}.get(verdict) if verdict else None
    if leader is not None and leader.data is ReplicaData.INCONSISTENT:
        return Cell.LEADER_INCONSISTENT
    return cell


def _cell(mine: Standing, theirs: Standing) -> Cell:
    both = (mine.data, theirs.data)
    if ReplicaData.FAILED in both:
        return Cell.NOTHING_TO_FOLLOW
    if ReplicaData.BLANK in both:
        if ReplicaData.CONSISTENT not in both:
            return Cell.NOTHING_TO_FOLLOW
        return Cell.MINE_BLANK if mine.data is ReplicaData.BLANK else Cell.THEIRS_BLANK
    known = [era for era in mine.history if era in theirs.history]
    if not known:
        return Cell.UNRELATED
    if mine.yields != theirs.yields:
        return Cell.MINE_GIVEN_UP if mine.yields else Cell.THEIRS_GIVEN_UP
    common_lsn = min(_reach(mine, known[-1]), _reach(theirs, known[-1]))
    stances = _stance(mine, known[-1], common_lsn), _stance(theirs, known[-1], common_lsn)
    if stances in _PAIRS:
        return _PAIRS[stances]
    began = (stances[0] is not Stance.SAME, stances[1] is not Stance.SAME)
    if any(began):
        return {
            (True, True): Cell.BEGAN_BEGAN,
            (True, False): Cell.BEGAN_SAME,
            (False, True): Cell.SAME_BEGAN,
        }[began]
    return _within_one_epoch(mine, theirs)


def _within_one_epoch(mine: Standing, theirs: Standing) -> Cell:
    torn = (mine.data is ReplicaData.INCONSISTENT, theirs.data is ReplicaData.INCONSISTENT)
    if any(torn):
        return {
            (True, True): Cell.BOTH_TORN,
            (True, False): Cell.MINE_TORN,
            (False, True): Cell.THEIRS_TORN,
        }[torn]
    if mine.tail_lsn != theirs.tail_lsn:
        return Cell.MINE_LONGER if mine.tail_lsn > theirs.tail_lsn else Cell.THEIRS_LONGER
    known = bool(mine.tail_crc and theirs.tail_crc)
    return Cell.CORRUPT if known and mine.tail_crc != theirs.tail_crc else Cell.EQUAL


def _later(side: Standing, shared: Era) -> tuple[Era, ...]:
    return side.history[side.history.index(shared) + 1 :]


def _reach(side: Standing, shared: Era) -> int:
    later = _later(side, shared)
    return min([side.tail_lsn, *(era.start_lsn for era in later[:1])])


def _stance(side: Standing, shared: Era, common_lsn: int) -> Stance:
    if side.acked_alone_lsn > common_lsn:
        return Stance.WROTE
    if not _later(side, shared):
        return Stance.SAME
    leads = side.role is ReplicaRole.PRIMARY and side.alone
    return Stance.REIGNS if leads else Stance.BEGAN


def _newest(side: Standing) -> tuple[int, int, str, int]:
    era = side.history[-1]
    return era.epoch.number, era.epoch.nonce, era.epoch.creator, era.start_lsn
