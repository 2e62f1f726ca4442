"""A cell runs its statements as commands, shows them, and stops at the first refusal."""

import shlex
from typing import Any

import attrs
import pytest

from srshell.model.errors import SrError
from srshell_magics.vmm.cell import Cell
from tests.magics.samples import status_row


@attrs.frozen
class Named:
    name: str
    array: str = "ClusterA"
    is_primary: bool = True
    replication_state: str = "Synchronizing"
    location: str = ""
    classification: str | None = None


@attrs.define
class FakeConsole:
    """Answers commands from a table, and writes down those that change something."""

    answers: dict[str, Any] = attrs.Factory(dict)
    asked: list[str] = attrs.Factory(list)

    def perform(self, words: list[str], *, quiet: bool = False) -> Any:  # noqa: ANN401
        if words[0] not in {"arrays", "pools", "volumes", "status", "vms", "jobs"}:
            self.asked.append(shlex.join(words))
        answer = self.answers.get(words[0], [])
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def console() -> FakeConsole:
    arrays = [Named("ClusterA"), Named("ClusterB", "ClusterB")]
    return FakeConsole(
        {"arrays": arrays, "status": [status_row(), status_row("RecRG", is_primary=False)]}
    )


@pytest.fixture
def cell(console: FakeConsole) -> Cell:
    return Cell(console)  # type: ignore[arg-type]


def run(cell: Cell, text: str, *, strict: bool = False, **names: object) -> None:
    cell.run(text, names, strict=strict)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ('Set-SCStorageArray -StorageArray A -PeerStorageArrayName "B"', "pair A B"),
        ("Set-SCStorageArray A -UnPair", ""),
        ("Set-SCStorageArray -StorageArray A -UnPair", "unpair A"),
        ("Set-SCStorageArray -StorageArray A -Name C", "rename A C"),
        ("Read-SCStorageProvider", "refresh --all"),
        ("Read-SCStorageProvider A", "refresh A"),
        ("Get-SCStorageProvider | Read-SCStorageProvider -RunAsynchronously",
         "refresh ClusterA --bg"),
        ("New-SCReplicationGroup -Name G -StorageVolume V,W -LogStorageVolume L",
         "group create G --data V W --log L"),
        ("Set-SCReplicationGroup G -Operation Resync", "resume G"),
        ("Set-SCReplicationGroup -ReplicationGroup G -Operation PrepareForReverseRoles",
         "wait G --until Synchronizing"),
        ("Set-SCReplicationGroup -Rep G -Op TearDown -WhatIf", "teardown G --confirm G -n"),
        ("Set-SCReplicationGroup -Rep RecRG -Op Failover -Confirm", "failover RecRG --planned"),
        ("Remove-SCReplicationGroup G -Force", "group rm G"),
        ("Remove-SCVirtualMachine -VM M", "vm rm M"),
        ("New-SCStorageVolume -Name V -StoragePool A/P -SizeInBytes 1GB -AllocationUnitSizeKB 4",
         "provision V --on A/P --size 1073741824 --block-size 4K"),
    ],
)  # fmt: skip
def test_a_cmdlet_becomes_a_command(
    cell: Cell, console: FakeConsole, line: str, command: str
) -> None:
    if not command:
        with pytest.raises(SrError, match="without its parameter"):
            run(cell, line)
        return
    run(cell, line)
    assert console.asked[0] == command


@pytest.mark.parametrize(
    ("line", "code", "facts"),
    [
        ("Get-SCStorageAray", "SR0001", "Get-SCStorageArray"),
        ("Get-SCStorageArray -Nam x -Name y", "SR0001", ""),
        ("Get-SCStorageArray -Frobnicate x", "SR0001", ""),
        ("Get-SCStorageArray -Name $Nowhere", "SR0002", ""),
        ("Get-SCStorageArray -Name $PriAray", "SR0002", "$PriArray"),
        ("New-SCVirtualMachine -Name <Name> -Path V", "SR0104", ""),
        ("Set-SCReplicationGroup G -Operation Explode", "SR0005", "TearDown"),
        ("Set-SCReplicationGroup G -AddStorageLuns x", "SR0108", "group"),
        ("New-SCReplicationGroup -Name T -SourceReplicationGroup G", "SR0108", "test failover"),
        ("New-SCReplicationGroup -Name T -ProtectionMode Asynchronous", "SR3003", ""),
        ("New-SCStorageTier -Name x", "SR0108", "tiers"),
        ("Set-SCStorageArray -StorageArray $null -UnPair", "SR0001", ""),
        ("1 | Get-SCJob", "SR0001", ""),
        ("$true = 1", "SR0001", ""),
        ("$_", "SR0001", ""),
        ("Get-SCStorageArray | where Name", "SR0001", ""),
        ('3 - "x"', "SR0001", ""),
        ('$n = "10" - "2"', "SR0001", ""),
        ("Get-SCStorageArray | select -First x", "SR0001", ""),
        ("Get-SCStorageArray | select -Last -1", "SR0001", ""),
        ("@(1, 2) -gt 1", "SR0001", ""),
        ("'abc'.Split('')", "SR0001", ""),
    ],
)
def test_a_refusal_names_what_is_wrong(
    cell: Cell, console: FakeConsole, line: str, code: str, facts: str
) -> None:
    with pytest.raises(SrError) as refused:
        run(cell, line, PriArray="ClusterA")
    assert refused.value.code == code
    assert facts in refused.value.facts
    assert refused.value.mend != "srshell --help"
    assert console.asked == []


def test_what_has_no_order_is_not_sorted(cell: Cell) -> None:
    with pytest.raises(SrError, match=r"SR0001 .* no order"):
        run(cell, "$mixed | sort x", mixed=[{"x": 1}, {"x": "a"}])


def test_a_pasted_line_turns_nothing_round(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    """What a page hid in it is seen before it is believed."""
    run(cell, "Get-SCStorageArray -Name 'A\u202eB\u200b'")
    assert "  1  Get-SCStorageArray -Name 'A?B?'" in capsys.readouterr().out


def test_nothing_is_run_before_everything_can_be_read(cell: Cell, console: FakeConsole) -> None:
    with pytest.raises(SrError, match="line 3"):
        run(cell, "Read-SCStorageProvider\n\nGet-A )")
    assert console.asked == []


def test_the_first_refusal_ends_the_cell(
    cell: Cell, console: FakeConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what was not run; variables that were set stay."""
    console.answers["refresh"] = SrError.make("SR0107", job=3)
    with pytest.raises(SrError):
        run(cell, "$a = 5\nRead-SCStorageProvider\nGet-SCStorageArray\n$b = 6")
    assert "line 2 ended the cell; not run: 3, 4" in capsys.readouterr().out
    assert cell.own == {"a": 5}


def test_variables_stay_and_those_of_the_notebook_are_read(
    cell: Cell, console: FakeConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    run(cell, '$g = "Pri" + $tail', tail="RG")
    run(cell, "Set-SCReplicationGroup -ReplicationGroup $G -Operation Resync")
    assert console.asked == ["resume PriRG"]


def test_pipelines_are_shaped(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        'Get-SCStorageArray | ? {$_.Name.EndsWith("B")} | select -ExpandProperty Name': "ClusterB",
        "Get-SCStorageArray | where Name -like *A | fl Name": "Name : ClusterA",
        "Get-SCStorageArray | sort Name -Descending | select -First 1 | fl Name": "Name : ClusterB",
        "Get-SCStorageArray | % { $_.Name.ToLower() } | echo": "clustera clusterb",
        "Get-SCStorageArray | select Name, Array | ft": "Name      Array",
        "(Get-SCStorageArray -Name ClusterB).Array": "ClusterB",
        "Get-SCStorageArray -Name Nix | fl": "there is no array Nix",
        "3 + 4": "7",
    }
    for line, shown in cases.items():
        run(cell, line)
        assert shown in capsys.readouterr().out, line


def test_what_the_article_leaves_to_the_console_is_done_and_said(
    cell: Cell, console: FakeConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not with --strict: the command then refuses by itself."""
    console.answers["status"] = [status_row(replication_state="ReadyForInitialReplication")]
    line = "Set-SCReplicationGroup -ReplicationGroup PriRG -Operation PrepareForFailover"
    run(cell, line)
    assert console.asked == ["refresh --all", "wait PriRG --until Synchronizing", "prepare PriRG"]
    assert "step 7" in capsys.readouterr().out
    console.asked.clear()
    run(cell, line, strict=True)
    assert console.asked == ["prepare PriRG"]


def test_strict_mends_nothing(cell: Cell) -> None:
    for line in ("RecArray = Get-SCStorageArray", "Open the VMM console."):
        with pytest.raises(SrError):
            run(cell, line, strict=True)
