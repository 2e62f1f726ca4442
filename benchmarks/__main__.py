"""`make bench`: a table of ratios; nothing here passes or fails."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

import attrs

from benchmarks.pair import Pair, open_pair
from benchmarks.peers import missing
from benchmarks.rows import Row, copy_row, far_row, has_fio, measure_python, write_row
from benchmarks.rows_of_peers import peer_rows, resync_row
from benchmarks.sharing import sharing_row
from benchmarks.yardstick import Rate
from srshell.site.process import calm_collector, loop_factory

_CELLS = ((4096, 1), (4096, 32), (65536, 1), (65536, 32))
_ROUND_TRIPS_SECONDS = (0.001, 0.005, 0.02)


async def _measure(
    folder: Path, size_bytes: int, seconds: float, pairs: int, *, direct: bool
) -> list[Row]:
    rows: list[Row] = []
    async with open_pair(folder, size_bytes, direct=direct, inside=True) as pair:
        await pair.start_copy()
        await pair.until_live()
        for block_bytes, depth in (*_CELLS, (4096, 128)):
            rows.append(await write_row(pair, "in process", block_bytes, depth, seconds, pairs))
            sys.stderr.write(f"measured {rows[-1].work}\n")
    rows += await _far_rows(folder, size_bytes, seconds, direct=direct)
    rows.append(await sharing_row(folder, seconds))
    async with open_pair(folder, size_bytes, direct=direct) as pair:
        half = size_bytes // 2
        piece = os.urandom(1 << 20)
        for offset in range(0, size_bytes, 4 << 20):
            for part in range(2):
                await pair.sites[0].write("source", offset + (part << 20), piece)
        await _settled()
        rows.append(await copy_row(pair, half))
        rows += await _beside_peers(pair, seconds, pairs)
        for way in ("python", "nbd"):
            if way == "nbd" and not has_fio():
                sys.stderr.write("nbd rows are left out: fio is not installed\n")
                continue
            for block_bytes, depth in _CELLS:
                rows.append(await write_row(pair, way, block_bytes, depth, seconds, pairs))
                sys.stderr.write(f"measured {rows[-1].work}\n")
    return rows


async def _far_rows(folder: Path, size_bytes: int, seconds: float, *, direct: bool) -> list[Row]:
    """Measure depth 1 at several distances beside what the distance itself allows."""
    rows: list[Row] = []
    near: Rate | None = None
    for round_trip_seconds in (0.0, *_ROUND_TRIPS_SECONDS):
        async with open_pair(
            folder, size_bytes, direct=direct, inside=True, round_trip_seconds=round_trip_seconds
        ) as pair:
            await pair.start_copy()
            await pair.until_live()
            if near is None:
                near = await measure_python(pair, 4096, 1, seconds)
            else:
                rows.append(await far_row(pair, round_trip_seconds, near, seconds))
                sys.stderr.write(f"measured {rows[-1].work}\n")
    return rows


async def _beside_peers(pair: Pair, seconds: float, pairs: int) -> list[Row]:
    rows = [await resync_row(pair, 0.01)]
    if absent := missing():
        sys.stderr.write(f"rows beside peers are left out: not installed: {', '.join(absent)}\n")
        return rows
    await _settled()
    async for row in peer_rows(pair, seconds, pairs):
        rows.append(row)
        sys.stderr.write(f"measured {row.work}\n")
    return rows


async def _settled() -> None:
    """Let the primary apply what it holds, and the disk take it, before anything is timed."""
    await asyncio.sleep(2.0)
    await asyncio.to_thread(os.sync)


def main() -> int:
    """Run the suite and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--pairs", type=int, default=3, help="measurements of each row")
    parser.add_argument("--mib", type=int, default=512, help="size of the volume")
    parser.add_argument("--direct", action="store_true", help="commit in the site's own thread")
    parser.add_argument("--folder", type=Path, help="where volumes and logs are made")
    parser.add_argument("--json", type=Path, help="write the rows there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="srshell-bench-", dir=options.folder) as folder:
        size_bytes = options.mib << 20
        work = _measure(
            Path(folder), size_bytes, options.seconds, options.pairs, direct=options.direct
        )
        calm_collector()  # as a site process does; the primary lives in this one
        with asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
            rows = runner.run(work)
    sys.stdout.write("\n".join(_lines(rows)) + "\n")
    if options.json:
        options.json.write_text(json.dumps([attrs.asdict(row) for row in rows], indent=1))
    return 0


def _lines(rows: list[Row]) -> list[str]:
    head = f"{'work':30}{'srshell/s':>10}{'beside/s':>10}{'ratio':>7}{'p50 ms':>8}{'p99 ms':>8}"
    lines = [f"{head}{'CPU us':>8}{'beside us':>10}  note"]
    for row in rows:
        note = "; ".join(part for part in ("noisy" * row.noisy, row.note) if part)
        rates = f"{row.product:10.0f}{row.yardstick:10.0f}{row.ratio:7.2f}"
        times = f"{row.p50_seconds * 1e3:8.2f}{row.p99_seconds * 1e3:8.2f}"
        cpu = f"{row.cpu_us:8.0f}{row.yardstick_cpu_us:10.0f}"
        lines.append(f"{row.work:30}{rates}{times}{cpu}  {note}".rstrip())
    lines += [
        "beside: what the note names; else the smallest program that logs on two sides",
        "noisy: the smallest program itself varied too much to compare with",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
