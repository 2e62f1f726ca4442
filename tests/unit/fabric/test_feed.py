"""What a screen watches: the whole picture once, then only what changed, and never a backlog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

from srshell.fabric.control_client import FabricClient
from srshell.fabric.feed import EVENTS_MAX, ROW_NAMES, Feed, Frame, Picture, difference
from srshell.model.inventory import Event
from srshell.model.report import InfoReport, encode
from tests.magics.samples import status_row
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, protect

INFO = InfoReport("/fabrics/one", 7, "/fabrics/one/api", ())


def picture(*rows: Any, **others: Any) -> Picture:  # noqa: ANN401 - any row
    """A picture with these rows of status."""
    topics: dict[str, dict[str, Any]] = {topic: {} for topic in ROW_NAMES}
    topics["status"] = {row.name: row for row in rows}
    return Picture(others.pop("unix", 5.0), INFO, topics, others.pop("events", ()))


def event(number: int) -> Event:
    return Event(number, float(number), "info", "PriRG", "SR5201", f"event {number}")


@pytest.fixture
def served(opener: Opener) -> Iterator[Served]:
    """A protected fabric that answers."""
    with serve(opener.open()) as fabric:
        fabric.loop.run(protect(fabric.session, opener))
        yield fabric


def test_the_first_frame_is_the_whole_picture_and_a_calm_one_is_nearly_empty() -> None:
    """A client that was told everything is told nothing when nothing happens."""
    now = picture(status_row("PriRG", as_of=0.0))
    first = difference(None, now, 1)
    assert first.whole
    assert [row.name for row in first.status] == ["PriRG"]
    calm = difference(now, attrs.evolve(now, unix=6.0), 2)
    assert calm == Frame(2, 6.0, whole=False)


def test_a_frame_names_what_changed_and_what_is_gone() -> None:
    """Rows that stayed are left out."""
    before = picture(status_row("PriRG"), status_row("RecRG"), status_row("OldRG"))
    after = picture(status_row("PriRG", epoch=2), status_row("RecRG"))
    frame = difference(before, after, 2)
    assert [(row.name, row.epoch) for row in frame.status] == [("PriRG", 2)]
    assert frame.gone == {"status": ("OldRG",)}


def test_events_are_told_once() -> None:
    """The numbers of events order them."""
    before = picture(events=(event(1), event(2)))
    after = picture(events=(event(1), event(2), event(3)))
    assert difference(before, after, 2).events == (event(3),)


def test_a_frame_crosses_the_socket_whole() -> None:
    """Values on the other side are what they were here."""
    frame = difference(None, picture(status_row(), events=(event(1),)), 1)
    assert msgspec.json.decode(encode(frame), type=Frame) == frame


def test_a_client_watches_a_change_that_another_one_makes(served: Served) -> None:
    """What one client does, all see; the term of the role is in the row of the group."""

    async def watch() -> list[Frame]:
        client = FabricClient(served.session.context.place, start=False)
        frames = []
        async for frame in client.watch(0.2):
            frames.append(frame)
            if len(frames) == 1:
                await client.suspend("PriRG")
            states = {row.name: row.replication_state for row in frame.status}
            if states.get("PriRG") == "Suspended":
                break
        await client.close()
        return frames

    first, *_, last = served.loop.run(watch())
    assert first.whole
    assert {row.name for row in first.status} == {"PriRG", "RecRG"}
    assert not last.whole
    assert last.seq > first.seq


def test_a_calm_fabric_sends_no_rows(served: Served) -> None:
    """Also when it was verified some time ago: a client can tell the time by itself."""

    async def verified() -> Frame:
        await served.session.verify("PriRG")
        watcher = Feed(served.session).watch(0.2)
        first = await watcher.next()
        assert any(row.verification for row in first.status)
        return await watcher.next()

    calm = served.loop.run(verified())
    assert calm.status == ()
    assert calm.jobs == ()


def test_however_many_watch_the_fabric_is_looked_at_once(served: Served) -> None:
    """A dashboard more costs the owner a comparison, not a look at every site."""

    async def twice() -> bool:
        feed = Feed(served.session)
        one, two = feed.watch(30.0), feed.watch(30.0)
        first, second = await one.next(), await two.next()
        return first == second

    assert served.loop.run(twice())


def test_a_watcher_that_was_away_begins_again(served: Served) -> None:
    """It gets a fresh picture, never what it missed."""

    async def again() -> tuple[Frame, Frame]:
        watcher = Feed(served.session).watch(0.2)
        await watcher.next()
        calm = await watcher.next()
        watcher.begin_again()
        return calm, await watcher.next()

    calm, whole = served.loop.run(again())
    assert not calm.whole
    assert not calm.status
    assert whole.whole
    assert whole.status
    assert len(whole.events) <= EVENTS_MAX
