"""The owner as a process: started by whoever needs it, killed, raced for, rebuilt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import srshell
from srshell.fabric.place import FabricPlace
from srshell.fabric.sync_client import SyncFabric
from srshell.model.errors import SrError

_PATIENCE_SECONDS = 30.0
#: A client that waits for no owner.
_IMPATIENT = """
import sys
from pathlib import Path
from srshell.fabric import launch
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
launch.START_SECONDS = 0.0
try:
    launch.connect(FabricPlace(Path(sys.argv[1])))
except SrError as late:
    print(late.facts)
"""


def until(look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever was looked for
    """Look until something is found."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


def command(directory: Path, *words: str) -> subprocess.Popen[str]:
    """Start a command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "srshell", "--fabric", str(directory), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code and output of a command line."""
    out, err = process.communicate(timeout=_PATIENCE_SECONDS)
    return process.returncode, out, err


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A fabric that is stopped when the test is over."""
    path = tmp_path / "f"
    yield path
    assert ended(command(path, "stop"))[0] == 0


@pytest.fixture
def protected(directory: Path, tmp_path: Path) -> Iterator[SyncFabric]:
    """Two sites, one protected pair of groups, one machine that writes."""
    with srshell.connect(directory, sandbox=True) as fabric:
        for name in ("A", "B"):
            (tmp_path / name).mkdir()
            fabric.discover(tmp_path / name, name)
            fabric.classify(f"{name}/PoolA", "gold")
        fabric.pair("A", "B")
        fabric.provision_pair("PV", "RV", "8M", logs=("PL", "RL"), log_size="16M")
        fabric.create_group("PriRG", "PV", "PL")
        fabric.create_group("RecRG", "RV", "RL")
        fabric.enable("PriRG", "RecRG")
        fabric.refresh(timeout=60)
        fabric.add_vm("vm", "PV")
        yield fabric


def site_pids(fabric: SyncFabric) -> dict[str, int]:
    """The processes of the sites."""
    return {site.array: site.pid for site in fabric.info().sites}


def test_clients_that_start_an_owner_at_once_get_one(directory: Path) -> None:
    """They race on the lock; the losers find the winner."""
    clients = [command(directory, "info", "--json") for _ in range(4)]
    answers = [ended(client) for client in clients]
    assert [code for code, _, _ in answers] == [0] * 4
    assert len({json.loads(out)["owner_pid"] for _, out, _ in answers}) == 1


def test_an_owner_that_is_late_serves_the_next_command(directory: Path) -> None:
    """Who gave it up leaves nothing behind that is in the way."""
    late = subprocess.Popen(
        [sys.executable, "-c", _IMPATIENT, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert "the next command waits for it" in ended(late)[1]
    with srshell.connect(directory) as fabric:
        pid = fabric.info().owner_pid
        assert FabricPlace(directory).read_card()["pid"] == pid
    code, out, _ = ended(command(directory, "--json", "info"))
    assert (code, json.loads(out)["owner_pid"]) == (0, pid)


def test_a_second_owner_is_refused(directory: Path) -> None:
    """Two owners would give contradicting orders."""
    assert ended(command(directory, "info"))[0] == 0
    code, _, err = ended(command(directory, "serve"))
    assert (code, err.split()[0]) == (1, "SR9005")


def test_a_killed_owner_stops_nothing(protected: SyncFabric) -> None:
    """Replication and machines go on; the next command finds everything again."""
    before = site_pids(protected)
    info = protected.info()
    written = protected.vms()[0].written_records
    os.kill(info.owner_pid, signal.SIGKILL)
    until(lambda: protected.vms()[0].written_records > written)
    after = protected.info()
    assert after.owner_pid != info.owner_pid
    assert after.owner_term == info.owner_term + 1
    assert site_pids(protected) == before
    assert protected.status().groups[0].failover_ready
    assert any(event.code == "SR9004" for event in protected.events())


def test_every_acknowledged_record_survives_the_source(protected: SyncFabric) -> None:
    """The source site is killed in mid-write: the loss is proven to be nothing."""
    until(lambda: protected.vms()[0].written_records > 20)
    result = protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert (result.lost_writes, result.lost_bytes) == (0, 0)
    protected.remove_vm("vm")
    check = protected.check_vm("vm", volume="RV")
    assert check.equal
    assert check.records_acknowledged > 20
    protected.restart("A")
    assert protected.wait("RecRG", timeout=60).groups[0].rpo_seconds == 0


def test_a_damaged_catalogue_is_refused_and_rebuilt(protected: SyncFabric, directory: Path) -> None:
    """Sites go on meanwhile; what they know comes back, machines included."""
    groups = protected.groups()
    protected.stop_owner(keep_sites=True)
    place = FabricPlace(directory)
    with place.catalogue.open("r+b") as file:
        file.write(os.urandom(4096))
    with pytest.raises(SrError) as damaged:
        protected.status()
    assert damaged.value.code == "SR9201"
    owner = command(directory, "serve", "--rebuild")
    until(place.read_card)
    until(lambda: protected.status().groups)
    assert protected.groups() == groups
    assert [vm.name for vm in protected.vms()] == ["vm"]
    assert protected.status().groups[0].replication_state == "Synchronizing"
    protected.stop_owner()
    assert owner.wait(timeout=_PATIENCE_SECONDS) == 0
    owner.communicate()


def test_ctrl_c_leaves_a_job_that_can_be_waited_for(protected: SyncFabric, directory: Path) -> None:
    """The command line says which job it was; the job is done all the same."""
    protected.remove_vm("vm")
    protected.failover("PriRG", confirm="RecRG")
    protected.fault("site", "down", "A")
    protected.restart("A")
    waiting = command(directory, "failback", "PriRG", "--confirm", "PriRG")
    number = until(
        lambda: next((j.id for j in protected.jobs() if j.command == "failback PriRG"), None)
    )
    waiting.send_signal(signal.SIGINT)
    code, _, err = ended(waiting)
    job = protected.job(number, ended=True, timeout=60).job
    assert job.state == "done"
    if code != 0:
        assert code == 130
        assert f"job {number}" in err
