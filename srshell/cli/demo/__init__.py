"""`srshell demo`: the whole way of the article on real files, told as it happens.

Always true: exit status 0 means that nothing acknowledged was lost and both sides were equal.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from srshell.cli.demo.dataset import MEBIBYTE, prepare
from srshell.cli.demo.screen import Screen
from srshell.cli.demo.story import Findings, Story
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import find_place
from srshell.fabric.sync_client import SyncFabric
from srshell.model.report import RoleChange


def run_demo(*, image: str | None = None, keep: bool = False) -> int:
    """Run the demo in a sandbox that is removed afterwards, unless ``keep``.

    Raises SrError SR9222 for an image that cannot be read, and whatever a step is refused with.
    """
    screen = Screen()
    folder = Path(tempfile.mkdtemp(prefix="srshell-demo-"))
    fabric: SyncFabric | None = None
    try:
        data = prepare(folder, Path(image) if image else None)
        screen.result(f"sandbox {folder}: two sites; the data is an {data.kind}")
        place = find_place(str(folder / "fabric"))
        fabric = SyncFabric(FabricClient(place, options=OwnerOptions(sandbox=True))).connect()
        findings = Story(fabric, folder, data, screen).tell()
        return _conclude(screen, findings)
    finally:
        if fabric is not None:
            fabric.stop_owner()
            fabric.close()
        if keep:
            screen.result(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _conclude(screen: Screen, findings: Findings) -> int:
    copied = findings.copied_bytes / MEBIBYTE
    rate = copied / findings.copy_seconds if findings.copy_seconds else 0.0
    p50, p99 = findings.p50_seconds * 1e3, findings.p99_seconds * 1e3
    lost = findings.missing
    rows = [
        ("writes acknowledged", str(findings.acknowledged)),
        ("acknowledged writes lost", str(lost)),
        ("first copy", f"{copied:.0f} MiB in {findings.copy_seconds:.1f} s, {rate:.0f} MiB/s"),
        ("replicated writes of 4 KiB", f"{findings.writes_per_second:.0f} a second"),
        ("their latency", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"),
        ("planned failover", _seconds(findings.planned)),
        ("failback", _seconds(findings.back)),
        ("unplanned failover", _seconds(findings.unplanned)),
        ("both sides equal", "yes" if findings.equal else "NO"),
    ]
    screen.table("What was measured", rows)
    good = not lost and findings.equal and not findings.problems
    if good:
        screen.result("nothing was lost")
    for problem in findings.problems:
        screen.failure(problem)
    return 0 if good else 1


def _seconds(change: RoleChange | None) -> str:
    if change is None:
        return "not reached"
    outage = change.write_outage_seconds
    return f"{change.seconds:.2f} s" + (f", {outage:.2f} s without writes" if outage else "")
