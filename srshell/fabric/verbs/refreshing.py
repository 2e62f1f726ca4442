"""Refresh: read the providers again, and begin the first copies that waited for it.

Always true:

(1) A first copy begins when both providers were refreshed after protection was enabled, and not
    before.
(2) A refresh at any other time changes nothing at the sites.
"""

from __future__ import annotations

import math

import attrs

from srshell.fabric.change import Change, check_rows, steps
from srshell.fabric.checks import check_progress, check_refresh, copies_to_start
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.fabric.verbs.groups import create_side
from srshell.fabric.verbs.storage import update_pools
from srshell.model.errors import SrError
from srshell.model.inventory import Partnership, Provider
from srshell.model.replica import ReplicaData
from srshell.model.report import Note, RefreshReport
from srshell.model.states import ReplicationState

_S = ReplicationState
#: States that a first copy can be seen in, or after.
_BEGUN = frozenset({_S.REPLICATING, _S.SYNCHRONIZING})
#: How long the first copy may take to begin, in seconds.
_BEGIN_SECONDS = 10.0


async def refresh(context: Context, *, arrays: tuple[str, ...], wait_for_copy: bool) -> Change:
    """Read arrays again; all, when none is named."""
    named = arrays or context.array_names()
    view = await context.fresh_view(*named)
    verdict = check_refresh(view, named)
    # A warning that another array is still to be refreshed is part of the result.
    verdict.enforce()
    starting = copies_to_start(view, named)

    async def carry_out(handle: JobHandle) -> RefreshReport:
        changes: list[Note] = []
        for array in named:
            with handle.step(array):
                changes += await _rescan(context, array)
        _note_refreshed(context, named)
        for partnership in _to_start(context):
            with handle.step(f"start {partnership.source}"):
                await _start(context, partnership)
        await context.look_at(*named)
        changes += [Note.of(warning) for warning in verdict.warnings]
        return RefreshReport(named, tuple(p.source for p in starting), tuple(changes))

    async def afterwards(handle: JobHandle, result: object) -> object:
        if wait_for_copy:
            begun = [p.source for p in starting if context.snapshot.partnership_of(p.source)]
            groups = dict.fromkeys((*begun, *_copying_groups(context, named)))
            await _wait_for_copies(context, handle, tuple(groups))
        return result

    rows = [(array, f"read {array} again") for array in named]
    rows += [(f"start {p.source}", f"begin the first copy of {p.source}") for p in starting]
    return Change(
        f"refresh {' '.join(arrays) or '--all'}",
        ", ".join(named),
        steps(*rows),
        carry_out,
        checks=check_rows(verdict),
        afterwards=afterwards,
    )


async def _rescan(context: Context, array: str) -> list[Note]:
    """Read one array again; what was changed from outside is told."""
    report = await context.site(array).rescan()
    await context.sites.look(array)
    update_pools(context)
    provider = context.catalogue.get(Provider, array)
    if provider is not None:
        context.put(attrs.evolve(provider, refreshed_unix=context.clock.unix()))
    found = {volume.name: volume for volume in report.volumes}
    notes = []
    for volume in context.snapshot.volumes:
        if volume.array != array:
            continue
        seen = found.get(volume.name)
        if seen is None:
            what = f"volume {volume.name} is missing"
        elif seen.size_bytes != volume.size_bytes:
            what = f"volume {volume.name} has {seen.size_bytes} bytes, not {volume.size_bytes}"
        else:
            continue
        notes.append(Note.of(SrError.make("SR5006", facts=what, what=volume.name, array=array)))
    for note in notes:
        context.journal.note("warning", array, note.code, note.text)
    return notes


def _note_refreshed(context: Context, arrays: tuple[str, ...]) -> None:
    """Remember which arrays were refreshed since protection was enabled."""
    changed = []
    for partnership in context.snapshot.partnerships:
        sides = _arrays_of(context, partnership)
        refreshed = tuple(a for a in sides if a in arrays or a in partnership.refreshed)
        if refreshed != partnership.refreshed:
            changed.append(attrs.evolve(partnership, refreshed=refreshed))
    if changed:
        context.put(*changed)


def _arrays_of(context: Context, partnership: Partnership) -> tuple[str, str]:
    source, destination = partnership.source, partnership.destination
    return context.snapshot.group(source).array, context.snapshot.group(destination).array


def _to_start(context: Context) -> tuple[Partnership, ...]:
    """Partnerships whose both sides were refreshed, and of which a side was not started."""
    view = context.view()
    return tuple(
        partnership
        for partnership in context.snapshot.partnerships
        if not partnership.torn_down
        and partnership.partnership not in context.busy
        and set(partnership.refreshed) == set(_arrays_of(context, partnership))
        and any(
            (report := view.report(name)) is None or not report.started
            for name in (partnership.source, partnership.destination)
        )
    )


async def _start(context: Context, partnership: Partnership) -> None:
    """Let both sides look for each other, the destination first; completes a half-made pair."""
    for name in (partnership.destination, partnership.source):
        await create_side(context, partnership, name)
        site = context.site(context.snapshot.group(name).array)
        await site.start_replica(partnership.partnership)
    context.journal.say(
        "SR5001", partnership.source, source=partnership.source, destination=partnership.destination
    )


def _copying_groups(context: Context, arrays: tuple[str, ...]) -> tuple[str, ...]:
    """Primary groups on these arrays, or copied to them, whose first copy is not complete.

    Told by the data of the destination: the word may be another one while the link comes up.
    """
    view = context.view()
    found = []
    for partnership in context.snapshot.partnerships:
        sides = _arrays_of(context, partnership)
        primary = view.primary_of(partnership.source) or partnership.source
        copy = view.report(partnership.other(primary))
        if (
            set(arrays) & set(sides)
            and set(partnership.refreshed) == set(sides)
            and not partnership.torn_down
            and copy is not None
            and copy.data in {ReplicaData.BLANK, ReplicaData.INCONSISTENT}
        ):
            found.append(primary)
    return tuple(found)


async def _wait_for_copies(context: Context, handle: JobHandle, groups: tuple[str, ...]) -> None:
    """Wait until the first copies have begun (R53), then until they are complete."""
    for group in groups:
        begun = await context.wait_until(
            lambda group=group: context.view().state(group) in _BEGUN or None,  # type: ignore[misc]
            _BEGIN_SECONDS,
            handle,
        )
        if begun is None:
            check_progress(context.view(), group, ()).enforce()
    for group in groups:
        await wait_for_state(context, group, _S.SYNCHRONIZING, math.inf, handle)


async def wait_for_state(
    context: Context,
    group: str,
    until: ReplicationState,
    timeout_seconds: float,
    handle: JobHandle | None = None,
) -> None:
    """Wait until a group is in a state, telling the job how far the copy is.

    Raises:
        SrError: SR5306, the time was over; SR0107, the job was cancelled.
    """

    def look() -> bool | None:
        view = context.view()
        report = view.report(view.primary_of(group) or group)
        if handle is not None and report is not None and report.progress is not None:
            handle.progress(report.progress.done_bytes, report.progress.total_bytes)
        sides = {view.state(group)}
        if until is _S.SYNCHRONIZING and (partner := view.partner(group)) is not None:
            # Both sides say so within a moment; who waited may ask either of them next.
            sides.add(view.state(partner))
        return True if sides == {until} else None

    if await context.wait_until(look, timeout_seconds, handle) is None:
        view = context.view()
        report = view.report(group)
        current = view.state(group)
        facts = f"it is {current.value}: {current.sentence}"
        if report is not None and report.waiting_on:
            facts += f" Waiting: {report.waiting_on}"
        raise SrError.make(
            "SR5306", facts=facts, group=group, state=until.value, seconds=f"{timeout_seconds:g}"
        )
