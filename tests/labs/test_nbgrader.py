"""A lab graded by nbgrader: its real autograder, in a kernel of its own, against real sandboxes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from srshell.labs.notebook import make_notebook
from srshell.labs.shelf import LABS_HOME, find_lab
from srshell.labs.student import Student
from srshell.model.errors import SrError
from tests.labs.answers import CLASSIFIED, UNDERSTOOD

#: Where `.ci/run` puts it: too large for .venv, and nobody but this test needs it.
NBGRADER = Path(__file__).parents[2] / "build" / "nbgrader"
#: A course is a directory; scores are read from nbgrader's own gradebook.
_GRADE = """
import json, sys
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
course = Config()
course.CourseDirectory.root = "."
course.ExecutePreprocessor.timeout = 100
nbgrader = NbGraderAPI(config=course)
made = nbgrader.generate_assignment("labs")
assert made["success"], made["log"]
for student in ("ada", "bob"):
    done = nbgrader.autograde("labs", student)
    assert done["success"], done["log"]
with nbgrader.gradebook as book:
    found = {s: book.find_submission("labs", s) for s in ("ada", "bob")}
    print(json.dumps({s: [f.score, f.max_score] for s, f in found.items()}))
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """One home for all whom the autograder runs; what it begins there is removed."""
    yield tmp_path / "sandboxes"
    student = Student(tmp_path / "sandboxes")
    with suppress(SrError):  # it began none
        student.stop(remove=True)
    student.close()


def _hand_in(path: Path, **rooms: str) -> None:
    """The notebook of lab 1, with code in its rooms."""
    made = make_notebook(find_lab("places"), "nbgrader")
    for cell in made["cells"]:
        cell["source"] = rooms.get(cell["id"], cell["source"])
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(made), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not (NBGRADER / "nbgrader").is_dir(), reason="needs nbgrader (.ci/run: in build/nbgrader)"
)
def test_nbgrader_gives_each_student_the_points_of_the_checks(tmp_path: Path, home: Path) -> None:
    """All of them, or those of one task alone: also when bob is graded where ada just was."""
    course = tmp_path / "course"
    _hand_in(course / "source" / "labs" / "places.ipynb")
    for student, second in (("ada", CLASSIFIED), ("bob", "")):
        place = course / "submitted" / student / "labs" / "places.ipynb"
        _hand_in(place, task1=UNDERSTOOD, task2=second)
    environment = {
        **os.environ,
        **{f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("RUNTIME", "CONFIG", "DATA")},
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "PATH": f"{NBGRADER / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(NBGRADER),
        LABS_HOME: str(home),
    }
    ended = subprocess.run(
        [sys.executable, "-c", _GRADE],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    grades = json.loads(ended.stdout.splitlines()[-1])
    assert grades == {"ada": [7, 7], "bob": [5, 7]}
