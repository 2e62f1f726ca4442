"""What is drawn: how far a group lags, where the time of a write goes, the fabric, its drills.

Always true: a figure that was not known at a moment is None there, and is drawn as a gap.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from srshell.model.inventory import Event
from srshell.model.meters import Legs
from srshell.model.report.base import Rows
from srshell.model.report.running import StepRow


@attrs.frozen
class LagPoint:
    """A group at one moment."""

    unix: float
    state: str
    rpo_seconds: float | None
    log_fill: float | None  # share of the log that is in use, 0 to 1
    bytes_behind: int | None
    write_p50_seconds: float | None
    write_p99_seconds: float | None
    remote_p99_seconds: float | None


@attrs.frozen
class LagReport(Rows[LagPoint]):
    """How a group fared over some time, the events in it, and the legs of a write now."""

    group: str
    since_unix: float
    until_unix: float
    points: tuple[LagPoint, ...]
    events: tuple[Event, ...]
    latency: Legs
    schema: str = "srshell.lag/1"
    ROWS: ClassVar[str] = "points"


@attrs.frozen
class TraceLeg:
    """A piece of the way of a write: when it begins after the write was handed in, and how long."""

    name: str
    begin_seconds: float
    seconds: float


@attrs.frozen
class TraceReport(Rows[TraceLeg]):
    """The way of the median write of the last seconds; ``count`` is how many there were."""

    group: str
    count: int
    total_seconds: float
    legs: tuple[TraceLeg, ...]
    slowest: str
    schema: str = "srshell.trace/1"
    ROWS: ClassVar[str] = "legs"


@attrs.frozen
class MapGroup:
    """A group on the drawing; ``peer`` is drawn on the other side."""

    name: str
    volumes: tuple[str, ...]
    log: str
    is_primary: bool
    state: str
    health: str
    peer: str | None


@attrs.frozen
class MapArray:
    """An array on the drawing, with what lies on it."""

    name: str
    site: str
    pools: tuple[str, ...]
    peer: str | None
    groups: tuple[MapGroup, ...]
    volumes: tuple[str, ...]  # that are in no group
    machines: tuple[str, ...]


@attrs.frozen
class MapReport(Rows[MapArray]):
    """The fabric as a drawing."""

    fabric: str
    arrays: tuple[MapArray, ...]
    schema: str = "srshell.map/1"
    ROWS: ClassVar[str] = "arrays"


@attrs.frozen
class Drill:
    """One change of roles: what was asked, what came of it, how long everything took."""

    job: int
    command: str
    began_unix: float
    state: str
    who: str  # empty: the owner's own user
    new_primary: str
    seconds: float | None  # until the other side was primary: the recovery time (RTO)
    outage_seconds: float | None  # for which nothing could be written
    lost_writes: int | None  # the recovery point (RPO): None is unknown, zero is zero
    lost_bytes: int | None
    steps: tuple[StepRow, ...]
    error: str = ""


@attrs.frozen
class DrillReport(Rows[Drill]):
    """All changes of roles of a group, the oldest first."""

    group: str
    peer: str | None
    made_unix: float
    state: str
    drills: tuple[Drill, ...]
    schema: str = "srshell.drill/1"
    ROWS: ClassVar[str] = "drills"
