"""The widget that shows lines: it repaints the cells that changed, and no others.

Always true:

(1) Showing the same drawing again writes nothing to the terminal.
(2) Only tones become styles here; what is drawn is decided elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from srshell_tui.text import Drawing, Line, Tone, to_ascii, width_of
from srshell_tui.themes import styles_of

#: A cell as it is compared: what stands there, and how.
_Cells = list[tuple[str, Tone, bool]]


class Paper(Widget, can_focus=True):
    """Lines with tones."""

    DEFAULT_CSS: ClassVar[str] = "Paper { width: 100%; height: 100%; }"

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._lines: tuple[Line, ...] = ()
        self._cursor: int | None = None

    def show(self, drawing: Drawing) -> None:
        """Show a drawing in place of the one before."""
        lines = drawing.lines
        if self._ascii_only:
            lines = tuple(to_ascii(line) for line in lines)
        before, cursor_before = self._lines, self._cursor
        self._lines, self._cursor = lines, drawing.cursor
        changed = []
        for y in range(max(len(before), len(lines))):
            old = _cells(before, y, cursor_before)
            new = _cells(lines, y, drawing.cursor)
            if old != new:
                changed.append(_difference(y, old, new))
        if changed:
            self.refresh(*changed)

    def render_line(self, y: int) -> Strip:
        """One line as Textual wants it."""
        if y >= len(self._lines):
            return Strip.blank(self.size.width)
        styles = styles_of(self.app.theme) if self.app.theme.startswith("sr-") else {}
        chosen = Style(reverse=True) if y == self._cursor else Style()
        segments = [
            Segment(text, styles.get(tone, Style()) + chosen) for text, tone in self._lines[y]
        ]
        return Strip(segments, width_of(self._lines[y]))

    @property
    def text(self) -> str:
        """What is shown, without tones."""
        return Drawing(self._lines).text()


def _cells(lines: tuple[Line, ...], y: int, cursor: int | None) -> _Cells:
    """A line, character by character."""
    line = lines[y] if y < len(lines) else ()
    return [(char, tone, y == cursor) for text, tone in line for char in text]


def _difference(y: int, old: _Cells, new: _Cells) -> Region:
    """From the first cell that differs to the last one; a whole line where widths differ."""
    if len(old) != len(new):
        return Region(0, y, max(len(old), len(new)) * 2, 1)
    differing = [x for x, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    first, last = differing[0], differing[-1]
    if not all(char.isascii() for char, _, _ in (*old, *new)):
        # Characters of two cells would shift what is counted here in characters.
        first, last = 0, 2 * len(new)
    return Region(first, y, last - first + 1, 1)
