"""Grading: a student's notebook is run again, under seeds that the student has not seen.

Always true:

(1) Each run has a home of its own, which is removed; the student's own sandboxes are not touched.
(2) The grade is the worst of the runs: what works under one seed alone was read off.
(3) Points come from the checks after the last cell, whatever the notebook itself prints.

A notebook is a program that runs as whoever grades it. Grade the notebooks of strangers where a
stranger's program may run.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from srshell.fabric.launch import child_environment
from srshell.labs.shelf import LABS_HOME, find_lab
from srshell.labs.student import SEED_VARIABLE, Student
from srshell.model.errors import SrError
from srshell.model.report import LabGradeRow, LabGradesReport, encode

#: A notebook that takes longer than this hangs, in seconds.
_RUN_SECONDS = 600.0


def grade(notebook: Path, seeds: Iterable[int]) -> LabGradesReport:
    """Run a notebook under several seeds.

    Raises:
        SrError: SR9804, it is no notebook of a lab.
    """
    name = _lab_of(notebook)
    rows = tuple(_run(notebook, name, seed) for seed in seeds)
    worst = min(row.points for row in rows)
    return LabGradesReport(rows, worst, rows[0].points_of)


def _lab_of(notebook: Path) -> str:
    """The lab that a notebook belongs to."""
    try:
        metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
        name: str = metadata["srshell"]["lab"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        facts = getattr(error, "strerror", None) or "it was not made by `srshell lab notebook`"
        raise SrError.make("SR9804", facts=facts, file=str(notebook)) from error
    find_lab(name)
    return name


def _run(notebook: Path, name: str, seed: int) -> LabGradeRow:
    """Run the notebook once, and check every task afterwards."""
    began = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="srshell-grade-"))
    environment = {**child_environment(), LABS_HOME: str(home), SEED_VARIABLE: str(seed)}
    environment["IPYTHONDIR"] = str(home / "ipython")
    environment.pop("SRSHELL_FABRIC", None)
    command = [sys.executable, "-m", "srshell_magics.rerun", str(notebook.absolute())]
    student = Student(home)
    problem, points, digest = "", 0.0, ""
    try:
        ended = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True,
                               timeout=_RUN_SECONDS, check=False)  # fmt: skip
        problem = ended.stdout.strip().splitlines()[-1] if ended.returncode else ""
        student.begun()
        checked = student.check(every=True)
        points = checked.points
        digest = hashlib.sha256(encode(checked)).hexdigest()[:16]
    except subprocess.TimeoutExpired:
        problem = f"it was still running after {_RUN_SECONDS:.0f} s"
    except SrError as error:
        problem = problem or str(error)
    finally:
        _remove(student, home)
    lab = find_lab(name)
    return LabGradeRow(name, seed, points, lab.points, time.monotonic() - began,
                       problem=problem, events_digest=digest)  # fmt: skip


def _remove(student: Student, home: Path) -> None:
    """Stop the sandbox and remove the home."""
    with suppress(SrError):  # it begins no lab
        student.stop(remove=True)
    student.close()
    shutil.rmtree(home, ignore_errors=True)
