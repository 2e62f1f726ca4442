"""A name, a message or an answer of the system is shown, and does nothing else: on every display.

One corpus, `tests.fuzz.on_text.HOSTILE`, in every field of every report.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.ultratb import VerboseTB
from IPython.utils.capture import capture_output

from srshell.cli import show
from srshell.cli.surroundings import Surroundings
from srshell.fabric.pages import page_of
from srshell.fabric.place import FabricPlace
from srshell.fabric.progress import RateMeter
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_magics.display import bundle, make_page, to_html, to_text
from srshell_magics.errors import dress, error_lines
from srshell_tui import text as tui_text
from tests.fuzz.on_text import (
    HOSTILE,
    drawn,
    expect_harmless,
    expect_plain_html,
    filled_reports,
)
from tests.fuzz.reports import all_reports

#: JSON cannot say a lone surrogate in UTF-8: no report that crossed a socket holds one.
SPOKEN: Final = tuple(text for text in HOSTILE if text.isascii() or "\ud800" not in text)
EACH = pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)


def some_reports(hostile: str) -> Iterator[Any]:
    """Every fifth report with this text in all its fields; the others meet the other texts."""
    first = HOSTILE.index(hostile) % 5
    return itertools.islice(filled_reports(hostile), first, None, 5)


def error_of(hostile: str) -> SrError:
    return SrError.make("SR0105", facts=hostile, noun=hostile, name=hostile, mend=hostile)


def around() -> Surroundings:
    return Surroundings(FabricPlace(Path()), out=io.StringIO(), err=io.StringIO())


@EACH
def test_plain_lines_of_the_command_line(hostile: str) -> None:
    for report in some_reports(hostile):
        for line in show.plain_lines(page_of(report)):
            expect_harmless(line)


@EACH
def test_tables_drawn_on_a_terminal(hostile: str) -> None:
    """Rich takes no markup of others, and no link."""
    for report in some_reports(hostile):
        expect_harmless(drawn(report))


@EACH
def test_text_in_a_notebook(hostile: str) -> None:
    for report in some_reports(hostile):
        expect_harmless(to_text(make_page(report)).replace("\n", ""))


@EACH
def test_html_in_a_notebook(hostile: str) -> None:
    """No element, attribute, script or link that is not ours."""
    for report in some_reports(hostile):
        expect_plain_html(to_html(make_page(report)))


@pytest.mark.parametrize("hostile", SPOKEN, ids=ascii)
def test_what_a_front_end_is_given(hostile: str) -> None:
    """Text, HTML and JSON; nothing that runs when a notebook is opened."""
    for report in itertools.islice(all_reports(hostile).values(), 0, None, 5):
        given = bundle(report)
        assert set(given) == {"text/plain", "text/html", "application/vnd.srshell.v1+json"}
        expect_harmless(str(given["text/plain"]).replace("\n", ""))
        expect_plain_html(str(given["text/html"]))
        json.dumps(given)


@EACH
def test_errors(hostile: str) -> None:
    """On the command line, in a notebook, in a traceback, and as JSON."""
    error = error_of(hostile)
    for line in (*error.lines(), str(error)):
        expect_harmless(line)
    place = around()
    show.show_error(error, place, as_json=False)
    show.show_error(error, place, as_json=True)
    written = place.err.getvalue()  # type: ignore[attr-defined]
    expect_harmless(written.replace("\n", ""))
    for line in dress(error, error_lines(error))._render_traceback_():
        expect_harmless(line)


@EACH
def test_json_is_one_line_of_ascii_controls_nowhere(hostile: str) -> None:
    """What ``--json`` prints can be piped into a terminal, too."""
    for report in some_reports(hostile):
        place = around()
        show.show_result(json.dumps(report), place)
        printed = place.out.getvalue()  # type: ignore[attr-defined]
        expect_harmless(printed.replace("\n", ""))


@EACH
def test_progress(hostile: str) -> None:
    """The line that is written over and over."""
    steps = [{"state": "begun", "text": hostile}]
    job: dict[str, Any] = {"id": 7, "command": hostile, "object": hostile, "steps": steps}
    expect_harmless(show.progress_text(job, RateMeter()))


@EACH
def test_a_line_of_the_dashboard(hostile: str) -> None:
    """As wide as it was asked to be, and nothing in it but characters."""
    line = tui_text.fit(tui_text.spans(hostile, (hostile, tui_text.Tone.BOLD)), 40)
    shown = "".join(piece for piece, _ in line)
    expect_harmless(shown)


def test_the_json_of_a_report_is_bytes_without_controls() -> None:
    """Whatever a name holds, the encoder escapes what is below a space."""
    for report in all_reports("".join(SPOKEN)).values():
        assert not any(byte < 0x20 for byte in encode(report))


def test_a_shell_shows_an_error_without_its_escapes() -> None:
    """IPython prints what `SrError` renders, not what it holds."""
    assert issubclass(VerboseTB, object)
    shell = InteractiveShell.instance()
    shell.user_ns["boom"] = error_of("\x1b[2J\u202e")
    with capture_output() as captured:
        shell.run_cell("raise boom")  # type: ignore[no-untyped-call]
    expect_harmless(captured.stdout.replace("\n", ""))
    InteractiveShell.clear_instance()
