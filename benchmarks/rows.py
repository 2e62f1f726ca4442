"""The rows of the suite: the same work by srshell and by the yardstick, in turn, in one run.

Always true: a row is a median over pairs that were measured one after the other, so a machine that
gets slower does not change a ratio; a yardstick that varies by more than 1.6 is called too noisy.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import statistics
import time
from pathlib import Path

import attrs

from benchmarks.pair import Pair
from benchmarks.yardstick import Rate, log_then_ack, percentiles

_NOISE_MAX = 1.6


@attrs.frozen
class Row:
    """One line of the table; rates in writes (or bytes) a second, CPU in microseconds a write."""

    work: str
    product: float
    yardstick: float
    ratio: float
    spread: float  # largest over smallest rate of the yardstick
    p50_seconds: float
    p99_seconds: float
    cpu_us: float
    yardstick_cpu_us: float
    note: str = ""

    @property
    def noisy(self) -> bool:
        """Tell whether the yardstick itself varied too much to compare with."""
        return self.spread > _NOISE_MAX


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
        measure = _by_nbd if way == "nbd" else measure_python
        ours.append(await measure(pair, block_bytes, depth, seconds))
    name = f"{way} {block_bytes >> 10} KiB, depth {depth}"
    return row_of(name, ours, theirs)


def row_of(name: str, ours: list[Rate], theirs: list[Rate], note: str = "") -> Row:
    """Return the line of two series of measurements that were made in turn."""
    rates = [rate.per_second for rate in theirs]
    return Row(
        work=name,
        product=statistics.median(rate.per_second for rate in ours),
        yardstick=statistics.median(rates),
        ratio=statistics.median(
            a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)
        ),
        spread=max(rates) / min(rates),
        p50_seconds=statistics.median(rate.p50_seconds for rate in ours),
        p99_seconds=statistics.median(rate.p99_seconds for rate in ours),
        cpu_us=statistics.median(rate.cpu_us_per_write for rate in ours),
        yardstick_cpu_us=statistics.median(rate.cpu_us_per_write for rate in theirs),
        note=note,
    )


async def measure_python(pair: Pair, block_bytes: int, depth: int, seconds: float) -> Rate:
    """Let ``depth`` tasks write for a while, each waiting for its acknowledgement."""
    size_bytes = pair.size_bytes
    data = os.urandom(block_bytes)
    places = random.Random(1)
    latencies: list[float] = []
    cpu, own = pair.cpu_seconds(), time.process_time()
    start = time.perf_counter()
    volume = pair.volume()

    async def write() -> None:
        while (before := time.perf_counter()) - start < seconds:
            offset = places.randrange(size_bytes // block_bytes) * block_bytes
            await volume(offset, data)
            latencies.append(time.perf_counter() - before)

    await asyncio.gather(*(write() for _ in range(depth)))
    elapsed = time.perf_counter() - start
    used = pair.cpu_seconds() - cpu
    if not pair.inside:
        used += time.process_time() - own
    return Rate(len(latencies), elapsed, *percentiles(latencies), used)


async def far_row(pair: Pair, round_trip_seconds: float, near: Rate, seconds: float) -> Row:
    """Measure depth 1 with the peer that far away; ``near`` was measured without distance.

    At best a write takes what it takes without distance, and the round trip.
    """
    rate = await measure_python(pair, 4096, 1, seconds)
    at_best = 1 / (round_trip_seconds + near.p50_seconds)
    return Row(
        work=f"round trip {round_trip_seconds * 1e3:g} ms, depth 1",
        product=rate.per_second,
        yardstick=at_best,
        ratio=rate.per_second / at_best,
        spread=1.0,
        p50_seconds=rate.p50_seconds,
        p99_seconds=rate.p99_seconds,
        cpu_us=rate.cpu_us_per_write,
        yardstick_cpu_us=near.cpu_us_per_write,
        note="beside 1 / (round trip + own p50 without it)",
    )


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


async def copy_row(pair: Pair, half_empty_bytes: int) -> Row:
    """Time the first copy of a half-empty volume beside a plain sparse copy of the same file."""
    source, target = pair.folder / "source" / "source", pair.folder / "plain-copy"
    before = time.perf_counter()
    await asyncio.to_thread(_plain_copy, source, target)
    plain_seconds = time.perf_counter() - before
    target.unlink()
    cpu = pair.cpu_seconds()
    before = time.perf_counter()
    await pair.start_copy()
    await pair.until_live()
    seconds = time.perf_counter() - before
    used = pair.cpu_seconds() - cpu
    copied = (await pair.report()).copied_bytes_total
    note = f"{copied / half_empty_bytes:.2f} sent"
    blocks = half_empty_bytes / 4096
    return Row(
        "first copy, half-empty, MiB/s",
        half_empty_bytes / seconds / (1 << 20),
        half_empty_bytes / plain_seconds / (1 << 20),
        plain_seconds / seconds,
        1.0,
        0.0,
        0.0,
        used / blocks * 1e6,
        0.0,
        note,
    )


def _plain_copy(source: Path, target: Path) -> None:
    """Copy the data ranges of a sparse file and sync: what a copy costs at least."""
    size_bytes = source.stat().st_size
    with source.open("rb") as reader, target.open("wb") as writer:
        writer.truncate(size_bytes)
        offset = 0
        while offset < size_bytes:
            try:
                start = os.lseek(reader.fileno(), offset, os.SEEK_DATA)
            except OSError:
                break
            offset = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            for place in range(start, offset, 1 << 20):
                piece = os.pread(reader.fileno(), min(1 << 20, offset - place), place)
                os.pwrite(writer.fileno(), piece, place)
        os.fsync(writer.fileno())
