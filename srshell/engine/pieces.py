"""What a copy takes next: one long range, or many short ones of a volume together.

Always true:

(1) Pieces of a volume ascend; a block that is marked again behind them waits for the next round.
(2) A piece holds at most the bytes of an extent, but for a hole, of which nothing is read.
(3) Nobody is asked where the holes of short runs are: to read them costs less.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import islice
from typing import Final

import attrs

from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.volume_set import Range
from srshell.storage import StorageError

#: How much is looked at for holes at once: more behind each hole, up to what is asked for.
LOOK_BYTES: Final = 64 << 20
LOOK_BYTES_MAX: Final = 512 << 20
_LOOK_GROWTH: Final = 4
#: Runs of at most this share of an extent go together with others.
_SHORT_SHARE: Final = 8


@attrs.frozen
class Piece:
    """Ranges of a volume that are read, sent and stored together; a hole is one range."""

    volume: int
    ranges: tuple[Range, ...]
    hole: bool = False

    @property
    def length(self) -> int:
        """Return how many bytes of the volume it covers."""
        return sum(length for _, length in self.ranges)


async def pieces(
    core: Core, volume: int, runs_max: Callable[[], int], hole_bytes_max: Callable[[], int]
) -> AsyncGenerator[Piece, None]:
    """Yield what is marked, ascending; of short runs at most ``runs_max()`` together.

    Who stops early closes it.
    """
    look_bytes = LOOK_BYTES
    size_bytes = core.volumes.layouts[volume].size_bytes
    short_bytes = max(BLOCK_BYTES, core.world.limits.extent_bytes // _SHORT_SHARE)
    position = 0
    while True:
        ranges = _short_runs(core, volume, position, short_bytes, runs_max())
        if ranges:
            offset, length = ranges[-1]
            position = -(-(offset + length) // BLOCK_BYTES)
            yield Piece(volume, tuple(ranges))
            continue
        look_bytes = min(look_bytes, hole_bytes_max())
        run = next(core.dirty.runs(volume, position, look_bytes // BLOCK_BYTES), None)
        if run is None:
            return
        position = run[0] + run[1]
        offset, end = run[0] * BLOCK_BYTES, min(position * BLOCK_BYTES, size_bytes)
        holes_bytes = 0
        async with aclosing(_split(core, volume, offset, end)) as parts:
            async for piece in parts:
                holes_bytes += piece.length if piece.hole else 0
                yield piece
        look_bytes = _LOOK_GROWTH * look_bytes if holes_bytes == end - offset else LOOK_BYTES


def _short_runs(
    core: Core, volume: int, position: int, short_bytes: int, runs_max: int
) -> list[Range]:
    """Return the short runs from a block on, up to the first long one or an extent's bytes."""
    size_bytes = core.volumes.layouts[volume].size_bytes
    left_bytes = core.world.limits.extent_bytes
    ranges: list[Range] = []
    runs = core.dirty.runs(volume, position, short_bytes // BLOCK_BYTES + 1)
    for first, count in islice(runs, runs_max):
        offset = first * BLOCK_BYTES
        length = min(count * BLOCK_BYTES, size_bytes - offset)
        left_bytes -= length
        if length > short_bytes or left_bytes < 0:
            break
        ranges.append((offset, length))
    return ranges


async def _split(core: Core, volume: int, offset: int, end: int) -> AsyncGenerator[Piece, None]:
    """Yield a long run as extents of data and as holes."""
    limit_bytes = core.world.limits.extent_bytes
    try:
        data = await core.volumes.data_ranges(volume, offset, end - offset)
    except StorageError as error:
        raise core.fail(error) from error
    for start, length in data:
        first = max(offset, start // BLOCK_BYTES * BLOCK_BYTES)
        if first > offset:
            yield Piece(volume, ((offset, first - offset),), hole=True)
        offset = max(offset, first)
        stop = min(end, -(-(start + length) // BLOCK_BYTES) * BLOCK_BYTES)
        while offset < stop:
            size_bytes = min(limit_bytes, stop - offset)
            yield Piece(volume, ((offset, size_bytes),))
            offset += size_bytes
    if offset < end:
        yield Piece(volume, ((offset, end - offset),), hole=True)
