"""What people wait for: failovers, a restart with a full log; and what nobody should notice.

Always true: times are those of the command, from asking to its end, through the owner's socket
where there is an owner.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import attrs

from benchmarks.fabric import ARRAYS, open_bench_fabric
from benchmarks.pair import Shape, open_pair
from benchmarks.replay import replayed
from benchmarks.rows import Row, copied_row, least_row
from benchmarks.setting import Setting, Sheet
from benchmarks.writing import by_tasks

_WRITABLE = "planned failover: writable"
_PROTECTED = "planned failover: protected again"
_TOGETHER = "planned failover of 10 groups at once"
_REPLAY = "unplanned failover, log to replay"
_EMPTY = "opening an empty log"
_MEMORY = "memory at 16 times the volume, depth 128"
_IDLE = "idle CPU of a site with 100 groups"
_IDLE_MEMORY = "memory of a site with 100 groups"
_GROUPS = 100
_AT_ONCE = 10
_MIB = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_DEPTH = 128
_REPLAY_SHARE = 16  # of a large volume: 256 MiB of 4 GiB


async def _failovers(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Switch an idle group back and forth; then several at once."""
    async with open_bench_fabric(setting.folder, _AT_ONCE) as fabric:
        writable: list[float] = []
        protected: list[float] = []
        told: list[float] = []
        for number in range(2 * setting.pairs):
            seconds = await fabric.fail_over(0, ARRAYS[(number + 1) % 2])
            writable.append(seconds[0])
            protected.append(seconds[1])
            told.append(seconds[2])
        spread = f"{min(writable):.3f} to {max(writable):.3f} s, both ways"
        if _WRITABLE in works:
            yield least_row(_WRITABLE, writable, 0.25, "s", spread)
        if _PROTECTED in works:
            note = (
                f"by the site's own word; the owner says so after {statistics.median(told):.2f} s"
            )
            yield least_row(_PROTECTED, protected, 0.5, "s", note)
        if _TOGETHER in works:
            began = time.perf_counter()
            await asyncio.gather(*(fabric.fail_over(n, ARRAYS[1]) for n in range(_AT_ONCE)))
            seconds_of_all = time.perf_counter() - began
            most = 3 * statistics.median(told)
            note = "until all are protected; three times what one takes"
            yield least_row(_TOGETHER, [seconds_of_all], most, "s", note)


async def _replays(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Kill a secondary whose volumes lack all of its log, start it again and let it lead."""
    size_bytes = setting.large_bytes // _REPLAY_SHARE
    ours: list[float] = []
    theirs: list[float] = []
    empty: list[float] = []
    opened = 0.0
    for _ in range(min(setting.pairs, 2)):
        with tempfile.TemporaryDirectory(dir=setting.folder) as name:
            theirs.append(await asyncio.to_thread(_plain_copy, Path(name), size_bytes))
            found = await replayed(Path(name), size_bytes)
        ours.append(found.replay_seconds)
        empty.append(found.empty_seconds)
        opened = found.writable_seconds
    if _REPLAY in works:
        note = f"beside cp of as much random data; writable after {opened:.2f} s"
        row = copied_row(_REPLAY, size_bytes, ours, theirs, note)
        yield attrs.evolve(row, wanted=0.5)
    if _EMPTY in works:
        yield least_row(_EMPTY, empty, 0.3, "s", "a log of four times that size")


def _plain_copy(folder: Path, size_bytes: int) -> float:
    """Copy a file of random data and sync; return the seconds."""
    source, target = folder / "random", folder / "random-copy"
    piece = os.urandom(_MIB)
    with source.open("wb") as file:
        for _ in range(size_bytes // _MIB):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    before = time.perf_counter()
    with source.open("rb") as reader, target.open("wb") as writer:
        while data := reader.read(_MIB):
            writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
    seconds = time.perf_counter() - before
    source.unlink()
    target.unlink()
    return seconds


async def _memory(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Write everywhere into a large, sparse volume, and look what the sites take."""
    async with open_pair(setting.folder, Shape(16 * setting.large_bytes)) as pair:
        await pair.start_copy()
        await pair.until_live()
        rate = await by_tasks(pair, 4096, _DEPTH, setting.seconds * 2)
        most = max(memory_mib(pid, "VmHWM") for pid in pair.pids)
        now = max(memory_mib(pid, "VmRSS") for pid in pair.pids)
    note = (
        f"the larger site, at most, after {rate.writes} writes everywhere; {now:.0f} MiB at the end"
    )
    yield least_row(next(iter(works)), [most], 150, "MiB", note)


async def _idle(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Do nothing with many groups in sync, and look what owner and sites do meanwhile."""
    async with open_bench_fabric(setting.folder, _GROUPS) as fabric:
        pids = await fabric.pids()
        seconds = max(setting.seconds * 5, 1.0)
        await asyncio.sleep(setting.seconds)
        before = [cpu_seconds(pid) for pid in pids]
        await asyncio.sleep(seconds)
        used = [100 * (cpu_seconds(p) - b) / seconds for p, b in zip(pids, before, strict=True)]
        sizes = [memory_mib(pid, "VmRSS") for pid in pids]
    if _IDLE in works:
        note = f"the busier site; the other one {min(used[1:]):.1f}, the owner {used[0]:.1f}"
        yield least_row(_IDLE, [max(used[1:])], 5, "% CPU", note)
    if _IDLE_MEMORY in works:
        note = f"the larger site; the other one {min(sizes[1:]):.0f}, the owner {sizes[0]:.0f}"
        yield least_row(_IDLE_MEMORY, [max(sizes[1:])], 150, "MiB", note)


def memory_mib(pid: int, field: str) -> float:
    """Return what a process takes or took of memory, by a field of its status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no {field}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


LONG = (
    Sheet("failovers", (_WRITABLE, _PROTECTED, _TOGETHER), _failovers),
    Sheet("replay", (_REPLAY, _EMPTY), _replays),
    Sheet("memory", (_MEMORY,), _memory),
    Sheet("idle", (_IDLE, _IDLE_MEMORY), _idle),
)
