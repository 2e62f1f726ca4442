"""Rules of step 9: machines and exports.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from srshell.fabric.checks_common import find_volume
from srshell.fabric.findings import Findings, Verdict, free_name
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.inventory import Group, Vm, Volume, VolumeKind
from srshell.model.states import ReplicationState

_S = ReplicationState

#: States in which what a machine writes is replicated, or will be without another command.
_RUNNING = frozenset({_S.SYNCHRONIZING, _S.RESYNCHRONIZING, _S.FAILED_OVER})


def check_add_vm(view: View, name: str, volume: str) -> Verdict:
    """Whether a machine may be added (rules 36, 56-58, 65, 66, 74).

    A machine on a volume that is not protected at all is added with a warning; one on a volume
    whose first copy is under way has to wait.
    """
    findings = Findings(view)
    findings.name(name, "virtual machine")
    known = next((vm for vm in view.snapshot.vms if vm.name == name), None)
    if known is not None:
        if known.volume == volume:
            return findings.verdict(f"machine {name} is on {volume} already")
        if _follows(view, known, volume):
            return findings.verdict()
        free = free_name(name, (vm.name for vm in view.snapshot.vms))
        facts = f"it is on {known.volume}, wanted {volume}"
        mend = f"srshell vm add {free} --volume {volume}"
        findings.refuse("SR0103", facts, mend, noun="virtual machine", name=name)
        return findings.verdict()
    found = find_volume(findings, volume)
    if found is None:
        return findings.verdict()
    group = view.snapshot.group_of_volume(volume)
    if found.kind is VolumeKind.LOG:
        _log_is_no_disk(findings, found, group)
    elif group is None:
        _warn_unprotected(findings, name, found)
    elif view.snapshot.partnership_of(group.name) is None:
        peer = view.snapshot.peer_of(group.array)
        mend = _enable_line(view, group, peer)
        facts = f"group {group.name} is not protected yet"
        findings.warn("SR9101", facts, mend, volume=volume, vm=name)
    else:
        _check_side(findings, name, found, group)
    return findings.verdict()


def _follows(view: View, vm: Vm, volume: str) -> bool:
    """Whether the machine's data is on ``volume`` now, after a failover (66)."""
    old, new = view.snapshot.group_of_volume(vm.volume), view.snapshot.group_of_volume(volume)
    if old is None or new is None or view.partner(old.name) != new.name:
        return False
    twins = dict(zip(old.data, new.data, strict=False))
    return twins.get(vm.volume) == volume and view.primary_of(old.name) == new.name


def _log_is_no_disk(findings: Findings, log: Volume, group: Group | None) -> None:
    """Nothing but its group's log is on a log volume (36)."""
    use = f"it is the log of {group.name}" if group else "it is a log volume"
    findings.broken(36, use, "srshell volumes", log=log.name, use=use)


def _warn_unprotected(findings: Findings, vm: str, volume: Volume) -> None:
    """The volume is in no group; say how it would get into one."""
    snapshot = findings.view.snapshot
    logs = [
        v.name
        for v in snapshot.volumes
        if v.kind is VolumeKind.LOG
        and v.array == volume.array
        and snapshot.group_of_volume(v.name) is None
    ]
    if logs:
        group = free_name(f"{volume.name}-RG", (g.name for g in snapshot.groups))
        findings.warn("SR9101", volume=volume.name, vm=vm, group=group, log=logs[0])
    else:
        findings.warn("SR9101", mend="srshell volumes", volume=volume.name, vm=vm)


def _enable_line(view: View, group: Group, peer: str | None) -> str:
    """How the group would be protected: by a free group of the paired array."""
    free = [
        other.name
        for other in view.snapshot.groups
        if other.array == peer and view.snapshot.partnership_of(other.name) is None
    ]
    return f"srshell enable {group.name} {free[0]}" if free else "srshell groups"


def _check_side(findings: Findings, vm: str, volume: Volume, group: Group) -> None:
    """The group is primary (57) and replicating (56); tell of machines left behind (65)."""
    view = findings.view
    primary = view.primary_of(group.name) or group.name
    if primary != group.name:
        twin = view.snapshot.group(primary)
        index = group.data.index(volume.name)
        primary_volume = twin.data[index] if index < len(twin.data) else twin.data[0]
        facts = f"{group.name} is secondary, {primary} is primary with {primary_volume}"
        findings.broken(57, facts, volume=volume.name, vm=vm, primary_volume=primary_volume)
        return
    state = view.state(group.name)
    if state not in _RUNNING:
        facts = f"{state.value}: {state.sentence}"
        findings.broken(56, facts, group=group.name, state=state.value)
    partner = view.partner(group.name)
    for other in view.snapshot.vms:
        if other.group == partner:
            findings.broken(65, f"its volume is {other.volume}", vm=other.name, array=other.array)


def check_remove_vm(view: View, name: str) -> Verdict:
    """Whether the machine may be removed: it has to be there."""
    findings = Findings(view)
    try:
        view.snapshot.vm(name)
    except SrError as error:
        findings.take(error)
    return findings.verdict()


def leading_twin(view: View, volume: str) -> str | None:
    """The volume with the same data on the side that leads; None if that is this one, or none."""
    group = view.snapshot.group_of_volume(volume)
    primary = view.primary_of(group.name) if group is not None else None
    if group is None or primary is None or primary == group.name or volume not in group.data:
        return None
    twins = dict(zip(group.data, view.snapshot.group(primary).data, strict=False))
    return twins.get(volume)


def check_export(view: View, volume: str, *, on: bool = True, read_only: bool = False) -> Verdict:
    """Whether the volume may be served over NBD: any data volume that is complete (36, 37).

    A secondary is shown where the profile allows it, and never to be written to.
    """
    findings = Findings(view)
    found = find_volume(findings, volume)
    if found is None:
        return findings.verdict()
    if found.kind is VolumeKind.LOG:
        _log_is_no_disk(findings, found, view.snapshot.group_of_volume(volume))
    if not view.site(found.array).reachable:
        findings.refuse("SR1105", "its site process does not answer", array=found.array)
    twin = leading_twin(view, volume)
    if on and read_only and twin is not None and view.strict:
        findings.refuse("SR9113", volume=volume, primary_volume=twin)
    for vm in view.snapshot.vms:
        if not on and vm.kind == "qemu" and vm.volume == volume:
            mend = f"srshell vm rm {vm.name}"
            findings.refuse("SR2014", mend=mend, volume=volume, user=f"machine {vm.name}")
    return findings.verdict()


def check_remove_volume(view: View, name: str, confirm: str | None, *, ask: bool = True) -> Verdict:
    """Whether the volume and its data may be removed: nothing uses it any more."""
    findings = Findings(view)
    found = find_volume(findings, name)
    if found is None:
        return findings.verdict()
    group = view.snapshot.group_of_volume(name)
    if group is not None:
        mend = f"srshell group rm {group.name}"
        findings.refuse("SR2014", mend=mend, volume=name, user=f"group {group.name}")
    for vm in view.snapshot.vms:
        if vm.volume == name:
            mend = f"srshell vm rm {vm.name}"
            findings.refuse("SR2014", mend=mend, volume=name, user=f"machine {vm.name}")
    site = view.site(found.array)
    if not site.reachable:
        findings.refuse("SR1105", "its site process does not answer", array=found.array)
    if name in site.open_writers:
        mend = f"srshell nbd {name} --off"
        findings.refuse("SR2014", mend=mend, volume=name, user=site.open_writers[name])
    if ask:
        findings.confirm(f"volume rm {name}", f"the data of {name} is lost", name, confirm)
    return findings.verdict()
