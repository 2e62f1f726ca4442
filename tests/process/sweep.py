"""Points of a sweep over the system calls of a real site: which call, which fault, which side.

Always true:

(1) A point at which a site is killed leaves a pair that works: the next point uses it again.
(2) A point at which a call fails leaves a side that is FAILED for good, or one that the error did
    not reach; every acknowledged write is at the other side, or at both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.model.replica import Flow, ReplicaData
from tests.process import harm
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.load import Load
from tests.process.pair import ARRAYS, PARTNERSHIP, RESTLESS, Pair, open_pair
from tests.process.tracer import CALLS, Tampering, Traced, start_tampered, tamper_with

KILL: Final = "signal=KILL"
ERRORS: Final = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}

#: So many writes are acknowledged at a point that is reached only with luck.
_ENOUGH_WRITES: Final = 40


@attrs.frozen
class Point:
    """One call of one side."""

    array: str
    tampering: Tampering
    #: Counted from the start of the process, not from a moment in the middle of writes.
    opening: bool = False

    def __str__(self) -> str:
        when = "from the start" if self.opening else "while it runs"
        what = self.tampering
        return f"{self.array}: {what.fault} at {what.call} {what.nth} {when}"


def points(faults: tuple[str, ...]) -> Iterator[Point]:
    """Return all points, the first calls of every kind and both sides first; without an end."""
    for nth in itertools.count(1):
        for fault, call, opening, array in itertools.product(faults, CALLS, (False, True), ARRAYS):
            yield Point(array, Tampering(call, fault, nth), opening)


class Passed(Enum):
    """What a site made of a point."""

    MISSED = "so many calls were not made"
    ENDED = "the process has ended"
    REFUSED = "the replica could not be opened, and nothing was changed"
    FAILED = "the replica has failed"


async def kill_at(pair: Pair, point: Point) -> Passed:
    """Let a site be killed at a call, and start again as it is."""
    traced = await tampered(pair, point)
    what = await passed(pair, point, traced)
    if what is Passed.MISSED:
        await pair.kill([point.array])
    await pair.live()
    return what


async def fail_at(folder: Path, point: Point) -> Passed:
    """Let a call of a site fail, see what the site makes of it."""
    async with open_pair(folder, pace=RESTLESS) as pair, Watch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            await load.more(20)
            traced = await tampered(pair, point)
            what = await passed(pair, point, traced)
            if what is Passed.FAILED:
                await stays_failed(pair, point)
            elif what is not Passed.ENDED:
                await pair.kill([point.array])
            await load.more(10)
        if what is not Passed.FAILED:
            await pair.check()
            return what
        site, volume = pair.target()
        problems = pair.ledger.problems(await site.read(volume, 0, pair.size_bytes))
        assert not problems, (str(point), problems[:5])
        return what


async def tampered(pair: Pair, point: Point) -> Traced:
    """Let a call of a side go wrong."""
    if not point.opening:
        return await tamper_with(pair, point.array, point.tampering)
    await pair.take_down(point.array)
    traced = await start_tampered(pair, point.array, point.tampering)
    await pair.bring_back(point.array)
    return traced


async def passed(pair: Pair, point: Point, traced: Traced) -> Passed:
    """Wait until the call was reached, or writers have done enough; tell which."""
    enough = pair.ledger.acknowledged + _ENOUGH_WRITES

    async def look() -> Passed | None:
        if traced.ended:
            return Passed.ENDED
        report = await pair.report(point.array)
        if report is None:
            return Passed.REFUSED if await refused(pair, point.array) else None
        if report.failure:
            return Passed.FAILED
        done = pair.ledger.acknowledged >= enough
        return Passed.MISSED if done and report.flow is Flow.LIVE else None

    return await until(look, f"{point} is passed")


async def refused(pair: Pair, array: str) -> bool:
    """Whether a site runs, and says that it could not open what it has."""
    try:
        return bool((await pair.site(array).describe()).problems)
    except SrError:
        return False


async def stays_failed(pair: Pair, point: Point) -> None:
    """Check that a site that failed says so for ever; let the other side lead if it has to."""

    async def recorded() -> bool:
        return harm.superblock(pair.log_path(point.array)).data is ReplicaData.FAILED

    await until(recorded, f"{point.array} has recorded its failure")
    await pair.kill([point.array])
    report = await pair.reported(point.array, lambda _: True, "there")
    assert report.data is ReplicaData.FAILED, (str(point), report)
    assert report.failure, report
    if point.array == pair.primary:
        other = pair.secondary
        await pair.site(other).promote(PARTNERSHIP, "unplanned", None, alone=True)
        pair.primary = other
