"""What is shown where there is no room for a screen: one line for each group."""

from __future__ import annotations

from typing import Final

from srshell.fabric.pages.words import UNKNOWN
from srshell_tui.frame import Body, Key, compose, contact_span
from srshell_tui.marks import health_span, state_span
from srshell_tui.scene import (
    FULL_HEIGHT,
    FULL_WIDTH,
    Scene,
    brief,
    chosen_index,
    shown_couples,
    sure,
    window,
)
from srshell_tui.text import Drawing, Line, Tone, fit, spans

#: Below this not even a list can be read.
WIDTH_MIN: Final = 40
HEIGHT_MIN: Final = 8
_KEYS: tuple[Key, ...] = (("?", "help"), (":", "command"), ("/", "find"), ("q", "quit"))


def draw_small(scene: Scene) -> Drawing:
    """The list of groups."""
    width = scene.width
    if width < WIDTH_MIN or scene.height < HEIGHT_MIN:
        words = (f"{width}x{scene.height} is too small", "srshell dash --plain", "q quits")
        lines: list[Line] = [fit(spans(word), width) for word in words]
        lines += [fit((), width)] * (scene.height - len(lines))
        return Drawing(tuple(lines[: scene.height]))
    first = fit(spans((" srshell ", Tone.BOLD), contact_span(scene)), width)
    found = shown_couples(scene)
    keys = tuple(couple.source.name for couple in found)
    chosen = chosen_index(keys, scene.look.cursor)
    start, end = window(len(found), chosen, scene.height - 4)
    lines = []
    for index, couple in enumerate(found[start:end], start):
        fresh = scene.view.fresh(couple.source)
        health, health_tone = health_span(couple.health)
        state, tone = state_span(couple.source.replication_state)
        mark = "▶" if index == chosen else " "
        lines.append(fit(spans(
            f"{mark}{couple.source.name} ", sure(health.split()[0], health_tone, fresh=fresh), " ",
            sure(state.split()[-1], tone, fresh=fresh),
            " RPO ", brief(couple.source.rpo_seconds) if fresh else UNKNOWN,
        ), width))  # fmt: skip
    hint = f" {FULL_WIDTH}x{FULL_HEIGHT} shows more; srshell dash --plain needs no size"
    lines.append(fit(spans((hint, Tone.DIM)), width))
    at = None if chosen is None else chosen - start
    return compose(scene, (first,), Body(lines, at, keys, shown=(start, end)), _KEYS)
