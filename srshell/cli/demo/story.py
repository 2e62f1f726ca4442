"""The article's eleven steps, and then the fire: told on a real fabric of two sites.

Always true:

(1) Every line that begins with ``$`` is what was done, as a person would type it.
(2) What the table says was measured or checked; nothing is assumed.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import attrs

from srshell.cli.demo.dataset import MEBIBYTE, DataSet
from srshell.cli.demo.screen import Screen
from srshell.fabric.reports import VmCheckReport
from srshell.fabric.sync_client import SyncFabric
from srshell.model.report import RoleChange, StatusReport

_VM_BYTES = 16 * MEBIBYTE
_LOG_BYTES = 64 * MEBIBYTE
_VM_RATE = 200
_WAIT_SECONDS = 60.0
_BLOCK_BYTES = 4096
_WORKERS = 16
_MEASURE_SECONDS = 2.0


@attrs.define
class Findings:
    """What the demo measured and checked."""

    acknowledged: int = 0
    missing: int = 0
    problems: list[str] = attrs.field(factory=list)
    copied_bytes: int = 0
    copy_seconds: float = 0.0
    writes_per_second: float = 0.0
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0
    planned: RoleChange | None = None
    back: RoleChange | None = None
    unplanned: RoleChange | None = None
    equal: bool = False


class Story:
    """One run of the demo."""

    def __init__(self, fabric: SyncFabric, folder: Path, data: DataSet, screen: Screen) -> None:
        """Tell the story of ``data`` in a fabric whose places are in ``folder``."""
        self.fabric = fabric
        self.folder = folder
        self.data = data
        self.screen = screen
        self.findings = Findings()
        fabric.observe = screen.observe

    def tell(self) -> Findings:
        """Run all of it.  Raises SrError when a step is refused or fails."""
        self._identify()
        self._provision()
        self._protect()
        self._planned_failover()
        self._failback()
        self._fire()
        self._recovery()
        return self.findings

    def _identify(self) -> None:
        screen, fabric = self.screen, self.fabric
        places = {"ClusterA": self.folder / "east", "ClusterB": self.folder / "west"}
        for place in places.values():
            place.mkdir()
        screen.chapter("1", "Identify storage")
        screen.command("identify ./east ./west")
        found = fabric.identify(*places.values())
        screen.result(f"{len(tuple(found))} places fit")
        screen.chapter("2", "Discover and classify")
        for array, place in places.items():
            screen.command(f"discover ./{place.name} --as {array}")
            pool = fabric.discover(place, array).pools[0].name
            screen.command(f"classify {array}/{pool} gold")
            fabric.classify(f"{array}/{pool}", "gold")
        screen.chapter("3", "Pair")
        screen.command("pair ClusterA ClusterB")
        fabric.pair("ClusterA", "ClusterB")
        screen.result("ClusterA and ClusterB are paired")

    def _provision(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("4", "Provision twins")
        size, log = f"{self.data.size_bytes // MEBIBYTE}M", f"{_LOG_BYTES // MEBIBYTE}M"
        screen.command(
            f"provision PrimaryVol RecoveryVol --size {size}"
            f" --logs PrimaryLogVol RecoveryLogVol --log-size {log}"
        )
        fabric.provision_pair(
            "PrimaryVol",
            "RecoveryVol",
            self.data.size_bytes,
            logs=("PrimaryLogVol", "RecoveryLogVol"),
            log_size=_LOG_BYTES,
        )
        screen.command(f"provision PrimaryVmVol RecoveryVmVol --size {_VM_BYTES // MEBIBYTE}M")
        fabric.provision_pair("PrimaryVmVol", "RecoveryVmVol", _VM_BYTES)
        self._fill()

    def _fill(self) -> None:
        volume, zeros = self.fabric.volume("PrimaryVol"), bytes(MEBIBYTE)
        with self.data.path.open("rb") as image:
            for offset in range(0, self.data.size_bytes, MEBIBYTE):
                piece = image.read(MEBIBYTE)
                if piece != zeros[: len(piece)]:
                    volume.write(offset, piece)
        self.screen.result(f"PrimaryVol now holds an {self.data.kind}")

    def _protect(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("5", "Create replication groups")
        for group, prefix in (("PriRG", "Primary"), ("RecRG", "Recovery")):
            data, log = (f"{prefix}Vol", f"{prefix}VmVol"), f"{prefix}LogVol"
            screen.command(f"group create {group} --data {' '.join(data)} --log {log}")
            fabric.create_group(group, data, log)
        self._add_vm("PrimaryVmVol", "a machine writes from now on, before, while and after")
        screen.chapter("6", "Enable replication")
        screen.command("enable PriRG RecRG")
        fabric.enable("PriRG", "RecRG")
        screen.chapter("7", "Refresh: the first copy begins, the machine goes on writing")
        screen.command("refresh --all")
        began = time.monotonic()
        with screen.bar("first copy"):
            fabric.refresh()
            fabric.wait("PriRG", "Synchronizing", timeout=_WAIT_SECONDS)
        self.findings.copy_seconds = time.monotonic() - began
        self.findings.copied_bytes = _allocated_bytes(self.data.path)
        screen.chapter("8", "Verify status")
        screen.command("status")
        screen.result(_status_lines(fabric.status()))
        screen.chapter("9", "The machine is detected and replicated")
        screen.command("vms")
        for vm in fabric.vms():
            screen.result(f"{vm.name} on {vm.volume}: {vm.state}")
        self._measure_writes()

    def _measure_writes(self) -> None:
        """Write blocks with their own contents again: replicated, and changing nothing."""
        volume = self.fabric.volume("PrimaryVol")
        blocks = self.data.size_bytes // _BLOCK_BYTES
        end = time.monotonic() + _MEASURE_SECONDS

        def rewrite(worker: int) -> list[float]:
            latencies: list[float] = []
            block = worker
            while time.monotonic() < end:
                data = volume.read(block * _BLOCK_BYTES, _BLOCK_BYTES)
                before = time.monotonic()
                volume.write(block * _BLOCK_BYTES, data)
                latencies.append(time.monotonic() - before)
                block = (block + _WORKERS) % blocks
            return latencies

        with ThreadPoolExecutor(_WORKERS) as workers:
            found = sorted(chain.from_iterable(workers.map(rewrite, range(_WORKERS))))
        self.findings.writes_per_second = len(found) / _MEASURE_SECONDS
        self.findings.p50_seconds = found[len(found) // 2]
        self.findings.p99_seconds = found[int(len(found) * 0.99)]
        rate = f"{self.findings.writes_per_second:.0f} replicated writes of 4 KiB a second"
        self.screen.result(f"{rate} from {_WORKERS} writers")

    def _planned_failover(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("10", "Run a planned failover")
        self._remove_vm()
        screen.command("failover PriRG --planned --confirm RecRG")
        self.findings.planned = fabric.failover("PriRG", "planned", confirm="RecRG")
        screen.result(_change_line(self.findings.planned))
        self._check_vm("RecoveryVmVol")
        self._add_vm("RecoveryVmVol", "the machine runs at the destination, on replicated data")
        self._check_data("RecoveryVol")
        self._settle("RecRG")
        self._verify("RecRG")

    def _failback(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("11", "Run failback")
        self._remove_vm()
        screen.command("failback RecRG --confirm PriRG")
        self.findings.back = fabric.failback("RecRG", confirm="PriRG")
        screen.result(_change_line(self.findings.back))
        self._check_vm("PrimaryVmVol")
        self._add_vm("PrimaryVmVol", "the machine runs at the source again")
        self._settle("PriRG")

    def _fire(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("12", "Beyond the article: the source site burns down in mid-write")
        time.sleep(1.0)
        screen.command("fault site down ClusterA")
        fabric.fault("site", "down", "ClusterA")
        screen.result("the site's process was killed with SIGKILL while the machine wrote")
        screen.command("failover PriRG --unplanned --confirm RecRG")
        self.findings.unplanned = fabric.failover("PriRG", "unplanned", confirm="RecRG")
        screen.result(_change_line(self.findings.unplanned))
        self._check_vm("RecoveryVmVol")
        self._check_data("RecoveryVol")

    def _recovery(self) -> None:
        screen, fabric = self.screen, self.fabric
        screen.chapter("13", "The source comes back and is brought in step")
        self._remove_vm()
        screen.command("restart ClusterA")
        fabric.restart("ClusterA")
        self._settle("RecRG")
        screen.result(_status_lines(fabric.status()))
        self.findings.equal = self._verify("RecRG")

    # What several steps do.

    def _add_vm(self, volume: str, text: str) -> None:
        self.screen.command(f"vm add DemoVM --volume {volume}")
        self.fabric.add_vm("DemoVM", volume, rate=_VM_RATE)
        self.screen.result(text)

    def _remove_vm(self) -> None:
        self.screen.command("vm rm DemoVM")
        self.fabric.remove_vm("DemoVM")

    def _check_vm(self, volume: str) -> None:
        check: VmCheckReport = self.fabric.check_vm("DemoVM", volume=volume)
        findings = self.findings
        findings.acknowledged = max(findings.acknowledged, check.records_acknowledged)
        findings.missing += check.records_missing
        text = f"{check.records_found} of {check.records_acknowledged} acknowledged records found"
        if check.equal:
            self.screen.result(f"{text}, none is missing")
        else:
            self.screen.failure(f"{text}: {check.records_missing} MISSING")

    def _check_data(self, name: str) -> None:
        volume = self.fabric.volume(name)
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".img") as file:
            for offset in range(0, self.data.size_bytes, MEBIBYTE):
                file.write(volume.read(offset, min(MEBIBYTE, self.data.size_bytes - offset)))
            file.flush()
            problems = self.data.check(Path(file.name))
        for problem in problems:
            self.screen.failure(f"{name}: {problem}")
        self.findings.problems += [f"{name}: {problem}" for problem in problems]
        if not problems:
            checks = "bytes, file system and files" if self.data.files else "bytes"
            self.screen.result(f"{name} read back: {checks} equal the image")

    def _settle(self, group: str) -> None:
        self.screen.command(f"wait {group} --until Synchronizing")
        began = time.monotonic()
        self.fabric.wait(group, "Synchronizing", timeout=_WAIT_SECONDS)
        self.screen.result(f"in sync again after {time.monotonic() - began:.1f} s")

    def _verify(self, group: str) -> bool:
        self.screen.command(f"verify {group}")
        found = self.fabric.verify(group)
        text = f"{found.blocks_compared} blocks compared at LSN {found.lsn}"
        if found.equal:
            self.screen.result(f"{text}: both sides are equal")
        else:
            self.screen.failure(f"{text}: {found.differing_blocks} DIFFER")
            self.findings.problems.append(f"{group}: {found.differing_blocks} blocks differ")
        return bool(found.equal)


def _allocated_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


def _status_lines(status: StatusReport) -> str:
    lines = []
    for row in status.groups:
        role = "primary" if row.is_primary else "secondary"
        rpo = "unknown" if row.rpo_seconds is None else f"{row.rpo_seconds:g} s"
        ready = "yes" if row.failover_ready else f"no, because {row.failover_ready_reason}"
        lines.append(
            f"{row.name}  {role:9}  {row.replication_state.value}  RPO {rpo}"
            f"  failover ready: {ready}"
        )
    return "\n".join(lines)


def _change_line(change: RoleChange) -> str:
    lost = "unknown" if change.lost_writes is None else str(change.lost_writes)
    return (
        f"{change.new_primary} is primary in epoch {change.epoch} after {change.seconds:.2f} s,"
        f" writes lost: {lost}"
    )
