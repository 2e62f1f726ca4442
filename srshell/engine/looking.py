"""What one side holds of an extent, block by block, past the page cache.

Always true:

(1) A block that the device does not return is a wrong block, not the end of the side.
(2) Looking changes nothing; what a look found may be recorded afterwards by `agree`.
"""

from __future__ import annotations

import hashlib
import sys
from array import array

import attrs

from srshell.codec.checksum_page import BLOCK_BYTES, CHECKSUM_BYTES, UNKNOWN, block_checksum
from srshell.engine.core import Core
from srshell.replication.judge import UNREADABLE
from srshell.storage import StorageError


@attrs.frozen
class Look:
    """What a side holds of a range, and what it recorded, both per block."""

    volume: int
    offset: int
    digest: bytes  # of all bytes; a block that cannot be read counts as zeros
    checksums: array[int]
    recorded: array[int]
    past_cache: bool
    keeps: bool  # the side has a checksum map

    @property
    def contradicts(self) -> bool:
        """Tell whether a block is not what was recorded."""
        pairs = zip(self.checksums, self.recorded, strict=True)
        return any(
            actual == UNREADABLE or recorded not in (UNKNOWN, actual) for actual, recorded in pairs
        )

    @property
    def knows_all(self) -> bool:
        """Tell whether nothing can be learnt: every block has a checksum, or none can have one."""
        return not self.keeps or UNKNOWN not in self.recorded


def digest(data: bytes) -> bytes:
    """Return 16 bytes that tell two extents apart."""
    return hashlib.blake2b(data, digest_size=16).digest()


def packed(checksums: array[int]) -> bytes:
    """Return checksums as a message carries them."""
    if sys.byteorder == "little":
        return checksums.tobytes()
    return b"".join(checksum.to_bytes(CHECKSUM_BYTES, "little") for checksum in checksums)


def unpacked(data: bytes) -> array[int]:
    """Return the checksums that a message carries."""
    if sys.byteorder == "little":
        return array("I", data)
    starts = range(0, len(data), CHECKSUM_BYTES)
    return array("I", (int.from_bytes(data[i : i + CHECKSUM_BYTES], "little") for i in starts))


async def look(core: Core, volume: int, offset: int, length: int) -> Look:
    """Read a range that begins and ends with blocks (or the volume).  Raises StorageError."""
    first = offset // BLOCK_BYTES
    blocks = range(first, -(-(offset + length) // BLOCK_BYTES))
    data, bad, past_cache = await _read(core, volume, offset, length)
    view = memoryview(data)
    checksums = array(
        "I",
        (
            block_checksum(view[start : start + BLOCK_BYTES])
            for start in range(0, length, BLOCK_BYTES)
        ),
    )
    for block in bad:
        checksums[block - first] = UNREADABLE
    await core.checksums.load(volume, blocks)
    recorded = array("I", (core.checksums.get(volume, block) for block in blocks))
    keeps = core.checksums.keeps(volume)
    return Look(volume, offset, digest(data), checksums, recorded, past_cache, keeps)


async def _read(core: Core, volume: int, offset: int, length: int) -> tuple[bytes, list[int], bool]:
    """Return (bytes, blocks that cannot be read, whether the cache was surely bypassed)."""
    try:
        data, past_cache = await core.volumes.read_past_cache(volume, offset, length)
    except StorageError as error:
        if not error.is_unreadable:
            raise
    else:
        return data, [], past_cache
    pieces: list[bytes] = []
    bad: list[int] = []
    past_cache = True
    for start in range(offset, offset + length, BLOCK_BYTES):
        size_bytes = min(BLOCK_BYTES, offset + length - start)
        try:
            piece, past = await core.volumes.read_past_cache(volume, start, size_bytes)
        except StorageError as error:
            if not error.is_unreadable:
                raise
            piece, past = bytes(size_bytes), True
            bad.append(start // BLOCK_BYTES)
        pieces.append(piece)
        past_cache &= past
    return b"".join(pieces), bad, past_cache


async def agree(core: Core, found: Look) -> None:
    """Record what was not known of a range that is equal on the other side.

    Nothing may have been written there since the look.  Raises StorageError.
    """
    first = found.offset // BLOCK_BYTES
    await core.checksums.load(found.volume, range(first, first + len(found.checksums)))
    for index, (actual, recorded) in enumerate(zip(found.checksums, found.recorded, strict=True)):
        if recorded == UNKNOWN and core.checksums.get(found.volume, first + index) == UNKNOWN:
            core.checksums.put(found.volume, first + index, actual)
