"""Sites whose system calls go wrong at a chosen one: strace starts the process, or comes later.

Always true:

(1) The site is the shipped program; only the answer of the system to one call is another one, or
    the process is killed on its way into that call.
(2) strace counts the calls of each thread by itself, from the moment on that it looks.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from pathlib import Path
from typing import Final

import attrs

from srshell.backends import launch
from tests import needs
from tests.process.deadlines import until_true
from tests.process.pair import Pair

#: Calls by which a site changes files; the kernel's names.
CALLS: Final = ("pwrite64", "pwritev2", "fdatasync", "fallocate")


@attrs.frozen
class Tampering:
    """What happens to the ``nth`` call of that name in each thread, or ``onwards`` from there."""

    call: str  # one name, or several with commas between them
    fault: str  # as strace says it: "error=EIO", "signal=KILL", "delay_enter=MICROSECONDS"
    nth: int
    onwards: bool = False

    def words(self) -> list[str]:
        """Return the command that lets it happen to another command."""
        strace = needs.find("strace")
        assert strace is not None
        when = f"{self.nth}+" if self.onwards else f"{self.nth}"
        inject = f"inject={self.call}:{self.fault}:when={when}"
        quiet = ["-qqq", "-o", os.devnull]
        return [strace, "-f", *quiet, "-e", f"trace={self.call}", "-e", inject]

    def words_from_the_start(self) -> list[str]:
        """Return the command for a command that it starts."""
        # The fast way to wait for one call delivers no signals, and has to be there first.
        fast = [] if self.fault.startswith("signal") else ["--seccomp-bpf"]
        return [*self.words(), *fast]


@attrs.frozen
class Traced:
    """A site that strace looks at, which ends with it."""

    process: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        """Whether the site has ended."""
        return self.process.poll() is not None

    async def let_go(self) -> None:
        """Leave a site alone that was running before."""
        self.process.terminate()
        await asyncio.to_thread(self.process.wait)


async def start_tampered(pair: Pair, array: str, tampering: Tampering) -> Traced:
    """Start a site that is held down; return when it answers, or has ended before."""
    settings = pair.settings(array)
    reader, writer = os.pipe()
    with settings.log_path.open("ab") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [*tampering.words_from_the_start(), *launch.command(settings, writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
            cwd="/",
            env=launch.environment(),
        )
    _wait_beside(process)
    os.close(writer)
    try:
        await asyncio.to_thread(os.read, reader, 4096)
    finally:
        os.close(reader)
    return Traced(process)


async def tamper_with(pair: Pair, array: str, tampering: Tampering) -> Traced:
    """Look at a site that runs; return when no call of it goes unseen any more."""
    await pair.living(array)
    pid = pair.mark(array).pid
    process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [*tampering.words(), "-p", str(pid)], stdin=subprocess.DEVNULL, start_new_session=True
    )

    _wait_beside(process)
    threads = Path(f"/proc/{pid}/task")

    def seen() -> bool:
        if process.poll() is not None:
            return True
        try:
            return all(_is_traced(thread) for thread in threads.iterdir())
        except OSError:  # a thread has ended, or all of them
            return False

    await until_true(seen, f"every thread of {array} is looked at")
    return Traced(process)


def _wait_beside(process: subprocess.Popen[bytes]) -> None:
    """Hear of the end of a process, whenever that is: it may be after the scene."""
    threading.Thread(target=process.wait, name="strace", daemon=True).start()


def _is_traced(thread: Path) -> bool:
    return "TracerPid:\t0\n" not in (thread / "status").read_text()
