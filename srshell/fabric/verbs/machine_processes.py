"""The processes of machines: start one, end one, and guests before a role change.

Always true:

(1) Whoever starts or ends a machine holds the lock of machines.
(2) A machine that runs is not started again.
(3) A copy of the fabric, to plan on, has no machines: none is started or ended for it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from srshell.fabric.change import steps
from srshell.fabric.context import Context, RunningMachine
from srshell.fabric.guests.config import KIND, read_guest
from srshell.fabric.launch import child_environment
from srshell.fabric.verbs import guests
from srshell.fabric.writer import MachineFiles, Writer, lock_directory, read_config
from srshell.model.errors import SrError
from srshell.model.inventory import Vm
from srshell.model.report import StepRow

#: How long a machine may take to start or to end, in seconds; a guest may take some more.
_PATIENCE_SECONDS = 10.0
_GUEST_START_SECONDS = 75.0
_LOOK_SECONDS = 0.02
#: What a guest says that has ended by itself or was never there.
ENDED = frozenset({"shut down", "failed"})


def files_of(context: Context, name: str) -> MachineFiles:
    """The files of a machine."""
    return MachineFiles(context.place.machines / name)


async def start_machine(context: Context, vm: Vm) -> bool:
    """Start the process of a machine; False if it ran already.

    Raises:
        SrError: SR9112, it ended while starting.
    """
    if context.copied:
        return True
    files = files_of(context, vm.name)
    if files.running_pid():
        return False
    if vm.kind == KIND:
        await guests.serve_disk(context, vm)
    files.state.unlink(missing_ok=True)
    if context.in_process and vm.kind != KIND:
        _start_here(context, vm)
    else:
        await asyncio.to_thread(_spawn, files.directory, vm.kind)
    patience = _GUEST_START_SECONDS if vm.kind == KIND else _PATIENCE_SECONDS
    end = context.clock.monotonic() + patience
    while (state := _started(files)) is None:
        if context.clock.monotonic() > end:
            raise _no_start(vm, f"it did not start; see {files.directory / 'log'}")
        await asyncio.sleep(_LOOK_SECONDS)
    if state == "failed":
        raise _no_start(vm, str(files.read_state().get("problem", "")))
    return True


def _started(files: MachineFiles) -> str | None:
    """What a machine says once it runs or has ended; None before."""
    state = str(files.read_state().get("state", "starting"))
    if state in ENDED:
        return state
    return state if state != "starting" and files.running_pid() else None


def _no_start(vm: Vm, facts: str) -> SrError:
    return SrError.make("SR9112", facts=facts, vm=vm.name, volume=vm.volume)


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


def _spawn(directory: Path, kind: str) -> None:
    """Start the process in a session of its own, as nobody's child.  Blocks."""
    verb = "guest" if kind == KIND else "writer"
    command = [sys.executable, "-m", "srshell", verb, str(directory)]
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


async def stop_machine(context: Context, vm: Vm, *, at_once: bool = False) -> None:
    """End the process of a machine: kindly, then at once.

    Args:
        context: the fabric.
        vm: the machine.
        at_once: cut the power of a guest, whose disk is gone.
    """
    if context.copied:
        return
    files = files_of(context, vm.name)
    here = context.machines.get(vm.name)
    if here is not None:
        here.stop()
        await here.task
        return
    number, patience = signal.SIGTERM, _PATIENCE_SECONDS
    if vm.kind == KIND:
        patience += read_guest(files).stop_seconds
        number = signal.SIGQUIT if at_once else signal.SIGTERM
    end = context.clock.monotonic() + patience
    told = 0
    while (pid := files.running_pid()) != 0:
        late = context.clock.monotonic() > end
        # A second signal would end the time that a guest has for shutting down.
        if pid > 0 and (late or pid != told or vm.kind != KIND):
            try:
                os.kill(pid, signal.SIGKILL if late else number)
            except ProcessLookupError:
                return
            told = pid
        await asyncio.sleep(_LOOK_SECONDS)


async def stop_guests(context: Context, group: str) -> None:
    """Shut down what runs on the volumes of a group that is about to give its role up."""
    async with context.machine_lock:
        for vm in guests.running_guests(context, group):
            await stop_machine(context, vm)
            context.journal.say("SR9104", vm.name, vm=vm.name, array=vm.array)


def stop_rows(context: Context, group: str) -> tuple[StepRow, ...]:
    """The step of `stop_guests`, where there is something to stop."""
    names = ", ".join(vm.name for vm in guests.running_guests(context, group))
    return steps(("stop", f"shut down {names}")) if names else ()
