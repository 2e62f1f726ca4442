"""Change the volumes and record the checksums of what they hold then.

Always true:

(1) A checksum is made from what was to be written, never read back: what the disk did to it is for
    a verification to find.
(2) It is recorded after the write has ended, and before anything says that the record is applied.
(3) A block of which a part is written is read before; if it was not what its checksum says, it
    stays known as corrupt, for no write of a part can have mended the rest.
(4) Within one batch a block that is written many times is read and summed once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from srshell.codec.checksum import Buffer
from srshell.codec.checksum_page import (
    BLOCK_BYTES,
    CORRUPT,
    UNKNOWN,
    block_checksum,
    block_checksums,
)
from srshell.codec.log_frame import Record
from srshell.engine.batch import Batch
from srshell.engine.core import Core
from srshell.engine.volume_set import Range
from srshell.model.replica import ReplicaData

_Item = TypeVar("_Item")
#: Records or blocks that are looked at in one turn of the loop; batches beside writers have fewer.
_PORTION = 4096


async def apply(core: Core, records: Sequence[Record]) -> None:
    """Write committed records, given in LSN order, into the volumes.  Raises StorageError."""
    batches: dict[int, Batch] = {}
    async for portion in portions(records):
        for record in portion:
            batch = batches.get(record.volume)
            if batch is None:
                batch = batches[record.volume] = Batch(_size_bytes(core, record.volume))
            batch.add(record)
    sums = {
        volume: await _sums_of_parts(core, volume, batch)
        for volume, batch in batches.items()
        if core.checksums.keeps(volume)
    }
    summing = [_add_sums_of_whole(batches[volume], found) for volume, found in sums.items()]
    await asyncio.gather(core.volumes.apply(batches), *summing)
    for volume, found in sums.items():
        for first, end in batches[volume].zeros:
            await core.checksums.load(volume, range(first, end))
            core.checksums.put_zeros(volume, first, end)
        async for some in _portions_of(found, sorted):
            await core.checksums.load(volume, some)
            core.checksums.put_all(volume, some)


async def portions(items: Sequence[_Item]) -> AsyncIterator[Sequence[_Item]]:
    """Give a portion at a time, and everybody else a turn in between: a replay may be long."""
    for start in range(0, len(items), _PORTION):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + _PORTION]


async def _portions_of(
    found: dict[int, _Item], order: Callable[[Iterable[int]], list[int]]
) -> AsyncIterator[dict[int, _Item]]:
    if len(found) <= _PORTION:
        yield found  # as nearly always
        return
    async for blocks in portions(order(found)):
        yield {block: found[block] for block in blocks}


async def _add_sums_of_whole(batch: Batch, sums: dict[int, int]) -> None:
    async for some in _portions_of(batch.whole, list):  # as their bytes lie in memory
        sums.update(zip(some, block_checksums(some.values()), strict=True))


async def _sums_of_parts(core: Core, volume: int, batch: Batch) -> dict[int, int]:
    """Return the checksum that each block will have of which parts are written."""
    sums: dict[int, int] = {}
    if not batch.parts:
        return sums
    wanted = [block for block, made in batch.parts.items() if made.base is None]
    found = dict(zip(wanted, await _read_blocks(core, volume, wanted), strict=True))
    await core.checksums.load(volume, wanted)
    # Beside a copy a block may be older than the record; the copy will bring it.
    checks = core.superblock.data is ReplicaData.CONSISTENT
    for block, made in batch.parts.items():
        before = found.get(block)
        checksum = block_checksum(made.content(before))
        if before is not None and checks:
            recorded = core.checksums.get(volume, block)
            if recorded not in (UNKNOWN, block_checksum(before)):
                checksum = CORRUPT
                _tell_corrupt(core, volume, block)
        sums[block] = checksum
    return sums


def _tell_corrupt(core: Core, volume: int, block: int) -> None:
    name = core.volumes.layouts[volume].name
    core.tell(
        "failure",
        f"{name} at {block * BLOCK_BYTES} was not what was written there; a part of it is new now",
    )


async def _read_blocks(core: Core, volume: int, blocks: Sequence[int]) -> list[bytes]:
    ranges = [(block * BLOCK_BYTES, core.checksums.block_bytes(volume, block)) for block in blocks]
    return await core.volumes.read_each(volume, ranges)


async def store(
    core: Core, volume: int, ranges: Sequence[Range], parts: Sequence[Buffer] | None
) -> None:
    """Write copied ranges of a volume; None stands for zeros.  Raises StorageError."""
    await core.volumes.store(volume, ranges, parts)
    if not core.checksums.keeps(volume):
        return
    wholes = [whole_blocks(core, volume, offset, length) for offset, length in ranges]
    for (offset, length), (first, end) in zip(ranges, wholes, strict=True):
        if offset < first * BLOCK_BYTES or offset + length > end * BLOCK_BYTES:
            # No copy of ours has such edges; nothing is known of what else is in their blocks.
            await core.checksums.forget(volume, offset, length)
    await core.checksums.load_runs(volume, wholes)
    for index, (first, end) in enumerate(wholes):
        if parts is None:
            core.checksums.put_zeros(volume, first, end)
        else:
            record(core, volume, ranges[index][0], parts[index], first, end)


async def know(core: Core, volume: int, offset: int, data: Buffer) -> bool:
    """Record the checksums of a range whose content was compared with the other side.

    Returns whether another checksum was known of one of its blocks.  Raises StorageError.
    """
    first, end = whole_blocks(core, volume, offset, len(data))
    await core.checksums.load(volume, range(first, end))
    before = [core.checksums.get(volume, block) for block in range(first, end)]
    record(core, volume, offset, data, first, end)
    after = (core.checksums.get(volume, block) for block in range(first, end))
    return any(old not in {UNKNOWN, new} for old, new in zip(before, after, strict=True))


async def learn_zeros(core: Core, volume: int, offset: int, length: int) -> None:
    """Record the checksums of a hole's blocks of which none is known.  Raises StorageError."""
    if core.checksums.keeps(volume):
        first, end = whole_blocks(core, volume, offset, length)
        await core.checksums.load_runs(volume, ((first, end),))
        core.checksums.put_zeros(volume, first, end, if_unknown=True)


async def learn(
    core: Core,
    volume: int,
    ranges: Sequence[Range],
    parts: Sequence[Buffer],
    pending: Sequence[Sequence[Record]],
) -> None:
    """Record the checksums of blocks that were read for a copy and of which none is known.

    ``pending`` are the records that each part shows and the volume lacks; nothing else may be
    written there meanwhile.  Raises StorageError.
    """
    if not core.checksums.keeps(volume):
        return
    wholes = [whole_blocks(core, volume, offset, length) for offset, length in ranges]
    await core.checksums.load_runs(volume, wholes)
    for (offset, _), (first, end), part, records in zip(
        ranges, wholes, parts, pending, strict=True
    ):
        known = core.checksums.get_run(volume, first, end)
        if UNKNOWN not in known:
            continue
        if not records and not any(known):
            record(core, volume, offset, part, first, end)
            continue
        skip = _touched(records, first, end)
        for block, checksum in enumerate(known, first):
            if checksum == UNKNOWN and block not in skip:
                record(core, volume, offset, part, block, block + 1)


def _touched(records: Sequence[Record], first: int, end: int) -> set[int]:
    """Return the blocks of a range (first, end) of which records change something."""
    found: set[int] = set()
    for one in records:
        end_of_one = -(-(one.offset + one.length) // BLOCK_BYTES)
        found.update(range(max(first, one.offset // BLOCK_BYTES), min(end, end_of_one)))
    return found


def record(core: Core, volume: int, offset: int, data: Buffer, first: int, end: int) -> None:
    """Record the checksums of whole blocks that were loaded; ``data`` begins at ``offset``."""
    view = memoryview(data)
    places = range(first * BLOCK_BYTES - offset, end * BLOCK_BYTES - offset, BLOCK_BYTES)
    # The last block of a volume may be short: then the data ends with it.
    sums = [block_checksum(view[place : place + BLOCK_BYTES]) for place in places]
    core.checksums.put_run(volume, first, sums)


def whole_blocks(core: Core, volume: int, offset: int, length: int) -> tuple[int, int]:
    """Return the blocks (first, end) that lie wholly in a range of bytes."""
    end = offset + length
    last = -(-end // BLOCK_BYTES) if end == _size_bytes(core, volume) else end // BLOCK_BYTES
    first = -(-offset // BLOCK_BYTES)
    return first, max(first, last)


def _size_bytes(core: Core, volume: int) -> int:
    return core.volumes.layouts[volume].size_bytes
