"""What a site without disks answers."""

from __future__ import annotations

from typing import Any

import attrs

from srshell.fabric.planning.site import blank_report
from srshell.model.copying import CopyPlan
from srshell.model.errors import SrError
from srshell.model.inventory import Candidate, PoolKind
from srshell.model.replica import (
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
)
from srshell.model.report import NbdExport
from srshell.model.verification import VERIFY_ALL, Compared, VerifyOrder
from srshell.site.api import (
    BranchList,
    FaultKind,
    PoolSpec,
    PoolUsage,
    Promotion,
    SiteBranch,
    SiteEvent,
    SiteReport,
    SiteVolume,
)
from tests.unit.fabric.fake_branch import branch_of
from tests.unit.fabric.fake_world import GIB, FakeSite


class FakeApi:
    """`SiteApi` over a `FakeSite`."""

    def __init__(self, site: FakeSite) -> None:
        self._site = site
        self._world = site.world

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever the verb is
        found = object.__getattribute__(self, name)
        if name.startswith("_") or not callable(found):
            return found
        site: FakeSite = object.__getattribute__(self, "_site")
        return site.world.guard(site, name, found)

    async def greet(self, fabric: str, owner_term: int) -> SiteReport:
        return self._site.report()

    async def describe(self) -> SiteReport:
        return self._site.report()

    async def rescan(self) -> SiteReport:
        return self._site.report()

    async def events(self, after: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        await self._world.idle(wait_seconds)
        return ()

    async def inspect(self, where: str) -> Candidate:
        return Candidate(where, PoolKind.FILE, GIB, GIB, 4096, "8:1", True, True, True)

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        self._site.pools[spec.name] = spec
        return self._site._usage(spec)

    async def remove_pool(self, name: str) -> None:
        del self._site.pools[name]

    async def create_volume(self, volume: SiteVolume) -> SiteVolume:
        path = f"{self._site.pools[volume.pool].path}/{volume.name}"
        made = attrs.evolve(volume, path=path, backing=path)
        self._site.volumes[volume.name] = made
        self._site.content[volume.name] = bytearray(0)
        return made

    async def attach_volume(self, volume: SiteVolume) -> SiteVolume:
        return await self.create_volume(volume)

    async def delete_volume(self, name: str) -> None:
        self._site.volumes.pop(name)

    async def blank(self, name: str) -> bool:
        return not any(self._site.content[name])

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport:
        return self._site.replicas.setdefault(spec.partnership, blank_report(spec))

    async def open_replica(self, log_path: str) -> ReplicaReport:
        return next(r for r in self._site.replicas.values() if r.log_path == log_path)

    async def start_replica(self, partnership: str) -> ReplicaReport:
        report = self._site.change(partnership, started=True, link=LinkState.CONNECTING)
        self._world.settle(partnership)
        return report

    async def dismantle_replica(self, partnership: str) -> int | None:
        found = self._site.replicas.pop(partnership, None)
        self._world.settle(partnership)
        return found.applied_lsn if found else None

    async def replica(self, partnership: str) -> ReplicaReport:
        return self._site.change(partnership)

    async def seal(self, partnership: str, operation: str) -> int:
        report = self._site.change(partnership)
        holder = self._site.sealed_by.get(partnership, operation)
        if report.role is ReplicaRole.SECONDARY:
            raise SrError.make("SR6017", group=report.group)
        if report.flow not in {Flow.LIVE, Flow.SEALED}:
            raise SrError.make("SR6013", group=report.group, state=report.flow.value)
        if holder != operation:
            raise SrError.make("SR6009", group=report.group, holder=holder)
        self._site.sealed_by[partnership] = operation
        self._site.change(partnership, sealed=True, flow=Flow.SEALED, writable=False)
        return report.last_lsn

    async def unseal(self, partnership: str, operation: str) -> None:
        if self._site.sealed_by.get(partnership) == operation:
            del self._site.sealed_by[partnership]
            self._site.change(partnership, sealed=False, flow=Flow.LIVE, writable=True)

    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int:
        report = self._site.change(partnership)
        if report.role is ReplicaRole.SECONDARY:
            assert self._site.done_by.get(partnership) == operation
            return report.last_lsn
        if self._site.sealed_by.get(partnership) != operation:
            raise SrError.make("SR6015", group=report.group)
        del self._site.sealed_by[partnership]
        self._site.done_by[partnership] = operation
        self._site.change(partnership, role=ReplicaRole.SECONDARY, sealed=False, writable=False)
        self._world.settle(partnership)
        return report.last_lsn

    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion:
        report = self._site.change(partnership)
        if report.data is not ReplicaData.CONSISTENT:
            raise SrError.make("SR6026", array=report.array, group=report.group, data=report.data)
        assert expected_lsn is None or expected_lsn == report.last_lsn, "promoted at the wrong LSN"
        if report.role is not ReplicaRole.PRIMARY:
            self._site.done_by[partnership] = operation
            report = self._site.change(
                partnership,
                role=ReplicaRole.PRIMARY,
                epoch=report.epoch + 1,
                writable=True,
                alone=alone,
            )
        self._world.settle(partnership)
        return Promotion(report.epoch, report.last_lsn, 0)

    async def suspend(self, partnership: str) -> None:
        self._site.change(partnership, suspended=True)
        self._world.settle(partnership)

    async def resume(self, partnership: str, *, alone: bool = False) -> None:
        self._site.change(partnership, suspended=False, alone=alone)
        self._world.settle(partnership)

    async def set_copy_plan(self, plan: CopyPlan) -> None:
        self._site.copy_plan = plan

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        self._site.change(partnership, on_peer_loss=on_peer_loss)

    async def give_up(self, partnership: str, keep_seconds: float) -> SiteBranch:
        saved = branch_of(self._site.replicas[partnership], keep_seconds)
        self._site.change(partnership, split=None, role=ReplicaRole.SECONDARY)
        for site in self._world.sites.values():
            if partnership in site.replicas:
                site.change(partnership, peer_split=None)
        self._world.settle(partnership)
        self._site.branches[saved.branch.name] = saved
        return saved

    async def branches(self) -> BranchList:
        return BranchList(tuple(self._site.branches.values()))

    async def export_branch(self, name: str) -> tuple[NbdExport, ...]:
        found = self._site.branches[name]
        exports = tuple(
            NbdExport(f"nbd:{image.volume}@{name}", f"{image.volume}@{name}", read_only=True)
            for image in found.branch.images
        )
        self._site.branches[name] = attrs.evolve(found, exports=exports)
        return exports

    async def unexport_branch(self, name: str) -> None:
        self._site.branches[name] = attrs.evolve(self._site.branches[name], exports=())

    async def keep_branch(self, name: str, expires_unix: float) -> SiteBranch:
        found = self._site.branches[name]
        branch = attrs.evolve(found.branch, expires_unix=expires_unix)
        self._site.branches[name] = attrs.evolve(found, branch=branch)
        return self._site.branches[name]

    async def remove_branch(self, name: str, *, expired: bool = False) -> None:
        if self._site.branches[name].exports:
            raise SrError.make("SR6028", branch=name)
        del self._site.branches[name]

    async def verify(self, partnership: str, order: VerifyOrder = VERIFY_ALL) -> Compared:
        return await self._world.verify(order)

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        content = bytes(self._site.content[volume])
        return content[offset : offset + length].ljust(length, b"\0")

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        self._world.write(self._site, volume, offset, data)

    async def flush(self, volume: str) -> None:
        return None

    async def trim(self, volume: str, offset: int, length: int) -> None:
        self._world.write(self._site, volume, offset, bytes(length))

    async def export(self, volume: str, *, read_only: bool = False) -> NbdExport:
        self._site.exports.add(volume)
        return NbdExport(f"nbd+unix:///{volume}?socket={self._site.array}.nbd", volume, read_only)

    async def unexport(self, volume: str) -> None:
        self._site.exports.discard(volume)

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        self._world.faults.append((self._site.array, kind, seconds))

    async def close(self) -> None:
        return None
