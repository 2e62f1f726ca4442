"""One page of a volume's dirty bitmap: 32256 bits, one per block, in one sector.

    | header and crc 64 | 4032 bytes of bits, the lowest bit of a byte first |

Always true: whoever cannot read a page takes all its blocks as dirty; a page never errs the other
way.
"""

from __future__ import annotations

from typing import Final

from bitarray import bitarray

from srshell.codec.checksum import Buffer
from srshell.codec.errors import FormatError
from srshell.codec.map_page import MAP_BYTES, PageKind

BITS_PER_PAGE: Final = MAP_BYTES * 8
VERSION: Final = 1
MAGIC: Final = b"SRBM"

_KIND: Final = PageKind("bitmap", MAGIC, VERSION)


def page_count(size_bytes: int, block_bytes: int = 4096) -> int:
    """Return how many pages hold one bit for each block of a volume; a begun block counts."""
    blocks = -(-size_bytes // block_bytes)
    return -(-blocks // BITS_PER_PAGE)


def encode_page(
    partnership: bytes, volume: int, page_index: int, generation: int, bits: bitarray
) -> bytes:
    """Return the page; missing bits of a last page are zeros.

    Raises `FormatError` ``length`` when there are more than `BITS_PER_PAGE` bits or a number does
    not fit its field.
    """
    assert bits.endian == "little", bits.endian
    if len(bits) > BITS_PER_PAGE:
        raise FormatError("length", f"{len(bits)} bits do not fit a page of {BITS_PER_PAGE}")
    payload = bits.tobytes().ljust(MAP_BYTES, b"\0")
    return _KIND.encode(partnership, volume, page_index, generation, payload)


def decode_page(
    data: Buffer, partnership: bytes, volume: int, page_index: int
) -> tuple[int, bitarray]:
    """Return (generation, bits) of the page that was read from the place of ``page_index``.

    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``identity``; whichever
    it is, the caller takes all ones.
    """
    generation, content = _KIND.decode(data, partnership, volume, page_index)
    bits = bitarray(endian="little")
    bits.frombytes(content)
    return generation, bits
