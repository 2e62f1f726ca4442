"""The widget that shows lines: it repaints the cells that changed, and no others.

Always true:

(1) Showing the same drawing again writes nothing to the terminal.
(2) Only tones become styles here; what is drawn is decided elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from srshell_tui.ask import Ask
from srshell_tui.text import Drawing, Line, Tone, to_ascii, width_of
from srshell_tui.themes import CHOSEN, styles_of

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
        self._cursor_width = 0

    async def _on_key(self, event: events.Key) -> None:
        # Keys that arrive together are meant for what the ones before them opened: letters behind
        # a colon belong to the line, although they were sent here.
        if self.app.screen is not self.screen:
            event.stop()
            event.prevent_default()
            # Once it is there: what it is made of comes before this in its queue.
            self.app.screen.call_later(self.app.simulate_key, event.key)
            return
        line = self.screen.query_one(Ask)
        if line.asking:
            event.stop()
            event.prevent_default()
            line.post_message(events.Key(event.key, event.character))
            return
        for binding in self.screen._bindings.key_to_bindings.get(event.key, ()):  # noqa: SLF001
            event.stop()
            event.prevent_default()
            await self.screen.run_action(binding.action)
            return

    def show(self, drawing: Drawing) -> None:
        """Show a drawing in place of the one before."""
        lines = drawing.lines
        if self._ascii_only:
            lines = tuple(to_ascii(line) for line in lines)
        before, cursor_before = self._lines, self._cursor
        self._lines, self._cursor = lines, drawing.cursor
        self._cursor_width = drawing.cursor_width
        changed = []
        for y in range(max(len(before), len(lines))):
            old = before[y] if y < len(before) else ()
            new = lines[y] if y < len(lines) else ()
            was_chosen, is_chosen = y == cursor_before, y == drawing.cursor
            if old != new or was_chosen != is_chosen:
                changed.append(_difference(y, _cells(old, was_chosen), _cells(new, is_chosen)))
        changed = [region for region in changed if region.area]
        if changed:
            self.refresh(*changed)
        if changed and any(region.y == len(lines) - 1 for region in changed):
            # The line lies over the last row, and shows it while nothing is asked.
            self.screen.query_one(Ask).refresh()

    def last_row(self) -> Strip:
        """The row over which the line lies."""
        return self.render_line(self.size.height - 1)

    def render_line(self, y: int) -> Strip:
        """One line as Textual wants it."""
        if y >= len(self._lines):
            return Strip.blank(self.size.width)
        styles = styles_of(self.app.theme)
        line = self._lines[y]
        width = width_of(line)
        strip = Strip([Segment(text, styles[tone]) for text, tone in line], width)
        if y != self._cursor:
            return strip
        end = min(self._cursor_width or width, width)
        chosen = [
            Segment(text, (style or Style()) + CHOSEN[self.app.theme])
            for text, style, _ in strip.crop(0, end)
        ]
        return Strip([*chosen, *strip.crop(end, width)], width)

    @property
    def text(self) -> str:
        """What is shown, without tones."""
        return Drawing(self._lines).text()


def _cells(line: Line, chosen: bool) -> _Cells:
    """A line, cell by cell; what takes no cell belongs to the one before it."""
    found: _Cells = []
    for text, tone in line:
        for char in text:
            width = cell_len(char)
            if width:
                found += [(char, tone, chosen)] + [("", tone, chosen)] * (width - 1)
            elif found:
                last, last_tone, _ = found[-1]
                found[-1] = (last + char, last_tone, chosen)
    return found


def _difference(y: int, old: _Cells, new: _Cells) -> Region:
    """From the first cell that differs to the last one."""
    width = max(len(old), len(new))
    if len(old) != len(new):
        return Region(0, y, width, 1)
    differing = [x for x, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    if not differing:
        return Region(0, y, 0, 0)
    # A character of two cells is painted whole, whichever of its cells differs.
    first, last = max(differing[0] - 1, 0), min(differing[-1] + 1, width - 1)
    return Region(first, y, last - first + 1, 1)
