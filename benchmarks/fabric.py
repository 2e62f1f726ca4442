"""A fabric with an owner and two sites in processes of their own, as people run it.

Always true: whatever happens in the block, its owner and its sites have ended after it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from benchmarks.sockets import short_folder
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.model.replica import Flow
from srshell.model.report import RoleChange
from srshell.site.client import SiteClient
from srshell.site.rundir import run_directory, socket_path

ARRAYS: Final = ("BenchA", "BenchB")
_VOLUME_BYTES: Final = 8 << 20
_LOG_BYTES: Final = 9 << 20
_PATIENCE_SECONDS: Final = 300.0


@attrs.frozen
class Fabric:
    """The client of a fabric whose groups are all in sync; group N of array A is `name(N, A)`."""

    client: FabricClient
    groups: int
    sites: dict[str, SiteClient]
    partnerships: dict[str, str]  # by the name of a group's side

    @staticmethod
    def name(number: int, array: str) -> str:
        """Return the name of a group's side."""
        return f"group{number}{array}"

    async def pids(self) -> tuple[int, ...]:
        """Return the owner and the sites."""
        info = await self.client.info()
        return (info.owner_pid, *(site.pid for site in info.sites))

    async def fail_over(self, number: int, target: str) -> tuple[float, float, float]:
        """Fail a group over as planned.

        Return the seconds until it is writable, until its site says that it is in sync, and until
        the owner says so.
        """
        group = self.name(number, target)
        began = time.perf_counter()
        change: RoleChange = await self.client.failover(group, "planned", confirm=group)
        writable = time.perf_counter() - began
        assert change.lost_writes == 0, change
        site, partnership = self.sites[target], self.partnerships[self.name(number, target)]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await site.replica(partnership)).flow is not Flow.LIVE:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        protected = time.perf_counter() - began
        await self.client.wait(group, "Synchronizing", timeout=_PATIENCE_SECONDS)
        return writable, protected, time.perf_counter() - began


@asynccontextmanager
async def open_bench_fabric(folder: Path, groups: int) -> AsyncIterator[Fabric]:
    """Make a fabric with so many groups of one volume on either side, in sync."""
    with short_folder() as short, tempfile.TemporaryDirectory(dir=folder) as files:
        place = FabricPlace(short / "f")
        client = FabricClient(place, options=OwnerOptions())
        sites: dict[str, SiteClient] = {}
        try:
            await client.connect()
            await _set_up(client, Path(files), groups)
            identity, run = (await client.info()).identity, run_directory(place.directory)
            for array in ARRAYS:
                socket = socket_path(run, array, "site")
                sites[array] = SiteClient(array, socket, fabric=identity, owner_term=None)
            reports = [r for site in sites.values() for r in (await site.describe()).replicas]
            partnerships = {report.group: report.partnership for report in reports}
            yield Fabric(client, groups, sites, partnerships)
        finally:
            for site in sites.values():
                await site.close()
            with suppress(SrError):
                await client.stop_owner()
            await client.close()


async def _set_up(client: FabricClient, folder: Path, groups: int) -> None:
    """Take the article's steps up to the first copies, and wait for these."""
    for array in ARRAYS:
        home = folder / array
        home.mkdir()
        found = await client.discover(home, array)
        await client.classify(f"{array}/{found.pools[0].name}", "gold")
    await client.pair(*ARRAYS)
    for number in range(groups):
        volumes = [f"vol{number}{array}" for array in ARRAYS]
        logs = [f"log{number}{array}" for array in ARRAYS]
        await client.provision_pair(
            *volumes, _VOLUME_BYTES, logs=(logs[0], logs[1]), log_size=_LOG_BYTES
        )
        for array, volume, log in zip(ARRAYS, volumes, logs, strict=True):
            await client.create_group(Fabric.name(number, array), volume, log)
        await client.enable(Fabric.name(number, ARRAYS[0]), Fabric.name(number, ARRAYS[1]))
    await client.refresh()
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for number in range(groups):
            group = Fabric.name(number, ARRAYS[0])
            await client.wait(group, "Synchronizing", timeout=_PATIENCE_SECONDS)
