"""Who has what when two replicas meet: one pure function, asked by both sides.

Always true (searched exhaustively in tests/model):

(1) decide(a, b) and decide(b, a) mirror each other, so both sides act on the same verdict.
(2) A side whose writes were acknowledged alone is never the target of a side that lacks them.
(3) What a target drops was never acknowledged: it lies after the common point and was not acked
    alone.
(4) Two sides that both wrote alone after the common point are split: nothing is merged or dropped.

The common point is the last LSN of which both hold the same record: the end of the newest epoch
that is in both histories, cut at the shorter of the two logs.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from srshell.model.replica import Era, ReplicaData, ReplicaRole, Standing

UNKNOWN_LSN = -1


class Relation(StrEnum):
    """What this side is to the other."""

    SOURCE = "source"  # the other side takes what it lacks from here
    TARGET = "target"  # this side takes what it lacks from there
    EQUAL = "equal"  # same history, same end
    SPLIT = "split"  # both hold acknowledged writes that the other lacks
    UNRELATED = "unrelated"  # no epoch in common
    STUCK = "stuck"  # neither side holds usable data, or no side may lead
    CORRUPT = "corrupt"  # the same LSN names two different records


class Amount(StrEnum):
    """How the target is brought in step, cheapest first."""

    NOTHING = "nothing"
    LOG = "log"  # replay the records after the common point
    RESUME = "resume"  # go on with the copy that was under way: records, then the marked blocks
    BITMAP = "bitmap"  # copy the marked blocks
    CHECKSUM = "checksum"  # compare every block, copy the different ones
    FULL = "full"  # copy every block


@attrs.frozen
class Decision:
    """The verdict of one side; `mirrored` is the verdict that the other side must reach."""

    relation: Relation
    amount: Amount
    common_lsn: int
    reason: str = attrs.field(default="", eq=False)

    def mirrored(self) -> Decision:
        """Return the same verdict seen from the other side."""
        swap = {Relation.SOURCE: Relation.TARGET, Relation.TARGET: Relation.SOURCE}
        return attrs.evolve(self, relation=swap.get(self.relation, self.relation))


def decide(mine: Standing, theirs: Standing) -> Decision:
    """Compare two standings and say what this side is to the other (reliability rules R7, R8)."""
    blank = _with_a_blank_side(mine, theirs)
    if blank is not None:
        return blank
    shared = _newest_shared(mine.history, theirs.history)
    if shared is None:
        return Decision(Relation.UNRELATED, Amount.NOTHING, 0, "the histories share no epoch")
    my_next, their_next = _after(mine.history, shared), _after(theirs.history, shared)
    common_lsn = min(_end_lsn(mine, my_next), _end_lsn(theirs, their_next))
    leader = _leader(mine, theirs, my_next, their_next, common_lsn)
    if leader in _REASONS:
        return Decision(leader, Amount.NOTHING, common_lsn, _REASONS[leader])
    source, target = (mine, theirs) if leader is Relation.SOURCE else (theirs, mine)
    if source.data is ReplicaData.INCONSISTENT:
        return Decision(Relation.STUCK, Amount.NOTHING, common_lsn, _REASONS[Relation.STUCK])
    return Decision(leader, _amount(source, target, common_lsn), common_lsn)


_REASONS = {
    Relation.SPLIT: "both sides hold acknowledged writes that the other lacks",
    Relation.STUCK: "neither side holds data that the other could follow",
    Relation.CORRUPT: "both sides hold different records under the same LSN",
    Relation.EQUAL: "",
}


def _with_a_blank_side(mine: Standing, theirs: Standing) -> Decision | None:
    blank = (mine.data is ReplicaData.BLANK, theirs.data is ReplicaData.BLANK)
    failed = ReplicaData.FAILED in (mine.data, theirs.data)
    if failed or blank == (True, True):
        return Decision(Relation.STUCK, Amount.NOTHING, 0, _REASONS[Relation.STUCK])
    if blank == (False, False):
        return None
    holder = theirs if blank[0] else mine
    if holder.data is not ReplicaData.CONSISTENT:
        return Decision(Relation.STUCK, Amount.NOTHING, 0, _REASONS[Relation.STUCK])
    return Decision(Relation.TARGET if blank[0] else Relation.SOURCE, Amount.FULL, 0)


def _newest_shared(mine: tuple[Era, ...], theirs: tuple[Era, ...]) -> Era | None:
    """Return the newest era whose epoch and start are in both histories, or None."""
    known = set(theirs)
    return next((era for era in reversed(mine) if era in known), None)


def _after(history: tuple[Era, ...], shared: Era) -> tuple[Era, ...]:
    return history[history.index(shared) + 1 :]


def _end_lsn(side: Standing, later: tuple[Era, ...]) -> int:
    """Return the last LSN that the side holds of the shared epoch."""
    return min(later[0].start_lsn, side.tail_lsn) if later else side.tail_lsn


def _wrote_alone(side: Standing, common_lsn: int) -> bool:
    """Tell whether the side acknowledged alone after the common point, in whatever epoch."""
    return side.acked_alone_lsn > common_lsn


def _leader(
    mine: Standing,
    theirs: Standing,
    my_next: tuple[Era, ...],
    their_next: tuple[Era, ...],
    common_lsn: int,
) -> Relation:
    """Say whose data counts; roles are settled afterwards by `roles_after`."""
    if mine.yields != theirs.yields:
        # A person named the side to keep; neither epochs nor lengths speak against that.
        return Relation.TARGET if mine.yields else Relation.SOURCE
    i_wrote, they_wrote = _wrote_alone(mine, common_lsn), _wrote_alone(theirs, common_lsn)
    if i_wrote and they_wrote:
        return Relation.SPLIT
    if i_wrote:
        # A person promoted the other side knowing that writes may be missing there: never undo that
        # silently.
        return Relation.SPLIT if _reigns(theirs, their_next) else Relation.SOURCE
    if they_wrote:
        return Relation.SPLIT if _reigns(mine, my_next) else Relation.TARGET
    if my_next and their_next:
        return _by_order(_rank(my_next), _rank(their_next))
    if my_next or their_next:
        return Relation.SOURCE if my_next else Relation.TARGET
    return _within_one_epoch(mine, theirs)


def _reigns(side: Standing, later: tuple[Era, ...]) -> bool:
    """Tell whether the side was made to lead without the other; not alone, it had no right to."""
    return bool(later) and side.role is ReplicaRole.PRIMARY and side.alone


def _rank(later: tuple[Era, ...]) -> tuple[int, int, str, int]:
    epoch = later[-1].epoch
    return epoch.number, epoch.nonce, epoch.creator, later[-1].start_lsn


def _by_order(mine: tuple[int, int, str, int], theirs: tuple[int, int, str, int]) -> Relation:
    return Relation.SOURCE if mine > theirs else Relation.TARGET


def _within_one_epoch(mine: Standing, theirs: Standing) -> Relation:
    """Compare two sides whose newest epoch is the same."""
    torn = (mine.data is ReplicaData.INCONSISTENT, theirs.data is ReplicaData.INCONSISTENT)
    if torn == (True, True):
        return Relation.STUCK
    if torn != (False, False):
        return Relation.TARGET if torn[0] else Relation.SOURCE
    if mine.tail_lsn != theirs.tail_lsn:
        # The longer log leads even when it is the secondary's: its tail was never acknowledged, but
        # keeping it is as right as dropping it, and it saves writes that a lying disk lost.
        return Relation.SOURCE if mine.tail_lsn > theirs.tail_lsn else Relation.TARGET
    if mine.tail_crc and theirs.tail_crc and mine.tail_crc != theirs.tail_crc:
        return Relation.CORRUPT
    return Relation.EQUAL


def _amount(source: Standing, target: Standing, common_lsn: int) -> Amount:
    """Choose the cheapest way that misses nothing (log, resumed copy, bitmap, checksum)."""
    marked = _marked(source, common_lsn)
    if target.yields and target.acked_alone_lsn > common_lsn:
        whole = target.data is ReplicaData.CONSISTENT and _marked(target, common_lsn)
        return Amount.BITMAP if whole and marked else Amount.CHECKSUM
    if target.data is ReplicaData.INCONSISTENT:
        if not target.copy_id or target.copy_id != source.copy_id:
            return Amount.CHECKSUM
        covered = source.log_first_lsn <= common_lsn + 1
        return Amount.RESUME if covered else Amount.BITMAP
    if source.log_first_lsn <= common_lsn + 1:
        return Amount.LOG
    return Amount.BITMAP if marked else Amount.CHECKSUM


def _marked(side: Standing, common_lsn: int) -> bool:
    """Tell whether every block that the side wrote after the common point is marked or logged."""
    return UNKNOWN_LSN != side.marked_from_lsn <= common_lsn


def roles_after(
    mine: Standing, theirs: Standing, decision: Decision
) -> tuple[ReplicaRole, ReplicaRole] | None:
    """Return the roles of this side and the other after the handshake; None: no rule gives any.

    A primary stays primary unless the other side is primary too and leads.  A primary that is the
    target of a secondary in the same epoch first pulls the secondary's longer tail
    (roll-forward); it is never the target of a secondary in any other way.
    """
    primary = (mine.role is ReplicaRole.PRIMARY, theirs.role is ReplicaRole.PRIMARY)
    forward = decision.amount is Amount.LOG and mine.history[-1:] == theirs.history[-1:]
    lead = (ReplicaRole.PRIMARY, ReplicaRole.SECONDARY)
    follow = (ReplicaRole.SECONDARY, ReplicaRole.PRIMARY)
    match decision.relation, primary:
        case (Relation.SOURCE, (True, _)):
            return lead
        case (Relation.TARGET, (_, True)):
            return follow
        case (Relation.EQUAL, (True, False)):
            return lead
        case (Relation.EQUAL, (False, True)):
            return follow
        case (Relation.SOURCE | Relation.TARGET | Relation.EQUAL, (False, False)):
            return ReplicaRole.SECONDARY, ReplicaRole.SECONDARY
        case (Relation.TARGET, (True, False)) if forward:
            return lead
        case (Relation.SOURCE, (False, True)) if forward:
            return follow
    return None
