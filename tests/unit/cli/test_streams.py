"""Standard streams that are closed, full, or that nobody reads, under the real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from srshell.cli import show
from srshell.cli.surroundings import Exit, Surroundings
from srshell.fabric.place import FabricPlace

SRSHELL = f"{sys.executable} -m srshell"
#: Prints a report without an owner.
EXPLAIN = f"{SRSHELL} explain SR0001"


def shell(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell, whose fabric is in a directory where none is."""
    return subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, cwd=directory,
        env={**os.environ, "SRSHELL_FABRIC": str(directory / "fabric")},
    )  # fmt: skip


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_output_is_said_and_no_defect(buffered: str, tmp_path: Path) -> None:
    """As on a full disk: a code, its facts and exit 1."""
    ran = shell(f"PYTHONUNBUFFERED={buffered} {EXPLAIN} >/dev/full", tmp_path)
    lines = ran.stderr.splitlines()
    assert lines[0].startswith("SR0109 "), ran.stderr
    assert lines[2] == "  facts  standard output: No space left on device"
    assert (len(lines), ran.returncode) == (4, Exit.FAILED)


def test_a_full_output_is_said_as_json(tmp_path: Path) -> None:
    """Programs read it, too; text that is no report is no less of an output."""
    ran = shell(f"{SRSHELL} --json --version >/dev/full", tmp_path)
    assert json.loads(ran.stderr)["code"] == "SR0109"


def test_a_screen_in_lines_says_it_as_well(tmp_path: Path) -> None:
    """The dashboard is a process of its own, and no traceback reaches its reader either."""
    past = Path(__file__).parents[3] / "docs" / "pictures" / "lab-east.jsonl"
    line = f"{sys.executable} -m srshell_tui dash --plain --replay --from '{past}' >/dev/full"
    ran = shell(line, tmp_path)
    assert ran.stderr.startswith("SR0109 "), ran.stderr
    assert ran.returncode == Exit.FAILED


@pytest.mark.parametrize(
    ("command", "code"), [(f"{EXPLAIN} >&-", Exit.OK), (f"{EXPLAIN} <&- >&- 2>&-", Exit.OK),
                          (f"{SRSHELL} nonsense >&- 2>&-", Exit.USAGE)]
)  # fmt: skip
def test_closed_streams_are_devices_that_hold_nothing(
    command: str, code: Exit, tmp_path: Path
) -> None:
    """Nobody wants to hear it: the exit code alone says how it ended."""
    ran = shell(command, tmp_path)
    assert (ran.returncode, ran.stderr) == (code, "")


def test_an_error_that_nobody_can_hear_keeps_its_exit_code(tmp_path: Path) -> None:
    """Standard error is full, or closed."""
    for where in ("2>/dev/full", "2>&-"):
        assert shell(f"{SRSHELL} nonsense {where}", tmp_path).returncode == Exit.USAGE


def test_a_reader_that_went_away_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """`status | head -1` says what is wrong by its code, as without `head`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        around = Surroundings(FabricPlace(Path()), json=True, out=out)
        show.show_result('{"schema": "srshell.groups/1"}', around)
