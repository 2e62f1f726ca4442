"""Every screen and wizard in each of its situations, as text, compared with what was agreed on.

A change of a screen shows here as a difference that a person can read; `python -m
tests.tui.gallery` draws all pictures anew.
"""

from __future__ import annotations

import attrs
import pytest
from rich.cells import cell_len

from srshell_tui import wizard as wizards
from srshell_tui.scene import couples
from srshell_tui.screens import DRAW, draw
from srshell_tui.screens.wizard import draw_wizard
from srshell_tui.store import FabricView
from srshell_tui.text import Tone, to_ascii, width_of
from tests.tui import gallery, states

PICTURES = gallery.pictures()


@pytest.mark.parametrize("name", PICTURES)
def test_a_screen_looks_as_agreed(name: str) -> None:
    """The words, symbols and places of a screen are part of the product."""
    agreed = (gallery.GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert PICTURES[name]().text() == agreed


@pytest.mark.parametrize("name", PICTURES)
def test_a_screen_fills_its_terminal_exactly(name: str) -> None:
    """No line is wider than the terminal, which would break it; none is left over."""
    size = name.rsplit("-", 1)[1]
    width, height = (int(part) for part in size.split("x"))
    drawing = PICTURES[name]()
    assert len(drawing.lines) == height
    assert {width_of(line) for line in drawing.lines} == {width}
    ascii_lines = [to_ascii(line) for line in drawing.lines]
    assert {width_of(line) for line in ascii_lines} == {width}
    assert all(text.isascii() for line in ascii_lines for text, _ in line)


@pytest.mark.parametrize("name", PICTURES)
def test_every_screen_says_how_to_leave_it(name: str) -> None:
    """Whatever else does not fit on the last line."""
    drawing = PICTURES[name]()
    keys = {text for text, tone in drawing.lines[-1] if tone is Tone.KEY}
    if not keys:  # too small for more than a sentence
        keys = set(drawing.text().split())
    assert keys & {"esc", "q"}, drawing.text()


@pytest.mark.parametrize("name", gallery.COLOURED)
async def test_a_screen_has_the_colours_that_were_agreed_on(name: str) -> None:
    """Light, of the terminal, none: as the application itself paints them."""
    agreed = (gallery.GOLDEN / f"{name}.svg").read_text(encoding="utf-8")
    assert await gallery.coloured(name) == agreed


@pytest.mark.parametrize("count", [1, 4, 7, 12, 60])
def test_however_long_a_plan_is_what_confirms_it_is_seen(count: int) -> None:
    """And the way back, what is lost, and how much is not shown."""
    many = gallery.volumes_plan()
    plan = attrs.evolve(
        many, steps=(many.steps * 4)[:count], inverse=(many.inverse or ())[:count], confirm="PriRG"
    )
    wizard = wizards.of_line("teardown PriRG").planned(plan)
    text = draw_wizard(states.scene(gallery.sync()), wizard).text()
    assert "type PriRG to run it" in text
    assert "data loss: 0 B" in text
    assert "undo: srshell volume rm Data0 --confirm Data0" in text
    assert count < 60 or "more lines: " in text


def test_there_is_a_picture_for_every_file_and_for_every_screen() -> None:
    """No agreed picture outlives its screen, and no screen goes without."""
    assert {path.stem for path in gallery.GOLDEN.glob("*.txt")} == set(PICTURES)
    assert {path.stem for path in gallery.GOLDEN.glob("*.svg")} == set(gallery.COLOURED)
    assert {name.split("-")[0] for name in PICTURES} >= {*DRAW, "wizard", "help", "page"}


def test_no_text_of_the_fabric_reaches_the_terminal_as_a_command() -> None:
    """Control characters and marks that turn the direction round are shown, not obeyed."""
    for name in PICTURES:
        text = PICTURES[name]().text()
        assert not set(text.replace("\n", "")) & {"\x1b", "\x07", "\u202e", "\u2066", "\t"}, name


def test_a_value_of_an_owner_that_is_gone_never_looks_live() -> None:
    """Neither a state nor a number keeps its mark of health once nobody vouches for it."""
    for screen in ("overview", "group"):
        drawing = gallery.screen(gallery.lost, screen, "140x40")
        body = drawing.lines[2:-2]
        tones = {tone for line in body for text, tone in line if text.strip()}
        assert not tones & {Tone.OK, Tone.WORKING, Tone.PLAIN}
        text = drawing.text()
        assert "RPO   0 s" not in text
        assert "0 s   " not in text
        assert "yes" not in text


def test_neither_a_small_screen_nor_a_dialog_vouches_for_an_owner_that_is_gone() -> None:
    """Who decides about a failover sees no recovery point that nobody stands for."""
    wizard = wizards.failover(couples(gallery.sync())[0])
    assert "RPO 0 s" in draw_wizard(states.scene(gallery.sync()), wizard).text()
    for view in (gallery.lost(), gallery.sync().at(gallery.sync().heard + 3)):
        text = draw_wizard(states.scene(view), wizard).text()
        assert "Synchronizing?  RPO —" in text
        text += draw(states.scene(view, width=60, height=12)).text()
        assert text.count("RPO —") == 2
        assert "RPO 0 s" not in text
        assert "failover ready" not in text


def test_the_health_is_told_in_symbol_word_and_tone() -> None:
    """Who sees no colour, or hears the screen, is told as much."""
    drawing = gallery.screen(gallery.alone, "overview", "80x24")
    spans = {span for line in drawing.lines for span in line}
    assert ("✖ Critical", Tone.ERROR) in spans
    assert any(text.startswith("▲ WaitingForDestination") for text, _ in spans)


def test_wide_characters_are_never_cut_in_half() -> None:
    """Half of a character of two cells would shift the rest of its line."""
    drawing = gallery.screen(gallery.hostile, "events", "80x24")
    assert all(cell_len("".join(t for t, _ in line)) == 80 for line in drawing.lines)


@pytest.mark.parametrize("size", ["80x24", "140x40"])
def test_a_copy_that_shares_a_rate_says_what_it_may_take(size: str) -> None:
    """Without a rate there is nothing to say."""
    source, copy = states.COPYING
    limited = attrs.evolve(source, copy_share_bytes_per_second=12.0 * (1 << 20))

    def view() -> FabricView:
        return states.view_of(states.picture(limited, copy))

    assert "may take 12 MiB/s" in gallery.screen(view, "group", size).text()
    assert "may take" not in gallery.screen(gallery.copying, "group", size).text()
