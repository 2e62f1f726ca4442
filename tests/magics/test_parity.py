"""Every command of the registry keeps the same promises: help, completion, plan, refusals, silence.

A command that is added later is tested here without a word more.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from srshell.fabric.calls import build_parser, parse_line, parse_words
from srshell.fabric.command_spec import CommandSpec, Effect, Kind
from srshell.fabric.commands import COMMANDS
from srshell.fabric.job_report import JobDetached
from srshell.fabric.suggest import words_after
from srshell.model.errors import SrError
from srshell.model.report import JobReport
from srshell_magics.extension import loaded_in
from tests.magics.samples import PAIR, PLAN, FakeFabric, done, job

SPECS = [spec for spec in COMMANDS.values() if not spec.hidden]
OF_THE_OWNER = [spec for spec in SPECS if spec.method]
CHANGERS = [spec for spec in OF_THE_OWNER if spec.changes]
#: Commands whose words belong to somebody else after the first.
PLAIN = [spec for spec in SPECS if not spec.raw]


@pytest.fixture(scope="module")
def shell(one_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    """A shell with the commands; loaded once for all of them."""
    one_shell.run_line_magic("load_ext", "srshell")
    yield one_shell
    one_shell.run_line_magic("unload_ext", "srshell")


@pytest.fixture
def fabric(shell: InteractiveShell) -> FakeFabric:
    """A fabric that the commands of the shell speak to."""
    loaded = loaded_in(shell)
    assert loaded is not None
    made = FakeFabric()
    loaded.console.connection.use(made)
    return made


def name_of(spec: CommandSpec) -> str:
    return spec.name


def typed(spec: CommandSpec) -> str:
    """The example as it is typed after `%sr`."""
    return spec.example.removeprefix("srshell ")


def type_it(shell: InteractiveShell, line: str) -> Any:  # noqa: ANN401
    return shell.run_line_magic("sr", line)


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_help_shows_how_it_is_typed_an_example_and_the_cmdlet(
    spec: CommandSpec, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    type_it(shell, f"{spec.name} --help")
    shown, problems = capsys.readouterr()
    assert problems == ""
    assert spec.summary.split(",")[0][:40] in " ".join(shown.split())
    assert spec.name.split()[0] in shown
    assert not spec.cmdlet or " ".join(spec.cmdlet.split()) in " ".join(shown.split())
    own = [option for option in spec.options if option.flags and option.help]
    assert all(option.flags[-1] in shown for option in own if not spec.raw)
    assert "srshell" in build_parser(spec).format_usage()


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_completion_leads_to_the_command_and_to_each_of_its_options(spec: CommandSpec) -> None:
    words = spec.name.split()
    for count in range(len(words)):
        assert words[count] in (words_after(words[:count], lambda _: []) or [])
    if spec.raw:
        return
    offered = words_after(words, lambda _: []) or []
    places = [argument for argument in spec.positionals if argument.noun.value == "place"]
    if not places:  # a place is a file name, which the shell itself completes
        flags = {flag for option in spec.options for flag in option.flags if flag[:2] == "--"}
        assert flags <= set(offered)


@pytest.mark.parametrize("spec", PLAIN, ids=name_of)
def test_what_does_not_fit_is_refused_with_a_line_that_helps(
    spec: CommandSpec, shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """An option that it does not have, and a word too many; nobody is asked for anything."""
    for more in ("--nonsense", "--jsom"):
        with pytest.raises(SrError) as refused:
            type_it(shell, f"{typed(spec)} {more}")
        assert refused.value.code == "SR0001"
        assert refused.value.rule
        assert refused.value.facts
        assert refused.value.mend == f"srshell {spec.name} --help"
    assert fabric.asked == []


@pytest.mark.parametrize("spec", PLAIN, ids=name_of)
def test_what_is_required_is_required(spec: CommandSpec) -> None:
    needed = [argument for argument in spec.arguments if argument.required]
    if needed:
        with pytest.raises(SrError) as refused:
            parse_words(spec.name.split())
        assert refused.value.code in {"SR0001", "SR0005"}
    numbers = [a for a in spec.options if a.kind in {Kind.NUMBER, Kind.SIZE, Kind.SECONDS}]
    for option in numbers:
        with pytest.raises(SrError) as refused:
            parse_line(f"{spec.example} {option.flags[-1]} lots")
        assert refused.value.code in {"SR0001", "SR0004", "SR0005"}


@pytest.mark.parametrize("spec", CHANGERS, ids=name_of)
def test_a_dry_run_asks_for_the_plan_and_for_nothing_else(
    spec: CommandSpec,
    shell: InteractiveShell,
    fabric: FakeFabric,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As ``-n``, as ``--dry-run`` and as `plan COMMAND`: the same question, and the plan back."""
    call = parse_line(spec.example)
    fabric.answers[call.method] = PLAN
    for line in (f"{typed(spec)} -n", f"{typed(spec)} --dry-run", f"plan {typed(spec)}"):
        capsys.readouterr()
        assert type_it(shell, line) is PLAN
        assert capsys.readouterr() == ("", "")
    assert {verb for verb, _ in fabric.asked} == {call.method}
    assert all(arguments["dry_run"] is True for _, arguments in fabric.asked)
    assert fabric.asked[0] == fabric.asked[1] == fabric.asked[2]


@pytest.mark.parametrize("spec", CHANGERS, ids=name_of)
def test_a_change_is_asked_for_alike_each_time_and_prints_one_line(
    spec: CommandSpec,
    shell: InteractiveShell,
    fabric: FakeFabric,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Typed twice it is the same question: what was done is done. ``--bg`` returns the job."""
    call = parse_line(spec.example)
    fabric.answers[call.method] = done(PAIR)
    capsys.readouterr()
    assert type_it(shell, typed(spec)) == PAIR
    shown, problems = capsys.readouterr()
    assert shown.startswith("↳ ")
    assert shown.count("\n") == 1
    assert problems == ""
    assert type_it(shell, f"{typed(spec)} -q") == PAIR
    assert capsys.readouterr() == ("", "")
    assert fabric.asked[0] == fabric.asked[1]
    fabric.answers[call.method] = job()
    assert isinstance(type_it(shell, f"{typed(spec)} --bg"), JobReport)


@pytest.mark.parametrize("spec", CHANGERS, ids=name_of)
def test_who_may_only_look_changes_nothing(
    spec: CommandSpec, shell: InteractiveShell, fabric: FakeFabric
) -> None:
    shell.run_line_magic("config", "SRShell.read_only = True")
    with pytest.raises(SrError) as refused:
        type_it(shell, typed(spec))
    assert refused.value.code == "SR9003"
    assert fabric.asked == []
    shell.run_line_magic("config", "SRShell.read_only = False")


@pytest.mark.parametrize("spec", OF_THE_OWNER, ids=name_of)
def test_an_interrupt_stops_the_waiting_and_says_what_became_of_it(
    spec: CommandSpec,
    shell: InteractiveShell,
    fabric: FakeFabric,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A change goes on as a job that is named; what only looks leaves nothing behind."""
    if spec.method == "explain":
        return  # it needs nobody, and no time
    call = parse_line(spec.example)
    fabric.answers[call.method] = job() if spec.changes else KeyboardInterrupt()
    fabric.answers["job"] = KeyboardInterrupt()
    capsys.readouterr()
    with pytest.raises(KeyboardInterrupt) as stopped:
        type_it(shell, typed(spec))
    lines = vars(stopped.value)["_render_traceback_"]()
    if spec.changes:
        assert isinstance(stopped.value, JobDetached)
        assert lines[0].startswith("detached from job 17 ")
        assert lines[1:3] == ["  wait   %job 17 --wait", "  stop   %job 17 --cancel"]
        assert not any(arguments.get("cancel") for _, arguments in fabric.asked)
    else:
        assert lines == [f"{lines[0].split(':')[0]}: interrupted; nothing was changed"]
        assert lines[0].startswith(spec.name)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("spec", OF_THE_OWNER, ids=name_of)
def test_with_nobody_in_front_a_command_shows_no_more_than_its_end(
    spec: CommandSpec,
    shell: InteractiveShell,
    fabric: FakeFabric,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Nothing is asked, however long it takes; a refusal for want of a confirmation comes back."""

    def nobody(_prompt: str = "") -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("builtins.input", nobody)
    monkeypatch.chdir(tmp_path)
    shell.run_line_magic("config", "SRShell.confirm = 'ask'")
    call = parse_line(spec.example)
    looks = [job(), job(), done(PAIR)]
    fabric.answers["job"] = lambda _: looks.pop(0)
    fabric.answers[call.method] = job() if spec.changes else PAIR
    if spec.method in {"explain", "job"}:
        return  # one needs nobody, and the other is what all of them wait for
    capsys.readouterr()
    assert type_it(shell, typed(spec)) == PAIR
    shown, problems = capsys.readouterr()
    assert shown.count("\n") == int(spec.changes or bool(call.report))
    assert problems == ""
    if spec.changes:
        refused = SrError.make("SR0101", mend="srshell info", command=spec.name, effect="it")
        fabric.answers[call.method] = lambda given: PLAN if given.get("dry_run") else refused
        with pytest.raises(SrError) as unconfirmed:
            type_it(shell, typed(spec))
        assert unconfirmed.value is refused
    shell.run_line_magic("config", "SRShell.confirm = 'line'")


@pytest.mark.parametrize("spec", OF_THE_OWNER, ids=name_of)
def test_what_the_owner_refuses_shows_its_lines_and_no_traceback(
    spec: CommandSpec, shell: InteractiveShell, fabric: FakeFabric
) -> None:
    """The same error object in a notebook as in a script, dressed for people."""
    refusal = SrError.make("SR0105", facts="known: x", noun="group", name="y", mend="srshell info")
    fabric.answers[parse_line(spec.example).method] = refusal
    if spec.method == "explain":
        return  # it needs nobody
    with pytest.raises(SrError) as raised:
        type_it(shell, f"{typed(spec)} {'-q' if spec.effect is Effect.CHANGES else ''}")
    assert raised.value is refusal
    lines = vars(raised.value)["_render_traceback_"]()
    assert any(line.strip() == "mend   %info" for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_a_thousand_names_are_offered_without_asking_again() -> None:
    """What was heard within two seconds is offered from memory."""
    names = [f"Vol{number:04}" for number in range(1000)]
    asked = []

    def names_of(noun: object) -> list[str]:
        asked.append(noun)
        return names

    offered = words_after(shlex.split("nbd"), names_of) or []
    assert set(names) <= set(offered)
    assert len(asked) == 1
