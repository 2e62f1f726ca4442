"""A soak goes on where it was interrupted, and a failure is neither lost nor repeated."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.soak.__main__ import LEDGER, ROOT, commit_here, soak
from tests.soak.ledger import Entry, append, read, total
from tests.soak.page import PAGE, scorecard, with_scorecard
from tests.soak.works import WORKS, Work

COUNTED = Work("counted", ("tests.soak.counted",), "things", 20, 5)
ONCE = Work("once", ("tests.soak.counted", "--count", "1", "--from", "0"), "things", 1, once=True)
BAD = Work("bad", ("there.is.no.such.module",), "things", 1, 1)


def test_what_is_done_once_is_not_done_again(tmp_path: Path) -> None:
    """At the same commit; another one begins anew."""
    ledger = tmp_path / "soak.jsonl"
    for commit in ("a", "a", "b"):
        assert soak(ledger, 60, (ONCE,), commit) == 0
    assert [entry.commit for entry in read(ledger)] == ["a", "b"]


def test_a_failure_ends_its_kind_and_is_told_by_every_later_soak(tmp_path: Path) -> None:
    ledger = tmp_path / "soak.jsonl"
    assert soak(ledger, 60, (BAD, ONCE), "a") == 1
    assert soak(ledger, 60, (BAD, ONCE), "a") == 1
    assert [entry.work for entry in read(ledger)] == ["bad", "once"]
    assert soak(ledger, 60, (ONCE,), "a") == 0


def test_pieces_follow_each_other_over_soaks_until_there_is_enough(tmp_path: Path) -> None:
    """Without a gap and without an overlap, also at another commit."""
    ledger = tmp_path / "soak.jsonl"
    soak(ledger, 0.001, (COUNTED,), "a")
    soak(ledger, 60, (COUNTED,), "b", enough=True)
    entries = read(ledger)
    assert [entry.command.partition("--count ")[2] for entry in entries] == [
        "5 --from 0",
        "5 --from 5",
        "5 --from 10",
        "5 --from 15",
    ]
    assert total(entries, "counted", "things") == 20
    assert [entry.commit for entry in entries] == ["a", "b", "b", "b"]
    assert list(tmp_path.iterdir()) == [ledger]


def test_a_piece_that_failed_counts_for_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "soak.jsonl"
    append(ledger, Entry("a", "counted", "", 1, 1.0, 0.0, {"things": 9}))
    append(ledger, Entry("a", "counted", "", 0, 1.0, 0.0, {"things": 2}))
    assert total(read(ledger), "counted", "things") == 2


def test_the_scorecard_says_what_the_ledger_says() -> None:
    """What was not run is said to be so; a failure shows."""
    work = WORKS[0]
    entries = [
        Entry("abc", work.name, "", 0, 1800.0, 0.0, {work.figure: 400}),
        Entry("def", work.name, "", 1, 1800.0, 86400.0, {work.figure: 400}),
    ]
    lines = scorecard(entries).splitlines()
    assert lines[2] == "| seeds | 400 seeds | 20,000 | 1 | 60.0 | def | 1970-01-02 |"
    assert all("not yet" in line for line in lines[3:])


def test_the_page_shows_the_ledger_of_the_repository() -> None:
    """`python -m tests.soak.page` brings it up to date."""
    text = PAGE.read_text(encoding="utf-8")
    assert with_scorecard(text, scorecard(read(LEDGER))) == text


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_every_kind_of_work_can_be_begun(work: Work) -> None:
    """Its module is there to be run; what is cut into pieces comes to its goal by whole ones."""
    package = find_spec(work.words[0])
    assert package is not None
    if package.submodule_search_locations is not None:
        assert find_spec(f"{work.words[0]}.__main__") is not None
    assert work.once or (work.count and work.goal % work.count == 0)


def test_the_labs_are_soaked_under_thirty_seeds() -> None:
    """Each seed once: the pieces follow each other."""
    labs = next(work for work in WORKS if work.name == "labs")
    assert (labs.figure, labs.goal) == ("seeds", 30)
    assert labs.command(0)[-4:] == ["--count", "2", "--from", "0"]
    assert labs.command(14)[-4:] == ["--count", "2", "--from", "28"]


def test_only_what_is_between_the_marks_is_written() -> None:
    with pytest.raises(SystemExit):
        with_scorecard("no marks", "table")


def test_the_ledger_does_not_change_what_is_tested() -> None:
    """A line in the ledger is no change of the commit."""
    before = commit_here()
    assert LEDGER.is_relative_to(ROOT)
    assert commit_here() == before
