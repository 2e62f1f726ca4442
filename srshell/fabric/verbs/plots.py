"""What is drawn: a group over time, the legs of a write, the fabric, the drills of a group.

Always true:

(1) The past is what the owner's recording holds: a frame after each event and every ten seconds.
(2) A trace is made of medians of the last ten seconds; nothing is instrumented for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from srshell.fabric.context import Context
from srshell.fabric.recorder import older
from srshell.fabric.verbs.replication import both_sides, status_of
from srshell.model.inventory import Job
from srshell.model.meters import Legs
from srshell.model.report import GroupStatus
from srshell.model.report.plots import (
    Drill,
    DrillReport,
    LagPoint,
    LagReport,
    MapArray,
    MapGroup,
    MapReport,
    TraceLeg,
    TraceReport,
)
from srshell.model.report.running import StepRow

DEFAULT_SECONDS = 300.0
_EVENTS_MAX = 200
_JOBS_MAX = 10_000
_CHANGES = ("failover", "failback")


async def lag(context: Context, *, group: str, last: float | None) -> LagReport:
    """How a group fared: its rows in the recording, and the one of now."""
    view = await context.fresh_view()
    context.snapshot.group(group)
    leader = view.primary_of(group) or group
    rows = status_of(context, both_sides(context, group)).groups
    now = next(row for row in rows if row.name == leader)
    until = context.clock.unix()
    since = until - (DEFAULT_SECONDS if last is None else last)
    names = {row.name for row in rows}
    kept = await asyncio.to_thread(_recorded, context.place.recording, names, since)
    points = [_point(unix, row) for unix, row in kept]
    events = [
        event
        for name in sorted(names)
        for event in context.catalogue.events(0, since, name, (), _EVENTS_MAX)
    ]
    return LagReport(
        leader,
        since,
        until,
        (*points, _point(until, now)),
        tuple(sorted(events, key=lambda event: event.id)),
        now.latency,
    )


class _Frame(msgspec.Struct):
    """What matters here of a frame."""

    unix: float = 0.0
    status: tuple[GroupStatus, ...] = ()


def _recorded(
    recording: Path, names: set[str], since_unix: float
) -> list[tuple[float, GroupStatus]]:
    """The rows of the leading side, in the frames since a moment; torn lines are passed over."""
    found: list[tuple[float, GroupStatus]] = []
    for path in (older(recording), recording):
        for frame in _frames(path):
            rows = [row for row in frame.status if row.name in names and row.is_primary]
            if frame.unix >= since_unix and rows:
                found.append((frame.unix, rows[0]))
    return found


def _frames(path: Path) -> Iterator[_Frame]:
    """The frames of a file."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=_Frame)
        except msgspec.MsgspecError:
            continue


def _point(unix: float, row: GroupStatus) -> LagPoint:
    """A row as a point; a leg without a write in its window is not known."""
    write, remote = row.latency.write, row.latency.remote_log
    fill = (row.log_bytes - row.log_bytes_free) / row.log_bytes if row.log_bytes else None
    return LagPoint(
        unix,
        row.replication_state.value,
        row.rpo_seconds,
        fill,
        row.bytes_behind,
        write.p50_seconds if write.count else None,
        write.p99_seconds if write.count else None,
        remote.p99_seconds if remote.count else None,
    )


async def trace_write(context: Context, *, group: str) -> TraceReport:
    """The median write: queue, then both logs at once, then the acknowledgement."""
    view = await context.fresh_view()
    leader = view.primary_of(group) or group
    row = status_of(context, (leader,)).groups[0]
    found = row.latency
    if not found.write.count:
        return TraceReport(leader, 0, 0.0, (), "")
    legs = legs_of(found)
    total = legs[-1].begin_seconds + legs[-1].seconds
    slowest = max(legs, key=lambda leg: leg.seconds).name
    return TraceReport(leader, found.write.count, total, legs, slowest)


def legs_of(found: Legs) -> tuple[TraceLeg, ...]:
    """The legs one after another; those over the link begin with the one at home."""
    queue, own = found.queue.p50_seconds, found.local_log.p50_seconds
    legs = [TraceLeg("queue", 0.0, queue), TraceLeg("own log", queue, own)]
    end = queue + own
    if found.remote_log.count:
        over = found.remote_log.p50_seconds
        way = min(found.round_trip.p50_seconds, over) / 2 if found.round_trip.count else 0.0
        legs += [
            TraceLeg("link out", queue, way),
            TraceLeg("peer's log", queue + way, over - 2 * way),
            TraceLeg("link back", queue + over - way, way),
        ]
        end = max(end, queue + over)
    total = max(found.write.p50_seconds, end)
    return (*legs, TraceLeg("acknowledge", end, total - end))


async def drawing(context: Context) -> MapReport:
    """Arrays, and what lies on each."""
    view = await context.fresh_view()
    snapshot = view.snapshot
    rows = {
        row.name: row
        for row in status_of(context, tuple(group.name for group in snapshot.groups)).groups
    }
    arrays = []
    for array in snapshot.arrays:
        groups = [group for group in snapshot.groups if group.array == array.name]
        used = {name for group in groups for name in (*group.data, group.log)}
        arrays.append(
            MapArray(
                array.name,
                array.site,
                tuple(pool.name for pool in snapshot.pools_of(array.name)),
                snapshot.peer_of(array.name),
                tuple(
                    MapGroup(
                        group.name, group.data, group.log, rows[group.name].is_primary,
                        rows[group.name].replication_state.value,
                        rows[group.name].replication_health.value, view.partner(group.name),
                    )
                    for group in groups
                ),
                tuple(v.name for v in snapshot.volumes
                      if v.array == array.name and v.name not in used),
                tuple(vm.name for vm in snapshot.vms if vm.array == array.name),
            )
        )  # fmt: skip
    return MapReport(str(context.place.directory), tuple(arrays))


async def drill(context: Context, *, group: str) -> DrillReport:
    """Every change of roles of a group or its partner, from the jobs that made them."""
    names = both_sides(context, group)
    rows = status_of(context, names).groups
    row = next(row for row in rows if row.name == group)
    jobs = [
        job
        for job in context.jobs.list(_JOBS_MAX)
        if job.command.split()[0] in _CHANGES and _is_about(job, names)
    ]
    drills = tuple(_drill(context, job) for job in reversed(jobs))
    return DrillReport(group, row.peer, context.clock.unix(), row.replication_state.value, drills)


def _is_about(job: Job, names: tuple[str, ...]) -> bool:
    return job.object in names or any(word in names for word in job.command.split())


def _drill(context: Context, job: Job) -> Drill:
    """A job as a drill."""
    result = json.loads(job.result) if job.result else {}
    steps = tuple(
        StepRow(step.name, step.text, step.state,
                step.ended_unix - step.began_unix
                if step.began_unix is not None and step.ended_unix is not None else None)
        for step in job.steps
    )  # fmt: skip
    error = json.loads(job.error) if job.error else {}
    began = context.catalogue.events(0, job.began_unix - 1.0, job.object, (), _EVENTS_MAX)
    who = next((event.actor for event in began if event.actor), "")
    return Drill(
        job.id, job.command, job.began_unix, job.state.value, who,
        str(result.get("new_primary", "")), result.get("seconds"),
        result.get("write_outage_seconds"), result.get("lost_writes"), result.get("lost_bytes"),
        steps, f"{error['code']} {error['message']}" if error else "",
    )  # fmt: skip
