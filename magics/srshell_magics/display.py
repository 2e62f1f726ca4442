"""Reports as a notebook and a terminal show them: text and HTML with the same fields.

Always true:

(1) Text and HTML are made from one `Page`, so both have the same fields in the same order.
(2) In HTML every string is escaped; there is no script and no other file.  Text has no control
    characters and no escape sequences.
(3) No value is cut: a table that is too wide for 80 columns is folded.
(4) Showing never raises and never asks the owner.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import attrs

from srshell_magics.front import fitting
from srshell_magics.names import spoken_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srshell.fabric.pages import Page
    from srshell_magics.settings import SRShell

WIDTH = 80
_GAP = 2
JSON_TYPE = "application/vnd.srshell.v1+json"
#: Rows that stand alone are shown as a report with one row: its schema, and its field.
_AS_REPORT = {
    "BranchRow": ("srshell.branches/1", "branches"),
    "Candidate": ("srshell.candidates/1", "candidates"),
    "Event": ("srshell.events/1", "events"),
    "GroupStatus": ("srshell.status/1", "groups"),
    "Pair": ("srshell.pairs/1", "pairs"),
    "Pool": ("srshell.pools/1", "pools"),
    "VmRow": ("srshell.vms/1", "vms"),
    "Volume": ("srshell.volumes/1", "volumes"),
}


class JsonText(str):
    """JSON as text that shows itself, for ``--json``."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401 - IPython's printer
        printer.text(str(self))


def to_json(report: object) -> dict[str, Any]:
    """A report, or a row of one, as JSON values."""
    from srshell.model.report import encode

    data: dict[str, Any] = json.loads(encode(report))
    name = type(report).__name__
    if name == "Job":
        return {"schema": "srshell.job/1", "job": data}
    if name in _AS_REPORT:
        schema, field = _AS_REPORT[name]
        return {"schema": schema, field: [data]}
    return data


def make_page(data: Mapping[str, Any], settings: SRShell | None = None) -> Page:
    """The page of a report, with lines that can be typed here and no more rows than wanted."""
    from srshell.fabric.pages import page_of

    page = page_of(data)
    short_names = settings is None or settings.short_names
    lines = tuple(spoken_here(line, short_names=short_names) for line in page.lines)
    rows = page.rows
    if settings is not None and len(rows) > settings.display_limit:
        more = len(rows) - settings.display_limit
        rows = rows[: settings.display_limit]
        lines = (f"… {more} more rows (%config SRShell.display_limit)", *lines)
    return attrs.evolve(page, rows=rows, lines=lines)


def to_text(page: Page, width: int = WIDTH) -> str:
    """A page as text."""
    lines = _wrapped(page.headline, width) if page.headline else []
    if page.rows:
        lines += _table(page.columns, page.rows, width)
    elif any(page.columns):
        lines += ["  ".join(page.columns), "none"]
    for line in page.lines:
        lines += _wrapped(line, width)
    return "\n".join(lines) or "nothing"


def _wrapped(line: str, width: int) -> list[str]:
    """A line in as many lines as it needs; what is typed or copied stays whole."""
    if len(line) <= width or _is_typed(line):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _is_typed(line: str) -> bool:
    return re.match(r"\s*(?:mend|next|see|run)\s", line) is not None


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Columns side by side, sentences folded in theirs; if that is too wide, field by field."""
    table = [columns, *rows] if any(columns) else list(rows)
    widths = _widths(table, width)
    if sum(widths) + _GAP * (len(widths) - 1) > width and any(columns):
        return _records(columns, rows)
    lines: list[str] = []
    for row in table:
        cells = [_folded(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        lines += [
            (" " * _GAP).join(map(str.ljust, line, widths)).rstrip()
            for line in itertools.zip_longest(*cells, fillvalue="")
        ]
    return lines


def _widths(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column is: as its longest cell, or less where the table would be too wide."""
    cells = list(zip(*table, strict=True))
    widths = [max(len(cell) for cell in column) for column in cells]
    least = [
        max(len(word) for cell in column for word in (cell.split() or [""])) for column in cells
    ]
    while (over := sum(widths) + _GAP * (len(widths) - 1) - width) > 0:
        can = [at for at, wide in enumerate(widths) if wide > least[at]]
        if not can:
            break
        widest = max(can, key=lambda at: widths[at])
        widths[widest] -= min(over, widths[widest] - least[widest])
    return widths


def _folded(cell: str, width: int) -> list[str]:
    """A cell in as many lines as it needs."""
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)


def _records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """One field on a line, an empty line between rows."""
    label = max(len(column) for column in columns)
    lines: list[str] = []
    for row in rows:
        lines += [""] if lines else []
        lines += [f"{c.ljust(label)}  {cell}".strip() for c, cell in zip(columns, row, strict=True)]
    return lines


def to_html(page: Page) -> str:
    """A page as HTML: the same fields as the text, in the same order."""
    parts = ['<div class="srshell">']
    if page.headline:
        parts.append(f"<p><b>{_escape(page.headline)}</b></p>")
    if any(page.columns) or page.rows:
        parts.append("<table>")
        if any(page.columns):
            cells = "".join(f"<th{_LEFT}>{_escape(column)}</th>" for column in page.columns)
            parts.append(f"<thead><tr>{cells}</tr></thead>")
        parts.append("<tbody>")
        for row in page.rows:
            cells = "".join(f"<td{_LEFT}>{_escape(cell)}</td>" for cell in row)
            parts.append(f"<tr>{cells}</tr>")
        if not page.rows:
            parts.append(f'<tr><td{_LEFT} colspan="{len(page.columns)}">none</td></tr>')
        parts.append("</tbody></table>")
    if page.lines:
        lines = "\n".join(_escape(line) for line in page.lines)
        parts.append(f'<pre style="white-space: pre-wrap">{lines}</pre>')
    if len(parts) == 1:
        parts.append("<p>nothing</p>")
    return "\n".join([*parts, "</div>"])


_LEFT = ' style="text-align: left"'


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def bundle(report: object, settings: SRShell | None = None) -> dict[str, Any]:
    """Everything that a front end may show of a report."""
    data = to_json(report)
    page = make_page(data, settings)
    ascii_only = settings is not None and settings.ascii
    text = fitting(to_text(page), ascii_only=ascii_only)
    return {"text/plain": text, "text/html": to_html(page) + _drawing(data), JSON_TYPE: data}


def _drawing(data: Mapping[str, Any]) -> str:
    """The drawing of a report, inline; empty for most of them."""
    from srshell.fabric.pages.plots_svg import svg_of

    drawing = svg_of(data)
    return f"\n{drawing}" if drawing else ""
