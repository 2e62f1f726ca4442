"""Pictures of screens: the same recording gives the same picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_tui import camera, shot
from srshell_tui.camera import take
from srshell_tui.options import Options
from srshell_tui.screens import DRAW
from srshell_tui.shot import Shot, parse_size, read_recording
from srshell_tui.store import FabricView
from tests.tui import gallery, states, topologies
from tests.tui.steering import OPTIONS, TableClient


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What `srshell dash --record` writes."""
    path = tmp_path / "recording"
    frames = states.running(states.picture(*states.COPYING), seconds=5)
    path.write_bytes(b"".join(encode(frame) + b"\n" for frame in frames))
    return path


@pytest.mark.parametrize("screen", [*DRAW, "help"])
def test_every_screen_can_be_drawn_from_a_recording(screen: str, recording: Path) -> None:
    """As text, twice the same."""
    shot = Shot(screen, 100, 30)
    text = take(shot, recording, None, OPTIONS)
    assert text == take(shot, recording, None, OPTIONS)
    assert len(text.splitlines()) == 30


def test_a_picture_is_written_as_text_or_as_svg(recording: Path, tmp_path: Path) -> None:
    """The SVG is the screen as the application shows it, with the same words."""
    svg, txt = tmp_path / "shot.svg", tmp_path / "shot.txt"
    assert take(Shot("overview"), recording, svg, OPTIONS) == f"{svg}\n"
    take(Shot("overview"), recording, txt, OPTIONS)
    assert "Replicating" in txt.read_text(encoding="utf-8")
    drawn = svg.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert "Replicating" in drawn


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """What `srshell topology --json` prints."""
    path = tmp_path / "report"
    path.write_bytes(encode(topologies.ready()))
    return path


def test_a_topology_test_is_drawn_from_its_report(report: Path, tmp_path: Path) -> None:
    """A recording holds no measurements; the report of a test does."""
    svg = tmp_path / "topology.svg"
    text = take(Shot("topology", 120, 34), report, None, OPTIONS)
    assert "✔ READY" in text
    assert "first copy of 64 GiB" in text
    assert len(text.splitlines()) == 34
    take(Shot("topology", 120, 34), report, svg, OPTIONS)
    assert "READY" in svg.read_text(encoding="utf-8")


def test_a_topology_test_is_measured_where_no_report_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The arrays of the group that is meant, as the key would; without a pair it is refused."""
    views = [gallery.sync(), FabricView()]
    client = TableClient({"topology": topologies.ready()})

    async def watched(_options: Options) -> FabricView:
        return views.pop(0)

    monkeypatch.setattr(camera, "watch_living", watched)
    monkeypatch.setattr(shot, "FabricClient", lambda *_, **__: client)
    assert "✔ READY" in take(Shot("topology"), None, None, OPTIONS)
    assert client.asked == [("topology", {"source": "ClusterA", "destination": "ClusterB"})]
    with pytest.raises(SrError) as refused:
        take(Shot("topology"), None, None, OPTIONS)
    assert refused.value.code == "SR0105"


def test_no_topology_test_is_found_in_what_is_none(recording: Path, tmp_path: Path) -> None:
    """Neither in a recording, nor in a moment of the past."""
    for path in (recording, tmp_path / "none"):
        with pytest.raises(SrError) as refused:
            take(Shot("topology"), path, None, OPTIONS)
        assert refused.value.code == "SR0005"
    with pytest.raises(SrError) as refused:
        take(Shot("topology"), None, None, OPTIONS, read_recording(recording))
    assert refused.value.code == "SR0108"


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, recording: Path) -> None:
    """With the code of a value that does not fit."""
    with pytest.raises(SrError) as refused:
        parse_size("wide")
    assert refused.value.code == "SR0005"
    with pytest.raises(SrError):
        read_recording(tmp_path / "none")
    (tmp_path / "bad").write_text('{"seq": "x"}')
    with pytest.raises(SrError):
        read_recording(tmp_path / "bad")
    (tmp_path / "bad").write_text("")
    with pytest.raises(SrError):
        read_recording(tmp_path / "bad")
    with pytest.raises(SrError):
        take(Shot("overview"), recording, tmp_path / "no" / "such.txt", OPTIONS)


def test_the_command_draws_without_textual(recording: Path) -> None:
    """Text needs no application, and the command line never imports one."""
    program = (
        "import sys; from srshell_tui.__main__ import main; "
        "code = main(sys.argv[1:]); print('textual' in sys.modules, code)"
    )
    words = ["shot", "group", "--size", "90x30", "--from", str(recording)]
    ran = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True, text=True, check=True,
        env={"PYTHONPATH": ":".join(sys.path), "TZ": "UTC", "LANG": "C.UTF-8"},
    )  # fmt: skip
    assert "[Replicating]" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "False 0"
