"""Rules of steps 5, 7 and 8: create groups, refresh, see the first copy begin.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from collections.abc import Sequence

from srshell.fabric.checks_common import (
    check_log_describes,
    check_site,
    find_array,
    find_volume,
)
from srshell.fabric.findings import Findings, Verdict, free_name
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.geometry import format_exact
from srshell.model.inventory import Group, Mode, Partnership, Volume, VolumeKind
from srshell.model.replica import OnPeerLoss
from srshell.model.states import ReplicationState

# --- groups -------------------------------------------------------------------------------------


def check_group(
    view: View,
    name: str,
    data: Sequence[str],
    log: str | None,
    on_peer_loss: str = OnPeerLoss.CONTINUE.value,
    mode: str = Mode.SYNC.value,
    *,
    consistency: bool = False,
) -> Verdict:
    """Whether the group may be created (rules 3, 20, 30, 31, 36-40, 42, 77)."""
    findings = Findings(view)
    findings.name(name, "group")
    _check_policy_word(findings, on_peer_loss)
    known = view.snapshot.find_group(name)
    if known is not None:
        return _check_same_group(findings, known, data, log, on_peer_loss)
    members = [volume for text in data if (volume := find_volume(findings, text)) is not None]
    if mode != Mode.SYNC.value:
        peer = view.snapshot.peer_of(members[0].array) if members else None
        mend = f"srshell group create {name} --data {' '.join(data) or '?'} --log {log or '?'}"
        findings.broken(3, f"mode {mode}, peer {peer or 'none'}", mend)
    if consistency:
        findings.broken(20, name=name, data=" ".join(data), log=log or "?")
    if log is None:
        _no_log(findings, name, members)
        return findings.verdict()
    log_volume = find_volume(findings, log)
    if log_volume is None or findings.errors:
        return findings.verdict()
    _check_kinds_of_members(findings, name, members, log_volume)
    _check_places(findings, name, members, log_volume)
    _check_free(findings, members, log_volume)
    if not findings.errors:
        check_log_describes(findings, name, members, log_volume)
    return findings.verdict()


def _check_policy_word(findings: Findings, on_peer_loss: str) -> None:
    """The policy is one of the words that are known."""
    words = [policy.value for policy in OnPeerLoss]
    if on_peer_loss not in words:
        noun = "policy for a lost peer"
        mend = "srshell groups"
        findings.refuse("SR0005", f"known: {', '.join(words)}", mend, text=on_peer_loss, noun=noun)


def _check_same_group(
    findings: Findings, known: Group, data: Sequence[str], log: str | None, on_peer_loss: str
) -> Verdict:
    """Creating a group again with equal facts changes nothing, with others it is refused (42)."""
    differences = [
        f"{label} {old}, wanted {new}"
        for label, old, new in (
            ("data", " ".join(known.data), " ".join(data)),
            ("log", known.log, log),
            ("policy", known.on_peer_loss.value, on_peer_loss),
        )
        if old != new
    ]
    if differences:
        free = free_name(known.name, (group.name for group in findings.view.snapshot.groups))
        mend = f"srshell group create {free} --data {' '.join(data)} --log {log or known.log}"
        findings.broken(42, "; ".join(differences), mend, noun="group", name=known.name)
    return findings.verdict(f"group {known.name} exists already")


def _no_log(findings: Findings, name: str, members: Sequence[Volume]) -> None:
    """A group needs a log: name one that is free, or how to make one (30)."""
    snapshot = findings.view.snapshot
    if not members:
        findings.broken(38, "no data volume and no log volume", group=name)
        return
    place = members[0]
    free = [
        volume.name
        for volume in snapshot.volumes
        if volume.array == place.array
        and volume.kind is VolumeKind.LOG
        and snapshot.group_of_volume(volume.name) is None
    ]
    data = " ".join(volume.name for volume in members)
    mend = f"srshell group create {name} --data {data} --log {free[0]}" if free else ""
    new = free_name(f"{name}Log", (volume.name for volume in snapshot.volumes))
    facts = f"free log volumes of {place.array}: {', '.join(free) or 'none'}"
    findings.broken(30, facts, mend, group=name, log=new, array=place.array, pool=place.pool)


def _check_kinds_of_members(
    findings: Findings, name: str, members: Sequence[Volume], log: Volume
) -> None:
    """At least one data volume, each once, and one log volume (38)."""
    wrong = [
        f"{volume.name} is a log volume" for volume in members if volume.kind is VolumeKind.LOG
    ]
    if log.kind is not VolumeKind.LOG:
        wrong.append(f"{log.name} is a data volume")
    if not members:
        wrong.append("no data volume")
    names = [volume.name for volume in members]
    wrong.extend(f"{text} is named twice" for text in dict.fromkeys(names) if names.count(text) > 1)
    if wrong:
        findings.broken(38, "; ".join(wrong), group=name)


def _check_places(findings: Findings, name: str, members: Sequence[Volume], log: Volume) -> None:
    """Data volumes are on one array (39), and the log is there too (31)."""
    arrays = list(dict.fromkeys(volume.array for volume in members))
    if len(arrays) > 1:
        facts = "; ".join(f"{volume.name} on {volume.array}" for volume in members)
        findings.broken(39, facts, group=name)
    elif arrays and log.array != arrays[0]:
        new = _new_log(findings.view, log)
        findings.broken(31, f"{log.name} is on {log.array}", log=log.name, array=arrays[0],
                        pool=members[0].pool, new_log=new,
                        size_bytes=format_exact(log.size_bytes))  # fmt: skip


def _new_log(view: View, log: Volume) -> str:
    """A name for a log volume in place of ``log``."""
    return free_name(log.name, (volume.name for volume in view.snapshot.volumes))


def _check_free(findings: Findings, members: Sequence[Volume], log: Volume) -> None:
    """No member is in another group (36, 40), and the log carries nothing else (36, 77)."""
    snapshot = findings.view.snapshot
    for volume in members:
        group = snapshot.group_of_volume(volume.name)
        if group is not None:
            findings.broken(40, volume=volume.name, group=group.name)
    names = {"log": log.name, "new_log": _new_log(findings.view, log), "array": log.array,
             "pool": log.pool, "size_bytes": format_exact(log.size_bytes)}  # fmt: skip
    user = snapshot.group_of_volume(log.name)
    site = findings.view.site(log.array)
    if user is not None:
        findings.broken(36, f"it serves group {user.name}", use=f"it serves {user.name}", **names)
    elif (label := site.log_labels.get(log.name)) is not None:
        left = next((p for p in snapshot.partnerships if p.partnership == label), None)
        owner = None if left is None else _group_on(findings.view, left, log.array)
        if owner is not None:
            findings.broken(77, f"partnership {label}", log=log.name, group=owner)
        else:
            use = "it carries the metadata of a partnership that is not known here"
            findings.broken(36, f"partnership {label}", use=use, **names)
    elif log.name in site.contents:
        use = f"it holds {site.contents[log.name]}"
        findings.broken(36, use, use=use, **names)


def _group_on(view: View, partnership: Partnership, array: str) -> str | None:
    """The group of the partnership that is on the array."""
    for name in (partnership.source, partnership.destination):
        group = view.snapshot.find_group(name)
        if group is not None and group.array == array:
            return name
    return None


def check_remove_group(view: View, name: str) -> Verdict:
    """Whether the group may be removed: nothing replicates through it."""
    findings = Findings(view)
    try:
        view.snapshot.group(name)
    except SrError as error:
        findings.take(error)
        return findings.verdict()
    if view.snapshot.partnership_of(name) is not None:
        findings.refuse("SR3013", group=name)
    return findings.verdict()


# --- refresh and progress -----------------------------------------------------------------------


def check_refresh(view: View, arrays: Sequence[str]) -> Verdict:
    """Whether the arrays may be refreshed (rules 7, 21, 50-52); without names, all of them."""
    findings = Findings(view)
    named = tuple(arrays) or tuple(array.name for array in view.snapshot.arrays)
    for array in named:
        if find_array(findings, array) is not None:
            check_site(findings, array)
    for partnership in view.snapshot.partnerships:
        left = [array for array in _arrays_to_refresh(view, partnership) if array not in named]
        touched = any(array in named for array in _arrays_of(view, partnership))
        if left and touched and not partnership.torn_down:
            facts = f"still to refresh: {', '.join(left)}"
            findings.warn("SR5002", facts, group=partnership.source, array=left[0])
    return findings.verdict()


def copies_to_start(view: View, arrays: Sequence[str]) -> tuple[Partnership, ...]:
    """Partnerships whose last missing refresh this is (rule 51)."""
    return tuple(
        partnership
        for partnership in view.snapshot.partnerships
        if not partnership.torn_down
        and (left := _arrays_to_refresh(view, partnership))
        and set(left) <= set(arrays)
    )


def _arrays_of(view: View, partnership: Partnership) -> tuple[str, ...]:
    """The two arrays of a partnership, the source's first."""
    groups = (partnership.source, partnership.destination)
    return tuple(view.snapshot.group(name).array for name in groups)


def _arrays_to_refresh(view: View, partnership: Partnership) -> tuple[str, ...]:
    """The arrays that were not refreshed since protection was enabled (50)."""
    arrays = _arrays_of(view, partnership)
    return tuple(array for array in arrays if array not in partnership.refreshed)


def check_progress(view: View, group: str, seen: Sequence[ReplicationState]) -> Verdict:
    """Whether the first copy began after the refresh (rule 53).

    Args:
        view: the fabric after the refresh.
        group: the primary group.
        seen: the states that were observed since the refresh.
    """
    findings = Findings(view)
    begun = {ReplicationState.REPLICATING, ReplicationState.SYNCHRONIZING}
    states = (*seen, view.state(group))
    if not begun & set(states):
        findings.broken(53, " > ".join(dict.fromkeys(states)), group=group)
    return findings.verdict()
