"""Lab 4: a night writes more than the log can keep for a peer that is away.

Always true: how the destination caught up is what the journal says after the last night.
"""

from __future__ import annotations

import time
from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

MIB = 1 << 20
#: A log keeps at most half of its ring for a peer that is away.
KEPT = 2
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.05

check = Checks()


def facts(dice: Random) -> Facts:
    """How much a night writes: more than the whole ring of 8 MiB, so that it has to forget.

    What the ring could hold may still be there when replication goes on: a checkpoint forgets.
    """
    return {
        "burst_mib": dice.randrange(9, 11),
        "log_size": given.LOG,
        "ask_resync": "log or blocks",
    }


def begin(desk: Desk, task: int) -> None:
    """A group in sync; for the last task with logs that are large enough."""
    burst = int(str(desk.facts["burst_mib"]))
    log = given.LOG if task < 3 else f"{KEPT * burst + 4}M"  # noqa: PLR2004 - number of a task
    given.protected(desk, "16M", log)


def play(desk: Desk, task: int) -> str:
    """One night: replication is suspended, much is written, replication goes on."""
    fabric, dice = desk.fabric, Random(f"night {desk.seed} {task}")
    desk.notes["night"] = max((event.id for event in desk.events()), default=0)
    fabric.suspend("PriRG")
    volume = fabric.volume("PrimaryVol")
    for piece in range(int(str(desk.facts["burst_mib"]))):
        volume.write(piece * MIB, dice.randbytes(MIB))
    fabric.resume("PriRG")
    fabric.wait("PriRG", "Synchronizing", timeout=_WAIT_SECONDS)
    end = time.monotonic() + _WAIT_SECONDS
    while not _way(desk) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)  # the journal is told by another task than the one that waits
    desk.notes["nights"] = desk.notes.get("nights", 0) + 1
    return f"a night has passed: {desk.facts['burst_mib']} MiB were written while the link was away"


def _way(desk: Desk) -> str:
    """How the destination caught up after the last night: log, blocks, or nothing."""
    after = int(desk.notes.get("night", 0))
    if desk.events("SR5203", "PriRG", after):
        return "blocks"
    return "log" if desk.events("SR5201", "PriRG", after) else ""


@check(task=1, points=2, name="you saw how it caught up")
def seen(desk: Desk) -> Verdict:
    """The answer is what the journal says."""
    if not desk.notes.get("nights"):
        return undecided("no night has passed yet: srshell lab play")
    answer = desk.answers.get("resync", "").strip().lower()
    if not answer:
        return undecided("not answered yet: srshell lab answer resync …")
    return judged(answer == _way(desk), f"you say {answer}")


@check(task=2, points=2, name="logs are twins")
def twins(desk: Desk) -> Verdict:
    """Both sides have the same log."""
    logs = [desk.volume(name) for name in ("PrimaryLogVol", "RecoveryLogVol")]
    if None in logs:
        return undecided("a log volume is missing")
    sizes = [log.size_bytes for log in logs]
    return judged(sizes[0] == sizes[1], " and ".join(f"{size // MIB} MiB" for size in sizes))


@check(task=2, points=3, name="the log covers a night")
def covers(desk: Desk) -> Verdict:
    """The ring holds twice what a night writes."""
    row = desk.status("PriRG")
    if row is None or not row.log_bytes:
        return undecided("PriRG is not replicated now")
    needed = KEPT * int(str(desk.facts["burst_mib"])) * MIB
    text = f"the ring has {row.log_bytes // MIB} MiB, a night needs {needed // MIB}"
    if row.log_bytes <= needed:
        return failed(text)
    return passed(text) if row.state.value == "Synchronizing" else undecided("not in sync yet")


@check(task=3, points=3, name="caught up from the log")
def from_log(desk: Desk) -> Verdict:
    """After a night that the log covered, no block copy."""
    row = desk.status("PriRG")
    if not desk.notes.get("nights") or row is None:
        return undecided("no night has passed since the log was made")
    created = desk.events("SR3100", "PriRG")
    if created and created[-1].id > int(desk.notes["night"]):
        return undecided("no night has passed since the log was made")
    way = _way(desk)
    return judged(way == "log", f"after the last night it caught up by {way or 'nothing yet'}")
