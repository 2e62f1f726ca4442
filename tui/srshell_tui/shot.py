"""Pictures of screens without a terminal: from the living fabric, a recording, or a report.

Always true: the same recording, screen and size give the same text, on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs
import msgspec

from srshell.fabric.control_client import FabricClient
from srshell.fabric.feed import Frame
from srshell.fabric.reports import decode
from srshell.model.errors import SrError
from srshell.model.topology import TopologyReport
from srshell_tui.options import Options
from srshell_tui.scene import Look, Scene, couple_of, couples
from srshell_tui.screens import draw
from srshell_tui.screens.sheets import draw_help
from srshell_tui.screens.topology import TopologyTest, draw_topology
from srshell_tui.store import Contact, FabricView, Gap, hear
from srshell_tui.text import Drawing

_SIZE: Final = re.compile(r"(\d{2,4})x(\d{2,4})")
_REMOTE_FONT: Final = re.compile(r"@font-face\s*\{[^}]*\}\s*")
#: How many frames of a living fabric are heard, so that rates are known.
_FRAMES: Final = 3


@attrs.frozen
class Shot:
    """One picture that is wanted."""

    screen: str
    width: int = 80
    height: int = 24
    group: str = ""
    test: TopologyTest | None = None  #: what the topology screen shows


def parse_size(text: str) -> tuple[int, int]:
    """Columns and lines from ``140x40``.

    Raises:
        SrError: SR0005, it is no size of a terminal.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise SrError.make("SR0005", facts="such as 140x40", text=text, noun="size of a terminal")
    return int(found[1]), int(found[2])


def read_recording(path: Path) -> FabricView:
    """The view at the end of a recording.

    Raises:
        SrError: SR0005, it cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
        view = view_after(msgspec.json.decode(line, type=Frame) for line in lines if line)
    except (OSError, msgspec.MsgspecError, Gap) as error:
        raise SrError.make("SR0005", facts=str(error), text=str(path), noun="recording") from error
    if view.info is None:
        raise SrError.make("SR0005", facts="it is empty", text=str(path), noun="recording")
    return view


def view_after(frames: Iterable[Frame]) -> FabricView:
    """The view after frames, each heard when it was made."""
    view = FabricView()
    for frame in frames:
        view = hear(view, frame, frame.unix)
    return view


def read_topology(path: Path) -> TopologyTest:
    """The test whose report lies in a file, as ``srshell topology --json`` printed it.

    Raises:
        SrError: SR0005, it cannot be read.
    """
    try:
        report = decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise SrError.make("SR0005", facts=str(error), text=str(path), noun="report") from error
    if not isinstance(report, TopologyReport):
        facts = "it is of another command"
        raise SrError.make("SR0005", facts=facts, text=str(path), noun="topology report")
    return TopologyTest(report.source, report.destination, report.seconds, report)


async def measure_living(shot: Shot, view: FabricView, options: Options) -> TopologyTest:
    """A test of the arrays of the group that is meant, else of the first pair.

    Raises:
        SrError: SR0105, there is no pair; or why the owner does not measure.
    """
    couple = couple_of(view, look_of(shot, view).group)
    arrays = [side.array for side in couple.sides] if couple and couple.other else []
    arrays = arrays or next(([pair.array, pair.peer] for pair in view.pairs.values()), [])
    if not arrays:
        facts = "two arrays have to be paired before a link can be measured"
        raise SrError.make("SR0105", facts=facts, noun="pair", name="(none)",
                           mend="srshell pair --help")  # fmt: skip
    client = FabricClient(options.place, start=options.start, options=options.owner)
    source, destination = arrays
    try:
        report = await client.perform("topology", {"source": source, "destination": destination})
    finally:
        await client.close()
    assert isinstance(report, TopologyReport), report
    return TopologyTest(source, destination, report.seconds, report)


def view_of_test(test: TopologyTest) -> FabricView:
    """What a picture of a test needs to be known of the fabric: when it was."""
    began = test.report.began_unix if test.report else 0.0
    return FabricView(contact=Contact.LIVE, unix=began, heard=began)


async def watch_living(options: Options) -> FabricView:
    """The view after the first frames of a living fabric.

    Raises:
        SrError: SR9001, no owner answers.
    """
    client = FabricClient(options.place, start=options.start, options=options.owner)
    view = FabricView()
    try:
        async for frame in client.watch(0.5):
            view = hear(view, frame, frame.unix)
            if frame.seq >= _FRAMES:
                break
    finally:
        await client.close()
    return view


def contained(svg: str) -> str:
    """A picture that loads no font from elsewhere: any of fixed width will do."""
    return _REMOTE_FONT.sub("", svg).replace("Fira Code", "monospace")


def look_of(shot: Shot, view: FabricView) -> Look:
    """Where the person of the picture looks."""
    first = next((couple.source.name for couple in couples(view)), "")
    group = shot.group or first
    screen = "overview" if shot.screen in {"help", "topology"} else shot.screen
    look = Look(screen, group)
    return look.choose(group) if screen == "overview" else look


def drawing_of(shot: Shot, view: FabricView) -> Drawing:
    """The picture as lines."""
    scene = Scene(view, look_of(shot, view), view.heard, shot.width, shot.height)
    if shot.test is not None:
        return draw_topology(scene, shot.test)
    return draw_help(scene, 0, "") if shot.screen == "help" else draw(scene)


def write_pages(base: Path, pages: Mapping[str, str]) -> None:
    """Write a page for each ending, all or none.

    Raises:
        OSError: there is no room, or it is not allowed.
    """
    try:
        for ending, page in pages.items():
            base.with_suffix(ending).write_text(page, encoding="utf-8")
    except OSError:
        for ending in pages:
            with suppress(OSError):
                base.with_suffix(ending).unlink()
        raise
