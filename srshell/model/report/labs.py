"""What the lab commands return: which labs there are, where one stands, and what checks saw.

Always true:

(1) Points are what was earned, after what hints cost; ``points_of`` is the most there is.
(2) A verdict is passed, failed or undecided; undecided means that it cannot be known yet.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from srshell.model.report.base import Named, Rows


@attrs.frozen
class LabRow(Named):
    """One lab in the list."""

    name: str
    number: int
    title: str
    minutes: int
    state: str  #: not begun, begun, passed
    points: float
    points_of: float


@attrs.frozen
class LabsReport(Rows[LabRow]):
    """All labs, in the order of the course."""

    labs: tuple[LabRow, ...]
    schema: str = "srshell.labs/1"
    ROWS: ClassVar[str] = "labs"


@attrs.frozen
class LabTaskRow:
    """How far a task is."""

    number: int
    title: str
    state: str  #: open, passed, given
    points: float
    points_of: float
    hints: int
    hints_of: int


@attrs.frozen
class LabReport(Named):
    """A lab that was begun: its sandbox, what its seed decided, and how far each task is."""

    name: str
    number: int
    title: str
    seed: int
    fabric: str
    facts: dict[str, str | int | float]
    tasks: tuple[LabTaskRow, ...]
    text: str  # Markdown: the story, or the task
    schema: str = "srshell.lab/1"

    def __getattr__(self, name: str) -> str | int | float:
        """A fact, so that `$lab.north` can stand in a command line."""
        if name != "facts" and not name.startswith("_") and name in self.facts:
            return self.facts[name]
        raise AttributeError(name)


@attrs.frozen
class LabCheckRow:
    """What one check saw."""

    task: int
    check: str
    verdict: str
    points: float
    points_of: float
    text: str


@attrs.frozen
class LabCheckReport(Rows[LabCheckRow]):
    """What the checks of a task, or of all, saw; as a number it is the points."""

    name: str
    checks: tuple[LabCheckRow, ...]
    points: float
    points_of: float
    passed: bool
    next: str = ""  # what to do now
    schema: str = "srshell.lab-check/1"
    ROWS: ClassVar[str] = "checks"

    def __float__(self) -> float:
        return float(self.points)


@attrs.frozen
class LabNote:
    """One thing that a lab command did."""

    name: str
    text: str
    schema: str = "srshell.lab-note/1"


@attrs.frozen
class LabGradeRow:
    """One run of a student's answer, or of an answer key, under one seed."""

    name: str
    seed: int
    points: float
    points_of: float
    seconds: float
    caught: int = 0  # wrong answers that the right check refused
    problem: str = ""
    events_digest: str = ""


@attrs.frozen
class LabGradesReport(Rows[LabGradeRow]):
    """Runs under several seeds; the grade is the worst of them."""

    grades: tuple[LabGradeRow, ...]
    points: float
    points_of: float
    schema: str = "srshell.lab-grades/1"
    ROWS: ClassVar[str] = "grades"
