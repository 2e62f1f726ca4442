"""Lines of text with tones, cut to cells: what every screen is made of.

Always true:

(1) A drawn line is exactly as wide as was asked for, in cells of the terminal, whatever it holds:
    control characters become ``?``, wide characters are never cut in half.
(2) A tone is a meaning, never a colour; `srshell_tui.themes` says what it looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import attrs
from rich.cells import cell_len, set_cell_size

from srshell.fabric.pages import printable


class Tone(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    DIM = "dim"  # beside the point
    BOLD = "bold"
    TITLE = "title"  # names a part of the screen
    OK = "ok"
    WORKING = "working"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"  # not known now, or no longer
    SOURCE = "source"
    DESTINATION = "destination"
    KEY = "key"  # can be pressed


#: A piece of text, and what it means.
Span = tuple[str, Tone]
Line = tuple[Span, ...]
#: What may stand for a piece: text alone is plain.
Piece = str | Span


@attrs.frozen
class Drawing:
    """A screen: as many lines as the terminal has, and what can be chosen on them."""

    lines: tuple[Line, ...]
    cursor: int | None = None  #: the line of the chosen row
    cursor_width: int = 0  #: so many cells of that line are the row; 0: all of them
    rows: tuple[str, ...] = ()  #: keys of the rows that can be chosen, in order
    shown: tuple[int, int] = (0, 0)  #: the first of them that is seen, and the one after the last

    def text(self) -> str:
        """The screen without tones, as files and tests hold it."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines) + "\n"


def spans(*pieces: Piece) -> Line:
    """Pieces as a line of any width."""
    return tuple(
        (printable(piece), Tone.PLAIN)
        if isinstance(piece, str)
        else (printable(piece[0]), piece[1])
        for piece in pieces
    )


def width_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def fit(line: Line, width: int) -> Line:
    """The line, cut or filled up to ``width`` cells; a cut shows as ``…``."""
    over = width_of(line) > width
    left = width - 1 if over else width
    found: list[Span] = []
    for text, tone in line:
        cells = cell_len(text)
        if cells > left:
            text, cells = set_cell_size(text, left), left  # noqa: PLW2901 - the piece that is cut
        if text:
            found.append((text, tone))
        left -= cells
        if left <= 0:
            break
    if over:
        found.append(("…", Tone.DIM))
    elif left > 0:
        found.append((" " * left, Tone.PLAIN))
    return tuple(found)


def cell(text: str, width: int, *, right: bool = False) -> str:
    """Text as exactly ``width`` cells."""
    text = printable(text)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, max(width - 1, 0)) + "…" if width else ""
    filling = " " * (width - cells)
    return filling + text if right else text + filling


def rule(title: str, width: int, right: str = "") -> Line:
    """A line across the screen that names what is below it."""
    begin = f"─ {printable(title)} " if title else "─"
    end = f" {printable(right)} ─" if right else ""
    between = "─" * max(width - cell_len(begin) - cell_len(end), 0)
    return fit(((begin, Tone.TITLE), (between, Tone.DIM), (end, Tone.DIM)), width)


def ends(left: Iterable[Piece], right: Iterable[Piece], width: int) -> Line:
    """One line with a part at each end; the left one is cut first."""
    tail = spans(*right)
    room = max(width - width_of(tail) - 1, 0)
    return fit((*fit(spans(*left), room), (" ", Tone.PLAIN), *tail), width)


@attrs.frozen
class Column:
    """A column of a table; it takes ``width`` cells."""

    name: str
    width: int
    right: bool = False


def head(columns: Sequence[Column], width: int, indent: int = 3) -> Line:
    """The names of the columns."""
    names = " ".join(cell(column.name, column.width, right=column.right) for column in columns)
    return fit(((" " * indent + names, Tone.DIM),), width)


def row(
    columns: Sequence[Column], cells: Sequence[Piece], width: int, *, chosen: bool = False
) -> Line:
    """One row of a table; the chosen one is marked by a sign, too."""
    found: list[Span] = [(" ▶ " if chosen else "   ", Tone.BOLD)]
    for column, piece in zip(columns, cells, strict=True):
        text, tone = (piece, Tone.PLAIN) if isinstance(piece, str) else piece
        found += [(cell(text, column.width, right=column.right), tone), (" ", Tone.PLAIN)]
    return fit(tuple(found[:-1]), width)


def bar(share: float, width: int) -> str:
    """A share between 0 and 1 as a bar of blocks."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "█" * full + "░" * (width - full)


_LEVELS = "▁▂▃▄▅▆▇█"


def graph(values: Sequence[float], width: int) -> str:
    """The newest values as one line of blocks, the last one at the right."""
    shown = values[-width:]
    most = max(shown, default=0.0)
    if most <= 0:
        return (_LEVELS[0] * len(shown)).rjust(width)
    steps = [round(value / most * (len(_LEVELS) - 1)) for value in shown]
    return "".join(_LEVELS[step] for step in steps).rjust(width)


def beside(
    left: Sequence[Line], right: Sequence[Line], left_width: int, width: int
) -> tuple[Line, ...]:
    """Two columns with a line between them."""
    count = max(len(left), len(right))
    empty: Line = ()
    return tuple(
        (
            *fit(left[i] if i < len(left) else empty, left_width),
            ("│", Tone.DIM),
            *fit(right[i] if i < len(right) else empty, width - left_width - 1),
        )
        for i in range(count)
    )


def wrap(text: str, width: int) -> tuple[str, ...]:
    """A sentence in lines of at most ``width`` cells, broken between words."""
    lines, line = [], ""
    for word in printable(text).split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > width:
            lines.append(line)
            longer = word
        line = longer
    return (*lines, line)


#: What stands for a character on a terminal that knows no other than ASCII.
_ASCII = str.maketrans("●◐▲✖○▶✔·—─│…→←↔█░▁▂▃▄▅▆▇≥≤⏎⌫↓↑├└", "o>!X?>+.--|~><=#._.:-=+*><^<v^|`")


def to_ascii(line: Line) -> Line:
    """The line in ASCII, cell by cell; what has no sign of its own becomes ``?``."""
    found = []
    for text, tone in line:
        known = text.translate(_ASCII)
        if not known.isascii():
            known = "".join(c if c.isascii() else "?" * max(cell_len(c), 0) for c in known)
        found.append((known, tone))
    return tuple(found)
