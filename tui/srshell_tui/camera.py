"""Takes pictures of screens: as text from the drawing, as SVG from the application.

Always true: a picture is written whole or an error says why not.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs

from srshell.model.errors import SrError
from srshell_tui.options import Options
from srshell_tui.shot import (
    Shot,
    drawing_of,
    measure_living,
    read_recording,
    read_topology,
    view_of_test,
    watch_living,
)
from srshell_tui.store import FabricView
from srshell_tui.text import to_ascii


def take(
    shot: Shot,
    recording: Path | None,
    output: Path | None,
    options: Options,
    view: FabricView | None = None,
) -> str:
    """Take the picture, of a view if one is given; its text, or where it was written."""
    if shot.screen == "topology":
        shot, view = _tested(shot, recording, options, view)
    elif view is None:
        view = read_recording(recording) if recording else asyncio.run(watch_living(options))
    if output is not None and output.suffix == ".svg":
        # The application is not needed for text, and takes its time to load.
        from srshell_tui.portrait import svg_of  # noqa: PLC0415

        picture = asyncio.run(svg_of(shot, view, options))
    else:
        drawing = drawing_of(shot, view)
        if options.ascii_only:
            lines = tuple(to_ascii(line) for line in drawing.lines)
            drawing = attrs.evolve(drawing, lines=lines)
        picture = drawing.text()
    if output is None:
        return picture
    try:
        output.write_text(picture, encoding="utf-8")
    except OSError as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR0005", facts=facts, text=str(output), noun="file") from error
    return f"{output}\n"


def _tested(
    shot: Shot, recording: Path | None, options: Options, past: FabricView | None
) -> tuple[Shot, FabricView]:
    """The picture of a topology test with its figures: from a file, or measured now."""
    if past is not None:
        facts = "a recording holds no measurements: give a report with --from, without --at"
        raise SrError.make("SR0108", facts=facts, option="--at")
    if recording is not None:
        test = read_topology(recording)
        return attrs.evolve(shot, test=test), view_of_test(test)
    view = asyncio.run(watch_living(options))
    test = asyncio.run(measure_living(shot, view, options))
    return attrs.evolve(shot, test=test), view
