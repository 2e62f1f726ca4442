"""What a site of the copy answers: the verbs of a real one, carried out on its last words.

Always true:

(1) A verb refuses what the real one refuses for its role, seal or state; damage, full disks and
    lost power are not foreseen.
(2) Of the real site only `blank` and `branches` are asked, which change nothing.
"""

from __future__ import annotations

import asyncio

import attrs

from srshell.fabric.planning.branches import CopiedBranches
from srshell.model.copying import CopyPlan
from srshell.model.errors import SrError
from srshell.model.inventory import Candidate
from srshell.model.replica import (
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
    VolumeLayout,
)
from srshell.model.report import NbdExport
from srshell.model.topology import DiskMeasure, LinkMeasure
from srshell.model.verification import VERIFY_ALL, Compared, VerifyOrder
from srshell.site import inspect
from srshell.site.api import (
    FaultKind,
    PoolSpec,
    PoolUsage,
    Promotion,
    SiteEvent,
    SiteReport,
    SiteVolume,
)


class CopiedSite(CopiedBranches):
    """`SiteApi` over a `SiteCopy`."""

    async def greet(self, fabric: str, owner_term: int) -> SiteReport:
        """Nobody else owns a copy."""
        return self._site.report

    async def describe(self) -> SiteReport:
        """Tell what the site hosts."""
        return self._site.report

    async def rescan(self) -> SiteReport:
        """Nothing changes outside of the copy; copies under way come to their end."""
        if self._world.copies_end:
            self._world.settle_all()
        return self._site.report

    async def events(self, after: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        """Nothing happens by itself."""
        await asyncio.sleep(wait_seconds)
        return ()

    async def inspect(self, where: str) -> Candidate:
        """Look at a real place; looking changes nothing."""
        return await asyncio.to_thread(inspect.look, where)

    # --- pools and volumes --------------------------------------------------------------------

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        """Take a pool, or change its class."""
        site = self._site
        if spec.renamed_from:
            self._world.come_back(site, spec.renamed_from)
        known = next((pool for pool in site.report.pools if pool.name == spec.name), None)
        if known is None:
            found = await self.inspect(spec.path)
            known = PoolUsage(
                spec.name, spec.path, spec.kind, found.size_bytes, found.free_bytes,
                block_bytes=found.block_bytes, device=found.device,
            )  # fmt: skip
        usage = attrs.evolve(known, classification=spec.classification or known.classification)
        others = tuple(pool for pool in site.report.pools if pool.name != spec.name)
        site.report = attrs.evolve(site.report, pools=(*others, usage))
        self._world.changed(site)
        return usage

    async def remove_pool(self, name: str) -> None:
        """Give a pool back."""
        site = self._site
        left = tuple(pool for pool in site.report.pools if pool.name != name)
        site.report = attrs.evolve(site.report, pools=left)
        self._world.changed(site)

    async def create_volume(self, volume: SiteVolume) -> SiteVolume:
        """Make a volume; its room is taken from the pool."""
        site = self._site
        pool = next((each for each in site.report.pools if each.name == volume.pool), None)
        path = f"{pool.path if pool else ''}/{volume.name}"
        made = attrs.evolve(volume, path=path, backing=path)
        site.report = attrs.evolve(site.report, volumes=(*site.report.volumes, made))
        site.made.add(volume.name)
        site.take(volume.pool, volume.size_bytes)
        self._world.taken_bytes += volume.size_bytes
        self._world.changed(site)
        return made

    async def attach_volume(self, volume: SiteVolume) -> SiteVolume:
        """Take a volume with its data."""
        return await self.create_volume(volume)

    async def delete_volume(self, name: str) -> None:
        """Remove a volume."""
        site = self._site
        for volume in site.report.volumes:
            if volume.name == name:
                site.take(volume.pool, -volume.size_bytes)
                self._world.taken_bytes -= volume.size_bytes
        left = tuple(volume for volume in site.report.volumes if volume.name != name)
        site.report = attrs.evolve(site.report, volumes=left)
        self._world.changed(site)

    async def blank(self, name: str) -> bool:
        """Whether a volume is empty: one of the plan is, of any other the real site knows."""
        site = self._site
        if name in site.made or site.origin is None:
            return True
        return await site.origin.blank(name)

    # --- replicas -----------------------------------------------------------------------------

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport:
        """Make one side of a partnership."""
        site = self._site
        found = site.find(spec.partnership)
        if found is None:
            found = blank_report(spec)
            site.put(found)
            self._world.settle(spec.partnership)
        return found

    async def open_replica(self, log_path: str) -> ReplicaReport:
        """Every replica of a copy is open."""
        found = (each for each in self._site.report.replicas if each.log_path == log_path)
        replica = next(found, None)
        if replica is None:
            raise SrError.make("SR5310", group=log_path, peer="PEER")
        return replica

    async def start_replica(self, partnership: str) -> ReplicaReport:
        """Look for the peer from now on."""
        return self._world.change(self._site, partnership, started=True)

    async def dismantle_replica(self, partnership: str) -> int | None:
        """Leave the partnership."""
        site = self._site
        found = site.find(partnership)
        site.drop(partnership)
        self._world.settle(partnership)
        self._world.changed(site)
        return found.applied_lsn if found else None

    async def replica(self, partnership: str) -> ReplicaReport:
        """Tell how one replica is."""
        return self._site.replica(partnership)

    async def seal(self, partnership: str, operation: str) -> int:
        """Take no more writes."""
        report = self._site.replica(partnership)
        if report.role is ReplicaRole.SECONDARY:
            raise SrError.make("SR6017", group=report.group)
        if report.flow not in {Flow.LIVE, Flow.SEALED}:
            raise SrError.make("SR6013", group=report.group, state=report.flow.value)
        return self._world.change(self._site, partnership, sealed=True, writable=False).last_lsn

    async def unseal(self, partnership: str, operation: str) -> None:
        """Take writes again."""
        self._world.change(self._site, partnership, sealed=False)

    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int:
        """Become secondary."""
        report = self._site.replica(partnership)
        if report.role is ReplicaRole.PRIMARY and not report.sealed:
            raise SrError.make("SR6015", group=report.group)
        self._world.change(
            self._site, partnership, role=ReplicaRole.SECONDARY, sealed=False, writable=False
        )
        return report.last_lsn

    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion:
        """Become primary in a new epoch."""
        report = self._site.replica(partnership)
        if report.data is not ReplicaData.CONSISTENT:
            raise SrError.make("SR6026", array=report.array, group=report.group, data=report.data)
        if report.role is not ReplicaRole.PRIMARY:
            report = self._world.change(
                self._site,
                partnership,
                role=ReplicaRole.PRIMARY,
                epoch=report.epoch + 1,
                alone=alone,
            )
        return Promotion(report.epoch, report.last_lsn, 0)

    async def suspend(self, partnership: str) -> None:
        """Pause replication."""
        self._world.change(self._site, partnership, suspended=True)

    async def resume(self, partnership: str, *, alone: bool = False) -> None:
        """Go on with replication, or alone."""
        self._world.change(self._site, partnership, suspended=False, alone=alone)

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        """Say what happens to writes without the peer."""
        self._world.change(self._site, partnership, on_peer_loss=on_peer_loss)

    async def set_copy_plan(self, plan: CopyPlan) -> None:
        """Say what the copies out of this site may take."""
        site = self._site
        site.report = attrs.evolve(site.report, copy_plan=plan)
        self._world.changed(site)

    async def verify(self, partnership: str, order: VerifyOrder = VERIFY_ALL) -> Compared:
        """A comparison of a copy finds nothing: what is on the disks is not in it."""
        report = self._site.replica(partnership)
        blocks = sum(layout.size_bytes // layout.block_bytes for layout in report.volumes)
        return Compared(lsn=report.last_lsn, blocks_compared=blocks, done=True)

    # --- bytes --------------------------------------------------------------------------------

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """A copy holds no data; all of it reads as zeros."""
        return bytes(length)

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        """A copy holds no data."""

    async def flush(self, volume: str) -> None:
        """There is nothing to make durable."""

    async def trim(self, volume: str, offset: int, length: int) -> None:
        """There is nothing to give back."""

    async def export(self, volume: str, *, read_only: bool = False) -> NbdExport:
        """Serve a volume."""
        site = self._site
        exports = tuple(dict.fromkeys((*site.report.exports, volume)))
        site.report = attrs.evolve(site.report, exports=exports)
        self._world.changed(site)
        return NbdExport("", volume, read_only)

    async def unexport(self, volume: str) -> None:
        """Serve it no more."""
        site = self._site
        left = tuple(name for name in site.report.exports if name != volume)
        site.report = attrs.evolve(site.report, exports=left)
        self._world.changed(site)

    async def measure_link(self, address: str, seconds: float) -> LinkMeasure:
        """Nothing can be measured in a copy."""
        raise _not_here("a measurement")

    async def measure_disk(self, pool: str, seconds: float) -> DiskMeasure:
        """Nothing can be measured in a copy."""
        raise _not_here("a measurement")

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        """A copy does not suffer."""
        raise _not_here("a fault")

    async def close(self) -> None:
        """There is nothing to close."""


def _not_here(what: str) -> SrError:
    return SrError.make("SR0108", facts=f"{what} has no place in a plan", option="plan")


def blank_report(spec: ReplicaSpec) -> ReplicaReport:
    """What a side says of itself that was made and not started."""
    source = spec.role is ReplicaRole.PRIMARY
    return ReplicaReport(
        partnership=spec.partnership,
        group=spec.group,
        peer_group=spec.peer_group,
        array=spec.array,
        peer_array=spec.peer_array,
        as_of=0.0,
        role=spec.role,
        data=ReplicaData.CONSISTENT if source else ReplicaData.BLANK,
        link=LinkState.OFF,
        link_reason="",
        flow=Flow.IDLE,
        epoch=1,
        last_lsn=0,
        durable_lsn=0,
        acked_lsn=0,
        confirmed_lsn=0,
        applied_lsn=0,
        checkpoint_lsn=0,
        log_bytes=spec.log_bytes,
        log_bytes_free=spec.log_bytes,
        log_path=spec.log_path,
        on_peer_loss=spec.on_peer_loss,
        alone=False,
        peer_may_ack_alone=False,
        unclean=False,
        started=False,
        suspended=False,
        torn_down=False,
        sealed=False,
        writable=source,
        volumes=tuple(
            VolumeLayout(v.name, v.path, v.size_bytes, v.block_bytes, 0, 1) for v in spec.volumes
        ),
    )
