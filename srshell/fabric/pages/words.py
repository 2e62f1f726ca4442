"""What pages are made of: values as people read them.

Always true:

(1) What is unknown is shown as a dash, never as zero.
(2) No text of a report can move the cursor or change colours: control characters become ``?``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import attrs

from srshell.model.geometry import format_size
from srshell.model.printable import printable

#: A report as `json.loads` gives it.
Report = Mapping[str, Any]
UNKNOWN = "—"
MARKS = {"Normal": "●", "Warning": "▲", "Critical": "✖", "NotApplicable": "○"}


@attrs.frozen
class Page:
    """What is shown of one report."""

    headline: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lines: tuple[str, ...] = ()


def clean(page: Page) -> Page:
    """The page without control characters."""
    return Page(
        headline=printable(page.headline),
        columns=page.columns,
        rows=tuple(tuple(printable(cell) for cell in row) for row in page.rows),
        lines=tuple(printable(line) for line in page.lines),
    )


def size(value: object) -> str:
    """Bytes for eyes."""
    return format_size(value) if isinstance(value, int) else UNKNOWN


def duration(seconds: object) -> str:
    """Seconds for eyes: ``0 s``, ``2.6 s``, ``4 min 10 s``, ``3 h 5 min``."""
    if not isinstance(seconds, int | float):
        return UNKNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 10:  # noqa: PLR2004 - tenths matter below ten seconds
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def clock(unix: object) -> str:
    """A moment of today as a time, any other as a date too."""
    if not isinstance(unix, int | float) or not unix:
        return UNKNOWN
    moment = time.localtime(unix)
    today = time.localtime()[:3] == moment[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", moment)


def progress_line(progress: Report | None) -> str:
    """``43 % 27.5 GiB of 64 GiB, 96 MiB/s, ETA 6 min 48 s``."""
    if not progress:
        return ""
    done, total = int(progress["done_bytes"]), int(progress["total_bytes"])
    percent = 100 * done // total if total else 0
    rate = float(progress.get("bytes_per_second") or 0.0)
    eta = progress.get("eta_seconds")
    parts = [f"{percent} % {size(done)} of {size(total)}"]
    if rate > 0:
        parts.append(f"{size(round(rate))}/s")
    parts.append("ETA unknown" if eta is None else f"ETA {duration(eta)}")
    return ", ".join(parts)


def warnings(report: Report) -> tuple[str, ...]:
    """The notes that came with a result."""
    rows = [*report.get("warnings", ()), *report.get("changes", ())]
    lines = []
    for note in rows:
        lines.append(f"▲ {note['code']} {note['text']}")
        if note.get("mend"):
            lines.append(f"  mend   {note['mend']}")
    return tuple(lines)


def already(report: Report) -> str:
    """The word " already", for what had been done before."""
    return " already" if report.get("already") else ""
