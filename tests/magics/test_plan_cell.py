"""`%%plan`: the commands of a cell are sent to be planned as one, and carried out later."""

from pathlib import Path
from typing import Any

import attrs
import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from srshell.fabric.reports import decode
from srshell.model.errors import SrError
from srshell.model.report import PlanReport, PlanRunReport, StepRow, encode
from srshell_magics.extension import loaded_in
from tests.magics.samples import FakeFabric, done

PARTS = tuple(
    PlanReport(line, (StepRow("x", f"do {line}"),), confirm="RecRG", verb=line.split()[0])
    for line in ("failover PriRG --planned", "failback RecRG")
)
PLAN = PlanReport(
    "plan of 2 commands",
    tuple(StepRow(str(n), part.command) for n, part in enumerate(PARTS, 1)),
    confirm="RecRG,PriRG",
    verb="run_plan",
    arguments={"lines": [{"verb": "failover", "arguments": {"group": "PriRG"}}]},
    world="w",
    copied_bytes=1024,
    unavailable=("1: PV takes no writes",),
    inverse=("srshell failback RecRG --confirm PriRG",),
    parts=PARTS,
    left_out=("status",),
)


def _run(shell: InteractiveShell, cell: str) -> ExecutionResult:
    ran: ExecutionResult = shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]
    return ran


def _refused(shell: InteractiveShell, cell: str) -> SrError:
    error = _run(shell, cell).error_in_exec
    assert isinstance(error, SrError)
    return error


def _lines(fabric: FakeFabric) -> list[dict[str, Any]]:
    verb, arguments = fabric.asked[-1]
    assert (verb, arguments["dry_run"]) == ("run_plan", True)
    lines = arguments["lines"]
    assert isinstance(lines, list)
    return lines


def test_a_cell_is_planned_as_one(
    shell: InteractiveShell, fabric: FakeFabric, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With and without percent signs, with variables, over two lines; nothing is changed."""
    fabric.answers["run_plan"] = PLAN
    shell.user_ns["group"] = "PriRG"
    file = tmp_path / "plan.json"
    cell = (
        f"%%plan -o way --save {file}\n# over and back\n\n%failover $group \\\n"
        "   --planned --confirm RecRG\nsrshell failback RecRG\n  status\n%vm rm DemoVM\n"
    )
    ran = _run(shell, cell)
    assert ran.success
    assert ran.result is PLAN
    assert shell.user_ns["way"] is PLAN
    assert decode(file.read_bytes()) == PLAN
    verbs = [(line["verb"], line["arguments"]) for line in _lines(fabric)]
    assert verbs == [
        ("failover", {"group": "PriRG", "kind": "planned"}),
        ("failback", {"group": "RecRG"}),
        ("status", {}),
        ("remove_vm", {"name": "DemoVM"}),
    ]
    assert capsys.readouterr().err == ""


def test_a_plan_in_a_variable_or_a_file_is_carried_out(
    shell: InteractiveShell, fabric: FakeFabric, tmp_path: Path
) -> None:
    result = PlanRunReport((StepRow("1", "failover PriRG --planned"),), 2.0)
    fabric.answers |= {"run_plan": done(result)}
    file = tmp_path / "p.json"
    shell.user_ns["way"] = PLAN
    file.write_bytes(encode(PLAN))
    for name in ("way", str(file)):
        ran = _run(shell, f"%apply {name} --confirm RecRG,PriRG")
        assert ran.result == result
        verb, arguments = fabric.asked[0]
        assert (verb, arguments["expect"]) == ("run_plan", "w")
        assert arguments["confirm"] == "RecRG,PriRG"
        fabric.asked.clear()


@pytest.mark.parametrize(
    ("cell", "code", "facts"),
    [
        ("%%plan\n%suspend PriRG\nx = 1", "SR0001", "line 2 (x = 1)"),
        ("%%plan\n\n%failovr PriRG", "SR0001", "line 2 (%failovr PriRG)"),
        ("%%plan\n%suspend $grup", "SR0002", "line 1 (%suspend $grup)"),
        ("%%plan\n%suspend", "SR0001", "line 1 (%suspend)"),
        ("%%plan\n%lab start 1", "SR0108", "process"),
        ("%%plan --now\n%suspend PriRG", "SR0001", "--save"),
        ("%%plan -o 3\n%suspend PriRG", "SR0001", ""),
        ("%%plan --save\n%suspend PriRG", "SR0001", ""),
        ("%%plan --save /nowhere/plan.json\n%suspend PriRG", "SR0105", ""),
    ],
)
def test_a_cell_that_is_no_plan_names_its_line(
    shell: InteractiveShell, fabric: FakeFabric, cell: str, code: str, facts: str
) -> None:
    fabric.answers["run_plan"] = PLAN
    refused = _refused(shell, cell)
    assert refused.code == code
    assert facts in refused.facts


def test_the_plan_shows_what_it_costs_and_how_it_is_undone(
    shell: InteractiveShell, fabric: FakeFabric
) -> None:
    fabric.answers["run_plan"] = attrs.evolve(PLAN, about_seconds=12.0, taken_bytes=-4096)
    result = _run(shell, "%%plan\n%suspend PriRG").result
    assert shell.display_formatter is not None
    shown, _ = shell.display_formatter.format(result)  # type: ignore[no-untyped-call]
    for form in ("text/plain", "text/html"):
        for words in (
            "2 commands, nothing has changed",
            "gives back 4 KiB of the pools",
            "copies 1 KiB to the other side, at most",
            "takes about 12 s, as it did before",
            "unavailable: 1: PV takes no writes",
            "undo: ",
            "not undone by any command: 1, 2",
            "left out, as they change nothing: status",
            "--confirm RecRG,PriRG",
        ):
            assert words in shown[form], (form, words)


def test_plan_stays_a_line_magic_and_leaves_with_the_rest(
    shell: InteractiveShell, fabric: FakeFabric, capsys: pytest.CaptureFixture[str]
) -> None:
    fabric.answers["suspend"] = PARTS[0]
    assert _run(shell, "%plan suspend PriRG").result is PARTS[0]
    assert fabric.asked == [("suspend", {"group": "PriRG", "dry_run": True})]
    capsys.readouterr()
    assert _run(shell, "%%plan -h\n\n# no more").success
    assert "%%plan [-o NAME]" in capsys.readouterr().out
    assert loaded_in(shell) is not None
    shell.run_line_magic("unload_ext", "srshell")
    assert "plan" not in shell.magics_manager.magics["cell"]
