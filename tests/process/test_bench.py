"""`make bench` measures every row and prints them; what it finds is no test's business."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

_ROOT = Path(__file__).resolve().parent.parent.parent
_WORK = {
    "in process 4 KiB, depth 1",
    "in process 4 KiB, depth 32",
    "round trip 5 ms, depth 1",
    "nbd fua 4 KiB, depth 1",
    "nbd fua 4 KiB, depth 32",
    "nbd read 4 KiB, depth 32",
    "first copy, half-full, beside a sparse copy",
    "resync of 1 % random 4 KiB",
    "2 copies at 3 : 1",
}


def words(tmp_path: Path, *more: str) -> list[str]:
    short = ["--seconds", "0.2", "--pairs", "1", "--mib", "64", "--large-mib", "64"]
    return [sys.executable, "-m", "benchmarks", *short, "--folder", str(tmp_path), *more]


@pytest.mark.slow
@needs.tools("cc", "qemu-storage-daemon", "qemu-nbd", "qemu-img")
def test_every_row_is_measured_beside_something(tmp_path: Path) -> None:
    """The short form: one pair of a fifth of a second for each row."""
    report = tmp_path / "rows.json"
    done = subprocess.run(
        words(tmp_path, "--json", str(report)),
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text(encoding="utf-8"))
    assert {row["work"] for row in rows} == _WORK
    assert all(row["product"] > 0 and row["yardstick"] > 0 for row in rows)
    assert all(row["p50_seconds"] <= row["p99_seconds"] for row in rows)
    assert [line.split(",")[0] for line in done.stdout.splitlines() if line.startswith("nbd")]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


@pytest.mark.slow
@needs.tools("cc")
def test_a_run_that_is_broken_off_leaves_its_rows_and_nothing_else(tmp_path: Path) -> None:
    report = tmp_path / "rows.json"
    with subprocess.Popen(
        words(tmp_path, "--only", "writes", "--json", str(report)),
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        while line := process.stdout.readline():
            if line.startswith("in process"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    assert process.returncode in {0, 130}  # the second row may have ended first
    assert json.loads(report.read_text(encoding="utf-8"))
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]
