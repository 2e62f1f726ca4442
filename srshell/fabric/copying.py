"""What the sites are told about the rates of their copies, from the catalogue alone.

Always true:

(1) The catalogue is the truth; a site keeps what it was told, over restarts, until it is told
    something else.
(2) A site that does not answer is told as soon as it does; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from srshell.fabric.context import Context
from srshell.fabric.snapshot import Snapshot, View
from srshell.model.copying import PRIORITY_DEFAULT, CopyPlan, CopyTerms, fair_rates
from srshell.model.errors import SrError
from srshell.model.inventory import Partnership
from srshell.model.replica import Flow, ReplicaReport, ReplicaRole

LOG = logging.getLogger(__name__)

#: A site that could not be told is tried again after this time, in seconds.
_RETRY_SECONDS = 1.0


def terms_of(partnership: Partnership) -> CopyTerms:
    """What the copy of a partnership may take."""
    return CopyTerms(
        partnership.partnership, partnership.copy_priority, partnership.copy_bytes_per_second
    )


def plan_for(snapshot: Snapshot, array: str) -> CopyPlan:
    """What the site of an array has to know: who has the usual terms is not named."""
    terms = (
        terms_of(partnership)
        for partnership in snapshot.partnerships
        if (partnership.copy_priority, partnership.copy_bytes_per_second) != (PRIORITY_DEFAULT, 0)
        and array in _arrays_of(snapshot, partnership)
    )
    return CopyPlan(snapshot.copy_bytes_per_second, tuple(terms))


def _arrays_of(snapshot: Snapshot, partnership: Partnership) -> tuple[str, ...]:
    groups = (partnership.source, partnership.destination)
    return tuple(found.array for name in groups if (found := snapshot.find_group(name)))


def untold(context: Context) -> tuple[str, ...]:
    """The arrays whose sites have another plan than they should, as far as is known."""
    snapshot = context.snapshot
    return tuple(
        array.name
        for array in snapshot.arrays
        if (report := context.sites.report(array.name)) is not None
        and report.copy_plan != plan_for(snapshot, array.name)
    )


async def hand_down(context: Context) -> tuple[str, ...]:
    """Tell every site its plan; the arrays whose sites could not be told."""
    missed = []
    for array in untold(context):
        try:
            await context.site(array).set_copy_plan(plan_for(context.snapshot, array))
            await context.sites.look(array)
        except SrError as error:
            LOG.info("site %s was not told the rates of copies: %s", array, error)
            missed.append(array)
    return tuple(missed)


async def keep_told(context: Context) -> None:
    """Tell sites that come back, or that nobody had told yet, until cancelled."""
    while True:
        mark = context.pulse.mark
        if await hand_down(context):
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        await context.pulse.after(mark, _RETRY_SECONDS)


def is_copying(report: ReplicaReport | None) -> bool:
    """Whether blocks are being copied from this side; a replay of the log is no copy."""
    if report is None or report.progress is None:
        return False
    return report.role is ReplicaRole.PRIMARY and report.progress.kind is not Flow.LOG_REPLAY


def copy_shares(view: View, array: str) -> Mapping[str, float]:
    """What each copy out of the site of an array may take now, in bytes per second; 0: anything."""
    copying = [report.partnership for report in view.site(array).replicas if is_copying(report)]
    return fair_rates(plan_for(view.snapshot, array), copying)
