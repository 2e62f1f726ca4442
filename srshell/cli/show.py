"""Results and errors on a terminal, in a pipe, as JSON.

Always true:

(1) Results go to standard output, everything else to standard error; success leaves it empty.
(2) A command line that is shown names the fabric, if the command line that led to it did.
(3) A reader that went away, as `head` does, changes no exit code.
(4) In a pipe a table is plain text with two spaces between columns; on a terminal rich draws it
    no wider than the terminal.
"""

from __future__ import annotations

import json
import time
from typing import Any

import attrs

from srshell.cli import streams
from srshell.cli.surroundings import Surroundings
from srshell.fabric.pages import Page, page_of, printable, progress_line
from srshell.fabric.progress import RateMeter
from srshell.model.errors import SrError

_WIDTH_MIN = 40


def show_result(data: bytes | str, around: Surroundings) -> None:
    """Print a report, given as JSON."""
    try:
        if around.json:
            print(data.decode() if isinstance(data, bytes) else data, file=around.out)
        else:
            show_page(page_of(json.loads(data)), around)
        around.out.flush()
    except BrokenPipeError:
        streams.discard()


def show_page(page: Page, around: Surroundings) -> None:
    """Print a page."""
    page = attrs.evolve(
        page,
        headline=around.addressed(page.headline),
        lines=tuple(around.addressed(line) for line in page.lines),
    )
    if around.drawn:
        _draw(page, around)
    else:
        print("\n".join(plain_lines(page)), file=around.out)


def show_error(error: SrError, around: Surroundings, *, as_json: bool) -> None:
    """Print an error to standard error."""
    error.facts, error.mend = around.addressed(error.facts), around.addressed(error.mend)
    if as_json:
        print(json.dumps(error.to_json()), file=around.err)
        return
    print("\n".join(printable(line) for line in error.lines()), file=around.err)


def plain_lines(page: Page) -> list[str]:
    """A page as lines of plain text."""
    lines = [page.headline] if page.headline else []
    if page.columns:
        lines += _plain_table(page)
    return [*lines, *page.lines] or ["nothing"]


def _plain_table(page: Page) -> list[str]:
    """Columns aligned with spaces; a header of empty names is left out."""
    header = [page.columns] if any(page.columns) else []
    table = [*header, *page.rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(page.columns))] if table else []
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _draw(page: Page, around: Surroundings) -> None:
    """Draw a page with rich."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=around.out, highlight=False, markup=False, emoji=False)
    if page.headline:
        console.print(Text(page.headline, style="bold"))
    if page.columns:
        table = Table(box=None, pad_edge=False, show_header=any(page.columns), header_style="dim")
        for column in page.columns:
            table.add_column(column, overflow="fold")
        for row in page.rows:
            table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
        console.print(table, width=max(console.width, _WIDTH_MIN))
    for line in page.lines:
        console.print(Text(line, style=_style(line)), soft_wrap=True)


def _style(text: str) -> str:
    """Colour by the mark that a cell begins with; the mark alone says it without colour."""
    return {"●": "green", "▲": "yellow", "✖": "red"}.get(text[:1], "")


def progress_text(job: dict[str, Any], meter: RateMeter) -> str:
    """One line about a job that runs: its step, how far a copy is, and when it may end."""
    steps = job.get("steps") or []
    begun = [(number, step) for number, step in enumerate(steps, 1) if step["state"] == "begun"]
    text = f"job {job['id']} {job['command']} {job['object']}"
    if begun:
        number, step = begun[-1]
        text += f"  {number}/{len(steps)} {step['text']}"
    done, total = job.get("done_bytes") or 0, job.get("total_bytes")
    if total:
        meter.see(done, total, time.monotonic())
        copy = {
            "done_bytes": done,
            "total_bytes": total,
            "bytes_per_second": meter.bytes_per_second,
            "eta_seconds": meter.eta_seconds,
        }
        text = f"job {job['id']} {job['command']}  {progress_line(copy)}"
    return printable(text)
