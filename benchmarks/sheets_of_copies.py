"""First copies and resynchronisations, beside what else brings the same bytes from file to file.

Always true: the file that a copy goes to beside ours is there already when ours writes to one that
is; both are synced before the clock stops.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path

import attrs

from benchmarks.pair import Pair, Shape, fill, open_pair
from benchmarks.rows import Row, beside_itself, copied_row, least_row
from benchmarks.setting import Setting, Sheet
from benchmarks.sharing import sharing_row
from benchmarks.writing import by_tasks
from benchmarks.yardstick import Rate

_BLOCK_BYTES = 4096
_PIECE_BYTES = 1 << 20
_WRITERS = 128
#: What somebody waits for an empty volume to be in sync: finding holes, and the fence.
_SPARSE_SECONDS = 0.2
_HALF = "first copy, half-full"
_PLAIN = "first copy, half-full, beside a sparse copy"
_SPARSE = "first copy, empty, 16 times as large"
_RSYNC = "resync of 1 %, beside rsync --inplace"
_SHARES = {f"resync of {share:g} % random 4 KiB": share / 100 for share in (0.1, 1, 10)}
_SHORT_RESYNC = "resync of 1 % random 4 KiB"
_SIZES = "resync of as many blocks of a volume 4 times as large"
_BESIDE = "4 KiB, depth 4, while the first copy runs"
_SHARING = "2 copies at 3 : 1"


async def _first_copy(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Copy a half-full volume, anew for each pair, beside `qemu-img convert` or a plain copy."""
    for name in (name for name in (_HALF, _PLAIN) if name in works):
        ours: list[float] = []
        theirs: list[float] = []
        cpu_seconds, data_bytes, sent = 0.0, 0, 0.0
        for _ in range(setting.pairs):
            async with open_pair(
                setting.folder, Shape(setting.large_bytes), commits=setting.commits
            ) as pair:
                data_bytes = await asyncio.to_thread(fill, pair.source_path, every=2)
                await asyncio.to_thread(_read_through, pair.source_path)
                target = pair.folder / "plain-copy"
                if name == _HALF:
                    theirs.append(await _convert(pair.source_path, target))
                else:
                    theirs.append(await asyncio.to_thread(_sparse_copy, pair.source_path, target))
                target.unlink()
                before_cpu = pair.cpu_seconds()
                ours.append(await _timed_copy(pair))
                cpu_seconds += pair.cpu_seconds() - before_cpu
                sent = (await pair.report()).copied_bytes_total / data_bytes
        what = "qemu-img convert" if name == _HALF else "a sparse copy in one program"
        note = f"beside {what}, which keeps nothing in step; {sent:.3f} sent for each byte of data"
        row = copied_row(name, data_bytes, ours, theirs, note)
        cpu_us = cpu_seconds / len(ours) / (data_bytes / _BLOCK_BYTES) * 1e6
        yield attrs.evolve(row, cpu_us=cpu_us, wanted=1 / 1.8 if name == _HALF else None)


async def _timed_copy(pair: Pair) -> float:
    before = time.perf_counter()
    await pair.start_copy()
    await pair.until_live()
    return time.perf_counter() - before


async def _convert(source: Path, target: Path) -> float:
    """Run `qemu-img convert` and sync what it made; return the seconds."""
    words = ("convert", "-f", "raw", "-O", "raw", "-t", "writeback", str(source), str(target))
    before = time.perf_counter()
    await _run("qemu-img", *words)
    await asyncio.to_thread(_sync, target)
    return time.perf_counter() - before


async def _run(*words: str) -> None:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    try:
        if await process.wait():
            raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _read_through(path: Path) -> None:
    """Bring a file into memory: who copies it first is not to read it for who comes next."""
    with path.open("rb", buffering=0) as file:
        while file.read(_PIECE_BYTES):
            pass


def _sparse_copy(source: Path, target: Path) -> float:
    """Copy the data ranges of a sparse file and sync: what a copy costs at least."""
    before = time.perf_counter()
    size_bytes = source.stat().st_size
    with source.open("rb") as reader, target.open("wb") as writer:
        writer.truncate(size_bytes)
        end = 0
        while end < size_bytes:
            try:
                start = os.lseek(reader.fileno(), end, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            for place in range(start, end, _PIECE_BYTES):
                piece = os.pread(reader.fileno(), min(_PIECE_BYTES, end - place), place)
                os.pwrite(writer.fileno(), piece, place)
        os.fsync(writer.fileno())
    return time.perf_counter() - before


async def _empty_copy(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    found: list[float] = []
    for _ in range(setting.pairs):
        async with open_pair(setting.folder, Shape(4 * setting.large_bytes)) as pair:
            found.append(await _timed_copy(pair))
    note = f"{4 * setting.large_bytes >> 20} MiB without a byte"
    yield least_row(next(iter(works)), found, _SPARSE_SECONDS, "s", note)


async def _resyncs(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Resynchronise shares of a full volume in sync, beside a copy of the same blocks."""
    async with open_pair(
        setting.folder, Shape(setting.large_bytes), commits=setting.commits
    ) as pair:
        await asyncio.to_thread(fill, pair.source_path)
        await pair.start_copy()
        reference = pair.folder / "reference"
        await asyncio.to_thread(_sparse_copy, pair.source_path, reference)
        await pair.until_live()
        for name in (name for name in _SHARES if name in works):
            share = _SHARES[name]
            rounds = setting.pairs if share < max(_SHARES.values()) else 1
            row = await _resync_row(pair, name, share, rounds, reference)
            yield attrs.evolve(row, curve="dirty", at=share * 100)
        if _RSYNC in works:
            yield await _beside_rsync(pair, reference)


async def _resync_row(pair: Pair, name: str, share: float, rounds: int, reference: Path) -> Row:
    """Time resynchronisations; each time other blocks are written while the peer is away."""
    ours: list[float] = []
    theirs: list[float] = []
    cpu_seconds, sent, blocks = 0.0, 0, []
    for number in range(rounds):
        blocks = await _change(pair, share, number)
        theirs.append(await asyncio.to_thread(copy_blocks, pair.source_path, reference, blocks))
        before, before_cpu = (await pair.report()).copied_bytes_total, pair.cpu_seconds()
        ours.append(await _timed_resync(pair))
        cpu_seconds += pair.cpu_seconds() - before_cpu
        sent = (await pair.report()).copied_bytes_total - before
    size_bytes = len(blocks) * _BLOCK_BYTES
    way = f"{sent / size_bytes:.2f} sent by the bitmap" if sent else "all from the log"
    note = f"beside a copy of the same blocks from file to file; {way}"
    row = copied_row(name, size_bytes, ours, theirs, note)
    cpu_us = cpu_seconds / rounds / len(blocks) * 1e6
    return attrs.evolve(row, cpu_us=cpu_us, wanted=1 / 3)


async def _change(pair: Pair, share: float, seed: int) -> list[int]:
    """Suspend, and write a share of random blocks, until the volume's file holds them."""
    count = pair.size_bytes // _BLOCK_BYTES
    blocks = random.Random(seed).sample(range(count), max(1, round(count * share)))
    await pair.suspend()
    write, data = pair.volume(), os.urandom(_BLOCK_BYTES)
    for start in range(0, len(blocks), _WRITERS):
        part = blocks[start : start + _WRITERS]
        await asyncio.gather(*(write(block * _BLOCK_BYTES, data) for block in part))
    await pair.until_applied(linked=False)
    return sorted(blocks)


async def _timed_resync(pair: Pair) -> float:
    before = time.perf_counter()
    await pair.resume()
    await pair.until_live()
    return time.perf_counter() - before


def copy_blocks(source: Path, target: Path, blocks: Sequence[int]) -> float:
    """Copy blocks from file to file and sync; return the seconds."""
    with source.open("rb") as reader, target.open("r+b") as writer:
        before = time.perf_counter()
        for block in blocks:
            piece = os.pread(reader.fileno(), _BLOCK_BYTES, block * _BLOCK_BYTES)
            os.pwrite(writer.fileno(), piece, block * _BLOCK_BYTES)
        os.fdatasync(writer.fileno())
        return time.perf_counter() - before


async def _beside_rsync(pair: Pair, reference: Path) -> Row:
    blocks = await _change(pair, 0.01, 99)
    before = time.perf_counter()
    words = ("--inplace", "--no-whole-file", str(pair.source_path), str(reference))
    await _run("rsync", *words)
    await asyncio.to_thread(_sync, reference)
    theirs = time.perf_counter() - before
    ours = await _timed_resync(pair)
    note = "rsync reads all of both files, for it has no bitmap"
    row = copied_row(_RSYNC, len(blocks) * _BLOCK_BYTES, [ours], [theirs], note)
    return attrs.evolve(row, wanted=10.0)


async def _resync_sizes(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Resynchronise as many blocks of a large volume as of a small one, nearly all of it holes."""
    seconds: tuple[list[float], list[float]] = ([], [])
    blocks = setting.large_bytes // _BLOCK_BYTES // 100
    for _ in range(min(setting.pairs, 2)):
        for size_bytes, found in zip(
            (setting.large_bytes, 4 * setting.large_bytes), seconds, strict=True
        ):
            async with open_pair(setting.folder, Shape(size_bytes)) as pair:
                await pair.start_copy()
                await pair.until_live()
                await _change(pair, blocks * _BLOCK_BYTES / size_bytes, 5)
                found.append(await _timed_resync(pair))
    note = f"beside its own at {setting.large_bytes >> 20} MiB"
    row = copied_row(next(iter(works)), blocks * _BLOCK_BYTES, seconds[1], seconds[0], note)
    yield attrs.evolve(row, wanted=1 / 1.3)


async def _beside_writers(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Write while the first copy of a half-full volume runs, and with nothing to copy."""
    copying: list[Rate] = []
    quiet: list[Rate] = []
    mib = 0.0
    for _ in range(setting.pairs):
        for every, found in ((0, quiet), (2, copying)):
            async with open_pair(
                setting.folder, Shape(setting.large_bytes), commits=setting.commits, inside=True
            ) as pair:
                if every:
                    await asyncio.to_thread(fill, pair.source_path, every=every)
                await pair.start_copy()
                if not every:
                    await pair.until_live()
                found.append(await by_tasks(pair, _BLOCK_BYTES, 4, setting.seconds))
                mib = (await pair.report()).copied_bytes_total / (1 << 20)
    row = beside_itself(next(iter(works)), copying, quiet, "writes in sync, nothing to copy")
    times = row.p99_seconds / row.yardstick_p99_seconds
    note = f"{row.note}; p99 {times:.1f} times; {mib / setting.seconds:.0f} MiB/s copied meanwhile"
    yield attrs.evolve(row, note=note)


async def _sharing(setting: Setting, _works: Collection[str]) -> AsyncIterator[Row]:
    yield await sharing_row(setting.folder, setting.seconds)


def _short(setting: Setting) -> Setting:
    """Of the short form: a volume as large as that of its writes, and once."""
    return attrs.evolve(setting, large_bytes=setting.size_bytes, pairs=1)


async def _short_copy(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    async for row in _first_copy(_short(setting), works):
        yield row


async def _short_resync(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    async for row in _resyncs(_short(setting), works):
        yield row


SHORT = (
    Sheet("first copy", (_PLAIN,), _short_copy),
    Sheet("resync", (_SHORT_RESYNC,), _short_resync),
    Sheet("copies that share", (_SHARING,), _sharing),
)
LONG = (
    Sheet("first copy", (_HALF,), _first_copy, ("qemu-img",)),
    Sheet("first copy beside a plain one", (_PLAIN,), _first_copy),
    Sheet("empty copy", (_SPARSE,), _empty_copy),
    Sheet("resync", (*_SHARES, _RSYNC), _resyncs, needs_of={_RSYNC: "rsync"}),
    Sheet("resync by size", (_SIZES,), _resync_sizes),
    Sheet("writes beside a copy", (_BESIDE,), _beside_writers),
    Sheet("copies that share", (_SHARING,), _sharing),
)
