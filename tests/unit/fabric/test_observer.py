"""What the journal is told of changes, also of those that nobody looked at in time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from srshell.fabric.context import Context
from srshell.fabric.observer import Observer
from srshell.fabric.snapshot import View
from srshell.model.replica import Flow, ReplicaData, ReplicaRole
from tests.unit.fabric import world


class Told:
    """A journal that only keeps codes and facts."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def say(self, code: str, _subject: str, facts: str, **_names: str) -> None:
        """An event of the catalogue of codes."""
        self.lines.append((code, facts))

    def note(self, _level: str, _subject: str, code: str, text: str) -> None:
        """An event with a text of its own."""
        self.lines.append((code, text.partition(": ")[2]))

    @property
    def new(self) -> list[tuple[str, str]]:
        """What was told since this was asked last."""
        lines, self.lines = self.lines, []
        return lines


class Looker:
    """An observer that is shown one view after the other."""

    def __init__(self) -> None:
        self.journal = Told()
        self._view = world.protected()
        context = SimpleNamespace(
            view=lambda: self._view,
            journal=self.journal,
            clock=SimpleNamespace(monotonic=lambda: 0.0),
            stalled={},
        )
        self._observer = Observer(cast("Context", context))

    def sees(self, view: View) -> list[tuple[str, str]]:
        """Look, and return what was told."""
        self._view = view
        self._observer.look()
        return self.journal.new


SUSPENDED: dict[str, Any] = {"suspended": True, "flow": Flow.IDLE}
#: PriRG and the code that tells its way of catching up.
WAYS = [
    (Flow.BITMAP_COPY, "SR5203"),
    (Flow.CHECKSUM_COPY, "SR5203"),
    (Flow.LOG_REPLAY, "SR5202"),
]


@pytest.mark.parametrize(("way", "code"), WAYS)
def test_a_resync_that_was_over_between_two_looks_is_told_before_being_in_sync(
    way: Flow, code: str
) -> None:
    looker = Looker()
    assert looker.sees(world.protected(east=SUSPENDED, west=SUSPENDED)) == []
    path = "Suspended > Synchronizing"
    seen = looker.sees(world.protected(east={"resyncs_total": 1, "resync": way}))
    assert seen == [(code, path), ("SR5201", path)]
    assert looker.sees(world.protected(east={"resyncs_total": 1, "resync": way})) == []


@pytest.mark.parametrize(("way", "code"), WAYS)
def test_a_resync_that_is_looked_at_is_told_once(way: Flow, code: str) -> None:
    looker = Looker()
    looker.sees(world.protected(east=SUSPENDED, west=SUSPENDED))
    running = {"flow": way, "resyncs_total": 1, "resync": way}
    assert looker.sees(world.protected(east=running)) == [(code, "Suspended > Resynchronizing")]
    over = {"resyncs_total": 1, "resync": way}
    assert looker.sees(world.protected(east=over)) == [
        ("SR5201", "Resynchronizing > Synchronizing")
    ]


@pytest.mark.parametrize("seen", [True, False])
def test_a_group_passes_through_its_first_copy_whether_it_is_seen_or_not(seen: bool) -> None:
    """The article's step 8 is true in the journal of a quick machine, too."""
    looker = Looker()
    looker.sees(world.view(partnerships=(world.partnership(refreshed=()),)))
    first = {"resyncs_total": 1, "resync": Flow.INITIAL_COPY}
    way = "ReadyForInitialReplication > Replicating > Synchronizing"
    if seen:
        copying = {**first, "flow": Flow.INITIAL_COPY, "data": ReplicaData.CONSISTENT}
        assert looker.sees(world.protected(east=copying)) == []
        way = "Replicating > Synchronizing"
    assert looker.sees(world.protected(east=first)) == [("SR5201", way)]


def test_a_resync_between_two_looks_at_a_group_in_sync_is_told() -> None:
    looker = Looker()
    looker.sees(world.protected(east={"resyncs_total": 1, "resync": Flow.LOG_REPLAY}))
    again = {"resyncs_total": 2, "resync": Flow.BITMAP_COPY}
    assert looker.sees(world.protected(east=again)) == [("SR5203", "Synchronizing > Synchronizing")]


def test_a_site_that_counts_anew_is_believed() -> None:
    looker = Looker()
    looker.sees(world.protected(east={"resyncs_total": 5, "resync": Flow.BITMAP_COPY}))
    assert looker.sees(world.protected()) == []
    assert looker.sees(world.protected(east={"resyncs_total": 1, "resync": Flow.LOG_REPLAY})) == [
        ("SR5202", "Synchronizing > Synchronizing")
    ]


def test_what_was_before_the_first_look_is_not_told() -> None:
    looker = Looker()
    assert looker.sees(world.protected(east={"resyncs_total": 3, "resync": Flow.BITMAP_COPY})) == []


def test_the_side_that_is_primary_speaks() -> None:
    looker = Looker()
    looker.sees(world.failed_over())
    west = {"role": ReplicaRole.PRIMARY, "resyncs_total": 1, "resync": Flow.BITMAP_COPY}
    assert looker.sees(world.failed_over(west=west)) == [
        ("SR5203", "Synchronizing > Synchronizing")
    ]
