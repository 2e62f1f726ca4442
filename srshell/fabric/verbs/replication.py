"""Looking after protected groups: wait, status, suspend, resume, resolve, tear down.

Always true: either group's name is accepted; what is asked of a side goes to its own site.
"""

from __future__ import annotations

import secrets

import attrs

from srshell.fabric.calls import DEFAULT_TIMEOUT_SECONDS
from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import (
    check_resolve,
    check_resume,
    check_suspend,
    check_teardown,
    check_wait,
    resolve_direction,
)
from srshell.fabric.checks_branches import check_keep_days
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.fabric.operations import finish_operation, let_rejoin, open_seal
from srshell.fabric.status import Observed, status_report
from srshell.fabric.verbs.branches import row_of
from srshell.fabric.verbs.machines import describe_vm
from srshell.fabric.verbs.refreshing import wait_for_state
from srshell.fabric.verbs.verifying import forget_verifications, verification_of
from srshell.model.branch import DAY_SECONDS
from srshell.model.errors import SrError
from srshell.model.geometry import format_bytes
from srshell.model.inventory import Partnership
from srshell.model.report import (
    ResolveReport,
    StatusReport,
    TeardownReport,
)
from srshell.model.states import ReplicationState

_S = ReplicationState


async def status(context: Context, *, group: str | None) -> StatusReport:
    """Both sides of every group, or of one."""
    view = await context.fresh_view()
    if group is None:
        names = tuple(found.name for found in view.snapshot.groups)
    else:
        view.snapshot.group(group)
        names = both_sides(context, group)
    return status_of(context, names)


def status_of(context: Context, names: tuple[str, ...]) -> StatusReport:
    """The rows of the named groups, from what is known at this moment."""
    return status_report(
        context.view(),
        names,
        context.clock.unix(),
        lambda vm: describe_vm(context, vm),
        lambda name: Observed(
            verification=verification_of(context, name),
            stalled_seconds=context.stalled.get(name, 0.0),
            outage_seconds=_last_outage(context, name),
        ),
    )


def _last_outage(context: Context, group: str) -> float | None:
    """How long the last role change of a group took; None if there was none."""
    partnership = context.snapshot.partnership_of(group)
    return context.outages.get(partnership.partnership) if partnership else None


def both_sides(context: Context, group: str) -> tuple[str, ...]:
    """A group and its partner, the one that is primary first."""
    view = context.view()
    primary = view.primary_of(group)
    if primary is None:
        return (group,)
    partner = view.partner(primary)
    if partner is None and primary != group:
        return (group,)  # the other side has left already
    return (primary,) if partner is None else (primary, partner)


async def wait(context: Context, *, group: str, until: str, timeout: float | None) -> StatusReport:
    """Return when a group is in a state."""
    check_wait(await context.fresh_view(), group, until).enforce()
    limit = DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout
    await wait_for_state(context, group, state_named(until), limit)
    return status_of(context, both_sides(context, group))


def state_named(word: str) -> ReplicationState:
    """The state that a word names; `check_wait` has made sure that there is one."""
    return next(state for state in ReplicationState if state.value == word)


async def suspend(context: Context, *, group: str) -> Change:
    """Pause replication of a group."""
    view = await context.asked_view()
    verdict = check_suspend(view, group).enforce()
    way = resolve_direction(view, group)

    async def carry_out(handle: JobHandle) -> StatusReport:
        with handle.step("suspend"):
            await context.site(way.from_array).suspend(way.partnership.partnership)
        await context.look_at(way.from_array, way.to_array)
        context.journal.note("warning", way.primary, "SR5308", f"{way.primary} was suspended")
        return status_of(context, both_sides(context, group))

    return Change(
        f"suspend {group}",
        way.primary,
        steps(("suspend", f"{way.primary} goes on alone and logs what it writes")),
        carry_out,
        exclusive=way.partnership.partnership,
        checks=check_rows(verdict),
        already=status_of(context, both_sides(context, group)) if verdict.already else None,
    )


async def resume(
    context: Context,
    *,
    group: str,
    alone: bool,
    accept_loss: str | None,
    confirm: str | None,
    ask: bool,
) -> Change:
    """Go on: after a pause, without its seal, or without its peer."""
    view = await context.asked_view()
    verdict = check_resume(
        view, group, alone=alone, accept_loss=accept_loss, confirm=confirm, ask=ask
    ).enforce()
    way = resolve_direction(view, group)
    sealed = view.state(way.primary) is _S.PREPARED_FOR_FAILOVER
    what = "takes writes again" if sealed else "replicates again"

    async def carry_out(handle: JobHandle) -> StatusReport:
        site = context.site(way.from_array)
        with handle.step("resume"):
            if sealed:
                operation = open_seal(context, way.partnership.partnership)
                number = operation.id if operation else secrets.token_hex(8)
                await site.unseal(way.partnership.partnership, number)
                if operation is not None:
                    finish_operation(context, operation, "taken back")
            else:
                await site.resume(way.partnership.partnership, alone=alone)
                await let_rejoin(context, way)
        await context.look_at(way.from_array, way.to_array)
        context.journal.note("info", way.primary, "SR5308", f"{way.primary} was resumed")
        return status_of(context, both_sides(context, group))

    return Change(
        f"resume {group}{' --alone' if alone else ''}",
        way.primary,
        steps(("resume", f"{way.primary} {'goes on alone' if alone else what}")),
        carry_out,
        exclusive=way.partnership.partnership,
        confirm=way.from_array if alone else "",
        checks=check_rows(verdict),
        lost_bytes=None if alone else 0,
        already=status_of(context, both_sides(context, group)) if verdict.already else None,
    )


async def resolve(
    context: Context, *, group: str, keep: str, confirm: str | None, keep_days: int, ask: bool
) -> Change:
    """End a split brain."""
    view = await context.asked_view()
    check_keep_days(view, keep_days).enforce()
    verdict = check_resolve(view, group, keep, confirm, ask=ask).enforce()
    way = resolve_direction(view, group)
    loser = way.to_array if keep == way.from_array else way.from_array
    losing = way.target if loser == way.to_array else way.primary
    report = view.report(losing)
    split = report.split if report else None
    size_bytes = split.bytes if split else 0
    known = format_bytes(size_bytes) if split else "its diverging blocks"

    async def carry_out(handle: JobHandle) -> ResolveReport:
        with handle.step("save"):
            saved = await context.site(loser).give_up(
                way.partnership.partnership, float(keep_days * DAY_SECONDS)
            )
        with handle.step("follow"):
            await context.look_at(way.from_array, way.to_array)
        branch = row_of(saved)
        facts = f"{known} that only it had written; {keep} was kept"
        context.journal.say("SR6301", losing, facts, array=loser, branch=branch.name)
        return ResolveReport(
            group,
            keep,
            loser,
            branch.name,
            branch.diverged_bytes,
            directory=saved.directory,
            used_bytes=branch.used_bytes,
            expires_unix=branch.expires_unix,
        )

    return Change(
        f"resolve {group} --keep {keep}",
        group,
        steps(
            ("save", f"save all volumes of {loser}, with {known} that only it wrote, as a branch"),
            ("follow", f"let {loser} follow {keep}: what differs is copied over"),
        ),
        carry_out,
        exclusive=way.partnership.partnership,
        confirm=loser,
        checks=check_rows(verdict),
        lost_bytes=size_bytes,
    )


async def teardown(
    context: Context, *, group: str, confirm: str | None, this_side_only: bool, ask: bool
) -> Change:
    """Stop replication on both sides, or on one."""
    view = await context.asked_view()
    verdict = check_teardown(
        view, group, this_side_only=this_side_only, confirm=confirm, ask=ask
    ).enforce()
    partnership = view.snapshot.partnership_of(group)
    command = f"teardown {group}{' --this-side-only' if this_side_only else ''}"
    if partnership is None:
        nothing = TeardownReport((group,), None)
        return Change(command, group, (), _nothing, already=nothing)
    primary = view.primary_of(group) or partnership.source
    sides = [primary, partnership.other(primary)]
    names = [group] if this_side_only else [n for n in sides if n not in partnership.torn_down]

    async def carry_out(handle: JobHandle) -> TeardownReport:
        lsn: int | None = None
        for name in names:
            with handle.step(name):
                site = context.site(context.snapshot.group(name).array)
                reached = await site.dismantle_replica(partnership.partnership)
                lsn = reached if reached is not None else lsn
                _left(context, partnership.partnership, name)
        await context.look_at(*context.array_names())
        return _torn_down(context, partnership, names, lsn, verdict.warnings)

    return Change(
        command,
        group,
        steps(*((name, f"{name} leaves the partnership; its data stays") for name in names)),
        carry_out,
        exclusive=partnership.partnership,
        confirm=group,
        checks=check_rows(verdict),
    )


async def _nothing(_handle: JobHandle) -> object:
    """There is nothing to do."""
    return None


def _left(context: Context, partnership_id: str, name: str) -> None:
    """A group has left its partnership; the last one takes the partnership along."""
    partnership = context.catalogue.get(Partnership, partnership_id)
    assert partnership is not None
    left = tuple(dict.fromkeys((*partnership.torn_down, name)))
    if {partnership.source, partnership.destination} <= set(left):
        context.remove(Partnership, partnership_id)
        forget_verifications(context, partnership_id)
    else:
        context.put(attrs.evolve(partnership, torn_down=left))


def _torn_down(
    context: Context,
    partnership: Partnership,
    names: list[str],
    lsn: int | None,
    warnings: tuple[SrError, ...],
) -> TeardownReport:
    """What a tear-down did, and what is left to do."""
    left = context.catalogue.get(Partnership, partnership.partnership)
    waiting: tuple[str, ...] = ()
    if left is not None:
        sides = (partnership.source, partnership.destination)
        waiting = tuple(name for name in sides if name not in left.torn_down)
    for name in names:
        context.journal.say("SR7002", name, group=name, lsn=lsn)
    if left is None:
        context.journal.say("SR7100", partnership.source, group=partnership.source)
    logs = tuple(context.snapshot.group(name).log for name in names)
    return TeardownReport(tuple(names), lsn, waiting, logs, notes(warnings))
