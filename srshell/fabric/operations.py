"""Role changes: lists of named steps, each of which may be repeated, kept in the journal.

Always true:

(1) A step is in the catalogue as begun before it has any effect, and as done after it.
(2) The new epoch is in the catalogue before the old primary gives its role up.
(3) Once the old primary has durably given its role up, the change is completed, by this owner or a
    later one; before that it can be taken back.  A source that was killed is released again when
    its unplanned failover is refused.

    planned     seal source -> demote source -> promote destination
    unplanned   hold source -> take evidence -> promote destination
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import attrs

from srshell.fabric.checks import Direction, Loss
from srshell.fabric.context import Context
from srshell.fabric.evidence import take_evidence
from srshell.fabric.holding import desired_state, hold_site, release_site
from srshell.fabric.jobs import JobHandle
from srshell.model.errors import SrError
from srshell.model.inventory import DesiredState, Operation, Partnership, Step, StepState
from srshell.model.replica import ReplicaRole
from srshell.model.report import RoleChange, StepRow

PREPARE = "prepare"
PLANNED = "planned"
UNPLANNED = "unplanned"

_TEXTS = {
    "seal": "drain {source} and seal both logs at one LSN",
    "demote": "{source} gives up its role, durably",
    "hold": "stop the site of {source} and keep it from starting",
    "evidence": "read what {source} has acknowledged",
    "promote": "{target} becomes primary in a new epoch",
}
_STEPS = {
    PREPARE: ("seal",),
    PLANNED: ("seal", "demote", "promote"),
    UNPLANNED: ("hold", "evidence", "promote"),
}
_SEALED = re.compile(r"sealed at LSN (\d+)")


def step_rows(kind: str, way: Direction) -> tuple[StepRow, ...]:
    """The steps of a role change, as a plan shows them."""
    return tuple(
        StepRow(name, _TEXTS[name].format(source=way.primary, target=way.target))
        for name in _STEPS[kind]
    )


def new_operation(
    context: Context, kind: str, way: Direction, job: int | None, number: str = ""
) -> Operation:
    """Enter a role change into the journal; nothing has been done yet.

    Args:
        context: the fabric.
        kind: PREPARE, PLANNED or UNPLANNED.
        way: which side is primary, and which is to become so.
        job: the job that shows it.
        number: the number of a preparation that is taken over; a new one when empty.
    """
    report = context.view().report(way.primary) or context.view().report(way.target)
    epoch = report.epoch if report else 0
    operation = Operation(
        id=number or secrets.token_hex(8),
        kind=kind,
        partnership=way.partnership.partnership,
        from_array=way.from_array,
        to_array=way.to_array,
        expected_epoch=epoch,
        new_epoch=epoch + 1,
        steps=tuple(Step(row.name, row.text) for row in step_rows(kind, way)),
        job=job,
    )
    context.put(operation)
    return operation


def open_seal(context: Context, partnership: str) -> Operation | None:
    """The preparation that sealed a partnership and was not used yet."""
    return next(
        (
            operation
            for operation in context.catalogue.unfinished_operations()
            if operation.partnership == partnership and operation.kind == PREPARE
        ),
        None,
    )


def finish_operation(context: Context, operation: Operation, outcome: str) -> None:
    """A role change is complete, or was taken back."""
    current = context.catalogue.get(Operation, operation.id) or operation
    context.put(attrs.evolve(current, finished=True, outcome=outcome))


class Progress:
    """An operation under way, with the job that shows it."""

    def __init__(self, context: Context, operation: Operation, handle: JobHandle) -> None:
        self._context = context
        self._handle = handle
        self.operation = operation

    def state_of(self, name: str) -> StepState:
        """How far a step is, in the journal."""
        found = next((step for step in self.operation.steps if step.name == name), None)
        return found.state if found else StepState.SKIPPED

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Carry out a step between two entries of the journal."""
        self._enter(name, StepState.BEGUN)
        with self._handle.step(name):
            yield
        self._enter(name, StepState.DONE)

    def remember(self, outcome: str) -> None:
        """Keep a fact that a later owner needs to go on."""
        self.operation = attrs.evolve(self.operation, outcome=outcome)
        self._context.put(self.operation)

    def finish(self, outcome: str) -> None:
        """The operation is over."""
        self.operation = attrs.evolve(self.operation, finished=True, outcome=outcome)
        self._context.put(self.operation)

    def protect(self) -> None:
        """From here on nothing is cancelled."""
        self._handle.protected = True

    def undo(self, name: str) -> None:
        """A step was taken back."""
        self._enter(name, StepState.UNDONE)
        self._handle.mark(name, StepState.UNDONE)

    def _enter(self, name: str, state: StepState) -> None:
        now = self._context.clock.unix()

        def entered(step: Step) -> Step:
            if step.name != name:
                return step
            if state is StepState.BEGUN:
                return attrs.evolve(step, state=state, began_unix=now)
            return attrs.evolve(step, state=state, ended_unix=now)

        steps = tuple(entered(step) for step in self.operation.steps)
        self.operation = attrs.evolve(self.operation, steps=steps)
        self._context.put(self.operation)


async def run_planned(
    context: Context,
    way: Direction,
    operation: Operation,
    handle: JobHandle,
    *,
    reprotect: bool = True,
) -> int:
    """Seal, demote, promote; returns the new epoch.

    Raises:
        SrError: the change was taken back.  Or it has to be completed later, because the old
            primary has given its role up, or may have, and a site cannot be reached.
    """
    progress = Progress(context, operation, handle)
    partnership = operation.partnership
    source = context.site(way.from_array)
    try:
        handle.checkpoint()
        with progress.step("seal"):
            lsn = await source.seal(partnership, operation.id)
        progress.remember(f"sealed at LSN {lsn}")
        handle.checkpoint()
        handle.protected = True
        with progress.step("demote"):
            await source.demote(partnership, operation.id, operation.new_epoch)
    except SrError:
        if not await gave_up(context, way, progress):
            await take_back(context, way, progress)
            raise
    return await complete_planned(context, way, progress, reprotect=reprotect)


async def complete_planned(
    context: Context, way: Direction, progress: Progress, *, reprotect: bool = True
) -> int:
    """The old primary has given its role up: let the other side take it."""
    progress.protect()
    partnership = progress.operation.partnership
    target = context.site(way.to_array)
    with progress.step("promote"):
        promotion = await target.promote(
            partnership, progress.operation.id, sealed_lsn(progress.operation), alone=not reprotect
        )
    settle(context, way, promotion.epoch, planned=True, reprotect=reprotect)
    if not reprotect:
        await target.suspend(partnership)
    progress.finish(f"{way.target} is primary in epoch {promotion.epoch}")
    return promotion.epoch


def sealed_lsn(operation: Operation) -> int | None:
    """The LSN at which the source was sealed, as an operation remembers it."""
    found = _SEALED.search(operation.outcome)
    return int(found[1]) if found else None


async def gave_up(context: Context, way: Direction, progress: Progress) -> bool:
    """Whether the old primary has durably given its role up.

    A source that does not answer once the demotion was begun may have done so: it is asked again
    when it is back, and nothing is undone meanwhile.  The seal is taken away before it is asked:
    a demotion that an earlier owner sent, and that is still under way, has ended then or is void.

    Raises:
        SrError: SR6002, it cannot be asked.
    """
    state = progress.state_of("demote")
    if state is not StepState.BEGUN:
        return state is StepState.DONE
    site, operation = context.site(way.from_array), progress.operation
    try:
        await site.unseal(operation.partnership, operation.id)
        report = await site.replica(operation.partnership)
    except SrError as error:
        facts = f"{way.from_array} does not answer ({error}); the failover goes on when it does"
        raise SrError.make("SR6002", facts=facts, group=way.primary) from error
    return report.role is ReplicaRole.SECONDARY


async def take_back(context: Context, way: Direction, progress: Progress) -> None:
    """Let the source take writes again; if it cannot be told, it unseals itself after a while."""
    operation = progress.operation
    with suppress(SrError):
        await context.site(way.from_array).unseal(operation.partnership, operation.id)
    if progress.state_of("seal") is not StepState.PLANNED:
        progress.undo("seal")
    progress.finish("taken back")


async def run_unplanned(
    context: Context,
    way: Direction,
    operation: Operation,
    handle: JobHandle,
    accept: Callable[[Loss], None],
    *,
    reprotect: bool = True,
) -> tuple[int, Loss]:
    """Hold the source, look at what it left, promote; returns the new epoch and the loss.

    Args:
        context: the fabric.
        way: which side is primary, and which becomes so.
        operation: the journal's entry.
        handle: the job.
        accept: raises if the loss was not accepted.
        reprotect: whether the old primary may rejoin by itself when it is back.
    """
    progress = Progress(context, operation, handle)
    held_before = desired_state(context, way.from_array) is DesiredState.HELD
    try:
        with progress.step("hold"):
            await hold_site(context, way.from_array, f"unplanned failover to {way.target}")
        with progress.step("evidence"):
            loss = await take_evidence(context, way)
            accept(loss)
            handle.checkpoint()
    except SrError:
        if not held_before:
            await release_site(context, way.from_array)
        progress.finish("refused")
        raise
    progress.remember(f"loss accepted: {loss.size_bytes}")
    epoch = await complete_unplanned(context, way, progress, reprotect=reprotect)
    return epoch, loss


async def complete_unplanned(
    context: Context, way: Direction, progress: Progress, *, reprotect: bool = True
) -> int:
    """The loss is known and accepted: let the other side take over."""
    progress.protect()
    partnership = progress.operation.partnership
    target = context.site(way.to_array)
    with progress.step("promote"):
        promotion = await target.promote(partnership, progress.operation.id, None, alone=True)
    settle(context, way, promotion.epoch, planned=False, reprotect=reprotect)
    if not reprotect:
        await target.suspend(partnership)
    progress.finish(f"{way.target} is primary in epoch {promotion.epoch}")
    return promotion.epoch


def settle(context: Context, way: Direction, epoch: int, *, planned: bool, reprotect: bool) -> None:
    """The roles have changed: remember it until both sides are in sync again, and say so."""
    partnership = context.catalogue.get(Partnership, way.partnership.partnership)
    if partnership is not None:
        context.put(attrs.evolve(partnership, failed_over=True, reprotect=reprotect))
    if planned:
        context.journal.say("SR6190", way.primary, group=way.primary)
    context.journal.say("SR6200", way.target, group=way.target, epoch=epoch)


async def let_rejoin(context: Context, way: Direction) -> None:
    """Let the old primary be protected by the new one, if it was kept from it."""
    partnership = context.catalogue.get(Partnership, way.partnership.partnership)
    if partnership is not None and not partnership.reprotect:
        await context.site(way.from_array).resume(partnership.partnership)
        context.put(attrs.evolve(partnership, reprotect=True))
        await context.sites.look(way.from_array)


def role_change(
    context: Context,
    way: Direction,
    operation: Operation,
    handle: JobHandle,
    *,
    epoch: int,
    lost_writes: int | None,
    lost_bytes: int | None,
    began: float,
    schema: str,
) -> RoleChange:
    """The result of a role change."""
    done = context.catalogue.get(Operation, operation.id) or operation
    context.remember_outage(done)
    return RoleChange(
        operation=operation.id,
        new_primary=way.target,
        epoch=epoch,
        lost_writes=lost_writes,
        lost_bytes=lost_bytes,
        seconds=context.clock.monotonic() - began,
        steps=handle.rows(),
        planned=operation.kind == PLANNED,
        old_primary=way.primary,
        write_outage_seconds=done.outage_seconds,
        schema=schema,
    )
