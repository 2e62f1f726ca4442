"""Branches: list, show, serve, keep, remove, and let go of those whose day is over.

Always true:

(1) The sites are asked each time; nothing about a branch is stored in the catalogue.
(2) A branch that is removed, by a person or for its age, is an event.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from srshell.fabric.change import Change, check_rows, steps
from srshell.fabric.checks_branches import check_keep_days, check_remove_branch
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.model.branch import DAY_SECONDS
from srshell.model.errors import SrError
from srshell.model.geometry import format_size
from srshell.model.identity import unknown
from srshell.model.report import (
    BranchesReport,
    BranchExport,
    BranchReport,
    BranchRow,
    BranchVolume,
)
from srshell.site.api import BranchList, SiteBranch

LOG = logging.getLogger(__name__)

#: How often the owner looks for branches whose day is over, in seconds.
_LOOK_SECONDS: Final = 3600.0
#: For how long the clock has to say so: one that was set wrong for a moment removes nothing.
GRACE_SECONDS: Final = 3600.0


async def branches(context: Context, *, group: str | None) -> BranchesReport:
    """The branches of all groups, or of one and its partner."""
    report = await _all(context)
    if group is None:
        return report
    context.snapshot.group(group)
    names = {group, context.view().partner(group)}
    rows = tuple(row for row in report.branches if row.group in names)
    return BranchesReport(rows, report.unreachable, report.damaged)


async def branch(context: Context, *, name: str) -> BranchReport:
    """One branch."""
    return BranchReport(await _find(context, name))


async def export_branch(context: Context, *, name: str, on: bool) -> Change:
    """Serve the volumes of a branch, or no longer."""
    row = await _find(context, name)

    async def carry_out(handle: JobHandle) -> BranchExport:
        site = context.site(row.array)
        with handle.step("serve"):
            if on:
                return BranchExport(name, row.array, await site.export_branch(name))
            await site.unexport_branch(name)
        return BranchExport(name, row.array, (), serving=False)

    what = "serve" if on else "no longer serve"
    return Change(
        f"branch export {name}{'' if on else ' --off'}",
        name,
        steps(("serve", f"{what} {_volumes(row)} read-only to NBD clients at {row.array}")),
        carry_out,
        exclusive=_lock(name),
    )


async def keep_branch(context: Context, *, name: str, keep_days: int) -> Change:
    """Keep a branch for so many days from now."""
    row = await _find(context, name)
    verdict = check_keep_days(context.view(), keep_days).enforce()
    expires_unix = context.clock.unix() + keep_days * DAY_SECONDS

    async def carry_out(handle: JobHandle) -> BranchReport:
        with handle.step("keep"):
            kept = await context.site(row.array).keep_branch(name, expires_unix)
        return BranchReport(row_of(kept))

    return Change(
        f"branch keep {name} --days {keep_days}",
        name,
        steps(("keep", f"keep {name} for {keep_days} days from now")),
        carry_out,
        exclusive=_lock(name),
        checks=check_rows(verdict),
    )


async def remove_branch(context: Context, *, name: str, confirm: str | None, ask: bool) -> Change:
    """Remove a branch."""
    row = await _find(context, name)
    verdict = check_remove_branch(context.view(), name, confirm, ask=ask).enforce()

    async def carry_out(handle: JobHandle) -> BranchReport:
        with handle.step("remove"):
            await context.site(row.array).remove_branch(name)
        context.journal.say("SR6302", row.group, _facts(row), branch=name)
        return BranchReport(row, removed=True)

    return Change(
        f"branch rm {name}",
        name,
        steps(("remove", f"remove {_volumes(row)} as {row.array} had them")),
        carry_out,
        exclusive=_lock(name),
        confirm=name,
        checks=check_rows(verdict),
        lost_bytes=row.diverged_bytes,
    )


async def let_expire(context: Context) -> None:
    """Remove branches whose day is over, until cancelled."""
    expired_since: dict[str, float] = {}
    while True:
        await remove_expired(context, expired_since)
        await asyncio.sleep(_LOOK_SECONDS)


async def remove_expired(
    context: Context, expired_since: dict[str, float], grace_seconds: float = GRACE_SECONDS
) -> None:
    """Remove the branches that have been over their day for a while.

    ``expired_since``: since when (monotonic seconds) each was seen to be, kept between two looks.
    """
    now = context.clock.monotonic()
    over = {
        row.name: row
        for row in (await _all(context)).branches
        if context.clock.unix() >= row.expires_unix
    }
    for name in set(expired_since) - set(over):
        del expired_since[name]
    for name, row in over.items():
        if now - expired_since.setdefault(name, now) < grace_seconds:
            continue
        try:
            await context.site(row.array).remove_branch(name, expired=True)
            if any(left.name == name for left in (await _all(context)).branches):
                continue  # by the site's clock its day is not over
        except SrError as error:
            LOG.info("branch %s stays: %s", name, error)
            continue
        context.journal.say("SR6303", row.group, _facts(row), branch=name)


async def _all(context: Context) -> BranchesReport:
    """What all sites that answer know."""
    arrays = context.array_names()
    found = await asyncio.gather(*(_ask(context, array) for array in arrays))
    rows = [row_of(each) for said in found if said is not None for each in said.branches]
    return BranchesReport(
        tuple(sorted(rows, key=lambda row: row.saved_unix)),
        tuple(array for array, said in zip(arrays, found, strict=True) if said is None),
        tuple(text for said in found if said is not None for text in said.damaged),
    )


async def _ask(context: Context, array: str) -> BranchList | None:
    try:
        return await context.site(array).branches()
    except SrError:
        return None


async def _find(context: Context, name: str) -> BranchRow:
    """One branch.

    Raises:
        SrError: SR0105, no site that answers has one of that name.
    """
    report = await _all(context)
    for row in report.branches:
        if row.name == name:
            return row
    error = unknown("branch", name, [row.name for row in report.branches], mend="srshell branches")
    if report.unreachable:
        error.facts += f"; {', '.join(report.unreachable)} did not answer"
    raise error


def row_of(found: SiteBranch) -> BranchRow:
    """A branch as it is reported."""
    known, divergence = found.branch, found.branch.divergence
    return BranchRow(
        name=known.name,
        group=known.group,
        array=known.array,
        kept=known.kept,
        saved_unix=known.saved_unix,
        expires_unix=known.expires_unix,
        size_bytes=known.size_bytes,
        used_bytes=found.used_bytes,
        diverged_blocks=divergence.blocks,
        diverged_bytes=divergence.bytes,
        from_lsn=divergence.from_lsn,
        to_lsn=divergence.to_lsn,
        first_write_unix=divergence.first_unix,
        last_write_unix=divergence.last_unix,
        volumes=tuple(
            BranchVolume(
                image.volume,
                str(Path(found.directory) / image.file),
                image.size_bytes,
                image.diverged_bytes,
                image.shared,
            )
            for image in known.images
        ),
        exports=found.exports,
    )


def _lock(name: str) -> str:
    """Changes of one branch exclude one another, and nothing else."""
    return f"branch {name}"


def _volumes(row: BranchRow) -> str:
    return ", ".join(volume.volume for volume in row.volumes)


def _facts(row: BranchRow) -> str:
    return f"{format_size(row.diverged_bytes)} that only {row.array} had written"
