"""One row for each way to break a rule: the broken command, and the same command in order.

A row is what the specification says about a refusal; the tests go through all of them.
"""
# ruff: noqa: ANN401 - a fact of any type can be changed

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from srshell.fabric import checks
from srshell.fabric.checks import Verdict, View, Wanted
from srshell.model.geometry import GIB, MIB
from srshell.model.inventory import Mode, Pair, PoolKind, Vm, VolumeKind
from srshell.model.replica import Divergence, Flow, LinkState, ReplicaData, ReplicaRole
from tests.unit.fabric.world import (
    GONE,
    A,
    B,
    candidate,
    failed_over,
    group,
    partnership,
    pool,
    protected,
    snapshot,
    view,
    volume,
)


@attrs.frozen
class Refusal:
    """A rule, the code it is refused with, and the two sides of the line."""

    rule: int
    code: str
    broken: Callable[[], Verdict]
    in_order: Callable[[], Verdict]
    label: str = ""

    def __str__(self) -> str:
        return f"R{self.rule}{'-' if self.label else ''}{self.label}"


def _discover(**changes: Any) -> Verdict:
    array = changes.pop("array", "ClusterC")
    engine = changes.pop("engine", "native")
    return checks.check_discover(view(), candidate(**changes), array, engine)


def _pair(known: View, a: str = A, b: str = B) -> Verdict:
    return checks.check_pair(known, a, b)


def _unpaired(**changes: Any) -> View:
    return view(pairs=(), **changes)


def _arrays(**changes: Any) -> View:
    first, second = snapshot().arrays
    return _unpaired(arrays=(attrs.evolve(first, **changes), second))


def _provision(known: View, size_bytes: int = GIB, array: str = A, name: str = "PoolA") -> Verdict:
    wanted = Wanted("NewVol", array, name, VolumeKind.DATA, size_bytes, 4096)
    return checks.check_provision(known, (wanted,))


def _twins(block_bytes: int, kind: VolumeKind) -> Verdict:
    wanted = (
        Wanted("NewA", A, "PoolA", kind, GIB, 4096),
        Wanted("NewB", B, "PoolB", kind, GIB, block_bytes),
    )
    return checks.check_provision(view(), wanted, (("NewA", "NewB"),))


def _group(known: View, data: tuple[str, ...] = ("PrimaryVol",), log: str | None = "PrimaryLogVol",
           **options: Any) -> Verdict:  # fmt: skip
    return checks.check_group(known, "NewRG", data, log, **options)


def _ungrouped(*more: Any, **changes: Any) -> View:
    volumes = (*changes.pop("volumes", snapshot().volumes), *more)
    return view(groups=changes.pop("groups", ()), volumes=volumes, **changes)


def _with(name: str, **changes: Any) -> tuple[Any, ...]:
    """The volumes of the example, one of them changed."""
    return tuple(attrs.evolve(v, **changes) if v.name == name else v for v in snapshot().volumes)


def _enable(known: View, destination: str | None = "RecRG", **options: Any) -> Verdict:
    return checks.check_enable(known, "PriRG", destination, **options)


def _groups(**changes: Any) -> View:
    """The groups of the example, RecRG changed."""
    return view(groups=(group("PriRG"), group("RecRG", **changes)))


def _failover(known: View, kind: str = "planned", name: str = "RecRG", **options: Any) -> Verdict:
    return checks.check_failover(known, name, kind, confirm="RecRG", **options)


def _failback(known: View, **options: Any) -> Verdict:
    return checks.check_failback(known, "RecRG", confirm="PriRG", **options)


def _add(known: View, on: str = "PrimaryVol") -> Verdict:
    return checks.check_add_vm(known, "DemoVM", on)


def _two_pools() -> tuple[Any, ...]:
    return (pool(A), pool(B), pool(A, name="PoolC", path="/disks/more", managed=False))


LOST: dict[str, Any] = {"link": LinkState.CONNECTING, "flow": Flow.IDLE}
COPYING: dict[str, Any] = {"flow": Flow.INITIAL_COPY}
CATCHING_UP: dict[str, Any] = {"flow": Flow.LOG_REPLAY}
SEALED: dict[str, Any] = {"sealed": True, "flow": Flow.SEALED, "writable": False}
SPLIT: dict[str, Any] = {
    "link": LinkState.REFUSED,
    "flow": Flow.IDLE,
    "split": Divergence(5, 9, 3, 12288),
}
OLD_VM = Vm("DemoVM", "PrimaryVol", "PriRG", A)

#: A pair of paired, empty arrays beside the example, for rules about pairing.
_three = (*snapshot().arrays, attrs.evolve(snapshot().arrays[1], name="ClusterC"))
EXTRA_LOG = volume("PriLog2")
EXTRA_VOL = volume("PriVol2")

SETUP: tuple[Refusal, ...] = (
    Refusal(3, "SR3003", lambda: _enable(view(), mode="async"), lambda: _enable(view())),
    Refusal(3, "SR3003", lambda: _group(_ungrouped(), mode="async"),
            lambda: _group(_ungrouped(), mode="sync"), "group"),
    Refusal(4, "SR1005", lambda: _pair(_unpaired(arrays=snapshot().arrays[:1]), A, A),
            lambda: _pair(_unpaired())),
    Refusal(5, "SR2006",
            lambda: _pair(_unpaired(pools=(pool(A), pool(B, kind=PoolKind.VOLUME)))),
            lambda: _pair(_unpaired(pools=(pool(A, kind=PoolKind.VOLUME),
                                           pool(B, kind=PoolKind.VOLUME))))),
    Refusal(5, "SR2006",
            lambda: _enable(view(pools=(pool(A), pool(B, kind=PoolKind.VOLUME)))),
            lambda: _enable(view()), "enable"),
    Refusal(7, "SR1101", lambda: _discover(problems=("it is mounted read-only",)), _discover),
    Refusal(7, "SR1101", lambda: _enable(view(west={"pool_failures": {"PoolB": "EIO"}})),
            lambda: _enable(view()), "enable"),
    Refusal(7, "SR1101",
            lambda: checks.check_refresh(view(east={"pool_failures": {"PoolA": "EIO"}}), (A,)),
            lambda: checks.check_refresh(view(), (A,)), "refresh"),
    Refusal(8, "SR1003", lambda: _discover(where="/disks/east/inner"), _discover, "nested"),
    Refusal(8, "SR1003", lambda: _pair(_unpaired(pools=(pool(A), pool(B, path="/disks/east")))),
            lambda: _pair(_unpaired())),
    Refusal(8, "SR1003",
            lambda: _enable(view(volumes=_with("RecoveryVol", backing="8:16:PrimaryVol"))),
            lambda: _enable(view()), "enable"),
    Refusal(9, "SR2001",
            lambda: _enable(view(volumes=_with("RecoveryVol", size_bytes=GIB - 4096))),
            lambda: _enable(view())),
    Refusal(10, "SR2002", lambda: _enable(view(volumes=_with("RecoveryVol", block_bytes=512))),
            lambda: _enable(view())),
    Refusal(10, "SR2002", lambda: _twins(512, VolumeKind.DATA),
            lambda: _twins(4096, VolumeKind.DATA), "provision"),
    Refusal(11, "SR2003",
            lambda: _enable(view(volumes=_with("RecoveryLogVol", size_bytes=128 * MIB))),
            lambda: _enable(view())),
    Refusal(12, "SR2002", lambda: _enable(view(volumes=_with("RecoveryLogVol", block_bytes=512))),
            lambda: _enable(view())),
    Refusal(12, "SR2002", lambda: _twins(512, VolumeKind.LOG),
            lambda: _twins(4096, VolumeKind.LOG), "provision"),
    Refusal(13, "SR8003", lambda: _pair(_unpaired(strict=True, east={"bits_per_second": 94e6})),
            lambda: _pair(_unpaired(strict=True, east={"bits_per_second": 2.5e9}))),
    Refusal(15, "SR8001", lambda: _pair(_unpaired(west={"unreachable_peers": (A,)})),
            lambda: _pair(_unpaired())),
    Refusal(15, "SR8001", lambda: _enable(view(east={"unreachable_peers": (B,)})),
            lambda: _enable(view()), "enable"),
    Refusal(16, "SR1006", lambda: _pair(_unpaired(west={"may_operate": False})),
            lambda: _pair(_unpaired())),
    Refusal(16, "SR1006", lambda: _discover(writable=False), _discover, "discover"),
    Refusal(18, "SR1001", lambda: _pair(_arrays(fabric="e" * 32)), lambda: _pair(_unpaired())),
    Refusal(18, "SR1001", lambda: _discover(fabric="e" * 32),
            lambda: _discover(fabric="f" * 32), "discover"),
    Refusal(19, "SR8006", lambda: _discover(engine="asr"), _discover),
    Refusal(20, "SR3004", lambda: _group(_ungrouped(strict=True), consistency=True),
            lambda: _group(_ungrouped(), consistency=True)),
    Refusal(21, "SR1107", lambda: _pair(_unpaired(), A, "Nowhere"), lambda: _pair(_unpaired())),
    Refusal(21, "SR1107", lambda: _provision(view(), array="ClusterX"),
            lambda: _provision(view()), "provision"),
    Refusal(22, "SR1108", lambda: _provision(view(pools=_two_pools()), name="PoolC"),
            lambda: _provision(view())),
    Refusal(22, "SR1108", lambda: _provision(view(), name="PoolX"),
            lambda: _provision(view()), "unknown"),
    Refusal(23, "SR1110",
            lambda: _provision(view(pools=(pool(A, classification=None), pool(B)))),
            lambda: _provision(view())),
    Refusal(24, "SR1004", lambda: _pair(_arrays(cluster="SITE-A")),
            lambda: _pair(_arrays(cluster=A))),
    Refusal(25, "SR1009", lambda: checks.check_rename(view(groups=()), A, "SITE-A"),
            lambda: checks.check_rename(_unpaired(groups=()), A, "SITE-A")),
    Refusal(26, "SR1010", lambda: _provision(_unpaired()), lambda: _provision(view())),
    Refusal(27, "SR1106", lambda: _pair(_unpaired(), A, A), lambda: _pair(_unpaired())),
    Refusal(27, "SR1002", lambda: _pair(view(arrays=_three), A, "ClusterC"),
            lambda: _pair(view(pairs=(Pair(A, B),))), "other peer"),
    Refusal(29, "SR1111", lambda: _provision(view(), name="PoolB"), lambda: _provision(view())),
    Refusal(30, "SR3006", lambda: _group(_ungrouped(), log=None), lambda: _group(_ungrouped())),
    Refusal(31, "SR3007", lambda: _group(_ungrouped(), log="RecoveryLogVol"),
            lambda: _group(_ungrouped())),
    Refusal(32, "SR2001",
            lambda: _enable(view(volumes=_with("PrimaryVol", size_bytes=2 * GIB))),
            lambda: _enable(view())),
    Refusal(33, "SR2005", lambda: _provision(view(), 301 * GIB), lambda: _provision(view())),
    Refusal(36, "SR3008",
            lambda: _group(_ungrouped(east={"contents": {"PrimaryLogVol": "an ext4 file system"}})),
            lambda: _group(_ungrouped()), "content"),
    Refusal(36, "SR3008", lambda: _group(view(volumes=(*snapshot().volumes, EXTRA_VOL)),
                                         ("PriVol2",)),
            lambda: _group(_ungrouped(EXTRA_VOL), ("PriVol2",)), "serves"),
    Refusal(37, "SR4001", lambda: _group(_ungrouped(volumes=_with("PrimaryLogVol", job=41))),
            lambda: _group(_ungrouped())),
    Refusal(38, "SR3009", lambda: _group(_ungrouped(), ()), lambda: _group(_ungrouped()), "none"),
    Refusal(38, "SR3009", lambda: _group(_ungrouped(EXTRA_LOG), ("PriLog2",)),
            lambda: _group(_ungrouped()), "log as data"),
    Refusal(39, "SR3010", lambda: _group(_ungrouped(), ("PrimaryVol", "RecoveryVol")),
            lambda: _group(_ungrouped(EXTRA_VOL), ("PrimaryVol", "PriVol2"))),
    Refusal(40, "SR3002",
            lambda: _group(view(volumes=(*snapshot().volumes, EXTRA_LOG)), log="PriLog2"),
            lambda: _group(_ungrouped(EXTRA_LOG), log="PriLog2")),
    Refusal(41, "SR3001",
            lambda: _enable(view(groups=(group("PriRG", data=("PrimaryVol", "PriVol2")),
                                         group("RecRG")),
                                 volumes=(*snapshot().volumes, EXTRA_VOL))),
            lambda: _enable(view())),
    Refusal(42, "SR0103",
            lambda: checks.check_group(view(), "PriRG", ("PrimaryVol",), "PriLog2"),
            lambda: checks.check_group(view(), "PriRG", ("PrimaryVol",), "PrimaryLogVol")),
    Refusal(43, "SR3012", lambda: _enable(_groups(created_on_array=False)),
            lambda: _enable(view())),
    Refusal(44, "SR4004", lambda: _enable(_unpaired()), lambda: _enable(view())),
    Refusal(44, "SR4003", lambda: _enable(_groups(array=A)), lambda: _enable(view()), "same side"),
    Refusal(45, "SR4005", lambda: _enable(view(), None), lambda: _enable(view())),
    Refusal(46, "SR4006", lambda: _enable(_groups(mode=Mode.ASYNC)), lambda: _enable(view())),
    Refusal(47, "SR4007",
            lambda: _enable(view(
                groups=(*snapshot().groups, group("PriOld")),
                partnerships=(partnership(source="PriOld"),))),
            lambda: _enable(view())),
    Refusal(48, "SR4008",
            lambda: _enable(view(west={"open_writers": {"RecoveryVol": "an NBD client"}})),
            lambda: _enable(view())),
    Refusal(49, "SR4002",
            lambda: _enable(view(west={"contents": {"RecoveryVol": "ext4 photos"}})),
            lambda: _enable(view(west={"contents": {"RecoveryVol": "ext4 photos"}}),
                            confirm="RecRG")),
)  # fmt: skip

RUNNING: tuple[Refusal, ...] = (
    Refusal(53, "SR5004",
            lambda: checks.check_progress(protected(LOST), "PriRG", ()),
            lambda: checks.check_progress(protected(COPYING), "PriRG", ())),
    Refusal(54, "SR6012",
            lambda: checks.check_roles(protected(west={"role": ReplicaRole.PRIMARY, "epoch": 2,
                                                       "writable": True})),
            lambda: checks.check_roles(protected())),
    Refusal(56, "SR9106", lambda: _add(protected(COPYING)), lambda: _add(protected())),
    Refusal(57, "SR9103", lambda: _add(protected(), "RecoveryVol"), lambda: _add(protected())),
    Refusal(59, "SR6013", lambda: _failover(protected(CATCHING_UP)),
            lambda: _failover(protected())),
    Refusal(59, "SR6001", lambda: _failover(protected(COPYING)),
            lambda: _failover(protected()), "first copy"),
    Refusal(59, "SR6026",
            lambda: _failover(protected(LOST, {"data": ReplicaData.INCONSISTENT}, here=GONE),
                              "unplanned"),
            lambda: _failover(protected(LOST, here=GONE), "unplanned"), "inconsistent"),
    Refusal(59, "SR6013", lambda: checks.check_prepare(protected(CATCHING_UP), "PriRG"),
            lambda: checks.check_prepare(protected(), "PriRG"), "prepare"),
    Refusal(60, "SR6015", lambda: _failover(protected(strict=True)),
            lambda: _failover(protected(SEALED, strict=True))),
    Refusal(61, "SR6016", lambda: _failover(protected(SEALED, strict=True), name="PriRG"),
            lambda: _failover(protected(SEALED), name="PriRG")),
    Refusal(62, "SR6017", lambda: checks.check_prepare(protected(strict=True), "RecRG"),
            lambda: checks.check_prepare(protected(), "RecRG")),
    Refusal(63, "SR6018", lambda: _failover(protected(strict=True), "unplanned"),
            lambda: _failover(protected(LOST, here=GONE, strict=True), "unplanned")),
    Refusal(63, "SR6018", lambda: _failover(protected(here={"may_fence": False}), "unplanned"),
            lambda: _failover(protected(), "unplanned"), "cannot fence"),
    Refusal(64, "SR6019", lambda: _failover(protected(), "test"),
            lambda: _failover(protected())),
    Refusal(67, "SR6005", lambda: _failover(protected(SPLIT)), lambda: _failover(protected())),
    Refusal(69, "SR6006", lambda: _failback(failed_over(vms=(OLD_VM,))),
            lambda: _failback(failed_over())),
    Refusal(70, "SR6020", lambda: checks.check_suspend(protected(SEALED), "PriRG"),
            lambda: checks.check_suspend(protected(), "PriRG")),
    Refusal(71, "SR6021", lambda: _failback(failed_over(west=CATCHING_UP, strict=True)),
            lambda: _failback(failed_over(west=CATCHING_UP))),
    Refusal(72, "SR6022", lambda: _failback(failed_over(), target="RecRG"),
            lambda: _failback(failed_over(), target="PriRG")),
    Refusal(73, "SR6007", lambda: _failback(protected()), lambda: _failback(failed_over())),
    Refusal(77, "SR7003",
            lambda: _group(view(groups=(group("PriRG", log="Gone"), group("RecRG")),
                                volumes=(*snapshot().volumes, EXTRA_VOL),
                                east={"log_labels": {"PrimaryLogVol": partnership().partnership}},
                                partnerships=(partnership(torn_down=("RecRG",)),)),
                           ("PriVol2",)),
            lambda: _group(_ungrouped(EXTRA_VOL), ("PriVol2",))),
)  # fmt: skip

REFUSALS: tuple[Refusal, ...] = (*SETUP, *RUNNING)
