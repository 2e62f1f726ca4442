"""Two-site scenarios as text: what a person types, and what is answered.

A transcript is a file of lines:

    $ srshell status PriRG        a command; what follows up to the next one is its output
    [exit 2]                      its exit code, when that is not 0
    …                             alone on a line: any lines; inside a line: any text

EAST and WEST stand for the two places.  The sites are real, on real files, in this process.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import attrs
import pytest

from srshell.backends.base import Backend
from srshell.backends.embedded import EmbeddedBackend
from srshell.cli import main
from srshell.engine.world import Limits
from srshell.fabric.opening import open_fabric
from tests.unit.fabric.serving import serve

TRANSCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))

#: A lost peer is noticed soon, but not by mistake on a busy machine.
LIMITS = Limits(
    heartbeat_seconds=0.2,
    peer_timeout_seconds=3.0,
    stable_link_seconds=0.1,
    reconnect_seconds=0.05,
    reconnect_seconds_max=0.1,
)


@attrs.frozen
class Exchange:
    """One command and what is expected of it."""

    line: int
    command: str
    answer: tuple[str, ...]
    exit_code: int


def read_transcript(text: str) -> list[Exchange]:
    """The exchanges of a transcript; lines that begin with # are remarks."""
    exchanges: list[Exchange] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            exchanges.append(Exchange(number, line[2:], (), 0))
        elif line.startswith("#") or not line or not exchanges:
            continue
        elif found := re.fullmatch(r"\[exit (\d+)\]", line):
            exchanges[-1] = attrs.evolve(exchanges[-1], exit_code=int(found[1]))
        else:
            answer = (*exchanges[-1].answer, line.rstrip())
            exchanges[-1] = attrs.evolve(exchanges[-1], answer=answer)
    return exchanges


def pattern(answer: tuple[str, ...]) -> str:
    """The regular expression that an answer stands for; spaces may be any number of spaces."""
    lines = []
    for line in answer:
        if line == "…":
            lines.append(r"(?:.*\n)*?")
            continue
        words = [re.escape(part) for part in re.split(r" +", line)]
        lines.append(r" +".join(words).replace("…", ".*?").replace(r"\…", ".*?") + " *\n")
    return "".join(lines)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """What EAST and WEST stand for."""
    names = {"EAST": tmp_path / "east", "WEST": tmp_path / "west"}
    for path in names.values():
        path.mkdir()
    return {name: str(path) for name, path in names.items()}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fabric that the command line reaches."""

    def backend(directory: Path, fabric: str, owner_term: int) -> Backend:
        made = EmbeddedBackend(directory, fabric, owner_term, limits=LIMITS)
        return cast("Backend", made)

    directory = tmp_path / "fabric"
    monkeypatch.setenv("SRSHELL_FABRIC", str(directory))
    with serve(open_fabric(directory, sandbox=True, make_backend=backend)):
        yield


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path, places: dict[str, str], served: None) -> None:
    """Every answer is the expected one, word for word where it matters."""
    for exchange in read_transcript(transcript.read_text()):
        command = re.sub(r"\b(EAST|WEST)\b", lambda m: places[m[1]], exchange.command)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(shlex.split(command)[1:])
        said = out.getvalue() + err.getvalue()
        for name, path in places.items():
            said = said.replace(path, name)
        where = f"{transcript.name}:{exchange.line}: {exchange.command}"
        assert code == exchange.exit_code, f"{where}\n{said}"
        if exchange.answer:
            expected = "\n".join(exchange.answer)
            assert re.fullmatch(pattern(exchange.answer), said), (
                f"{where}\n{said}\n-- not --\n{expected}"
            )
