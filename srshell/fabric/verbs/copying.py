"""The copies of a fabric: who copies, and the rate that all of them share.

Always true: the rate is in the catalogue before any site hears of it.
"""

from __future__ import annotations

from srshell.fabric.change import Change, check_rows, steps
from srshell.fabric.checks_copies import UNLIMITED, check_copy_rate, read_rate
from srshell.fabric.context import Context
from srshell.fabric.copying import copy_shares, hand_down, is_copying, untold
from srshell.fabric.jobs import JobHandle
from srshell.fabric.snapshot import View
from srshell.fabric.status import copy_progress
from srshell.fabric.verbs.options import rate_text
from srshell.model.geometry import format_exact
from srshell.model.inventory import Partnership
from srshell.model.report import CopiesReport, CopyRow


async def copies(context: Context) -> CopiesReport:
    """All protected groups, and what they copy."""
    return copies_report(context, await context.fresh_view())


async def set_copy_rate(context: Context, *, rate: int | str) -> Change:
    """Let all copies out of a site share a rate."""
    view = await context.asked_view()
    verdict = check_copy_rate(view, rate).enforce()
    bytes_per_second = read_rate(rate)

    async def carry_out(handle: JobHandle) -> CopiesReport:
        with handle.step("rate"):
            context.catalogue.set_copy_rate(bytes_per_second)
            context.changed()
        with handle.step("sites"):
            await hand_down(context)
        return copies_report(context, context.view())

    typed = format_exact(bytes_per_second) if bytes_per_second else UNLIMITED
    return Change(
        f"copies set {typed}",
        "copies",
        steps(
            ("rate", f"copies out of a site together take {rate_text(bytes_per_second)}"),
            ("sites", "tell it to the sites; one that does not answer hears it later"),
        ),
        carry_out,
        checks=check_rows(verdict),
        already=copies_report(context, view) if verdict.already else None,
    )


def copies_report(context: Context, view: View) -> CopiesReport:
    """The protected groups, from what is known at this moment."""
    snapshot = view.snapshot
    shares: dict[str, float] = {}
    for array in snapshot.arrays:
        shares |= copy_shares(view, array.name)
    rows = (
        _row(view, partnership, shares)
        for partnership in snapshot.partnerships
        if not partnership.torn_down
    )
    return CopiesReport(
        tuple(sorted(rows, key=lambda row: row.name)),
        snapshot.copy_bytes_per_second or None,
        untold(context),
    )


def _row(view: View, partnership: Partnership, shares: dict[str, float]) -> CopyRow:
    """One protected group; what does not copy has no share."""
    primary = view.primary_of(partnership.source) or partnership.source
    report = view.report(primary)
    copying = is_copying(report) and report is not None
    return CopyRow(
        name=primary,
        peer=partnership.other(primary),
        array=view.snapshot.group(primary).array,
        priority=partnership.copy_priority,
        bytes_per_second_max=partnership.copy_bytes_per_second or None,
        share_bytes_per_second=(shares.get(partnership.partnership) or None) if copying else None,
        progress=copy_progress(report.progress) if copying and report is not None else None,
    )
