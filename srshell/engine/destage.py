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

from collections.abc import Sequence

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.checksum_page import (
    BLOCK_BYTES,
    CORRUPT,
    UNKNOWN,
    block_checksum,
    block_checksums,
)
from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.core import Core
from srshell.engine.volume_set import Range
from srshell.model.replica import ReplicaData

_ZERO_BLOCK = memoryview(bytes(BLOCK_BYTES))


@attrs.define
class _Block:
    """What becomes of a block: a base (None: what the volume holds) and parts laid over it."""

    base: Buffer | None
    parts: list[tuple[int, Buffer]] = attrs.field(factory=list)

    def content(self, found: Buffer | None) -> Buffer:
        """Return the block as it will be; ``found`` is what the volume holds."""
        base = found if self.base is None else self.base
        assert base is not None
        whole = bytearray(base)
        for start, part in self.parts:
            whole[start : start + len(part)] = part
        return whole


class _Plan:
    """What a batch of records makes of the blocks of one volume."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        #: Blocks that are written whole: the last content of each.
        self.whole: dict[int, Buffer] = {}
        #: Blocks of which parts are written; none of them is in ``whole``.
        self.parts: dict[int, _Block] = {}
        #: Whole blocks that read as zeros, but for those in ``whole`` and ``parts``.
        self.zeros: list[tuple[int, int]] = []

    def add(self, record: Record) -> None:
        """Add the record with the next LSN."""
        if record.kind is not RecordKind.WRITE:
            self._clear(record.offset, record.offset + record.length)
            return
        block, start = divmod(record.offset, BLOCK_BYTES)
        if start == 0 and record.length == BLOCK_BYTES:
            # Most writes are one block: no views, no arithmetic.
            self._set(block, record.payload)
        else:
            self._write(record.offset, memoryview(record.payload))

    def _write(self, offset: int, payload: memoryview) -> None:
        position, end = 0, len(payload)
        if offset % BLOCK_BYTES == 0 and end % BLOCK_BYTES == 0:
            # Larger writes are whole blocks, too: no step of ours for each of them.
            first = offset // BLOCK_BYTES
            blocks = range(first, first + end // BLOCK_BYTES)
            pieces = [payload[at : at + BLOCK_BYTES] for at in range(0, end, BLOCK_BYTES)]
            self.whole.update(zip(blocks, pieces, strict=True))
            if self.parts:
                for block in blocks:
                    self.parts.pop(block, None)
            return
        while position < end:
            block, start = divmod(offset + position, BLOCK_BYTES)
            size_bytes = min(BLOCK_BYTES, self._size_bytes - block * BLOCK_BYTES)
            part = payload[position : position + size_bytes - start]
            position += len(part)
            if len(part) == size_bytes:
                self._set(block, part)
            else:
                self._part(block, start, part)

    def _set(self, block: int, content: Buffer) -> None:
        self.whole[block] = content
        if self.parts:
            self.parts.pop(block, None)

    def _part(self, block: int, start: int, part: Buffer) -> None:
        found = self.parts.get(block)
        if found is None:
            base = self.whole.pop(block, None)
            if base is None and any(first <= block < end for first, end in self.zeros):
                base = _ZERO_BLOCK[: self._size_bytes - block * BLOCK_BYTES]
            found = self.parts[block] = _Block(base)
        found.parts.append((start, part))

    def _clear(self, offset: int, end: int) -> None:
        first = -(-offset // BLOCK_BYTES)
        last = -(-end // BLOCK_BYTES) if end == self._size_bytes else end // BLOCK_BYTES
        last = max(first, last)
        self._write(offset, _ZERO_BLOCK[: min(end, first * BLOCK_BYTES) - offset])
        if first < last:
            for blocks in (self.whole, self.parts):
                for block in [block for block in blocks if first <= block < last]:
                    del blocks[block]
            self.zeros.append((first, last))
        if end > last * BLOCK_BYTES:
            self._write(last * BLOCK_BYTES, _ZERO_BLOCK[: end - last * BLOCK_BYTES])


async def apply(core: Core, records: Sequence[Record]) -> None:
    """Write committed records, given in LSN order, into the volumes.  Raises StorageError."""
    plans: dict[int, _Plan] = {}
    for record in records:
        plan = plans.get(record.volume)
        if plan is None:
            plan = plans[record.volume] = _Plan(core.volumes.layouts[record.volume].size_bytes)
        plan.add(record)
    kept = [(volume, plan) for volume, plan in plans.items() if core.checksums.keeps(volume)]
    sums = [(volume, plan, await _sums(core, volume, plan)) for volume, plan in kept]
    await core.volumes.apply(records)
    for volume, plan, found in sums:
        for first, end in plan.zeros:
            await core.checksums.load(volume, range(first, end))
            core.checksums.put_zeros(volume, first, end)
        await core.checksums.load(volume, found)
        core.checksums.put_all(volume, found)


async def _sums(core: Core, volume: int, plan: _Plan) -> dict[int, int]:
    """Return the checksum that each block of the plan will have."""
    sums = dict(zip(plan.whole, block_checksums(plan.whole.values()), strict=True))
    if not plan.parts:
        return sums
    wanted = [block for block, made in plan.parts.items() if made.base is None]
    found = dict(zip(wanted, await _read_blocks(core, volume, wanted), strict=True))
    await core.checksums.load(volume, wanted)
    # Beside a copy a block may be older than the record; the copy will bring it.
    checks = core.superblock.data is ReplicaData.CONSISTENT
    for block, made in plan.parts.items():
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
