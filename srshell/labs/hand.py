"""The hand that plays an answer key: right answers, and wrong ones that a check has to see.

Always true:

(1) Every move goes through the verbs that a student has.
(2) A move that does not come out as the key says ends the run with what was seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs

from srshell.labs.desk import Desk
from srshell.labs.student import Student
from srshell.model.errors import SrError
from srshell.model.report import LabCheckReport

_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.05


class Misjudged(Exception):
    """A check said something else than the key expects."""


def _is_open(seen: LabCheckReport) -> bool:
    """Whether nothing failed, and something cannot be known yet."""
    return {row.verdict for row in seen} <= {"passed", "undecided"} and not seen.passed


@attrs.define(eq=False)
class Hand:
    """Plays one lab."""

    student: Student
    #: Wrong answers that the right check refused.
    caught: int = 0

    @property
    def desk(self) -> Desk:
        """The sandbox."""
        return self.student.begun().desk

    def do(self, line: str) -> Any:  # noqa: ANN401 - whatever the command returns
        """Carry out a command line that has to work."""
        return self.desk.do(line)

    def refused(self, code: str, line: str) -> str:
        """A command line that the fabric has to refuse; the line that mends it."""
        try:
            self.desk.do(line)
        except SrError as error:
            if error.code == code:
                return error.mend
            raise Misjudged(f"{line}: refused with {error.code}, not {code}: {error}") from error
        raise Misjudged(f"{line}: was not refused")

    def passes(self, task: int) -> None:
        """Every check of the task passes; what cannot be known yet is asked again."""
        seen = self.student.check(task)
        end = time.monotonic() + _WAIT_SECONDS
        while _is_open(seen) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)
            seen = self.student.check(task)
        bad = [f"{row.check}: {row.verdict}, {row.text}" for row in seen if row.verdict != "passed"]
        if bad or not seen.passed:
            raise Misjudged(f"task {task} with the right answer: {'; '.join(bad)}")

    def fails(self, task: int, check: str) -> None:
        """A wrong answer: this check fails, and so the task is open."""
        self._expect(task, check, "failed")
        self.caught += 1

    def undecided(self, task: int, check: str) -> None:
        """Too early: this check cannot be decided yet."""
        self._expect(task, check, "undecided")

    def _expect(self, task: int, check: str, word: str) -> None:
        seen: LabCheckReport = self.student.check(task)
        row = next((row for row in seen if row.check == check), None)
        if row is None:
            raise Misjudged(f"task {task} has no check {check!r}")
        if row.verdict != word or seen.passed:
            raise Misjudged(f"task {task}, {check}: {row.verdict}, not {word}: {row.text}")

    def until(self, what: str, holds: Callable[[], object]) -> None:
        """Wait until something holds of the sandbox."""
        end = time.monotonic() + _WAIT_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise Misjudged(f"{what}: not within {_WAIT_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def written(self, machine: str, records: int) -> None:
        """Wait until a machine has written so many records."""
        self.until(
            f"{records} records of {machine}",
            lambda: self.desk.machine(machine).written_records >= records,
        )

    def reset(self, task: int) -> None:
        """Begin a task anew."""
        self.student.reset(task)

    def play(self, task: int) -> None:
        """Let happen what the task is about."""
        self.student.play(task)

    def answer(self, name: str, value: object) -> None:
        """Write down a figure."""
        self.student.answer(name, str(value))
