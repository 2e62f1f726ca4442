"""Whether the log volume of a side is on disk what its memory says: slots, pages, frames.

Always true:

(1) Nothing is inspected while it is written: what is found damaged was damaged at rest.
(2) A frame counts as damaged only if the log still refers to it after it was read.
(3) Mending writes from memory what is damaged on disk, or lets go of frames that nobody needs; it
    never changes what is true.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from itertools import islice, pairwise
from typing import Any

import attrs

from srshell.codec.bitmap_page import decode_page
from srshell.codec.checksum_page import decode_checksum_page
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import (
    HEADER_BYTES,
    SECTOR_BYTES,
    body_from_bytes,
    expect_frame,
    parse_header,
)
from srshell.codec.map_page import PAGE_BYTES
from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT, decode_superblock
from srshell.engine.core import Core
from srshell.replication.ring import HeldFrame
from srshell.storage import BlockFile, StorageError

_READ_BYTES = 1 << 20
_BLANK_PAGE = bytes(PAGE_BYTES)

#: (first LSN, last LSN, body_crc)
Row = tuple[int, int, int]


@attrs.define
class Inspection:
    """What is on a log volume: the frames that are intact, and a sentence about each damage."""

    rows: list[Row] = attrs.field(factory=list)
    damage: list[str] = attrs.field(factory=list)
    #: (volume, page) of the checksum map.
    bad_checksum_pages: list[tuple[int, int]] = attrs.field(factory=list)


async def inspect(core: Core, first_lsn: int) -> Inspection:
    """Look at everything that counts on a log volume, past the page cache.  Raises StorageError."""
    found = Inspection()
    async with core.superblocks.writing:
        await _slots(core, found)
    for volume in range(len(core.superblock.volumes)):
        async with core.dirty.writing:
            await _bitmap(core, found, volume)
        async with core.checksums.writing:
            await _checksums(core, found, volume)
    await _frames(core, found, first_lsn)
    met = core.checksums.met_damage()
    found.damage += [text for text in met if text not in found.damage]
    return found


async def mend(
    core: Core, found: Inspection, checkpoint: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Write damaged slots and pages again from memory, and let the log pass damaged frames."""
    core.dirty.touch_all()
    for volume, page in found.bad_checksum_pages:
        await core.checksums.touch(volume, page)
    for _ in range(SLOT_COUNT):
        await checkpoint()


async def _slots(core: Core, found: Inspection) -> None:
    area = await read_past_cache(core.log_device, 0, SLOT_BYTES * SLOT_COUNT)
    for slot in range(SLOT_COUNT):
        data = area[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]
        if not any(data) and core.superblock.generation < SLOT_COUNT:
            continue  # never written
        try:
            decode_superblock(data, slot)
        except FormatError as error:
            found.damage.append(f"superblock slot {slot}: {error}")


async def _bitmap(core: Core, found: Inspection, volume: int) -> None:
    layout = core.superblock.volumes[volume]
    partnership = bytes.fromhex(core.superblock.partnership)
    for page, data in await _pages(core, layout.bitmap_offset, layout.bitmap_pages):
        try:
            decode_page(data, partnership, volume, page)
        except FormatError as error:
            found.damage.append(f"bitmap page {page} of {layout.name}: {error}")


async def _checksums(core: Core, found: Inspection, volume: int) -> None:
    layout = core.superblock.volumes[volume]
    partnership = bytes.fromhex(core.superblock.partnership)
    for page, data in await _pages(core, layout.checksum_offset, layout.checksum_pages):
        if data == _BLANK_PAGE and not core.checksums.wrote(volume, page):
            continue
        try:
            decode_checksum_page(data, partnership, volume, page)
        except FormatError as error:
            found.damage.append(f"checksum page {page} of {layout.name}: {error}")
            found.bad_checksum_pages.append((volume, page))


async def _pages(core: Core, offset: int, count: int) -> list[tuple[int, bytes]]:
    pages: list[tuple[int, bytes]] = []
    for first in range(0, count, _READ_BYTES // PAGE_BYTES):
        size = min(count - first, _READ_BYTES // PAGE_BYTES)
        data = await read_past_cache(
            core.log_device, offset + first * PAGE_BYTES, size * PAGE_BYTES
        )
        pages += (
            (first + index, data[index * PAGE_BYTES : (index + 1) * PAGE_BYTES])
            for index in range(size)
        )
    return pages


async def _frames(core: Core, found: Inspection, first_lsn: int) -> None:
    wanted = [
        held
        for held in core.ring.frames
        if held.first_lsn >= first_lsn and held.last_lsn <= core.log.durable_lsn
    ]
    index = 0
    while index < len(wanted):
        run = _run(wanted, index, core.ring.ring_bytes)
        index += len(run)
        start, end = run[0].position, run[-1].position + run[-1].total_bytes
        data = await read_past_cache(core.log_device, core.log.offset_of(start), end - start)
        for held in run:
            piece = data[held.position - start :][: held.total_bytes]
            _frame(core, found, held, piece)
    await _wraps(core, found, wanted)


async def _wraps(core: Core, found: Inspection, frames: Sequence[HeldFrame]) -> None:
    """Look at the markers that close laps of the ring: a log that is opened follows them."""
    begins = {segment.first_lsn for segment in core.superblock.segments}
    for before, after in pairwise(frames):
        position = before.position + before.total_bytes
        if after.position == position:
            continue
        data = await read_past_cache(core.log_device, core.log.offset_of(position), SECTOR_BYTES)
        try:
            chained = parse_header(data).header_crc == after.chain
        except FormatError:
            chained = False
        intact = chained or after.first_lsn in begins
        if not intact and core.ring.find(after.first_lsn) is after:
            found.damage.append(f"log before LSN {after.first_lsn}: no marker of this lap")


def _run(frames: Sequence[HeldFrame], index: int, ring_bytes: int) -> list[HeldFrame]:
    """Return the frames from ``index`` on that follow each other and are read by one call."""
    run = [frames[index]]
    room_bytes = min(_READ_BYTES, ring_bytes - run[0].position % ring_bytes)
    for held in islice(frames, index + 1, None):
        last = run[-1]
        end = held.position + held.total_bytes
        if held.position != last.position + last.total_bytes or end - run[0].position > room_bytes:
            break
        run.append(held)
    return run


def _frame(core: Core, found: Inspection, held: HeldFrame, data: bytes) -> None:
    try:
        header = parse_header(data)
        expect_frame(
            header,
            partnership=bytes.fromhex(core.superblock.partnership),
            salt=header.salt,
            prev_crc=held.chain,
            next_lsn=held.first_lsn,
        )
        body = data[HEADER_BYTES:][: held.payload_bytes]
        body_from_bytes(header.epoch, held.first_lsn, header.record_count, body, held.crc)
    except FormatError as error:
        if core.ring.find(held.first_lsn) is held:
            found.damage.append(f"log at LSN {held.first_lsn}: {error}")
        return
    found.rows.append((held.first_lsn, held.last_lsn, held.crc))


async def read_past_cache(file: BlockFile, offset: int, length: int) -> bytes:
    """Return bytes as the device holds them, as far as the file system lets us.

    What the device does not return comes as zeros, which no slot, page or frame is.  Raises
    StorageError on all else, such as a sync that fails on the way.
    """
    try:
        data = await file.read_direct(offset, length)
        if data is not None:
            return data
        await file.sync()
        await file.drop_cache(offset, length)
        return await file.read_at(offset, length)
    except StorageError as error:
        if not error.is_unreadable:
            raise
        return bytes(length)
