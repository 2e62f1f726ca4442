"""What to type against the worst that is wrong with a group.

Always true: the line is the mending line of the code behind the reason, with this group's names;
where that code explains more than this one situation, the line that is for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from srshell.model.errors import SrError
from srshell.model.health import REASONS, HealthReason
from srshell.model.report import GroupStatus


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
    if reason == "suspended":
        return f"srshell resume {row.name}"
    keep, lose = _kept(row)
    names = {"group": row.name, "array": keep, "source": row.name, "state": "Synchronizing"}
    if lose:
        names["other"] = lose
    return SrError.make(code_of(row.health_reasons[0]), "", "", None, **names).mend


def mend_of_sides(rows: Sequence[GroupStatus]) -> str:
    """One command line against the worst that is wrong with a replication.

    A site that does not answer comes first: the other side only sees that its peer is away.
    """
    down = [row for row in rows if row.health_reasons and row.health_reasons[0].code == "site-down"]
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
