"""A soak goes on where it was interrupted, and a failure is neither lost nor repeated."""

from pathlib import Path

from tests import soak

GOOD = soak.Work("good", lambda done: ["this", str(done)])
ONCE = soak.Work("once", lambda _: ["this"], once=True)
BAD = soak.Work("bad", lambda _: ["there.is.no.such.module"])


def test_what_is_done_once_is_not_done_again(tmp_path: Path) -> None:
    """At the same commit; another one begins anew."""
    ledger = tmp_path / "soak.jsonl"
    for commit in ("a", "a", "b"):
        assert soak.soak(ledger, 60, (ONCE,), commit) == 0
    assert [entry.commit for entry in soak.read(ledger)] == ["a", "b"]


def test_a_failure_ends_its_kind_and_is_told_by_every_later_soak(tmp_path: Path) -> None:
    ledger = tmp_path / "soak.jsonl"
    assert soak.soak(ledger, 60, (BAD, ONCE), "a") == 1
    assert soak.soak(ledger, 60, (BAD, ONCE), "a") == 1
    assert [entry.work for entry in soak.read(ledger)] == ["bad", "once"]
    assert soak.soak(ledger, 60, (ONCE,), "a") == 0


def test_seeds_are_counted_on_over_soaks(tmp_path: Path) -> None:
    """A second soak does not repeat the first."""
    ledger = tmp_path / "soak.jsonl"
    for _ in range(2):
        soak.soak(ledger, 0.001, (GOOD,), "a")
    assert [entry.command for entry in soak.read(ledger)] == ["-m this 0", "-m this 1"]
    assert list(tmp_path.iterdir()) == [ledger]


def test_pieces_of_seeds_follow_each_other() -> None:
    """Without a gap and without an overlap."""
    commands = [" ".join(soak.WORKS[0].command(done)) for done in range(3)]
    assert [command.rpartition("--seeds ")[2] for command in commands] == [
        "200 --from 0",
        "200 --from 200",
        "200 --from 400",
    ]
