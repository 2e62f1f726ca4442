"""Sites without disks: a backend whose two sites move through states as the engine's do.

A fault may be planned before or after any verb of any site: the site then "dies" at that moment,
with the effect of the verb missing or done, as a process would that is killed there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs

from srshell.backends.base import Evidence, RpoGuarantee, SitePlan, SiteStanding, SiteState
from srshell.model.errors import SrError
from srshell.model.inventory import Candidate, PoolKind
from srshell.model.replica import (
    CopyProgress,
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
    Superblock,
    VolumeLayout,
)
from srshell.model.report import NbdExport
from srshell.site.api import (
    Comparison,
    FaultKind,
    PoolSpec,
    PoolUsage,
    Promotion,
    SiteEvent,
    SiteReport,
    SiteVolume,
)

GIB = 1024**3


def _blank_report(spec: ReplicaSpec) -> ReplicaReport:
    """A side that was made and not started."""
    return ReplicaReport(
        partnership=spec.partnership,
        group=spec.group,
        peer_group=spec.peer_group,
        array=spec.array,
        peer_array=spec.peer_array,
        as_of=0.0,
        role=spec.role,
        data=ReplicaData.CONSISTENT if spec.role is ReplicaRole.PRIMARY else ReplicaData.BLANK,
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
        writable=spec.role is ReplicaRole.PRIMARY,
        volumes=tuple(
            VolumeLayout(v.name, v.path, v.size_bytes, v.block_bytes, 0, 1) for v in spec.volumes
        ),
    )


@attrs.define
class FakeSite:
    """What one array remembers; it survives the death of its process."""

    array: str
    world: FakeWorld
    pools: dict[str, PoolSpec] = attrs.Factory(dict)
    volumes: dict[str, SiteVolume] = attrs.Factory(dict)
    content: dict[str, bytearray] = attrs.Factory(dict)
    replicas: dict[str, ReplicaReport] = attrs.Factory(dict)
    sealed_by: dict[str, str] = attrs.Factory(dict)
    done_by: dict[str, str] = attrs.Factory(dict)
    exports: set[str] = attrs.Factory(set)
    up: bool = False

    def report(self) -> SiteReport:
        """How the site is."""
        used = {
            layout.name: replica.partnership
            for replica in self.replicas.values()
            for layout in replica.volumes
        }
        used |= {Path(r.log_path).name: r.partnership for r in self.replicas.values()}
        return SiteReport(
            array=self.array,
            pid=4000 + len(self.array),
            as_of=time.time(),
            started_unix=1.0,
            owner_term=1,
            link_address=f"unix:{self.array}",
            nbd_socket=f"{self.array}.nbd",
            pools=tuple(self._usage(pool) for pool in self.pools.values()),
            volumes=tuple(
                attrs.evolve(v, partnership=used.get(v.name, "")) for v in self.volumes.values()
            ),
            replicas=tuple(self.replicas.values()),
            exports=tuple(self.exports),
            sandbox=True,
        )

    def _usage(self, pool: PoolSpec) -> PoolUsage:
        taken = sum(v.size_bytes for v in self.volumes.values() if v.pool == pool.name)
        return PoolUsage(
            pool.name, pool.path, pool.kind, 100 * GIB, 100 * GIB - taken, pool.classification
        )

    def change(self, partnership: str, **fields: object) -> ReplicaReport:
        """Change what a replica says."""
        found = self.replicas.get(partnership)
        if found is None:
            raise SrError.make("SR5310", group=partnership, peer="PEER")
        self.replicas[partnership] = attrs.evolve(found, **cast("dict[str, Any]", fields))
        return self.replicas[partnership]


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
        return self._site.replicas.setdefault(spec.partnership, _blank_report(spec))

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

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        self._site.change(partnership, on_peer_loss=on_peer_loss)

    async def give_up(self, partnership: str, branch_directory: str) -> str:
        self._site.change(partnership, split=None, role=ReplicaRole.SECONDARY)
        for site in self._world.sites.values():
            if partnership in site.replicas:
                site.change(partnership, peer_split=None)
        self._world.settle(partnership)
        return f"{branch_directory}/branch"

    async def verify(self, partnership: str) -> Comparison:
        different = self._world.differing_blocks
        return Comparison(7, 100, different, (), 10, 0)

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        content = bytes(self._site.content[volume])
        return content[offset : offset + length].ljust(length, b"\0")

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        self._world.write(self._site, volume, offset, data)

    async def flush(self, volume: str) -> None:
        return None

    async def trim(self, volume: str, offset: int, length: int) -> None:
        self._world.write(self._site, volume, offset, bytes(length))

    async def export(self, volume: str) -> NbdExport:
        self._site.exports.add(volume)
        return NbdExport(f"nbd+unix:///{volume}?socket={self._site.array}.nbd", volume, False)

    async def unexport(self, volume: str) -> None:
        self._site.exports.discard(volume)

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        self._world.faults.append((self._site.array, kind, seconds))

    async def close(self) -> None:
        return None


@attrs.define(eq=False)
class FakeWorld:
    """Both sites and the link between them; outlives owners."""

    sites: dict[str, FakeSite] = attrs.Factory(dict)
    faults: list[tuple[str, FaultKind, float]] = attrs.Factory(list)
    copying: bool = False  # the first copy does not end by itself
    linked: bool = True
    differing_blocks: int = 0
    files_lost: bool = False  # the files of a dead site cannot be read
    #: (array, verb, "before" or "after"): the site dies there, once.
    plan: list[tuple[str, str, str]] = attrs.Factory(list)
    called: list[tuple[str, str]] = attrs.Factory(list)
    lsn: int = 0
    on_idle: Callable[[], None] | None = None

    def guard(self, site: FakeSite, verb: str, call: Callable[..., Any]) -> object:
        """A verb that dies where it was planned."""

        async def guarded(*args: object, **kwargs: object) -> object:
            self._check_up(site)
            if verb not in {"describe", "events", "replica"}:
                self.called.append((site.array, verb))
            self._die(site, verb, "before")
            result = await call(*args, **kwargs)
            self._die(site, verb, "after")
            return result

        return guarded

    def _check_up(self, site: FakeSite) -> None:
        if not site.up:
            raise SrError.make("SR9301", facts="it does not run", array=site.array)

    def _die(self, site: FakeSite, verb: str, when: str) -> None:
        if (site.array, verb, when) in self.plan:
            self.plan.remove((site.array, verb, when))
            self.down(site.array)
            self._check_up(site)

    async def idle(self, seconds: float) -> None:
        """Nothing to tell for a moment."""
        await asyncio.sleep(min(seconds, 0.01))

    def down(self, array: str) -> None:
        """A site dies: seals are gone, the peer is alone."""
        site = self.sites[array]
        site.up = False
        site.sealed_by.clear()
        for partnership in site.replicas:
            site.change(partnership, sealed=False)
            self.settle(partnership)

    def start(self, array: str) -> None:
        """A site runs again."""
        site = self.sites.setdefault(array, FakeSite(array, self))
        site.up = True
        for partnership in site.replicas:
            self.settle(partnership)

    def settle(self, partnership: str) -> None:
        """Work out what both sides of a partnership see now."""
        both = [s for s in self.sites.values() if partnership in s.replicas]
        joined = (
            self.linked
            and len(both) == 2
            and all(s.up and s.replicas[partnership].started for s in both)
            and not any(s.replicas[partnership].suspended for s in both)
            and not any(s.replicas[partnership].split for s in both)
        )
        roles = sorted(s.replicas[partnership].role.value for s in both)
        for site in both:
            report = site.replicas[partnership]
            if not joined or roles != ["primary", "secondary"]:
                link = LinkState.CONNECTING if report.started else LinkState.OFF
                flow = Flow.SEALED if report.sealed else Flow.IDLE
                site.change(partnership, link=link, flow=flow, progress=None)
            elif self.copying:
                site.change(
                    partnership,
                    link=LinkState.CONNECTED,
                    flow=Flow.INITIAL_COPY,
                    data=ReplicaData.INCONSISTENT
                    if report.role is ReplicaRole.SECONDARY
                    else report.data,
                    progress=CopyProgress(Flow.INITIAL_COPY, 40, 100, 0.0),
                )
            else:
                newest = max(s.replicas[partnership].epoch for s in both)
                site.change(
                    partnership,
                    link=LinkState.CONNECTED,
                    flow=Flow.SEALED if report.sealed else Flow.LIVE,
                    data=ReplicaData.CONSISTENT,
                    progress=None,
                    alone=False,
                    epoch=newest,
                    last_lsn=self.lsn,
                    durable_lsn=self.lsn,
                )

    def finish_copy(self) -> None:
        """The first copy ends."""
        self.copying = False
        for partnership in {p for s in self.sites.values() for p in s.replicas}:
            self.settle(partnership)

    def write(self, site: FakeSite, volume: str, offset: int, data: bytes) -> None:
        """A write at one site, copied to the other while they are joined."""
        replica = next(
            (r for r in site.replicas.values() if volume in {v.name for v in r.volumes}), None
        )
        if replica is not None and not replica.writable:
            raise SrError.make("SR9224", volume=volume, reason="it is read-only", group="G")
        _store(site.content[volume], offset, data)
        if replica is None:
            return
        self.lsn += 1
        for other in self.sites.values():
            twin = other.replicas.get(replica.partnership)
            if twin is not None and (other is site or twin.flow is Flow.LIVE):
                other.change(replica.partnership, last_lsn=self.lsn, durable_lsn=self.lsn)
                if other is not site:
                    index = [v.name for v in replica.volumes].index(volume)
                    _store(other.content[twin.volumes[index].name], offset, data)


def _store(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset + len(data):
        content.extend(bytes(offset + len(data) - len(content)))
    content[offset : offset + len(data)] = data


class FakeBackend:
    """Runs the sites of a `FakeWorld` for one owner."""

    name = "fake"
    rpo_guarantee = RpoGuarantee.ZERO

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self._held: set[str] = set()
        self._listeners: list[Callable[[SiteStanding], None]] = []
        self._arrays: set[str] = set()

    async def start(self, plan: SitePlan, *, held: bool = False) -> SiteStanding:
        self._arrays.add(plan.array)
        if held:
            self._held.add(plan.array)
            self.world.sites.setdefault(plan.array, FakeSite(plan.array, self.world))
            self.world.down(plan.array)
        else:
            self.world.start(plan.array)
        return self._tell(plan.array)

    def site(self, array: str) -> FakeApi:
        if array not in self._arrays:
            raise SrError.make("SR1107", array=array, mend=f"srshell discover X --as {array}")
        return FakeApi(self.world.sites[array])

    def link_address(self, array: str) -> str:
        return f"unix:{array}"

    def standing(self, array: str) -> SiteStanding:
        up = self.world.sites[array].up
        state = SiteState.RUNNING if up else SiteState.WAITING
        state = SiteState.HELD if array in self._held else state
        return SiteStanding(array, state, 4000 if up else 0)

    def subscribe(self, listener: Callable[[SiteStanding], None]) -> None:
        self._listeners.append(listener)

    async def hold(self, array: str, *, kill: bool = False) -> SiteStanding:
        self._held.add(array)
        self.world.down(array)
        return self._tell(array)

    async def release(self, array: str) -> SiteStanding:
        self._held.discard(array)
        self.world.start(array)
        return self._tell(array)

    async def kill(self, array: str) -> None:
        self.world.down(array)
        self._tell(array)

    async def forget(self, array: str) -> None:
        self._arrays.discard(array)
        self.world.sites.pop(array, None)

    async def evidence(self, array: str, log_path: str) -> Evidence:
        site = self.world.sites[array]
        if site.up:
            raise SrError.make("SR6018", facts="it lives", primary=array, group=log_path)
        if self.world.files_lost:
            raise SrError.make("SR9210", facts="nothing to read", group=log_path, array=array)
        replica = next(r for r in site.replicas.values() if r.log_path == log_path)
        return Evidence(log_path, cast("Superblock", None), replica.last_lsn, replica.alone)

    async def close(self, *, stop_sites: bool = False) -> None:
        return None

    def _tell(self, array: str) -> SiteStanding:
        standing = self.standing(array)
        for listener in self._listeners:
            listener(standing)
        return standing
