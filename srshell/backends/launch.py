"""Start the process of a site, and end it.

Always true:

(1) A site that was started is nobody's child: it lives on when its starter ends, and whoever
    started it finds it like any other owner does, by its lock.
(2) It inherits no terminal, no directory and no open file but the pipe on which it says "ready".
(3) A signal goes to the very process that is meant, or to none.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import srshell
from srshell.model.errors import SrError
from srshell.site.process_lock import ProcessMark
from srshell.site.settings import SiteSettings

#: How long a site may take until it answers: it reads its logs before.
START_SECONDS: Final = 120.0

_POLL_SECONDS: Final = 0.02
_PIECE_BYTES: Final = 65536


async def launch(settings: SiteSettings) -> None:
    """Start a site and wait until it answers.

    Raises:
        SrError: what kept it from starting; SR9301, it ended without a word; SR1105, it says
            nothing.
    """
    reader, writer = os.pipe()
    try:
        status = await asyncio.to_thread(_spawn, settings, writer)
    except BaseException as error:
        os.close(reader)
        if isinstance(error, OSError):
            raise _ended(settings, f"start: {error.strerror}") from error
        raise
    try:
        async with asyncio.timeout(START_SECONDS):
            said = await _read_all(reader)
    except TimeoutError:
        facts = f"it did not say in {START_SECONDS:.0f} s whether it could start"
        raise SrError.make("SR1105", facts=facts, array=settings.array) from None
    if said == b"ready":
        return
    if said:
        raise SrError.from_json(json.loads(said))
    raise _ended(settings, f"it ended while starting (status {status}); see {settings.log_path}")


def send(mark: ProcessMark, number: int) -> bool:
    """Send a signal to a process; False if it has ended."""
    if not hasattr(os, "pidfd_open"):
        if not mark.alive:
            return False
        with suppress(ProcessLookupError):
            os.kill(mark.pid, number)
        return True
    try:
        descriptor = os.pidfd_open(mark.pid)
    except ProcessLookupError:
        return False
    try:
        # From here on the number cannot come to mean another process.
        if not mark.alive:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


async def ended(mark: ProcessMark) -> None:
    """Wait until a process has ended."""
    descriptor = -1
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):
            descriptor = os.pidfd_open(mark.pid)
    try:
        if descriptor >= 0 and mark.alive:
            await _readable(descriptor)
        while mark.alive:  # noqa: ASYNC110 - nobody tells us where there are no pidfds
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def command(settings: SiteSettings, ready: int) -> list[str]:
    """Return the words that start a site, which says "ready" on an open descriptor."""
    words = [sys.executable, "-P", "-m", "srshell.site"]
    words += ["--array", settings.array, "--fabric", settings.fabric]
    words += ["--directory", str(settings.directory), "--run-dir", str(settings.run_directory)]
    words += ["--owner-term", str(settings.owner_term), "--ready-fd", str(ready)]
    words += ["--link", settings.link_address] if settings.link_address else []
    words += ["--sandbox"] if settings.sandbox else []
    words += ["--commit", settings.commits.value]
    return words


def _spawn(settings: SiteSettings, writer: int) -> int:
    """Start the process and wait until it has detached itself; return its status.  Blocks.

    The writing end of the pipe is closed here: the process has its own.
    """
    try:
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with settings.log_path.open("ab") as log:
            return subprocess.run(
                command(settings, writer),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writer,),
                start_new_session=True,
                cwd="/",
                env=environment(),
                check=False,
            ).returncode
    finally:
        os.close(writer)


def environment() -> dict[str, str]:
    """Return an environment in which the new process finds this package.

    Assertions guard data: a variable that takes them out of programs is not for ours.
    """
    known = {name: value for name, value in os.environ.items() if name != "PYTHONOPTIMIZE"}
    root = Path(srshell.__file__).resolve().parent.parent
    if root.name in {"site-packages", "dist-packages"}:
        return known
    paths = [str(root), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**known, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


async def _read_all(descriptor: int) -> bytes:
    """Read a pipe to its end, and close it.

    Without a transport of the loop: uvloop's closes a pipe twice, and the number may be that of
    another thread's file by then.
    """
    said = bytearray()
    try:
        os.set_blocking(descriptor, False)
        while True:
            try:
                piece = os.read(descriptor, _PIECE_BYTES)
            except BlockingIOError:
                await _readable(descriptor)
                continue
            if not piece:
                return bytes(said.strip())
            said += piece
    finally:
        os.close(descriptor)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


def _ended(settings: SiteSettings, facts: str) -> SrError:
    return SrError.make("SR9301", facts=facts, array=settings.array)
