"""The article's story in four ways, on real fabrics: pasted, in magics, in Python, on the shell.

Whoever tells it, the journal of the fabric says the same.
"""

import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import srshell
from srshell.cli import main
from srshell.fabric.sync_client import SyncFabric
from tests.magics.vmm.lines import COMMANDS, LINES, NAMES

Told = list[tuple[str, str, str]]
#: A line of each part, and whose state is waited for after it: patience is no event.
_PARTS = (("Get replication status", "PriRG"), ("SRecRG", "RecRG"), ("ReverseRoles", "PriRG"))
#: What the weather between the sites of a busy machine adds.
_WEATHER = frozenset({"SR5202", "SR5203", "SR8004", "SR9301", "SR9303"})
_IN_SYNC = "SR5201"
_WAIT_SECONDS = 60.0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Callable[[str], SyncFabric]]:
    """Makes fabrics with two arrays; their owners are stopped in the end."""
    made: list[SyncFabric] = []

    def make(name: str) -> SyncFabric:
        (tmp_path / name).mkdir()
        fabric = srshell.connect(tmp_path / name / "fabric")
        made.append(fabric)
        for site, array in (("east", "ClusterA"), ("west", "ClusterB")):
            folder = tmp_path / name / site
            folder.mkdir()
            fabric.discover(str(folder), name=array, site=site)
            fabric.classify(f"{array}/PoolA", "gold")
        return fabric

    yield make
    for fabric in made:
        fabric.stop_owner()
        fabric.close()


def _in_step(fabric: SyncFabric, group: str, times: int) -> None:
    """Wait until a group is in sync, and the journal has said so as often."""
    fabric.wait(group, "Synchronizing", timeout=_WAIT_SECONDS)
    end = time.monotonic() + _WAIT_SECONDS
    while len([each for each in _journal(fabric) if each[0] == _IN_SYNC]) < times:
        assert time.monotonic() < end, f"the journal never said that {group} is in sync"
        time.sleep(0.02)


def _journal(fabric: SyncFabric) -> Told:
    """What the journal tells, but for figures, the ways of copies, and the weather."""
    told: Told = []
    in_sync = ""
    for event in fabric.events(limit=1000):
        if event.code in _WEATHER:
            continue
        if event.code == _IN_SYNC:
            if event.object == in_sync:
                continue  # once more, after the weather
            in_sync = event.object
        text = re.sub(r"\d+(\.\d+)?", "#", event.text.split(": ")[0])
        told.append((event.code, event.object, text))
    return told


def _parts(lines: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """The lines in parts, each with the group that is waited for after it."""
    ends = dict(_PARTS)
    part: list[str] = []
    for line in lines:
        part.append(line)
        group = next((ends.pop(mark) for mark in list(ends) if mark in line), "")
        if group:
            yield part, group
            part = []
    yield part, ""


def _pasted(fabric: SyncFabric, shell: InteractiveShell) -> None:
    """The article's own lines, in cells."""
    shell.push(NAMES)  # type: ignore[no-untyped-call]
    for times, (part, group) in enumerate(_parts(LINES.split("\n\n")), 1):
        prose = "Pair the arrays, then provision.\n" if times == 1 else ""
        outcome = shell.run_cell(f"%%vmm\n{prose}{chr(10).join(part)}")  # type: ignore[no-untyped-call]
        assert outcome.success
        if group:
            _in_step(fabric, group, times)


def _typed(fabric: SyncFabric, run: Callable[[str], object]) -> None:
    """The commands that the lines became."""
    ends = {"refresh": "PriRG", "failover": "RecRG", "failback": "PriRG"}
    times = 0
    for command in COMMANDS:
        run(command)
        group = ends.get(command.split()[0])
        if group:
            times += 1
            _in_step(fabric, group, times)


def _programmed(fabric: SyncFabric) -> None:
    """The methods of the same names."""
    for _ in range(2):
        fabric.pair("ClusterA", "ClusterB")
    for side, array, group in (("Primary", "ClusterA", "PriRG"), ("Recovery", "ClusterB", "RecRG")):
        data, log = f"{side}Vol", f"{side}LogVol"
        fabric.provision(data, f"{array}/PoolA", "32M")
        fabric.provision(log, f"{array}/PoolA", "32M", log=True)
        fabric.create_group(group, (data,), log)
    fabric.enable("PriRG", "RecRG")
    fabric.refresh()
    _in_step(fabric, "PriRG", 1)
    fabric.add_vm("DemoVM", "PrimaryVol")
    fabric.prepare("PriRG")
    fabric.failover("RecRG", confirm="RecRG")
    _in_step(fabric, "RecRG", 2)
    fabric.remove_vm("DemoVM")
    fabric.failback("PriRG", target="RecRG", confirm="PriRG")
    _in_step(fabric, "PriRG", 3)
    fabric.teardown("RecRG", confirm="RecRG")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_article_in_four_ways_leaves_four_equal_journals(
    place: Callable[[str], SyncFabric],
    shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the first to the last line, as it stands, on fresh fabrics of real processes."""
    journals: dict[str, Told] = {}

    pasted = place("pasted")
    monkeypatch.setenv("SRSHELL_FABRIC", str(pasted.info().fabric))
    shell.run_line_magic("load_ext", "srshell")
    _pasted(pasted, shell)
    said = capsys.readouterr().out
    commands = re.findall(r"= srshell (.*)", said)
    looking = {"arrays", "pools", "status"}
    assert tuple(c for c in commands if c not in looking and not c.startswith("wait")) == COMMANDS
    assert "Name              : RecRG" in said
    assert "1 lines of prose" in said
    journal = [f"{e.code} {e.text}" for e in pasted.events(limit=1000)]
    assert [text for text in journal if "Replicating" in text], journal
    journals["pasted"] = _journal(pasted)

    magics = place("magics")
    shell.run_line_magic("fabric", f"attach {magics.info().fabric}")
    _typed(magics, lambda command: shell.run_line_magic("sr", command))
    journals["magics"] = _journal(magics)

    typed = place("shell")
    words = ["--fabric", str(typed.info().fabric)]

    def run(command: str) -> None:
        assert main([*words, *shlex.split(command)]) == 0

    _typed(typed, run)
    journals["shell"] = _journal(typed)

    program = place("python")
    _programmed(program)
    journals["python"] = _journal(program)

    assert {row.replication_state for row in program.status()} == {"Disabled"}
    assert len(journals["pasted"]) > 20
    for told in journals.values():
        assert told == journals["pasted"]
