"""One page of a volume's dirty bitmap: 32256 bits, one per block, in one sector.

    | header 60 | crc 4 | 4032 bytes of bits, the lowest bit of a byte first |

Always true:

(1) A page is one sector, so that it is rewritten whole.
(2) The checksum covers identity and bits, so that a page of another volume, place or partnership
    is refused.
(3) Whoever cannot read a page takes all its blocks as dirty; a page never errs the other way.
"""

from __future__ import annotations

import struct
from typing import Final

from bitarray import bitarray

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import PARTNERSHIP_BYTES, SECTOR_BYTES

PAGE_BYTES: Final = SECTOR_BYTES
HEADER_BYTES: Final = 64
BITS_PER_PAGE: Final = (PAGE_BYTES - HEADER_BYTES) * 8
VERSION: Final = 1
MAGIC: Final = b"SRBM"

_HEADER: Final = struct.Struct("<4sHHIQ16s24x")
_CRC: Final = struct.Struct("<I")
_RESERVE: Final = bytes(24)


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
    assert len(partnership) == PARTNERSHIP_BYTES, partnership
    assert bits.endian == "little", bits.endian
    if len(bits) > BITS_PER_PAGE:
        raise FormatError("length", f"{len(bits)} bits do not fit a page of {BITS_PER_PAGE}")
    try:
        header = _HEADER.pack(MAGIC, VERSION, volume, page_index, generation, partnership)
    except struct.error as error:
        raise FormatError("length", f"page {page_index} of volume {volume}: {error}") from None
    payload = bits.tobytes().ljust(PAGE_BYTES - HEADER_BYTES, b"\0")
    return b"".join((header, _CRC.pack(crc32(payload, crc32(header))), payload))


def decode_page(
    data: Buffer, partnership: bytes, volume: int, page_index: int
) -> tuple[int, bitarray]:
    """Return (generation, bits) of the page that was read from the place of ``page_index``.

    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``identity``; whichever
    it is, the caller takes all ones.
    """
    if len(data) != PAGE_BYTES:
        raise FormatError("length", f"bitmap page has {len(data)} of {PAGE_BYTES} bytes")
    magic, version, found_volume, found_index, generation, owner = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("magic", f"no bitmap page at {page_index} of volume {volume}")
    view = memoryview(data)
    payload = view[HEADER_BYTES:]
    if crc32(payload, crc32(view[: _HEADER.size])) != _CRC.unpack_from(data, _HEADER.size)[0]:
        raise FormatError("checksum", f"bitmap page {page_index} of volume {volume} is damaged")
    if version != VERSION or data[_HEADER.size - len(_RESERVE) : _HEADER.size] != _RESERVE:
        raise FormatError("version", f"bitmap page of version {version}, known is {VERSION}")
    if (owner, found_volume, found_index) != (partnership, volume, page_index):
        raise FormatError(
            "identity",
            f"page {found_index} of volume {found_volume} of {owner.hex()} in the place of page"
            f" {page_index} of volume {volume}",
        )
    bits = bitarray(endian="little")
    bits.frombytes(bytes(payload))
    return generation, bits
