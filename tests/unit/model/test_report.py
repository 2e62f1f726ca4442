"""Reports are the outside contract: their JSON has exactly the promised fields."""

import json
from typing import Any

import attrs
import msgspec
import pytest

from srshell.model import inventory, report
from srshell.model.errors import SrError
from srshell.model.health import HealthReason
from srshell.model.inventory import Candidate, Event, Job, Pair, PoolKind, Volume, VolumeKind
from srshell.model.report import REPORTS, decode, encode
from srshell.model.states import ReplicationHealth, ReplicationState

STATUS = report.StatusReport(
    groups=(
        report.GroupStatus(
            name="PriRG",
            is_primary=True,
            replication_state=ReplicationState.SYNCHRONIZING,
            replication_health=ReplicationHealth.NORMAL,
            array="ClusterA",
            health_reasons=(HealthReason("log-fill", "the log is 71% full"),),
            failover_ready=True,
            failover_ready_reason="every acknowledged write is in both logs",
            rpo_seconds=0.0,
            peer="RecRG",
            peer_state="Synchronizing",
            epoch=1,
            durable_lsn=3,
            acked_lsn=3,
            applied_lsn=2,
            progress=report.Progress("initial-copy", 1, 2, None),
            volumes=(report.GroupVolume("PrimaryVol", "data", 4096, 4096, "/v"),),
            vms=(report.VmRow("DemoVM", "PrimaryVol", "ClusterA", "PriRG"),),
            as_of=1000.0,
        ),
    ),
)

INFO = report.InfoReport(
    fabric="/fabric",
    owner_pid=7,
    socket="/fabric/owner.sock",
    sites=(
        report.SiteRow(
            "ClusterA", "redmond", 8, "running", (report.PoolRow("PoolA", 2, 1, "gold"),)
        ),
    ),
)

VERIFY = report.Verification(True, 10, 0, 3, 0, 42)
FAILOVER = report.RoleChange("op", "RecRG", 2, 0, 0, 1.5, (report.StepRow("seal", "seal PriRG"),))
NBD = report.NbdExport("nbd+unix:///PrimaryVol?socket=/s", "PrimaryVol", read_only=False)
ERROR = report.ErrorReport.of(SrError.make("SR1011", array="A", peer="B"))


@pytest.mark.parametrize(
    ("value", "schema", "fields"),
    [
        (INFO, "srshell.info/1", {"fabric", "owner_pid", "socket", "sites"}),
        (STATUS, "srshell.status/1", {"groups"}),
        (NBD, "srshell.nbd/1", {"uri", "volume", "read_only"}),
        (VERIFY, "srshell.verify/1", {"equal", "blocks_compared", "differing_blocks",
                                      "log_records_compared", "log_differences", "lsn"}),
        (FAILOVER, "srshell.failover/1", {"operation", "new_primary", "epoch", "lost_writes",
                                          "lost_bytes", "seconds", "steps"}),
        (ERROR, "srshell.error/1", {"code", "message", "rule", "facts", "mend"}),
    ],
)  # fmt: skip
def test_the_promised_fields_are_there(value: object, schema: str, fields: set[str]) -> None:
    """Fields may be added, none may go."""
    found = json.loads(encode(value))
    assert found["schema"] == schema
    assert fields <= set(found)


def test_a_status_row_has_the_promised_fields() -> None:
    """The rows of both sides of a group."""
    (row,) = json.loads(encode(STATUS))["groups"]
    assert {
        "name", "array", "is_primary", "replication_state", "replication_health", "health_reasons",
        "failover_ready", "failover_ready_reason", "rpo_seconds", "peer", "peer_state", "epoch",
        "durable_lsn", "acked_lsn", "applied_lsn", "progress", "volumes", "vms",
    } <= set(row)  # fmt: skip
    assert row["replication_state"] == "Synchronizing"
    assert row["health_reasons"] == [{"code": "log-fill", "text": "the log is 71% full"}]
    assert row["volumes"] == [
        {"name": "PrimaryVol", "role": "data", "size_bytes": 4096, "block_size": 4096, "path": "/v"}
    ]
    assert set(row["progress"]) >= {"kind", "done_bytes", "total_bytes", "eta_seconds"}
    assert "schema" not in row


def test_an_info_row_has_the_promised_fields() -> None:
    """Sites and their pools."""
    (site,) = json.loads(encode(INFO))["sites"]
    assert {"array", "site", "pid", "state", "pools"} <= set(site)
    assert {"name", "size_bytes", "free_bytes", "classification"} <= set(site["pools"][0])


def test_an_error_is_the_same_object_as_a_report_and_as_itself() -> None:
    """One shape on every surface."""
    error = SrError.make("SR2006", facts="x", a="A", b="B", where="/b")
    assert json.loads(encode(report.ErrorReport.of(error))) == error.to_json()
    assert SrError.from_json(json.loads(encode(report.ErrorReport.of(error)))) == error


@pytest.mark.parametrize("value", [STATUS, INFO, VERIFY, FAILOVER, NBD, ERROR], ids=str)
def test_a_report_reads_back_as_the_same_value(value: object) -> None:
    """The client gives what the owner had."""
    assert decode(encode(value)) == value


def test_a_failback_is_a_role_change_under_its_own_name() -> None:
    """The same fields, another schema."""
    failback = attrs.evolve(FAILOVER, schema="srshell.failback/1")
    assert json.loads(encode(failback))["schema"] == "srshell.failback/1"
    assert decode(encode(failback)) == failback


def test_unknown_fields_are_ignored_and_unknown_schemas_are_not() -> None:
    """A newer owner may add fields; another object is not a report."""
    data = json.loads(encode(NBD)) | {"later": True}
    assert decode(json.dumps(data)) == NBD
    for text in ("{}", '{"schema": "srshell.other/1"}', "[]", "nonsense"):
        with pytest.raises(msgspec.DecodeError):
            decode(text)


def test_a_list_of_rows_behaves_like_one() -> None:
    """``fabric.status().groups[0]`` and ``for row in fabric.status()`` are the same rows."""
    assert list(STATUS) == list(STATUS.groups)
    assert STATUS[0] is STATUS.groups[0]
    assert len(STATUS) == 1
    assert report.JobsReport(()).rows() == ()


def test_values_read_as_their_names() -> None:
    """So ``%failover $group`` works."""
    assert str(STATUS[0]) == "PriRG"
    assert str(NBD) == NBD.uri
    assert str(FAILOVER) == "RecRG"
    assert (STATUS[0].state, STATUS[0].health) == (
        ReplicationState.SYNCHRONIZING,
        ReplicationHealth.NORMAL,
    )


def test_a_note_keeps_what_a_warning_said() -> None:
    """A result carries warnings along."""
    note = report.Note.of(SrError.make("SR1008", "device 8:1", a="A", b="B", where="/x"))
    assert note == report.Note(
        "SR1008",
        "A and B lie on the same disk: both copies would die together: device 8:1",
        "srshell identify /x",
    )


def test_every_schema_is_named_once_and_has_version_1() -> None:
    """Released schemas keep their number until a field has to go."""
    for schema, cls in REPORTS.items():
        assert schema.startswith("srshell.")
        assert schema.endswith("/1")
        assert attrs.has(cls)


def persisted() -> list[type[Any]]:
    """Classes whose values are stored or sent."""
    rows = [value for value in vars(report).values() if isinstance(value, type)]
    objects = [value for value in vars(inventory).values() if isinstance(value, type)]
    return [cls for cls in (*rows, *objects) if attrs.has(cls)]


@pytest.mark.parametrize("cls", persisted(), ids=lambda cls: cls.__name__)
def test_stored_values_are_frozen_and_have_neither_private_fields_nor_converters(
    cls: type[Any],
) -> None:
    """Msgspec drops private fields silently and runs no converters."""
    assert attrs.fields(cls)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(object.__new__(cls), attrs.fields(cls)[0].name, None)
    for field in attrs.fields(cls):
        assert not field.name.startswith("_")
        assert field.converter is None


@pytest.mark.parametrize(
    "value",
    [
        Volume("V", "A", "P", VolumeKind.LOG, 1, 1),
        Pair("A", "B"),
        Event(1, 1.0, "info", "A", "SR1011", "text"),
        Job(1, "refresh", "A"),
        Candidate("/x", PoolKind.FILE, 1, 1, 1, "8:1", True, True, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_of_the_inventory_read_back(value: object) -> None:
    """The catalogue stores them as JSON."""
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_a_pair_knows_its_other_end() -> None:
    """The relation has no direction."""
    assert (Pair("A", "B").other("A"), Pair("A", "B").other("B")) == ("B", "A")
    both = inventory.Partnership("1" * 32, "PriRG", "RecRG")
    assert (both.other("PriRG"), both.other("RecRG")) == ("RecRG", "PriRG")
    assert inventory.Pool("P", "A", PoolKind.FILE, "/p", 1, 1, 1).location == "A/P"
