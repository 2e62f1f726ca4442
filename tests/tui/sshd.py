"""An SSH server of the present user, on loopback, and sessions on it.

Always true:

(1) Keys, configuration and port are its own, in a temporary folder; what the system has of these is
    neither read nor changed.
(2) What was started here has ended when the fixture ends.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pexpect
import pytest

from tests import needs
from tests.tui.terminals import COLUMNS, LINES, PATIENCE_SECONDS, Terminal

#: Where a server that root starts wants to lock its helper into, empty.
_CELL: Final = Path("/run/sshd")
_SHUT_SHELLS: Final = frozenset({"nologin", "false"})
_ATTEMPTS: Final = 5
_LOOK_SECONDS: Final = 0.02


@attrs.frozen
class Standing:
    """What the system says of a process."""

    parent: int
    session: int  #: the process that leads its session
    terminal: int  #: its controlling terminal; 0: none

    @classmethod
    def of(cls, pid: int) -> Standing | None:
        """The standing of a process; None if it has ended."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, parent, _, session, terminal, *_ = text.rpartition(")")[2].split()
        return None if state in "ZX" else cls(int(parent), int(session), int(terminal))


@attrs.define
class Session:
    """A program in a session over SSH, behind the terminal of the client."""

    terminal: Terminal
    pid_file: Path

    @property
    def pid(self) -> int:
        """The program, at the far end."""
        return int(self.pid_file.read_text(encoding="ascii"))

    def drop(self) -> None:
        """The line is cut: the client is gone without a word."""
        self.terminal.process.kill(signal.SIGKILL)

    def log_out(self) -> None:
        """The user is logged out: the server's process for this session ends."""
        pid = self.pid
        while (standing := Standing.of(pid)) is not None and pid > 1:
            pid = standing.parent
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            if name.startswith("sshd"):
                os.kill(pid, signal.SIGKILL)
                return
        raise AssertionError(f"no server above process {self.pid}")

    def await_end(self, *programs: int) -> None:
        """Wait until programs of this session have ended, with the terminal that they had."""
        end = time.monotonic() + PATIENCE_SECONDS
        while any(Standing.of(pid) for pid in programs):
            assert time.monotonic() < end, f"{programs} go on although their terminal is gone"
            time.sleep(_LOOK_SECONDS)
        self.terminal.process.close(force=True)


@attrs.frozen
class SshServer:
    """A server that listens."""

    folder: Path
    port: int
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def run(self, *words: str) -> Session:
        """Run a program in a session of its own."""
        pid_file = self.folder / f"pid{next(self._numbers)}"
        inner = f"echo $$ >{shlex.quote(str(pid_file))}; exec {shlex.join(words)}"
        process: pexpect.spawn[bytes] = pexpect.spawn(
            str(needs.find("ssh")),
            [
                "-F", "/dev/null", "-tt", "-p", str(self.port), "-i", str(self.folder / "user"),
                "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", f"UserKnownHostsFile={self.folder / 'known'}",
                "-o", "StrictHostKeyChecking=yes",
                "-o", "LogLevel=ERROR", f"{_account().pw_name}@127.0.0.1",
                f"exec /bin/sh -c {shlex.quote(inner)}",
            ],
            dimensions=(LINES, COLUMNS),
            env={**os.environ, "TERM": "xterm-256color"},
            timeout=PATIENCE_SECONDS,
        )  # fmt: skip
        return Session(Terminal(process), pid_file)


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run a server whose files lie in a folder; skips the test if the user may not log in."""
    _skip_who_may_not_log_in()
    _make_keys(folder)
    made_cell = os.geteuid() == 0 and not _CELL.exists()
    if made_cell:
        _CELL.mkdir(mode=0o755)
    process, port = _start(folder)
    try:
        yield SshServer(folder, port)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        if made_cell:
            _CELL.rmdir()


def _account() -> pwd.struct_passwd:
    """The account of the user who runs the tests."""
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        pytest.skip(f"needs an account for user id {os.geteuid()}, to log in over SSH")


def _skip_who_may_not_log_in() -> None:
    """No server lets in an account that is locked or has no shell."""
    account = _account()
    if Path(account.pw_shell).name in _SHUT_SHELLS:
        pytest.skip(f"needs a shell to log in over SSH; {account.pw_name} has {account.pw_shell}")
    shadow = Path("/etc/shadow")
    if os.access(shadow, os.R_OK):
        for line in shadow.read_text(encoding="utf-8").splitlines():
            name, password, *_ = line.split(":")
            if name == account.pw_name and password.startswith("!"):
                pytest.skip(f"needs an account that is not locked; {name} is, and SSH lets none in")


def _make_keys(folder: Path) -> None:
    """A key of the server and one of the user, who may come in with it."""
    for name in ("host", "user"):
        command = [str(needs.find("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-C", name]
        subprocess.run([*command, "-f", str(folder / name)], check=True)
    (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server on a port that was free a moment ago; another one if it no longer was."""
    said = b""
    for _ in range(_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        settings = {
            "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "authorized", "PidFile": "none", "UsePAM": "no",
            "StrictModes": "no", "PasswordAuthentication": "no", "PermitRootLogin": "yes",
            "KbdInteractiveAuthentication": "no", "PrintMotd": "no", "PrintLastLog": "no",
            "PermitUserRC": "no",
        }  # fmt: skip
        path = folder / "config"
        path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(needs.find("sshd")), "-D", "-e", "-f", str(path)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if b"Server listening on" in log.read_bytes():
                host_key = (folder / "host.pub").read_text(encoding="ascii")
                (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}", encoding="ascii")
                return process, port
            time.sleep(_LOOK_SECONDS)
        process.kill()
        process.wait()
        said = log.read_bytes()
    raise AssertionError(f"sshd does not start: {said.decode(errors='replace')}")
