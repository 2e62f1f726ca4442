"""What happened, the newest first, and what the chosen event means.

Always true: while the newest event is followed, it is the chosen one.
"""

from __future__ import annotations

import time

from srshell.model.codes import CODES
from srshell.model.inventory import Event
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.marks import LEVEL_TONES
from srshell_tui.scene import Scene, chosen_index, matches, moment, window
from srshell_tui.text import Column, Drawing, Line, Piece, Tone, fit, head, row, rule, spans, wrap

_KEYS: tuple[Key, ...] = (
    ("?", "help"), ("f", "follow"), ("l", "level"), ("/", "find"), ("enter", "go to object"),
    ("E", "explain"), (":", "command"), ("x", "export"), ("esc", "back"),
)  # fmt: skip
_NARROW = (Column("LVL", 5), Column("OBJECT", 12), Column("CODE", 6))
_WIDE = (
    Column("TIME", 16),
    Column("LVL", 7),
    Column("OBJECT", 16),
    Column("CODE", 6),
    Column("WHO", 14),
)
_SELECTED_LINES = 6


def draw_events(scene: Scene) -> Drawing:
    """The screen of events."""
    width, look = scene.width, scene.look
    order = list(LEVEL_TONES)
    levels = order[order.index(look.level) :]
    found = [
        event
        for event in reversed(scene.view.events)
        if event.level in levels
        and matches(look.filter, (event.object, event.code, event.text, event.actor))
    ]
    keys = tuple(str(event.id) for event in found)
    chosen = chosen_index(keys, "" if look.follow else look.cursor)
    marks = f"level {look.level} (l)" + (f"  find: {look.filter}" if look.filter else "")
    follow = (" follow ON (f)", Tone.OK) if look.follow else (" follow off (f)", Tone.DIM)
    times = max((len(moment(event.unix, scene.now)) for event in found), default=8)
    base = _WIDE if scene.wide else (Column("TIME", times), *_NARROW)
    used = sum(column.width + 1 for column in base) + 3
    columns = (*base, Column("WHAT", width - used - 1))
    held = f"{len(found)} of {len(scene.view.events)} held"
    lines = [rule(held, width, marks), head(columns, width)]
    room = scene.height - len(lines) - _SELECTED_LINES - 4
    first, end = window(len(found), chosen, room)
    for index, event in enumerate(found[first:end], first):
        cells = _cells(scene, event)
        lines.append(row(columns, cells, width, chosen=index == chosen))
    if not found:
        text = (
            "   nothing passes the filter" if scene.view.events else "   nothing has happened yet"
        )
        lines.append(fit(spans((text, Tone.DIM)), width))
    lines += [fit((), width)] * (2 + room - len(lines))
    if chosen is not None:
        lines += _selected(scene, found[chosen])
    at = None if chosen is None else 2 + chosen - first
    return compose(scene, (top(scene, ("Events",), follow),), Body(lines, at, keys), _KEYS)


def _cells(scene: Scene, event: Event) -> list[Piece]:
    """The cells of one event."""
    tone = LEVEL_TONES.get(event.level, Tone.PLAIN)
    level = (
        event.level
        if scene.wide
        else {"warning": "WARN", "error": "ERROR"}.get(event.level, event.level)
    )
    cells: list[Piece] = [moment(event.unix, scene.now), (level, tone), event.object, event.code]
    return [*cells, *([event.actor] if scene.wide else []), event.text]


def _selected(scene: Scene, event: Event) -> list[Line]:
    """The chosen event in full, and what its code means."""
    width = scene.width
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.unix))
    lines = [rule(f"Selected: event {event.id}", width, when)]
    who = f"   by {event.actor}" if event.actor else ""
    lines += [
        fit(spans(f" {text}"), width)
        for text in wrap(f"{event.code} {event.text}{who}", width - 2)[:2]
    ]
    entry = CODES.get(event.code)
    if entry is not None:
        texts = wrap(entry.explanation, width - 2)[:3]
        lines += [fit(spans((f" {text}", Tone.DIM)), width) for text in texts]
    return lines
