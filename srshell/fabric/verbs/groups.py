"""Replication groups: create, show, remove, enable their protection.

Always true: a partnership is in the catalogue before any site knows of it, so that what a crash cut
short can be completed; until both providers are refreshed no byte moves.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress

import attrs

from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import (
    View,
    check_enable,
    check_group,
    check_remove_group,
)
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.fabric.status import leads
from srshell.model.errors import SrError
from srshell.model.inventory import Group, Mode, Partnership
from srshell.model.replica import (
    OnPeerLoss,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
    ReplicaVolume,
)
from srshell.model.report import EnableReport, GroupReport, GroupsReport, Note


async def group(context: Context, *, name: str) -> GroupReport:
    """One group."""
    return group_report(await context.fresh_view(), name)


async def groups(context: Context) -> GroupsReport:
    """All groups."""
    view = await context.fresh_view()
    return GroupsReport(tuple(group_report(view, g.name) for g in view.snapshot.groups))


def group_report(view: View, name: str, warnings: tuple[Note, ...] = ()) -> GroupReport:
    """A group as it was created, and its partner."""
    found = view.snapshot.group(name)
    partnership = view.snapshot.partnership_of(name)
    return GroupReport(
        name=name,
        array=found.array,
        data=found.data,
        log=found.log,
        mode=found.mode.value,
        on_peer_loss=found.on_peer_loss.value,
        peer=view.partner(name),
        partnership=partnership.partnership if partnership else None,
        replication_state=view.state(name),
        is_primary=leads(view, name),
        vms=tuple(vm.name for vm in view.snapshot.vms if vm.group == name),
        warnings=warnings,
        copy_priority=partnership.copy_priority if partnership else None,
        copy_bytes_per_second_max=(partnership.copy_bytes_per_second or None)
        if partnership
        else None,
    )


async def create_group(
    context: Context, *, name: str, data: tuple[str, ...] | str, log: str, on_peer_loss: str
) -> Change:
    """Make a group of volumes of one array."""
    members = (data,) if isinstance(data, str) else tuple(data)
    view = await context.fresh_view()
    verdict = check_group(view, name, members, log, on_peer_loss).enforce()

    async def carry_out(handle: JobHandle) -> GroupReport:
        with handle.step("create"):
            array = context.snapshot.volume(members[0]).array
            made = Group(
                name,
                array,
                members,
                log,
                on_peer_loss=OnPeerLoss(on_peer_loss),
                created_unix=context.clock.unix(),
            )
            context.put(made)
            context.journal.say("SR3100", name, group=name)
        return group_report(context.view(), name, notes(verdict.warnings))

    return Change(
        f"group create {name}",
        name,
        steps(("create", f"{name}: data {', '.join(members)}; log {log}")),
        carry_out,
        checks=check_rows(verdict),
        already=group_report(view, name) if verdict.already else None,
    )


async def remove_group(context: Context, *, group: str) -> Change:
    """Remove a group that is not replicated."""
    verdict = check_remove_group(context.view(), group).enforce()

    async def carry_out(handle: JobHandle) -> GroupsReport:
        with handle.step("remove"):
            context.remove(Group, group)
        view = context.view()
        return GroupsReport(tuple(group_report(view, g.name) for g in view.snapshot.groups))

    return Change(
        f"group rm {group}",
        group,
        steps(("remove", f"{group} is a group no longer; its volumes stay")),
        carry_out,
        checks=check_rows(verdict),
    )


# --- enable -------------------------------------------------------------------------------------


async def enable(
    context: Context,
    *,
    source: str,
    destination: str | None,
    mode: str,
    seeded: bool,
    confirm: str | None,
    ask: bool,
) -> Change:
    """Protect a group by another."""
    view = await _view_with_contents(context, destination)
    given = confirm if ask else destination
    verdict = check_enable(view, source, destination, mode, seeded=seeded, confirm=given).enforce()
    assert destination is not None, "check_enable refuses a missing target"
    known = view.snapshot.partnership_of(source)

    async def carry_out(handle: JobHandle) -> EnableReport:
        partnership = Partnership(
            secrets.token_hex(16), source, destination, Mode(mode), seeded=seeded,
            enabled_unix=context.clock.unix(),
        )  # fmt: skip
        with handle.step("record"):
            context.put(partnership)
        try:
            for name in (destination, source):
                with handle.step(name):
                    await create_side(context, partnership, name)
        except SrError:
            await _take_back(context, partnership)
            raise
        await context.look_at(*context.array_names())
        context.journal.say("SR4100", source, source=source, destination=destination)
        return _enable_report(context, partnership, notes(verdict.warnings))

    blank = set(view.snapshot.group(destination).data).isdisjoint(
        view.site(view.snapshot.group(destination).array).contents
    )
    return Change(
        f"enable {source} {destination}",
        source,
        steps(
            ("record", f"{source} is protected by {destination}, {mode}"),
            (destination, f"reserve the volumes of {destination}"),
            (source, f"prepare the log of {source}"),
        ),
        carry_out,
        confirm="" if blank else destination,
        checks=check_rows(verdict),
        already=_enable_report(context, known, already=True)
        if verdict.already and known is not None
        else None,
    )


async def _view_with_contents(context: Context, destination: str | None) -> View:
    """The fabric, with a look at what is on the volumes of the destination."""
    view = await context.asked_view()
    found = view.snapshot.find_group(destination) if destination else None
    if found is None or view.snapshot.partnership_of(found.name) is not None:
        return view
    contents: dict[str, str] = {}
    for name in found.data:
        with suppress(SrError):
            if not await context.site(found.array).blank(name):
                contents[name] = "data that is not of this group"
    facts = attrs.evolve(view.site(found.array), contents=contents)
    return attrs.evolve(view, facts={**view.facts, found.array: facts})


async def create_side(context: Context, partnership: Partnership, group_name: str) -> ReplicaReport:
    """Let a site make its side of a partnership; harmless when it has done so."""
    group_here = context.snapshot.group(group_name)
    return await context.site(group_here.array).create_replica(
        replica_spec(context, partnership, group_name)
    )


def replica_spec(context: Context, partnership: Partnership, group_name: str) -> ReplicaSpec:
    """All that a site needs for one side; the same whenever it is asked for."""
    here = context.snapshot.group(group_name)
    there = context.snapshot.group(partnership.other(group_name))
    log = context.snapshot.volume(here.log)
    is_source = group_name == partnership.source
    return ReplicaSpec(
        partnership=partnership.partnership,
        replica=replica_identity(partnership, here.name),
        peer=replica_identity(partnership, there.name),
        group=here.name,
        peer_group=there.name,
        array=here.array,
        peer_array=there.array,
        role=ReplicaRole.PRIMARY if is_source else ReplicaRole.SECONDARY,
        initiator=is_source,
        peer_address=context.backend.link_address(there.array),
        log_path=log.path,
        log_bytes=log.size_bytes,
        volumes=tuple(_replica_volume(context, name) for name in here.data),
        on_peer_loss=here.on_peer_loss,
        seeded=partnership.seeded,
        owner_term=context.owner_term,
    )


def _replica_volume(context: Context, name: str) -> ReplicaVolume:
    volume = context.snapshot.volume(name)
    return ReplicaVolume(volume.name, volume.path, volume.size_bytes, volume.block_bytes)


def replica_identity(partnership: Partnership, group_name: str) -> str:
    """The identity of one side; the same however often it is made."""
    text = f"{partnership.partnership}:{group_name}".encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


async def _take_back(context: Context, partnership: Partnership) -> None:
    """Undo an enabling that failed half-way."""
    for name in (partnership.source, partnership.destination):
        with suppress(SrError):
            site = context.site(context.snapshot.group(name).array)
            await site.dismantle_replica(partnership.partnership)
    context.remove(Partnership, partnership.partnership)


def _enable_report(
    context: Context,
    partnership: Partnership,
    warnings: tuple[Note, ...] = (),
    *,
    already: bool = False,
) -> EnableReport:
    """A partnership, and which refreshes it waits for."""
    arrays = [
        context.snapshot.group(name).array for name in (partnership.source, partnership.destination)
    ]
    waiting = tuple(f"refresh {a}" for a in arrays if a not in partnership.refreshed)
    return EnableReport(
        partnership.source,
        partnership.destination,
        partnership.partnership,
        partnership.mode.value,
        partnership.seeded,
        waiting,
        already,
        warnings,
    )
