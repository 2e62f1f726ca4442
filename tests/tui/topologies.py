"""Topology tests that were carried out, as values: fit, and not fit in two ways."""
# ruff: noqa: ANN401 - any fact can be changed

from __future__ import annotations

from typing import Any

import attrs

from srshell.fabric.snapshot import Snapshot
from srshell.fabric.topology import NOT_TESTED, Facts, advise, expected_write, judge, verdict_of
from srshell.model.geometry import GIB, MIB
from srshell.model.inventory import Group, Pair, Partnership, Volume, VolumeKind
from srshell.model.topology import (
    ArrayMeasure,
    DiskMeasure,
    LinkMeasure,
    Load,
    Spread,
    TopologyReport,
)

NOW = 1772453071.0
ROUND_TRIP = Spread.of([0.0008 + 0.00001 * (n % 50) for n in range(500)])
FLUSH = Spread.of([0.0003 + 0.00002 * (n % 40) for n in range(400)])
LINK = LinkMeasure(ROUND_TRIP, 1250.0 * MIB, (1200.0 * MIB, 1300.0 * MIB, 1250.0 * MIB))


def disk(name: str, **changes: Any) -> DiskMeasure:
    """A pool that was measured."""
    made = DiskMeasure(
        name, f"/pools/{name}", "8:16" if name == "PoolA" else "8:32", 371 * GIB, 64 * MIB,
        FLUSH, 9000.0, 420.0 * MIB,
    )  # fmt: skip
    return attrs.evolve(made, **changes)


def facts(**changes: Any) -> Facts:
    """The article's arrays, fit to replicate."""
    one = ArrayMeasure("ClusterA", "redmond", disk("PoolA"), LINK, 0.0)
    other = ArrayMeasure("ClusterB", "bellevue", disk("PoolB"), LINK, 0.003)
    load = Load("observed", 61.0 * MIB, 182.0 * MIB, 2844.0, (61.0 * MIB, 182.0 * MIB, 40.0 * MIB))
    return attrs.evolve(Facts(snapshot(), (one, other), load), **changes)


def snapshot(log_bytes: int = 8 * GIB) -> Snapshot:
    """One protected group; the size of the destination's log can be changed."""
    data, log = VolumeKind.DATA, VolumeKind.LOG
    return Snapshot(
        volumes=(
            Volume("PrimaryVol", "ClusterA", "PoolA", data, 64 * GIB, 4096, "/a"),
            Volume("PrimaryLogVol", "ClusterA", "PoolA", log, 8 * GIB, 4096, "/b"),
            Volume("RecoveryVol", "ClusterB", "PoolB", data, 64 * GIB, 4096, "/c"),
            Volume("RecoveryLogVol", "ClusterB", "PoolB", log, log_bytes, 4096, "/d"),
        ),
        pairs=(Pair("ClusterA", "ClusterB", NOW),),
        groups=(
            Group("PriRG", "ClusterA", ("PrimaryVol",), "PrimaryLogVol"),
            Group("RecRG", "ClusterB", ("RecoveryVol",), "RecoveryLogVol"),
        ),
        partnerships=(Partnership("1" * 32, "PriRG", "RecRG"),),
    )


def report(found: Facts) -> TopologyReport:
    """What the owner makes of facts."""
    rules = judge(found)
    return TopologyReport(
        *found.names, verdict_of(rules), rules, found.arrays, found.load, advise(found),
        expected_write(found), NOT_TESTED, NOW, 10.0, "/fabrics/lab-east",
    )  # fmt: skip


def ready() -> TopologyReport:
    """Everything holds."""
    return report(facts())


def broken() -> TopologyReport:
    """Unequal logs, a slow link, no load, a disk that could not be measured."""
    slow = LinkMeasure(Spread.of([0.02, 0.021, 0.022]), 94.0 * MIB)
    one, other = facts().arrays
    arrays = (
        attrs.evolve(one, link=slow),
        attrs.evolve(other, disk=disk("PoolB", problem="no space left on device", flush=Spread())),
    )
    load = Load("synthetic", 70.0 * MIB, 70.0 * MIB, 9000.0)
    return report(facts(arrays=arrays, snapshot=snapshot(4 * GIB), load=load))
