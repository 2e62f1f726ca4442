"""The lab commands by their names, for the command line and for magics.

Always true: a command returns a report, and everything that it refuses is an `SrError`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from srshell.labs.student import Student
from srshell.model.errors import SrError
from srshell.model.report import LabNote

Arguments = Mapping[str, Any]
_SEEDS_MAX = 1000
_FAR = 1 << 20


def perform(student: Student, command: str, arguments: Arguments) -> Any:  # noqa: ANN401
    """Carry out a lab command; ``command`` is its name, such as ``lab start``."""
    return _VERBS[command](student, arguments)


def _start(student: Student, arguments: Arguments) -> object:
    return student.start(
        arguments["lab"], arguments.get("seed"), fresh=bool(arguments.get("fresh"))
    )


def _check(student: Student, arguments: Arguments) -> object:
    return student.check(arguments.get("task"), every=bool(arguments.get("every")))


def _notebook(_student: Student, arguments: Arguments) -> object:
    from srshell.labs.notebook import write_notebook
    from srshell.labs.shelf import find_lab

    lab = find_lab(arguments["lab"])
    output = Path(arguments.get("output") or f"lab-{lab.book.name}.ipynb")
    write_notebook(lab, output, str(arguments.get("for") or "nobody"))
    return LabNote(lab.book.name, f"{output}: {len(lab.book.tasks)} tasks, {lab.points:g} points")


def _export(student: Student, arguments: Arguments) -> object:
    from srshell.labs.exporting import table

    return LabNote("labs", table(student.list(), str(arguments.get("to") or "json")))


def _new(_student: Student, arguments: Arguments) -> object:
    from srshell.labs.making import make_lab

    folder = make_lab(Path(arguments["place"]))
    text = f"made {folder}; to have it in the list: export SRSHELL_LABS_PATH={folder.parent}"
    return LabNote(folder.name, text)


def _grade(_student: Student, arguments: Arguments) -> object:
    from srshell.labs.grading import grade

    first = arguments.get("first")
    begin = secrets.randbelow(_FAR) + _FAR if first is None else int(first)
    seeds = range(begin, begin + _count(arguments, 3))
    return grade(Path(arguments["notebook"]), seeds)


def _class(_student: Student, arguments: Arguments) -> object:
    from srshell.labs.class_run import run_class

    first = int(arguments.get("first") or 1)
    only = arguments.get("only")
    return run_class(range(first, first + _count(arguments, 1)), (only,) if only else ())


def _count(arguments: Arguments, otherwise: int) -> int:
    """How many seeds.

    Raises:
        SrError: SR0005, that are none, or too many.
    """
    given = arguments.get("seeds")
    count = otherwise if given is None else int(given)
    if not 0 < count <= _SEEDS_MAX:
        raise SrError.make("SR0005", facts=f"1 to {_SEEDS_MAX}", text=str(given),
                           noun="number of seeds")  # fmt: skip
    return count


_VERBS: dict[str, Callable[[Student, Arguments], Any]] = {
    "lab list": lambda student, _: student.list(),
    "lab start": _start,
    "lab task": lambda student, arguments: student.task(arguments.get("task")),
    "lab play": lambda student, arguments: student.play(arguments.get("task")),
    "lab check": _check,
    "lab hint": lambda student, arguments: student.hint(arguments.get("task")),
    "lab answer": lambda student, arguments: student.answer(arguments["name"], arguments["value"]),
    "lab progress": lambda student, _: student.progress(),
    "lab reset": lambda student, arguments: student.reset(arguments.get("task")),
    "lab stop": lambda student, arguments: student.stop(remove=bool(arguments.get("remove"))),
    "lab notebook": _notebook,
    "lab export": _export,
    "lab new": _new,
    "lab grade": _grade,
    "lab class": _class,
}
