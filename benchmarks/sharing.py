"""Two groups of one site that copy at once, with priorities 3 to 1, under a common rate.

Always true: counted is what both copies sent between two moments at which both were under way.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row
from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend, site_settings
from srshell.model.copying import CopyPlan, CopyTerms
from srshell.model.inventory import PoolKind
from srshell.model.replica import ReplicaReport, ReplicaRole, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteVolume
from srshell.site.client import SiteClient

_FABRIC = "e" * 32
_ARRAYS = ("BenchA", "BenchB")
_LOG_BYTES = 16 << 20
_MIB = 1 << 20
_BLOCK_BYTES = 4096
#: Partnership to priority.
_PRIORITIES = {"3" * 32: 30, "1" * 32: 10}
_PATIENCE_SECONDS = 600.0
_SECONDS_MIN = 1.0


async def sharing_row(folder: Path, seconds: float, rate: int = 32 * _MIB) -> Row:
    """Measure for a few seconds how much both copies send, and how they share it."""
    seconds = max(2 * seconds, _SECONDS_MIN)
    # Enough for either to be under way until the end, even if it had all of the rate.
    size_bytes = round(rate * (seconds + 2) / _MIB) * _MIB
    folder = Path(tempfile.mkdtemp(dir=folder))
    backend = NativeBackend(folder, _FABRIC, 1)
    try:
        for array in _ARRAYS:
            await backend.start(SitePlan(array))
        sites = tuple(backend.site(array) for array in _ARRAYS)
        for index, site in enumerate(sites):
            await _provision(site, index, folder, size_bytes)
        terms = tuple(CopyTerms(name, priority) for name, priority in _PRIORITIES.items())
        await sites[0].set_copy_plan(CopyPlan(rate, terms))
        for partnership in _PRIORITIES:
            for site in reversed(sites):
                await site.start_replica(partnership)
        return await _measure(sites, seconds, rate)
    finally:
        await backend.close(stop_sites=True)
        shutil.rmtree(folder)


async def _measure(sites: Sequence[SiteClient], seconds: float, rate: int) -> Row:
    """Wait until both copy, then count for a while."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not all(one.copied_bytes_total for one in await _reports(sites[0])):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    pids = [(await site.describe()).pid for site in sites]
    before, begun, cpu = await _reports(sites[0]), time.perf_counter(), _cpu_seconds(pids)
    await asyncio.sleep(seconds)
    after, elapsed = await _reports(sites[0]), time.perf_counter() - begun
    used = _cpu_seconds(pids) - cpu
    pairs = zip(before, after, strict=True)
    sent = [new.copied_bytes_total - old.copied_bytes_total for old, new in pairs]
    assert all(report.progress is not None for report in after), "a copy ended before the end"
    blocks = sum(sent) / _BLOCK_BYTES
    return Row(
        work="2 copies at 3 : 1",
        product=sum(sent) / elapsed / _MIB,
        yardstick=rate / _MIB,
        ratio=sum(sent) / elapsed / rate,
        spread=1.0,
        cpu_us=used / blocks * 1e6,
        note=f"beside the rate that is given; shared {sent[0] / sent[1]:.2f} : 1",
        unit="MiB/s",
    )


async def _reports(site: SiteClient) -> list[ReplicaReport]:
    return [await site.replica(partnership) for partnership in _PRIORITIES]


def _cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU seconds that the processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def _provision(site: SiteClient, index: int, folder: Path, size_bytes: int) -> None:
    """Make both groups' sides at a site; the first site's volumes are full, without holes."""
    array, peer = _ARRAYS[index], _ARRAYS[1 - index]
    pool = folder / array.lower()
    pool.mkdir()
    await site.add_pool(PoolSpec("pool", str(pool), PoolKind.FILE, _FABRIC))
    peer_address = site_settings(SitePlan(peer), folder, _FABRIC, 1).listen_address
    for partnership in _PRIORITIES:
        name = f"volume{partnership[0]}"
        data = SiteVolume(name, str(pool / name), size_bytes, _BLOCK_BYTES, log=False)
        log = SiteVolume(f"{name}-log", str(pool / f"{name}-log"), _LOG_BYTES, 4096, log=True)
        await site.create_volume(data)
        await site.create_volume(log)
        if index == 0:
            await asyncio.to_thread(_fill, Path(data.path), size_bytes)
        digit = int(partnership[0])
        await site.create_replica(
            ReplicaSpec(
                partnership=partnership,
                replica=f"{digit + 4 * index:x}" * 32,
                peer=f"{digit + 4 * (1 - index):x}" * 32,
                group=f"{array}-{name}",
                peer_group=f"{peer}-{name}",
                array=array,
                peer_array=peer,
                role=ReplicaRole.SECONDARY if index else ReplicaRole.PRIMARY,
                initiator=index == 0,
                peer_address=peer_address,
                log_path=log.path,
                log_bytes=_LOG_BYTES,
                volumes=(ReplicaVolume(name, data.path, size_bytes, _BLOCK_BYTES),),
            )
        )


def _fill(path: Path, size_bytes: int) -> None:
    piece = os.urandom(_MIB)
    with path.open("r+b") as file:
        for _ in range(size_bytes // _MIB):
            file.write(piece)
