"""Virtual machines: add, remove, list, check what they wrote.

Always true:

(1) A machine is a process of its own that outlives the owner; its lock says whether it runs.
(2) Its definition and its ledger stay when it is removed; a machine of the same name continues the
    ledger, and one on the other side's volume finds the definition with the replicated data.
"""

from __future__ import annotations

import json
from pathlib import Path

from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import check_add_vm, check_remove_vm
from srshell.fabric.context import Context
from srshell.fabric.guests.config import (
    KIND,
    Hardware,
    console_of,
    kind_of,
    write_definition,
)
from srshell.fabric.jobs import JobHandle
from srshell.fabric.records import (
    SLOT_BYTES,
    SLOTS_MAX,
    MachineRecord,
    audit,
    decode_slots,
    slot_count,
)
from srshell.fabric.reports import VmCheckReport
from srshell.fabric.verbs import guests
from srshell.fabric.verbs.machine_processes import ENDED, files_of, start_machine, stop_machine
from srshell.fabric.writer import (
    MachineConfig,
    MachineFiles,
)
from srshell.model.errors import SrError
from srshell.model.geometry import parse_size
from srshell.model.identity import check_name, unknown
from srshell.model.inventory import Vm
from srshell.model.report import Note, VmReport, VmRow, VmsReport
from srshell.site.rundir import run_directory, socket_path

_READ_BYTES = 4 * 1024**2


def describe_vm(context: Context, vm: Vm) -> VmRow:
    """A machine and how it is."""
    files = files_of(context, vm.name)
    said = files.read_state()
    state = str(said.get("state", "starting"))
    if not files.running_pid() and state not in ENDED:
        state = "stopped"
    return VmRow(
        name=vm.name,
        volume=vm.volume,
        array=vm.array,
        group=vm.group,
        kind=vm.kind,
        state=state,
        written_records=len(files.read_ledger()),
    )


async def vms(context: Context) -> VmsReport:
    """All machines."""
    return VmsReport(tuple(describe_vm(context, vm) for vm in context.snapshot.vms))


async def add_vm(
    context: Context,
    *,
    name: str,
    volume: str,
    kind: str | None,
    rate: int,
    memory: int | str | None,
    template: str | None,
    kernel: str | None,
    initrd: str | None,
    append: str | None,
    accelerator: str | None,
) -> Change:
    """Run a machine on a volume of a primary group."""
    view = await context.fresh_view()
    verdict = check_add_vm(view, name, volume).enforce()
    known = next((vm for vm in view.snapshot.vms if vm.name == name), None)
    model = guests.find_definition(context, name, volume)
    kind = kind or (known.kind if known else kind_of(model) if model else "writer")
    size_bytes = parse_size(memory) if memory is not None else None
    hardware = guests.with_hardware(size_bytes, kernel, initrd, append, accelerator)
    follows = model is not None and _volume_in(model) != volume
    form = await _check_kind(context, kind, volume, hardware, template)
    runs = verdict.already and known is not None and files_of(context, name).running_pid()

    async def carry_out(handle: JobHandle) -> VmReport:
        found = context.snapshot.volume(volume)
        group = context.snapshot.group_of_volume(volume)
        vm = Vm(name, volume, group.name if group else "", found.array, kind,
                context.clock.unix())  # fmt: skip
        if template is not None and not context.copied:
            with handle.step("template"):
                await guests.write_template(context, handle, vm, template, form)
        with handle.step("start"):
            async with context.machine_lock:
                await _start_new(context, vm, known, rate, hardware)
        context.journal.say("SR9105", name, vm=name, array=vm.array)
        if group is not None and context.snapshot.partnership_of(group.name):
            context.journal.say("SR9107", name, vm=name, group=group.name)
        if follows:
            context.journal.say("SR9109", name, vm=name, volume=volume)
        return vm_report(context, vm, notes(verdict.warnings))

    filling = [("template", f"write {template} to {volume}")] if template else []
    return Change(
        f"vm add {name} --volume {volume}",
        name,
        steps(*filling, ("start", f"start a {kind} on {volume}")),
        carry_out,
        checks=check_rows(verdict),
        already=vm_report(context, known) if runs and known else None,
    )


async def _check_kind(
    context: Context, kind: str, volume: str, hardware: Hardware | None, template: str | None
) -> str:
    """Refuse what cannot be run; the format of the template, if there is one."""
    if kind == KIND:
        guests.check_installed(volume, hardware)
        if template is None:
            return ""
        size_bytes = context.snapshot.volume(volume).size_bytes
        return await guests.check_template(volume, size_bytes, template)
    if kind != "writer":
        raise SrError.make("SR9102", kind=kind, volume=volume)
    if hardware is not None or template is not None:
        facts = f"a machine of kind {kind} has no hardware and no template"
        raise SrError.make("SR0108", facts=facts, option="--kind")
    return ""


async def _start_new(
    context: Context, vm: Vm, known: Vm | None, rate: int, hardware: Hardware | None
) -> None:
    """Start a machine that is asked for; one that was elsewhere is moved.

    The caller holds the lock of machines.
    """
    if known is not None:
        # One that is moved has no disk any more where it was.
        await stop_machine(context, known, at_once=known.volume != vm.volume)
    # Looked for again: whoever asked first may have waited for the lock.
    model = guests.find_definition(context, vm.name, vm.volume)
    if context.copied:
        context.put(vm)
        return
    if vm.kind == KIND:
        write_definition(
            files_of(context, vm.name), guests.define_guest(context, vm, hardware, model)
        )
    else:
        write_config(context, vm, rate)
    # A machine that runs is always in the catalogue, even if the owner ends just here.
    context.put(vm)
    try:
        await start_machine(context, vm)
    except SrError:
        if known is None:
            context.remove(Vm, vm.name)
        raise


def vm_report(context: Context, vm: Vm, warnings: tuple[Note, ...] = ()) -> VmReport:
    """A machine that was added or removed."""
    row = describe_vm(context, vm)
    volume = context.snapshot.find_volume(vm.volume)
    return VmReport(
        vm.name, vm.volume, vm.array, vm.group, vm.kind, row.state,
        disk=volume.path if volume else "", warnings=warnings,
        console=str(console_of(files_of(context, vm.name))) if vm.kind == KIND else "",
    )  # fmt: skip


def write_config(context: Context, vm: Vm, rate: int) -> None:
    """Tell a machine that writes what it is to do."""
    config = MachineConfig(
        name=vm.name,
        array=vm.array,
        volume=vm.volume,
        size_bytes=context.snapshot.volume(vm.volume).size_bytes,
        rate=rate,
        site_socket=str(site_socket(context, vm.array)),
        fabric=context.identity,
    )
    write_definition(files_of(context, vm.name), config)


def site_socket(context: Context, array: str) -> Path:
    """Where the site of an array answers."""
    return socket_path(run_directory(context.place.directory), array, "site")


async def remove_vm(context: Context, *, name: str) -> Change:
    """Stop a machine and remove it."""
    verdict = check_remove_vm(context.view(), name).enforce()
    vm = context.snapshot.vm(name)

    async def carry_out(handle: JobHandle) -> VmReport:
        async with context.machine_lock:
            with handle.step("stop"):
                await stop_machine(context, vm)
            with handle.step("remove"):
                context.remove(Vm, name)
        context.journal.say("SR9104", name, vm=name, array=vm.array)
        return vm_report(context, vm)

    return Change(
        f"vm rm {name}",
        name,
        steps(("stop", f"stop {name}"), ("remove", f"remove {name}; its data stays")),
        carry_out,
        checks=check_rows(verdict),
    )


async def check_vm(context: Context, *, name: str, volume: str | None) -> VmCheckReport:
    """Read back every record that a machine had acknowledged."""
    files = files_of(context, check_name(name, "virtual machine"))
    if not files.ledger.exists():
        known = [p.name for p in context.place.machines.glob("*")]
        raise unknown("virtual machine", name, known, mend="srshell vms")
    where = volume or _volume_of(context, name)
    found = context.snapshot.volume(where)
    sequences = files.read_ledger()
    slots = await _read_slots(context, found.array, where, found.size_bytes)
    result = audit(files.read_stream(), sequences, slots)
    if result.missing:
        problem = f"{result.missing} acknowledged records missing"
        context.journal.say("SR9110", name, vm=name, problem=problem, volume=where)
    return VmCheckReport(
        name=name,
        volume=where,
        records_acknowledged=result.acknowledged,
        records_found=result.found,
        records_missing=result.missing,
        first_missing=result.first_missing,
        records_beyond=result.beyond,
        equal=result.missing == 0,
    )


def _volume_in(files: MachineFiles) -> str:
    """The volume that a definition names."""
    return str(json.loads(files.config.read_text())["volume"])


def _volume_of(context: Context, name: str) -> str:
    """The volume that a machine writes to, or wrote to last."""
    known = next((vm for vm in context.snapshot.vms if vm.name == name), None)
    if known is not None:
        return known.volume
    return _volume_in(files_of(context, name))


async def _read_slots(
    context: Context, array: str, volume: str, size_bytes: int
) -> list[MachineRecord | None]:
    """All slots of a volume."""
    site = context.site(array)
    length = min(slot_count(size_bytes), SLOTS_MAX) * SLOT_BYTES
    slots: list[MachineRecord | None] = []
    for offset in range(0, length, _READ_BYTES):
        data = await site.read(volume, offset, min(_READ_BYTES, length - offset))
        slots += decode_slots(data)
    return slots
