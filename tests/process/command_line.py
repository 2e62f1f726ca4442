"""Command lines as a person types them, and what they must look like when they are refused."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from srshell.fabric.calls import parse_words
from srshell.model.errors import ERROR_SCHEMA
from tests import needs

_ROOT = Path(__file__).resolve().parents[2]


@attrs.frozen
class Ran:
    """What a command said and how it ended."""

    words: str
    code: int
    output: str
    errors: str

    def result(self) -> Any:  # noqa: ANN401 - each command has its own
        """Return what a command that must succeed has printed."""
        assert self.code == 0, self
        return json.loads(self.output)

    def refusal(self) -> Mapping[str, Any]:
        """Return the error of a command that must be refused, after looking at its form."""
        assert self.code in {1, 3, 64}, self
        assert not self.output, self
        assert "Traceback" not in self.errors, self
        return well_formed(json.loads(self.errors))


def well_formed(error: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an error in which all is said that a person needs; its mend can be typed."""
    assert error["schema"] == ERROR_SCHEMA
    assert all(error[field] for field in ("code", "message", "rule", "mend")), error
    assert "facts" in error, error
    first, *mend = shlex.split(error["mend"])
    assert first == "srshell", error
    if mend[0] == "--fabric":
        del mend[:2]
    if "--help" not in mend:
        parse_words(mend)
    return error


async def srshell(
    fabric: Path, words: str, *, prefix: Sequence[str] = (), as_json: bool = True
) -> Ran:
    """Run a command in the folder that the fabric lies in."""
    shown = ["--json"] if as_json else []
    command = [*prefix, sys.executable, "-m", "srshell", "--fabric", str(fabric)]
    command += [*shlex.split(words), *shown]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            check=False,
            cwd=fabric.parent,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    ended = await asyncio.to_thread(run)
    return Ran(words, ended.returncode, ended.stdout, ended.stderr)


def ordinary() -> list[str]:
    """Return words before a command that make permissions count, also for root."""
    if os.geteuid() != 0:
        return []
    setpriv = needs.find("setpriv")
    assert setpriv is not None
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search"]
