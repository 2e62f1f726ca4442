"""Lab 8: a stale primary returns, the roles go back, and everything is taken apart.

Always true: how much was copied is what the engine counted, and the data is compared by its bytes.
"""

from __future__ import annotations

import hashlib
from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

BLOCK = 4096
_PIECE = 1 << 20
_WAIT_SECONDS = 60.0

check = Checks()


def facts(dice: Random) -> Facts:
    """How much was written since the fire."""
    return {"changed": dice.randrange(40, 120)}


def begin(desk: Desk, task: int) -> None:
    """After the fire; for later tasks with the old primary back, and with everything at home."""
    fabric = desk.fabric
    given.protected(desk, "16M")
    desk.do("fault site down ClusterA")
    fabric.failover("PriRG", "unplanned", confirm="RecRG")
    volume, dice = fabric.volume("RecoveryVol"), Random(f"since {desk.seed}")
    for block in dice.sample(range(1024, 4096), int(str(desk.facts["changed"]))):
        volume.write(block * BLOCK, dice.randbytes(BLOCK))
    if task > 1:
        fabric.restart("ClusterA")
        fabric.wait("RecRG", "Synchronizing", timeout=_WAIT_SECONDS)
    if task > 2:  # noqa: PLR2004 - the number of a task
        fabric.failback("RecRG", confirm="PriRG")
    given.machine(desk, "RecoveryVol" if task <= 2 else "PrimaryVol")  # noqa: PLR2004


@check(task=1, points=2, name="in sync with the old primary")
def returned(desk: Desk) -> Verdict:
    """RecRG leads, PriRG follows."""
    row = desk.status("RecRG")
    assert row is not None
    if not row.is_primary:
        return failed("RecRG is not primary any more")
    if row.state.value != "Synchronizing":
        return undecided(f"RecRG is {row.state.value}")
    if row.peer_state != "Synchronizing":
        return undecided(f"PriRG is {row.peer_state}")
    return passed("RecRG leads, PriRG follows, in sync")


@check(task=1, points=3, name="only what changed was copied")
def little(desk: Desk) -> Verdict:
    """Less than twice what was written since, and what the machine wrote meanwhile."""
    row = desk.status("RecRG")
    assert row is not None
    if not row.is_primary or row.state.value != "Synchronizing":
        return undecided(f"RecRG is {row.state.value}")
    most = 2 * max(int(str(desk.facts["changed"])) * BLOCK, row.written_bytes_total)
    text = f"{row.copied_bytes_total} bytes were copied; {most} would be too many"
    return judged(row.copied_bytes_total < most, text)


@check(task=2, points=3, name="roles as at the start")
def roles(desk: Desk) -> Verdict:
    """PriRG leads, by a failback."""
    row = desk.status("PriRG")
    assert row is not None
    if not row.is_primary:
        return undecided("RecRG is still primary")
    return judged(desk.jobs("failback"), "PriRG is primary after a failback")


@check(task=2, points=3, name="no machine in two places")
def one_place(desk: Desk) -> Verdict:
    """DemoVM runs at home, and was stopped in Bellevue before it was started there."""
    vms = tuple(desk.fabric.vms())
    if any(vm.name != "DemoVM" for vm in vms):
        return failed(f"more machines than one: {', '.join(vm.name for vm in vms)}")
    row = desk.status("PriRG")
    at_home = row is not None and row.is_primary
    if vms and vms[0].array != "ClusterA":
        text = "DemoVM is still registered in Bellevue"
        return failed(f"{text}, where nothing is primary any more") if at_home else undecided(text)
    if not vms:
        return undecided("DemoVM does not run at home yet")
    stopped = [event.id for event in desk.events("SR9104", "DemoVM")]
    started = [e.id for e in desk.events("SR9105", "DemoVM") if "ClusterA" in e.text]
    if not stopped or not started:
        return undecided("DemoVM has not moved yet")
    return judged(stopped[0] < started[0], "stopped in Bellevue, then started in Redmond")


@check(task=3, points=2, name="torn down on both sides")
def torn_down(desk: Desk) -> Verdict:
    """Neither group is replicated any more."""
    if not desk.events("SR7002") and not desk.events("SR7001"):
        return undecided("nothing was torn down yet")
    left = [group.name for group in desk.fabric.groups() if group.partnership]
    if left or not desk.events("SR7100"):
        return failed(f"still to be torn down: {', '.join(left) or 'one side'}")
    return judged(not left, "both sides")


@check(task=3, points=2, name="the data is on both sides")
def equal(desk: Desk) -> Verdict:
    """Both volumes hold the same bytes."""
    if not desk.events("SR7100"):
        return undecided("not torn down on both sides yet")
    if tuple(desk.fabric.vms()):
        return failed("a machine still writes: its data is protected by nobody")
    digests = {_digest(desk, name) for name in ("PrimaryVol", "RecoveryVol")}
    return judged(len(digests) == 1, "compared byte for byte")


def _digest(desk: Desk, name: str) -> str:
    """The hash of a volume."""
    found, volume = hashlib.sha256(), desk.fabric.volume(name)
    for offset in range(0, desk.volume(name).size_bytes, _PIECE):
        found.update(volume.read(offset, _PIECE))
    return found.hexdigest()
