"""Pages: every report has one, nothing unknown is shown as zero, no text can drive the terminal."""

from __future__ import annotations

import pytest

from srshell.fabric.pages import PAGES, page_of, progress_line
from srshell.fabric.pages.words import duration
from srshell.fabric.reports import decode
from srshell.model.report import REPORTS


def test_every_report_has_a_page() -> None:
    """Nothing that a command returns is shown as raw fields."""
    assert set(REPORTS) - {"srshell.error/1"} <= set(PAGES)


def test_control_characters_are_shown_as_question_marks() -> None:
    """A name or an answer of the system cannot move the cursor, colour or reverse a line."""
    page = page_of({"schema": "srshell.nbd/1", "uri": "\x1b[31mred\u202e", "read_only": False,
                    "volume": "v", "serving": True})  # fmt: skip
    assert page.headline == "?[31mred?"


@pytest.mark.parametrize(
    ("uri", "twin", "headline"),
    [
        ("nbd+unix:///v", "w", "v is secondary and serves nobody now"),
        ("nbd+unix:///v", "", "v is exported and serves nobody now"),
        ("", "", "v is served no longer"),
    ],
)
def test_an_export_that_serves_nobody_is_told_as_that(uri: str, twin: str, headline: str) -> None:
    """An address that answers nobody is no headline."""
    page = page_of({"schema": "srshell.nbd/1", "uri": uri, "read_only": True, "volume": "v",
                    "serving": False, "primary_volume": twin})  # fmt: skip
    assert page.headline == headline


def test_an_unknown_recovery_point_is_a_dash() -> None:
    """Zero is said only where it is known."""
    assert (duration(None), duration(0.0), duration(2.64), duration(250)) == (
        "—",
        "0 s",
        "2.6 s",
        "4 min 10 s",
    )


def test_progress_admits_that_the_end_is_not_known() -> None:
    """An ETA is shown when there is one."""
    copy = {"kind": "initial-copy", "done_bytes": 1 << 30, "total_bytes": 4 << 30,
            "eta_seconds": None, "bytes_per_second": 0.0}  # fmt: skip
    assert progress_line(copy) == "25 % 1 GiB of 4 GiB, ETA unknown"
    copy |= {"eta_seconds": 30.0, "bytes_per_second": 100 * 1024**2}
    assert progress_line(copy) == "25 % 1 GiB of 4 GiB, 100 MiB/s, ETA 30 s"


def test_reports_of_ours_are_decoded_too() -> None:
    """The fabric's own schemas are known beside the model's."""
    text = '{"schema":"srshell.stopped/1","fabric":"f","owner_pid":7,"sites_stopped":true}'
    assert decode(text).owner_pid == 7


@pytest.mark.parametrize("noun", ["arrays", "pools", "volumes", "pairs", "groups", "vms", "jobs"])
def test_a_list_without_lines_says_what_to_do(noun: str) -> None:
    """A heading over nothing leaves a person to guess whether it worked."""
    page = page_of({"schema": f"srshell.{noun}/1", noun: []})
    assert not page.columns
    (line,) = page.lines
    assert line.startswith("no ")
