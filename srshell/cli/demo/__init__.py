"""`srshell demo`: the whole way of the article on real files, told as it happens.

Always true:

(1) Exit status 0 means that nothing acknowledged was lost and both sides were equal.
(2) However it ends, but for a kill, it stops the processes and removes the files that it made.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from srshell.cli.demo.dataset import MEBIBYTE, prepare
from srshell.cli.demo.screen import Screen
from srshell.cli.demo.story import Findings, Story
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import find_place
from srshell.fabric.sync_client import SyncFabric
from srshell.model.errors import SrError
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
        fabric = SyncFabric(FabricClient(place, options=OwnerOptions(sandbox=True)))
        # Known before an owner starts: whoever interrupts its start has to stop it, too.
        fabric.connect()
        findings = Story(fabric, folder, data, screen).tell()
        return _conclude(screen, findings)
    finally:
        with _uninterrupted():
            if fabric is not None:
                with suppress(SrError):  # it is gone already
                    fabric.stop_owner()
                fabric.close()
            if keep:
                screen.result(f"kept: {folder}")
            else:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Clear away to the end: who presses Ctrl-C twice wants no processes to be left either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
