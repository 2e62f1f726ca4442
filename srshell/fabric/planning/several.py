"""Plans on a copy of the fabric: of one command, and of several that follow each other.

Always true:

(1) Planning changes nothing but the copy; each command of a plan is checked, by the rules of its
    own, where those before it were carried out.
(2) A plan of several commands is carried out only where it was made, and goes on only while each
    next command would still do what the plan says of it; where it stops, what was done stays done.
(3) What was measured, or depends on what happened before, is no part of what is compared.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from srshell.fabric.calls import unreadable
from srshell.fabric.change import Change
from srshell.fabric.commands import find_command
from srshell.fabric.context import Context
from srshell.fabric.findings import Findings
from srshell.fabric.job_report import has_ended, job_result
from srshell.fabric.jobs import JobHandle
from srshell.fabric.planning.copying import FabricCopy, copied
from srshell.fabric.planning.effects import look, lost_between, measured, pause
from srshell.fabric.planning.inverses import way_back
from srshell.fabric.snapshot import View
from srshell.fabric.verb import complete
from srshell.fabric.verbs.storage import update_pools
from srshell.model.errors import SrError
from srshell.model.inventory import Job, JobState, Step
from srshell.model.report import JobReport, PlanReport, PlanRunReport, StepRow
from srshell.model.states import ReplicationState

LOG = logging.getLogger(__name__)

Handlers = Mapping[str, Callable[..., Awaitable[Any]]]
Perform = Callable[[str, Mapping[str, object]], Awaitable[Any]]

#: Faults are real, and end owners; a plan within a plan has no end.
_NOT_COPIED: Final = frozenset({"fault", "run_plan"})
_LINES_MAX: Final = 200
#: What no copy should ever take, in seconds.
_COPY_SECONDS: Final = 20.0
#: How long a group may need to be in step again before the next command, in seconds.
_IN_STEP_SECONDS: Final = 600.0
_IN_STEP: Final = frozenset(
    {ReplicationState.SYNCHRONIZING, ReplicationState.PREPARED_FOR_FAILOVER}
)


@attrs.frozen
class Line:
    """One command of a plan: a verb of the session with all its arguments."""

    verb: str
    arguments: Mapping[str, Any]

    @property
    def changes(self) -> bool:
        """Whether it is a part of the plan: it changes something, or waits for it."""
        return "dry_run" in self.arguments or self.verb == "wait"

    @property
    def kept(self) -> dict[str, Any]:
        """The arguments that say what it is, and not how it is carried out."""
        how = {"dry_run", "wait", "timeout", "confirm", "expect"}
        return {name: value for name, value in self.arguments.items() if name not in how}


def read_lines(lines: Sequence[Mapping[str, Any]]) -> tuple[Line, ...]:
    """The commands of a plan.

    Raises:
        SrError: SR0001, there are none, too many, or one cannot be read; SR0108, one cannot be
            planned.
    """
    if not 1 <= len(lines) <= _LINES_MAX:
        raise unreadable("plan", f"a plan has 1 to {_LINES_MAX} commands, not {len(lines)}")
    found = []
    for number, line in enumerate(lines, 1):
        verb, given = line.get("verb"), line.get("arguments", {})
        if not isinstance(verb, str) or not isinstance(given, Mapping):
            raise unreadable("plan", f"command {number} has no verb, or no arguments")
        if verb in _NOT_COPIED:
            facts = f"command {number} of the plan: nobody can try a {verb} on a copy"
            raise SrError.make("SR0108", facts=facts, option="plan")
        try:
            found.append(Line(verb, complete(verb, given)))
        except SrError as error:
            raise at_command(error, number, verb) from error
    if not any(line.changes for line in found):
        raise unreadable("plan", "none of the commands changes anything")
    return tuple(found)


def at_command(error: SrError, number: int, verb: str) -> SrError:
    """The same refusal, with the command of the plan that met it."""
    where = f"command {number} of the plan ({verb.replace('_', ' ')})"
    facts = f"{where}: {error.facts}" if error.facts else where
    return SrError(error.code, error.message, error.rule, facts, error.mend, error.article_rule)


# --- planning -----------------------------------------------------------------------------------


async def plan_one(
    context: Context, handlers: Handlers, verb: str, arguments: Mapping[str, Any], plan: PlanReport
) -> PlanReport:
    """A plan with what comes of it on a copy; as it is where that cannot be tried."""
    if verb in _NOT_COPIED:
        return plan
    try:
        async with asyncio.timeout(_COPY_SECONDS), copied(context) as copy:
            part = await _plan(context, handlers, copy, Line(verb, {**arguments, "dry_run": True}))
    except (SrError, TimeoutError):
        return plan
    except Exception:
        LOG.exception("the effects of %s cannot be told", verb)
        return plan
    return attrs.evolve(
        plan,
        about_seconds=part.about_seconds,
        taken_bytes=part.taken_bytes,
        copied_bytes=part.copied_bytes,
        unavailable=part.unavailable,
        measured=part.measured,
        inverse=part.inverse,
        in_step=part.in_step,
    )


async def plan_lines(
    context: Context, handlers: Handlers, lines: Sequence[Line]
) -> tuple[PlanReport, ...]:
    """The plan of each command that is a part, where those before it were carried out.

    Raises:
        SrError: the first command that would be refused, with its number.
    """
    parts = []
    async with copied(context) as copy:
        for number, line in enumerate(lines, 1):
            if not line.changes:
                continue
            try:
                async with asyncio.timeout(_COPY_SECONDS):
                    parts.append(await _plan(context, handlers, copy, line))
            except SrError as error:
                raise at_command(error, number, line.verb) from error
            except TimeoutError as error:
                late = SrError.make(
                    "SR0106", "on a copy of the fabric it comes to no end", "srshell status",
                    command=line.verb, seconds=f"{_COPY_SECONDS:g}",
                )  # fmt: skip
                raise at_command(late, number, line.verb) from error
    return tuple(parts)


async def _plan(context: Context, handlers: Handlers, copy: FabricCopy, line: Line) -> PlanReport:
    """The plan of one command, which is then carried out on the copy."""
    here, world = copy.context, copy.world
    world.taken_bytes = world.copied_bytes = 0
    world.copies_end = bool(line.kept.get("wait_for_copy", True))
    before, sight = here.view(), look(here)
    told = measured(here, line.verb, line.kept)
    pauses = pause(context, before, line.verb, line.kept)
    plan, idle = await _try(handlers, copy, line)
    _settle(here)
    after = here.view()
    if line.verb == "discover":
        told = measured(here, line.verb, line.kept)  # a place is measured once it is a pool
    return attrs.evolve(
        plan,
        verb=line.verb,
        arguments=line.kept,
        about_seconds=_about_seconds(context, plan.command, world.copied_bytes),
        taken_bytes=world.taken_bytes,
        copied_bytes=world.copied_bytes,
        unavailable=() if idle else (*pauses, *lost_between(sight, look(here), here)),
        measured=told,
        inverse=() if idle else way_back(line.verb, line.kept, before, after),
        in_step=look(here).in_step,
    )


async def _try(handlers: Handlers, copy: FabricCopy, line: Line) -> tuple[PlanReport, bool]:
    """Carry a command out on the copy; its plan, and whether nothing was left to do."""
    here = copy.context
    if line.verb == "wait":
        copy.world.settle_all()
        await handlers["wait"](here, **line.kept, timeout=0.0)
        group, until = line.kept["group"], line.kept["until"]
        step = StepRow("wait", f"go on when {group} is {until}")
        return PlanReport(f"wait {group} --until {until}", (step,)), False
    change = await _change(here, handlers, line)
    if change.already is not None:
        return change.plan, True
    job = here.catalogue.new_job(change.command, change.about, here.clock.unix())
    steps = tuple(Step(row.name, row.text) for row in change.steps)
    handle = JobHandle(here.jobs, attrs.evolve(job, state=JobState.RUNNING, steps=steps))
    result = await change.carry_out(handle)
    if change.afterwards is not None:
        await change.afterwards(handle, result)
    return change.plan, False


async def _change(context: Context, handlers: Handlers, line: Line) -> Change:
    """What a command would do here; nothing is asked to be confirmed."""
    asked = {"confirm": None, "ask": False} if "confirm" in line.arguments else {}
    change = await handlers[line.verb](context, **line.kept, **asked)
    assert isinstance(change, Change), line.verb
    return change


def _settle(here: Context) -> None:
    """What the owner does by itself: it counts room, and sees that a role change is complete."""
    update_pools(here)
    view = here.view()
    for partnership in view.snapshot.partnerships:
        primary = view.primary_of(partnership.source)
        if partnership.failed_over and primary and view.state(primary) in _IN_STEP:
            here.put(attrs.evolve(partnership, failed_over=False))


def _about_seconds(context: Context, command: str, copied_bytes: int) -> float | None:
    """How long the last command of the kind took here, for as many bytes; None: there was none."""
    kind = find_command(command.split())
    for job in context.catalogue.jobs(_LINES_MAX):
        if job.state is not JobState.DONE or job.ended_unix is None:
            continue
        found = find_command(job.command.split())
        if kind is None or found is None or found[0] is not kind[0]:
            continue
        seconds = max(job.ended_unix - job.began_unix, 0.0)
        if copied_bytes and job.total_bytes:
            return seconds * copied_bytes / job.total_bytes
        return seconds
    return None


# --- carrying out -------------------------------------------------------------------------------


async def run_plan(
    context: Context,
    handlers: Handlers,
    perform: Perform,
    *,
    lines: Sequence[Mapping[str, Any]],
    confirm: str | None,
    ask: bool,
) -> Change:
    """Several commands as one change, made and carried out in their order."""
    commands = read_lines(lines)
    parts = await plan_lines(context, handlers, commands)
    names = ",".join(dict.fromkeys(part.confirm for part in parts if part.confirm))
    if ask and names:
        findings = Findings(context.view())
        effect = f"{len(parts)} commands are carried out, and some need their name"
        findings.confirm("apply PLAN", effect, names, confirm)
        findings.verdict().enforce()

    async def carry_out(handle: JobHandle) -> PlanRunReport:
        began = context.clock.monotonic()
        for number, part in enumerate(parts, 1):
            handle.checkpoint()
            with handle.step(str(number)):
                try:
                    await _carry_out(context, handlers, perform, part, handle)
                except SrError as error:
                    raise at_command(error, number, part.verb) from error
        return PlanRunReport(handle.rows(), context.clock.monotonic() - began)

    return Change(
        f"plan of {len(parts)} command{'s' if len(parts) != 1 else ''}",
        parts[0].command,
        tuple(StepRow(str(number), part.command) for number, part in enumerate(parts, 1)),
        carry_out,
        exclusive="plan",
        confirm=names,
        lost_bytes=_sum(part.lost_bytes for part in parts),
        parts=parts,
    )


def as_one(plan: PlanReport, lines: Sequence[Mapping[str, Any]]) -> PlanReport:
    """The plan of several commands with what all of them come to."""
    parts = plan.parts
    ways = [part.inverse for part in reversed(parts)]
    back = tuple(line for way in ways if way is not None for line in way)
    left = [line for line in read_lines(lines) if not line.changes]
    return attrs.evolve(
        plan,
        about_seconds=_sum(part.about_seconds for part in parts),
        taken_bytes=sum(part.taken_bytes for part in parts),
        copied_bytes=sum(part.copied_bytes for part in parts),
        unavailable=tuple(
            dict.fromkeys(f"{n}: {text}" for n, p in enumerate(parts, 1) for text in p.unavailable)
        ),
        inverse=None if all(way is None for way in ways) else back,
        in_step=parts[-1].in_step,
        left_out=tuple(line.verb.replace("_", " ") for line in left),
    )


def _sum(values: Any) -> Any:  # noqa: ANN401 - numbers of one kind, or None
    """The sum; unknown if one of them is."""
    known = list(values)
    return None if None in known else sum(known)


async def _carry_out(
    context: Context, handlers: Handlers, perform: Perform, part: PlanReport, handle: JobHandle
) -> None:
    """Carry out one command, if it still is what was planned."""
    line = Line(part.verb, complete(part.verb, part.arguments))
    if part.verb == "wait":
        await perform("wait", {**line.kept, "timeout": _IN_STEP_SECONDS})
        return
    now = (await _change(context, handlers, line)).plan
    if (now.command, now.steps, now.confirm) != (part.command, part.steps, part.confirm):
        facts = f"{part.command} would do something else now; what was done before it stays done"
        raise SrError.make("SR6010", facts, f"srshell plan {part.command}", group=part.command)
    confirmed = {"confirm": part.confirm} if "confirm" in line.arguments else {}
    begun = await perform(part.verb, {**line.kept, **confirmed, "wait": False})
    if isinstance(begun, JobReport):
        await _ended(context, begun.job, handle)
    await _in_step(context, part.in_step, handle)


async def _ended(context: Context, begun: Job, handle: JobHandle) -> None:
    """Wait for the job of a command; who cancels the plan cancels it."""

    def look_at_it() -> Job | None:
        job = context.jobs.find(begun.id)
        if job.total_bytes is not None:
            handle.progress(job.done_bytes or 0, job.total_bytes)
        return job if has_ended(job) else None

    try:
        ended = await context.wait_until(look_at_it, math.inf, handle)
    except SrError:
        context.jobs.cancel(begun.id)
        raise
    assert ended is not None
    job_result(ended)


async def _in_step(context: Context, groups: Sequence[str], handle: JobHandle) -> None:
    """Wait until the groups are in step that are so in the plan: the next command counts on it."""

    def all_there() -> bool | None:
        view = context.view()
        return True if all(_is_in_step(view, group) for group in groups) else None

    if await context.wait_until(all_there, _IN_STEP_SECONDS, handle) is None:
        late = [group for group in groups if not _is_in_step(context.view(), group)]
        state = context.view().state(late[0]).value if late else "?"
        raise SrError.make(
            "SR5306", f"it is {state}", group=", ".join(late), seconds=f"{_IN_STEP_SECONDS:g}",
            state=ReplicationState.SYNCHRONIZING.value,
        )  # fmt: skip


def _is_in_step(view: View, group: str) -> bool:
    """Whether both sides of a group say so; one that is gone is not waited for."""
    if view.snapshot.find_group(group) is None:
        return True
    partner = view.partner(group)
    return all(view.state(name) in _IN_STEP for name in (group, partner) if name is not None)
