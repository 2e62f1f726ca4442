"""Lab 3: two groups become a replication, and somebody works on it.

Always true: the order of things is read from the journal.
"""

from __future__ import annotations

from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

check = Checks()


def facts(dice: Random) -> Facts:
    """How much there is to copy, and how much the machine is to write."""
    return {"records": dice.randrange(50, 90, 10), "_pieces": dice.randrange(20, 60)}


def begin(desk: Desk, task: int) -> None:
    """Twins with data; for later tasks what the earlier ones lead to."""
    given.twins(desk, "16M")
    given.filled(desk, "PrimaryVol", int(str(desk.facts["_pieces"])))
    if task > 1:
        given.groups(desk)
        desk.fabric.enable("PriRG", "RecRG")
    if task > 2:  # noqa: PLR2004 - the number of a task
        desk.fabric.refresh()
        desk.fabric.wait("PriRG", "Synchronizing", timeout=60.0)


@check(task=1, points=2, name="both groups")
def both_groups(desk: Desk) -> Verdict:
    """Data and log of each group, on the right side."""
    found = {group.name: (group.array, group.data, group.log) for group in desk.fabric.groups()}
    if not found:
        return undecided("there are no groups yet")
    wanted = {
        "PriRG": ("ClusterA", ("PrimaryVol",), "PrimaryLogVol"),
        "RecRG": ("ClusterB", ("RecoveryVol",), "RecoveryLogVol"),
    }
    seen = "; ".join(f"{n}: {', '.join(d)} with {log}" for n, (_, d, log) in found.items())
    return judged(found == wanted, seen)


@check(task=1, points=1, name="PriRG is the source")
def source(desk: Desk) -> Verdict:
    """Protection goes from PriRG to RecRG."""
    enabled = desk.events("SR4100")
    if not enabled:
        return undecided("protection has not been enabled")
    row = desk.status("PriRG")
    good = enabled[-1].object == "PriRG" and row is not None and row.peer == "RecRG"
    return judged(good, enabled[-1].text)


@check(task=2, points=3, name="in sync, by way of the first copy")
def in_sync(desk: Desk) -> Verdict:
    """Enabled, then copied, then in sync: in this order, in the journal."""
    row = desk.status("PriRG")
    if row is None or not desk.events("SR4100"):
        return undecided("PriRG is not protected yet")
    if not desk.events("SR5001", "PriRG"):
        return failed(f"the first copy has not begun: {row.waiting_on or row.state.value}")
    order = [code for code in ("SR4100", "SR5001", "SR5201") if desk.events(code, "PriRG")]
    ids = [desk.events(code, "PriRG")[0].id for code in order]
    if "SR5201" not in order:
        return undecided(f"PriRG is {row.state.value}")
    if row.state.value != "Synchronizing":
        return undecided(f"it was in sync, and is {row.state.value} now")
    return judged(ids == sorted(ids), "enabled, copied, in sync")


@check(task=3, points=2, name="the machine's records are there")
def records(desk: Desk) -> Verdict:
    """Every record that DemoVM had acknowledged is on its volume."""
    vm = desk.machine("DemoVM")
    if vm is None:
        return undecided("there is no DemoVM")
    if vm.volume != "PrimaryVol":
        return failed(f"DemoVM writes to {vm.volume}")
    wanted = int(str(desk.facts["records"]))
    if vm.written_records < wanted:
        return undecided(f"DemoVM wrote {vm.written_records} of {wanted} records")
    found = desk.fabric.check_vm("DemoVM")
    seen = f"{found.records_found} of {found.records_acknowledged} acknowledged records are there"
    return judged(found.equal, seen)


@check(task=3, points=2, name="verified while it writes")
def verified(desk: Desk) -> Verdict:
    """A verification that began after the machine did found both sides equal."""
    started = [event.id for event in desk.events("SR9105", "DemoVM")]
    if not started:
        return undecided("no machine writes yet")
    clean = desk.events("SR7701", after=started[0])
    wrong = desk.events("SR7702")
    if wrong:
        return failed(wrong[-1].text)
    if not clean:
        earlier = bool(desk.events("SR7701"))
        text = "both sides were verified before the machine wrote, not since"
        return failed(text) if earlier else undecided("both sides were not verified yet")
    return passed(clean[-1].text)
