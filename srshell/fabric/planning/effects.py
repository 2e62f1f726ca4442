"""What a command does to people: what is no longer to be had, and what was measured before it.

Always true:

(1) What is said is the difference between two looks at a copy; nothing is said of what stays.
(2) A measured value is told with the rule that it bears on.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from srshell.fabric.checks import Direction, View, resolve_direction
from srshell.fabric.context import Context
from srshell.fabric.pages.words import duration
from srshell.model.errors import SrError
from srshell.model.geometry import format_size
from srshell.model.inventory import VolumeKind
from srshell.model.report import CheckRow
from srshell.model.states import ReplicationState

_S = ReplicationState
_IN_STEP = frozenset({_S.SYNCHRONIZING, _S.PREPARED_FOR_FAILOVER})
_ROLE_CHANGES = frozenset({"failover", "failback"})


@attrs.frozen
class Sight:
    """What clients and people have of a fabric at one moment."""

    volumes: tuple[str, ...]
    machines: tuple[str, ...]
    exports: tuple[str, ...]
    sites: tuple[str, ...]  # that answer
    writable: tuple[str, ...]  # volumes of groups
    in_step: tuple[str, ...]  # primary groups whose every write is on both sides


def look(context: Context) -> Sight:
    """What is to be had now."""
    view = context.view()
    snapshot = view.snapshot
    reports = [context.sites.report(array.name) for array in snapshot.arrays]
    leading = [name for group in snapshot.groups if view.primary_of(name := group.name) == name]
    return Sight(
        volumes=tuple(volume.name for volume in snapshot.volumes),
        machines=tuple(vm.name for vm in snapshot.vms),
        exports=tuple(name for report in reports if report for name in report.exports),
        sites=tuple(a.name for a in snapshot.arrays if view.site(a.name).reachable),
        writable=tuple(
            layout.name
            for group in snapshot.groups
            if (replica := view.report(group.name)) is not None
            and replica.writable
            and view.site(group.array).reachable
            for layout in replica.volumes
        ),
        in_step=tuple(name for name in leading if view.state(name) in _IN_STEP),
    )


def lost_between(before: Sight, after: Sight, context: Context) -> tuple[str, ...]:
    """What is no longer to be had, a sentence each; ``context`` is the fabric afterwards."""

    def gone(field: str) -> list[str]:
        left = getattr(after, field)
        return [name for name in getattr(before, field) if name not in left]

    snapshot = context.snapshot
    lost = [f"the site of {name} is stopped" for name in gone("sites")]
    lost += [f"volume {name} is removed with its data" for name in gone("volumes")]
    lost += [f"machine {name} is stopped" for name in gone("machines")]
    for name in gone("writable"):
        found = snapshot.find_volume(name)
        if found is not None and snapshot.group_of_volume(name) is not None:
            lost.append(f"{name} at {found.array} takes no writes")
    lost += [f"{name} is served over NBD no longer" for name in gone("exports")]
    # Another group may lead now: what counts is whether the pair is in step.
    pairs = {context.view().partner(name) for name in after.in_step}
    lost += [f"{name} is protected no longer" for name in gone("in_step") if name not in pairs]
    return tuple(lost)


def pause(
    context: Context, view: View, verb: str, arguments: Mapping[str, object]
) -> tuple[str, ...]:
    """For how long nobody can write while roles change; measured at the last change."""
    way = _direction(view, arguments)
    if verb not in _ROLE_CHANGES or way is None:
        return ()
    seconds = context.outages.get(way.partnership.partnership)
    how = "how long was not measured yet" if seconds is None else f"{duration(seconds)} last time"
    return (f"no writes to {way.primary} while the roles change: {how}",)


def measured(context: Context, verb: str, arguments: Mapping[str, object]) -> tuple[CheckRow, ...]:
    """The values that rules look at, before a command is carried out."""
    view = context.view()
    if verb in {"provision", "provision_pair"}:
        return tuple(
            CheckRow(
                "SR2005", "holds", f"{pool.array}/{pool.name}: {format_size(pool.free_bytes)} free"
            )
            for pool in view.snapshot.pools
        )
    if verb == "discover":
        report = context.sites.report(str(arguments["name"]))
        found = report.pools if report is not None else ()
        return tuple(
            CheckRow("SR2005", "holds", f"{pool.path}: {format_size(pool.free_bytes)} free")
            for pool in found
        )
    if verb == "enable":
        return _sizes(view, str(arguments["source"]), arguments.get("destination"))
    way = _direction(view, arguments)
    return () if way is None else _standing(view, way)


def _direction(view: View, arguments: Mapping[str, object]) -> Direction | None:
    """Which side of the named group leads, if it has two."""
    name = arguments.get("group")
    try:
        return resolve_direction(view, name) if isinstance(name, str) else None
    except SrError:
        return None


def _standing(view: View, way: Direction) -> tuple[CheckRow, ...]:
    """Where a pair of groups stands."""
    report = view.report(way.primary)
    state = view.state(way.primary)
    rows = [CheckRow("SR6013", "holds", f"{way.primary} leads and is {state.value}", 59)]
    if report is not None:
        free = format_size(report.log_bytes_free)
        text = f"epoch {report.epoch}, LSN {report.last_lsn}, {free} of the log free"
        rows.append(CheckRow("SR5203", "holds", text))
        behind = format_size(report.unconfirmed_bytes)
        rows.append(CheckRow("SR6004", "holds", f"{way.to_array} lacks {behind}"))
    return tuple(rows)


def _sizes(view: View, source: str, destination: object) -> tuple[CheckRow, ...]:
    """The sizes of two groups that are to be equal."""
    rows = []
    for kind, code in ((VolumeKind.DATA, "SR2001"), (VolumeKind.LOG, "SR2003")):
        sides = []
        for name in (source, str(destination)):
            group = view.snapshot.find_group(name)
            if group is None:
                return ()
            names = group.data if kind is VolumeKind.DATA else (group.log,)
            found = [view.snapshot.find_volume(volume) for volume in names]
            size_bytes = sum(volume.size_bytes for volume in found if volume is not None)
            sides.append(f"{name} {format_size(size_bytes)}")
        rows.append(CheckRow(code, "holds", f"{kind.value}: {' and '.join(sides)}"))
    return tuple(rows)
