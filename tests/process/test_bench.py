"""`make bench` measures every row and prints them; what it finds is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

_ROOT = Path(__file__).resolve().parent.parent.parent
_CELLS = {f"{kib} KiB, depth {depth}" for kib in (4, 64) for depth in (1, 32)}


@pytest.mark.slow
@needs.tools("fio", "cc", "qemu-storage-daemon", "qemu-nbd")
def test_every_row_is_measured_beside_the_yardstick(tmp_path: Path) -> None:
    """The short form: one pair of a fifth of a second for each row."""
    report = tmp_path / "rows.json"
    short = ["--seconds", "0.2", "--pairs", "1", "--mib", "64"]
    short += ["--folder", str(tmp_path), "--json", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *short],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text(encoding="utf-8"))
    work = {row["work"] for row in rows}
    ways = ("in process", "python", "nbd")
    assert {f"{way} {cell}" for way in ways for cell in _CELLS} < work
    assert {
        "nbd fua 4 KiB, depth 32",
        "nbd write 64 KiB, depth 8",
        "nbd read 4 KiB, depth 32",
        "2 copies at 3 : 1, MiB/s",
    } < work
    for start in ("first copy", "resync"):
        assert [name for name in work if name.startswith(start)]
    assert all(row["product"] > 0 and row["yardstick"] > 0 and row["cpu_us"] > 0 for row in rows)
    assert all(row["p50_seconds"] <= row["p99_seconds"] for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]
