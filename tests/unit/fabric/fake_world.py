"""Two sites without disks, and the link between them; they outlive owners."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs

from srshell.model.copying import CopyPlan
from srshell.model.errors import SrError
from srshell.model.replica import (
    CopyProgress,
    Flow,
    LinkState,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
)
from srshell.model.verification import Compared, VerifyOrder
from srshell.site.api import (
    FaultKind,
    PoolSpec,
    PoolUsage,
    SiteBranch,
    SiteReport,
    SiteVolume,
)

GIB = 1024**3


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
    branches: dict[str, SiteBranch] = attrs.Factory(dict)
    up: bool = False
    copy_plan: CopyPlan = attrs.Factory(CopyPlan)

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
            copy_plan=self.copy_plan,
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


#: What a verification looks at: the volume that the tests provision.
VERIFIED_BYTES = 1 << 30


@attrs.define(eq=False)
class FakeWorld:
    """Both sites and the link between them; outlives owners."""

    sites: dict[str, FakeSite] = attrs.Factory(dict)
    faults: list[tuple[str, FaultKind, float]] = attrs.Factory(list)
    copying: bool = False  # the first copy does not end by itself
    linked: bool = True
    differing_blocks: int = 0
    verified: list[VerifyOrder] = attrs.Factory(list)
    verify_gate: asyncio.Event | None = None
    verify_asked: asyncio.Event = attrs.Factory(asyncio.Event)
    damage: list[tuple[str, str]] = attrs.Factory(list)
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

    async def verify(self, order: VerifyOrder) -> Compared:
        """One part; the last one finds what there is to be found."""
        self.verify_asked.set()
        if self.verify_gate is not None:
            await self.verify_gate.wait()
        await asyncio.sleep(0)
        self.verified.append(order)
        end = order.offset + order.limit_bytes if order.limit_bytes else VERIFIED_BYTES
        end = min(end, VERIFIED_BYTES)
        done = end == VERIFIED_BYTES
        return Compared(
            lsn=7,
            blocks_compared=(end - order.offset) // 4096,
            differing_blocks=self.differing_blocks if done else 0,
            undecided_blocks=self.differing_blocks if done else 0,
            contradicted_blocks=0,
            log_records_compared=10 if done else 0,
            damage=list(self.damage) if done else [],
            next_offset=end,
            done=done,
        )

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
