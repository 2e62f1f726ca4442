"""The control API over a real socket: the same verbs, errors as objects, events as a stream."""

from __future__ import annotations

import http.client
import json
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import cast

import pytest

import srshell
from srshell.fabric.control_http import ControlHttp, UnixConnection
from srshell.fabric.job_report import JobDetached
from srshell.fabric.launch import connect as connect_to_owner
from srshell.fabric.place import FabricPlace
from srshell.fabric.sync_client import SyncFabric
from srshell.model.errors import SrError
from srshell.model.inventory import Event, JobState
from srshell.model.report import JobReport, PlanReport, StatusReport
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.serving import Served, serve
from tests.unit.fabric.setting import Opener, protect


@pytest.fixture
def served(opener: Opener) -> Iterator[Served]:
    """A protected fabric that answers."""
    with serve(opener.open()) as fabric:
        fabric.loop.run(protect(fabric.session, opener))
        yield fabric


@pytest.fixture
def client(served: Served) -> Iterator[SyncFabric]:
    """What a prompt or a script works with."""
    with srshell.connect(served.directory, start=False) as fabric:
        yield fabric


def test_bytes_that_are_no_text_are_refused_by_name(client: SyncFabric) -> None:
    """Files may have such names, and a working directory is a part of every place."""
    for verb, noun in ((client.identify, "path"), (client.why, "name")):
        with pytest.raises(SrError, match=f"SR0005 .* is not a {noun}") as refused:
            verb("/srv/\udcff")
        assert refused.value.facts == r"it is not UTF-8: '/srv/\udcff'"


def test_a_client_gets_the_same_values(client: SyncFabric, served: Served) -> None:
    """Objects cross the socket as what they were."""
    here = served.loop.run(served.session.groups())
    assert client.groups() == here
    status = client.status()
    assert isinstance(status, StatusReport)
    assert status.groups[0].replication_state == "Synchronizing"
    assert client.arrays()[0].pools[0].name == "PoolA"


def test_an_error_crosses_the_socket_whole(client: SyncFabric) -> None:
    """Code, facts and mending line are the owner's."""
    with pytest.raises(SrError) as refused:
        client.group("PriRg")
    assert refused.value.code == "SR0105"
    assert "PriRG" in refused.value.facts


def test_a_change_returns_its_result_a_plan_or_a_job(client: SyncFabric) -> None:
    """The three ways to ask for a change."""
    plan = client.failover("PriRG", dry_run=True)
    assert isinstance(plan, PlanReport)
    job = client.failover("PriRG", confirm="RecRG", wait=False)
    assert isinstance(job, JobReport)
    ended = client.job(job.job.id, ended=True).job
    assert ended.state is JobState.DONE
    assert client.failback("RecRG", confirm="PriRG").new_primary == "PriRG"


def test_a_failed_change_raises_its_own_error(client: SyncFabric, world: FakeWorld) -> None:
    """What ends a job is what its command raises."""
    world.plan.append(("A", "seal", "before"))
    with pytest.raises(SrError) as refused:
        client.prepare("PriRG")
    assert refused.value.code == "SR9301"


def test_a_wait_that_takes_too_long_leaves_the_work_alone(
    client: SyncFabric, world: FakeWorld
) -> None:
    """SR0106 names the job, which goes on."""
    client.failover("PriRG", confirm="RecRG")
    world.linked = False
    for site in world.sites.values():
        for partnership in site.replicas:
            world.settle(partnership)
    with pytest.raises(SrError) as late:
        client.failback("PriRG", confirm="PriRG", timeout=0.05)
    assert late.value.code == "SR0106"
    number = int(late.value.mend.split()[2])
    assert client.job(number).job.state is JobState.RUNNING
    assert client.job(number, cancel=True, ended=True, timeout=5).job.state is JobState.CANCELLED


def test_an_interrupt_detaches_from_the_job(
    client: SyncFabric, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C stops the waiting, and says how to come back."""

    def interrupt(_report: JobReport) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "observe", interrupt)
    with pytest.raises(JobDetached) as detached:
        client.failover("PriRG", confirm="RecRG")
    monkeypatch.undo()
    assert client.job(detached.value.job.id, ended=True).job.state is JobState.DONE
    assert "--wait" in detached.value.lines()[1]


def test_events_are_followed(client: SyncFabric, served: Served) -> None:
    """Those that were come first, then those that happen."""
    known = client.events().events[-1].id
    events = cast("Generator[Event]", client.follow(after=known - 1))
    assert next(events).id == known
    client.suspend("PriRG")
    assert next(events).object == "PriRG"
    events.close()


def test_a_read_only_client_changes_nothing(served: Served) -> None:
    """Plans may be made; nothing else."""
    with srshell.connect(served.directory, start=False, read_only=True) as watcher:
        assert isinstance(watcher.failover("PriRG", dry_run=True), PlanReport)
        with pytest.raises(SrError, match="SR9003"):
            watcher.failover("PriRG", confirm="RecRG")


def test_the_socket_is_for_its_user_alone(served: Served) -> None:
    """Mode 0600 from its first moment."""
    mode = (served.directory / "api").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/nothing", None, 404, "SR0001"),
        ("GET", "/v1/jobs/x", None, 400, "SR0005"),
        ("GET", "/v1/jobs/999", None, 409, "SR0105"),
        ("PUT", "/v1/status", None, 405, "SR0001"),
        ("POST", "/v1/operations/pair", b"[1]", 400, "SR0001"),
        ("POST", "/v1/operations/pair", b"{", 400, "SR0001"),
        ("POST", "/v1/operations/pear", b"{}", 400, "SR0001"),
        ("POST", "/v1/operations/pair", b'{"array": 1, "peer": null}', 400, "SR0001"),
        ("POST", "/v1/operations/wait", b'{"group": "PriRG", "timeout": "x"}', 400, "SR0001"),
        ("POST", "/v1/operations/failover", b'{"group": ["PriRG"]}', 400, "SR0001"),
    ],
)
def test_nonsense_is_answered_with_a_coded_error(
    served: Served, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    """No request brings a traceback out, or the owner down."""
    connection = UnixConnection(served.directory / "api", 10.0)
    connection.request(method, path, body)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    assert (answer.status, content["code"], content["schema"]) == (status, code, "srshell.error/1")
    connection.close()


def test_state_can_be_read_with_any_http_client(served: Served) -> None:
    """GET answers with the JSON of the outside contract."""
    connection: http.client.HTTPConnection = UnixConnection(served.directory / "api", 10.0)
    for path, schema in (("info", "srshell.info/1"), ("status", "srshell.status/1"),
                         ("events?after=3", "srshell.events/1")):  # fmt: skip
        connection.request("GET", f"/v1/{path}")
        assert json.loads(connection.getresponse().read())["schema"] == schema
    connection.close()


def test_a_socket_behind_a_long_path_is_reached(tmp_path: Path, served: Served) -> None:
    """The system takes 107 bytes; directories may be deeper."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / "api").symlink_to(served.directory / "api")
    http_client = ControlHttp(deep / "api")
    assert json.loads(http_client.get("hello"))["protocol"] == "v1"
    http_client.close()


def test_no_owner_is_a_coded_error(tmp_path: Path) -> None:
    """SR9001 names the fabric."""
    with pytest.raises(SrError) as refused:
        connect_to_owner(FabricPlace(tmp_path), start=False)
    assert refused.value.code == "SR9001"
    assert str(tmp_path) in refused.value.message


def test_stop_ends_the_owner(client: SyncFabric, served: Served) -> None:
    """The sites are stopped with it unless they are to go on."""
    served.session.context.place.owner_lock.unlink()
    assert client.stop_owner(keep_sites=True).sites_stopped is False
    assert served.stopped == [True]


def test_prometheus_reads_the_figures_from_the_same_socket(served: Served) -> None:
    """For those who may look; the answer is the text form, whole."""
    connection = UnixConnection(served.directory / "api", 10.0)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'srshell_failover_ready{array="A",group="PriRG"} 1.0' in text
    assert 'srshell_jobs{state="done"}' in text
    connection.close()
