"""What a screen watches: a picture of the fabric, then what has changed of it, numbered.

Always true:

(1) The first frame of a watcher is the whole picture; each later one holds the rows that differ
    from what this watcher was told last, and the names of those that are gone.
(2) Nothing is queued for a watcher: one that reads slowly is told less often, never later news.
(3) However many watch, the fabric is looked at once in a period.
(4) A row of `status` whose ``as_of`` is 0 was as fresh as the frame itself when that was made; how
    long ago something was is left out where the moment itself is given.

    look --> picture --difference to the last one--> frame --> watcher
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs

from srshell.fabric.api import FabricApi
from srshell.model.health import FRESH_SECONDS
from srshell.model.inventory import Event, Job, Pair, Volume
from srshell.model.report import ArrayReport, GroupReport, GroupStatus, InfoReport, VmRow

RowT = TypeVar("RowT")

#: The shortest and the longest time from one frame to the next, in seconds.
PERIOD_SECONDS_MIN: Final = 0.2
PERIOD_SECONDS_MAX: Final = 30.0
#: How many of the newest events and jobs a picture holds.
EVENTS_MAX: Final = 500
_JOBS_MAX: Final = 50
#: A round trip that changes by less than this is the same one, in seconds.
_JITTER_SECONDS: Final = 0.0005


@attrs.frozen
class Frame:
    """A picture, or how it differs from the frame before; rows replace rows of the same name."""

    seq: int
    unix: float  #: the owner's clock when the fabric was looked at
    whole: bool  #: a picture by itself: what was known before is to be forgotten
    info: InfoReport | None = None  #: None: as before
    status: tuple[GroupStatus, ...] = ()
    arrays: tuple[ArrayReport, ...] = ()
    volumes: tuple[Volume, ...] = ()
    pairs: tuple[Pair, ...] = ()
    groups: tuple[GroupReport, ...] = ()
    vms: tuple[VmRow, ...] = ()
    jobs: tuple[Job, ...] = ()
    events: tuple[Event, ...] = ()
    #: Topic to the names of rows that are no longer there.
    gone: dict[str, tuple[str, ...]] = attrs.Factory(dict)
    schema: str = "srshell.frame/1"


#: Topic to the name of one of its rows.
ROW_NAMES: Final[Mapping[str, Callable[[Any], str]]] = {
    "status": lambda row: str(row.name),
    "arrays": lambda row: str(row.name),
    "volumes": lambda row: str(row.name),
    "pairs": lambda row: f"{row.array} {row.peer}",
    "groups": lambda row: str(row.name),
    "vms": lambda row: str(row.name),
    "jobs": lambda row: str(row.id),
}


@attrs.frozen
class Picture:
    """The fabric at one moment: topic to name to row."""

    unix: float
    info: InfoReport
    rows: Mapping[str, Mapping[str, Any]]
    events: tuple[Event, ...]


def difference(before: Picture | None, after: Picture, seq: int) -> Frame:
    """The frame that leads from one picture to the next; without one before, the whole picture."""
    known = before.rows if before else {}
    changed: dict[str, tuple[Any, ...]] = {}
    gone: dict[str, tuple[str, ...]] = {}
    for topic, rows in after.rows.items():
        old = known.get(topic, {})
        changed[topic] = tuple(row for name, row in rows.items() if old.get(name) != row)
        if missing := tuple(name for name in old if name not in rows):
            gone[topic] = missing
    last = before.events[-1].id if before and before.events else 0
    events = tuple(event for event in after.events if event.id > last)
    info = after.info if before is None or before.info != after.info else None
    frame = Frame(seq, after.unix, before is None, info, events=events, gone=gone)
    # The topics are fields of a frame; `ROW_NAMES` names them all, which a test checks.
    return attrs.evolve(frame, **changed)  # type: ignore[arg-type]


class Feed:
    """Looks at one fabric for all that watch it."""

    def __init__(self, fabric: FabricApi) -> None:
        self._fabric = fabric
        self._last: Picture | None = None
        self._looked = 0.0  # monotonic seconds
        self._lock = asyncio.Lock()

    async def picture(self, age_seconds: float) -> Picture:
        """The fabric as it was at most ``age_seconds`` ago."""
        async with self._lock:
            if self._last is None or time.monotonic() - self._looked > age_seconds:
                self._last = await look(self._fabric, self._last)
                self._looked = time.monotonic()
            return self._last

    def watch(self, period_seconds: float) -> Watcher:
        """One more that watches."""
        period = min(max(period_seconds, PERIOD_SECONDS_MIN), PERIOD_SECONDS_MAX)
        return Watcher(self, period)


class Watcher:
    """What one client was told, and so what it has to be told next."""

    def __init__(self, feed: Feed, period_seconds: float) -> None:
        self._feed = feed
        self.period_seconds = period_seconds
        self._told: Picture | None = None
        self._seq = 0

    async def next(self) -> Frame:
        """The next frame: the first at once, others a period after the one before."""
        if self._seq:
            await asyncio.sleep(self.period_seconds)
        picture = await self._feed.picture(self.period_seconds / 2)
        self._seq += 1
        frame = difference(self._told, picture, self._seq)
        self._told = picture
        return frame

    def begin_again(self) -> None:
        """Tell the whole picture next: the client was away for too long to care for changes."""
        self._told = None


async def look(fabric: FabricApi, before: Picture | None) -> Picture:
    """Ask a fabric for everything that a screen shows."""
    status = await fabric.status()
    topics: dict[str, tuple[Any, ...]] = {
        "status": tuple(_settled(_fresh_or_dated(row, status.as_of), before) for row in status),
        "arrays": (await fabric.arrays()).arrays,
        "volumes": (await fabric.volumes()).volumes,
        "pairs": (await fabric.pairs()).pairs,
        "groups": (await fabric.groups()).groups,
        "vms": (await fabric.vms()).vms,
        "jobs": (await fabric.jobs()).jobs[:_JOBS_MAX],
    }
    rows = {topic: {ROW_NAMES[topic](row): row for row in found} for topic, found in topics.items()}
    held = before.events if before else ()
    last = held[-1].id if held else 0
    new = (await fabric.events(after=last, limit=EVENTS_MAX)).events
    events = (*held, *new)[-EVENTS_MAX:]
    return Picture(status.as_of, await fabric.info(), rows, events)


def _settled(row: GroupStatus, before: Picture | None) -> GroupStatus:
    """A row that nobody writes to keeps its figures until the link is clearly slower or faster.

    The round trip is measured all the time: without this every row would differ in every frame.
    """
    known = before.rows["status"].get(row.name) if before else None
    if not isinstance(known, GroupStatus) or row.rates.writes_per_second:
        return row
    old, new = known.latency.round_trip.p50_seconds, row.latency.round_trip.p50_seconds
    calm = known.latency.write.count == row.latency.write.count == 0
    if calm and (old > 0) == (new > 0) and abs(new - old) <= max(old / 2, _JITTER_SECONDS):
        return attrs.evolve(row, latency=known.latency, rates=known.rates)
    return row


def _fresh_or_dated(row: GroupStatus, now: float) -> GroupStatus:
    """The row without what only time changes, so that a calm row stays equal."""
    if row.verification is not None:
        # ``last_unix`` says the same.
        verification = attrs.evolve(row.verification, age_seconds=None, overdue_seconds=0.0)
        row = attrs.evolve(row, verification=verification)
    return attrs.evolve(row, as_of=0.0) if now - row.as_of <= FRESH_SECONDS else row
