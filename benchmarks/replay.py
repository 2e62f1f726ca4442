"""A secondary that dies with all of its log still to be replayed, and what comes after.

Always true:

(1) The site that dies is a process of its own (`python -m benchmarks.replay`), killed with SIGKILL;
    it takes no checkpoint, so that its log is all that counts.
(2) The site that opens its files afterwards is set up as any other.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from benchmarks.pair import ARRAYS, FABRIC, Shape, add_pool, partnership_of, provision
from srshell.backends.base import SitePlan
from srshell.backends.native import site_settings
from srshell.engine.world import Limits
from srshell.model.replica import Flow
from srshell.site.client import SiteClient
from srshell.site.host import Site
from srshell.site.process import serve
from srshell.site.settings import SiteSettings

_BLOCK_BYTES = 4096
_DEPTH = 128
#: More than the log may hold of it, so that no checkpoint is taken for want of space.
_RING_FACTOR = 4
_PATIENCE_SECONDS = 300.0
_NEVER_SECONDS = 1e6
_PARTNERSHIP = partnership_of(0)


@attrs.frozen
class Replayed:
    """Seconds from the start of a site until it leads, and until its volumes hold everything."""

    writable_seconds: float
    replay_seconds: float
    empty_seconds: float  # of a start with nothing to replay


async def replayed(folder: Path, size_bytes: int) -> Replayed:
    """Let a secondary die with so many bytes of random blocks in its log, and start it again."""
    await _die(folder, size_bytes)
    began = time.perf_counter()
    site = await Site.open(_settings(1, folder))
    try:
        await site.promote(_PARTNERSHIP, "replay", None, alone=True)
        writable = time.perf_counter() - began
        async with asyncio.timeout(_PATIENCE_SECONDS):
            report = await site.replica(_PARTNERSHIP)
            assert report.durable_lsn - report.checkpoint_lsn >= size_bytes // _BLOCK_BYTES // 2
            while report.applied_lsn < report.durable_lsn:
                await asyncio.sleep(0.005)
                report = await site.replica(_PARTNERSHIP)
        await asyncio.to_thread(_sync, folder / "destination" / "destination")
        seconds = time.perf_counter() - began
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while report.checkpoint_lsn < report.durable_lsn:
                await asyncio.sleep(0.05)
                report = await site.replica(_PARTNERSHIP)
    finally:
        await site.close()
    began = time.perf_counter()
    site = await Site.open(_settings(1, folder))
    empty = time.perf_counter() - began
    await site.close()
    return Replayed(writable, seconds, empty)


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


async def _die(folder: Path, size_bytes: int) -> None:
    near = Shape(size_bytes)
    far = Shape(size_bytes, ring_bytes=_RING_FACTOR * size_bytes)
    settings = _settings(0, folder)
    settings.directory.mkdir(parents=True, exist_ok=True)
    async with _other_site(folder) as other:
        own = await Site.open(settings)
        try:
            address = _settings(1, folder).listen_address
            for index, (site, shape) in enumerate(((own, near), (other, far))):
                await add_pool(site, index, folder)
                await provision(site, index, 0, folder, shape, address)
            for site in (own, other):
                await site.start_replica(_PARTNERSHIP)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while (await own.replica(_PARTNERSHIP)).flow is not Flow.LIVE:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await _write_all(own, size_bytes)
        finally:
            await own.close()


async def _write_all(site: Site, size_bytes: int) -> None:
    """Write every block once, in any order."""
    blocks = list(range(size_bytes // _BLOCK_BYTES))
    random.Random(3).shuffle(blocks)
    data = os.urandom(_BLOCK_BYTES)
    for start in range(0, len(blocks), _DEPTH):
        part = blocks[start : start + _DEPTH]
        await asyncio.gather(*(site.write("source", b * _BLOCK_BYTES, data) for b in part))


@asynccontextmanager
async def _other_site(folder: Path) -> AsyncIterator[SiteClient]:
    """Run the second site in a process of its own, and kill it at the end."""
    settings = _settings(1, folder)
    settings.directory.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "benchmarks.replay", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: ASYNC220 (it is killed)
    client = SiteClient(ARRAYS[1], settings.rpc_socket, fabric=FABRIC, owner_term=1)
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        yield client
    finally:
        process.kill()
        process.communicate()
        await client.close()


def _settings(index: int, folder: Path) -> SiteSettings:
    settings = site_settings(SitePlan(ARRAYS[index]), folder, FABRIC, 1)
    return attrs.evolve(settings, own_process=True)


def _serve(folder: Path) -> None:
    settings = attrs.evolve(_settings(1, folder), limits=Limits(checkpoint_seconds=_NEVER_SECONDS))
    asyncio.run(serve(settings, lambda: print("ready", flush=True)))


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
