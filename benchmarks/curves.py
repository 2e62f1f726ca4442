"""How costs grow, as SVG: one drawing for each curve of the rows.

Always true:

(1) A drawing needs nothing else: no script, no font, no other file; every text in it is escaped.
(2) Both axes are logarithmic, so that what doubles looks the same everywhere; a number stands at
    every point, so that no colour is needed to read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import attrs

from benchmarks.rows import Row

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 340, 70, 30, 34, 46
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#8a949e"
#: What the horizontal axis of a curve says.
_AXES = {
    "depth": "writes of 4 KiB under way",
    "block": "KiB of a write, depth 8",
    "dirty": "per cent of the blocks that changed",
    "groups": "groups with one writer each",
}
_POINTS_MIN = 2


@attrs.frozen
class Scale:
    """A logarithmic axis: values from ``low`` to ``high`` lie between two places."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], begin: float, end: float) -> Scale:
        """Return the axis that holds all values; they are above 0."""
        found = sorted(values)
        return cls(found[0], max(found[-1], found[0] * 1.01), begin, end)

    def place(self, value: float) -> float:
        """Return where a value lies."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + (self.end - self.begin) * share


def drawings(rows: Sequence[Row]) -> dict[str, str]:
    """Return the drawing of each curve with at least two points, by a name for its file."""
    curves: dict[str, list[Row]] = {}
    for row in rows:
        if row.curve and row.at > 0 and row.product > 0 and row.yardstick > 0:
            curves.setdefault(row.curve, []).append(row)
    return {
        "-".join(curve.replace(",", "").split()): _drawing(curve, points)
        for curve, points in curves.items()
        if len(points) >= _POINTS_MIN
    }


def write_drawings(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the drawings into a folder; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, drawing in drawings(rows).items():
        written.append(folder / f"{name}.svg")
        written[-1].write_text(drawing + "\n", encoding="utf-8")
    return written


def _drawing(curve: str, rows: list[Row]) -> str:
    rows = sorted(rows, key=lambda row: row.at)
    across = Scale.over((row.at for row in rows), _LEFT, _WIDTH - _RIGHT)
    values = [value for row in rows for value in (row.product, row.yardstick)]
    up = Scale.over(values, _HEIGHT - _BOTTOM, _TOP)
    unit = {"/s": "writes a second"}.get(rows[0].unit, rows[0].unit)
    axis = _AXES.get(curve, "round trip in ms" if curve.startswith("distance") else curve)
    parts = [
        _label(_LEFT, 16, f"{unit}, both axes logarithmic"),
        _label((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, axis, "middle"),
        _line(_LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, _GREY),
    ]
    parts += [_label(across.place(row.at), _HEIGHT - 28, f"{row.at:g}", "middle") for row in rows]
    series = (("beside", _ORANGE, [row.yardstick for row in rows], "6 4", 16),
              ("srshell", _BLUE, [row.product for row in rows], "", -8))  # fmt: skip
    for name, colour, found, dashes, shift in series:
        points = [(across.place(r.at), up.place(v)) for r, v in zip(rows, found, strict=True)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
        )
        for (x, y), row, value in zip(points, rows, found, strict=True):
            note = " (too noisy to compare)" if row.noisy else ""
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">'
                f"<title>{_text(f'{row.work}: {name} {value:.4g}{note}')}</title></circle>"
            )
            parts.append(_label(x, y + shift, _short(value), "middle"))
    parts += [
        _line(_WIDTH - 190, _WIDTH - 160, 12, _BLUE),
        _label(_WIDTH - 154, 16, "srshell"),
        _line(_WIDTH - 104, _WIDTH - 74, 12, _ORANGE, "6 4"),
        _label(_WIDTH - 68, 16, "beside"),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12" fill="currentColor"><title>{_text(f"{unit} by {axis}")}</title>'
    )
    return "\n".join([head, *parts, "</svg>"])


def _short(value: float) -> str:
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004


def _line(begin: float, end: float, y: float, colour: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{begin}" x2="{end}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(text, quote=True)
