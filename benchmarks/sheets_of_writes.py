"""Acknowledged writes, and how what they cost grows: with depth, size, distance, volumes, groups.

Always true: volumes hold data before anything is timed, so that no row measures the allocation of
holes; the primary's site lives in the measuring process unless a row says otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from benchmarks.pair import Pair, Shape, fill, open_pair
from benchmarks.rows import Row, beside_itself, row_of
from benchmarks.setting import Setting, Sheet
from benchmarks.writing import by_tasks, has_fio, name_of, write_row
from benchmarks.yardstick import Rate, log_then_ack
from srshell.engine.world import Limits

_DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128)
_BLOCKS = tuple(kib << 10 for kib in (4, 16, 64, 256, 1024))
_SHORT_DEPTHS = (1, 32)
_CLIENT_CELLS = ((4096, 1), (4096, 32), (65536, 1), (65536, 32))
_DISTANCES_MS = (1, 5, 20)
_GROUPS = (1, 2, 4, 8)
_VOLUMES = 64
_HELD_MIB_PER_SECOND = 1024  # more than twice what is written while nothing is applied
_APPLY_FACTOR = 5  # of a row's seconds: more than the log holds is written
#: The least ratio that is wanted, by block and depth.
_WANTED = {(4096, 1): 0.75, (4096, 32): 0.6, (4096, 128): 0.5, (65536, 8): 0.85, (1 << 20, 8): 0.85}


@asynccontextmanager
async def _filled_pair(
    setting: Setting,
    *,
    inside: bool = True,
    holds_back: bool = False,
    round_trip_seconds: float = 0.0,
) -> AsyncIterator[Pair]:
    """A group in sync whose volume holds data everywhere.

    ``holds_back``: what one measurement writes is applied after it, for the yardstick does not
    apply either.
    """
    shape, limits = setting.shape, None
    if holds_back:
        held_bytes = round(_HELD_MIB_PER_SECOND * setting.seconds) << 20
        shape = attrs.evolve(shape, ring_bytes=max(shape.ring_bytes, held_bytes))
        limits = Limits(
            linger_seconds=1.25 * setting.seconds,
            linger_bytes=held_bytes,
            unapplied_bytes=held_bytes,
        )
    async with open_pair(
        setting.folder,
        shape,
        commits=setting.commits,
        inside=inside,
        round_trip_seconds=round_trip_seconds,
        limits=limits,
    ) as pair:
        await asyncio.to_thread(fill, pair.source_path)
        await pair.start_copy()
        await pair.until_live()
        yield pair


async def _cells(
    setting: Setting, works: Collection[str], cells: dict[str, tuple[int, int]], curve: str
) -> AsyncIterator[Row]:
    """Measure blocks and depths in process; ``curve`` is ``depth`` or ``block``."""
    wanted_cells = {name: cell for name, cell in cells.items() if name in works}
    async with _filled_pair(setting, holds_back=True) as pair:
        # Untimed: where memory is a virtual machine's, its first use costs more than a write does.
        await by_tasks(pair, *max(wanted_cells.values()), setting.seconds)
        await pair.until_applied()
        for name, (block_bytes, depth) in wanted_cells.items():
            row = await write_row(
                pair, "in process", block_bytes, depth, setting.seconds, setting.pairs
            )
            at = depth if curve == "depth" else block_bytes >> 10
            wanted = _WANTED.get((block_bytes, depth))
            yield attrs.evolve(row, work=name, curve=curve, at=at, wanted=wanted)


_DEPTH_CELLS = {name_of("in process", 4096, depth): (4096, depth) for depth in _DEPTHS}
_SHORT_CELLS = {name_of("in process", 4096, depth): (4096, depth) for depth in _SHORT_DEPTHS}
# The first of them is a point of both curves, and measured for each.
_BLOCK_CELLS = {f"{name_of('in process', size, 8)}, by block": (size, 8) for size in _BLOCKS}


async def _depths(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    async for row in _cells(setting, works, _DEPTH_CELLS, "depth"):
        yield row


async def _blocks(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    async for row in _cells(setting, works, _BLOCK_CELLS, "block"):
        yield row


async def _applying(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Write for so long that logs wrap and checkpoints are taken; the yardstick applies, too."""
    seconds = setting.seconds * _APPLY_FACTOR
    async with _filled_pair(setting) as pair:
        ours: list[Rate] = []
        theirs: list[Rate] = []
        for _ in range(min(setting.pairs, 2)):
            theirs.append(
                await asyncio.to_thread(log_then_ack, pair.folder, 4096, 32, seconds, applies=True)
            )
            ours.append(await by_tasks(pair, 4096, 32, seconds))
            await pair.until_applied()
        row = row_of(next(iter(works)), ours, theirs)
        times = row.p99_seconds / row.yardstick_p99_seconds
        note = f"the program in C applies, too; p99 {times:.1f} times its p99"
        yield attrs.evolve(row, note=note, wanted=0.7)


_CLIENTS = {
    name_of(way, *cell): (way, *cell) for way in ("python", "nbd") for cell in _CLIENT_CELLS
}


async def _clients(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    async with _filled_pair(setting, inside=False) as pair:
        for name in (name for name in _CLIENTS if name in works):
            way, block_bytes, depth = _CLIENTS[name]
            if way == "python" or has_fio():
                yield await write_row(pair, way, block_bytes, depth, setting.seconds, setting.pairs)


_FAR = {
    f"round trip {ms} ms, depth {depth}": (ms, depth) for ms in _DISTANCES_MS for depth in (1, 32)
}
_SHORT_FAR = ("round trip 5 ms, depth 1",)
_FAR_WANTED = {1: 0.9, 32: 0.8}


async def _distances(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Measure beside what the distance itself allows: its depth each round trip and own time."""
    near: dict[int, list[Rate]] = {}
    async with _filled_pair(setting) as pair:
        for depth in sorted({_FAR[name][1] for name in works}):
            near[depth] = await _repeated(pair, depth, setting)
    for ms in sorted({_FAR[name][0] for name in works}):
        async with _filled_pair(setting, round_trip_seconds=ms / 1000) as pair:
            for name in (name for name in works if _FAR[name][0] == ms):
                depth = _FAR[name][1]
                rates = await _repeated(pair, depth, setting)
                yield far_row(name, ms / 1000, depth, near[depth], rates)


async def _repeated(pair: Pair, depth: int, setting: Setting) -> list[Rate]:
    return [await by_tasks(pair, 4096, depth, setting.seconds) for _ in range(setting.pairs)]


def far_row(
    name: str, round_trip_seconds: float, depth: int, nears: list[Rate], fars: list[Rate]
) -> Row:
    """Return the line of writes at a distance; at best each takes its own time and the way.

    At depth 1 its own time is the p50 without distance.  Deeper it is the mean, depth / rate: there
    a p50 says nothing of the few that wait long, and no distance makes a group faster than it is.
    """
    near, rate = _middle(nears), _middle(fars)
    own_seconds = near.p50_seconds if depth == 1 else depth / near.per_second
    at_best = depth / (round_trip_seconds + own_seconds)
    rates = [one.per_second for one in nears]
    return Row(
        work=name,
        product=rate.per_second,
        yardstick=at_best,
        ratio=rate.per_second / at_best,
        spread=max(rates) / min(rates),
        p50_seconds=rate.p50_seconds,
        p99_seconds=rate.p99_seconds,
        cpu_us=rate.cpu_us_per_write,
        yardstick_cpu_us=near.cpu_us_per_write,
        note=f"beside depth / (round trip + own time); {near.per_second:.0f} /s without distance",
        wanted=_FAR_WANTED[depth],
        curve=f"distance, depth {depth}",
        at=round_trip_seconds * 1000,
    )


def _middle(rates: list[Rate]) -> Rate:
    return sorted(rates, key=lambda rate: rate.per_second)[len(rates) // 2]


_SIZE = "a write when the volume is 16 times as large"
_MANY = f"a write when the group has {_VOLUMES} volumes"


async def _growing(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Measure depth 1 on one pair beside another one, in turn."""
    small = Shape(setting.large_bytes // 4)
    shapes = {
        _SIZE: Shape(16 * small.size_bytes),
        _MANY: Shape(small.size_bytes // _VOLUMES, volumes=_VOLUMES),
    }
    for name in (name for name in shapes if name in works):
        async with AsyncExitStack() as stack:
            pairs = []
            for shape in (small, shapes[name]):
                opening = open_pair(setting.folder, shape, commits=setting.commits, inside=True)
                pairs.append(await stack.enter_async_context(opening))
                await pairs[-1].start_copy()
                await pairs[-1].until_live()
            rates: tuple[list[Rate], list[Rate]] = ([], [])
            for _ in range(setting.pairs):
                for pair, found in zip(pairs, rates, strict=True):
                    names = pair.shape.names(0)
                    found.append(await by_tasks(pair, 4096, 1, setting.seconds, names=names))
            note = f"rate with one volume of {small.size_bytes >> 20} MiB"
            yield attrs.evolve(beside_itself(name, rates[1], rates[0], note), wanted=1 / 1.15)


_MANY_GROUPS = {f"{n} group{'s' * (n > 1)}, depth 1 each": n for n in _GROUPS}


async def _groups(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Let one writer write to each of some groups, beside as many programs in C."""
    shape = Shape(setting.size_bytes // max(_GROUPS), groups=max(_GROUPS))
    async with open_pair(setting.folder, shape, commits=setting.commits, inside=True) as pair:
        await pair.start_copy()
        await pair.until_live()
        for name in (name for name in _MANY_GROUPS if name in works):
            count = _MANY_GROUPS[name]
            ours: list[Rate] = []
            theirs: list[Rate] = []
            for _ in range(setting.pairs):
                theirs.append(await _many_yardsticks(pair, count, setting.seconds))
                rates = [
                    by_tasks(pair, 4096, 1, setting.seconds, names=shape.names(group))
                    for group in range(count)
                ]
                ours.append(together(await asyncio.gather(*rates)))
            note = "all groups together"
            yield attrs.evolve(row_of(name, ours, theirs, note), curve="groups", at=count)


async def _many_yardsticks(pair: Pair, count: int, seconds: float) -> Rate:
    folders = [pair.folder / f"yardstick-{number}" for number in range(count)]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        # Its files are made before all of them begin together.
        await asyncio.to_thread(log_then_ack, folder, 4096, 1, 0.01)
    runs = [asyncio.to_thread(log_then_ack, folder, 4096, 1, seconds) for folder in folders]
    return together(await asyncio.gather(*runs))


def together(rates: list[Rate]) -> Rate:
    """Return what several loads did at the same time."""
    return Rate(
        writes=sum(rate.writes for rate in rates),
        seconds=max(rate.seconds for rate in rates),
        p50_seconds=sorted(rate.p50_seconds for rate in rates)[len(rates) // 2],
        p99_seconds=max(rate.p99_seconds for rate in rates),
        cpu_seconds=sum(rate.cpu_seconds for rate in rates),
    )


_APPLY = "in process 4 KiB, depth 32, applying"

SHORT = (
    Sheet("writes", tuple(_SHORT_CELLS), _depths, ("cc",)),
    Sheet("distance", _SHORT_FAR, _distances, ("cc",)),
)
LONG = (
    Sheet("writes by depth", tuple(_DEPTH_CELLS), _depths, ("cc",)),
    Sheet("writes by block", tuple(_BLOCK_CELLS), _blocks, ("cc",)),
    Sheet("writes with apply and checkpoints", (_APPLY,), _applying, ("cc",)),
    Sheet("writes of clients", tuple(_CLIENTS), _clients, ("cc",)),
    Sheet("distance", tuple(_FAR), _distances, ("cc",)),
    Sheet("growth", (_SIZE, _MANY), _growing),
    Sheet("groups", tuple(_MANY_GROUPS), _groups, ("cc",)),
)
