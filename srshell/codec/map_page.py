"""One page of a map that has a few bits for each block of a volume: one sector, with its identity.

    | magic 4 | version 2 | volume 2 | index 4 | generation 8 | partnership 16 | zeros 24 | crc 4 |
    | 4032 bytes of the map |

Always true:

(1) A page is one sector, so that it is rewritten whole.
(2) The checksum covers identity and map, so that a page of another kind, volume, place or
    partnership is refused.
"""

from __future__ import annotations

import struct
from typing import Final

import attrs

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import PARTNERSHIP_BYTES, SECTOR_BYTES

PAGE_BYTES: Final = SECTOR_BYTES
HEADER_BYTES: Final = 64
MAP_BYTES: Final = PAGE_BYTES - HEADER_BYTES

_HEADER: Final = struct.Struct("<4sHHIQ16s24x")
_CRC: Final = struct.Struct("<I")
_RESERVE: Final = bytes(24)


@attrs.frozen
class PageKind:
    """What the pages of one kind of map have in common."""

    name: str
    magic: bytes
    version: int

    def encode(
        self, partnership: bytes, volume: int, page_index: int, generation: int, content: bytes
    ) -> bytes:
        """Return the page with `MAP_BYTES` of content.

        Raises `FormatError` ``length`` when a number does not fit its field.
        """
        assert len(partnership) == PARTNERSHIP_BYTES, partnership
        assert len(content) == MAP_BYTES, len(content)
        place = (volume, page_index, generation, partnership)
        try:
            header = _HEADER.pack(self.magic, self.version, *place)
        except struct.error as error:
            raise FormatError("length", f"page {page_index} of volume {volume}: {error}") from None
        return b"".join((header, _CRC.pack(crc32(content, crc32(header))), content))

    def decode(
        self, data: Buffer, partnership: bytes, volume: int, page_index: int
    ) -> tuple[int, bytes]:
        """Return (generation, content) of the page that was read from the place of ``page_index``.

        Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``identity``.
        """
        name = f"{self.name} page"
        if len(data) != PAGE_BYTES:
            raise FormatError("length", f"{name} has {len(data)} of {PAGE_BYTES} bytes")
        magic, version, found_volume, found_index, generation, owner = _HEADER.unpack_from(data)
        if magic != self.magic:
            raise FormatError("magic", f"no {name} at {page_index} of volume {volume}")
        view = memoryview(data)
        content = view[HEADER_BYTES:]
        if crc32(content, crc32(view[: _HEADER.size])) != _CRC.unpack_from(data, _HEADER.size)[0]:
            raise FormatError("checksum", f"{name} {page_index} of volume {volume} is damaged")
        if version != self.version or view[_HEADER.size - len(_RESERVE) : _HEADER.size] != _RESERVE:
            raise FormatError("version", f"{name} of version {version}, known is {self.version}")
        if (owner, found_volume, found_index) != (partnership, volume, page_index):
            raise FormatError(
                "identity",
                f"page {found_index} of volume {found_volume} of {owner.hex()} in the place of"
                f" page {page_index} of volume {volume}",
            )
        return generation, bytes(content)
