"""The dashboard in lines: a sentence when something changed, silence when nothing did."""

from __future__ import annotations

import io
from typing import Any, cast

import attrs

from srshell.fabric.control_client import FabricClient
from srshell.fabric.feed import Frame
from srshell.model.inventory import Job, JobState
from srshell.model.report import StatusReport
from srshell_tui.plain import PlainDashboard, changes, summary
from srshell_tui.store import FabricView, hear, lose
from tests.tui import gallery, states
from tests.tui.steering import OPTIONS, TableClient

NOW = states.NOW


def test_the_whole_is_told_in_sentences() -> None:
    """State, health, recovery point and readiness of each group, without a picture."""
    lines = list(summary(gallery.copying(), NOW))
    assert lines[0] == "fabric lab-east: connected, 2 arrays, 2 groups"
    assert lines[1].startswith("PriRG > RecRG is Replicating, health Warning, RPO unknown")
    assert "ETA 6 min 34 s" in lines[1]


def test_nothing_is_said_while_nothing_changes() -> None:
    """Counters may run: a person who listens is told of states."""
    before = gallery.sync()
    row = attrs.evolve(before.status["PriRG"], written_bytes_total=2**50, durable_lsn=9**9)
    calm = hear(before, Frame(before.seq + 1, before.unix + 1, whole=False, status=(row,)), NOW)
    assert list(changes(before, calm)) == []


def test_a_change_is_a_sentence() -> None:
    """States, events and jobs."""
    before = gallery.sync()
    rows = states.both(replication_state=states.SUSPENDED[0].replication_state)
    event = states.event(9, "warning", "PriRG", "SR5308", "replication of PriRG is paused")
    job = Job(18, "suspend PriRG", "PriRG", JobState.DONE, NOW, NOW + 2)
    frame = Frame(before.seq + 1, before.unix + 1, False, status=rows, events=(event,), jobs=(job,))
    said = list(changes(before, hear(before, frame, NOW)))
    assert said[0].startswith("PriRG > RecRG is Suspended")
    assert "warning: PriRG SR5308 replication of PriRG is paused" in said
    assert "job 18, suspend PriRG: done after 2.0 s" in said


def test_a_loss_is_told_and_so_is_the_return() -> None:
    """What is known becomes the past."""
    before = gallery.sync()
    gone = lose(before, "the owner ended", NOW)
    said = list(changes(before, gone))
    assert said[0].startswith("owner lost")
    assert "PriRG > RecRG was Synchronizing at" in said[1]
    back = hear(gone, states.picture(), NOW + 5)
    assert next(iter(changes(gone, back))).startswith("connected")


def test_a_copy_is_told_of_at_every_tenth() -> None:
    """Not at every byte."""
    source = states.COPYING[0]
    copy = source.progress
    assert copy is not None

    def at(share: float) -> FabricView:
        progress = attrs.evolve(copy, done_bytes=round(copy.total_bytes * share))
        return states.view_of(states.picture(attrs.evolve(source, progress=progress)))

    assert list(changes(at(0.41), at(0.44))) == []
    assert len(list(changes(at(0.44), at(0.51)))) == 1


async def _told(line: str, answers: dict[str, Any], **options: Any) -> tuple[str, TableClient]:  # noqa: ANN401
    out = io.StringIO()
    client = TableClient(answers)
    plain = PlainDashboard(attrs.evolve(OPTIONS, **options), out)
    await plain._command(cast("FabricClient", client), line)
    return out.getvalue(), client


async def test_commands_are_those_of_the_shell() -> None:
    """The page of the answer, line by line, without a table's columns to count."""
    text, client = await _told("status PriRG", {"status": StatusReport(states.both())})
    assert client.asked == [("status", {"group": "PriRG"})]
    assert "PriRG, True, Synchronizing" in text


async def test_errors_are_those_of_the_shell() -> None:
    """Code, rule, facts and mend; a read-only session changes nothing."""
    text, _ = await _told("statsu", {})
    assert "SR0001" in text
    text, client = await _told("job 17 --cancel", {}, read_only=True)
    assert "SR9003" in text
    assert client.asked == []


async def test_ascii_alone_is_written_where_it_is_asked_for() -> None:
    """Also for the dash that stands for unknown."""
    row = states.side(rpo_seconds=None)
    text, _ = await _told("status", {"status": StatusReport((row,))}, ascii_only=True)
    assert text.isascii()
