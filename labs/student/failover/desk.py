"""Lab 6: over and back, with a machine whose ledger knows what was acknowledged.

Always true: what was lost is found by reading back what the machine's ledger says.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

#: How long writing may stand still, in seconds.
OUTAGE_SECONDS_MAX = 10.0

check = Checks()


def facts(dice: Random) -> Facts:
    """How much is written in Bellevue, and how long the link fails."""
    return {"records": dice.randrange(40, 80, 10), "_down": round(dice.uniform(1.5, 3.0), 1)}


def begin(desk: Desk, task: int) -> None:
    """A group in sync and a machine; for later tasks after the failover."""
    given.protected(desk, "16M")
    if task == 1:
        given.machine(desk, "PrimaryVol")
        return
    desk.fabric.failover("PriRG", "planned", confirm="RecRG")
    if task > 2:  # noqa: PLR2004 - the number of a task
        given.machine(desk, "RecoveryVol")


def play(desk: Desk, task: int) -> str:
    """The link fails."""
    if task < 3:  # noqa: PLR2004 - the number of a task
        return "nothing happens yet"
    seconds = float(str(desk.facts["_down"]))
    desk.do(f"fault link down --for {seconds}")
    desk.notes["evening"] = True
    return "the link between the sites is down"


def change(desk: Desk, words: str) -> Any:  # noqa: ANN401 - JSON of a role change
    """What the last role change of a kind did; None when there was none."""
    jobs = desk.jobs(words)
    return json.loads(jobs[-1].result) if jobs else None


@check(task=1, points=2, name="RecRG is primary, as planned")
def over(desk: Desk) -> Verdict:
    """By a planned failover."""
    row = desk.status("RecRG")
    if row is None or not (desk.events("SR6100") or desk.events("SR6150")):
        return undecided("no failover has begun")
    if not row.is_primary:
        return failed(f"RecRG is {row.role}; PriRG was drained, and that is only the first step")
    found = change(desk, "failover")
    return judged(found is not None and found["planned"], "RecRG is primary")


@check(task=1, points=3, name="nothing is lost")
def nothing_lost(desk: Desk) -> Verdict:
    """Every acknowledged record is in Bellevue."""
    row = desk.status("RecRG")
    if row is None or not row.is_primary:
        return undecided("RecRG is not primary yet")
    if desk.machine("DemoVM") is not None and desk.machine("DemoVM").volume == "PrimaryVol":
        return failed("DemoVM is still registered on PrimaryVol")
    found = desk.fabric.check_vm("DemoVM", volume="RecoveryVol")
    text = f"{found.records_found} of {found.records_acknowledged} acknowledged records are there"
    return judged(found.equal, text)


@check(task=1, points=2, name="writes stood still for under 10 s")
def quick(desk: Desk) -> Verdict:
    """What the failover measured."""
    found = change(desk, "failover")
    if found is None:
        return undecided("no failover has ended")
    seconds = found["write_outage_seconds"]
    if seconds is None:
        seconds = found["seconds"]
    return judged(seconds < OUTAGE_SECONDS_MAX, f"{seconds:.1f} s")


@check(task=2, points=2, name="DemoVM works in Bellevue")
def works(desk: Desk) -> Verdict:
    """The machine writes at ClusterB."""
    vms = {vm.name: vm for vm in desk.fabric.vms()}
    if not vms:
        return undecided("no machine runs")
    vm = vms.get("DemoVM")
    if vm is None or vm.array != "ClusterB":
        return failed(", ".join(f"{v.name} is at {v.array}" for v in vms.values()))
    wanted = int(str(desk.facts["records"]))
    if vm.written_records < wanted:
        return undecided(f"{vm.written_records} of {wanted} records")
    return passed(f"{vm.written_records} records, at {vm.array}")


@check(task=2, points=1, name="in sync the other way round")
def reversed_sync(desk: Desk) -> Verdict:
    """ClusterA holds the copy."""
    row = desk.status("RecRG")
    assert row is not None
    if row.is_primary and row.state.value != "Synchronizing":
        return undecided(f"RecRG is {row.role}, {row.state.value}")
    return judged(row.is_primary, f"RecRG is {row.role}, {row.state.value}")


@check(task=3, points=2, name="PriRG is primary again")
def home(desk: Desk) -> Verdict:
    """By a failback, after the bad weather."""
    row = desk.status("PriRG")
    assert row is not None
    if not desk.notes.get("evening"):
        return undecided("the last evening has not begun: srshell lab play")
    if not row.is_primary:
        return undecided("RecRG is still primary")
    return judged(desk.jobs("failback") or desk.jobs("failover RecRG"), "PriRG is primary")


@check(task=3, points=2, name="no short cut, nothing lost")
def no_short_cut(desk: Desk) -> Verdict:
    """No unplanned failover in the whole journal, and every record is at home."""
    short = [event.text for event in desk.events("SR6100") if "unplanned" in event.text]
    if short:
        return failed(short[0])
    row = desk.status("PriRG")
    if row is None or not row.is_primary or not desk.notes.get("evening"):
        return undecided("PriRG is not primary yet")
    if desk.machine("DemoVM") is not None and desk.machine("DemoVM").array == "ClusterB":
        return failed("DemoVM is still registered in Bellevue")
    found = desk.fabric.check_vm("DemoVM", volume="PrimaryVol")
    text = f"{found.records_found} of {found.records_acknowledged} acknowledged records are there"
    return judged(found.equal, text)
