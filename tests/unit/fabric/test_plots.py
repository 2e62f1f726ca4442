"""What is drawn says what the report says: nothing unknown as zero, nothing unescaped."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import attrs
import pytest

from srshell.fabric.calls import parse_line
from srshell.fabric.keeping import keep_report
from srshell.fabric.pages import page_of, plots_svg
from srshell.fabric.pages.plots import event_marks, in_columns, sparkline
from srshell.fabric.reports import decode
from srshell.fabric.verbs import plots
from srshell.model.inventory import Event, StepState
from srshell.model.meters import Latency, Legs
from srshell.model.report import encode
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

NASTY = "<b>&\x1b[2J"


def point(unix: float, rpo: float | None, p99: float | None = None) -> LagPoint:
    return LagPoint(unix, "Synchronizing", rpo, 0.5, 4096, p99, p99, None)


def lag() -> LagReport:
    events = (Event(1, 130.0, "warning", "PriRG", "SR8004", NASTY),)
    known = Latency(count=3, p50_seconds=0.001)
    points = (point(100.0, 0.0, 0.001), point(150.0, None), point(200.0, 4.0, 0.004))
    return LagReport("PriRG", 100.0, 200.0, points, events, Legs(write=known, queue=known))


def the_map() -> MapReport:
    def side(name: str, peer: str, *, primary: bool) -> MapGroup:
        vol = f"{name}Vol{NASTY}"
        return MapGroup(name, (vol,), f"{name}Log", primary, "Synchronizing", "Normal", peer)

    a = MapArray(
        "ClusterA", "redmond", ("PoolA",), "ClusterB", (side("PriRG", "RecRG", primary=False),),
        ("Spare" * 12,), ("DemoVM",),
    )  # fmt: skip
    b = MapArray(
        "ClusterB", "bellevue", ("PoolA",), "ClusterA", (side("RecRG", "PriRG", primary=True),),
        (), (),
    )  # fmt: skip
    alone = MapArray("ClusterC", "tokyo", (), None, (), (), ())
    return MapReport("/f", (a, b, alone))


def trace() -> TraceReport:
    legs = (TraceLeg("queue", 0.0, 0.001), TraceLeg(NASTY, 0.001, 0.003))
    return TraceReport("PriRG", 7, 0.004, legs, "own log")


def drill() -> DrillReport:
    steps = (StepRow("seal", "drain|seal", StepState.DONE, 0.2),)
    good = Drill(3, "failover PriRG --planned", 1.0, "done", "", "RecRG", 0.4, 0.3, 0, 0, steps)
    bad = attrs.evolve(
        good, job=4, state="failed", lost_writes=None, lost_bytes=None, error=f"SR6004 {NASTY}"
    )
    return DrillReport("PriRG", "RecRG", 2.0, "Synchronizing", (good, bad))


REPORTS = [lag(), the_map(), trace(), drill()]


def as_json(report: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(report))
    return found


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_report_crosses_and_is_shown_without_control_characters(report: object) -> None:
    assert decode(encode(report)) == report
    page = page_of(as_json(report))
    lines = [page.headline, *page.lines, *(cell for row in page.rows for cell in row)]
    assert not any("\x1b" in line for line in lines)
    assert all(len(line) <= 90 for line in page.lines if "SR" not in line)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: type(report).__name__)
def test_a_drawing_is_whole_xml_and_everything_in_it_is_escaped(report: object) -> None:
    data = as_json(report)
    svg = plots_svg.svg_of(data)
    html = plots_svg.html_page(data, page_of(data))
    assert "<b>" not in html
    assert "<script" not in html
    assert "\x1b" not in html
    if svg:
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own text
        assert svg in html


def test_what_is_not_known_is_a_dot_and_no_zero() -> None:
    """A gap in the recording keeps the last figure; a figure that is unknown ends it."""
    columns = in_columns(as_json(lag()), "rpo_seconds", 10)
    assert columns == [0.0] * 5 + [None] * 4 + [4.0]
    assert sparkline(columns) == "▁▁▁▁▁····█"
    assert sparkline([None, 0.0]) == "·▁"
    rows = {row[0]: row for row in page_of(as_json(lag())).rows}
    assert rows["peer p99"][1:] == ("·" * 36, "—", "—")
    # The line breaks where nothing is known: two single points, no line between them.
    assert plots_svg.svg_of(as_json(lag())).count("<circle") >= 2


def test_events_stand_where_they_happened() -> None:
    assert event_marks(as_json(lag()), 10) == "   ▲"


def test_the_arrow_leads_from_the_primary_to_its_copy() -> None:
    lines = page_of(as_json(the_map())).lines
    (arrow,) = [line for line in lines if "━━━━━━" in line]
    assert "◀━━━━━━" in arrow
    assert "▶" not in arrow
    assert any("ClusterC at tokyo" in line for line in lines)
    assert page_of(as_json(MapReport("/f", ()))).headline == "no arrays yet"


def test_a_report_of_drills_tells_what_was_lost_and_what_is_not_known() -> None:
    text = plots_svg.markdown(as_json(drill()))
    assert "- recovery point (RPO): 0 writes, 0 B lost" in text
    assert "- recovery point (RPO): — lost" in text
    assert "| seal | done | 0.2 s | drain/seal |" in text
    assert page_of(as_json(drill())).rows[0][2] == "the owner's user"


@pytest.mark.parametrize(("name", "begin"), [("d.md", "# Drills"), ("d.html", "<!doctype html>")])
def test_the_page_of_a_report_is_written_as_its_name_says(
    tmp_path: Path, name: str, begin: str
) -> None:
    call = parse_line(f"srshell report PriRG --report {tmp_path / name}")
    keep_report(call, encode(drill()))
    assert (tmp_path / name).read_text().startswith(begin)
    call = parse_line(f"srshell map --report {tmp_path / 'm.svg'}")
    keep_report(call, encode(the_map()))
    assert (tmp_path / "m.svg").read_text().startswith("<svg")


def test_a_recording_with_torn_lines_is_read_around_them(tmp_path: Path) -> None:
    """An owner that was killed leaves half a line."""
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(b'{"unix": 1.0, "sta\n\n{"unix": 2.0, "status": []}\nnothing\n')
    assert [frame.unix for frame in plots._frames(recording)] == [2.0]
    assert plots._recorded(recording, {"PriRG"}, 0.0) == []
    assert list(plots._frames(tmp_path / "none")) == []


def test_each_leg_of_a_write_is_explained() -> None:
    """The report holds names and figures; the words for them are the page's."""
    leg = Latency(9, 0.001, 0.002, 0.003, 0.004)
    legs = plots.legs_of(Legs(leg, leg, leg, leg, leg, leg))
    page = page_of(as_json(TraceReport("PriRG", 9, 0.004, legs, "own log")))
    assert len(page.rows) == 6
    assert all(row[3] for row in page.rows)
    assert not any("text" in row for row in as_json(trace())["legs"])
