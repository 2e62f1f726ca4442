"""One page of a volume's checksum map: the CRC-32 of 1008 blocks, in one sector.

    | header and crc 64 | 1008 checksums of 4 bytes, the block with the lowest offset first |

Always true:

(1) Two checksums are words: `UNKNOWN`, the content was never seen, and `CORRUPT`, it was found
    wrong.  A block with one of these CRCs has 0xFFFFFFFF instead, so no content has them.
(2) Whoever cannot read a page knows no checksum of its blocks.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Final

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.map_page import MAP_BYTES, PageKind

CHECKSUM_BYTES: Final = 4
CHECKSUMS_PER_PAGE: Final = MAP_BYTES // CHECKSUM_BYTES
VERSION: Final = 1
MAGIC: Final = b"SRCM"
#: What a page says of a block whose content was never seen.
UNKNOWN: Final = 0
#: What a page says of a block that was corrupt when a part of it was written anew.
CORRUPT: Final = 0xFFFFFFFE
#: Blocks that checksums are kept of, in bytes; the last one of a volume may be shorter.
BLOCK_BYTES: Final = 4096

_KIND: Final = PageKind("checksum", MAGIC, VERSION)
_WORDS: Final = frozenset({UNKNOWN, CORRUPT})
_INSTEAD_OF_WORDS: Final = 0xFFFFFFFF


def block_checksum(content: Buffer) -> int:
    """Return what the map keeps of a block with this content; never a word."""
    checksum = crc32(content)
    return _INSTEAD_OF_WORDS if checksum in _WORDS else checksum


def block_checksums(contents: Iterable[Buffer]) -> list[int]:
    """Return `block_checksum` of each; no Python function is called for one of many."""
    checksums = list(map(crc32, contents))
    if not _WORDS.isdisjoint(checksums):
        return [_INSTEAD_OF_WORDS if one in _WORDS else one for one in checksums]
    return checksums


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
    if len(checksums) != CHECKSUMS_PER_PAGE:
        raise FormatError("length", f"{len(checksums)} checksums are not {CHECKSUMS_PER_PAGE}")
    payload = _little_endian(checksums).tobytes()
    return _KIND.encode(partnership, volume, page_index, generation, payload)


def decode_checksum_page(
    data: Buffer, partnership: bytes, volume: int, page_index: int
) -> tuple[int, array[int]]:
    """Return (generation, checksums) of the page that was read from the place of ``page_index``.

    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``identity``; whichever
    it is, the caller knows no checksum of these blocks.
    """
    generation, content = _KIND.decode(data, partnership, volume, page_index)
    return generation, _little_endian(array("I", content))


def _little_endian(checksums: array[int]) -> array[int]:
    """Return the checksums in the order of bytes of the disk, or from it into the machine's."""
    return checksums if sys.byteorder == "little" else _swapped(checksums)


def _swapped(checksums: array[int]) -> array[int]:
    swapped = array("I", checksums)
    swapped.byteswap()
    return swapped
