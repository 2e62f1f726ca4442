"""Words become calls: the same on the command line, in a magic and in a mending line."""

from __future__ import annotations

from pathlib import Path

import pytest

from srshell.fabric.calls import parse_line, parse_seconds, parse_words
from srshell.model.errors import SrError


@pytest.mark.parametrize(
    ("line", "method", "arguments"),
    [
        (
            "srshell failover PriRG --planned --confirm RecRG",
            "failover",
            {"group": "PriRG", "kind": "planned", "confirm": "RecRG"},
        ),
        (
            "failover PriRG --accept-loss 8K --confirm RecRG",
            "failover",
            {"group": "PriRG", "kind": "unplanned", "accept_loss": "8K", "confirm": "RecRG"},
        ),
        ("group create G --data V W --log L", "create_group",
         {"name": "G", "data": ("V", "W"), "log": "L"}),
        ("refresh --all", "refresh", {"arrays": ()}),
        ("refresh A B --no-wait", "refresh", {"arrays": ("A", "B"), "wait_for_copy": False}),
        ("nbd V --off", "nbd", {"volume": "V", "on": False}),
        ("provision V --on A/P --size 1.5G", "provision",
         {"name": "V", "on": "A/P", "size": 1610612736}),
        ("provision S D --size 64M --logs SL DL --log-size 8M", "provision_pair",
         {"source": "S", "destination": "D", "size": 64 << 20, "logs": ("SL", "DL"),
          "log_size": 8 << 20}),
        ("pair A B --bg -n", "pair", {"array": "A", "peer": "B", "dry_run": True, "wait": False}),
        ("events --since 5m --level warning", "events", {"since": 300.0, "level": "warning"}),
        ("job 17 --wait", "job", {"number": 17, "ended": True}),
        ("resume G --alone --accept-loss unknown --confirm A", "resume",
         {"group": "G", "alone": True, "accept_loss": "unknown", "confirm": "A"}),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, method: str, arguments: dict[str, object]) -> None:
    """Sizes, durations and numbers are values; what was not typed is left to the verb."""
    call = parse_line(line)
    assert (call.method, call.arguments) == (method, arguments)


def test_places_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner works in another directory than the person."""
    monkeypatch.chdir(tmp_path)
    call = parse_line("discover ./east --as ClusterA")
    assert call.arguments["where"] == str(tmp_path / "east")


def test_no_place_is_not_the_place_where_one_is() -> None:
    """A variable of a shell without a value must not make the working directory a pool."""
    for words in (["discover", "", "--as", "A"], ["identify", ".", ""]):
        with pytest.raises(SrError, match="SR0005") as refused:
            parse_words(words)
        assert "empty" in refused.value.facts


def test_a_directory_that_was_removed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell may stand where nothing is any more; whole paths still mean something there."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SrError, match="SR0005") as refused:
        parse_words(["identify", "east"])
    assert "removed" in refused.value.facts
    assert parse_words(["identify", "/east"]).arguments == {"where": ("/east",)}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], "SR0001", "no command"),
        (["grups"], "SR0001", "groups"),
        (["group"], "SR0001", "group create"),
        (["pair", "A"], "SR0001", "usage: srshell pair"),
        (["status", "--jsn"], "SR0001", "--json"),
        (["enable", "A", "B", "--mode", "fast"], "SR0005", "sync, async"),
        (["provision", "V", "--on", "A/P", "--size", "big"], "SR0004", "64G"),
        (["provision", "V", "W", "X", "--size", "1G"], "SR0001", "not 3"),
        (["provision", "V", "W", "--size", "1G", "--log"], "SR0001", "two volumes"),
        (["failover", "G", "--planned", "--unplanned"], "SR0001", "contradicts"),
        (["wait", "G", "--timeout", "soon"], "SR0005", "90s"),
        (["job", "x"], "SR0005", "whole number"),
    ],
)
def test_what_cannot_be_read_is_a_coded_error(words: list[str], code: str, said: str) -> None:
    """The parser never exits and never prints; it says what is near."""
    with pytest.raises(SrError) as refused:
        parse_words(words)
    assert refused.value.code == code
    assert said in f"{refused.value.message} {refused.value.facts}"
    assert refused.value.mend.startswith("srshell ")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("250ms", 0.25), ("2h", 7200)]
)
def test_durations(text: str, seconds: float) -> None:
    """A number alone is seconds."""
    assert parse_seconds(text) == seconds
