"""Lab 7: two fires, one that costs nothing and one that does.

Always true: the loss is what the failover measured in the files of the side that burned.
"""

from __future__ import annotations

import json
from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

BLOCK = 4096
_WAIT_SECONDS = 60.0

check = Checks()


def facts(dice: Random) -> Facts:
    """How much is written afterwards, and how much an afternoon without a copy costs."""
    return {
        "records": dice.randrange(30, 60, 10),
        "ask_lost_writes": "a number",
        "_alone": dice.randrange(5, 40),
    }


def begin(desk: Desk, task: int) -> None:
    """A group in sync and a machine; for later tasks after the first fire."""
    given.protected(desk, "16M")
    given.machine(desk, "PrimaryVol")
    if task > 1:
        _fire(desk, "ClusterA")
        desk.fabric.failover("PriRG", "unplanned", confirm="RecRG")
    if task > 2:  # noqa: PLR2004 - the number of a task
        desk.fabric.remove_vm("DemoVM")


def _fire(desk: Desk, array: str) -> None:
    desk.do(f"fault site down {array}")
    desk.notes["fires"] = [*desk.notes.get("fires", []), array]


def play(desk: Desk, task: int) -> str:
    """Redmond burns; or it comes back, and Bellevue burns while nothing is replicated."""
    fabric, fires = desk.fabric, desk.notes.get("fires", [])
    if task == 1:
        if not fires:
            _fire(desk, "ClusterA")
        return "the site in Redmond is gone"
    if task == 2:  # noqa: PLR2004 - the number of a task
        return "nothing more happens yet"
    if "ClusterB" in fires:
        return "Bellevue has burned already"
    if desk.machine("DemoVM") is not None:
        fabric.remove_vm("DemoVM")
    fabric.restart("ClusterA")
    fabric.wait("RecRG", "Synchronizing", timeout=_WAIT_SECONDS)
    fabric.suspend("RecRG")
    volume, dice = fabric.volume("RecoveryVol"), Random(f"afternoon {desk.seed}")
    for block in range(int(str(desk.facts["_alone"]))):
        volume.write((2048 + block) * BLOCK, dice.randbytes(BLOCK))
    _fire(desk, "ClusterB")
    return "Redmond came back, replication was suspended, and Bellevue is gone"


@check(task=1, points=2, name="RecRG is primary")
def saved(desk: Desk) -> Verdict:
    """By an unplanned failover, after the fire."""
    if not desk.notes.get("fires"):
        return undecided("nothing has burned yet: srshell lab play")
    row = desk.status("RecRG")
    assert row is not None
    if not row.is_primary:
        return undecided("RecRG is not primary yet")
    return judged(desk.jobs("failover"), f"RecRG is primary in epoch {row.epoch}")


@check(task=1, points=4, name="no acknowledged write is lost")
def nothing_lost(desk: Desk) -> Verdict:
    """Every record of the machine's ledger is in Bellevue."""
    row = desk.status("RecRG")
    if row is None or not row.is_primary or not desk.notes.get("fires"):
        return undecided("RecRG is not primary yet")
    found = desk.fabric.check_vm("DemoVM", volume="RecoveryVol")
    text = f"{found.records_found} of {found.records_acknowledged} acknowledged records are there"
    return judged(found.equal and found.records_acknowledged, text)


@check(task=2, points=2, name="DemoVM works in Bellevue")
def works(desk: Desk) -> Verdict:
    """The machine writes at ClusterB, behind what it wrote in Redmond."""
    vms = {vm.name: vm for vm in desk.fabric.vms()}
    vm = vms.get("DemoVM")
    if vm is None:
        return failed(f"{', '.join(vms)} is not DemoVM") if vms else undecided("no machine runs")
    if vm.array != "ClusterB":
        return failed(f"DemoVM is registered at {vm.array}, which has burned")
    wanted = int(str(desk.facts["records"]))
    if vm.written_records < wanted:
        return undecided(f"{vm.written_records} of {wanted} records")
    return passed(f"{vm.written_records} records, at {vm.array}")


@check(task=3, points=2, name="PriRG is primary, at a price that was named")
def priced(desk: Desk) -> Verdict:
    """The loss was accepted by its size."""
    if "ClusterB" not in desk.notes.get("fires", []):
        return undecided("the second fire has not been yet: srshell lab play 3")
    row = desk.status("PriRG")
    assert row is not None
    if not row.is_primary:
        return undecided("PriRG is not primary yet")
    found = _loss(desk)
    return judged(found is not None, f"{found} writes were given up")


@check(task=3, points=2, name="you know what was lost")
def known(desk: Desk) -> Verdict:
    """The answer is what the failover found."""
    found = _loss(desk)
    row = desk.status("PriRG")
    if "ClusterB" not in desk.notes.get("fires", []) or row is None or not row.is_primary:
        return undecided("PriRG is not primary yet")
    answer = desk.answers.get("lost_writes", "").strip()
    if not answer:
        return undecided("not answered yet: srshell lab answer lost_writes NUMBER")
    good = answer == str(desk.facts["_alone"]) == str(found)
    return judged(good, f"you say {answer} writes")


def _loss(desk: Desk) -> int | None:
    """Writes that the last failover gave up."""
    jobs = desk.jobs("failover")
    found = json.loads(jobs[-1].result)["lost_writes"] if jobs else None
    return found if isinstance(found, int) else None
