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
from srshell_tui.text import Drawing, Line, Piece, Span, Tone, bar, ends, fit, spans

#: A key and what it does.
Key = tuple[str, str]
_DAY_SECONDS = 86400.0

#: Tones of a screen whose owner is gone.
_PAST = {
    Tone.PLAIN: Tone.UNKNOWN, Tone.OK: Tone.UNKNOWN, Tone.WORKING: Tone.UNKNOWN,
    Tone.SOURCE: Tone.UNKNOWN, Tone.DESTINATION: Tone.UNKNOWN,
}  # fmt: skip
#: Tones of a replay: what was good then is not promised for now.
_REPLAYED = {Tone.OK: Tone.UNKNOWN, Tone.WORKING: Tone.UNKNOWN}

#: What can be pressed in a replay, on every screen.
_REPLAY_KEYS: tuple[Key, ...] = (
    ("space", "play"), ("← →", "step"), ("{ }", "minute"), ("n N", "event"), ("< >", "speed"),
    ("T", "time"), ("1-5", "screens"), ("?", "help"), ("q", "quit"),
)  # fmt: skip


@attrs.frozen
class Body:
    """The middle of a screen."""

    lines: Sequence[Line]
    cursor: int | None = None
    rows: tuple[str, ...] = ()
    cursor_width: int = 0
    shown: tuple[int, int] = (0, 0)


def contact_span(scene: Scene) -> Span:
    """How the owner is, in a symbol and a word."""
    view = scene.view
    match view.contact:
        case Contact.LIVE:
            return "● connected", Tone.OK
        case Contact.PAST:
            return "■ REPLAY, not the present", Tone.ERROR
        case Contact.CONNECTING:
            return "○ connecting", Tone.UNKNOWN
        case Contact.STRANGER:
            return "▲ another fabric answers", Tone.WARNING
        case Contact.QUIET:
            return f"○ last heard {_since(scene)} ago", Tone.WARNING
        case Contact.LOST:
            return f"✖ owner lost {_since(scene)}, retrying ({view.tries})", Tone.ERROR


def _since(scene: Scene) -> str:
    """For how long the contact has been what it is."""
    minutes, seconds = divmod(max(int(scene.now - scene.view.since), 0), 60)
    return f"{minutes:02}:{seconds:02}"


def fabric_name(scene: Scene) -> str:
    """The short name of the fabric: its directory."""
    info = scene.view.info
    return PurePath(info.fabric).name if info else "—"


def top(scene: Scene, path: Sequence[str], *more: Piece) -> Line:
    """The first line: breadcrumbs at the left, the owner and the time at the right."""
    crumbs: list[Piece] = [(" srshell ", Tone.BOLD)]
    for crumb in path:
        crumbs += [("→ ", Tone.DIM), (f"{crumb} ", Tone.BOLD)]
    past = scene.view.contact is Contact.PAST
    clock = time.strftime("%Y-%m-%d %H:%M:%S" if past else "%H:%M", time.localtime(scene.now))
    # A replay says more than that.
    note = scene.read_only and not past
    read_only: list[Piece] = [("read-only  ", Tone.WARNING)] if note else []
    return ends([*crumbs, *more], [*read_only, contact_span(scene), f"  {clock} "], scene.width)


def keys_line(keys: Sequence[Key], width: int) -> Line:
    """The last line: what can be pressed, as far as it fits; the way out always does."""
    way_out = [key for key in keys if key[0] == "esc"] or [key for key in keys if key[0] == "q"]
    others = [key for key in keys if key not in way_out]
    left = width - 1 - sum(_key_width(key) for key in way_out)
    shown: list[Key] = []
    for key in others:
        left -= _key_width(key)
        if left < 0:
            break
        shown.append(key)
    found: list[Piece] = [" "]
    for name, meaning in (*shown, *way_out):
        found += [(name, Tone.KEY), f" {meaning}  "]
    return fit(spans(*found), width)


def _key_width(key: Key) -> int:
    """The cells that a key takes in the last line."""
    return sum(len(part) for part in key) + 3


def message_line(scene: Scene) -> Line:
    """The line above the keys: what a person should know now."""
    view = scene.view
    if scene.message:
        return fit(spans((f" {scene.message}", Tone.BOLD)), scene.width)
    if view.contact is Contact.PAST:
        return _tape_line(scene)
    if view.contact is Contact.STRANGER:
        text = f" fabric {view.stranger[:8]} answers in place of the one shown: a follow it  q quit"
        return fit(spans((text, Tone.WARNING)), scene.width)
    if view.contact is not Contact.LIVE and view.problem:
        text = f" marked ? is what was last said; any command starts an owner. {view.problem}"
        return fit(spans((text, Tone.WARNING)), scene.width)
    return fit(spans((f" {view.note}", Tone.DIM)) if view.note else (), scene.width)


def _tape_line(scene: Scene) -> Line:
    """Where a replay is on its recording."""
    tape = scene.tape
    if tape is None:
        return fit(
            spans((" PAST: this is how it was, and acts on nothing", Tone.ERROR)), scene.width
        )
    day = "%H:%M:%S" if tape.end_unix - tape.begin_unix < _DAY_SECONDS else "%m-%d %H:%M"
    begin, end = (
        time.strftime(day, time.localtime(unix)) for unix in (tape.begin_unix, tape.end_unix)
    )
    how = f"playing {tape.speed:g}x" if tape.playing else f"paused {tape.speed:g}x"
    right = f" {end}  {tape.number}/{tape.count} {how} "
    room = max(scene.width - len(begin) - len(right) - 8, 4)
    return fit(
        spans((" PAST", Tone.ERROR), f" {begin} ", (bar(tape.share, room), Tone.WARNING), right),
        scene.width,
    )


def compose(scene: Scene, first: Sequence[Line], body: Body, keys: Sequence[Key]) -> Drawing:
    """A whole screen."""
    room = max(scene.height - len(first) - 2, 0)
    upper, *standing = first
    middle = [*standing, *(fit(line, scene.width) for line in body.lines[:room])]
    if not scene.view.live:
        # What was said by an owner that is gone must not look like the present, at no place.
        tones = _REPLAYED if scene.view.told else _PAST
        middle = [tuple((t, tones.get(tone, tone)) for t, tone in line) for line in middle]
    keys = _REPLAY_KEYS if scene.view.contact is Contact.PAST else keys
    middle += [fit((), scene.width)] * (room + len(standing) - len(middle))
    lines = (upper, *middle, message_line(scene), keys_line(keys, scene.width))
    cursor = None
    if body.cursor is not None and body.cursor < room:
        cursor = len(first) + body.cursor
    return Drawing(lines[: scene.height], cursor, body.cursor_width, body.rows, body.shown)
