"""The body of a superblock: a MessagePack map of all its fields.

Version 2 writes what there is many of as arrays, and what their rows have in common once: where
volumes lie, who created eras.  A volume costs at most 46 bytes and its name, in whatever directory
it lies.  Version 1 wrote maps, with every path in full; it is read, and no longer written.

Always true:

(1) A body is taken only if it is, byte for byte, what its version writes for what was read.
(2) The size of a body follows from what it says; it is not a matter of luck, as with a compression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
import msgspec

from srshell.model.replica import Epoch, Era, Segment, Superblock, VolumeLayout

#: What stands before and behind a volume's name in its path; a path without it is alone.
Place = tuple[str, ...]

#: A volume: name, number of its place, and the other fields in order.
_VolumeRow = tuple[str, int, int, int, int, int, int, int]
#: An era: number and nonce of its epoch, who created it, start_lsn.
_EraRow = tuple[int, int, int | str, int]
_SegmentRow = tuple[int, int, int, int]

#: Fields that logs of the first days lack.
_TIMES: Final = ("alone_first_unix", "alone_last_unix")
_FIELDS: Final = tuple(field.name for field in attrs.fields(Superblock))

_ENCODER: Final = msgspec.msgpack.Encoder(order="sorted")
_READER_1: Final = msgspec.msgpack.Decoder(Superblock)
_READER_2: Final = msgspec.msgpack.Decoder(dict[str, Any])


def encode_body(superblock: Superblock) -> bytes:
    """Return the body of the newest version."""
    fields = {name: getattr(superblock, name) for name in _FIELDS}
    places: dict[Place, int] = {}
    fields["volumes"] = [
        (volume.name, places.setdefault(_place(volume), len(places)), *_numbers(volume))
        for volume in superblock.volumes
    ]
    fields["places"] = tuple(places)
    fields["history"] = [_era_row(superblock, era) for era in superblock.history]
    fields["segments"] = [attrs.astuple(segment) for segment in superblock.segments]
    return _ENCODER.encode(fields)


def read_body_1(body: bytes | memoryview) -> Superblock:
    """Read a body of version 1.  Raises what `UNREADABLE` lists."""
    return _READER_1.decode(body)


def read_body_2(body: bytes | memoryview) -> Superblock:
    """Read a body of version 2.  Raises what `UNREADABLE` lists."""
    fields = _READER_2.decode(body)
    places = msgspec.convert(fields.pop("places"), tuple[Place, ...])
    fields["volumes"] = [
        VolumeLayout(name, name.join(places[place]), *numbers)
        for name, place, *numbers in msgspec.convert(fields["volumes"], tuple[_VolumeRow, ...])
    ]
    sides = (fields["replica"], fields["peer"])
    fields["history"] = [
        Era(Epoch(number, nonce, sides[who] if isinstance(who, int) else who), start_lsn)
        for number, nonce, who, start_lsn in msgspec.convert(fields["history"], tuple[_EraRow, ...])
    ]
    fields["segments"] = [
        Segment(*row) for row in msgspec.convert(fields["segments"], tuple[_SegmentRow, ...])
    ]
    return msgspec.convert(fields, Superblock)


#: The readers of all versions, and what they raise for a body that is none.
READERS: Final[Mapping[int, Callable[[bytes | memoryview], Superblock]]] = {
    1: read_body_1,
    2: read_body_2,
}
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError)


def bodies(version: int, superblock: Superblock) -> Iterator[bytes]:
    """Yield the body as its version wrote it, then as it was before newer fields came."""
    if version != 1:
        yield encode_body(superblock)
        return
    yield _ENCODER.encode(superblock)
    fields = msgspec.to_builtins(superblock)
    for name in _TIMES:
        if not fields[name]:
            del fields[name]
    yield _ENCODER.encode(fields)
    for volume in fields["volumes"]:
        if volume["checksum_pages"] == 0:
            del volume["checksum_offset"], volume["checksum_pages"]
    yield _ENCODER.encode(fields)


def _place(volume: VolumeLayout) -> Place:
    """Return what is left of a path without the name of its volume, where that comes last."""
    before, found, behind = volume.path.rpartition(volume.name) if volume.name else ("", "", "")
    return (before, behind) if found else (volume.path,)


def _numbers(volume: VolumeLayout) -> tuple[int, ...]:
    return (
        volume.size_bytes,
        volume.block_bytes,
        volume.bitmap_offset,
        volume.bitmap_pages,
        volume.checksum_offset,
        volume.checksum_pages,
    )


def _era_row(superblock: Superblock, era: Era) -> _EraRow:
    """Return an era; its creator is 0 for this side, 1 for the peer, else itself."""
    sides = (superblock.replica, superblock.peer)
    creator = era.epoch.creator
    word = sides.index(creator) if creator in sides else creator
    return (era.epoch.number, era.epoch.nonce, word, era.start_lsn)
