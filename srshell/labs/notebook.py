"""A lab as a notebook: made from its text, with cells that begin, task by task, and check.

Always true:

(1) A notebook holds no answer; what it checks, it checks with `%lab check`.
(2) Cells have fixed identities, so the same text gives the same bytes.
(3) For nbgrader every check cell is a locked test with the task's points; its value is the points.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from srshell.labs.book import Task
from srshell.labs.shelf import Lab
from srshell.model.errors import SrError

Cell = dict[str, Any]


def write_notebook(lab: Lab, output: Path, grader: str) -> None:
    """Write the notebook of a lab.

    Raises:
        SrError: SR9220, it cannot be written.
    """
    try:
        text = json.dumps(make_notebook(lab, grader), indent=1, ensure_ascii=False)
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SrError.make("SR9220", facts=error.strerror or str(error), operation="write",
                           file=str(output)) from error  # fmt: skip


def make_notebook(lab: Lab, grader: str = "nobody") -> dict[str, Any]:
    """The notebook as JSON values; ``grader`` is nobody, nbgrader or otter."""
    book = lab.book
    story = f"# Lab {book.number}: {book.title}\n\n*{book.goal}; about {book.minutes} minutes*\n\n"
    cells = [
        _markdown("story", story + _shown(book.story)),
        _code("begin", f"%load_ext srshell\nlab = %lab start {book.number}"),
    ]
    for task in book.tasks:
        cells += _task(lab, task, grader)
    question = f"## In your own words\n\n{_shown(book.question)}"
    cells += [
        _markdown("question", question),
        _markdown("words", "(your words)"),
        _code("progress", "%lab progress"),
    ]
    if grader == "nbgrader":
        _for_nbgrader(cells[-2], "words", solution=True)
        cells[-2]["metadata"]["nbgrader"] |= {"grade": True, "points": 0}
    metadata: dict[str, Any] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "srshell": {"lab": book.name},
    }
    if grader == "otter":
        metadata["otter"] = {"assignment_name": f"lab-{book.name}", "tests": _otter(lab)}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _task(lab: Lab, task: Task, grader: str) -> list[Cell]:
    """The cells of one task: what to do, room for it, the check."""
    points = sum(check.points for check in lab.checks_of(task.number))
    head = f"## Task {task.number}: {task.title} ({points:g} points)\n\n{_shown(task.text)}"
    if task.hints:
        head += f"\n\nStuck? `%lab hint {task.number}` helps, and costs points."
    room = _code(f"task{task.number}", "")
    option = "" if grader == "nobody" else " --points"
    check = _code(f"check{task.number}", f"%lab check {task.number}{option}")
    if grader == "nbgrader":
        _for_nbgrader(room, f"task{task.number}", solution=True)
        _for_nbgrader(check, f"check{task.number}", solution=False)
        check["metadata"]["nbgrader"] |= {"grade": True, "points": points}
    return [_markdown(f"text{task.number}", head), room, check]


def _for_nbgrader(cell: Cell, name: str, *, solution: bool) -> None:
    """Metadata of nbgrader, version 3 of its schema."""
    cell["metadata"]["nbgrader"] = {
        "grade": False,
        "grade_id": name,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }


def _otter(lab: Lab) -> dict[str, Any]:
    """Tests of otter-grader: one for each task, worth its points."""
    tests = {}
    for task in lab.book.tasks:
        points = sum(check.points for check in lab.checks_of(task.number))
        checked = f"get_ipython().run_line_magic('lab', 'check {task.number}')"
        code = f">>> float({checked}) == {points}"
        case = {"code": f"{code}\nTrue", "hidden": False, "locked": False}
        suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
        name = f"q{task.number}"
        tests[name] = {"name": name, "points": points, "suites": [suite]}
    return tests


def _shown(text: str) -> str:
    """A text with commands and facts as a notebook types them: ``%pair``, ``$lab.size``."""
    text = re.sub(r"`srshell (?=\w)", "`%", text)
    return re.sub(r"\{(\w+)\}", r"$lab.\1", text)


def _markdown(name: str, text: str) -> Cell:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}


def _code(name: str, text: str) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {},
        "outputs": [],
        "source": text,
    }
