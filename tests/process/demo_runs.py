"""Runs of `srshell demo` as a person starts it: a process with a folder for its sandbox.

Always true: nothing of a run lies outside its folder; what is left there, and what still runs for
it, is looked up and never assumed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

_PATIENCE_SECONDS = 300.0
#: How long an owner may take from letting go of its fabric to the end of its process.
_FAREWELL_SECONDS = 60.0
_LOOK_SECONDS = 0.02
#: After how long a person presses Ctrl-C again.
_IMPATIENCE_SECONDS = 0.2


@attrs.frozen
class Ended:
    """What a run left behind."""

    code: int
    output: str
    errors: str
    folders: tuple[str, ...]  # what lies where sandboxes are made
    processes: tuple[str, ...]  # command lines that name the folder


@attrs.frozen
class Demo:
    """A run that goes on."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        """What it has said."""
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def interrupt_at(self, words: str, *, twice: bool, by: signal.Signals = signal.SIGINT) -> None:
        """Press Ctrl-C when it says something: the whole foreground group gets the signal."""
        self._until(lambda: words in self.output or self.process.poll() is not None, words)
        os.killpg(self.process.pid, by)
        if twice:
            time.sleep(_IMPATIENCE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, by)

    def end(self) -> Ended:
        """Wait until it has ended, and look at what is left."""
        code = self.process.wait(_PATIENCE_SECONDS)
        # An owner says that it has let go of its fabric an instant before its process ends.
        end = time.monotonic() + _FAREWELL_SECONDS
        while living(self.folder) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
        left = tuple(path.name for path in sorted((self.folder / "t").iterdir()))
        # What was not foreseen is told in a file; a test that fails should show it.
        told = [self.folder / "errors", *(self.folder / "t").glob("srshell-*.log")]
        errors = "".join(path.read_text(encoding="utf-8") for path in told)
        return Ended(code, self.output, errors, left, living(self.folder))

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not happened():
            assert time.monotonic() < end, f"{what}: not said in time; said was\n{self.output}"
            time.sleep(_LOOK_SECONDS)


def living(folder: Path) -> tuple[str, ...]:
    """Command lines of the processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it has ended meanwhile
                continue
            if str(folder) in words:
                found.append(f"{entry.name} {words}")
    return tuple(found)


@contextmanager
def demo(*words: str) -> Iterator[Demo]:
    """Start `srshell demo` without a terminal; kill what is left of it at the end."""
    with tempfile.TemporaryDirectory(prefix="d-") as name:
        folder = Path(name)
        (folder / "t").mkdir()
        environment = {key: value for key, value in os.environ.items() if key != "TERM"}
        with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "srshell", "demo", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**environment, "TMPDIR": str(folder / "t"), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        try:
            yield Demo(folder, process)
        finally:
            process.kill()
            process.wait()
            for line in living(folder):
                os.kill(int(line.split()[0]), signal.SIGKILL)
