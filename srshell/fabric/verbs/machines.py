"""Virtual machines: add, remove, list, check what they wrote.

Always true:

(1) A machine is a process of its own that outlives the owner; its lock says whether it runs.
(2) Its ledger stays when it is removed, and is continued by a machine of the same name.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs

from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import check_add_vm, check_remove_vm
from srshell.fabric.context import Context, RunningMachine
from srshell.fabric.jobs import JobHandle
from srshell.fabric.launch import child_environment
from srshell.fabric.records import (
    SLOT_BYTES,
    SLOTS_MAX,
    MachineRecord,
    audit,
    decode_slots,
    slot_count,
)
from srshell.fabric.reports import VmCheckReport
from srshell.fabric.writer import (
    MachineConfig,
    MachineFiles,
    Writer,
    lock_directory,
    read_config,
)
from srshell.model.errors import SrError
from srshell.model.identity import check_name, unknown
from srshell.model.inventory import Vm
from srshell.model.report import Note, VmReport, VmRow, VmsReport
from srshell.site.rundir import run_directory, socket_path

#: How long a machine may take to start or to end, in seconds.
_PATIENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_READ_BYTES = 4 * 1024**2


def files_of(context: Context, name: str) -> MachineFiles:
    """The files of a machine."""
    return MachineFiles(context.place.machines / name)


def describe_vm(context: Context, vm: Vm) -> VmRow:
    """A machine and how it is."""
    files = files_of(context, vm.name)
    said = files.read_state()
    state = str(said.get("state", "starting")) if files.running_pid() else "stopped"
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


async def add_vm(context: Context, *, name: str, volume: str, kind: str, rate: int) -> Change:
    """Run a machine on a volume of a primary group."""
    if kind != "writer":
        raise SrError.make("SR9102", kind=kind, volume=volume)
    view = await context.fresh_view()
    verdict = check_add_vm(view, name, volume).enforce()
    known = next((vm for vm in view.snapshot.vms if vm.name == name), None)

    async def carry_out(handle: JobHandle) -> VmReport:
        found = context.snapshot.volume(volume)
        group = context.snapshot.group_of_volume(volume)
        vm = Vm(name, volume, group.name if group else "", found.array, kind,
                context.clock.unix())  # fmt: skip
        with handle.step("start"):
            async with context.machine_lock:
                write_config(context, vm, rate)
                # A machine that runs is always in the catalogue, even if the owner ends just here.
                context.put(vm)
                try:
                    await start_machine(context, vm)
                except SrError:
                    context.remove(Vm, name)
                    raise
        context.journal.say("SR9105", name, vm=name, array=vm.array)
        if group is not None and context.snapshot.partnership_of(group.name):
            context.journal.say("SR9107", name, vm=name, group=group.name)
        return vm_report(context, vm, notes(verdict.warnings))

    return Change(
        f"vm add {name} --volume {volume}",
        name,
        steps(("start", f"start a {kind} on {volume}")),
        carry_out,
        checks=check_rows(verdict),
        already=vm_report(context, known) if verdict.already and known else None,
    )


def vm_report(context: Context, vm: Vm, warnings: tuple[Note, ...] = ()) -> VmReport:
    """A machine that was added or removed."""
    row = describe_vm(context, vm)
    volume = context.snapshot.find_volume(vm.volume)
    return VmReport(
        vm.name, vm.volume, vm.array, vm.group, vm.kind, row.state,
        disk=volume.path if volume else "", warnings=warnings,
    )  # fmt: skip


def write_config(context: Context, vm: Vm, rate: int) -> None:
    """Tell a machine what it is to do."""
    files = files_of(context, vm.name)
    files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = MachineConfig(
        name=vm.name,
        array=vm.array,
        volume=vm.volume,
        size_bytes=context.snapshot.volume(vm.volume).size_bytes,
        rate=rate,
        site_socket=str(site_socket(context, vm.array)),
        fabric=context.identity,
    )
    fresh = files.config.with_suffix(".new")
    fresh.write_text(json.dumps(attrs.asdict(config)))
    fresh.replace(files.config)


def site_socket(context: Context, array: str) -> Path:
    """Where the site of an array answers."""
    return socket_path(run_directory(context.place.directory), array, "site")


async def start_machine(context: Context, vm: Vm) -> None:
    """Start the process of a machine, unless it runs.

    Raises:
        SrError: SR9110, it ended while starting.
    """
    files = files_of(context, vm.name)
    if files.running_pid():
        return
    files.state.unlink(missing_ok=True)
    if context.in_process:
        _start_here(context, vm)
    else:
        await asyncio.to_thread(_spawn, files.directory)
    end = context.clock.monotonic() + _PATIENCE_SECONDS
    while not (files.running_pid() and files.read_state()):
        if context.clock.monotonic() > end:
            log = files.directory / "log"
            facts = f"it did not start; see {log}"
            raise SrError.make("SR9110", facts=facts, vm=vm.name, problem="no start",
                               volume=vm.volume, group=vm.group)  # fmt: skip
        await asyncio.sleep(_LOOK_SECONDS)


def _start_here(context: Context, vm: Vm) -> None:
    """Run a machine in this process, beside the sites."""
    files = files_of(context, vm.name)
    lock = lock_directory(files)
    assert lock >= 0, vm.name
    writer = Writer(read_config(files), files, lambda: context.site(vm.array))

    async def run() -> None:
        try:
            await writer.run()
        finally:
            os.close(lock)
            context.machines.pop(vm.name, None)

    context.machines[vm.name] = RunningMachine(writer.stop, asyncio.create_task(run()))


def _spawn(directory: Path) -> None:
    """Start the process in a session of its own, as nobody's child.  Blocks."""
    command = [sys.executable, "-m", "srshell", "writer", str(directory)]
    with (directory / "log").open("ab") as log:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=child_environment(),
            check=False,
        )


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


async def stop_machine(context: Context, vm: Vm) -> None:
    """End the process of a machine: kindly, then at once."""
    files = files_of(context, vm.name)
    here = context.machines.get(vm.name)
    if here is not None:
        here.stop()
        await here.task
        return
    number: signal.Signals = signal.SIGTERM
    end = context.clock.monotonic() + _PATIENCE_SECONDS
    while (pid := files.running_pid()) > 0:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        await asyncio.sleep(_LOOK_SECONDS)
        if context.clock.monotonic() > end:
            number = signal.SIGKILL


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


def _volume_of(context: Context, name: str) -> str:
    """The volume that a machine writes to, or wrote to last."""
    known = next((vm for vm in context.snapshot.vms if vm.name == name), None)
    if known is not None:
        return known.volume
    return str(json.loads(files_of(context, name).config.read_text())["volume"])


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
