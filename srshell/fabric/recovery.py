"""Going on where an earlier owner, or an unreachable site, cut something short.

Always true:

(1) A role change whose old primary has given its role up is completed; any other is taken back.
(2) One whose sites cannot be asked is left as it is, and tried again.
(3) A machine that ended by itself is started again, as a host would; a guest whose volume has
    become secondary is stopped.
"""

from __future__ import annotations

import logging

import attrs

from srshell.fabric.checks import Direction, Loss
from srshell.fabric.context import Context
from srshell.fabric.guests.config import KIND
from srshell.fabric.holding import desired_state, release_site
from srshell.fabric.job_report import has_ended
from srshell.fabric.jobs import JobHandle, Work
from srshell.fabric.operations import (
    PLANNED,
    PREPARE,
    Progress,
    complete_planned,
    complete_unplanned,
    gave_up,
    role_change,
    take_back,
)
from srshell.fabric.verbs.guests import should_run
from srshell.fabric.verbs.machine_processes import ENDED, files_of, start_machine, stop_machine
from srshell.model.errors import SrError
from srshell.model.inventory import DesiredState, Job, Operation, Partnership, StepState, Vm
from srshell.model.replica import ReplicaRole
from srshell.model.report import StepRow

LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


async def keep_going(context: Context) -> None:
    """Complete what was cut short, and watch over machines, until cancelled."""
    while True:
        mark = context.pulse.mark
        for operation in context.catalogue.unfinished_operations():
            if operation.partnership not in context.busy:
                await resume_operation(context, operation)
        await watch_machines(context)
        await context.pulse.after(mark, _LOOK_SECONDS)


async def resume_operation(context: Context, operation: Operation) -> None:
    """Go on with one role change, as a job; a preparation stays until somebody uses it."""
    way = direction_of(context, operation)
    if way is None:
        context.put(attrs.evolve(operation, finished=True, outcome="its partnership has ended"))
        return
    if operation.kind == PREPARE:
        await _forget_lost_seal(context, operation, way)
        return
    if not _can_be_asked(context, operation, way):
        return
    work = _work(context, operation, way)
    job = context.catalogue.get(Job, operation.job) if operation.job is not None else None
    if job is not None and not has_ended(job):
        handle = context.jobs.resume(job, work)
    else:
        rows = tuple(StepRow(step.name, step.text) for step in operation.steps)
        handle = context.jobs.start(f"complete {operation.kind} failover", way.target, rows, work)
    context.busy[operation.partnership] = f"job {handle.job.id} (resumed)"
    try:
        await context.jobs.result(handle)
    except SrError as error:
        LOG.warning("operation %s was not completed: %s", operation.id, error)


def direction_of(context: Context, operation: Operation) -> Direction | None:
    """The direction of a role change in the journal; None if its partnership is gone."""
    partnership = context.catalogue.get(Partnership, operation.partnership)
    if partnership is None:
        return None
    groups = {
        context.snapshot.group(name).array: name
        for name in (partnership.source, partnership.destination)
    }
    return Direction(
        group=groups[operation.to_array],
        partnership=partnership,
        primary=groups[operation.from_array],
        target=groups[operation.to_array],
        from_array=operation.from_array,
        to_array=operation.to_array,
    )


async def _forget_lost_seal(context: Context, operation: Operation, way: Direction) -> None:
    """A seal that its site took away by itself is no preparation any more."""
    report = context.view().report(way.primary)
    began = operation.steps[0].ended_unix
    settled = began is not None and context.clock.unix() - began > _LOOK_SECONDS
    if settled and report is not None and context.view().fresh(way.primary) and not report.sealed:
        context.put(attrs.evolve(operation, finished=True, outcome="the seal was taken away"))


def _can_be_asked(context: Context, operation: Operation, way: Direction) -> bool:
    """Whether the sites that decide how it goes on answer now."""
    view = context.view()
    demoted = any(s.name == "demote" and s.state is StepState.DONE for s in operation.steps)
    if operation.kind == PLANNED and not demoted and not view.site(way.from_array).reachable:
        return False
    return view.site(way.to_array).reachable


def _work(context: Context, operation: Operation, way: Direction) -> Work:
    """The work of the job that goes on with a role change."""

    async def work(handle: JobHandle) -> object:
        began = context.clock.monotonic()
        try:
            progress = Progress(context, operation, handle)
            if operation.kind == PLANNED:
                epoch = await _go_on_planned(context, way, progress)
            else:
                epoch = await _go_on_unplanned(context, way, progress)
        finally:
            context.busy.pop(operation.partnership, None)
            context.pulse.beat()
        planned = operation.kind == PLANNED
        loss = Loss(0, 0) if planned else Loss(None, None)
        return role_change(
            context, way, operation, handle, epoch=epoch, lost_writes=loss.writes,
            lost_bytes=loss.size_bytes, began=began, schema="srshell.failover/1",
        )  # fmt: skip

    return work


async def _go_on_planned(context: Context, way: Direction, progress: Progress) -> int:
    """Roll forward once the old primary has given its role up, otherwise take it back."""
    if await gave_up(context, way, progress):
        return await complete_planned(context, way, progress, reprotect=way.partnership.reprotect)
    await take_back(context, way, progress)
    raise SrError.make(
        "SR0107", facts="its owner ended before the old primary had given its role up",
        job=progress.operation.job or 0,
    )  # fmt: skip


async def _go_on_unplanned(context: Context, way: Direction, progress: Progress) -> int:
    """Promote once the loss was accepted, otherwise let the source go.

    What was known of the loss holds for a source that is still held, and for no other.
    """
    known = progress.state_of("evidence") is StepState.DONE
    held = desired_state(context, way.from_array) is DesiredState.HELD
    if known and (held or await _is_promoted(context, way, progress)):
        return await complete_unplanned(context, way, progress, reprotect=way.partnership.reprotect)
    if held:
        await release_site(context, way.from_array)
    progress.finish("taken back")
    why = "the old primary runs again" if known else "its owner ended before the loss was known"
    raise SrError.make("SR0107", facts=why, job=progress.operation.job or 0)


async def _is_promoted(context: Context, way: Direction, progress: Progress) -> bool:
    """Whether the target took over before its answer was lost."""
    report = await context.site(way.to_array).replica(progress.operation.partnership)
    return report.role is ReplicaRole.PRIMARY


async def watch_machines(context: Context) -> None:
    """Start machines that ended by themselves."""
    for name in [vm.name for vm in context.snapshot.vms]:
        vm = context.catalogue.get(Vm, name)
        if vm is None or not _needs_care(context, vm):
            continue
        async with context.machine_lock:
            # Looked at again: whoever held the lock may have started, stopped or removed it.
            vm = context.catalogue.get(Vm, name)
            if vm is None or not (care := _needs_care(context, vm)):
                continue
            if care == "start":
                await _start_again(context, vm)
            else:
                await stop_machine(context, vm, at_once=True)
                facts = f"{vm.volume} is secondary now"
                context.journal.say("SR9104", vm.name, facts, vm=vm.name, array=vm.array)


def _needs_care(context: Context, vm: Vm) -> str:
    """Whether a machine is to be started or stopped; empty if it is as it should be."""
    files = files_of(context, vm.name)
    runs = files.running_pid() != 0
    wanted = should_run(context.view(), vm) if vm.kind == KIND else True
    if runs or wanted is not True:
        return "stop" if runs and wanted is False else ""
    ended = vm.kind == KIND and files.read_state().get("state") in ENDED
    return "" if ended or not files.config.exists() else "start"


async def _start_again(context: Context, vm: Vm) -> None:
    """Start one machine, which is still wanted."""
    try:
        if await start_machine(context, vm):
            context.journal.say("SR9105", vm.name, "it had ended", vm=vm.name, array=vm.array)
    except SrError as error:
        LOG.warning("machine %s does not start: %s", vm.name, error)
