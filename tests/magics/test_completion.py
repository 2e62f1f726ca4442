"""What the tab key offers."""

import threading
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from srshell.fabric.command_spec import Noun
from srshell.model.report import ArraysReport, GroupReport, GroupsReport, VmsReport
from srshell_magics.candidates import Names
from tests.magics.samples import FakeFabric

GROUPS = GroupsReport(
    tuple(GroupReport(n, "ClusterA", ("V",), "L", "sync", "continue") for n in ("PriRG", "RecRG"))
)


@pytest.fixture
def complete(shell: InteractiveShell, fabric: FakeFabric) -> Any:  # noqa: ANN401
    """What IPython offers at the end of a line."""
    fabric.answers |= {"groups": GROUPS, "arrays": ArraysReport(()), "vms": VmsReport(())}

    def offered(line: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.Completer.completions(line, len(line)))
        return [(line[: each.start] + each.text).split()[-1] for each in found]

    return offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%failover P", ["PriRG"]),
        ("x = %failover P", ["PriRG"]),
        ("failover P", ["PriRG"]),
        ("%failover PriRG --un", ["--unplanned"]),
        ("%failover PriRG --confirm R", ["RecRG"]),
        ("%sr fail", ["failover", "failback"]),
        ("%sr failover R", ["RecRG"]),
        ("%plan failo", ["failover"]),
        ("%plan failover R", ["RecRG"]),
        ("%group cr", ["create"]),
        ("%group P", ["PriRG"]),
        ("%group set PriRG --on-peer-loss s", ["suspend-io"]),
        ("%wait PriRG --until Synch", ["Synchronizing"]),
        ("%explain SR000", ["SR0001", "SR0002", "SR0003", "SR0004", "SR0005", "SR0007"]),
        ("%vm a", ["add"]),
    ],
)
def test_only_what_fits_is_offered(complete: Any, line: str, offered: list[str]) -> None:  # noqa: ANN401
    """No keyword of Python, no file: the word before tells what is named."""
    assert sorted(complete(line)) == sorted(offered)


def test_other_lines_are_left_to_ipython(shell: InteractiveShell, complete: Any) -> None:  # noqa: ANN401
    """A variable of the same name is the user's, and a place is a file name."""
    shell.user_ns["status"] = "text"
    assert "PriRG" not in complete("status P")
    assert "PriRG" not in complete("print(P")
    assert "PriRG" not in complete("%discover P")


def test_a_slow_owner_does_not_hold_the_prompt() -> None:
    """What was heard by then is offered; the answer serves the next time."""
    answer = threading.Event()

    def groups(_: object) -> GroupsReport:
        answer.wait(10)
        return GROUPS

    names = Names(lambda: FakeFabric({"groups": groups}))
    assert names.of(Noun.GROUP) == []
    answer.set()
    names._asking["groups"].join(10)
    assert names.of(Noun.GROUP) == ["PriRG", "RecRG"]


def test_an_owner_that_fails_or_is_not_there_offers_nothing() -> None:
    """A completion raises nothing and starts nobody."""
    assert Names(lambda: None).of(Noun.GROUP) == []
    assert Names(lambda: FakeFabric({"groups": RuntimeError("gone")})).of(Noun.GROUP) == []
