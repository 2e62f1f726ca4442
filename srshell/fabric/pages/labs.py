"""Pages of the labs: the list, a task, what checks saw, grades.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from srshell.fabric.pages.words import UNKNOWN, Page, Report, duration

_MARKS = {"passed": "● passed", "failed": "✖ failed", "undecided": "○ not yet"}


def _labs(report: Report) -> Page:
    rows = tuple(
        (str(row["number"]), row["name"], row["title"], f"{row['minutes']} min", row["state"],
         _points(row))
        for row in report["labs"]
    )  # fmt: skip
    columns = ("", "LAB", "TITLE", "TIME", "STATE", "POINTS")
    return Page("", columns, rows, ("next   srshell lab start NUMBER",))


def _points(row: Report) -> str:
    return f"{row['points']:g} of {row['points_of']:g}"


def _lab(report: Report) -> Page:
    rows = tuple(
        (str(row["number"]), row["title"], row["state"], _points(row),
         f"{row['hints']} of {row['hints_of']}")
        for row in report["tasks"]
    )  # fmt: skip
    headline = f"lab {report['number']} ({report['name']}), seed {report['seed']}"
    shell = f"shell  export SRSHELL_FABRIC={report['fabric']}"
    lines = (*_flowing(report["text"]), shell)
    return Page(headline, ("TASK", "TITLE", "STATE", "POINTS", "HINTS"), rows, lines)


def _flowing(text: str) -> list[str]:
    """Paragraphs in lines that fit a terminal; rows of a list and commands stay as they are."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith(("- ", "check  ")):
            lines += paragraph.splitlines()
        else:
            lines += textwrap.wrap(paragraph, 78, break_long_words=False, break_on_hyphens=False)
        lines.append("")
    return lines


def _check(report: Report) -> Page:
    rows = tuple(
        (
            str(row["task"]),
            row["check"],
            _MARKS.get(row["verdict"], row["verdict"]),
            _points(row),
            row["text"],
        )
        for row in report["checks"]
    )
    done = "passed" if report["passed"] else "not passed yet"
    headline = f"{report['name']}: {_points(report)} points, {done}"
    after = (report["next"],) if report["next"] else ()
    return Page(headline, ("TASK", "CHECK", "VERDICT", "POINTS", "SEEN"), rows, after)


def _note(report: Report) -> Page:
    return Page("", lines=tuple(report["text"].splitlines()))


def _grades(report: Report) -> Page:
    rows = tuple(
        (row["name"], str(row["seed"]), _points(row), str(row["caught"]),
         duration(row["seconds"]), row["problem"] or UNKNOWN)
        for row in report["grades"]
    )  # fmt: skip
    columns = ("LAB", "SEED", "POINTS", "WRONG CAUGHT", "TIME", "PROBLEM")
    return Page(f"grade {_points(report)}, the worst of the runs", columns, rows)


LAB_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.labs/1": _labs,
    "srshell.lab/1": _lab,
    "srshell.lab-check/1": _check,
    "srshell.lab-note/1": _note,
    "srshell.lab-grades/1": _grades,
}
