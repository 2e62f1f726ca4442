"""Watching over a fabric: info, events, jobs, why, explain, restart, faults.

Always true: only `restart` and `fault` change anything, and a fault only in a sandbox.
"""

from __future__ import annotations

import os
import signal

from srshell import __version__
from srshell.fabric.calls import DEFAULT_TIMEOUT_SECONDS
from srshell.fabric.change import Change, check_rows, steps
from srshell.fabric.checks import check_restart
from srshell.fabric.context import Context
from srshell.fabric.explaining import explained
from srshell.fabric.holding import desired_state, hold_site, release_site
from srshell.fabric.job_report import has_ended, still_running
from srshell.fabric.jobs import JobHandle
from srshell.fabric.journal import LEVELS
from srshell.fabric.mending import mend_of
from srshell.fabric.splits import side_text
from srshell.fabric.verbs.replication import both_sides, status_of
from srshell.fabric.verbs.storage import pool_rows, shown_state, update_pools
from srshell.model.errors import SrError
from srshell.model.identity import unknown
from srshell.model.inventory import DesiredState, Site
from srshell.model.report import (
    EventsReport,
    ExplainReport,
    InfoReport,
    JobReport,
    JobsReport,
    SiteRow,
    WhyReport,
)
from srshell.site.api import FaultKind

_CHAIN_EVENTS = 3


async def info(context: Context) -> InfoReport:
    """The fabric, its owner and its sites."""
    view = await context.fresh_view()
    update_pools(context)
    rows = []
    for array in context.snapshot.arrays:
        report = context.sites.report(array.name)
        standing = context.sites.standing(array.name)
        rows.append(
            SiteRow(
                array=array.name,
                site=array.site,
                pid=standing.pid or None,
                state=shown_state(context, array.name),
                pools=pool_rows(context.view(), array.name),
                link_address=context.backend.link_address(array.name),
                nbd_socket=report.nbd_socket if report else "",
                peer=view.snapshot.peer_of(array.name),
            )
        )
    return InfoReport(
        fabric=str(context.place.directory),
        owner_pid=context.owner_pid,
        socket=context.socket,
        sites=tuple(rows),
        identity=context.identity,
        profile=context.catalogue.profile.value,
        version=__version__,
        owner_term=context.owner_term,
        sandbox=context.sandbox,
    )


async def events(
    context: Context,
    *,
    since: float | None,
    level: str | None,
    about: str | None,
    after: int,
    limit: int,
) -> EventsReport:
    """What happened, oldest first."""
    if level is not None and level not in LEVELS:
        raise SrError.make("SR0005", facts=f"known: {', '.join(LEVELS)}", text=level, noun="level")
    begin = 0.0 if since is None else context.clock.unix() - since
    levels = LEVELS[level] if level and level != "info" else ()
    return EventsReport(context.catalogue.events(after, begin, about, levels, limit))


async def jobs(context: Context) -> JobsReport:
    """Jobs, the newest first."""
    return JobsReport(context.jobs.list())


async def job(
    context: Context, *, number: int, ended: bool, cancel: bool, timeout: float | None
) -> JobReport:
    """One job; asked to stop, or waited for."""
    if cancel:
        context.jobs.cancel(number)
    if not ended:
        return JobReport(context.jobs.find(number))
    limit = DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout
    found = await context.jobs.ended(number, limit)
    if not has_ended(found):
        raise still_running(found, limit)
    return JobReport(found)


async def explain(context: Context, *, code: str) -> ExplainReport:
    """The long text of a code or of a rule."""
    return explained(code, context.catalogue.profile)


async def why(context: Context, *, name: str) -> WhyReport:
    """What led to the state of an object."""
    view = await context.fresh_view()
    if view.snapshot.find_group(name) is not None:
        return _why_group(context, name)
    if view.snapshot.find_array(name) is not None:
        state = shown_state(context, name)
        chain = [f"the site of {name} is {state}"]
        if problem := context.sites.problem(name):
            chain.append(problem)
        site = context.catalogue.get(Site, name)
        if site is not None and site.held_because:
            chain.append(f"held because of: {site.held_because}")
        mend = "" if state in {"running", "in-process"} else f"srshell restart {name}"
        return WhyReport(name, (*chain, *_history(context, name)), mend)
    known = [vm.name for vm in view.snapshot.vms] + [v.name for v in view.snapshot.volumes]
    if name in known:
        group = view.snapshot.group_of_volume(name)
        inside = (f"it is in {group.name}",) if group else ()
        return WhyReport(name, (*inside, *_history(context, name)))
    known += [g.name for g in view.snapshot.groups] + [a.name for a in view.snapshot.arrays]
    raise unknown("object", name, known, mend="srshell info")


def _why_group(context: Context, name: str) -> WhyReport:
    """The chain for a group: word, reasons, what it waits for, the last events."""
    rows = status_of(context, both_sides(context, name)).groups
    row = next(row for row in rows if row.name == name)
    state = row.replication_state
    chain = [f"{name} is {state.value}: {state.sentence}"]
    chain += [f"{reason.code}: {reason.text}" for reason in row.health_reasons]
    chain += [side_text(side) for side in row.split]
    if row.waiting_on:
        chain.append(f"waiting on: {row.waiting_on}")
    ready = "yes" if row.failover_ready else "no"
    chain.append(f"failover ready: {ready}, because {row.failover_ready_reason}")
    return WhyReport(name, (*chain, *_history(context, name)), mend_of(row))


def _history(context: Context, name: str) -> tuple[str, ...]:
    """The last events about an object, the newest first."""
    found = context.catalogue.events(about=name, limit=_CHAIN_EVENTS)
    return tuple(f"{event.code} {event.text}" for event in reversed(found))


async def restart(context: Context, *, array: str) -> Change:
    """Start the site of an array again, and release it if it is held."""
    verdict = check_restart(context.view(), array).enforce()
    held = desired_state(context, array) is DesiredState.HELD

    async def carry_out(handle: JobHandle) -> InfoReport:
        if not held:
            with handle.step("stop"):
                await context.backend.hold(array)
        with handle.step("start"):
            await release_site(context, array)
        return await info(context)

    rows = [] if held else [("stop", f"stop the site of {array}")]
    rows.append(("start", f"{'release and ' if held else ''}start the site of {array}"))
    return Change(f"restart {array}", array, steps(*rows), carry_out, checks=check_rows(verdict))


# --- faults -------------------------------------------------------------------------------------

_SITE_FAULTS = {
    ("link", "down"): FaultKind.LINK_DOWN,
    ("link", "slow"): FaultKind.LINK_SLOW,
    ("disk", "slow"): FaultKind.SLOW_DISK,
    ("site", "freeze"): FaultKind.FREEZE,
}
_OTHER_FAULTS = frozenset({("site", "crash"), ("site", "down"), ("owner", "crash")})
_FAULT_SECONDS = 30.0


async def fault(
    context: Context, *, part: str, kind: str, array: str | None, seconds: float | None
) -> Change:
    """Break something on purpose."""
    if not context.sandbox:
        raise SrError.make("SR9901", fabric=str(context.place.directory))
    known = sorted({*_SITE_FAULTS, *_OTHER_FAULTS})
    if (part, kind) not in known:
        facts = "known: " + ", ".join(f"{a} {b}" for a, b in known)
        raise SrError.make("SR0005", facts=facts, text=f"{part} {kind}", noun="fault")
    arrays = (array,) if array else context.array_names() if part == "link" else ()
    if part in {"site", "disk"} and not arrays:
        raise SrError.make("SR0105", facts="name the array", noun="array", name="(none)",
                           mend="srshell arrays")  # fmt: skip
    for name in arrays:
        context.snapshot.array(name)
    limit = _FAULT_SECONDS if seconds is None else seconds
    text = " ".join(filter(None, (part, kind, array)))

    async def carry_out(handle: JobHandle) -> EventsReport:
        with handle.step("break"):
            event = context.journal.say("SR9900", array or part, fault=text)
            await _break(context, part, kind, arrays, limit)
        return EventsReport((event,))

    return Change(f"fault {text}", array or part, steps(("break", f"suffer: {text}")), carry_out)


async def _break(
    context: Context, part: str, kind: str, arrays: tuple[str, ...], seconds: float
) -> None:
    """Let the fault happen."""
    site_fault = _SITE_FAULTS.get((part, kind))
    if part == "owner":
        os.kill(os.getpid(), signal.SIGKILL)
    if site_fault is not None:
        await _suffer(context, site_fault, arrays, seconds)
        return
    for array in arrays:
        if kind == "crash":
            await context.backend.kill(array)
        else:
            await hold_site(context, array, "a fault was injected")


async def _suffer(
    context: Context, fault_kind: FaultKind, arrays: tuple[str, ...], seconds: float
) -> None:
    """Let sites suffer; one that is down is passed over, unless all are."""
    errors = []
    for array in arrays:
        try:
            await context.site(array).fault(fault_kind, seconds)
        except SrError as error:
            errors.append(error)
    if len(errors) == len(arrays):
        raise errors[0]
