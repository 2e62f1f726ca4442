"""Pictures of a fabric to draw: the article's example in each of its situations, at one moment.

Always true: nothing here depends on the clock or the machine; every picture is a list of frames.
"""
# ruff: noqa: ANN401 - a field of any type can be changed

from __future__ import annotations

import json
from typing import Any

import attrs

from srshell.fabric.feed import Frame
from srshell.model.errors import SrError
from srshell.model.forecast import Forecast
from srshell.model.geometry import GIB, MIB
from srshell.model.health import HealthReason
from srshell.model.inventory import (
    Event,
    Job,
    JobState,
    Pair,
    Step,
    StepState,
    Volume,
    VolumeKind,
)
from srshell.model.meters import Latency, Legs, Rates
from srshell.model.report import (
    ArrayReport,
    GroupReport,
    GroupStatus,
    GroupVolume,
    InfoReport,
    PoolRow,
    Progress,
    SiteRow,
    SplitSide,
    VmRow,
)
from srshell.model.states import ReplicationHealth, ReplicationState
from srshell_tui.scene import Look, Scene
from srshell_tui.store import FabricView, hear

_H = ReplicationHealth
_S = ReplicationState
#: 2026-03-02 12:04:31 UTC.
NOW = 1772453071.0


def info(**changes: Any) -> InfoReport:
    """The owner and its two sites."""
    sites = (
        SiteRow("ClusterA", "redmond", 4130, "running", (_pool("PoolA", 371),), peer="ClusterB"),
        SiteRow("ClusterB", "bellevue", 4131, "running", (_pool("PoolB", 402),), peer="ClusterA"),
    )
    made = InfoReport("/fabrics/lab-east", 4121, "/fabrics/lab-east/run/owner.api", sites,
                      identity="f" * 32, owner_term=3)  # fmt: skip
    return attrs.evolve(made, **changes)


def _pool(name: str, free_gib: int) -> PoolRow:
    return PoolRow(name, 1400 * GIB, free_gib * GIB, "gold", path=f"/pools/{name}")


LEGS = Legs(
    write=Latency(28440, 0.00142, 0.00308, 0.0064, 0.0112),
    queue=Latency(28440, 0.00006, 0.0002, 0.0011, 0.0027),
    local_log=Latency(28440, 0.00038, 0.0009, 0.0022, 0.0041),
    remote_log=Latency(28440, 0.00117, 0.00248, 0.0050, 0.0113),
    apply=Latency(28440, 0.0125, 0.025, 0.1, 0.1042),
    round_trip=Latency(10, 0.00081, 0.0016, 0.0016, 0.0016),
)


def side(name: str = "PriRG", **changes: Any) -> GroupStatus:
    """One side of the article's group while it is in sync."""
    east = name == "PriRG"
    data, log = ("PrimaryVol", "PrimaryLogVol") if east else ("RecoveryVol", "RecoveryLogVol")
    made = GroupStatus(
        name=name,
        is_primary=east,
        replication_state=_S.SYNCHRONIZING,
        replication_health=_H.NORMAL,
        array="ClusterA" if east else "ClusterB",
        health_reasons=(),
        failover_ready=True,
        failover_ready_reason="every acknowledged write is in both logs",
        rpo_seconds=0.0,
        peer="RecRG" if east else "PriRG",
        peer_state="Synchronizing",
        epoch=7,
        durable_lsn=8841203,
        acked_lsn=8841203,
        applied_lsn=8841203 if east else 8830155,
        progress=None,
        volumes=(
            GroupVolume(data, "data", 64 * GIB, 4096, f"/pools/{data}"),
            GroupVolume(log, "log", 8 * GIB, 4096, f"/pools/{log}"),
        ),
        vms=(VmRow("DemoVM", "PrimaryVol", "ClusterA", "PriRG", written_records=124881),)
        if east
        else (),
        as_of=0.0,
        role="Primary" if east else "Secondary",
        data_state="UpToDate",
        log_bytes=8 * GIB,
        log_bytes_free=7 * GIB if east else 7400 * MIB,
        bytes_behind=0 if east else None,
        latency=LEGS if east else Legs(),
        rates=Rates(10.0, 2844.0, 182.0 * MIB) if east else Rates(),
        log_covers_seconds=7 * 1024 / 182.0 if east else None,
        forecast=Forecast(True, 0, 0, 2.6),
        writes_total=100_000 if east else 0,
        written_bytes_total=10 * GIB if east else 0,
    )
    return attrs.evolve(made, **changes)


def both(**changes: Any) -> tuple[GroupStatus, GroupStatus]:
    """Both sides, with the same changes."""
    return side("PriRG", **changes), side("RecRG", **changes)


def event(number: int, level: str, about: str, code: str, text: str, who: str = "") -> Event:
    """An event, some seconds before now."""
    return Event(number, NOW - 20 * (12 - number), level, about, code, text, who)


EVENTS = (
    event(1, "info", "PriRG", "SR4001", "PriRG is protected by RecRG"),
    event(2, "info", "PriRG", "SR5201", "PriRG is in sync: Replicating > Synchronizing"),
    event(3, "warning", "PriRG", "SR5304", "the log of PriRG is 41% full"),
    event(4, "info", "ClusterA", "SR9004", "a lock left by a dead owner was taken over"),
)
JOBS = (
    Job(16, "suspend PriRG", "PriRG", JobState.DONE, NOW - 900, NOW - 890),
    Job(17, "refresh --all", "ClusterA", JobState.RUNNING, NOW - 60, None, 27 * GIB, 64 * GIB,
        steps=(Step("read", "read arrays", StepState.DONE, NOW - 60, NOW - 59),
               Step("copy", "copy PriRG to RecRG", StepState.BEGUN, NOW - 59))),
)  # fmt: skip
FAILED_JOB = Job(
    18, "failover PriRG --planned", "PriRG", JobState.FAILED, NOW - 30, NOW - 29,
    steps=(Step("seal", "stop taking writes on PriRG", StepState.UNDONE, NOW - 30, NOW - 29),),
    error=json.dumps(SrError.make("SR6003", "the site of ClusterB does not answer", group="PriRG",
                                  array="ClusterB", target="RecRG").to_json()),
)  # fmt: skip


def _volume(name: str, array: str, pool: str, kind: VolumeKind, gib: int) -> Volume:
    return Volume(name, array, pool, kind, gib * GIB, 4096, f"/pools/{pool}/{name}",
                  created_unix=NOW - 7200)  # fmt: skip


def picture(*status: GroupStatus, **changes: Any) -> Frame:
    """A whole picture of the example."""
    arrays = tuple(
        ArrayReport(site.array, site.site, site.pools, site.peer) for site in info().sites
    )
    data, log = VolumeKind.DATA, VolumeKind.LOG
    volumes = (
        _volume("PrimaryVol", "ClusterA", "PoolA", data, 64),
        _volume("PrimaryLogVol", "ClusterA", "PoolA", log, 8),
        _volume("RecoveryVol", "ClusterB", "PoolB", data, 64),
        _volume("RecoveryLogVol", "ClusterB", "PoolB", log, 8),
    )
    groups = (
        GroupReport(
            "PriRG", "ClusterA", ("PrimaryVol",), "PrimaryLogVol", "sync", "continue", "RecRG"
        ),
        GroupReport(
            "RecRG", "ClusterB", ("RecoveryVol",), "RecoveryLogVol", "sync", "continue", "PriRG"
        ),
    )
    vms = (VmRow("DemoVM", "PrimaryVol", "ClusterA", "PriRG", written_records=124881),)
    pairs = (Pair("ClusterA", "ClusterB", NOW - 9000),)
    made = Frame(1, NOW, True, info(), status or both(), arrays, volumes, pairs, groups, vms,
                 JOBS, EVENTS)  # fmt: skip
    return attrs.evolve(made, **changes)


def running(first: Frame, seconds: int = 30, per_second: int = 180 * MIB) -> list[Frame]:
    """The picture, then frames in which the source writes at a rate that swings a little."""
    frames = [first]
    row = first.status[0]
    for number in range(1, seconds + 1):
        more = per_second * (4 + number % 5) // 6
        row = attrs.evolve(
            row,
            writes_total=row.writes_total + more // (64 * 1024),
            written_bytes_total=row.written_bytes_total + more,
        )
        frames.append(Frame(first.seq + number, first.unix + number, False, status=(row,)))
    return frames


COPYING = both(
    forecast=Forecast(possible=False),
    replication_state=_S.REPLICATING,
    replication_health=_H.WARNING,
    health_reasons=(HealthReason("first-copy", "the first copy is under way"),),
    failover_ready=False,
    failover_ready_reason="the first copy has not ended",
    rpo_seconds=None,
    progress=Progress("initial-copy", 27 * GIB, 64 * GIB, 394.0, 96.0 * MIB),
)
EARLY = both(
    forecast=Forecast(possible=False),
    replication_state=_S.REPLICATING,
    replication_health=_H.WARNING,
    health_reasons=(HealthReason("first-copy", "the first copy is under way"),),
    failover_ready=False,
    failover_ready_reason="the first copy has not ended",
    rpo_seconds=None,
    progress=Progress("initial-copy", 100 * MIB, 64 * GIB, None, 0.0),
)
ALONE = (
    side(
        forecast=Forecast(True, 14400, 900 * MIB, 2.6),
        replication_state=_S.WAITING_FOR_DESTINATION,
        replication_health=_H.CRITICAL,
        health_reasons=(
            HealthReason("peer-away-long", "the destination has been away for 42 s"),
            HealthReason("log-fill", "the log is 81% full, 1.5 GiB left"),
        ),
        failover_ready=False,
        failover_ready_reason="the destination does not answer",
        rpo_seconds=42.0,
        log_bytes_free=1500 * MIB,
        bytes_behind=900 * MIB,
        waiting_on="RecRG",
    ),
    side(
        "RecRG",
        replication_state=_S.ERROR,
        replication_health=_H.CRITICAL,
        health_reasons=(HealthReason("site-down", "the site of ClusterB does not answer"),),
        as_of=NOW - 42,
    ),
)
SPLIT = both(
    forecast=Forecast(),
    replication_state=_S.SPLIT_BRAIN,
    replication_health=_H.CRITICAL,
    health_reasons=(HealthReason("split-brain", "both sides hold writes that the other lacks"),),
    failover_ready=False,
    failover_ready_reason="the sides have diverged",
    rpo_seconds=None,
    split=(
        SplitSide("ClusterA", 240, 983040, 8841203, 8841443, NOW - 90, NOW - 60),
        SplitSide("ClusterB", 0, 0, 8841203, 8841203, None, None),
    ),
)
SUSPENDED = (
    side(
        forecast=Forecast(True, 480, 30 * MIB, None),
        replication_state=_S.SUSPENDED,
        replication_health=_H.WARNING,
        health_reasons=(HealthReason("suspended", "replication was suspended by a person"),),
        failover_ready=False,
        failover_ready_reason="replication is suspended",
        rpo_seconds=12.0,
        bytes_behind=30 * MIB,
    ),
    side(
        "RecRG",
        replication_state=_S.WAITING_FOR_SOURCE,
        replication_health=_H.WARNING,
        health_reasons=(HealthReason("peer-away", "the source does not answer"),),
        failover_ready=False,
        failover_ready_reason="replication is suspended",
        rpo_seconds=12.0,
    ),
)
EMPTY = Frame(1, NOW, True, info(sites=()))


def view_of(*frames: Frame, view: FabricView | None = None) -> FabricView:
    """The view once frames were heard, each a second after the one before."""
    known = view or FabricView(since=NOW)
    for frame in frames:
        known = hear(known, frame, NOW + frame.unix - NOW)
    return known


def scene(view: FabricView, screen: str = "overview", width: int = 80, height: int = 24,
          **changes: Any) -> Scene:  # fmt: skip
    """A person who looks at a view; fields of the look or of the scene can be changed."""
    looks = {field.name for field in attrs.fields(Look)}
    look = Look(screen, **{"group": "PriRG", **{k: v for k, v in changes.items() if k in looks}})
    rest = {k: v for k, v in changes.items() if k not in looks}
    now = rest.pop("now", view.heard or NOW) if view.told else view.since + 7
    return Scene(view, look, now, width, height, **rest)
