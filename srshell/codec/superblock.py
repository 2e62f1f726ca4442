"""One slot of the superblock: all durable facts about a replica, in at most 16 KiB.

    | header 20 | crc 4 | body: MessagePack map | zeros to 4096 |

Always true:

(1) The slot of generation g is g % 4: a torn write can only destroy the oldest of four.
(2) The checksum covers header and body; the slot number in the header betrays a write that landed
    in the wrong slot.
(3) Equal superblocks are equal bytes, and no reader drops a fact unseen.
(4) A slot of a log that was never made ready is all zeros and has no magic; one that was wiped, or
    not written since the log was made ready, begins with `CLEARED`.
"""

from __future__ import annotations

import struct
from typing import Final

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import SECTOR_BYTES
from srshell.codec.superblock_body import READERS, UNREADABLE, bodies, encode_body
from srshell.model.replica import Superblock

SLOT_COUNT: Final = 4
SLOT_BYTES: Final = 16 * 1024
HEADER_BYTES: Final = 24
VERSION: Final = 2
MAGIC: Final = b"SRSB"
#: In place of the magic in a slot that was wiped or not yet written: what follows is no superblock.
#: One byte is another, so a write that is torn in the middle is one or the other.
CLEARED: Final = b"SRS-"

_HEADER: Final = struct.Struct("<4sHHIQ")
_CRC: Final = struct.Struct("<I")


def slot_of(generation: int) -> int:
    """Return the slot that this generation is written to."""
    return generation % SLOT_COUNT


def is_cleared(slot: Buffer) -> bool:
    """Tell whether a slot is marked as one that holds no superblock."""
    return bytes(slot[: len(CLEARED)]) == CLEARED


def encode_superblock(superblock: Superblock) -> bytes:
    """Return the bytes for the slot of its generation, whole sectors.

    Raises `FormatError` ``length`` when they do not fit `SLOT_BYTES`.
    """
    body = encode_body(superblock)
    if HEADER_BYTES + len(body) > SLOT_BYTES:
        raise FormatError("length", f"superblock of {len(body)} bytes does not fit a slot")
    generation = superblock.generation
    header = _HEADER.pack(MAGIC, VERSION, slot_of(generation), len(body), generation)
    checksum = _CRC.pack(crc32(body, crc32(header)))
    padding = bytes(-(HEADER_BYTES + len(body)) % SECTOR_BYTES)
    return b"".join((header, checksum, body, padding))


def decode_superblock(data: Buffer, slot: int) -> Superblock:
    """Read the superblock in ``data``, which was read from ``slot``; bytes behind it are ignored.

    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version``, or ``identity`` when it
    belongs into another slot.
    """
    if len(data) < HEADER_BYTES:
        raise FormatError("length", f"superblock header has {len(data)} of {HEADER_BYTES} bytes")
    magic, version, found_slot, body_bytes, generation = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("magic", f"no superblock in slot {slot}")
    end = HEADER_BYTES + body_bytes
    if end > min(len(data), SLOT_BYTES):
        raise FormatError("length", f"superblock claims {end} of {len(data)} bytes")
    view = memoryview(data)
    body = view[HEADER_BYTES:end]
    if crc32(body, crc32(view[: _HEADER.size])) != _CRC.unpack_from(data, _HEADER.size)[0]:
        raise FormatError("checksum", f"superblock in slot {slot} is damaged")
    if version not in READERS:
        raise FormatError("version", f"superblock of version {version}, known is {VERSION}")
    if found_slot != slot or slot_of(generation) != slot:
        raise FormatError("identity", f"slot {slot} holds {generation} of slot {found_slot}")
    try:
        superblock = READERS[version](body)
    except UNREADABLE as error:
        raise FormatError("version", f"superblock in slot {slot}: {error}") from None
    if bytes(body) not in bodies(version, superblock):
        # A field that this release would drop at its next write is a fact that it must not lose.
        raise FormatError("version", f"superblock in slot {slot} has fields of a later version")
    if superblock.generation != generation:
        raise FormatError("identity", f"superblock {superblock.generation} as {generation}")
    return superblock
