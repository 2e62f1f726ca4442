"""`srshell demo`: the whole way of the article on real files, told as it happens.

Always true:

(1) Exit status 0 means that nothing acknowledged was lost and both sides were equal.
(2) However it ends, but for SIGKILL, it stops the processes and removes the files that it made.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import FrameType

from srshell.cli.demo.dataset import MEBIBYTE, prepare
from srshell.cli.demo.screen import Screen
from srshell.cli.demo.story import Findings, Story
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import find_place
from srshell.fabric.sync_client import SyncFabric
from srshell.model.errors import SrError
from srshell.model.report import RoleChange

Handler = Callable[[int, FrameType | None], object] | signal.Handlers
#: What ends a process that nobody interrupts: its terminal is closed, its time is over.
_ENDING = (signal.SIGHUP, signal.SIGTERM)


def run_demo(*, image: str | None = None, keep: bool = False) -> int:
    """Run the demo in a sandbox that is removed afterwards, unless ``keep``.

    Raises SrError SR9222 for an image that cannot be read, and whatever a step is refused with.
    """
    with _hung_up_as_interrupted():
        return _run(image, keep=keep)


def _run(image: str | None, *, keep: bool) -> int:
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
    with _signals({signal.SIGINT, *_ENDING}, signal.SIG_IGN):
        yield


def _hung_up_as_interrupted() -> AbstractContextManager[None]:
    """Who closes the terminal, or a script whose time is over, presses no Ctrl-C."""
    heard = {number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL}
    return _signals(heard, signal.default_int_handler)


@contextmanager
def _signals(numbers: Collection[int], handler: Handler) -> Iterator[None]:
    """Handle signals in one way for a while; they only come to the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


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
