"""Loads of writes: by tasks of this process, or by fio through the NBD export.

Always true: every write that is counted was acknowledged, and timed from its handing in.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Sequence

from benchmarks.pair import Pair
from benchmarks.rows import Row, row_of
from benchmarks.yardstick import Rate, log_then_ack, percentiles


async def write_row(
    pair: Pair, way: str, block_bytes: int, depth: int, seconds: float, pairs: int
) -> Row:
    """Measure acknowledged writes; ``way`` is ``in process``, ``python`` or ``nbd``."""
    ours: list[Rate] = []
    theirs: list[Rate] = []
    for _ in range(pairs):
        theirs.append(
            await asyncio.to_thread(log_then_ack, pair.folder, block_bytes, depth, seconds)
        )
        if way == "nbd":
            ours.append(await _by_nbd(pair, block_bytes, depth, seconds))
        else:
            ours.append(await by_tasks(pair, block_bytes, depth, seconds))
        await pair.until_applied()
    return row_of(name_of(way, block_bytes, depth), ours, theirs)


def name_of(way: str, block_bytes: int, depth: int) -> str:
    """Return the name of a row of writes."""
    return f"{way} {block_bytes >> 10} KiB, depth {depth}"


async def by_tasks(
    pair: Pair,
    block_bytes: int,
    depth: int,
    seconds: float,
    *,
    names: Sequence[str] = ("source",),
) -> Rate:
    """Let ``depth`` tasks write for a while, each to its volumes in turn, each waiting for itself.

    Task N begins with volume N of ``names``; every task writes once at least.
    """
    blocks = pair.size_bytes // block_bytes
    data = os.urandom(block_bytes)
    places = random.Random(1)
    latencies: list[float] = []
    cpu, own = pair.cpu_seconds(), time.process_time()
    start = time.perf_counter()

    async def write(first: int) -> None:
        volumes = itertools.cycle(
            [pair.volume(names[(first + n) % len(names)]) for n in range(len(names))]
        )
        before = start
        while before - start < seconds:
            before = time.perf_counter()
            await next(volumes)(places.randrange(blocks) * block_bytes, data)
            latencies.append(time.perf_counter() - before)

    await asyncio.gather(*(write(number) for number in range(depth)))
    elapsed = time.perf_counter() - start
    used = pair.cpu_seconds() - cpu
    if not pair.inside:
        used += time.process_time() - own
    return Rate(len(latencies), elapsed, *percentiles(latencies), used)


async def _by_nbd(pair: Pair, block_bytes: int, depth: int, seconds: float) -> Rate:
    """Let fio write through the NBD export; every reply means durable in both logs."""
    uri = await pair.sites[0].export("source")
    report = pair.folder / "fio.json"
    command = [
        "fio", "--name=nbd", "--ioengine=nbd", f"--uri={uri}", "--rw=randwrite",
        f"--bs={block_bytes}", f"--iodepth={depth}", "--time_based",
        # In milliseconds: fio reads a fraction of a second as 0, and 0 as for ever.
        f"--runtime={round(seconds * 1000)}ms",
        "--output-format=json", f"--output={report}",
    ]  # fmt: skip
    cpu = pair.cpu_seconds()
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    used = pair.cpu_seconds() - cpu
    job = json.loads(await asyncio.to_thread(report.read_text))["jobs"][0]
    write = job["write"]
    percentile = write["clat_ns"]["percentile"]
    own = (job["usr_cpu"] + job["sys_cpu"]) / 100 * write["runtime"] / 1000
    return Rate(
        write["total_ios"],
        write["runtime"] / 1000,
        percentile["50.000000"] / 1e9,
        percentile["99.000000"] / 1e9,
        used + own,
    )


def has_fio() -> bool:
    """Tell whether fio, the NBD load generator, is installed."""
    return shutil.which("fio") is not None
