"""The pools and volumes of a site.

Always true:

(1) A volume stands in the label of its pool before its file is made, and until its file is gone: a
    site that is killed in between finds it, and the same command again completes it.
(2) Names of volumes are unique on a site, names of pools too.
(3) What cannot be opened is a problem with a reason; the rest of the site serves.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import attrs

from srshell.model.errors import SrError
from srshell.model.geometry import format_bytes
from srshell.model.identity import check_name, unknown
from srshell.model.inventory import PoolKind
from srshell.site import labels
from srshell.site import volume_checks as checks
from srshell.site.api import PoolSpec, PoolUsage, SiteProblem, SiteVolume
from srshell.site.errors import readable_errors
from srshell.site.labels import KnownPool, LabelledVolume, PoolLabel, SiteRecord
from srshell.site.pools import Pool
from srshell.site.settings import SiteSettings
from srshell.site.volumes import HostedVolume, in_use
from srshell.storage import Disk, RawDisk


@attrs.define(eq=False)
class Store:
    """Opens, makes and removes what a site keeps its data in."""

    settings: SiteSettings
    raw: RawDisk
    record: SiteRecord
    pools: dict[str, Pool] = attrs.field(factory=dict, init=False)
    volumes: dict[str, HostedVolume] = attrs.field(factory=dict, init=False)
    #: By noun and name.
    problems: dict[tuple[str, str], SiteProblem] = attrs.field(factory=dict, init=False)
    #: Held by whatever adds or removes something, or changes whom a volume belongs to.
    changing: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    @classmethod
    async def open(cls, settings: SiteSettings, raw: RawDisk) -> Store:
        """Open the pools that the site knows; one that fails is a problem.

        Raises:
            SrError: SR1101, SR9212, the site's own record cannot be read; SR1001, SR1104, it is of
                another fabric or array.
        """
        known = await asyncio.to_thread(labels.read_site, settings.record_path)
        record = known or SiteRecord(settings.array, settings.fabric)
        if record.fabric != settings.fabric:
            facts = f"{settings.record_path} is of fabric {record.fabric}"
            raise SrError.make("SR1001", facts=facts, array=settings.array, fabric="DIR")
        if record.array != settings.array:
            facts = f"{settings.record_path} is of array {record.array}"
            raise SrError.make("SR1104", facts=facts, name=settings.array)
        store = cls(settings, raw, record)
        await store.open_known_pools()
        return store

    async def open_known_pools(self) -> None:
        """Open the pools of the record that are not open."""
        for known in self.record.pools:
            if known.name in self.pools:
                continue
            spec = PoolSpec(known.name, known.path, known.kind, self.settings.fabric)
            try:
                await self._open_pool(spec)
            except SrError as error:
                self.note_problem("pool", known.name, error)
            else:
                self.problems.pop(("pool", known.name), None)

    async def keep(self, change: Callable[[SiteRecord], SiteRecord]) -> None:
        """Change the site's record, durably."""
        record = change(self.record)
        if record != self.record:
            await asyncio.to_thread(labels.write_record, self.settings.record_path, record)
            self.record = record

    def note_problem(self, noun: str, name: str, error: SrError, partnership: str = "") -> None:
        """Remember why something cannot be used."""
        self.problems[noun, name] = SiteProblem(
            noun, name, error.code, error.message, error.facts, partnership
        )

    def volume(self, name: str) -> HostedVolume:
        """Return a volume.

        Raises:
            SrError: SR0105, there is none of that name.
        """
        volume = self.volumes.get(name)
        if volume is None:
            raise unknown("volume", name, self.volumes, mend="srshell volumes")
        return volume

    def unused(self, name: str) -> HostedVolume:
        """Return a volume that belongs to no replica, or to one that was left without it.

        Raises:
            SrError: SR0105, there is none of that name; SR2014.
        """
        volume = self.volume(name)
        if volume.partnership and volume.partnership not in self.record.departed:
            raise in_use(volume)
        return volume

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        """See `SiteApi.add_pool`."""
        if spec.fabric != self.settings.fabric:
            facts = f"the site belongs to fabric {self.settings.fabric}"
            raise SrError.make("SR1001", facts=facts, array=self.settings.array, fabric="DIR")
        async with self.changing:
            pool = self.pools.get(spec.name)
            if pool is None:
                pool = await self._open_pool(spec)
            elif not await pool.run(_is_at, pool.label, spec):
                facts = f"it is {pool.label.kind} {pool.label.path}"
                raise SrError.make("SR0103", facts=facts, noun="pool", name=spec.name)
            elif spec.classification:
                await pool.classify(spec.classification)
            known = KnownPool(pool.name, pool.label.path, pool.label.kind)
            await self.keep(lambda record: attrs.evolve(record, pools=_with(record.pools, known)))
            self.problems.pop(("pool", spec.name), None)
            return await pool.usage()

    async def remove_pool(self, name: str) -> None:
        """See `SiteApi.remove_pool`."""
        async with self.changing:
            pool = self.pool(name)
            used = next((v for v in self.volumes.values() if v.pool is pool), None)
            if used is not None:
                user = f"pool {name}, of which it is a volume"
                raise SrError.make("SR2014", volume=used.name, user=user, group=used.name)
            await self.keep(lambda record: attrs.evolve(record, pools=_without(record.pools, name)))
            del self.pools[name]
            await pool.give_back()

    def pool(self, name: str) -> Pool:
        """Return a pool.

        Raises:
            SrError: SR1108, it is not under management here.
        """
        pool = self.pools.get(name)
        if pool is None:
            facts = f"known: {', '.join(sorted(self.pools)) or 'none'}"
            array = self.settings.array
            raise SrError.make(
                "SR1108", facts=facts, pool=name, array=array, classification="CLASS"
            )
        return pool

    async def create_volume(self, wanted: SiteVolume) -> SiteVolume:
        """See `SiteApi.create_volume`."""
        async with self.changing:
            pool = self._pool_of(wanted)
            facts = checks.checked_facts(wanted, pool)
            known = self._known(pool, facts)
            # A volume that was promised to a replica is never made anew beneath it.
            if known and (bool(known.partnership) or await pool.run(os.path.exists, known.path)):
                return known.describe()
            if pool.label.kind is PoolKind.VOLUME:
                await pool.run(checks.check_device, pool, facts)
            else:
                await self._make_file(pool, facts)
            return await self._take(pool, facts)

    async def attach_volume(self, wanted: SiteVolume) -> SiteVolume:
        """See `SiteApi.attach_volume`."""
        async with self.changing:
            pool = self._pool_of(wanted)
            path = pool.volume_path(check_name(wanted.name, "volume"))
            size_bytes = await pool.run(checks.size_of, path, pool)
            wanted = attrs.evolve(wanted, size_bytes=wanted.size_bytes or size_bytes)
            whole = pool.label.kind is PoolKind.FILE
            if wanted.size_bytes > size_bytes or (whole and wanted.size_bytes < size_bytes):
                raise checks.differs(wanted, pool, f"{path} has {format_bytes(size_bytes)}")
            facts = checks.checked_facts(wanted, pool)
            known = self._known(pool, facts)
            return known.describe() if known else await self._take(pool, facts)

    async def delete_volume(self, name: str) -> None:
        """See `SiteApi.delete_volume`; exports were checked by the caller."""
        async with self.changing:
            volume = self.unused(name)
            await volume.close()
            if volume.pool.label.kind is PoolKind.FILE:
                with readable_errors():
                    disk = Disk(self.raw, volume.pool.executor)
                    if await disk.exists(volume.path):
                        await disk.remove(volume.path)
            await volume.pool.drop_volume(name)
            del self.volumes[name]
            self.problems.pop(("volume", name), None)

    async def assign(self, volume: HostedVolume, partnership: str) -> None:
        """Write into the label whom a volume belongs to; ``changing`` is held."""
        facts = attrs.evolve(volume.facts, partnership=partnership)
        await volume.pool.keep_volume(facts)
        volume.facts = facts

    async def look_again(self) -> None:
        """Compare every volume with its file; what is wrong is a problem until it is right."""
        for volume in self.volumes.values():
            try:
                size_bytes = await volume.pool.run(checks.size_of, volume.path, volume.pool)
                volume.file = await volume.pool.run(checks.backing_of, volume.path)
                if size_bytes < volume.facts.size_bytes:
                    raise checks.shrunk(volume, size_bytes)
            except SrError as error:
                self.note_problem("volume", volume.name, error, volume.partnership)
            else:
                self.problems.pop(("volume", volume.name), None)

    async def close(self) -> None:
        """Close all volumes, then all pools."""
        for volume in self.volumes.values():
            await volume.close()
        for pool in self.pools.values():
            await pool.close()

    async def _open_pool(self, spec: PoolSpec) -> Pool:
        pool = await Pool.open(spec, self.settings.array, self.settings.directory)
        taken = [volume.name for volume in pool.label.volumes if volume.name in self.volumes]
        if taken:
            await pool.close()
            other = self.volumes[taken[0]].pool.name
            facts = f"volume {taken[0]} is in pool {other} too"
            raise SrError.make("SR0103", facts=facts, noun="pool", name=spec.name)
        self.pools[pool.name] = pool
        for volume in pool.label.volumes:
            self.volumes[volume.name] = HostedVolume(volume, pool, self.raw)
        await self.look_again()
        return pool

    def _pool_of(self, wanted: SiteVolume) -> Pool:
        if wanted.pool:
            return self.pool(wanted.pool)
        place = Path(wanted.path)
        found = [pool for pool in self.pools.values() if pool.path in {place, place.parent}]
        return found[0] if found else self.pool(str(place.parent))

    def _known(self, pool: Pool, facts: LabelledVolume) -> HostedVolume | None:
        """Return the volume if it is there already, with the same facts."""
        known = self.volumes.get(facts.name)
        if known is None:
            return None
        if attrs.evolve(known.facts, partnership="") != facts or known.pool is not pool:
            there = known.describe()
            size = format_bytes(there.size_bytes)
            text = f"{size}, block size {there.block_bytes}, log: {there.log}, at {there.path}"
            raise checks.differs(checks.as_volume(pool, facts), pool, f"there it has {text}")
        return known

    async def _make_file(self, pool: Pool, facts: LabelledVolume) -> None:
        disk, path = Disk(self.raw, pool.executor), pool.volume_path(facts.name)
        with readable_errors():
            if await disk.exists(path):
                text = f"{path} is there, and is no volume of this site"
                raise checks.differs(checks.as_volume(pool, facts), pool, text)
            usage = await pool.usage()
            if facts.size_bytes > usage.free_bytes:
                raise checks.no_space(pool, facts.size_bytes, usage.free_bytes)
            await pool.keep_volume(facts)
            try:
                # A log is written through: its space is there for certain, and stays in one piece.
                await disk.create(path, facts.size_bytes, zeroed=facts.log)
            except BaseException:
                await pool.drop_volume(facts.name)
                raise

    async def _take(self, pool: Pool, facts: LabelledVolume) -> SiteVolume:
        await pool.keep_volume(facts)
        volume = self.volumes[facts.name] = HostedVolume(facts, pool, self.raw)
        volume.file = await pool.run(checks.backing_of, volume.path)
        self.problems.pop(("volume", facts.name), None)
        return volume.describe()


def _is_at(label: PoolLabel, spec: PoolSpec) -> bool:
    """Whether a pool is the one that is specified, perhaps by another path.  Blocks."""
    return (os.path.realpath(spec.path), spec.kind) == (label.path, label.kind)


def _with(pools: tuple[KnownPool, ...], pool: KnownPool) -> tuple[KnownPool, ...]:
    return (*_without(pools, pool.name), pool)


def _without(pools: tuple[KnownPool, ...], name: str) -> tuple[KnownPool, ...]:
    return tuple(pool for pool in pools if pool.name != name)
