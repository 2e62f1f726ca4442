"""`srshell lab class`: every lab played by its answer key, under several seeds.

Always true:

(1) A run is one sandbox of its own; wrong answers are made first, each check has to see its own.
(2) A lab is sound under a seed when every wrong answer was caught and the right ones earn all
    points; anything else is a problem, in words.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from srshell.labs.hand import Hand, Misjudged
from srshell.labs.shelf import Lab, books, find_lab, keys, load
from srshell.labs.student import Student
from srshell.model.errors import SrError
from srshell.model.report import LabGradeRow, LabGradesReport


def find_key(lab: Lab) -> Callable[[Hand], None]:
    """The answer key of a lab: beside the others, or in the lab's own folder.

    Raises:
        SrError: SR9803, it is not here.
    """
    for path in (keys() / f"{lab.book.name}.py", lab.folder / "key.py"):
        if path.is_file():
            play: Callable[[Hand], None] = load(path, f"srshell_key_{lab.book.name}").play
            return play
    raise SrError.make("SR9803", lab=lab.book.name)


def run_key(name: str, seed: int, home: Path) -> LabGradeRow:
    """Play one lab under one seed, in a home of its own; what it made is removed."""
    began = time.monotonic()
    lab = find_lab(name)
    key = find_key(lab)
    student = Student(home)
    hand = Hand(student)
    problem, points = "", 0.0
    try:
        student.start(name, seed)
        key(hand)
        progress = student.begun().progress
        points = progress.total(lab)
        if points != lab.points:
            problem = f"the right answers earn {points:g} of {lab.points:g} points"
        elif not hand.caught:
            problem = "the key makes no mistake that a check could catch"
    except (SrError, Misjudged) as error:
        facts = getattr(error, "facts", "")
        problem = f"{error}: {facts}" if facts else str(error)
    finally:
        _tidy(student)
    return LabGradeRow(
        lab.book.name, seed, points, lab.points, time.monotonic() - began, hand.caught, problem
    )


def _tidy(student: Student) -> None:
    """Stop and remove the sandbox, if it was made."""
    with suppress(SrError):  # it was not made
        student.stop(remove=True)
    student.close()


def run_class(
    seeds: Iterable[int], names: Iterable[str] = (), *, at_once: int = 2
) -> LabGradesReport:
    """Play labs under seeds, a few at a time."""
    wanted = tuple(names) or tuple(book.name for book in books())
    folder = Path(tempfile.mkdtemp(prefix="srshell-class-"))
    try:
        with ThreadPoolExecutor(at_once) as pool:
            jobs = [
                pool.submit(run_key, name, seed, folder / f"{name}{seed}")
                for seed in seeds
                for name in wanted
            ]
            rows = tuple(job.result() for job in jobs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sound = [row for row in rows if not row.problem]
    return LabGradesReport(rows, float(len(sound)), float(len(rows)))
