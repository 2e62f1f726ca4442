"""The same load on an export of ours and on what else people use, in turn, in one run.

What a peer does not promise stands in the row's note: QEMU's mirror syncs its source alone, and
qemu-nbd has one copy.  A write of ours is durable in both logs when it is answered, whichever way
it was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import attrs

from benchmarks.pair import Pair, fill, open_pair
from benchmarks.peers import Server, load, mirror, plain
from benchmarks.rows import Row, row_of
from benchmarks.setting import Setting, Sheet
from benchmarks.yardstick import Rate

_MIRROR_NOTE: Final = "beside QEMU's mirror, which never syncs its target"
_PLAIN_NOTE: Final = "beside qemu-nbd, which has one copy"
#: Mode of the load, block in bytes, depth; the least ratio that is wanted.
_MIRRORED: Final = {("fua", 4096, 1): 0.7, ("fua", 4096, 32): 3.0, ("write", 65536, 8): None}
_READ: Final = {("read", 4096, 1): None, ("read", 4096, 32): 1.0, ("read", 65536, 8): None}
_SHORT: Final = (("fua", 4096, 1), ("fua", 4096, 32), ("read", 4096, 32))

Cell = tuple[str, int, int]


def _name(cell: Cell) -> str:
    mode, block_bytes, depth = cell
    return f"nbd {mode} {block_bytes >> 10} KiB, depth {depth}"


async def _peers(setting: Setting, works: Collection[str]) -> AsyncIterator[Row]:
    """Measure an export of a group in sync beside QEMU's mirror, and its reads beside qemu-nbd."""
    async with open_pair(setting.folder, setting.shape, commits=setting.commits) as pair:
        await asyncio.to_thread(fill, pair.source_path)
        await pair.start_copy()
        await pair.until_live()
        async with _export(pair) as own:
            for cells, peer, note in (
                (_MIRRORED, mirror, _MIRROR_NOTE),
                (_READ, plain, _PLAIN_NOTE),
            ):
                wanted = {cell: least for cell, least in cells.items() if _name(cell) in works}
                async for row in _beside(pair, own, peer, wanted, setting):
                    yield attrs.evolve(row, note=note)


async def _beside(
    pair: Pair,
    own: Server,
    start: Callable[[Path, int], AbstractAsyncContextManager[Server]],
    cells: dict[Cell, float | None],
    setting: Setting,
) -> AsyncIterator[Row]:
    if not cells:
        return
    async with start(pair.folder, pair.size_bytes) as peer:
        for cell, least in cells.items():
            ours: list[Rate] = []
            theirs: list[Rate] = []
            for _ in range(setting.pairs):
                theirs.append(await load(peer, *cell, setting.seconds))
                ours.append(await load(own, *cell, setting.seconds))
            yield attrs.evolve(row_of(_name(cell), ours, theirs), wanted=least)


@asynccontextmanager
async def _export(pair: Pair) -> AsyncIterator[Server]:
    """Serve the primary's volume as long as the block lasts."""
    uri = urlsplit((await pair.sites[0].export("source")).uri)
    try:
        yield Server(Path(parse_qs(uri.query)["socket"][0]), uri.path.lstrip("/"), pair.pids)
    finally:
        await pair.sites[0].unexport("source")


_NEEDS: Final = ("cc", "qemu-storage-daemon", "qemu-nbd", "qemu-img")
_ALL: Final = tuple(_name(cell) for cell in (*_MIRRORED, *_READ))

SHORT: Final = (Sheet("peers over NBD", tuple(map(_name, _SHORT)), _peers, _NEEDS),)
LONG: Final = (Sheet("peers over NBD", _ALL, _peers, _NEEDS),)
