"""What reaches the terminal: the cells that differ, and with them the picture that was meant."""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs
import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Offset, Region
from textual.strip import Strip

from srshell.fabric.feed import Frame
from srshell.model.meters import Latency, Legs
from srshell_tui.options import DARK
from srshell_tui.scene import Look, Scene
from srshell_tui.screens import draw
from srshell_tui.store import FabricView, hear
from srshell_tui.themes import styles_of
from srshell_tui.thrift import Painted
from tests.tui import states

WIDTH, HEIGHT = 24, 3
HOME = Offset(0, 0)
CONSOLE = Console()
STYLES = [
    Style.parse(text)
    for text in (
        "#d8dee4 on #10151a", "bold #ffffff on #10151a", "#8d98a3 on #10151a", "italic red",
        "reverse", "bold reverse", "underline", "dim green", "bold dim", "",
    )
]  # fmt: skip
#: A word, and how it is drawn.
Word = tuple[str, Style]


def strip(words: Sequence[Word]) -> Strip:
    """Words as a row of the terminal."""
    return Strip([Segment(text, style) for text, style in words]).adjust_cell_length(WIDTH)


def whole(rows: Sequence[Strip]) -> LayoutUpdate:
    """A whole screen."""
    return LayoutUpdate([iter([row]) for row in rows], Region(0, 0, WIDTH, HEIGHT))


def part(y: int, row: Strip) -> ChopsUpdate:
    """One row of it."""
    chops = [{0: row} if line == y else {0: None} for line in range(HEIGHT)]
    return ChopsUpdate(chops, [(y, 0, WIDTH)], [[WIDTH]] * HEIGHT)


class Glass:
    """A terminal."""

    def __init__(self) -> None:
        # One column more: it goes on below when a mark follows the last character of a row.
        self.screen = pyte.Screen(WIDTH + 1, HEIGHT)
        self._stream = pyte.Stream(self.screen)

    def write(self, update: CompositorUpdate | None) -> int:
        """Take an update; how many characters it was."""
        text = update.render_segments(CONSOLE) if update is not None else ""
        self._stream.feed(text)
        return len(text)

    @property
    def picture(self) -> list[list[tuple[object, ...]]]:
        """What a person sees: the colour of ink on a blank is not seen."""
        return [
            [
                (c.data, "" if c.data == " " and not (c.reverse or c.underscore) else c.fg, c.bg,
                 c.data != " " and c.bold, c.data != " " and c.italics, c.underscore, c.reverse)
                for c in (self.screen.buffer[y][x] for x in range(WIDTH))
            ]
            for y in range(HEIGHT)
        ]  # fmt: skip


#: Letters, blanks, characters of two cells, and one that is made of two.
LETTERS = ("a", "b", "1", " ", " ", "●", "界", "e\u0301")


def words(dice: random.Random) -> list[Word]:
    """Something that could stand in a row."""
    return [
        ("".join(dice.choices(LETTERS, k=dice.randrange(9))), dice.choice(STYLES))
        for _ in range(dice.randrange(6))
    ]


@pytest.mark.parametrize("seed", range(10))
def test_the_terminal_shows_what_was_meant(seed: int) -> None:
    """Whatever changed, the picture is the one that writing everything would have made."""
    dice = random.Random(seed)
    painted, thin, thick = Painted(lambda: 0.0), Glass(), Glass()
    rows = [strip(words(dice)) for _ in range(HEIGHT)]
    thin.write(painted.thin(whole(rows), ColorSystem.TRUECOLOR, HOME))
    for _ in range(12):
        y = dice.randrange(HEIGHT)
        rows[y] = strip(words(dice))
        thin.write(painted.thin(part(y, rows[y]), ColorSystem.TRUECOLOR, HOME))
        thick.write(whole(rows))
        assert thin.picture == thick.picture
    assert painted.thin(whole(rows), ColorSystem.TRUECOLOR, HOME) is None


def test_only_what_differs_is_written() -> None:
    """A figure that changed costs its digits and the way there, not its row."""
    painted, glass = Painted(lambda: 0.0), Glass()
    style = STYLES[0]
    rows = [strip([("writes 1800 MB/s", style)])] * HEIGHT
    glass.write(painted.thin(whole(rows), ColorSystem.TRUECOLOR, HOME))
    changed = part(1, strip([("writes 1900 MB/s", style)]))
    thin = painted.thin(changed, ColorSystem.TRUECOLOR, HOME)
    assert thin is not None
    assert thin.render_segments(CONSOLE) == ("\x1b[2;9H\x1b[38;2;216;222;228;48;2;16;21;26m9\x1b[m")


def test_what_stands_there_is_not_written_again() -> None:
    """Opening a screen paints it two or three times; a line of 9600 baud takes seconds for each."""
    seconds = [0.0]
    painted, glass = Painted(lambda: seconds[0]), Glass()

    def paint(text: str, cursor: Offset = HOME) -> int:
        rows = [strip([(text, STYLES[1])])] * HEIGHT
        return glass.write(painted.thin(whole(rows), ColorSystem.TRUECOLOR, cursor))

    all_of_it = paint("one")
    assert all_of_it
    assert not paint("one")
    assert painted.thin(part(0, strip([("one", STYLES[1])])), ColorSystem.TRUECOLOR,
                        Offset(3, 0)) is not None, "the cursor is elsewhere"  # fmt: skip
    seconds[0] = 1.0  # somebody may have wiped the terminal meanwhile
    assert paint("one") == all_of_it
    seconds[0] = 2.0  # a frame was left out for a slow terminal: what it took is known
    painted.expect()
    assert not paint("one")
    painted.forget()
    assert paint("one") == all_of_it


def busy(second: int) -> Frame:
    """A frame in which everything that can move has moved."""
    first = states.picture(*states.both())
    writes = second * 2900 + 700 * (second * second % 5)
    leg = Latency(
        2900 + 37 * (second % 7), *(0.0004 * n * (1 + second * n % 9 / 10) for n in range(1, 5))
    )
    rows = [
        attrs.evolve(
            row, writes_total=writes, written_bytes_total=writes * 65536, durable_lsn=writes,
            acked_lsn=writes - 3, applied_lsn=writes - 90 - second % 7, as_of=first.unix + second,
            latency=Legs(*[leg] * 6), log_bytes_free=row.log_bytes - (1 << 20) * (second % 90),
        )
        for row in first.status
    ]  # fmt: skip
    if second == 0:
        return attrs.evolve(first, status=tuple(rows))
    return Frame(first.seq + second, first.unix + second, False, status=tuple(rows))


@pytest.mark.parametrize("screen", ["overview", "group"])
@pytest.mark.parametrize(("size", "bytes_max"), [((80, 24), 1500), ((140, 40), 2500)])
def test_a_second_costs_less_than_the_budget(
    screen: str, size: tuple[int, int], bytes_max: int
) -> None:
    """While every figure of a replication changes each second, in true colour."""
    painted, styles, view = Painted(lambda: 0.0), styles_of(DARK), FabricView()
    costs = []
    for second in range(40):
        frame = busy(second)
        view = hear(view, frame, frame.unix)
        drawing = draw(Scene(view, Look(screen, "PriRG"), frame.unix, *size))
        rows = [
            Strip([Segment(text, styles[tone]) for text, tone in line]) for line in drawing.lines
        ]
        update = LayoutUpdate([iter([row]) for row in rows], Region(0, 0, *size))
        thin = painted.thin(update, ColorSystem.TRUECOLOR, HOME)
        costs.append(len(thin.render_segments(CONSOLE).encode()) if thin else 0)
    assert 0 < max(costs[20:]) <= bytes_max, costs
