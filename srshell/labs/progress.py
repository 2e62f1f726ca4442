"""How far a student is: one file beside the sandbox of each lab.

Always true:

(1) A check that was passed once stays passed until its task is reset.
(2) A hint costs its points once; a task that was given by a reset earns nothing.
(3) The file is replaced as a whole; it is a receipt, and the grade is a run under hidden seeds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import msgspec

from srshell.labs.shelf import Lab


@attrs.define
class TaskProgress:
    """How far one task is."""

    passed: dict[str, float] = attrs.Factory(dict)  # check to the points that it is worth
    hints: int = 0
    given: bool = False


@attrs.define
class Progress:
    """How far one lab is."""

    lab: str
    seed: int
    tasks: dict[str, TaskProgress] = attrs.Factory(dict)
    answers: dict[str, str] = attrs.Factory(dict)
    notes: dict[str, Any] = attrs.Factory(dict)

    def task(self, number: int) -> TaskProgress:
        """How far a task is."""
        return self.tasks.setdefault(str(number), TaskProgress())

    def save(self, path: Path) -> None:
        """Replace the file."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(self))
        fresh.replace(path)

    # --- points -------------------------------------------------------------------------------

    def points(self, lab: Lab, number: int) -> float:
        """What a task has earned, after its hints."""
        task = self.task(number)
        if task.given:
            return 0.0
        hints = lab.book.task(number).hints[: task.hints]
        return max(sum(task.passed.values()) - sum(hint.points for hint in hints), 0.0)

    def state(self, lab: Lab, number: int) -> str:
        """The word for a task: open, passed or given."""
        task = self.task(number)
        if task.given:
            return "given"
        done = all(check.name in task.passed for check in lab.checks_of(number))
        return "passed" if done else "open"

    def total(self, lab: Lab) -> float:
        """What the lab has earned."""
        return sum(self.points(lab, task.number) for task in lab.book.tasks)

    def current(self, lab: Lab) -> int:
        """The first task that is open; the last one when none is."""
        for task in lab.book.tasks:
            if self.state(lab, task.number) == "open":
                return task.number
        return lab.book.tasks[-1].number

    def finished(self, lab: Lab) -> bool:
        """Whether no task is open any more."""
        return all(self.state(lab, task.number) != "open" for task in lab.book.tasks)


def read_progress(path: Path) -> Progress | None:
    """How far a lab is; None when it was not begun, or nobody can read what is there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except (OSError, msgspec.MsgspecError):
        return None
