"""What to type against the worst that is wrong with a group.

Always true: the line is the mending line of the code behind the reason, with this group's names;
where that code explains more than this one situation, the line that is for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srshell.model.errors import SrError
from srshell.model.health import REASONS, HealthReason
from srshell.model.report import GroupStatus
from srshell.model.states import ReplicationState

#: A pool that is away, a later version, another process: what ends without a loss.
_OPENED_LATER: Final = frozenset({"SR1101", "SR9212", "SR9221"})
#: States of the other side in which it has all that there is, and goes on.
_LEADS: Final = frozenset(
    {ReplicationState.WAITING_FOR_DESTINATION, ReplicationState.FAILED_OVER,
     ReplicationState.SUSPENDED}
)  # fmt: skip
#: Reasons that only say that the other side is not there.
_APART: Final = frozenset({"refused", "peer-away", "peer-away-long"})
#: What to type against the other side then, by its state.
_ASKED_THERE: Final[dict[str | None, str]] = {
    ReplicationState.SUSPENDED: "resume",
    ReplicationState.ERROR: "why",
}


def code_of(reason: HealthReason) -> str:
    """The code that explains a reason for a health below Normal."""
    return REASONS[reason.code][1]


def mend_of(row: GroupStatus) -> str:
    """One command line against the worst reason of a side; empty when nothing is wrong with it."""
    if not row.health_reasons:
        return ""
    reason = row.health_reasons[0].code
    if reason == "site-down":
        return f"srshell restart {row.array}"
    if reason == "failed" and (line := _against_failure(row)):
        return line
    if reason in _APART and row.peer_state in _ASKED_THERE:
        return f"srshell {_ASKED_THERE[row.peer_state]} {row.peer}"
    if reason == "suspended":
        return f"srshell resume {row.name}"
    keep, lose = _kept(row)
    names = {"group": row.name, "array": keep, "source": row.name, "state": "Synchronizing"}
    if lose:
        names["other"] = lose
    return SrError.make(code_of(row.health_reasons[0]), "", "", None, **names).mend


def _against_failure(row: GroupStatus) -> str:
    """What to type when a disk, a log or a pool of this side has failed; empty if it depends.

    The other side takes over if it does not lead yet; then this side leaves, and is made anew.
    """
    if row.health_reasons[0].text.partition(" ")[0] in _OPENED_LATER:
        return f"srshell restart {row.array}"
    if row.peer and row.peer_state == ReplicationState.WAITING_FOR_SOURCE:
        return f"srshell failover {row.name} --unplanned --confirm {row.peer}"
    never_copied = row.peer_state == ReplicationState.READY and not row.is_primary
    if row.peer_state in _LEADS or never_copied:
        return f"srshell teardown {row.name} --confirm {row.name}"
    return ""


def mend_of_sides(rows: Sequence[GroupStatus]) -> str:
    """One command line against the worst that is wrong with a replication.

    A side that is down or failed comes first: the other one only sees that its peer is away.
    """
    reasons = {"site-down", "failed"}
    down = [row for row in rows if row.health_reasons and row.health_reasons[0].code in reasons]
    return next((mend for row in (*down, *rows) if (mend := mend_of(row))), "")


def _kept(row: GroupStatus) -> tuple[str, str]:
    """In a split brain: the array whose writes the line keeps, and the one that gives its up.

    The side whose row this is, unless it alone has nothing to lose.
    """
    own = next((side for side in row.split if side.array == row.array), None)
    other = next((side for side in row.split if side.array != row.array), None)
    if other is None:
        return row.array, ""
    if own is not None and not own.blocks and other.blocks:
        return other.array, row.array
    return row.array, other.array
