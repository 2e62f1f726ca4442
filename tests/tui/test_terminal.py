"""The dashboard in a real terminal, on a real owner: watched, steered, left without its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

import srshell
from srshell.fabric.sync_client import SyncFabric
from srshell_tui.reel import read_past
from tests.tui import living
from tests.tui.terminals import COLUMNS, LINES, PATIENCE_SECONDS, Terminal


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fabric and its arrays lie; short, because the paths of sockets are limited."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture(scope="module")
def fabric(place: Path) -> Iterator[SyncFabric]:
    """PriRG and RecRG in sync, on files."""
    with srshell.connect(place / "fabric") as client:
        living.in_sync(client, place)
        yield client
        client.stop_owner()


def _dash(place: Path, *words: str) -> pexpect.spawn[bytes]:
    """`srshell dash` as a person starts it."""
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    return pexpect.spawn(
        sys.executable,
        ["-m", "srshell", "--fabric", str(place / "fabric"), "dash", *words],
        dimensions=(LINES, COLUMNS),
        env=environment,
        timeout=PATIENCE_SECONDS,
    )


@pytest.fixture
def terminal(fabric: SyncFabric, place: Path) -> Iterator[Terminal]:
    """The dashboard, and a record of what it hears."""
    process = _dash(place, "--every", "0.25", "--record", str(place / "record"))
    yield Terminal(process)
    process.close(force=True)


def test_a_person_watches_and_fails_over(fabric: SyncFabric, terminal: Terminal) -> None:
    """Seen, keys that are no text, silent at rest, carried out; the owner dies and comes back."""
    terminal.see("● connected", "PriRG>RecRG", "● Synchronizing", "RPO 0 s")
    for alien in (b"\xe9", b"\xff\xc3(", bytes(range(128, 256))):  # as of another encoding
        terminal.process.send(alien)
        terminal.read(0.3)

    terminal.type("5")
    terminal.see("Jobs (")
    terminal.read(1.5)
    at_rest = terminal.read(2.5)
    assert at_rest <= 60, "nothing changes but, once a minute, the time"

    terminal.type("1\r")
    terminal.see("[Synchronizing]", "failover ready: yes")
    terminal.type("F")
    terminal.see("Which way", "planned")
    terminal.type("\r")
    terminal.see("type RecRG to run it")
    terminal.type("RecRG\r")
    terminal.see("RecRG is primary (epoch 2)", "0 B lost")
    assert fabric.status("RecRG").groups[0].is_primary

    terminal.type("\x1b")
    terminal.see("RecRG > PriRG", "[Synchronizing]")
    owner = fabric.info().owner_pid
    os.kill(owner, signal.SIGKILL)
    terminal.see("owner lost", "[Synchronizing?]", "RPO —")
    assert fabric.info().owner_pid != owner
    terminal.see("● connected", "owner restarted", "[Synchronizing]")

    terminal.type(":why PriRX\x7fG\r")  # all at once, as over a slow line
    terminal.see("PriRG is Synchronizing", "esc back")
    terminal.type("\x1b")
    terminal.see("RecRG > PriRG", "[Synchronizing]")
    terminal.type("B")
    terminal.see("type PriRG to run it")
    terminal.type("PriRG\r")
    while not any(job.command.startswith("failback") for job in fabric.jobs()):
        terminal.read(0.05)
    terminal.process.kill(signal.SIGHUP)  # the line is dropped in the middle of it
    terminal.process.expect(pexpect.EOF)
    fabric.wait("PriRG", timeout=PATIENCE_SECONDS)
    assert {row.name for row in fabric.status() if row.is_primary} == {"PriRG"}


def test_a_look_at_a_busy_group_costs_less_than_the_budget(
    fabric: SyncFabric, terminal: Terminal, place: Path
) -> None:
    """What a real terminal gets, frame for frame, while a machine writes: 1.5 kB at the most."""
    fabric.add_vm("DemoVM", "PV")
    terminal.see("● connected", "PriRG>RecRG")
    terminal.type("2")
    terminal.see("[Synchronizing]", "├ own log")
    record = place / "record"
    began = _lines(record)
    while _lines(record) < began + 2:
        terminal.read(0.05)
    began, count = _lines(record), 0
    end = time.monotonic() + PATIENCE_SECONDS
    while _lines(record) < began + 8:
        assert time.monotonic() < end, "it hears nothing"
        count += terminal.read(0.05)
    assert 0 < count <= 1500 * (_lines(record) - began + 1)
    fabric.remove_vm("DemoVM")


def test_a_terminal_that_stops_reading_holds_nothing_up(
    fabric: SyncFabric, terminal: Terminal, place: Path
) -> None:
    """Behind a dead line the dashboard goes on listening; a line that lives shows the newest."""
    terminal.see("● connected")
    for number in range(80):
        terminal.type("12345"[number % 5])
        fabric.status()  # as long as a key is apart from the next
    heard = _lines(place / "record")
    end = time.monotonic() + PATIENCE_SECONDS
    while _lines(place / "record") < heard + 6:
        assert time.monotonic() < end, "it hears nothing while its terminal does not read"
        fabric.status()
    terminal.type("3")
    terminal.see("Volumes (4)", "PV", "RL")
    terminal.type("q")
    terminal.process.expect(pexpect.EOF)
    terminal.process.wait()
    assert terminal.process.exitstatus == 0


def test_a_line_of_9600_baud_shows_the_newest_picture(fabric: SyncFabric, place: Path) -> None:
    """A screen takes seconds of such a line: keys that come meanwhile are not lost."""
    slow = Terminal(_dash(place, "--theme", "ansi"))
    slow.see("● connected", "PriRG>RecRG")
    slow.type("2345")
    slow.crawl("Jobs (", "failover")
    slow.process.close(force=True)


def test_a_storm_of_resizes_leaves_a_whole_picture(fabric: SyncFabric, terminal: Terminal) -> None:
    """Whatever sizes came before, the last one is filled, and keys work."""
    terminal.see("● connected", "PriRG>RecRG")
    for number in range(120):
        terminal.process.setwinsize(2 + number % 47, 3 + 7 * number % 211)
        if number % 10 == 0:
            terminal.read(0.01)
    terminal.process.setwinsize(LINES, COLUMNS)
    terminal.type("3")
    text = terminal.see("Volumes (4)", "PV", "RL", "● connected")
    assert text.splitlines()[-1].startswith(" ? help")


def _prompt(place: Path, *lines: str) -> subprocess.Popen[str]:
    """An IPython that has lines typed into it."""
    environment = {**os.environ, "SRSHELL_FABRIC": str(place / "fabric"),
                   "IPYTHONDIR": str(place / "ipython")}  # fmt: skip
    code = "\n".join(("%load_ext srshell", *lines))
    words = ["-m", "IPython", "--no-banner", "--colors=NoColor", "-c", code]
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_two_dashboards_a_prompt_and_a_client_act_on_one_fabric(
    fabric: SyncFabric, terminal: Terminal, place: Path
) -> None:
    """Each sees what the others did; a plan that is no longer true is refused with its reason."""
    other = Terminal(_dash(place, "--every", "0.25"))
    for one in (terminal, other):
        one.see("● connected", "PriRG>RecRG", "● Synchronizing")
    with _prompt(
        place, "%suspend PriRG", "%wait PriRG --until Synchronizing --timeout 60", "%status"
    ) as prompt:
        for one in (terminal, other):
            one.see("▲ Suspended")
        terminal.type("p")
        terminal.see("resume PriRG", "Run it?")
        terminal.type("\t\r")
        terminal.see("[5 result]")
        other.see("● Synchronizing")
        said, _ = prompt.communicate(timeout=PATIENCE_SECONDS)
    assert "PriRG  True       Synchronizing" in said
    fabric.wait("PriRG")

    other.type("F\r")
    other.see("type RecRG to run it")
    fabric.suspend("PriRG")
    other.type("RecRG\r")
    other.see("SR", "mend", "result")
    assert {row.name for row in fabric.status() if row.is_primary} == {"PriRG"}
    fabric.resume("PriRG")
    fabric.wait("PriRG")
    other.process.close(force=True)


def test_the_owner_keeps_what_it_looked_like(fabric: SyncFabric, place: Path) -> None:
    """The failover that a person carried out above can be seen again, without an owner."""
    assert fabric.info().owner_pid
    kept = read_past(place / "fabric" / "recording.jsonl")
    primaries = [
        {row.name for row in kept.view_at(index).status.values() if row.is_primary}
        for index in range(len(kept.frames))
    ]
    assert {"RecRG"} in primaries
    terminal = Terminal(_dash(place, "--replay", "--at", "0s"))
    terminal.see("REPLAY, not the present", "PriRG>RecRG", "paused")
    terminal.type("F")
    terminal.see("SR9011")
    terminal.process.close(force=True)


def test_a_person_tears_down_and_provisions(fabric: SyncFabric, place: Path) -> None:
    """The two ways that end and begin a protection, on real sites, to their end."""
    terminal = Terminal(_dash(place, "--every", "0.25"))
    terminal.see("● connected", "PriRG>RecRG", "● Synchronizing")
    terminal.type("X\r")
    terminal.see("type PriRG to run it", "undo: srshell enable PriRG RecRG --seeded")
    terminal.type("PriRG\r")
    terminal.see("[5 result]", "torn down")
    assert {row.replication_state for row in fabric.status()} == {"Disabled"}
    terminal.type("\x1b")
    terminal.see("Replication groups")
    terminal.type("P")
    terminal.see("source volume")
    terminal.type("\r\r\x158M\r\r\r\x1516M\r\r\r")
    terminal.see("Run it?", "48 MiB of the pools", "undo: srshell volume rm")
    terminal.type("\t\r")
    terminal.see("4 volumes made")
    assert {"PrimaryVol", "RecoveryLogVol"} <= {volume.name for volume in fabric.volumes()}
    terminal.process.close(force=True)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
