"""What every screen has around it: where one is, how the owner is, what can be pressed.

Always true: a screen has exactly as many lines as the terminal; the last one names keys.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import PurePath

import attrs

from srshell_tui.scene import Scene
from srshell_tui.store import Contact
from srshell_tui.text import Drawing, Line, Piece, Span, Tone, ends, fit, spans

#: A key and what it does.
Key = tuple[str, str]

#: Tones of a screen whose owner is gone.
_PAST = {
    Tone.PLAIN: Tone.UNKNOWN, Tone.OK: Tone.UNKNOWN, Tone.WORKING: Tone.UNKNOWN,
    Tone.SOURCE: Tone.UNKNOWN, Tone.DESTINATION: Tone.UNKNOWN,
}  # fmt: skip


@attrs.frozen
class Body:
    """The middle of a screen."""

    lines: Sequence[Line]
    cursor: int | None = None
    rows: tuple[str, ...] = ()
    cursor_width: int = 0


def contact_span(scene: Scene) -> Span:
    """How the owner is, in a symbol and a word."""
    view = scene.view
    match view.contact:
        case Contact.LIVE:
            return "● connected", Tone.OK
        case Contact.CONNECTING:
            return "○ connecting", Tone.UNKNOWN
        case Contact.STRANGER:
            return "▲ another fabric answers", Tone.WARNING
        case Contact.LOST:
            minutes, seconds = divmod(max(int(scene.now - view.since), 0), 60)
            text = f"✖ owner lost {minutes:02}:{seconds:02}, retrying ({view.tries})"
            return text, Tone.ERROR


def fabric_name(scene: Scene) -> str:
    """The short name of the fabric: its directory."""
    info = scene.view.info
    return PurePath(info.fabric).name if info else "—"


def top(scene: Scene, path: Sequence[str], *more: Piece) -> Line:
    """The first line: breadcrumbs at the left, the owner and the time at the right."""
    crumbs: list[Piece] = [(" srshell ", Tone.BOLD)]
    for crumb in path:
        crumbs += [("→ ", Tone.DIM), (f"{crumb} ", Tone.BOLD)]
    clock = time.strftime("%H:%M", time.localtime(scene.now))
    read_only: list[Piece] = [("read-only  ", Tone.WARNING)] if scene.read_only else []
    return ends([*crumbs, *more], [*read_only, contact_span(scene), f"  {clock} "], scene.width)


def keys_line(keys: Sequence[Key], width: int) -> Line:
    """The last line: what can be pressed, as far as it fits."""
    found: list[Piece] = [" "]
    used = 1
    for key, meaning in keys:
        needed = len(key) + len(meaning) + 3
        if used + needed > width:
            break
        found += [(key, Tone.KEY), f" {meaning}  "]
        used += needed
    return fit(spans(*found), width)


def message_line(scene: Scene) -> Line:
    """The line above the keys: what a person should know now."""
    view = scene.view
    if scene.message:
        return fit(spans((f" {scene.message}", Tone.BOLD)), scene.width)
    if view.contact is Contact.STRANGER:
        text = f" fabric {view.stranger[:8]} answers in place of the one shown: a follow it  q quit"
        return fit(spans((text, Tone.WARNING)), scene.width)
    if view.contact is not Contact.LIVE and view.problem:
        text = f" marked ? is what was last said; any command starts an owner. {view.problem}"
        return fit(spans((text, Tone.WARNING)), scene.width)
    return fit(spans((f" {view.note}", Tone.DIM)) if view.note else (), scene.width)


def compose(scene: Scene, first: Sequence[Line], body: Body, keys: Sequence[Key]) -> Drawing:
    """A whole screen."""
    room = max(scene.height - len(first) - 2, 0)
    upper, *standing = first
    middle = [*standing, *(fit(line, scene.width) for line in body.lines[:room])]
    if not scene.view.live:
        # What was said by an owner that is gone must not look like the present, at no place.
        middle = [tuple((t, _PAST.get(tone, tone)) for t, tone in line) for line in middle]
    middle += [fit((), scene.width)] * (room + len(standing) - len(middle))
    lines = (upper, *middle, message_line(scene), keys_line(keys, scene.width))
    cursor = None
    if body.cursor is not None and body.cursor < room:
        cursor = len(first) + body.cursor
    return Drawing(lines[: scene.height], cursor, body.cursor_width, body.rows)
