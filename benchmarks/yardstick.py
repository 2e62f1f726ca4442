"""Builds and runs the yardstick: `yardstick.c`, the least that a synchronous replicator must do.

Always true: a program is built once for each text of it, into ``build/``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import attrs

_HERE = Path(__file__).resolve().parent
_BUILD = _HERE.parent / "build"


@attrs.frozen
class Rate:
    """One measurement; latencies in seconds, CPU in seconds over all processes that took part."""

    writes: int
    seconds: float
    p50_seconds: float
    p99_seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Return acknowledged writes in a second."""
        return self.writes / self.seconds

    @property
    def cpu_us_per_write(self) -> float:
        """Return microseconds of CPU for one write."""
        return self.cpu_seconds / self.writes * 1e6


def percentiles(latencies_seconds: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ordered = sorted(latencies_seconds)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def compiler() -> str | None:
    """Return the C compiler of this machine; None if it has none."""
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


def build(source: str) -> Path:
    """Return a C program of this folder, built.  Raises RuntimeError where there is no compiler."""
    text = _HERE / source
    digest = hashlib.sha256(text.read_bytes()).hexdigest()[:12]
    built = _BUILD / f"{text.stem}-{digest}"
    if not built.exists():
        found = compiler()
        if found is None:
            raise RuntimeError(f"{text.stem} needs a C compiler: install gcc")
        _BUILD.mkdir(exist_ok=True)
        fresh = built.with_suffix(".new")
        command = [found, "-O2", "-pthread", "-o", str(fresh), str(text)]
        subprocess.run(command, check=True)
        fresh.replace(built)
    return built


def log_then_ack(
    folder: Path, block_bytes: int, depth: int, seconds: float, *, applies: bool = False
) -> Rate:
    """Run the yardstick for a while; its files stay in ``folder`` for the next run.

    ``applies``: it writes the records to volumes too, and syncs these before log space is reused.
    """
    words = [str(folder), str(block_bytes), str(depth), str(seconds), str(int(applies))]
    ended = subprocess.run([str(build("yardstick.c")), *words], check=True, capture_output=True)
    return Rate(**json.loads(ended.stdout))
