"""One page of a volume's checksum map: the CRC-32 of 1008 blocks, in one sector.

    | header 60 | crc 4 | 1008 checksums of 4 bytes, the block with the lowest offset first |

Always true:

(1) A page is one sector, so that it is rewritten whole.
(2) Two checksums are words: `UNKNOWN`, the content was never seen, and `CORRUPT`, it was found
    wrong.  A block with one of these CRCs has 0xFFFFFFFF instead, so no content has them.
(3) The checksum of the page covers identity and checksums, so that a page of another volume, place
    or partnership is refused; whoever cannot read a page knows no checksum of its blocks.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Final

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import PARTNERSHIP_BYTES, SECTOR_BYTES

PAGE_BYTES: Final = SECTOR_BYTES
HEADER_BYTES: Final = 64
CHECKSUM_BYTES: Final = 4
CHECKSUMS_PER_PAGE: Final = (PAGE_BYTES - HEADER_BYTES) // CHECKSUM_BYTES
VERSION: Final = 1
MAGIC: Final = b"SRCM"
#: What a page says of a block whose content was never seen.
UNKNOWN: Final = 0
#: What a page says of a block that was corrupt when a part of it was written anew.
CORRUPT: Final = 0xFFFFFFFE
#: Blocks that checksums are kept of, in bytes; the last one of a volume may be shorter.
BLOCK_BYTES: Final = 4096

_HEADER: Final = struct.Struct("<4sHHIQ16s24x")
_CRC: Final = struct.Struct("<I")
_RESERVE: Final = bytes(24)
_WORDS: Final = frozenset({UNKNOWN, CORRUPT})
_INSTEAD_OF_WORDS: Final = 0xFFFFFFFF


def block_checksum(content: Buffer) -> int:
    """Return what the map keeps of a block with this content; never a word."""
    checksum = crc32(content)
    return _INSTEAD_OF_WORDS if checksum in _WORDS else checksum


def new_checksums() -> array[int]:
    """Return the checksums of a page of which nothing is known."""
    return array("I", bytes(CHECKSUMS_PER_PAGE * CHECKSUM_BYTES))


def checksum_page_count(size_bytes: int) -> int:
    """Return how many pages hold a checksum for each block of a volume; a begun block counts."""
    blocks = -(-size_bytes // BLOCK_BYTES)
    return -(-blocks // CHECKSUMS_PER_PAGE)


def encode_checksum_page(
    partnership: bytes, volume: int, page_index: int, generation: int, checksums: array[int]
) -> bytes:
    """Return the page of exactly `CHECKSUMS_PER_PAGE` checksums.

    Raises `FormatError` ``length`` when there are not as many or a number does not fit its field.
    """
    assert len(partnership) == PARTNERSHIP_BYTES, partnership
    if len(checksums) != CHECKSUMS_PER_PAGE:
        raise FormatError("length", f"{len(checksums)} checksums are not {CHECKSUMS_PER_PAGE}")
    try:
        header = _HEADER.pack(MAGIC, VERSION, volume, page_index, generation, partnership)
    except struct.error as error:
        raise FormatError("length", f"page {page_index} of volume {volume}: {error}") from None
    payload = _little_endian(checksums).tobytes()
    return b"".join((header, _CRC.pack(crc32(payload, crc32(header))), payload))


def decode_checksum_page(
    data: Buffer, partnership: bytes, volume: int, page_index: int
) -> tuple[int, array[int]]:
    """Return (generation, checksums) of the page that was read from the place of ``page_index``.

    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``identity``; whichever
    it is, the caller knows no checksum of these blocks.
    """
    if len(data) != PAGE_BYTES:
        raise FormatError("length", f"checksum page has {len(data)} of {PAGE_BYTES} bytes")
    magic, version, found_volume, found_index, generation, owner = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("magic", f"no checksum page at {page_index} of volume {volume}")
    view = memoryview(data)
    payload = view[HEADER_BYTES:]
    if crc32(payload, crc32(view[: _HEADER.size])) != _CRC.unpack_from(data, _HEADER.size)[0]:
        raise FormatError("checksum", f"checksum page {page_index} of volume {volume} is damaged")
    if version != VERSION or data[_HEADER.size - len(_RESERVE) : _HEADER.size] != _RESERVE:
        raise FormatError("version", f"checksum page of version {version}, known is {VERSION}")
    if (owner, found_volume, found_index) != (partnership, volume, page_index):
        raise FormatError(
            "identity",
            f"page {found_index} of volume {found_volume} of {owner.hex()} in the place of page"
            f" {page_index} of volume {volume}",
        )
    return generation, _little_endian(array("I", bytes(payload)))


def _little_endian(checksums: array[int]) -> array[int]:
    """Return the checksums in the order of bytes of the disk, or from it into the machine's."""
    return checksums if sys.byteorder == "little" else _swapped(checksums)


def _swapped(checksums: array[int]) -> array[int]:
    swapped = array("I", checksums)
    swapped.byteswap()
    return swapped
