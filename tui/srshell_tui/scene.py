"""Everything that a screen is drawn from: the fabric as known, where the person looks, the size.

Always true: a scene is a value; the same scene gives the same lines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from srshell.fabric.pages.words import duration
from srshell.model.health import HealthReason
from srshell.model.report import GroupStatus
from srshell.model.states import ReplicationHealth
from srshell_tui.store import FabricView
from srshell_tui.text import Span, Tone

#: From this many columns on a screen has two columns.
WIDE: Final = 120
#: Below this many columns or lines a screen is a list.
FULL_WIDTH: Final = 80
FULL_HEIGHT: Final = 24

_DANGER: Final[dict[ReplicationHealth, int]] = {
    ReplicationHealth.CRITICAL: 0,
    ReplicationHealth.WARNING: 1,
    ReplicationHealth.NORMAL: 2,
    ReplicationHealth.NOT_APPLICABLE: 3,
}
_MINUTE_SECONDS: Final = 60
#: A time of the clock within so many seconds can be no other day's.
_HOURS_SECONDS: Final = 20 * 3600.0
SORTS: Final = ("danger", "name")


@attrs.frozen
class Look:
    """Where the person looks, and through what."""

    screen: str = "overview"
    group: str = ""  #: of the group screen: the name of either side
    cursors: Mapping[str, str] = attrs.Factory(dict)  #: screen to the key of its chosen row
    filters: Mapping[str, str] = attrs.Factory(dict)  #: screen to its filter
    sort: str = "danger"
    problems_only: bool = False
    level: str = "info"  #: events at least so important
    follow: bool = True  #: the newest event stays chosen
    fold: bool = True  #: events that say the same one after the other are one row

    @property
    def cursor(self) -> str:
        """The key of the chosen row of this screen; empty: the first one."""
        return self.cursors.get(self.screen, "")

    @property
    def filter(self) -> str:
        """The filter of this screen."""
        return self.filters.get(self.screen, "")

    def choose(self, key: str) -> Look:
        """The look with another row chosen."""
        return attrs.evolve(self, cursors={**self.cursors, self.screen: key})

    def filtered(self, text: str) -> Look:
        """The look with another filter."""
        return attrs.evolve(self, filters={**self.filters, self.screen: text})


@attrs.frozen
class Tape:
    """Where a replay is on its recording."""

    share: float  #: between 0, its beginning, and 1
    number: int  #: of the frame, from 1
    count: int
    begin_unix: float
    end_unix: float
    playing: bool = False
    speed: float = 1.0


@attrs.frozen
class Scene:
    """What a screen is drawn from."""

    view: FabricView
    look: Look
    now: float  #: this client's clock, in Unix seconds
    width: int = 80
    height: int = 24
    read_only: bool = False
    message: str = ""  #: one line for the person, above the keys
    tape: Tape | None = None  #: of a replay

    @property
    def wide(self) -> bool:
        """Whether there is room for two columns."""
        return self.width >= WIDE

    @property
    def small(self) -> bool:
        """Whether there is room for a list alone."""
        return self.width < FULL_WIDTH or self.height < FULL_HEIGHT


@attrs.frozen
class Couple:
    """Two sides of one replication, the one that takes writes first; or a group by itself."""

    source: GroupStatus
    other: GroupStatus | None = None

    @property
    def title(self) -> str:
        """Both names, in the direction of the data."""
        return f"{self.source.name} > {self.other.name}" if self.other else self.source.name

    @property
    def sides(self) -> tuple[GroupStatus, ...]:
        """The sides that there are."""
        return (self.source, self.other) if self.other else (self.source,)

    @property
    def health(self) -> ReplicationHealth:
        """The worse health of both."""
        return min((side.replication_health for side in self.sides), key=_DANGER.__getitem__)

    @property
    def reasons(self) -> tuple[tuple[GroupStatus, HealthReason], ...]:
        """Why it is not better, the side with the worse health first.

        That a source is not heard is no news of its own while a person has paused it.
        """
        sides = sorted(self.sides, key=lambda side: _DANGER[side.replication_health])
        found = [(side, reason) for side in sides for reason in side.health_reasons]
        paused = any(reason.code == "suspended" for _, reason in found)
        return tuple((s, r) for s, r in found if not (paused and r.code == "peer-away"))


def couples(view: FabricView) -> tuple[Couple, ...]:
    """All replications, by the name of the side that takes writes."""
    found, seen = [], set[str]()
    for row in sorted(view.status.values(), key=lambda row: (not row.is_primary, row.name)):
        if row.name in seen:
            continue
        other = view.status.get(row.peer or "")
        seen |= {row.name} | ({other.name} if other else set())
        found.append(Couple(row, other))
    return tuple(sorted(found, key=lambda couple: couple.source.name))


def couple_of(view: FabricView, group: str) -> Couple | None:
    """The replication that a group is a side of."""
    return next((c for c in couples(view) if any(side.name == group for side in c.sides)), None)


def shown_couples(scene: Scene) -> tuple[Couple, ...]:
    """The replications that pass the filter, in the order that was asked for."""
    look = scene.look
    found = [c for c in couples(scene.view) if matches(look.filter, (c.title, c.source.state))]
    if look.problems_only:
        found = [c for c in found if _DANGER[c.health] < _DANGER[ReplicationHealth.NORMAL]]
    if look.sort == "danger":
        found.sort(key=lambda couple: _DANGER[couple.health])
    return tuple(found)


def matches(pattern: str, texts: Iterable[str]) -> bool:
    """Whether a filter lets texts pass: an expression, or with ``!`` before it, its absence."""
    wanted = not pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    if not pattern:
        return True
    try:
        found = re.search(pattern, " ".join(texts), re.IGNORECASE)
    except re.error:
        found = re.search(re.escape(pattern), " ".join(texts), re.IGNORECASE)
    return (found is not None) is wanted


def chosen_index(keys: Sequence[str], key: str) -> int | None:
    """Which row is chosen: the one with the key, else the first; None when there is none."""
    if not keys:
        return None
    return keys.index(key) if key in keys else 0


def window(count: int, chosen: int | None, room: int) -> tuple[int, int]:
    """The first row that is shown and the one after the last, with the chosen one inside."""
    if count <= room:
        return 0, count
    first = min(max((chosen or 0) - room // 2, 0), count - room)
    return first, first + max(room, 0)


def moment(unix: float, now: float) -> str:
    """A moment of the last hours as a time, any other as a date, too; never more than 11 cells."""
    if not unix:
        return "—"
    local = time.localtime(unix)
    if abs(now - unix) < _HOURS_SECONDS:
        return time.strftime("%H:%M:%S", local)
    same_year = local[0] == time.localtime(now)[0]
    return time.strftime("%m-%d %H:%M" if same_year else "%Y-%m-%d", local)


def brief(seconds: float | None) -> str:
    """A duration in at most seven cells: ``42 s``, ``2m31s``, ``3h05m``, ``12d03h``."""
    whole = round(seconds or 0)
    if seconds is None or whole < _MINUTE_SECONDS:
        return duration(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if days:
        return f"{days}d{hours_left:02}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def sure(text: str, tone: Tone = Tone.PLAIN, *, fresh: bool) -> Span:
    """A value, or the last known one with a question mark: it cannot be read as the present."""
    return (text, tone) if fresh else (f"{text}?", Tone.UNKNOWN)
