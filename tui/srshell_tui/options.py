"""How a dashboard was asked to be.

Always true: what the surroundings decide (colours, characters, a terminal at all) is decided here,
from the environment that is handed in, so that it can be read and tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell_tui.reel import Reel

#: Themes: true colour, the terminal's own sixteen, none.
DARK: Final = "sr-dark"
LIGHT: Final = "sr-light"
ANSI: Final = "sr-ansi"
MONO: Final = "sr-mono"

#: Terminals with sixteen colours.
_SIXTEEN: Final = frozenset({"linux", "screen", "vt100", "vt220", "xterm", "ansi"})


@attrs.frozen
class Options:
    """What holds for one run."""

    place: FabricPlace
    start: bool = True
    owner: OwnerOptions = attrs.Factory(OwnerOptions)
    read_only: bool = False
    theme: str = DARK
    ascii_only: bool = False
    period_seconds: float = 1.0
    mouse: bool = False
    record: Path | None = None  #: frames are written there as they come
    reel: Reel | None = None  #: a recording to be shown instead of the living fabric
    at: str = ""  #: the moment of it that is shown first; empty: the last one


def choose_theme(wanted: str | None, environment: Mapping[str, str]) -> str:
    """The theme: what was asked for, else what the terminal can show."""
    if environment.get("NO_COLOR"):
        return MONO
    if wanted:
        return f"sr-{wanted}"
    if environment.get("COLORTERM") in {"truecolor", "24bit"}:
        return DARK
    terminal = environment.get("TERM", "")
    return ANSI if terminal.split("-")[0] in _SIXTEEN and "256color" not in terminal else DARK


def choose_ascii(environment: Mapping[str, str]) -> bool:
    """Whether the locale knows no more than ASCII."""
    locale = next(
        (value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), ""
    )
    return "utf" not in locale.lower()


def choose_plain(environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether there is no terminal that a screen could be drawn on."""
    return not terminal or environment.get("TERM", "dumb") == "dumb"


def choose_mouse(environment: Mapping[str, str]) -> bool:
    """Whether the mouse is listened to: not over SSH, where it would keep people from copying."""
    return "SSH_TTY" not in environment
