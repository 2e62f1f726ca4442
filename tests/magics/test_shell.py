"""Commands typed into a shell: what they return, print and raise."""

import io
import json
import sys
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from srshell.model.errors import SrError
from srshell.model.inventory import JobState
from srshell.model.report import JobReport
from srshell_magics.extension import loaded_in
from tests.magics.samples import (
    COPYING,
    PAIR,
    PLAN,
    STATUS,
    FakeFabric,
    confirmation,
    done,
    job,
)

Captured = pytest.CaptureFixture[str]


def _run(shell: InteractiveShell, cell: str) -> ExecutionResult:
    ran: ExecutionResult = shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]
    return ran


def _result(shell: InteractiveShell, cell: str) -> Any:  # noqa: ANN401
    ran = _run(shell, cell)
    assert ran.success
    return ran.result


def _error(shell: InteractiveShell, cell: str) -> SrError:
    error = _run(shell, cell).error_in_exec
    assert isinstance(error, SrError)
    return error


def test_a_magic_returns_what_the_python_interface_returns(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """The very object, so that a notebook and a script are written alike."""
    fabric.answers["status"] = STATUS
    assert _result(shell, "%status") is STATUS
    assert _result(shell, "s = %status PriRG\ns.groups[0].replication_state") == "Synchronizing"
    assert fabric.asked == [("status", {}), ("status", {"group": "PriRG"})]


def test_a_change_is_asked_for_as_a_job_and_prints_one_line(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """What stands on standard error would cost a student the points."""
    fabric.answers |= {"pair": done(PAIR)}
    capsys.readouterr()
    assert _result(shell, "p = %pair ClusterA ClusterB\np") == PAIR
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "↳ ClusterA and ClusterB are paired"
    assert captured.err == ""
    assert fabric.asked == [("pair", {"array": "ClusterA", "peer": "ClusterB", "wait": False})]


def test_a_change_that_was_done_before_succeeds_and_says_so(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """Run All, twice."""
    fabric.answers["pair"] = type(PAIR)("ClusterA", "ClusterB", 1.0, already=True)
    assert _result(shell, "%pair ClusterA ClusterB").already
    assert "already" in capsys.readouterr().out


def test_quiet_prints_nothing_and_o_stores_the_result(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """For loops, and for the last line of a cell."""
    fabric.answers["pair"] = done(PAIR)
    capsys.readouterr()
    _run(shell, "%pair A B -q -o kept;")
    _run(shell, "x = %pair A B -q")
    assert "↳" not in capsys.readouterr().out
    assert shell.user_ns["kept"] == PAIR
    assert _error(shell, "%pair A B -o").code == "SR0001"
    assert _error(shell, "%pair A B -o 1x").code == "SR0001"


def test_json_is_text_that_other_programs_read(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """The same shapes as on the command line."""
    fabric.answers["status"] = STATUS
    text = _result(shell, "%status --json")
    assert json.loads(text)["schema"] == "srshell.status/1"
    assert str(text) in capsys.readouterr().out


def test_in_the_background_a_change_returns_its_job(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """The line says how to wait for it."""
    fabric.answers["refresh"] = job()
    report = _result(shell, "%refresh --bg")
    assert isinstance(report, JobReport)
    assert "%job 17 --wait" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["%failover PriRG --planned -n", "%plan failover PriRG --planned"])
def test_a_dry_run_returns_the_plan(
    shell: InteractiveShell, fabric: FakeFabric, line: str, capsys: Captured
) -> None:
    """Nothing is begun, so nothing is said to have been."""
    fabric.answers["failover"] = PLAN
    assert _result(shell, line) is PLAN
    arguments = {"group": "PriRG", "kind": "planned", "dry_run": True}
    assert fabric.asked == [("failover", arguments)]
    assert "↳" not in capsys.readouterr().out


def test_only_what_changes_something_can_be_planned(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """The mending line is the command itself."""
    error = _error(shell, "%plan status PriRG")
    assert (error.code, error.mend) == ("SR0108", "srshell status PriRG")
    assert _error(shell, "%plan").code == "SR0001"


def test_a_refusal_shows_its_lines_and_no_traceback(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """Code and sentence, rule, facts, mend, more: each once, the mend as it is typed here."""
    fabric.answers["pair"] = SrError.make(
        "SR1106", facts="A and A", mend="srshell pair A B", array="A"
    )
    capsys.readouterr()
    error = _error(shell, "%pair A A")
    assert error is fabric.answers["pair"]
    captured = capsys.readouterr()
    labels = [line.split()[0] for line in captured.out.splitlines()]
    assert labels == ["SR1106", "rule", "facts", "mend", "more"]
    assert "  mend   %pair A B" in captured.out
    assert captured.err == ""


def test_a_failed_job_raises_its_error(shell: InteractiveShell, fabric: FakeFabric) -> None:
    """As if the command had been refused at once."""
    failed = SrError.make("SR2009", facts="site B said no")
    fabric.answers["provision"] = job(JobState.FAILED, error=json.dumps(failed.to_json()))
    assert _error(shell, "%provision V --on A/P --size 1M") == failed


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("%pair $nosuch B", "SR0002"),
        ("%pair {nosuch} B", "SR0002"),
        ("%addvm V --volume <Volume>", "SR0104"),
        ("%pair A", "SR0001"),
        ("%pair A B --nosuch", "SR0001"),
        ("%sr nosuch", "SR0001"),
        ("%provision V --size much", "SR0004"),
        ("%group set G --on-peer-loss never", "SR0005"),
        ("%sr demo", "SR0108"),
        ("%fabric strat", "SR0005"),
    ],
)
def test_what_cannot_be_read_asks_nobody(
    shell: InteractiveShell, fabric: FakeFabric, line: str, code: str
) -> None:
    """A wrong word changes nothing."""
    assert _error(shell, line).code == code
    assert fabric.asked == []


def test_variables_of_the_notebook_and_of_a_function_are_filled_in(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """An object stands for its name."""
    fabric.answers["status"] = STATUS
    shell.user_ns["row"] = STATUS.groups[0]
    _result(shell, "%status $row")
    _result(shell, "def look(local):\n    return get_ipython().run_line_magic('status', '$local')")
    _result(shell, "look('RecRG')")
    assert [arguments for _, arguments in fabric.asked] == [
        {"group": "PriRG"},
        {"group": "RecRG"},
    ]


def test_a_defect_of_ours_is_a_coded_error_too(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured
) -> None:
    """The person gets one line, the cause stays with the error."""
    fabric.answers["status"] = RuntimeError("boom")
    error = _error(shell, "%status")
    assert error.code == "SR9999"
    assert isinstance(error.__cause__, RuntimeError)
    assert "Traceback" not in capsys.readouterr().out


def test_a_destructive_command_shows_its_plan_and_the_line_to_type(
    shell: InteractiveShell, fabric: FakeFabric, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without standard input nobody is asked, with it neither unless that was set."""
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("nobody is asked"))
    fabric.answers["failover"] = _unless_confirmed
    assert _error(shell, "%failover PriRG --planned").code == "SR0101"
    shown = capsys.readouterr().out
    assert "plan   2 steps: seal, promote; 0 bytes lost; about 3 s" in shown
    assert "mend   %failover PriRG --planned --confirm RecRG" in shown
    line = next(line for line in shown.splitlines() if "mend" in line).split(maxsplit=1)[1]
    fabric.answers["job"] = done(STATUS)
    assert _result(shell, line) == STATUS


def test_where_it_was_set_the_name_can_be_typed(
    shell: InteractiveShell, fabric: FakeFabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole name; anything else leaves everything as it was."""
    monkeypatch.setattr(sys, "stdin", _Terminal())
    monkeypatch.setattr(sys, "stdout", _Terminal())
    fabric.answers["failover"] = _unless_confirmed
    shell.run_line_magic("config", "SRShell.confirm = 'ask'")
    for typed in ("", "PriRG", "yes"):
        monkeypatch.setattr("builtins.input", lambda _, typed=typed: typed)
        assert _error(shell, "%failover PriRG --planned").code == "SR0101"
    monkeypatch.setattr("builtins.input", lambda _: "RecRG")
    assert _result(shell, "%failover PriRG --planned") == STATUS


def test_without_a_terminal_nobody_is_asked_whatever_was_set(
    shell: InteractiveShell, fabric: FakeFabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that is run by a program would wait for ever."""
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("nobody is there"))
    fabric.answers["failover"] = _unless_confirmed
    shell.run_line_magic("config", "SRShell.confirm = 'ask'")
    assert _error(shell, "%failover PriRG --planned").code == "SR0101"


def _unless_confirmed(arguments: dict[str, object]) -> object:
    """What an owner answers to a failover."""
    if arguments.get("dry_run"):
        return PLAN
    return done(STATUS) if arguments.get("confirm") == "RecRG" else confirmation()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_read_only_shell_refuses_changes_and_shows_the_rest(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """For those who only look."""
    shell.run_line_magic("config", "SRShell.read_only = True")
    fabric.answers |= {"status": STATUS, "failover": PLAN}
    assert _error(shell, "%pair A B").code == "SR9003"
    assert _result(shell, "%status") is STATUS
    assert _result(shell, "%failover PriRG -n") is PLAN


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_help_and_not_an_error(
    shell: InteractiveShell, fabric: FakeFabric, word: str, capsys: Captured
) -> None:
    """Made from the registry, and written as it is typed here."""
    assert _result(shell, f"%failover {word}") is None
    shown = capsys.readouterr().out
    assert "usage: %failover" in shown
    assert "example: %failover PriRG --planned --confirm RecRG" in shown
    assert _result(shell, f"%group {word}") is None
    assert "%group create" in capsys.readouterr().out
    _result(shell, "%sr")
    assert "%fabric" in capsys.readouterr().out


def test_a_question_mark_shows_the_same_help(shell: InteractiveShell, fabric: FakeFabric) -> None:
    """`%pair?` is what people of IPython type."""
    inspect: Any = shell.object_inspect
    assert inspect("%pair")["docstring"].startswith("usage: %pair")
    assert "%vm add" in inspect("%vm")["docstring"]


def test_loading_twice_and_unloading_leave_a_clean_shell(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """`%reload_ext` is what people try when something is odd."""
    fabric.answers["status"] = STATUS
    before = set(shell.magics_manager.magics["line"])
    shell.run_line_magic("load_ext", "srshell")
    assert _result(shell, "%status") is STATUS
    shell.run_line_magic("reload_ext", "srshell")
    assert fabric.closed
    assert set(shell.magics_manager.magics["line"]) == before
    shell.run_line_magic("unload_ext", "srshell")
    assert loaded_in(shell) is None
    assert not {"status", "sr", "pair"} & set(shell.magics_manager.magics["line"])
    assert not [each for each in shell.configurables if type(each).__name__ == "SRShell"]


def test_short_names_can_be_switched_off(shell: InteractiveShell, fabric: FakeFabric) -> None:
    """`%sr` and `%fabric` stay."""
    fabric.answers["status"] = STATUS
    shell.run_line_magic("config", "SRShell.short_names = False")
    assert "status" not in shell.magics_manager.magics["line"]
    assert _result(shell, "%sr status") is STATUS
    shell.run_line_magic("config", "SRShell.short_names = True")
    assert _result(shell, "%status") is STATUS


def test_a_magic_of_somebody_else_keeps_its_name(shell: InteractiveShell, capsys: Captured) -> None:
    """Two extensions can live side by side."""
    shell.magics_manager.register_function(lambda _: "theirs", "line", "status")
    shell.run_line_magic("load_ext", "srshell")
    assert "taken by others: %status" in capsys.readouterr().out
    assert _result(shell, "%status") == "theirs"
    shell.run_line_magic("unload_ext", "srshell")
    assert _result(shell, "%status") == "theirs"
    del shell.magics_manager.magics["line"]["status"]


def test_stop_ends_the_owner_and_the_next_command_may_start_another(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """The shell hangs up too."""
    _run(shell, "%sr stop")
    assert fabric.stopped
    assert fabric.closed


def test_stop_without_an_owner_starts_none(
    shell: InteractiveShell, capsys: Captured, tmp_path: object
) -> None:
    """It would be started only to be stopped."""
    shell.run_line_magic("load_ext", "srshell")
    assert _result(shell, "%fabric stop") is None
    assert "no owner runs" in capsys.readouterr().out


def test_attaching_to_a_fabric_that_does_not_answer_keeps_the_one_before(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """A typing error must not lose the connection."""
    fabric.answers |= {"status": COPYING, "info": PAIR}
    assert _error(shell, "%fabric attach ./nosuch").code == "SR9001"
    assert not fabric.closed
    assert _result(shell, "%status") is COPYING
    assert _result(shell, "%fabric") is PAIR
