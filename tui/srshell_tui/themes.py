"""What tones look like: true colour dark and light, the terminal's own sixteen, none at all.

Always true: a tone that is a state is told by its symbol and its word as well; colour only helps.
Colours are those of Okabe and Ito, which people who see few colours can tell apart.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme

from srshell_tui.options import ANSI, DARK, LIGHT, MONO
from srshell_tui.text import Tone

_COLOURS: Final[dict[str, dict[Tone, str]]] = {
    DARK: {
        Tone.PLAIN: "#d8dee4", Tone.DIM: "#8d98a3", Tone.BOLD: "bold #ffffff",
        Tone.TITLE: "bold #9fd3f5", Tone.OK: "#18bd90", Tone.WORKING: "#56b4e9",
        Tone.WARNING: "bold #e69f00", Tone.ERROR: "bold #ff8a4c", Tone.UNKNOWN: "italic #9aa5b0",
        Tone.SOURCE: "#6aaede", Tone.DESTINATION: "#dd94bd", Tone.KEY: "bold #f0e442",
    },
    LIGHT: {
        Tone.PLAIN: "#1c2126", Tone.DIM: "#596069", Tone.BOLD: "bold #000000",
        Tone.TITLE: "bold #00507f", Tone.OK: "#006b4e", Tone.WORKING: "#00609c",
        Tone.WARNING: "bold #8a5a00", Tone.ERROR: "bold #a63f00", Tone.UNKNOWN: "italic #596069",
        Tone.SOURCE: "#00609c", Tone.DESTINATION: "#8f3f70", Tone.KEY: "bold #5c4f00",
    },
    ANSI: {
        Tone.PLAIN: "", Tone.DIM: "", Tone.BOLD: "bold", Tone.TITLE: "bold", Tone.OK: "green",
        Tone.WORKING: "cyan", Tone.WARNING: "bold yellow", Tone.ERROR: "bold red",
        Tone.UNKNOWN: "italic", Tone.SOURCE: "blue", Tone.DESTINATION: "magenta",
        Tone.KEY: "bold",
    },
    MONO: {
        Tone.PLAIN: "", Tone.DIM: "", Tone.BOLD: "bold", Tone.TITLE: "bold", Tone.OK: "",
        Tone.WORKING: "", Tone.WARNING: "bold", Tone.ERROR: "bold reverse", Tone.UNKNOWN: "",
        Tone.SOURCE: "", Tone.DESTINATION: "", Tone.KEY: "underline",
    },
}  # fmt: skip

#: The chosen row: a background where the theme has one, the terminal's reverse where not.
CHOSEN: Final[dict[str, Style]] = {
    DARK: Style(bgcolor="#2b3843", bold=True),
    LIGHT: Style(bgcolor="#d3dde6", bold=True),
    ANSI: Style(reverse=True),
    MONO: Style(reverse=True),
}

#: Background of the themes that have one.
BACKGROUNDS: Final[dict[str, str]] = {DARK: "#10151a", LIGHT: "#f6f7f8"}


@functools.cache
def styles_of(theme: str) -> Mapping[Tone, Style]:
    """What each tone looks like in a theme."""
    back = Style(bgcolor=BACKGROUNDS.get(theme))
    return {tone: back + Style.parse(text) for tone, text in _COLOURS[theme].items()}


def themes() -> tuple[Theme, ...]:
    """The themes as Textual takes them, for what is not drawn by tone."""
    return (
        Theme(DARK, primary="#56b4e9", warning="#e69f00", error="#ff8a4c", success="#18bd90",
              foreground="#d8dee4", background=BACKGROUNDS[DARK], surface="#1a2129"),
        Theme(LIGHT, primary="#00609c", warning="#8a5a00", error="#a63f00", success="#006b4e",
              foreground="#1c2126", background=BACKGROUNDS[LIGHT], surface="#e8ebee", dark=False),
        _native(ANSI),
        _native(MONO),
    )  # fmt: skip


def _native(name: str) -> Theme:
    """A theme that leaves the background and the colours to the terminal."""
    base = BUILTIN_THEMES["ansi-dark"]
    return Theme(**{**vars(base), "name": name})


class NoColour(LineFilter):
    """Takes every colour out, whatever wrote it; bold, reverse and underline stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments without colour."""
        return [
            Segment(text, style.without_color if style else None, control)
            for text, style, control in segments
        ]
