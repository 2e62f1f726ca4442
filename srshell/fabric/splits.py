"""A split brain in words: what each side holds that the other lacks.

Always true: only what the sides said is told; a side that has not said it is left out.
"""

from __future__ import annotations

from srshell.fabric.pages.words import clock
from srshell.fabric.snapshot import View
from srshell.model.geometry import format_size
from srshell.model.replica import Divergence, ReplicaReport
from srshell.model.report import SplitSide


def split_sides(report: ReplicaReport | None) -> tuple[SplitSide, ...]:
    """Both deltas as one side knows them, its own first; empty if there is no split."""
    if report is None:
        return ()
    sides = ((report.array, report.split), (report.peer_array, report.peer_split))
    return tuple(_side(array, delta) for array, delta in sides if delta is not None)


def split_text(sides: tuple[SplitSide, ...]) -> str:
    """Both deltas in one line."""
    return "; ".join(map(side_text, sides))


def side_text(side: SplitSide) -> str:
    """What one side holds beyond the fork."""
    if side.to_lsn <= side.from_lsn:
        return f"{side.array} wrote nothing after LSN {side.from_lsn}"
    blocks = f"{side.blocks} block{'' if side.blocks == 1 else 's'} ({format_size(side.bytes)})"
    times = f", written {clock(side.first_write_unix)} to {clock(side.last_write_unix)}"
    lsns = f"LSN {side.from_lsn + 1} to {side.to_lsn}"
    return f"{side.array} wrote {blocks}, {lsns}{times if side.first_write_unix else ''}"


def seen_split(view: View, group: str) -> tuple[SplitSide, ...]:
    """Both deltas as the side of ``group`` or else its partner knows them."""
    partner = view.partner(group)
    known = [view.report(name) for name in (group, partner) if name is not None]
    found = [sides for report in known if (sides := split_sides(report))]
    return max(found, key=len, default=())


def _side(array: str, delta: Divergence) -> SplitSide:
    return SplitSide(
        array=array,
        blocks=delta.blocks,
        bytes=delta.bytes,
        from_lsn=delta.from_lsn,
        to_lsn=delta.to_lsn,
        first_write_unix=delta.first_unix,
        last_write_unix=delta.last_unix,
    )
