"""Rules of step 6: enable protection of one group by another.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from srshell.fabric.checks_common import (
    check_log_describes,
    check_reachable,
    check_site,
    find_volume,
)
from srshell.fabric.findings import Findings, Verdict, free_name
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.geometry import format_difference, format_exact
from srshell.model.inventory import Group, Mode, Volume, VolumeKind


def check_enable(
    view: View,
    source: str,
    destination: str | None,
    mode: str = Mode.SYNC.value,
    *,
    seeded: bool = False,
    confirm: str | None = None,
) -> Verdict:
    """Whether protection may be enabled (rules 3, 5, 7-12, 15, 32, 37, 41, 43-49)."""
    findings = Findings(view)
    try:
        from_group = view.snapshot.group(source)
        if destination is None:
            _no_target(findings, from_group)
            return findings.verdict()
        to_group = view.snapshot.group(destination)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    known = view.snapshot.partnership_of(source)
    if known is not None and (known.source, known.destination) == (source, destination):
        if known.mode.value == mode:
            return findings.verdict(f"{source} is protected by {destination} already")
        findings.broken(46, f"enabled with mode {known.mode.value}", mode=mode, source=source,
                        destination=destination, destination_mode=known.mode.value)  # fmt: skip
        return findings.verdict()
    for name in (source, destination):
        partnership = view.snapshot.partnership_of(name)
        if partnership is not None:
            other = partnership.other(name)
            findings.broken(47, f"{name} and {other}", group=name, other=other)
    _check_modes(findings, from_group, to_group, mode)
    _check_sides(findings, from_group, to_group)
    if not findings.errors:
        _check_members(findings, from_group, to_group)
        _check_destination(findings, from_group, to_group, seeded=seeded, confirm=confirm)
    return findings.verdict()


def _no_target(findings: Findings, source: Group) -> None:
    """Protection needs a target: name a group of the paired array that is free (45)."""
    snapshot = findings.view.snapshot
    peer = snapshot.peer_of(source.array)
    free = [
        group.name
        for group in snapshot.groups
        if group.array == peer and snapshot.partnership_of(group.name) is None
    ]
    facts = f"free groups of {peer or 'the peer'}: {', '.join(free) or 'none'}"
    mend = f"srshell enable {source.name} {free[0]}" if free else "srshell groups"
    findings.broken(45, facts, mend, source=source.name)


def _check_modes(findings: Findings, source: Group, destination: Group, mode: str) -> None:
    """The mode is synchronous, and the destination's (3, 43, 46)."""
    names = {"source": source.name, "destination": destination.name}
    if mode not in {known.value for known in Mode}:
        known = ", ".join(m.value for m in Mode)
        mend = f"srshell enable {source.name} {destination.name} --mode sync"
        findings.refuse("SR0005", f"known: {known}", mend, text=mode, noun="mode")
    elif mode != Mode.SYNC.value:
        findings.broken(3, f"mode {mode}", **names)
    elif destination.mode.value != mode:
        findings.broken(46, f"{destination.name} has mode {destination.mode.value}", mode=mode,
                        destination_mode=destination.mode.value, **names)  # fmt: skip
    if not destination.created_on_array:
        findings.broken(43, f"{destination.name} is known to the fabric only",
                        group=destination.name)  # fmt: skip


def _check_sides(findings: Findings, source: Group, destination: Group) -> None:
    """The groups are on two paired arrays that are up and reach each other (7, 15, 16, 44)."""
    if source.array == destination.array:
        findings.broken(44, f"both are on {source.array}", code="SR4003", source=source.name,
                        destination=destination.name, array=source.array)  # fmt: skip
        return
    if findings.view.snapshot.peer_of(source.array) != destination.array:
        peer = findings.view.snapshot.peer_of(source.array)
        facts = f"{source.array} is paired with {peer or 'no array'}"
        findings.broken(44, facts, source=source.name, destination=destination.name,
                        array=source.array, peer=destination.array)  # fmt: skip
    for array in (source.array, destination.array):
        check_site(findings, array)
    check_reachable(findings, source.array, destination.array)


def _check_members(findings: Findings, source: Group, destination: Group) -> None:
    """Members are equal pair by pair (9-12, 32, 41), of one type (5), and not shared (8)."""
    view = findings.view
    if len(source.data) != len(destination.data):
        facts = f"{source.name}: {' '.join(source.data)}; "
        facts += f"{destination.name}: {' '.join(destination.data)}"
        findings.broken(41, facts, source=source.name, destination=destination.name)
        return
    for group in (source, destination):
        # A group of an earlier release, too, has to fit before anything of it is made.
        members = [v for name in group.data if (v := view.snapshot.find_volume(name)) is not None]
        log = view.snapshot.find_volume(group.log)
        if log is not None:
            check_log_describes(findings, group.name, members, log)
    twins = [*zip(source.data, destination.data, strict=True), (source.log, destination.log)]
    for here, there in twins:
        first, second = find_volume(findings, here), find_volume(findings, there)
        if first is not None and second is not None:
            _check_twin(findings, first, second)
    kinds = [
        {pool.kind for name in (*group.data, group.log)
         if (v := view.snapshot.find_volume(name)) is not None
         and (pool := view.snapshot.find_pool(v.array, v.pool)) is not None}
        for group in (source, destination)
    ]  # fmt: skip
    if kinds[0] != kinds[1]:
        shown = [", ".join(sorted(kind.value for kind in kinds[side])) for side in (0, 1)]
        facts = f"{source.name} is {shown[0]}, {destination.name} is {shown[1]}"
        findings.broken(5, facts, "srshell pools", a=source.name, b=destination.name)


def _check_twin(findings: Findings, source: Volume, destination: Volume) -> None:
    """Two volumes that become copies of one another (8-12)."""
    log = source.kind is VolumeKind.LOG
    taken = (volume.name for volume in findings.view.snapshot.volumes)
    names = {
        "source": source.name,
        "destination": destination.name,
        "new_name": free_name(destination.name, taken),
        "array": destination.array,
        "pool": destination.pool,
        "size_bytes": format_exact(source.size_bytes),
    }
    if source.size_bytes != destination.size_bytes:
        facts = format_difference(source.size_bytes, destination.size_bytes)
        findings.broken(11 if log else 9, facts, **names)
    if source.block_bytes != destination.block_bytes:
        facts = f"{source.block_bytes} B and {destination.block_bytes} B"
        findings.broken(12 if log else 10, facts, **names)
    if source.backing and source.backing == destination.backing:
        mend = "srshell volumes"
        findings.broken(8, f"device and inode {source.backing}", mend, a=source.name,
                        b=destination.name)  # fmt: skip


def _check_destination(
    findings: Findings, source: Group, destination: Group, *, seeded: bool, confirm: str | None
) -> None:
    """Nobody writes to the destination (48), and its data may be overwritten (49)."""
    site = findings.view.site(destination.array)
    for volume in destination.data:
        if volume in site.open_writers:
            findings.broken(48, site.open_writers[volume], volume=volume)
        content = site.contents.get(volume)
        if content is not None and not seeded and confirm != destination.name:
            findings.broken(49, f"it holds {content}", volume=volume, source=source.name,
                            destination=destination.name)  # fmt: skip
