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
from srshell.codec.checksum_page import BLOCK_BYTES, CORRUPT, UNKNOWN, block_checksum
from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.core import Core
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
    sums = {block: block_checksum(content) for block, content in plan.whole.items()}
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
    core: Core, volume: int, offset: int, length: int, data: bytes | memoryview | None
) -> None:
    """Write a copied extent; None stands for zeros.  Raises StorageError."""
    await core.volumes.store(volume, offset, length, data)
    if not core.checksums.keeps(volume):
        return
    first, end = whole_blocks(core, volume, offset, length)
    if offset < first * BLOCK_BYTES or offset + length > end * BLOCK_BYTES:
        # No copy of ours has such edges; nothing is known of what else is in their blocks.
        await core.checksums.forget(volume, offset, length)
    await core.checksums.load(volume, range(first, end))
    if data is None:
        core.checksums.put_zeros(volume, first, end)
    else:
        record(core, volume, offset, data, first, end)


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


async def learn(
    core: Core, volume: int, offset: int, length: int, data: Buffer | None, pending: list[Record]
) -> None:
    """Record the checksums of blocks that were read for a copy and of which none is known.

    None stands for zeros.  ``pending`` are the records that ``data`` shows and the volume lacks;
    nothing else may be written there meanwhile.  Raises StorageError.
    """
    if not core.checksums.keeps(volume):
        return
    first, end = whole_blocks(core, volume, offset, length)
    await core.checksums.load(volume, range(first, end))
    if data is None:
        core.checksums.put_zeros(volume, first, end, if_unknown=True)
        return
    skip: set[int] = set()
    for one in pending:
        end_of_one = -(-(one.offset + one.length) // BLOCK_BYTES)
        skip.update(range(max(first, one.offset // BLOCK_BYTES), min(end, end_of_one)))
    view = memoryview(data)
    for block in range(first, end):
        if block not in skip and core.checksums.get(volume, block) == UNKNOWN:
            start = block * BLOCK_BYTES - offset
            content = view[start : start + core.checksums.block_bytes(volume, block)]
            core.checksums.put(volume, block, block_checksum(content))


def record(core: Core, volume: int, offset: int, data: Buffer, first: int, end: int) -> None:
    """Record the checksums of whole blocks that were loaded; ``data`` begins at ``offset``."""
    view = memoryview(data)
    for block in range(first, end):
        start = block * BLOCK_BYTES - offset
        content = view[start : start + core.checksums.block_bytes(volume, block)]
        core.checksums.put(volume, block, block_checksum(content))


def whole_blocks(core: Core, volume: int, offset: int, length: int) -> tuple[int, int]:
    """Return the blocks (first, end) that lie wholly in a range of bytes."""
    end = offset + length
    last = -(-end // BLOCK_BYTES) if end == _size_bytes(core, volume) else end // BLOCK_BYTES
    first = -(-offset // BLOCK_BYTES)
    return first, max(first, last)


def _size_bytes(core: Core, volume: int) -> int:
    return core.volumes.layouts[volume].size_bytes
