"""Prepare, failover, failback: who is primary.

Always true:

(1) Either group's name is accepted; the result names the direction that was resolved.
(2) The checks run before a step is taken, and again when an unplanned failover knows its loss.
"""

from __future__ import annotations

import math

from srshell.fabric.change import Change, check_rows
from srshell.fabric.checks import (
    Direction,
    Loss,
    View,
    check_failback,
    check_failover,
    check_prepare,
    resolve_direction,
)
from srshell.fabric.context import Context
from srshell.fabric.evidence import from_living_source
from srshell.fabric.jobs import JobHandle
from srshell.fabric.operations import (
    PLANNED,
    PREPARE,
    UNPLANNED,
    Progress,
    let_rejoin,
    new_operation,
    open_seal,
    role_change,
    run_planned,
    run_unplanned,
    step_rows,
)
from srshell.fabric.verbs.machine_processes import stop_guests, stop_rows
from srshell.fabric.verbs.refreshing import wait_for_state
from srshell.fabric.verbs.replication import both_sides, status_of
from srshell.model.errors import SrError
from srshell.model.geometry import parse_size
from srshell.model.inventory import Operation
from srshell.model.report import RoleChange, StatusReport, StepRow
from srshell.model.states import ReplicationState

_S = ReplicationState
_IN_SYNC = frozenset({_S.SYNCHRONIZING, _S.PREPARED_FOR_FAILOVER})


async def prepare(context: Context, *, group: str) -> Change:
    """Drain and seal the primary."""
    view = await context.patient_view()
    verdict = check_prepare(view, group).enforce()
    way = resolve_direction(view, group)

    async def carry_out(handle: JobHandle) -> StatusReport:
        await _stop_guests(context, way, handle)
        operation = new_operation(context, PREPARE, way, handle.job.id)
        progress = Progress(context, operation, handle)
        try:
            with progress.step("seal"):
                site = context.site(way.from_array)
                lsn = await site.seal(way.partnership.partnership, operation.id)
        except SrError:
            progress.finish("taken back")
            raise
        progress.remember(f"sealed at LSN {lsn}")
        context.journal.say("SR6150", way.primary, group=way.primary, lsn=lsn)
        await context.look_at(way.from_array, way.to_array)
        return status_of(context, both_sides(context, group))

    return Change(
        f"prepare {group}",
        way.primary,
        (*stop_rows(context, way.primary), *step_rows(PREPARE, way)),
        carry_out,
        exclusive=way.partnership.partnership,
        checks=check_rows(verdict),
        already=status_of(context, both_sides(context, group)) if verdict.already else None,
    )


async def failover(
    context: Context,
    *,
    group: str,
    kind: str,
    confirm: str | None,
    accept_loss: int | str | None,
    reprotect: bool,
    ask: bool,
) -> Change:
    """Make the other side primary."""
    view = await (context.patient_view() if kind == PLANNED else context.asked_view())
    accepted = _accepted(accept_loss)
    loss = _loss_before(view, group) if kind == UNPLANNED else None
    verdict = check_failover(
        view, group, kind, loss=loss, accept_loss=accepted, confirm=confirm, ask=ask
    ).enforce()
    way = resolve_direction(view, group)
    stays = reprotect and not view.strict

    async def carry_out(handle: JobHandle) -> RoleChange:
        began = context.clock.monotonic()
        context.journal.say("SR6100", way.target, kind=kind, source=way.primary, target=way.target)
        if kind == PLANNED:
            await _stop_guests(context, way, handle)
            operation = _begin(context, way, handle)
            epoch = await run_planned(context, way, operation, handle, reprotect=stays)
            found = Loss(0, 0)
        else:
            operation = new_operation(context, UNPLANNED, way, handle.job.id)

            def accept(known: Loss) -> None:
                check_failover(
                    context.view_for(way.partnership.partnership), group, kind, loss=known,
                    accept_loss=accepted, ask=False,
                ).enforce()  # fmt: skip

            epoch, found = await run_unplanned(
                context, way, operation, handle, accept, reprotect=stays
            )
        return await _conclude(context, way, operation, handle, epoch, found, began)

    return Change(
        f"failover {group} --{kind}",
        way.target,
        (*(stop_rows(context, way.primary) if kind == PLANNED else ()), *step_rows(kind, way)),
        carry_out,
        exclusive=way.partnership.partnership,
        confirm=way.target,
        checks=check_rows(verdict),
        lost_bytes=0 if kind == PLANNED else loss.size_bytes if loss else None,
    )


async def _stop_guests(context: Context, way: Direction, handle: JobHandle) -> None:
    """Shut guests down before their disk is sealed; they run again if that is taken back."""
    if any(row.name == "stop" for row in handle.rows()):
        with handle.step("stop"):
            await stop_guests(context, way.primary)


def _accepted(accept_loss: int | str | None) -> int | str | None:
    """The accepted loss as bytes, or the word for any loss."""
    if accept_loss is None or accept_loss == "unknown":
        return accept_loss
    return 0 if str(accept_loss) in {"0", "0B"} else parse_size(accept_loss)


def _loss_before(view: View, group: str) -> Loss | None:
    """What a source that answers says would be lost; None when nobody can be asked yet."""
    try:
        way = resolve_direction(view, group)
    except SrError:
        return None
    report = view.report(way.primary)
    return from_living_source(report) if report is not None and view.fresh(way.primary) else None


def _begin(context: Context, way: Direction, handle: JobHandle) -> Operation:
    """The journal's entry for a planned change; it takes over a seal that was made before.

    The site knows its seal by the number of the preparation, so the number stays.
    """
    sealed = open_seal(context, way.partnership.partnership)
    return new_operation(context, PLANNED, way, handle.job.id, sealed.id if sealed else "")


async def _conclude(
    context: Context,
    way: Direction,
    operation: Operation,
    handle: JobHandle,
    epoch: int,
    loss: Loss,
    began: float,
    schema: str = "srshell.failover/1",
) -> RoleChange:
    """The result of a role change, told to the journal too."""
    await context.look_at(way.to_array, way.from_array)
    result = role_change(
        context, way, operation, handle, epoch=epoch, lost_writes=loss.writes,
        lost_bytes=loss.size_bytes, began=began, schema=schema,
    )  # fmt: skip
    context.journal.say(
        "SR6290", way.target, loss.evidence, target=way.target, seconds=f"{result.seconds:.1f}"
    )
    return result


async def failback(
    context: Context,
    *,
    group: str,
    confirm: str | None,
    target: str | None,
    ask: bool,
) -> Change:
    """Bring the first primary in step and make it primary again."""
    view = await context.patient_view()
    verdict = check_failback(view, group, target=target, confirm=confirm, ask=ask).enforce()
    way = resolve_direction(view, group)
    in_step = view.state(way.primary) in _IN_SYNC

    async def carry_out(handle: JobHandle) -> RoleChange:
        began = context.clock.monotonic()
        if not in_step:
            with handle.step("in step"):
                await _bring_in_step(context, way, handle)
        await _stop_guests(context, way, handle)
        operation = _begin(context, way, handle)
        epoch = await run_planned(context, way, operation, handle)
        return await _conclude(
            context, way, operation, handle, epoch, Loss(0, 0), began, "srshell.failback/1"
        )

    first = () if in_step else (StepRow("in step", f"bring {way.target} in step"),)
    return Change(
        f"failback {group}",
        way.target,
        (*first, *stop_rows(context, way.primary), *step_rows(PLANNED, way)),
        carry_out,
        exclusive=way.partnership.partnership,
        confirm=way.target,
        checks=check_rows(verdict),
    )


async def _bring_in_step(context: Context, way: Direction, handle: JobHandle) -> None:
    """Let the first primary rejoin, if it was kept from it, and wait until both sides are equal."""
    await let_rejoin(context, way)
    await wait_for_state(context, way.primary, _S.SYNCHRONIZING, math.inf, handle)
