"""What a student does with labs: begin one, read a task, play its incident, check, ask for hints.

Always true:

(1) The lab that was begun last is the one that commands mean; its sandbox outlives the shell.
(2) What a seed decides is the same each time: places, sizes, and what goes wrong when.
(3) A check never changes what it looks at, and its points are written down at once.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from random import Random

import attrs

from srshell.labs.book import fill
from srshell.labs.desk import Check, Desk, Facts, Verdict, undecided
from srshell.labs.progress import Progress, read_progress
from srshell.labs.shelf import Lab, books, find_lab, labs_home
from srshell.model.errors import SrError
from srshell.model.identity import nearest
from srshell.model.report import (
    LabCheckReport,
    LabCheckRow,
    LabNote,
    LabReport,
    LabRow,
    LabsReport,
    LabTaskRow,
)

#: Seeds are short, so that they can be told and typed.
_SEED_MAX = 9999
#: A grader sets this; a notebook that begins a lab gets this seed then, whatever it asks for.
SEED_VARIABLE = "SRSHELL_LAB_SEED"
#: nbgrader says here what it runs a notebook for; many students are graded in one home then, and
#: none may go on with the sandbox, and the points, of another.
_GRADER_VARIABLE, _GRADING = "NBGRADER_EXECUTION", "autograde"


@attrs.define(eq=False)
class Begun:
    """A lab that was begun: its text, how far it is, and its desk."""

    lab: Lab
    progress: Progress
    desk: Desk
    file: Path

    def save(self) -> None:
        """Write down how far it is."""
        self.progress.answers, self.progress.notes = self.desk.answers, self.desk.notes
        self.progress.save(self.file)


@attrs.define(eq=False)
class Student:
    """One student's labs."""

    home: Path = attrs.Factory(labs_home)
    _begun: Begun | None = attrs.field(default=None, init=False)

    # --- which lab ----------------------------------------------------------------------------

    def list(self) -> LabsReport:
        """All labs, and how far each is."""
        rows = []
        for book in books():
            lab = find_lab(book.name)
            progress = read_progress(self._file(book.name))
            state = "not begun"
            if progress is not None:
                state = "passed" if progress.finished(lab) else "begun"
            rows.append(
                LabRow(book.name, book.number, book.title, book.minutes, state,
                       progress.total(lab) if progress else 0.0, lab.points)
            )  # fmt: skip
        return LabsReport(tuple(rows))

    def start(self, name: str, seed: int | None = None, *, fresh: bool = False) -> LabReport:
        """Begin a lab, or go on with it; another seed or ``fresh`` begins it anew."""
        lab = find_lab(name)
        known = read_progress(self._file(lab.book.name))
        if os.environ.get(SEED_VARIABLE, "").isdigit():
            seed = int(os.environ[SEED_VARIABLE])
        fresh = fresh or os.environ.get(_GRADER_VARIABLE) == _GRADING
        if known is None or fresh or seed not in {None, known.seed}:
            chosen = seed if seed is not None else 1 + secrets.randbelow(_SEED_MAX)
            elsewhere = {} if known is None else known.notes
            self._take(lab, Progress(lab.book.name, chosen, notes=elsewhere))
            self._lay(1)
        else:
            self._take(lab, known)
            assert self._begun is not None
            self._begun.desk.fabric  # noqa: B018 - starts the owner when it was stopped
        self.home.joinpath("current").write_text(lab.book.name)
        return self._report(self._story())

    def begun(self) -> Begun:
        """The lab that commands mean.

        Raises:
            SrError: SR9802, none was begun.
        """
        current = self.home / "current"
        name = current.read_text().strip() if current.is_file() else ""
        if self._begun is None or self._begun.lab.book.name != name:
            progress = read_progress(self._file(name)) if name else None
            if progress is None:
                raise SrError.make("SR9802")
            self._take(find_lab(name), progress)
        assert self._begun is not None
        return self._begun

    def _take(self, lab: Lab, progress: Progress) -> None:
        """Make a lab the one that commands mean."""
        self.close()
        name = lab.book.name
        folder = self.home / name
        found = lab.facts(Random(f"{name} {progress.seed}"))
        facts: Facts = {
            key: str(folder / value) if isinstance(value, Path) else value
                 for key, value in found.items()}  # fmt: skip
        desk = Desk(folder, progress.seed, facts)
        desk.answers, desk.notes = progress.answers, progress.notes
        self._begun = Begun(lab, progress, desk, self._file(name))

    def _lay(self, number: int) -> None:
        """Make what a task begins with, in an empty sandbox."""
        begun = self.begun() if self._begun is None else self._begun
        begun.desk.clear()
        begun.desk.answers, begun.desk.notes = {}, {}
        try:
            begun.lab.begin(begun.desk, number)
            begun.desk.fabric  # noqa: B018 - a lab that begins with nothing has an owner, too
        except BaseException:
            begun.desk.clear()  # interrupted or refused: nothing is left running
            raise
        begun.save()

    def _file(self, name: str) -> Path:
        """Where the progress of a lab is kept."""
        return self.home / f"{name}.json"

    # --- what a student asks ------------------------------------------------------------------

    def task(self, number: int | None = None) -> LabReport:
        """The story and one task; the first open one when none is named."""
        begun = self.begun()
        chosen = begun.progress.current(begun.lab) if number is None else number
        return self._report(self._task_text(chosen))

    def progress(self) -> LabReport:
        """How far each task is."""
        begun = self.begun()
        text = ""
        if begun.progress.finished(begun.lab):
            text = f"Every task is done. In your own words: {begun.lab.book.question}"
        return self._report(text)

    def check(self, number: int | None = None, *, every: bool = False) -> LabCheckReport:
        """Look at the fabric and the data; a task that is named, or the first open one."""
        begun = self.begun()
        lab, progress = begun.lab, begun.progress
        if number is not None:
            lab.book.task(number)
        chosen = progress.current(lab) if number is None else number
        checks = lab.checks if every else lab.checks_of(chosen)
        rows = [self._row(begun, check) for check in checks]
        begun.save()
        numbers = sorted({check.task for check in checks})
        return LabCheckReport(
            lab.book.name,
            tuple(rows),
            sum(progress.points(lab, task) for task in numbers),
            sum(check.points for check in checks),
            all(progress.state(lab, task) != "open" for task in numbers),
            self._next(begun),
        )

    def _row(self, begun: Begun, check: Check) -> LabCheckRow:
        """What one check sees; points once it was passed, also when the world went on since."""
        task = begun.progress.task(check.task)
        seen = _look(check, begun.desk)
        if seen.word == "passed" and not task.given:
            task.passed[check.name] = check.points
        word = seen.word
        if word != "passed" and check.name in task.passed:
            word, seen = "passed", Verdict("passed", f"passed before; now: {seen.text}")
        points = task.passed.get(check.name, 0.0)
        return LabCheckRow(check.task, check.name, word, points, check.points, seen.text)

    def _next(self, begun: Begun) -> str:
        """What to do now."""
        lab, progress = begun.lab, begun.progress
        if progress.finished(lab):
            return f"every task is done; in your own words: {lab.book.question}"
        current = progress.current(lab)
        if any(name for name in progress.task(current).passed):
            return f"next   srshell lab task {current}"
        hints = lab.book.task(current).hints[progress.task(current).hints :]
        hint = f", srshell lab hint (costs {hints[0].points:g})" if hints else ""
        return f"next   srshell lab task {current}{hint}"

    def hint(self, number: int | None = None) -> LabNote:
        """The next hint of a task; it costs its points."""
        begun = self.begun()
        chosen = begun.progress.current(begun.lab) if number is None else number
        hints = begun.lab.book.task(chosen).hints
        task = begun.progress.task(chosen)
        if not hints:
            return LabNote(begun.lab.book.name, f"task {chosen} has no hints")
        fresh = task.hints < len(hints)
        if fresh and begun.progress.state(begun.lab, chosen) == "open":
            task.hints += 1
        begun.save()
        shown = hints[: task.hints]
        lines = [f"hint {at} ({hint.points:g}): {fill(hint.text, begun.desk.facts)}"
                 for at, hint in enumerate(shown, 1)]  # fmt: skip
        if task.hints == len(hints):
            lines.append("there are no more")
        return LabNote(begun.lab.book.name, "\n".join(lines))

    def answer(self, name: str, value: str) -> LabNote:
        """Write down a figure that a task asks for."""
        begun = self.begun()
        asked = {key.removeprefix("ask_") for key in begun.desk.facts if key.startswith("ask_")}
        if name not in asked:
            near = ", ".join(nearest(name, asked)) or ", ".join(sorted(asked)) or "nothing"
            raise SrError.make("SR0105", facts=f"this lab asks for: {near}",
                               mend="srshell lab task", noun="question", name=name)  # fmt: skip
        begun.desk.answers[name] = value
        begun.save()
        return LabNote(begun.lab.book.name, f"{name}: {value}")

    def play(self, number: int | None = None) -> LabNote:
        """Let happen what a task is about: its faults and its load, as the seed decides them."""
        begun = self.begun()
        chosen = begun.progress.current(begun.lab) if number is None else number
        begun.lab.book.task(chosen)
        if begun.lab.play is None:
            return LabNote(begun.lab.book.name, "nothing happens by itself in this lab")
        began = time.monotonic()
        text = begun.lab.play(begun.desk, chosen)
        begun.save()
        return LabNote(begun.lab.book.name, f"{text} ({time.monotonic() - began:.1f} s)")

    def reset(self, number: int | None = None) -> LabReport:
        """Put the sandbox back to where a task begins; earlier tasks that are open are given."""
        begun = self.begun()
        chosen = begun.progress.current(begun.lab) if number is None else number
        begun.lab.book.task(chosen)
        for task in begun.lab.book.tasks:
            known = begun.progress.task(task.number)
            if task.number >= chosen:
                known.passed, known.given = {}, False
            elif begun.progress.state(begun.lab, task.number) == "open":
                known.given = True
        self._lay(chosen)
        return self._report(self._task_text(chosen))

    def stop(self, *, remove: bool = False) -> LabNote:
        """Stop the sandbox; with ``remove`` nothing of it is left but the points."""
        begun = self.begun()
        begun.desk.stop()
        if remove:
            begun.desk.clear()
            begun.desk.folder.rmdir()
            begun.file.unlink(missing_ok=True)
            self.home.joinpath("current").unlink(missing_ok=True)
        name = begun.lab.book.name
        return LabNote(name, f"the sandbox of {name} is {'removed' if remove else 'stopped'}")

    def close(self) -> None:
        """Hang up; sandboxes go on."""
        begun, self._begun = self._begun, None
        if begun is not None:
            begun.desk.close()

    # --- texts --------------------------------------------------------------------------------

    def _story(self) -> str:
        begun = self.begun()
        book = begun.lab.book
        current = begun.progress.current(begun.lab)
        return f"{book.title}\n\n{fill(book.story, begun.desk.facts)}\n\n{self._task_text(current)}"

    def _task_text(self, number: int) -> str:
        begun = self.begun()
        task = begun.lab.book.task(number)
        text = fill(task.text, begun.desk.facts)
        return f"Task {number}: {task.title}\n\n{text}\n\ncheck  srshell lab check {number}"

    def _report(self, text: str) -> LabReport:
        begun = self.begun()
        lab, progress = begun.lab, begun.progress
        rows = tuple(
            LabTaskRow(
                number=task.number,
                title=task.title,
                state=progress.state(lab, task.number),
                points=progress.points(lab, task.number),
                points_of=sum(check.points for check in lab.checks_of(task.number)),
                hints=progress.task(task.number).hints,
                hints_of=len(task.hints),
            )
            for task in lab.book.tasks
        )
        facts = {
            key: value
            for key, value in begun.desk.facts.items()
            if not key.startswith(("_", "ask_")) and not isinstance(value, Path)
        }
        return LabReport(
            lab.book.name,
            lab.book.number,
            lab.book.title,
            progress.seed,
            str(begun.desk.fabric_path),
            {**facts, "home": str(begun.desk.folder)},
            rows,
            text,
        )


def _look(check: Check, desk: Desk) -> Verdict:
    """What a check sees; a question that the fabric refuses leaves it undecided."""
    try:
        return check.look(desk)
    except SrError as error:
        facts = f": {error.facts}" if error.facts else ""
        return undecided(f"{error.code} {error.message}{facts}")
