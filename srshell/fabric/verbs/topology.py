"""The topology test: whether two arrays are fit to replicate between them.

Always true: nothing of the fabric changes; sites write to scratch files that have no name.
"""

from __future__ import annotations

import asyncio

from srshell.fabric.context import Context
from srshell.fabric.topology import NOT_TESTED, Facts, advise, expected_write, judge, verdict_of
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaRole
from srshell.model.topology import (
    ArrayMeasure,
    DiskMeasure,
    LinkMeasure,
    Load,
    TopologyReport,
)

#: How long a test takes when nobody says.
DEFAULT_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_SMALL_BYTES = 8192


async def topology(
    context: Context, *, source: str, destination: str, duration: float | None
) -> TopologyReport:
    """Measure both links, then both disks, and look at what the groups write meanwhile."""
    for name in (source, destination):
        context.snapshot.array(name)
    if source == destination:
        raise SrError.make("SR1106", array=source)
    seconds = DEFAULT_SECONDS if duration is None else duration
    began, began_unix = context.clock.monotonic(), context.clock.unix()
    watching = asyncio.create_task(_watch(context, {source, destination}))
    try:
        part = seconds / 4
        links = [await _link(context, source, destination, part),
                 await _link(context, destination, source, part)]  # fmt: skip
        disks = [await _disk(context, name, part) for name in (source, destination)]
        clocks = [await _clock(context, name) for name in (source, destination)]
    finally:
        watching.cancel()
        seen = (await asyncio.gather(watching, return_exceptions=True))[0]
    one, other = (
        ArrayMeasure(name, context.snapshot.array(name).site, disk, link, clock)
        for name, disk, link, clock in zip((source, destination), disks, links, clocks, strict=True)
    )
    arrays = (one, other)
    looks = seen if isinstance(seen, list) else []
    facts = Facts(context.snapshot, arrays, _load(looks, arrays[0].disk))
    rules = judge(facts)
    return TopologyReport(
        source=source,
        destination=destination,
        verdict=verdict_of(rules),
        rules=rules,
        arrays=arrays,
        load=facts.load,
        advice=advise(facts),
        expected=expected_write(facts),
        not_tested=NOT_TESTED,
        began_unix=began_unix,
        seconds=context.clock.monotonic() - began,
        fabric=str(context.place.directory),
    )


async def _link(context: Context, array: str, peer: str, seconds: float) -> LinkMeasure:
    """A link from one site to the other."""
    try:
        address = context.backend.link_address(peer)
        return await context.site(array).measure_link(address, seconds)
    except SrError as error:
        return LinkMeasure(problem=error.message)


async def _disk(context: Context, array: str, seconds: float) -> DiskMeasure:
    """The pool in which the logs of an array lie, or will."""
    pool = _pool_of_logs(context, array)
    if not pool:
        return DiskMeasure(problem="the array has no pool under management")
    try:
        return await context.site(array).measure_disk(pool, seconds)
    except SrError as error:
        return DiskMeasure(pool, problem=error.message)


def _pool_of_logs(context: Context, array: str) -> str:
    """The pool of the first log; the first pool of an array without one."""
    snapshot = context.snapshot
    logs = {group.log for group in snapshot.groups if group.array == array}
    used = [volume.pool for volume in snapshot.volumes if volume.name in logs]
    pools = [pool.name for pool in snapshot.pools_of(array)]
    return next(iter([*used, *pools]), "")


async def _clock(context: Context, array: str) -> float | None:
    """How far a site's clock is ahead of the owner's, but for half of the question's way."""
    try:
        asked = context.clock.unix()
        report = await context.site(array).describe()
    except SrError:
        return None
    return report.as_of - (asked + context.clock.unix()) / 2


async def _watch(context: Context, arrays: set[str]) -> list[tuple[float, float]]:
    """Look at what the groups between the arrays write, until cancelled: bytes and writes a second.

    The sites count over the last ten seconds: a rate that began before the test is its load, too.
    """
    looks: list[tuple[float, float]] = []
    try:
        while True:
            view = await context.fresh_view()
            rates = [
                report.rates
                for group in view.snapshot.groups
                if (report := view.report(group.name)) is not None
                and report.role is ReplicaRole.PRIMARY
                and {report.array, report.peer_array} == arrays
            ]
            size = sum(rate.bytes_per_second for rate in rates)
            looks.append((size, sum(rate.writes_per_second for rate in rates)))
            await asyncio.sleep(_LOOK_SECONDS)
    except (asyncio.CancelledError, SrError):
        return looks


def _load(looks: list[tuple[float, float]], disk: DiskMeasure) -> Load:
    """The load that was seen, or else what the test itself could write."""
    course = tuple(size for size, _ in looks)
    if any(course):
        mean = sum(course) / len(course)
        writes = sum(count for _, count in looks) / len(looks)
        return Load("observed", mean, max(course), writes, course)
    rate = disk.small_writes_per_second
    return Load("synthetic", rate * _SMALL_BYTES, rate * _SMALL_BYTES, rate)
