"""The article's example as a view: ClusterA and ClusterB, PriRG protected by RecRG, in sync.

Every function returns a new value; tests change one fact and look at what the rules say.
"""
# ruff: noqa: ANN401 - a fact of any type can be changed

from __future__ import annotations

from typing import Any

import attrs

from srshell.fabric.snapshot import SiteFacts, Snapshot, View
from srshell.model.geometry import GIB, MIB
from srshell.model.inventory import (
    Array,
    Candidate,
    Classification,
    Group,
    Pair,
    Partnership,
    Pool,
    PoolKind,
    Profile,
    Provider,
    Site,
    Volume,
    VolumeKind,
)
from srshell.model.replica import ReplicaReport, ReplicaRole
from tests.unit.model import replicas

FABRIC = "f" * 32
PARTNERSHIP = "1" * 32
A, B = "ClusterA", "ClusterB"


def candidate(**changes: Any) -> Candidate:
    """A directory that would make a good pool."""
    good = Candidate(
        where="/disks/third",
        kind=PoolKind.FILE,
        size_bytes=512 * GIB,
        free_bytes=300 * GIB,
        block_bytes=4096,
        device="8:48",
        writable=True,
        honours_flush=True,
        blank=True,
    )
    return attrs.evolve(good, **changes)


def pool(array: str, **changes: Any) -> Pool:
    """The pool of one array, on a disk of its own."""
    east = array == A
    made = Pool(
        name="PoolA" if east else "PoolB",
        array=array,
        kind=PoolKind.FILE,
        path="/disks/east" if east else "/disks/west",
        size_bytes=512 * GIB,
        free_bytes=300 * GIB,
        block_bytes=4096,
        device="8:16" if east else "8:32",
        managed=True,
        classification="gold",
    )
    return attrs.evolve(made, **changes)


def volume(name: str, **changes: Any) -> Volume:
    """A volume of the example; its place and kind follow from its name."""
    east = name.startswith("Pri")
    log = "Log" in name
    made = Volume(
        name=name,
        array=A if east else B,
        pool="PoolA" if east else "PoolB",
        kind=VolumeKind.LOG if log else VolumeKind.DATA,
        size_bytes=64 * MIB if log else GIB,
        block_bytes=4096,
        backing=f"8:16:{name}",
    )
    return attrs.evolve(made, **changes)


def group(name: str, **changes: Any) -> Group:
    """PriRG or RecRG."""
    east = name.startswith("Pri")
    made = Group(
        name=name,
        array=A if east else B,
        data=("PrimaryVol",) if east else ("RecoveryVol",),
        log="PrimaryLogVol" if east else "RecoveryLogVol",
    )
    return attrs.evolve(made, **changes)


def partnership(**changes: Any) -> Partnership:
    """PriRG protected by RecRG, both providers refreshed."""
    made = Partnership(PARTNERSHIP, "PriRG", "RecRG", refreshed=(A, B))
    return attrs.evolve(made, **changes)


def report(array: str, **changes: Any) -> ReplicaReport:
    """What one replica says while the group is in sync; ClusterA is primary."""
    if array == A:
        return replicas.primary(partnership=PARTNERSHIP, **changes)
    names = {"group": "RecRG", "peer_group": "PriRG", "peer_array": A}
    return replicas.secondary(partnership=PARTNERSHIP, **{**names, **changes})


def snapshot(**changes: Any) -> Snapshot:
    """Everything set up, nothing protected yet."""
    made = Snapshot(
        fabric=FABRIC,
        providers=(Provider(A, A), Provider(B, B)),
        sites=(Site(A, "redmond"), Site(B, "bellevue")),
        arrays=(Array(A, "redmond", A, fabric=FABRIC), Array(B, "bellevue", B, fabric=FABRIC)),
        pools=(pool(A), pool(B)),
        classifications=(Classification("gold"),),
        volumes=tuple(
            volume(name)
            for name in ("PrimaryVol", "PrimaryLogVol", "RecoveryVol", "RecoveryLogVol")
        ),
        pairs=(Pair(A, B),),
        groups=(group("PriRG"), group("RecRG")),
    )
    return attrs.evolve(made, **changes)


def view(
    known: Snapshot | None = None,
    east: dict[str, Any] | None = None,
    west: dict[str, Any] | None = None,
    *,
    strict: bool = False,
    **changes: Any,
) -> View:
    """Both sites answer; facts of either can be changed, and objects of the snapshot, too."""
    objects = attrs.evolve(known or snapshot(), **changes)
    if strict:
        objects = attrs.evolve(objects, profile=Profile.SEED_STRICT)
    facts = {
        A: attrs.evolve(SiteFacts(A), **(east or {})),
        B: attrs.evolve(SiteFacts(B), **(west or {})),
    }
    return View(objects, facts)


def protected(
    east: dict[str, Any] | None = None,
    west: dict[str, Any] | None = None,
    *,
    here: dict[str, Any] | None = None,
    there: dict[str, Any] | None = None,
    strict: bool = False,
    joined: dict[str, Any] | None = None,
    **changes: Any,
) -> View:
    """PriRG protected by RecRG and in sync.

    Args:
        east: changes of the report of ClusterA.
        west: changes of the report of ClusterB.
        here: changes of the facts of ClusterA.
        there: changes of the facts of ClusterB.
        strict: profile seed-strict.
        joined: changes of the partnership.
        changes: changes of the snapshot.
    """
    return view(
        None,
        {"replicas": (report(A, **(east or {})),), **(here or {})},
        {"replicas": (report(B, **(west or {})),), **(there or {})},
        strict=strict,
        partnerships=(partnership(**(joined or {})),),
        **changes,
    )


def failed_over(**changes: Any) -> View:
    """After a failover: RecRG is primary, both sides are in sync again."""
    east = {"role": ReplicaRole.SECONDARY, "writable": False, "epoch": 2}
    west = {"role": ReplicaRole.PRIMARY, "writable": True, "epoch": 2}
    east.update(changes.pop("east", {}))
    west.update(changes.pop("west", {}))
    return protected(east, west, **changes)


GONE: dict[str, Any] = {"reachable": False, "answered_seconds": 60.0}
