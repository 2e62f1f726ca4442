"""What to type against the worst that is wrong with a group.

Always true: the line is the mending line of the code behind the reason, with this group's names.
"""

from __future__ import annotations

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
    code = code_of(row.health_reasons[0])
    if code == "SR9301":
        return f"srshell restart {row.array}"
    names = {"group": row.name, "array": row.array, "source": row.name, "state": "Synchronizing"}
    # In a split brain: the side whose row this is would be kept.
    for side in row.split:
        if side.array != row.array:
            names["other"] = side.array
    return SrError.make(code, "", "", None, **names).mend
