"""Pictures of screens: the same recording gives the same picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_tui.camera import take
from srshell_tui.screens import DRAW
from srshell_tui.shot import Shot, parse_size, read_recording
from tests.tui import states
from tests.tui.steering import OPTIONS


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
