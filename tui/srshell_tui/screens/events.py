"""What happened, the newest first, and what the chosen event means.

Always true: while the newest event is followed, it is the chosen one; folding hides no event that
says something else.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby

from srshell.model.codes import CODES
from srshell.model.inventory import Event
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.marks import LEVEL_TONES
from srshell_tui.scene import Scene, chosen_index, matches, moment, window
from srshell_tui.text import Column, Drawing, Line, Piece, Tone, fit, head, row, rule, spans, wrap

_KEYS: tuple[Key, ...] = (
    ("?", "help"), ("f", "follow"), ("l", "level"), ("z", "fold"), ("/", "find"),
    ("enter", "go to object"), ("E", "explain"), (":", "command"), ("x", "export"), ("esc", "back"),
)  # fmt: skip
_NARROW: tuple[Column, ...] = (Column("LVL", 5), Column("OBJECT", 12), Column("CODE", 6))
_WIDE: tuple[Column, ...] = (Column("LVL", 7), Column("OBJECT", 16), Column("CODE", 6))
_WHO = Column("WHO", 14)
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
    folds = folded(found) if look.fold else [(event,) for event in found]
    # The oldest names the row: it stays chosen when more of its like happen.
    keys = tuple(str(alike[-1].id) for alike in folds)
    chosen = chosen_index(keys, "" if look.follow else look.cursor)
    marks = f"level {look.level} (l)  {'alike folded' if look.fold else 'all apart'} (z)"
    marks += f"  find: {look.filter}" if look.filter else ""
    follow = (" follow ON (f)", Tone.OK) if look.follow else (" follow off (f)", Tone.DIM)
    times = max((len(moment(event.unix, scene.now)) for event in found), default=8)
    base = _WIDE if scene.wide else _NARROW
    base = (Column("TIME", times), *base, *([_WHO] if _tells_who(scene, found) else []))
    used = sum(column.width + 1 for column in base) + 3
    columns = (*base, Column("WHAT", width - used - 1))
    held = f"{len(found)} of {len(scene.view.events)} held"
    lines = [rule(held, width, marks), head(columns, width)]
    room = scene.height - len(lines) - _SELECTED_LINES - 4
    first, end = window(len(folds), chosen, room)
    for index, alike in enumerate(folds[first:end], first):
        cells = _cells(scene, alike, who=_tells_who(scene, found))
        lines.append(row(columns, cells, width, chosen=index == chosen))
    if not found:
        text = (
            "   nothing passes the filter" if scene.view.events else "   nothing has happened yet"
        )
        lines.append(fit(spans((text, Tone.DIM)), width))
    lines += [fit((), width)] * (2 + room - len(lines))
    if chosen is not None:
        lines += _selected(scene, folds[chosen])
    at = None if chosen is None else 2 + chosen - first
    body = Body(lines, at, keys, shown=(first, end))
    return compose(scene, (top(scene, ("Events",), follow),), body, _KEYS)


def folded(events: Sequence[Event]) -> list[tuple[Event, ...]]:
    """Events that follow one another and say the same of the same object, together."""
    alike = groupby(events, key=lambda event: (event.object, event.code, event.level))
    return [tuple(group) for _, group in alike]


def _tells_who(scene: Scene, events: Sequence[Event]) -> bool:
    """Whether there is room, and anything, to say who did it."""
    return scene.wide and any(event.actor for event in events)


def _cells(scene: Scene, alike: Sequence[Event], *, who: bool) -> list[Piece]:
    """The cells of one event, or of several that say the same: the newest of them."""
    event = alike[0]
    tone = LEVEL_TONES.get(event.level, Tone.PLAIN)
    level = (
        event.level
        if scene.wide
        else {"warning": "WARN", "error": "ERROR"}.get(event.level, event.level)
    )
    text = f"({len(alike)} alike) {event.text}" if len(alike) > 1 else event.text
    cells: list[Piece] = [moment(event.unix, scene.now), (level, tone), event.object, event.code]
    return [*cells, *([event.actor] if who else []), text]


def _selected(scene: Scene, alike: Sequence[Event]) -> list[Line]:
    """The chosen event in full, and what its code means."""
    event, width = alike[0], scene.width
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.unix))
    lines = [rule(f"Selected: event {event.id}", width, when)]
    who = f"   by {event.actor}" if event.actor else ""
    if len(alike) > 1:
        who += f"   {len(alike)} alike since {moment(alike[-1].unix, scene.now)}"
    lines += [
        fit(spans(f" {text}"), width)
        for text in wrap(f"{event.code} {event.text}{who}", width - 2)[:2]
    ]
    entry = CODES.get(event.code)
    if entry is not None:
        texts = wrap(entry.explanation, width - 2)[:3]
        lines += [fit(spans((f" {text}", Tone.DIM)), width) for text in texts]
    return lines
