"""The same load on an export of ours and on what else people use, in turn, in one run.

What a peer does not promise stands in the row's note: QEMU's mirror syncs its source alone, and
qemu-nbd has one copy.  A write of ours is durable in both logs when it is answered, whichever way
it was asked for.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.pair import Pair
from benchmarks.peers import Server, load, mirror, plain
from benchmarks.rows import Row, row_of
from benchmarks.yardstick import Rate

_BLOCK_BYTES: Final = 4096
#: Mode of the load, block in bytes, depth.
_MIRROR_CELLS: Final = (("fua", 4096, 1), ("fua", 4096, 32), ("write", 65536, 8))
_PLAIN_CELLS: Final = (("read", 4096, 1), ("read", 4096, 32))


async def peer_rows(pair: Pair, seconds: float, pairs: int) -> AsyncIterator[Row]:
    """Measure an export of a group in sync beside QEMU's mirror, and its reads beside qemu-nbd."""
    async with _export(pair) as own:
        async with mirror(pair.folder, pair.size_bytes) as peer:
            note = "beside QEMU's mirror, which never syncs its target"
            for cell in _MIRROR_CELLS:
                yield await _row(own, peer, cell, seconds, pairs, note)
        async with plain(pair.folder, pair.size_bytes) as peer:
            for cell in _PLAIN_CELLS:
                yield await _row(own, peer, cell, seconds, pairs, "beside qemu-nbd, one copy")


async def _row(
    own: Server, peer: Server, cell: tuple[str, int, int], seconds: float, pairs: int, note: str
) -> Row:
    mode, block_bytes, depth = cell
    ours: list[Rate] = []
    theirs: list[Rate] = []
    for _ in range(pairs):
        theirs.append(await load(peer, mode, block_bytes, depth, seconds))
        ours.append(await load(own, mode, block_bytes, depth, seconds))
    return row_of(f"nbd {mode} {block_bytes >> 10} KiB, depth {depth}", ours, theirs, note)


@asynccontextmanager
async def _export(pair: Pair) -> AsyncIterator[Server]:
    """Serve the primary's volume as long as the block lasts."""
    uri = urlsplit((await pair.sites[0].export("source")).uri)
    try:
        yield Server(Path(parse_qs(uri.query)["socket"][0]), uri.path.lstrip("/"), pair.pids)
    finally:
        await pair.sites[0].unexport("source")


async def image_copy_row(pair: Pair, source_bytes: int) -> Row:
    """Time the first copy of a half-empty volume beside `qemu-img convert` of the same file.

    The group's link is not wanted yet; ``source_bytes`` of the volume hold data.
    """
    source, target = pair.folder / "source" / "source", pair.folder / "converted"
    before = time.perf_counter()
    words = ("convert", "-f", "raw", "-O", "raw", "-t", "writethrough", str(source), str(target))
    process = await asyncio.create_subprocess_exec("qemu-img", *words)
    assert await process.wait() == 0
    theirs = time.perf_counter() - before
    target.unlink()
    cpu, before = pair.cpu_seconds(), time.perf_counter()
    await pair.start_copy()
    await pair.until_live()
    ours = time.perf_counter() - before
    copied = (await pair.report()).copied_bytes_total
    note = f"beside qemu-img convert; {copied / source_bytes:.2f} sent"
    return _one_time_row("first copy, MiB/s", source_bytes, ours, theirs, pair, cpu, note)


async def resync_row(pair: Pair, share: float) -> Row:
    """Time the resynchronisation of a share of random blocks beside a copy of those very blocks.

    The group is in sync; its secondary is suspended while the primary writes alone.
    """
    blocks = random.Random(7).sample(
        range(pair.size_bytes // _BLOCK_BYTES), round(pair.size_bytes // _BLOCK_BYTES * share)
    )
    await pair.suspend()
    write = pair.volume()
    for start in range(0, len(blocks), 64):
        data = os.urandom(_BLOCK_BYTES)
        await asyncio.gather(*(write(b * _BLOCK_BYTES, data) for b in blocks[start : start + 64]))
    theirs = await asyncio.to_thread(_copy_blocks, pair, sorted(blocks))
    cpu, before = pair.cpu_seconds(), time.perf_counter()
    await pair.resume()
    await pair.until_live()
    ours = time.perf_counter() - before
    size_bytes = len(blocks) * _BLOCK_BYTES
    note = "beside a copy of the same blocks"
    name = f"resync of {share:.1%} random 4 KiB, MiB/s"
    return _one_time_row(name, size_bytes, ours, theirs, pair, cpu, note)


def _copy_blocks(pair: Pair, blocks: list[int]) -> float:
    """Copy blocks from file to file and sync; return the seconds."""
    target = pair.folder / "patched"
    with (pair.folder / "source" / "source").open("rb") as reader, target.open("wb") as writer:
        writer.truncate(pair.size_bytes)
        before = time.perf_counter()
        for block in blocks:
            piece = os.pread(reader.fileno(), _BLOCK_BYTES, block * _BLOCK_BYTES)
            os.pwrite(writer.fileno(), piece, block * _BLOCK_BYTES)
        os.fdatasync(writer.fileno())
        seconds = time.perf_counter() - before
    target.unlink()
    return seconds


def _one_time_row(
    work: str, size_bytes: int, ours: float, theirs: float, pair: Pair, cpu: float, note: str
) -> Row:
    used = pair.cpu_seconds() - cpu
    return Row(
        work=work,
        product=size_bytes / ours / (1 << 20),
        yardstick=size_bytes / theirs / (1 << 20),
        ratio=theirs / ours,
        spread=1.0,
        p50_seconds=0.0,
        p99_seconds=0.0,
        cpu_us=used / (size_bytes / _BLOCK_BYTES) * 1e6,
        yardstick_cpu_us=0.0,
        note=note,
    )
