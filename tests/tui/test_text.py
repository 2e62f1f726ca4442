"""Lines are cut and filled in cells, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from srshell_tui.scene import brief, moment
from srshell_tui.text import Tone, bar, beside, cell, ends, fit, graph, rule, spans, width_of, wrap
from tests.tui import states

ANY = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("漢字é\u0301🙂\u202e\x1b")))


@given(st.lists(ANY, max_size=5), st.integers(1, 60))
def test_a_line_is_as_wide_as_asked_for(texts: list[str], width: int) -> None:
    """A line that is one cell too wide breaks the whole screen."""
    line = spans(*((text, Tone.PLAIN) for text in texts))
    assert width_of(fit(line, width)) == width
    assert width_of(ends(texts, [("end", Tone.DIM)], width)) == width


@given(ANY, st.integers(0, 40), st.booleans())
def test_a_cell_is_as_wide_as_its_column(text: str, width: int, right: bool) -> None:
    """Columns stay columns."""
    assert cell_len(cell(text, width, right=right)) == width


@given(ANY, st.integers(4, 60))
def test_a_heading_fills_the_line(title: str, width: int) -> None:
    """Also when its title is too long."""
    assert width_of(rule(title, width, "right")) == width


def test_a_cut_shows() -> None:
    """A name that is not shown whole must not be taken for another one."""
    assert cell("PrimaryVolume", 8) == "Primary…"
    assert fit(spans("PrimaryVolume"), 8) == (("Primary", Tone.PLAIN), ("…", Tone.DIM))


def test_bars_and_graphs_stay_in_their_cells() -> None:
    """Also for shares that should not be."""
    assert bar(0.5, 4) == "██░░"
    assert bar(-1.0, 2) + bar(7.0, 2) == "░░██"
    assert graph([0.0, 1.0, 2.0], 5) == "  ▁▅█"
    assert graph([], 3) == "   "


def test_sentences_break_between_words() -> None:
    """And columns stand beside one another."""
    assert wrap("one two three", 8) == ("one two", "three")
    both = beside([spans("a")], [spans("b"), spans("c")], 3, 6)
    assert ["".join(t for t, _ in line) for line in both] == ["a  │b ", "   │c "]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "—"), (0, "0 s"), (0.04, "0.1 s"), (59.4, "59 s"), (59.6, "1m00s"), (151, "2m31s"),
     (3599.7, "1h00m"), (11_130, "3h05m"), (86_400 * 12 + 3 * 3600, "12d03h")],
)  # fmt: skip
def test_a_duration_fits_its_column(seconds: float | None, text: str) -> None:
    """A recovery point that is cut off says nothing."""
    assert brief(seconds) == text
    assert len(text) <= 7


@pytest.mark.parametrize(
    ("age_seconds", "text"),
    [(0, "12:04:31"), (13 * 3600, "23:04:31"), (30 * 3600, "03-01 06:04"),
     (400 * 86_400, "2025-01-26")],
)  # fmt: skip
def test_a_moment_is_told_as_shortly_as_it_is_certain(age_seconds: float, text: str) -> None:
    """The night is no reason for a date."""
    assert moment(states.NOW - age_seconds, states.NOW) == text
