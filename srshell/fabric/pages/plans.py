"""Pages of plans, and of plans that were carried out.

Always true: a page is made from the JSON of its report alone; what is not known is not shown as
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from srshell.fabric.pages.words import Page, Report, duration, size


def plan_page(report: Report) -> Page:
    """What a command, or several, would do."""
    parts = report.get("parts") or ()
    lines = tuple(_lines(report))
    if parts:
        headline = f"PLAN  {_count(len(parts), 'command')}, nothing has changed"
        return Page(headline, ("", "COMMAND", "WHAT"), tuple(_part_rows(parts)), lines)
    steps = report["steps"]
    headline = f"PLAN  {report['command']}: {_count(len(steps), 'step')}, nothing has changed"
    rows = tuple((str(number), row["name"], row["text"]) for number, row in enumerate(steps, 1))
    return Page(headline, ("", "STEP", "WHAT"), rows, lines)


def _part_rows(parts: list[Report]) -> Iterator[tuple[str, ...]]:
    """A row for each step; the first of a command carries its number and its words."""
    for number, part in enumerate(parts, 1):
        for index, step in enumerate(part["steps"] or [{"text": "it is so already"}]):
            first = index == 0
            yield (str(number) if first else "", part["command"] if first else "", step["text"])


def _lines(report: Report) -> Iterator[str]:
    """What a plan says besides its steps."""
    parts = report.get("parts") or [report]
    for number, part in enumerate(parts, 1):
        where = f"{number}: " if report.get("parts") else ""
        for row in (*part["checks"], *(part.get("measured") or ())):
            yield f"{where}{row['verdict']}: {row['code']} {row['text']}"
    if report.get("taken_bytes"):
        taken = report["taken_bytes"]
        yield f"{'takes' if taken > 0 else 'gives back'} {size(abs(taken))} of the pools"
    if report.get("copied_bytes"):
        yield f"copies {size(report['copied_bytes'])} to the other side, at most"
    if report.get("about_seconds") is not None:
        yield f"takes about {duration(report['about_seconds'])}, as it did before"
    yield from (f"unavailable: {text}" for text in report.get("unavailable") or ())
    if report["lost_bytes"] is None:
        yield "what may be lost is known once the source has been fenced"
    yield from _way_back(report)
    if report.get("left_out"):
        yield f"left out, as they change nothing: {', '.join(report['left_out'])}"
    if report.get("confirm"):
        yield f"to be confirmed with --confirm {report['confirm']}"


def _way_back(report: Report) -> Iterator[str]:
    """How it is undone, and what stays."""
    yield from (f"undo: {line}" for line in report.get("inverse") or ())
    parts = report.get("parts") or ()
    lasting = [str(n) for n, part in enumerate(parts, 1) if part.get("inverse") is None]
    if lasting:
        yield f"not undone by any command: {', '.join(lasting)}"


def run_page(report: Report) -> Page:
    """What was carried out, command by command."""
    steps = report["steps"]
    headline = f"{_count(len(steps), 'command')} of the plan carried out in "
    rows = tuple((row["name"], row["text"], duration(row.get("seconds"))) for row in steps)
    return Page(headline + duration(report["seconds"]), ("", "COMMAND", "TIME"), rows)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
