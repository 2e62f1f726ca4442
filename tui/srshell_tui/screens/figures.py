"""Where the time of a write goes, and what a loss of the source would cost.

Always true: a leg that nothing was measured of is a dash; bars of one picture share one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from srshell.fabric.pages.figures import forecast_text, milliseconds
from srshell.fabric.pages.words import UNKNOWN
from srshell.model.meters import Latency
from srshell.model.report import GroupStatus
from srshell_tui.scene import Scene
from srshell_tui.text import Line, Tone, cell, fit, rule, spans, wrap

#: Leg to what a person reads; the first one is the whole.
LEGS: Final = (
    ("write", "write, as seen"),
    ("queue", "├ queue"),
    ("local_log", "├ own log"),
    ("remote_log", "├ link, peer's log"),
    ("round_trip", "└ link alone"),
)
#: What no write waits for.
LATER: Final = (("apply", "later: to volumes"),)
#: Figure to its heading; the third one is left out where there is little room.
_FIGURES: Final = {
    "p50_seconds": "p50", "p99_seconds": "p99", "p999_seconds": "p99.9", "max_seconds": "max"
}  # fmt: skip
_WIDE_ENOUGH: Final = 66
_LABEL: Final = 18
_FIGURE: Final = 8
_BAR_MIN: Final = 6


def latency_lines(scene: Scene, source: GroupStatus, width: int) -> list[Line]:
    """The legs of a write, one below the other."""
    legs, fresh = source.latency, scene.view.fresh(source)
    names = [name for name in _FIGURES if width >= _WIDE_ENOUGH or name != "p999_seconds"]
    figures = " ".join(cell(_FIGURES[name], _FIGURE - 1, right=True) for name in names)
    title = "Write latency, last 10 s"
    if not legs.write.count or not fresh:
        link = legs.round_trip
        known = f"p50 {milliseconds(link.p50_seconds)} ms" if link.count and fresh else UNKNOWN
        text = f" no write to measure; link round trip {known}"
        return [rule(title, width), fit(spans((text, Tone.DIM)), width)]
    lines = [rule(title, width, f"{figures} ms")]
    legs_shown = (*LEGS, *LATER) if scene.wide else LEGS
    most = max(getattr(legs, name).p99_seconds for name, _ in LEGS) or 1.0
    room = max(width - _LABEL - len(names) * _FIGURE - 6, _BAR_MIN)
    for name, label in legs_shown:
        leg: Latency = getattr(legs, name)
        bar = (_marks(leg, most, room), Tone.WORKING)
        lines.append(fit(spans(f" {cell(label, _LABEL)} ", bar, f" {_numbers(leg, names)}"), width))
    return lines


def _marks(leg: Latency, most: float, width: int) -> str:
    """A bar: full up to the median, light up to p99."""
    if not leg.count:
        return " " * width
    full = min(round(leg.p50_seconds / most * width), width)
    light = min(round(leg.p99_seconds / most * width), width)
    return ("█" * full + "░" * (light - full)).ljust(width)


def _numbers(leg: Latency, names: Sequence[str]) -> str:
    """The figures of a leg, each in its column."""
    return "".join(
        cell(milliseconds(getattr(leg, name)) if leg.count else UNKNOWN, _FIGURE, right=True)
        for name in names
    )


def forecast_lines(scene: Scene, source: GroupStatus, width: int) -> list[Line]:
    """What a loss of the source's site would cost now."""
    known = attrs.asdict(source.forecast) if source.forecast else None
    text = forecast_text(known, source.array)
    if not text:
        return []
    if not scene.view.fresh(source):
        return [fit(spans(" ", ("if it were lost now: not known", Tone.UNKNOWN)), width)]
    certain = source.forecast is not None and source.forecast.lost_writes == 0
    tone = Tone.PLAIN if certain else Tone.WARNING
    return [fit(spans((f" {part}", tone)), width) for part in wrap(text, width - 2)]
