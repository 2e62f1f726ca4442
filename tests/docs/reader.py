"""A reader who does what a page says, in a home and a folder of their own.

Always true: variables that a block exports are there in the next one, as in one terminal.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import attrs

from tests.docs.fences import Exchange, Fence, matches
from tests.docs.ipython_cells import MARKER

_CELLS = Path(__file__).with_name("ipython_cells.py")
_TIMEOUT_SECONDS = 300  # of one block
_OUT = re.compile(r"^Out\[\d+\]: ?", re.MULTILINE)


@attrs.frozen
class Reader:
    """Someone with a terminal in ``folder``."""

    folder: Path

    def __attrs_post_init__(self) -> None:
        """Make the home, and a folder for what the reader's terminal remembers."""
        for name in (".home", ".terminal"):
            (self.folder / name).mkdir()

    def follow(self, fence: Fence) -> list[str]:
        """Do what a block says; return what did not come out as the page shows it."""
        exchanges = fence.exchanges()
        match fence.kind:
            case "sh":
                outputs, code = self._shell(f"set -euo pipefail\n{fence.text}")
            case "console":
                outputs, code = self._console(exchanges)
            case "python":
                outputs, code = self._program("page.py", fence.text, "")
            case _:
                cells = json.dumps([exchange.typed for exchange in exchanges])
                outputs, code = self._program("cells.json", cells, str(_CELLS))
        problems = [] if code == 0 else [f"{fence}: ended with {code}:\n{outputs}"]
        parts = outputs.split(f"{MARKER}\n")[1:]
        if fence.kind in {"console", "ipython"} and len(parts) != len(exchanges):
            problems.append(f"{fence}: ended after {len(parts)} of {len(exchanges)} commands")
        return problems + _differences(fence, exchanges, parts)

    def tidy(self) -> None:
        """Stop what the reader left running."""
        if any(self.folder.rglob("current")):  # where labs are kept, if one was begun
            self._shell("srshell lab stop --remove >/dev/null 2>&1 || true")
        self._shell("srshell stop >/dev/null 2>&1 || true")

    def _console(self, exchanges: list[Exchange]) -> tuple[str, int]:
        """Type commands one by one; a refused one is part of what a page shows."""
        script = "".join(
            f"echo '{MARKER}'\n{{ {exchange.typed}\n}} 2>&1 || true\n" for exchange in exchanges
        )
        return self._shell(script)

    def _program(self, name: str, text: str, runner: str) -> tuple[str, int]:
        """Run a text as a program of Python, or hand it to one."""
        path = self.folder / ".terminal" / name
        path.write_text(text, encoding="utf-8")
        return self._shell(f"'{sys.executable}' {runner} '{path}'")

    def _shell(self, script: str) -> tuple[str, int]:
        """Run a script with the variables that earlier blocks have set."""
        state = self.folder / ".terminal" / "state.sh"
        before = f". '{state}'\n" if state.exists() else ""
        after = f"trap \"export -p > '{state}'; echo cd \\\"'\\$PWD'\\\" >> '{state}'\" EXIT\n"
        done = subprocess.run(
            ["bash", "-c", f"{before}{after}{script}"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return done.stdout, done.returncode

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SRSHELL_", "PYTEST_", "XDG_"))
        }
        programs = Path(sys.executable).parent
        return {
            **kept,
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder / ".home"),
            "IPYTHONDIR": str(self.folder / ".home" / "ipython"),
            "COLUMNS": "160",
            "TERM": "dumb",
            "PYTHONWARNINGS": "error::SyntaxWarning",
        }


def _differences(fence: Fence, exchanges: list[Exchange], parts: list[str]) -> list[str]:
    """What was printed otherwise than shown."""
    return [
        f"{fence}: {exchange.typed!r} printed\n{printed}\nthe page shows\n"
        + "\n".join(exchange.shown)
        for exchange, part in zip(exchanges, parts, strict=False)
        if exchange.shown and not matches(exchange.shown, printed := _OUT.sub("", part))
    ]
