"""Every lab is played: its mistakes are seen, its right answers earn everything."""

import json
from pathlib import Path

import attrs
import pytest

from srshell.fabric.suggest import LAB_NAMES
from srshell.labs.class_run import find_key, run_class, run_key
from srshell.labs.desk import Desk
from srshell.labs.making import make_lab
from srshell.labs.shelf import MORE_LABS, books, find_lab, texts
from srshell.labs.student import Student
from srshell.model.errors import SrError

#: As many sandboxes at once as keep two cores busy while some of them wait.
_AT_ONCE = 4


@pytest.mark.slow
def test_every_lab_catches_mistakes_and_accepts_what_is_right() -> None:
    """One seed; `make soak` plays thirty."""
    report = run_class((1,), at_once=_AT_ONCE)
    assert [(row.name, row.problem) for row in report if row.problem] == []
    assert [row.name for row in report] == [book.name for book in books()]
    assert all(row.caught for row in report)


def test_a_new_lab_works_as_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text is read, its desk checks, its key is played; in a teacher's own folder."""
    folder = make_lab(tmp_path / "mine")
    monkeypatch.setenv(MORE_LABS, str(tmp_path))
    row = run_key("mine", 1, tmp_path / "home")
    assert (row.problem, row.points, row.caught) == ("", 2, 1)
    assert "mine" in [book.name for book in books()]
    with pytest.raises(SrError) as refused:
        make_lab(folder)
    assert refused.value.code == "SR0103"


def test_a_key_whose_mistake_is_not_seen_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that lets everything pass would be noticed."""
    folder = make_lab(tmp_path / "lenient")
    desk = folder / "desk.py"
    lenient = desk.read_text().replace('desk.facts["name"] in names', "True")
    desk.write_text(lenient)
    monkeypatch.setenv(MORE_LABS, str(tmp_path))
    row = run_key("lenient", 1, tmp_path / "home")
    assert "the array is there: passed, not failed" in row.problem
    assert row.points < row.points_of


def test_keys_are_apart_from_what_students_get() -> None:
    """No folder of a lab holds a key; each lab has one elsewhere."""
    assert not list(texts().rglob("key*"))
    for book in books():
        assert callable(find_key(find_lab(book.name)))


def test_completion_knows_every_lab() -> None:
    assert set(LAB_NAMES) == {book.name for book in books()}


def test_the_same_seed_decides_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are the same in any home, but for where it is; no sandbox is needed to see that."""
    monkeypatch.setattr(Desk, "fabric", None)
    places = attrs.evolve(find_lab("places"), begin=lambda _desk, _task: None)
    monkeypatch.setattr("srshell.labs.student.find_lab", lambda _name: places)
    facts = []
    for home in ("a", "b"):
        student = Student(tmp_path / home)
        try:
            report = student.start("places", 7)
            facts.append(json.dumps(report.facts).replace(str(tmp_path / home), ""))
        finally:
            student.stop(remove=True)
            student.close()
    assert facts[0] == facts[1]
