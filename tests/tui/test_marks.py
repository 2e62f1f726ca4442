"""Every state has a symbol, a word and a colour that can be read."""

from __future__ import annotations

import itertools

import pytest
from rich.style import Style

from srshell.model.inventory import JobState, StepState
from srshell.model.states import ReplicationHealth, ReplicationState
from srshell_tui import marks, themes
from srshell_tui.options import (
    ANSI,
    DARK,
    LIGHT,
    MONO,
    choose_ascii,
    choose_mouse,
    choose_plain,
    choose_theme,
)
from srshell_tui.text import Tone


def test_every_state_has_its_mark() -> None:
    """A state that is added to the model cannot be forgotten here."""
    assert set(marks.STATE_TONES) == set(ReplicationState)
    assert set(marks.HEALTH_TONES) == set(ReplicationHealth)
    assert set(marks.JOB_TONES) == set(JobState)
    assert set(marks.STEP_TONES) == set(StepState)


def test_states_are_told_apart_without_colour() -> None:
    """Symbols differ wherever tones do, and the word is the model's."""
    symbols = list(marks.SYMBOLS.values())
    assert len(set(symbols)) == len(symbols)
    for state in ReplicationState:
        text, tone = marks.state_span(state)
        assert text == f"{marks.SYMBOLS[tone]} {state.value}"


def _luminance(style: Style) -> float:
    assert style.color is not None, style
    parts = [part / 255 for part in style.color.get_truecolor()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "tone"), [*itertools.product((DARK, LIGHT), Tone)])
def test_text_can_be_read_against_its_background(theme: str, tone: Tone) -> None:
    """At least 4.5 to 1, as the guidelines for contrast ask of text."""
    text = _luminance(themes.styles_of(theme)[tone])
    back = _luminance(Style(color=themes.BACKGROUNDS[theme]))
    lighter, darker = max(text, back), min(text, back)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_without_colour_there_is_none() -> None:
    """Bold, reverse and underline are left."""
    assert all(style.color is None for style in themes.styles_of(MONO).values())


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, DARK),
        ({"TERM": "xterm-256color"}, DARK),
        ({"TERM": "linux"}, ANSI),
        ({"TERM": "screen"}, ANSI),
        ({"TERM": "screen-256color"}, DARK),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, MONO),
    ],
)
def test_the_terminal_decides_on_colours(environment: dict[str, str], theme: str) -> None:
    """What a terminal cannot show is not sent to it, and NO_COLOR is obeyed."""
    assert choose_theme(None, environment) == theme
    if theme != MONO:
        assert choose_theme("light", environment) == LIGHT
    else:
        assert choose_theme("light", environment) == MONO


def test_the_surroundings_decide_on_characters_lines_and_mouse() -> None:
    """A dumb terminal gets lines; over SSH the mouse stays with the person."""
    assert choose_ascii({"LANG": "C"})
    assert not choose_ascii({"LANG": "C", "LC_ALL": "de_DE.UTF-8"})
    assert choose_plain({"TERM": "dumb"}, terminal=True)
    assert choose_plain({"TERM": "xterm"}, terminal=False)
    assert not choose_plain({"TERM": "xterm"}, terminal=True)
    assert choose_mouse({})
    assert not choose_mouse({"SSH_TTY": "/dev/pts/1"})
