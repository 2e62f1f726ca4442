"""The owner's recording: what happened is in it, calm costs nothing, and it harms nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from srshell.fabric import recorder as recording
from srshell.fabric.recorder import Recorder
from srshell_tui.reel import read_past
from tests.process.deadlines import until_true
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, memory_path, opener, protect, world

__all__ = ["memory_path", "opener", "world"]


async def test_each_change_is_written_down_and_calm_is_not(opener: Opener) -> None:
    """A frame after what happened; none after a look that found nothing new."""
    async with opener.open() as session:
        await protect(session, opener)
        place = session.context.place
        writer = Recorder(session, place)
        await writer._write()
        before = place.recording.stat().st_size
        await writer._write()
        assert place.recording.stat().st_size == before
        await session.suspend("PriRG")
        writer._feed._last = None
        await writer._write()
        kept = read_past(place.recording)
    first, last = kept.view_at(0), kept.view_at(len(kept.frames) - 1)
    assert first.status["PriRG"].replication_state == "Synchronizing"
    assert last.status["PriRG"].replication_state == "Suspended"
    assert last.events[-1].code == "SR5308"


async def test_events_wake_it(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened is not ten seconds away from its frame."""
    monkeypatch.setattr(recording, "_GATHER_SECONDS", 0.0)
    async with opener.open() as session:
        await protect(session, opener)
        place = session.context.place
        running = asyncio.create_task(Recorder(session, place).run())
        await until_true(place.recording.exists, "no frame is written")
        await session.suspend("PriRG")
        await until_true(lambda: "SR5308" in _codes(place.recording), "the event is not told")
        running.cancel()


def _codes(path: Path) -> set[str]:
    """The codes of everything that the newest frame knows of."""
    kept = read_past(path)
    return {event.code for event in kept.view_at(len(kept.frames) - 1).events}


async def test_a_large_fabric_is_written_down_less_often(opener: Opener) -> None:
    """The disk of the owner is not for this: what was written too much is waited for."""
    async with opener.open() as session:
        writer = Recorder(session, session.context.place)
        assert writer._pause_seconds() == recording.LOOK_SECONDS
        writer._budget_bytes = -100.0 * recording.BUDGET_BYTES_PER_SECOND
        assert 90 < writer._pause_seconds() <= 100


async def test_a_recording_that_cannot_be_written_ends_alone(
    opener: Opener, world: FakeWorld
) -> None:
    """The owner goes on."""
    async with opener.open() as session:
        session.context.place.recording.mkdir()
        await asyncio.wait_for(Recorder(session, session.context.place).run(), 30)
        assert (await session.info()).owner_pid
