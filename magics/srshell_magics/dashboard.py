"""`%dashboard`: the dashboard in place of the prompt, or a picture where there is no terminal.

Always true:

(1) The dashboard is a process of its own on the fabric that this shell speaks to; when it ends the
    prompt is back, and nothing else has ended.
(2) Where nobody can press keys, a still picture says when it was taken and how the real one opens.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

import attrs

from srshell.fabric.calls import Call
from srshell.fabric.command_spec import Kind
from srshell.model.errors import SrError
from srshell_magics.connection import Connection
from srshell_magics.front import Front, Watching

_SIZE = "120x34"


@attrs.frozen
class DashboardPicture:
    """The overview as it was when it was asked for."""

    text: str
    svg: str
    how: str

    def __repr__(self) -> str:
        return f"{self.text}{self.how}"

    def _repr_html_(self) -> str:
        return f"{self.svg}<pre>{escape(self.how)}</pre>"


def open_dashboard(
    call: Call, connection: Connection, front: Front, *, read_only: bool
) -> DashboardPicture | None:
    """Show the dashboard until the person quits it; a picture where there is no terminal.

    Raises:
        SrError: no owner answers; the picture could not be taken.
    """
    # Finds the owner, or starts it, as any command does.
    connection.fabric().perform("info", {})
    place = _place(connection)
    words = [sys.executable, "-m", "srshell_tui", "--fabric", place]
    typed = _typed(call, read_only=read_only)
    if front.watching is Watching.TERMINAL and front.can_ask:
        ended = subprocess.run([*words, "dash", *typed], check=False, env=_environment())
        if ended.returncode != 0:
            facts = f"it ended with status {ended.returncode}"
            raise SrError.make("SR0108", facts=facts, mend="srshell status", option="the screen")
        return None
    how = f"srshell --fabric {shlex.quote(place)} dash"
    text = (
        f"a picture, not the present: open the dashboard in a terminal with\n    {how}\n"
        f"or in a browser of this machine with\n    {how} --web\n"
    )
    return DashboardPicture(*_pictures(words), text)


def _place(connection: Connection) -> str:
    """The fabric that the shell speaks to, as the command line names it."""
    from srshell.fabric.place import find_place

    place = find_place(connection.wanted.name)
    return str(place.shared_socket or place.directory)


def _typed(call: Call, *, read_only: bool) -> list[str]:
    """The options that were typed after the magic."""
    words = ["--read-only"] if read_only and not call.arguments.get("read_only") else []
    for argument in call.spec.arguments:
        value = call.arguments.get(argument.keyword)
        if argument.kind is Kind.FLAG:
            words += [argument.flags[0]] if value else []
        elif value is not None:
            words += [argument.flags[0], str(value)]
    return words


def _pictures(words: Sequence[str]) -> tuple[str, str]:
    """The overview as text and as SVG."""
    with tempfile.TemporaryDirectory(prefix="srshell-") as directory:
        paths = [Path(directory) / name for name in ("shot.txt", "shot.svg")]
        taking = [
            subprocess.Popen(
                [*words, "shot", "overview", "--size", _SIZE, "-o", str(path)],
                env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for path in paths
        ]  # fmt: skip
        for process in taking:
            _, problem = process.communicate()
            if process.returncode != 0:
                raise SrError.make("SR0108", facts=problem.strip()[:500], option="a picture")
        text, svg = (path.read_text(encoding="utf-8") for path in paths)
    return text, svg


def _environment() -> dict[str, str]:
    """This process's own, without what a kernel tells of its terminal."""
    from srshell.fabric.launch import child_environment

    environment = dict(child_environment())
    if environment.get("TERM", "dumb") == "dumb":
        environment["TERM"] = "xterm-256color"
    environment.setdefault("LANG", os.environ.get("LANG") or "C.UTF-8")
    return environment
