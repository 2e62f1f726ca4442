"""What a student meets: texts, points, hints, answers, resets; without a sandbox where one can."""

import json
from pathlib import Path
from random import Random
from typing import Any

import attrs
import nbformat
import pytest

from srshell.labs.book import fill, read_book
from srshell.labs.desk import Check, Desk, Facts, failed, passed, undecided
from srshell.labs.exporting import table
from srshell.labs.notebook import make_notebook
from srshell.labs.progress import Progress, read_progress
from srshell.labs.shelf import Lab, books, find_lab
from srshell.labs.student import Student
from srshell.model.errors import SrError

_TEXT = """# Lab 3: A title
goal: to learn
minutes: 5

The story of {name}.

## Task 1: First
Do {this} with {name}.

hint (0.5): a little
help

hint (2): more

## Task 2: Second
Do that.

## In your own words
Why?
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab that needs no fabric: its checks look at the answers."""
    folder = tmp_path / "paper"
    folder.mkdir()
    (folder / "lab.md").write_text(_TEXT)
    words = {"": undecided("nothing"), "right": passed("right")}

    def look(desk: Desk) -> Any:  # noqa: ANN401
        return words.get(desk.answers.get("word", ""), failed("wrong"))

    checks = (Check(1, 2, "said", look), Check(2, 1, "said again", look))

    def facts(_dice: Random) -> Facts:
        return {"name": "Vol", "ask_word": "a word", "place": Path("east")}

    return Lab(read_book(folder / "lab.md"), folder, checks, facts, lambda _desk, _task: None, None)


@pytest.fixture
def student(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Student:
    """A student who has begun it."""
    monkeypatch.setattr("srshell.labs.student.find_lab", lambda _name: lab)
    monkeypatch.setattr(Desk, "fabric", None)
    made = Student(tmp_path / "home")
    made.start("paper", 1)
    return made


def test_a_text_is_read_as_it_is_written(lab: Lab) -> None:
    book = lab.book
    assert (book.number, book.title, book.goal, book.minutes) == (3, "A title", "to learn", 5)
    assert [task.title for task in book.tasks] == ["First", "Second"]
    assert [(hint.points, hint.text) for hint in book.tasks[0].hints] == [
        (0.5, "a little help"),
        (2.0, "more"),
    ]
    assert (book.story, book.question) == ("The story of {name}.", "Why?")
    assert fill(book.tasks[0].text, {"name": "Vol"}) == "Do {this} with Vol."


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("# Lab 3: A", "# Lap 3: A"), ("Task 2", "Task 4"), ("minutes: 5", "minutes: x")],
)
def test_a_text_that_is_no_lab_is_refused(tmp_path: Path, wrong: str, right: str) -> None:
    path = tmp_path / "lab.md"
    path.write_text(_TEXT.replace(wrong, right))
    with pytest.raises(SrError) as refused:
        read_book(path)
    assert refused.value.code == "SR9801"
    assert refused.value.facts


def test_points_are_earned_once_and_hints_cost_theirs(student: Student) -> None:
    assert not student.check().passed
    assert "a little help" in student.hint().text
    student.answer("word", "right")
    found = student.check(1)
    assert (found.points, found.points_of, found.passed) == (1.5, 2, True)
    # What was passed stays passed, and a hint after it costs nothing.
    student.answer("word", "wrong")
    later = student.check(1)
    assert later.points == 1.5
    assert later.checks[0].verdict == "passed"
    assert "passed before; now: wrong" in later.checks[0].text
    student.hint(1)
    assert student.check(1).points == 1.5
    assert student.check(2).checks[0].verdict == "failed"


def test_each_notebook_that_nbgrader_grades_begins_anew(
    student: Student, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second student of a home would get the points of the first."""
    student.answer("word", "right")
    assert student.check(1).points == 2
    student.start("paper", 1)
    assert student.check(1).points == 2
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    student.start("paper", 1)
    assert student.check(1).points == 0


def test_a_task_that_a_reset_gives_earns_nothing(student: Student) -> None:
    student.answer("word", "right")
    report = student.reset(2)
    assert [row.state for row in report.tasks] == ["given", "open"]
    student.answer("word", "right")
    assert student.check(1).points == 0
    assert student.check(2).points == 1
    assert "every task is done" in student.check(2).next


def test_a_task_that_was_half_done_and_is_given_earns_nothing(student: Student, lab: Lab) -> None:
    """Otherwise a reset would be a way to keep points and skip the rest."""
    half = Check(1, 1, "never", lambda _desk: failed("never"))
    begun = student.begun()
    begun.lab = Lab(lab.book, lab.folder, (*lab.checks, half), lab.facts, lab.begin, lab.play)
    student.answer("word", "right")
    assert student.check(1).points == 2
    report = student.reset(2)
    assert (report.tasks[0].state, report.tasks[0].points) == ("given", 0)


def test_how_far_a_student_is_outlives_the_shell(student: Student, tmp_path: Path) -> None:
    student.answer("word", "right")
    student.check(1)
    again = Student(tmp_path / "home")
    assert [row.state for row in again.progress().tasks] == ["passed", "open"]
    assert again.begun().desk.facts["place"] == str(tmp_path / "home/paper/east")


def test_a_damaged_file_of_progress_is_a_lab_that_was_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text in ("", "{", '{"lab": 3}', "[]"):
        path.write_text(text)
        assert read_progress(path) is None
    Progress("x", 1).save(path)
    assert read_progress(path) == Progress("x", 1)


def test_what_is_not_there_is_refused_with_a_way_on(student: Student, tmp_path: Path) -> None:
    for ask in (lambda: student.check(9), lambda: student.answer("wort", "x")):
        with pytest.raises(SrError) as refused:
            ask()
        assert refused.value.code == "SR0105"
    with pytest.raises(SrError) as none_begun:
        Student(tmp_path / "other").task()
    assert none_begun.value.code == "SR9802"
    with pytest.raises(SrError):
        find_lab("nowhere")


def test_a_check_that_the_fabric_refuses_is_undecided(student: Student, lab: Lab) -> None:
    def look(_desk: Desk) -> Any:  # noqa: ANN401
        raise SrError.make("SR0105", noun="group", name="PriRG")

    begun = student.begun()
    begun.lab = Lab(lab.book, lab.folder, (Check(1, 1, "x", look),), lab.facts, lab.begin, lab.play)
    row = student.check(1).checks[0]
    assert row.verdict == "undecided"
    assert "SR0105" in row.text


@pytest.mark.parametrize("grader", ["nobody", "nbgrader", "otter"])
def test_a_notebook_is_valid_and_the_same_each_time(grader: str) -> None:
    for book in books():
        lab = find_lab(book.name)
        made = make_notebook(lab, grader)
        nbformat.validate(nbformat.from_dict(made))  # type: ignore[no-untyped-call]
        assert made == make_notebook(lab, grader)
        sources = [cell["source"] for cell in made["cells"]]
        for task in book.tasks:
            points = " --points" if grader != "nobody" else ""
            assert f"%lab check {task.number}{points}" in sources
            # A hint is no part of the notebook: it costs points.
            assert not any(hint.text in source for source in sources for hint in task.hints)


def test_nbgrader_finds_the_points_of_every_task() -> None:
    """Its own schema: a locked test cell for each task, with a unique identity."""
    made = make_notebook(find_lab("places"), "nbgrader")
    cells = [cell["metadata"].get("nbgrader") for cell in made["cells"]]
    tests = [cell for cell in cells if cell and cell["grade"] and not cell["solution"]]
    assert sum(cell["points"] for cell in tests) == find_lab("places").points
    assert all(cell["locked"] and cell["schema_version"] == 3 for cell in tests)
    names = [cell["grade_id"] for cell in cells if cell]
    assert len(names) == len(set(names))


def test_what_was_reached_is_a_table_for_other_programs(tmp_path: Path) -> None:
    report = Student(tmp_path).list()
    rows = json.loads(table(report, "json"))
    assert [row["name"] for row in rows] == [book.name for book in books()]
    lines = table(report, "csv").splitlines()
    assert lines[0] == "name,number,title,state,points,points_of"
    assert len(lines) == len(rows) + 1


def test_a_start_that_fails_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is interrupted: its owner is stopped, its folder empty."""
    lab = find_lab("places")

    def begin(desk: Desk, task: int) -> None:
        lab.begin(desk, task)
        assert desk.fabric.info().owner_pid
        raise KeyboardInterrupt

    broken = attrs.evolve(lab, begin=begin)
    monkeypatch.setattr("srshell.labs.student.find_lab", lambda _name: broken)
    student = Student(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        student.start("places", 1)
    student.close()
    assert list((tmp_path / "places").iterdir()) == []
    with pytest.raises(SrError):
        Student(tmp_path).begun()
