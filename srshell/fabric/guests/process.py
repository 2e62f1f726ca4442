r"""A machine of kind qemu: a process that starts the guest, watches over it, and shuts it down.

    starting --qemu speaks--> running <--disk is back-- paused
        |                        |  \--disk fails-------^
        |                        +--guest powers off--> shut down
        +--qemu ends--> failed   +--SIGTERM--> stopping --> stopped

Always true:

(1) Who holds the lock on the machine's directory runs the guest; qemu holds it, too, so no second
    guest starts while the first one lives.
(2) qemu does not outlive this process.
(3) SIGTERM presses the power button, waits as long as the definition says, and cuts the power then;
    SIGQUIT cuts it at once.
(4) A guest whose disk fails is paused, and goes on when the disk is back.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from srshell.fabric.detach import detach
from srshell.fabric.guests.config import GuestConfig, read_guest
from srshell.fabric.guests.program import PROGRAM, choose_accelerator, find_program, guest_command
from srshell.fabric.guests.qmp import LINE_BYTES_MAX, Qmp, QmpError
from srshell.fabric.writer import MachineFiles, lock_directory

_RETRY_SECONDS: Final = 1.0
#: Between asking qemu to end and ending it, in seconds.
_QUIT_SECONDS: Final = 5.0
_START_SECONDS: Final = 60.0
_SIGNALLED_BY_DEATH: Final = 1  # PR_SET_PDEATHSIG


class Guest:
    """One guest, from its start to its end."""

    def __init__(self, config: GuestConfig, files: MachineFiles, lock: int) -> None:
        self._config = config
        self._files = files
        self._lock = lock
        self._facts: dict[str, Any] = {}
        self._state = "starting"
        self._at_once = False
        self._ending = asyncio.Event()
        self._stopping = False
        self._shut_down_by_guest = False
        self._disk_failed = False
        self._resuming: asyncio.Task[None] | None = None
        self._qmp: Qmp | None = None

    def stop(self) -> None:
        """Press the power button."""
        self._ending.set()

    def cut(self) -> None:
        """Cut the power."""
        self._at_once = True
        self._ending.set()

    async def run(self) -> int:
        """Run the guest until it ends; 1 if it could not be started."""
        program = find_program()
        if program is None:
            return self._failed(f"{PROGRAM} is not installed")
        self.tell("starting")
        wanted, memory = self._config.hardware.accelerator, self._files.directory / "accelerator"
        accelerator = await asyncio.to_thread(choose_accelerator, program, wanted, memory)
        command = guest_command(program, self._config, accelerator)
        with (self._files.directory / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=log, limit=LINE_BYTES_MAX,
                cwd=self._files.directory, pass_fds=(self._lock,), preexec_fn=_die_with_parent,
            )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        self._facts = {"accelerator": accelerator, "qemu_pid": process.pid}
        self._qmp = Qmp(process.stdout, process.stdin, self._heard)
        hearing: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._qmp.read_greeting()
                hearing = asyncio.create_task(self._qmp.run())
                await self._qmp.execute("qmp_capabilities")
            self.tell("running")
            await self._watch(process)
        except (QmpError, TimeoutError) as error:
            return self._failed(_last_line(self._files.directory / "log") or str(error))
        finally:
            await _end(process)
            if hearing is not None:
                await hearing
            if self._resuming is not None:
                self._resuming.cancel()
        self.tell("shut down" if self._shut_down_by_guest else "stopped")
        return 0

    async def _watch(self, process: Process) -> None:
        """Wait until the guest has ended, or is told to."""
        ended = asyncio.create_task(process.wait())
        told = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return
            self._stopping = True
            self.tell("stopping")
            if not self._at_once:
                await self._press_button(ended)
            if not ended.done():
                await self._quit(ended)
        finally:
            told.cancel()

    async def _press_button(self, ended: asyncio.Task[int]) -> None:
        assert self._qmp is not None
        with suppress(QmpError):
            await self._qmp.execute("system_powerdown")
        self._ending.clear()
        told_again = asyncio.create_task(self._ending.wait())
        # A second word from outside, SIGQUIT or SIGTERM, ends the waiting.
        await asyncio.wait(
            {ended, told_again},
            timeout=self._config.stop_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        told_again.cancel()

    async def _quit(self, ended: asyncio.Task[int]) -> None:
        assert self._qmp is not None
        asking = asyncio.create_task(self._qmp.execute("quit"))
        await asyncio.wait({ended}, timeout=_QUIT_SECONDS)
        asking.cancel()
        with suppress(QmpError, asyncio.CancelledError):
            await asking

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        """Take note of what happened in qemu."""
        if event == "SHUTDOWN":
            by_guest = data.get("reason") == "guest-shutdown"
            self._shut_down_by_guest = by_guest and not self._stopping
        elif event == "BLOCK_IO_ERROR" and data.get("action") == "stop":
            self._disk_failed = True
            self.tell("paused", f"its disk failed: {data.get('reason', 'no reason given')}")
        elif event == "STOP" and self._disk_failed and self._resuming is None:
            self._resuming = asyncio.create_task(self._go_on())
        elif event == "RESUME":
            self._disk_failed = False
            self.tell("running")
        elif event == "GUEST_PANICKED":
            self.tell("panicked")

    async def _go_on(self) -> None:
        """Let a guest go on whose disk had failed; if it fails again, this is begun again."""
        assert self._qmp is not None
        await asyncio.sleep(_RETRY_SECONDS)
        self._resuming = None
        with suppress(QmpError):
            await self._qmp.execute("cont")

    def _failed(self, problem: str) -> int:
        self.tell("failed", problem)
        return 1

    def tell(self, state: str, problem: str = "") -> None:
        """Say how it goes."""
        self._state = state
        said = {"state": state, "problem": problem, **self._facts}
        fresh = self._files.state.with_suffix(".new")
        fresh.write_text(json.dumps(said))
        fresh.replace(self._files.state)


async def _end(process: Process) -> None:
    """Leave no qemu behind."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _die_with_parent() -> None:
    """Between fork and exec: end when the process that started us ends, however it does."""
    ctypes.CDLL(None).prctl(_SIGNALLED_BY_DEATH, signal.SIGKILL)


def _last_line(path: Path) -> str:
    """The last thing that qemu complained of."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


async def _run(config: GuestConfig, files: MachineFiles, lock: int) -> int:
    guest = Guest(config, files, lock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, guest.stop)
    loop.add_signal_handler(signal.SIGQUIT, guest.cut)
    return await guest.run()


def main(directory: str) -> int:
    """Run the guest whose files are in ``directory``; 1 if it runs already or does not start."""
    detach()
    os.umask(0o077)
    files = MachineFiles(Path(directory))
    config = read_guest(files)
    lock = lock_directory(files)
    if lock < 0:
        return 1
    try:
        return asyncio.run(_run(config, files, lock))
    finally:
        os.close(lock)
