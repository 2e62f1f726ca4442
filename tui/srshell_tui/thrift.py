"""Writes the cells that differ from what stands on the terminal, in few bytes: lines can be slow.

Always true:

(1) What is not known to stand on the terminal is written; after a write it shows what was meant.
(2) A whole screen that comes later than `AGAIN_SECONDS` after the last one is written whole: the
    terminal may have been wiped by somebody else meanwhile.
(3) A write begins and ends without a style, as whoever writes next expects.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Offset
from textual.strip import Strip

#: Opening a screen paints it two or three times within milliseconds.
AGAIN_SECONDS: Final = 0.4
#: So many cells that stay are written again rather than passed over: moving takes more bytes.
_GAP_MAX: Final = 3

#: What turns an attribute of the terminal off again; bold and dim share one.
_OFF: Final = {
    "1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28",
    "9": "29", "21": "24", "51": "54", "52": "54", "53": "55",
}  # fmt: skip
_ATTRIBUTES: Final = tuple(_OFF)
#: Attributes that are seen on a space, too.
_SEEN: Final = frozenset({"4", "7", "9", "21", "51", "52", "53"})


@attrs.frozen(cache_hash=True)
class Pen:
    """How a cell is drawn, in codes of the terminal."""

    attributes: frozenset[str] = frozenset()
    colour: str = ""  #: empty: the terminal's own
    back: str = ""

    def draws_blank_as(self, other: Pen) -> bool:
        """Whether a space looks the same with both."""
        plain = not (self.attributes | other.attributes) & _SEEN
        return plain and self.back == other.back

    def after(self, before: Pen) -> str:
        """The sequence that makes this pen of the one before; empty if it is the same."""
        off = {_OFF[code] for code in before.attributes - self.attributes}
        kept = {code for code in before.attributes if _OFF[code] not in off}
        codes = [*sorted(off), *sorted(self.attributes - kept)]
        codes += [self.colour or "39"] if self.colour != before.colour else []
        codes += [self.back or "49"] if self.back != before.back else []
        return f"\x1b[{';'.join(codes)}m" if codes else ""


_NO_PEN: Final = Pen()
#: What stands in a cell: a character, empty where one of two cells began before; and how.
Cell = tuple[str, Pen]


@functools.lru_cache(maxsize=1024)
def pen_of(style: Style | None, system: ColorSystem) -> Pen:
    """The pen of a style, in the colours that the terminal has."""
    if style is None:
        return _NO_PEN
    set_bits = style._attributes & style._set_attributes  # noqa: SLF001 - as Textual reads them
    codes = (code for bit, code in enumerate(_ATTRIBUTES) if set_bits & (1 << bit))
    fore, back = style.color, style.bgcolor
    return Pen(
        frozenset(codes),
        ";".join(fore.downgrade(system).get_ansi_codes()) if fore else "",
        ";".join(back.downgrade(system).get_ansi_codes(foreground=False)) if back else "",
    )


class Thin(CompositorUpdate):
    """An update that is bytes already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """For who asks Rich instead."""
        yield Segment(self._text)

    def render_segments(self, console: Console) -> str:
        """The bytes."""
        return self._text


class Painted:
    """What stands on the terminal, as far as it is known."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[int, list[Cell | None]] = {}
        self._cursor: Offset | None = None
        self._whole_at = float("-inf")

    def forget(self) -> None:
        """The terminal may show something else."""
        self._rows.clear()
        self._cursor = None

    def expect(self) -> None:
        """The next whole screen is ours to ask for: what is known still stands."""
        self._whole_at = self._clock()

    def thin(
        self, update: LayoutUpdate | ChopsUpdate, system: ColorSystem, cursor: Offset
    ) -> Thin | None:
        """The part of an update that is not there yet; None where the terminal shows it all.

        From here on it is taken to stand on the terminal.
        """
        if isinstance(update, LayoutUpdate):
            now = self._clock()
            if now - self._whole_at > AGAIN_SECONDS:
                self.forget()
            self._whole_at = now
        pencil = _Pencil()
        for y, x, strip in _pieces(update):
            self._paint(y, x, list(_cells(strip, system)), pencil)
        if not pencil.written and cursor == self._cursor:
            return None
        self._cursor = cursor
        return Thin(pencil.end())

    def _paint(self, y: int, x: int, cells: Sequence[Cell], pencil: _Pencil) -> None:
        """Write the cells of a row that differ, and remember them."""
        row = self._rows.setdefault(y, [])
        row += [None] * (x + len(cells) - len(row))
        before = row[x : x + len(cells)]
        row[x : x + len(cells)] = cells
        for begin, end in _runs(before, cells):
            pencil.write(y, x + begin, cells[begin:end])


class _Pencil:
    """Writes cells, and knows which pen the terminal has in its hand."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._pen = _NO_PEN

    def write(self, y: int, x: int, cells: Sequence[Cell]) -> None:
        """Cells beside one another."""
        self.written.append(f"\x1b[{y + 1};{x + 1}H")
        for char, pen in cells:
            if char != " " or not pen.draws_blank_as(self._pen):
                self.written.append(pen.after(self._pen))
                self._pen = pen
            self.written.append(char)

    def end(self) -> str:
        """All that was written, with the pen laid down."""
        if self._pen != _NO_PEN:
            self.written.append("\x1b[m")
        return "".join(self.written)


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """The strips of an update, and where each begins: line, column."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield y, x, strip
                x += strip.cell_length
        return
    for y, x1, x2 in update.spans:
        for end, (x, part) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if part is not None and x <= x2 and end > x1:
                yield y, x, part if end <= x2 else part.crop(0, x2 - x)


def _cells(strip: Strip, system: ColorSystem) -> Iterator[Cell]:
    """A strip, cell by cell; what takes no cell belongs to the one before it."""
    last: Cell | None = None
    for text, style, control in strip:
        pen = pen_of(style, system)
        for char in "" if control else text:
            width = 1 if char.isascii() else cell_len(char)
            if not width:
                last = (last[0] + char, last[1]) if last else None
                continue
            if last:
                yield last
            last = (char, pen)
            if width > 1:
                yield last
                last = ("", pen)
    if last:
        yield last


def _runs(before: Sequence[Cell | None], after: Sequence[Cell]) -> list[tuple[int, int]]:
    """From where to where cells have to be written."""
    differing = [i for i, cell in enumerate(after) if not _same(before[i], cell)]
    if not differing:
        return []
    if any(cell is not None and len(cell[0]) != 1 for row in (before, after) for cell in row):
        # How wide a terminal draws such characters is its own affair: nothing between is kept.
        begin = differing[0]
        while begin and (after[begin][0] == "" or _is_half(before[begin])):
            begin -= 1
        return [(begin, differing[-1] + 1)]
    runs = [(differing[0], differing[0] + 1)]
    for i in differing[1:]:
        begin, end = runs[-1]
        gap = after[end:i]
        if i - end <= _GAP_MAX and all(pen == after[end - 1][1] for _, pen in gap):
            runs[-1] = begin, i + 1
        else:
            runs.append((i, i + 1))
    return runs


def _same(before: Cell | None, after: Cell) -> bool:
    """Whether two cells look the same."""
    if before == after:
        return True
    return (
        before is not None and before[0] == after[0] == " " and before[1].draws_blank_as(after[1])
    )


def _is_half(cell: Cell | None) -> bool:
    """Whether a cell is the second one of a character."""
    return cell is not None and cell[0] == ""
