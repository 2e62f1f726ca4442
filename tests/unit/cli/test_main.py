"""The command line: exit codes, JSON, errors, and nothing that looks like a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from srshell import __version__
from srshell.cli import main, remote
from srshell.cli.command_line import main as run
from srshell.cli.surroundings import Exit
from srshell.fabric.calls import parse_line
from srshell.fabric.commands import COMMANDS, SPOKEN
from srshell.fabric.control_http import ControlHttp
from srshell.fabric.pages import NOTHING
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, protect

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def served(opener: Opener, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A protected fabric that the environment names."""
    with serve(opener.open()) as fabric:
        fabric.loop.run(protect(fabric.session, opener))
        monkeypatch.setenv("SRSHELL_FABRIC", str(fabric.directory))
        yield fabric


def test_success_prints_the_result_and_nothing_else(served: Served, capsys: Capture) -> None:
    """Standard error is empty on success."""
    assert main(["groups"]) == Exit.OK
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["GROUP", "ARRAY", "PEER", "STATE", "DATA"]
    assert err == ""


def test_json_is_the_report_itself(served: Served, capsys: Capture) -> None:
    """``--json`` may stand before the command or after it."""
    for words in (["status", "--json"], ["--json", "status"]):
        assert main(words) == Exit.OK
        report = json.loads(capsys.readouterr().out)
        assert report["schema"] == "srshell.status/1"
        assert [row["name"] for row in report["groups"]] == ["PriRG", "RecRG"]


def test_a_refusal_is_exit_1_with_four_lines(served: Served, capsys: Capture) -> None:
    """Code and sentence, rule, facts, mend; nothing on standard output."""
    assert main(["failover", "PriRG", "--planned"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("SR0101 ")
    assert err.splitlines()[-1] == "  mend   srshell failover PriRG --planned --confirm RecRG"


def test_what_is_printed_names_the_fabric_that_was_named(served: Served, capsys: Capture) -> None:
    """Pasted as it stands, a line means the same fabric: errors, in JSON too, pages, detaching."""
    fabric = f"--fabric {served.directory}"
    assert main([*fabric.split(), "teardown", "PriRG"]) == Exit.FAILED
    mend = f"srshell {fabric} teardown PriRG --confirm PriRG"
    assert capsys.readouterr().err.splitlines()[-1] == f"  mend   {mend}"
    assert main([*fabric.split(), "teardown", "PriRG", "--json"]) == Exit.FAILED
    assert json.loads(capsys.readouterr().err)["mend"] == mend
    assert main([*fabric.split(), "vms"]) == Exit.OK
    assert f"srshell {fabric} vm add --help" in capsys.readouterr().out
    assert main([*fabric.split(), "statis"]) == Exit.USAGE
    assert f"mend   srshell {fabric} --help" in capsys.readouterr().err
    assert main([*fabric.split(), "--no-start", "group", "show", "Nothing"]) == Exit.FAILED
    assert f"mend   srshell {fabric} groups" in capsys.readouterr().err


def test_a_silent_fabric_is_named_in_its_mend(tmp_path: Path, capsys: Capture) -> None:
    """`srshell serve` alone would serve another one; a name with a space stays one word."""
    place = str(tmp_path / "a b")
    assert main(["--fabric", place, "--no-start", "status"]) == Exit.UNREACHABLE
    assert f"mend   srshell --fabric '{place}' serve" in capsys.readouterr().err


def test_an_empty_list_names_commands_that_there_are() -> None:
    """What mends a list without lines can be typed."""
    for text in NOTHING.values():
        assert text.count("srshell ") == len(SPOKEN.findall(text)), text


def test_a_refusal_is_json_when_json_is_asked_for(served: Served, capsys: Capture) -> None:
    """The error object goes to standard error."""
    assert main(["group", "show", "Nothing", "--json"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert set(json.loads(err)) >= {"schema", "code", "message", "rule", "facts", "mend"}


@pytest.mark.parametrize(
    "words",
    [["grops"], ["pair", "A"], ["--fabrik", "x", "status"], ["--fabric"], ["plan", "nonsense"],
     ["--profile", "lax", "info"], ["provision", "V", "--size", "huge"]],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_read_is_exit_64(words: list[str], capsys: Capture) -> None:
    """Usage errors are told apart from refusals, and need no owner."""
    assert main(words) == Exit.USAGE
    assert capsys.readouterr().err.startswith("SR000")


def test_no_owner_is_exit_3(tmp_path: Path, capsys: Capture) -> None:
    """A script can tell a fabric that is down from a command that was refused."""
    assert main(["--fabric", str(tmp_path), "--no-start", "status"]) == Exit.UNREACHABLE
    assert capsys.readouterr().err.startswith("SR9001")


def test_a_directory_that_cannot_be_made_is_exit_3(tmp_path: Path, capsys: Capture) -> None:
    """The reason is the system's."""
    (tmp_path / "file").write_text("")
    assert main(["--fabric", str(tmp_path / "file" / "fabric"), "info"]) == Exit.UNREACHABLE
    assert "Not a directory" in capsys.readouterr().err


def test_status_returns_the_worst_health(served: Served, world: FakeWorld, capsys: Capture) -> None:
    """0 normal, 1 warning, 2 critical: made for monitoring."""
    assert main(["status"]) == Exit.OK
    assert main(["suspend", "PriRG"]) == Exit.OK
    assert main(["status", "PriRG"]) == Exit.FAILED
    world.down("A")
    assert main(["status"]) == Exit.CRITICAL
    assert "—" in capsys.readouterr().out


def test_verify_that_finds_differences_is_exit_1(
    served: Served, world: FakeWorld, capsys: Capture
) -> None:
    """The comparison succeeded, the sides did not pass."""
    assert main(["verify", "PriRG"]) == Exit.OK
    world.differing_blocks = 3
    assert main(["verify", "PriRG"]) == Exit.FAILED
    assert "3 of 262 144 blocks differ" in capsys.readouterr().out


def test_a_change_prints_its_result(served: Served, capsys: Capture) -> None:
    """The job behind it is not the person's business, unless it is asked for."""
    assert main(["failover", "PriRG", "--planned", "--confirm", "RecRG", "--json"]) == Exit.OK
    report = json.loads(capsys.readouterr().out)
    assert (report["new_primary"], report["lost_writes"]) == ("RecRG", 0)
    assert main(["failback", "PriRG", "--confirm", "PriRG", "--bg", "--json"]) == Exit.OK
    number = json.loads(capsys.readouterr().out)["job"]["id"]
    assert main(["job", str(number), "--wait"]) == Exit.OK


@pytest.mark.parametrize(
    ("line", "state", "code"),
    [("job 7 --wait", "done", Exit.OK), ("job 7 --wait", "failed", Exit.FAILED),
     ("job 7 --wait", "cancelled", Exit.FAILED), ("job 7", "cancelled", Exit.FAILED),
     ("job 7 --cancel", "cancelled", Exit.OK), ("job 7 --cancel", "failed", Exit.FAILED)],
)  # fmt: skip
def test_a_job_that_was_cancelled_is_not_done(line: str, state: str, code: Exit) -> None:
    """`srshell job 7 --wait && …` must not go on, as after the same command in the foreground."""
    report = json.dumps({"job": {"state": state}})
    assert remote._exit_code(parse_line(line), report) == code


def test_plan_is_a_dry_run(served: Served, world: FakeWorld, capsys: Capture) -> None:
    """`srshell plan X` and `srshell X -n` print the same."""
    assert main(["plan", "failover", "PriRG", "--planned"]) == Exit.OK
    planned = capsys.readouterr().out
    assert main(["failover", "PriRG", "--planned", "-n"]) == Exit.OK
    assert capsys.readouterr().out == planned
    assert main(["plan", "status"]) == Exit.FAILED


def test_an_interrupt_detaches(
    served: Served, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job goes on, and the person is told how to come back to it."""
    get = ControlHttp.get

    def interrupted(http: ControlHttp, path: str, timeout_seconds: float | None = 30.0) -> bytes:
        if path.startswith("jobs/"):
            raise KeyboardInterrupt
        return get(http, path, timeout_seconds)

    monkeypatch.setattr(ControlHttp, "get", interrupted)
    place = str(served.directory)
    words = ["failover", "PriRG", "--planned", "--confirm", "RecRG"]
    assert main(["--fabric", place, *words]) == Exit.INTERRUPTED
    monkeypatch.undo()
    err = capsys.readouterr().err
    assert "goes on" in err
    assert f"srshell --fabric {place} job " in err
    assert "--wait" in err


def test_a_timeout_names_the_job(served: Served, world: FakeWorld, capsys: Capture) -> None:
    """SR0106 is exit 1; the work goes on."""
    main(["failover", "PriRG", "--planned", "--confirm", "RecRG"])
    world.linked = False
    for site in world.sites.values():
        for partnership in site.replicas:
            world.settle(partnership)
    words = ["failback", "PriRG", "--confirm", "PriRG", "--timeout", "0.05"]
    assert main(words) == Exit.FAILED
    assert "srshell job " in capsys.readouterr().err


def test_what_was_not_foreseen_is_a_code_and_a_log(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback reaches a person; it is in the file that SR9999 names."""

    def explode(*_: object) -> int:
        raise ZeroDivisionError("planned")

    monkeypatch.setattr("srshell.cli.command_line._run", explode)
    assert run(["status"]) == Exit.FAILED
    err = capsys.readouterr().err
    assert err.startswith("SR9999")
    assert "Traceback" not in err
    log = Path(err.split("details are in ")[1].split()[0])
    assert "ZeroDivisionError: planned" in log.read_text()
    log.unlink()


def test_a_directory_that_was_removed_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Whatever asks for it: the shell has to go somewhere else."""

    def ask(*_: object) -> int:
        return len(os.getcwd())  # noqa: PTH109 - as the standard library does

    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr("srshell.cli.command_line._run", ask)
    assert run(["status"]) == Exit.FAILED
    assert capsys.readouterr().err.startswith("SR0105 There is no directory .")


def test_stop_without_an_owner_is_fine(tmp_path: Path, capsys: Capture) -> None:
    """What is so already succeeds."""
    assert main(["--fabric", str(tmp_path), "stop"]) == Exit.OK


@pytest.mark.parametrize("name", [spec.name for spec in COMMANDS.values() if not spec.hidden])
def test_every_command_has_help(name: str, capsys: Capture) -> None:
    """``--help`` shows the form, every option, and an example."""
    assert main([*name.split(), "--help"]) == Exit.OK
    out = capsys.readouterr().out
    assert out.startswith(f"usage: srshell {name}")
    assert COMMANDS[name].example in out


def test_the_overview_names_every_command(capsys: Capture) -> None:
    """Nothing is hidden from who asks for help."""
    assert main(["--help"]) == Exit.OK
    out = capsys.readouterr().out
    assert all(f"  {spec.name} " in out for spec in COMMANDS.values() if not spec.hidden)
    assert main(["--version"]) == Exit.OK
    assert capsys.readouterr().out == f"srshell {__version__}\n"


def test_a_reader_that_goes_away_is_no_error(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`srshell events | head -1` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as gone:
        monkeypatch.setattr("sys.stdout", gone)
        assert main(["groups"]) == Exit.OK
        monkeypatch.undo()
