"""A site in this process: everything of one array, behind `SiteApi`.

Always true:

(1) Who holds the lock in the site's directory is the site; there is one.
(2) What an earlier process of this site served is served again before the first owner is answered.
(3) `close` answers what is under way, takes a last checkpoint of each replica, and leaves nothing
    locked; after a kill the next start finds everything from the files.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import attrs

from srshell.model.errors import SrError
from srshell.model.inventory import Candidate
from srshell.model.replica import OnPeerLoss, ReplicaReport, ReplicaSpec
from srshell.model.report import NbdExport
from srshell.model.verification import VERIFY_ALL, Compared, VerifyOrder
from srshell.replication.turns import Turns
from srshell.site import inspect
from srshell.site.api import (
    FaultKind,
    PoolSpec,
    PoolUsage,
    Promotion,
    SiteBranch,
    SiteEvent,
    SiteReport,
    SiteVolume,
)
from srshell.site.branch_verbs import BranchVerbs
from srshell.site.branches import Branches
from srshell.site.errors import readable_errors, to_sr_error
from srshell.site.exports import Exports
from srshell.site.faults import Faults, FaultyNetwork, SlowDisk
from srshell.site.journal import Journal
from srshell.site.measuring import MeasureVerbs
from srshell.site.process_lock import leave_site, lock_site
from srshell.site.replicas import HostedReplica, Replicas
from srshell.site.rpc import DATA_BYTES_MAX
from srshell.site.settings import SiteSettings
from srshell.site.sharing import CopyVerbs, Sharing
from srshell.site.store import Store
from srshell.storage import LockFile, OsDisk, RawDisk, StorageError
from srshell.transport import LinkRefused, Listener, Network, StreamNetwork


@attrs.define(eq=False)
class Site(BranchVerbs, MeasureVerbs, CopyVerbs):
    """See `SiteApi` for the verbs.  Make it with `open`."""

    settings: SiteSettings
    owner_term: int
    _lock: LockFile
    _store: Store
    _replicas: Replicas
    _sharing: Sharing
    _exports: Exports
    _branches: Branches
    _journal: Journal
    _faults: Faults
    _network: Network
    _started_unix: float
    _wall_seconds: Callable[[], float] = time.time
    _listener: Listener | None = attrs.field(default=None, init=False)
    _closing: bool = attrs.field(default=False, init=False)

    @classmethod
    async def open(
        cls,
        settings: SiteSettings,
        *,
        raw: RawDisk | None = None,
        network: Network | None = None,
        wall_seconds: Callable[[], float] = time.time,
    ) -> Site:
        """Become the site: open what it hosts, then listen for peers and NBD clients.

        Raises:
            SrError: SR9221, the site lives already; SR8001, its link address cannot be had; SR9006,
                a directory cannot be used; what `Store.open` raises.
        """
        faults = Faults()
        raw = raw or (SlowDisk(faults) if settings.sandbox else OsDisk())
        network = network or StreamNetwork()
        if settings.sandbox:
            network = FaultyNetwork(network, faults)
        lock = await asyncio.to_thread(lock_site, settings)
        try:
            store = await Store.open(settings, raw)
        except BaseException:
            leave_site(lock)
            raise
        journal, sharing = Journal(wall_seconds), Sharing(Turns(store.record.copy_plan))
        exports = Exports(store, journal)

        def on_change(hosted: HostedReplica) -> None:
            exports.refresh(tuple(volume.name for volume in hosted.data))

        site = cls(
            settings=settings,
            owner_term=settings.owner_term,
            lock=lock,
            store=store,
            replicas=Replicas(store, network, journal, on_change, sharing),
            sharing=sharing,
            exports=exports,
            branches=Branches(store, exports, journal, wall_seconds),
            journal=journal,
            faults=faults,
            network=network,
            started_unix=wall_seconds(),
            wall_seconds=wall_seconds,
        )
        await site._begin()
        return site

    @property
    def array(self) -> str:
        """Name of the array."""
        return self.settings.array

    async def greet(self, fabric: str, owner_term: int) -> SiteReport:
        """See `SiteApi.greet`."""
        if fabric != self.settings.fabric:
            facts = f"the site belongs to fabric {self.settings.fabric}"
            raise SrError.make("SR1001", facts=facts, array=self.array, fabric="DIR")
        if owner_term < self.owner_term:
            facts = f"its term is {self.owner_term}, yours {owner_term}"
            raise SrError.make("SR9007", facts=facts, array=self.array)
        self.owner_term = owner_term
        return await self.describe()

    async def describe(self) -> SiteReport:
        """See `SiteApi.describe`."""
        self._check_open()
        # An owner looks at its sites all the time: this is how it is heard.
        self._replicas.owner_heard()
        store = self._store
        pools = await asyncio.gather(*(pool.usage() for pool in list(store.pools.values())))
        return SiteReport(
            array=self.array,
            pid=os.getpid(),
            as_of=self._wall_seconds(),
            started_unix=self._started_unix,
            owner_term=self.owner_term,
            link_address=self._listener.address if self._listener else "",
            nbd_socket=str(self.settings.nbd_socket),
            pools=tuple(pools),
            volumes=tuple(volume.describe() for volume in store.volumes.values()),
            replicas=self._replicas.reports(),
            exports=self._exports.names,
            problems=tuple(store.problems.values()),
            sandbox=self.settings.sandbox,
            last_event=self._journal.last_id,
            copy_plan=self._store.record.copy_plan,
        )

    async def rescan(self) -> SiteReport:
        """See `SiteApi.rescan`."""
        self._check_open()
        async with self._store.changing:
            await self._store.open_known_pools()
            await self._store.look_again()
        await self._replicas.open_known()
        return await self.describe()

    async def events(self, after: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        """See `SiteApi.events`."""
        return await self._journal.after(after, wait_seconds)

    async def inspect(self, where: str) -> Candidate:
        """See `SiteApi.inspect`."""
        return await asyncio.to_thread(inspect.look, where)

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        """See `SiteApi.add_pool`."""
        self._check_open()
        usage = await self._store.add_pool(spec)
        await self._replicas.open_known()
        return usage

    async def remove_pool(self, name: str) -> None:
        """See `SiteApi.remove_pool`."""
        self._check_open()
        if branch := await self._branches.in_pool(name):
            user = f"pool {name}, in which it lies"
            raise SrError.make("SR2014", volume=f"branch {branch}", user=user, group=branch)
        await self._store.remove_pool(name)

    async def create_volume(self, volume: SiteVolume) -> SiteVolume:
        """See `SiteApi.create_volume`."""
        self._check_open()
        return await self._store.create_volume(volume)

    async def attach_volume(self, volume: SiteVolume) -> SiteVolume:
        """See `SiteApi.attach_volume`."""
        self._check_open()
        return await self._store.attach_volume(volume)

    async def delete_volume(self, name: str) -> None:
        """See `SiteApi.delete_volume`."""
        self._check_open()
        if self._exports.clients(name):
            raise SrError.make("SR2014", volume=name, user="an NBD client", group=name)
        self._store.unused(name)
        await self._exports.remove(name)
        await self._store.delete_volume(name)

    async def blank(self, name: str) -> bool:
        """See `SiteApi.blank`."""
        with readable_errors():
            return await self._store.volume(name).is_blank()

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport:
        """See `SiteApi.create_replica`."""
        self._check_open()
        return (await self._replicas.create(spec)).replica.report()

    async def open_replica(self, log_path: str) -> ReplicaReport:
        """See `SiteApi.open_replica`."""
        self._check_open()
        return (await self._replicas.open(log_path)).replica.report()

    async def start_replica(self, partnership: str) -> ReplicaReport:
        """See `SiteApi.start_replica`."""
        replica = self._replicas.get(partnership).replica
        await replica.start()
        return replica.report()

    async def dismantle_replica(self, partnership: str) -> int | None:
        """See `SiteApi.dismantle_replica`."""
        self._check_open()
        volumes = self._store.volumes.values()
        names = [volume.name for volume in volumes if volume.partnership == partnership]
        lsn = await self._replicas.dismantle(partnership)
        if lsn is None:
            # What they hold is not known to be what was acknowledged: nobody gets it unasked.
            for name in names:
                await self._exports.remove(name)
        return lsn

    async def replica(self, partnership: str) -> ReplicaReport:
        """See `SiteApi.replica`."""
        return self._replicas.get(partnership).replica.report()

    async def seal(self, partnership: str, operation: str) -> int:
        """See `SiteApi.seal`."""
        return await self._replicas.get(partnership).replica.seal(operation)

    async def unseal(self, partnership: str, operation: str) -> None:
        """See `SiteApi.unseal`."""
        replica = self._replicas.get(partnership).replica
        # A demotion under way ends first, and none begins later: what is asked next is final.
        async with replica.core.transition:
            replica.unseal(operation)

    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int:
        """See `SiteApi.demote`."""
        hosted = self._replicas.get(partnership)
        lsn = await hosted.replica.demote(operation, new_epoch)
        await self._changed(hosted)
        return lsn

    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion:
        """See `SiteApi.promote`."""
        hosted = self._replicas.get(partnership)
        done = await hosted.replica.promote(operation, expected_lsn, alone=alone)
        await self._changed(hosted)
        return Promotion(done.epoch, done.tail_lsn, done.applied_records)

    async def suspend(self, partnership: str) -> None:
        """See `SiteApi.suspend`."""
        await self._replicas.get(partnership).replica.suspend()

    async def resume(self, partnership: str, *, alone: bool = False) -> None:
        """See `SiteApi.resume`."""
        hosted = self._replicas.get(partnership)
        await hosted.replica.resume(alone=alone)
        await self._changed(hosted)

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        """See `SiteApi.set_policy`."""
        await self._replicas.get(partnership).replica.set_policy(on_peer_loss)

    async def give_up(self, partnership: str, keep_seconds: float) -> SiteBranch:
        """See `SiteApi.give_up`."""
        hosted = self._replicas.get(partnership)
        directory = await self._branches.folder_for(hosted.data)
        branch = await hosted.replica.give_up(directory, keep_seconds)
        await self._changed(hosted)
        return await self._branches.described(branch, directory)

    async def verify(self, partnership: str, order: VerifyOrder = VERIFY_ALL) -> Compared:
        """See `SiteApi.verify`."""
        return await self._replicas.get(partnership).replica.verify(order)

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """See `SiteApi.read`."""
        _check_length(volume, offset, length)
        with readable_errors():
            return bytes(await self._store.volume(volume).read(offset, length))

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        """See `SiteApi.write`."""
        _check_length(volume, offset, len(data))
        try:
            await self._store.volume(volume).write(offset, data)
        except StorageError as error:
            raise to_sr_error(error) from error

    async def flush(self, volume: str) -> None:
        """See `SiteApi.flush`."""
        self._store.volume(volume).flush()

    async def trim(self, volume: str, offset: int, length: int) -> None:
        """See `SiteApi.trim`."""
        with readable_errors():
            await self._store.volume(volume).zero(offset, length, may_trim=True)

    async def export(self, volume: str, *, read_only: bool = False) -> NbdExport:
        """See `SiteApi.export`."""
        self._check_open()
        return await self._exports.add(volume, read_only=read_only)

    async def unexport(self, volume: str) -> None:
        """See `SiteApi.unexport`."""
        self._check_open()
        await self._exports.remove(volume)

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        """See `SiteApi.fault`."""
        if not self.settings.sandbox:
            raise SrError.make("SR9901", fabric=f"of site {self.array}")
        if kind is FaultKind.FREEZE and not self.settings.own_process:
            facts = "the site shares its process with others"
            raise SrError.make("SR0108", facts=facts, option=kind.value)
        self._faults.suffer(kind, seconds)
        self._journal.add("fault", f"{kind.value} for {seconds:g} s")

    async def close(self) -> None:
        """Answer what is under way, then close everything; a second call does nothing."""
        if self._closing:
            return
        self._closing = True
        try:
            if self._listener is not None:
                self._listener.close()
            await self._exports.close()
            async with self._store.changing:
                await self._replicas.close()
                await self._store.close()
            self._journal.close()
        finally:
            leave_site(self._lock)

    async def _begin(self) -> None:
        """Open the replicas, then let peers and clients in."""
        try:
            await self._replicas.open_known()
            self._listener = await self._network.listen(
                self.settings.listen_address, self._replicas.accept
            )
            await self._branches.start()
            await self._exports.start()
        except BaseException as error:
            await self.close()
            if isinstance(error, LinkRefused):
                peer = self.settings.listen_address
                facts = f"nobody could connect to it: {error.reason}"
                raise SrError.make("SR8001", facts=facts, array=self.array, peer=peer) from error
            raise

    async def _changed(self, hosted: HostedReplica) -> None:
        """Let clients go whose volumes serve no longer."""
        self._exports.refresh(tuple(volume.name for volume in hosted.data))
        await self._exports.disconnected()

    def _check_open(self) -> None:
        if self._closing:
            raise SrError.make("SR9301", facts="it is ending", array=self.array)


def _check_length(volume: str, offset: int, length: int) -> None:
    if length > DATA_BYTES_MAX:
        facts = f"at most {DATA_BYTES_MAX} bytes at once"
        raise SrError.make("SR9223", facts=facts, offset=offset, length=length, volume=volume)
