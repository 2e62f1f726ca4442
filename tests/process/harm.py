"""Damage to the files of one side of a pair, while its site is down."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.codec.superblock import (
    HEADER_BYTES,
    SLOT_BYTES,
    SLOT_COUNT,
    VERSION,
    decode_superblock,
    encode_superblock,
    slot_of,
)
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.replica import Superblock
from tests.process.pair import Pair

#: Where a slot's header keeps its version and its checksum, and where the checksum lies.
_VERSION_AT: Final = 4
_BODY_BYTES_AT: Final = 8
_CRC_AT: Final = 20
_FRAME_HEADER_BYTES: Final = 128


def label(pair: Pair, array: str) -> Path:
    """Return the label of a side's pool."""
    return pair.log_path(array).parent / ".srshell-pool"


def record(pair: Pair, array: str) -> Path:
    """Return what a site remembers."""
    return pair.folder / "sites" / array / "site.json"


def contents(pair: Pair, array: str) -> dict[Path, bytes]:
    """Return everything that a side has on disk, but for locks and what its process says."""
    pool = pair.log_path(array).parent
    files = [path for path in pool.iterdir() if path.suffix != ".lock"]
    return {path: path.read_bytes() for path in (*files, record(pair, array))}


def flip(path: Path, offset: int) -> None:
    """Turn one bit over."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def superblock(path: Path) -> Superblock:
    """Return the newest superblock of a log."""
    found = []
    with path.open("rb") as file:
        area = file.read(SUPERBLOCK_AREA_BYTES)
    for slot in range(SLOT_COUNT):
        try:
            found.append(decode_superblock(area[slot * SLOT_BYTES :][:SLOT_BYTES], slot))
        except FormatError:
            continue
    return max(found, key=lambda each: each.generation)


def put_superblock(path: Path, changed: Superblock, version: int = VERSION) -> None:
    """Write a superblock into the slot of its generation, as that version would."""
    data = bytearray(encode_superblock(changed))
    struct.pack_into("<H", data, _VERSION_AT, version)
    (body_bytes,) = struct.unpack_from("<I", data, _BODY_BYTES_AT)
    body = bytes(data[HEADER_BYTES : HEADER_BYTES + body_bytes])
    struct.pack_into("<I", data, _CRC_AT, crc32(body, crc32(bytes(data[:_CRC_AT]))))
    with path.open("r+b") as file:
        file.seek(slot_of(changed.generation) * SLOT_BYTES)
        file.write(data)


# What is refused.


def cut_log(pair: Pair, array: str) -> None:
    """Lose the second half of the log, where nothing was written yet."""
    path = pair.log_path(array)
    os.truncate(path, path.stat().st_size // 2)


def empty_log(pair: Pair, array: str) -> None:
    """Lose all of the log."""
    os.truncate(pair.log_path(array), 0)


def remove_log(pair: Pair, array: str) -> None:
    """Lose the log's file."""
    pair.log_path(array).unlink()


def blank_superblock(pair: Pair, array: str) -> None:
    """Overwrite the beginning of the log with zeros."""
    with pair.log_path(array).open("r+b") as file:
        file.write(bytes(SUPERBLOCK_AREA_BYTES))


def flip_superblocks(pair: Pair, array: str) -> None:
    """Turn a bit over in every copy of the superblock."""
    for slot in range(SLOT_COUNT):
        flip(pair.log_path(array), slot * SLOT_BYTES + 200)


def future_superblock(pair: Pair, array: str) -> None:
    """Be opened by a later release in between."""
    path = pair.log_path(array)
    newest = superblock(path)
    put_superblock(
        path, attrs.evolve(newest, generation=newest.generation + 1), version=VERSION + 1
    )


def other_partnership(pair: Pair, array: str) -> None:
    """Lie where the log of another partnership was put."""
    path = pair.log_path(array)
    newest = superblock(path)
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    first = attrs.evolve(newest.segments[0], first_lsn=1)
    blank = attrs.evolve(newest, head_lsn=1, segments=(first,), durable_lsn=0, checkpoint_lsn=0)
    put_superblock(path, attrs.evolve(blank, partnership="6" * 32, group="elsewhere"))


def swapped_log(pair: Pair, array: str) -> None:
    """Lie where the other side's log was put."""
    pair.log_path(array).write_bytes(pair.log_path(pair.other(array)).read_bytes())


def holds_records(pair: Pair, array: str) -> bool:
    """Whether the superblock names records in the log that were durable when it was written."""
    newest = superblock(pair.log_path(array))
    return newest.head_lsn <= newest.durable_lsn


def flip_frame(pair: Pair, array: str) -> None:
    """Turn a bit over in the oldest record of the log, which was durable for certain."""
    path = pair.log_path(array)
    newest = superblock(path)
    assert holds_records(pair, array)
    offset = newest.head_position % newest.ring_bytes
    flip(path, newest.ring_offset + offset + _FRAME_HEADER_BYTES + 5)


def cut_volume(pair: Pair, array: str) -> None:
    """Lose the second half of the volume."""
    os.truncate(pair.path(array), pair.size_bytes // 2)


def remove_volume(pair: Pair, array: str) -> None:
    """Lose the volume's file."""
    pair.path(array).unlink()


def cut_label(pair: Pair, array: str) -> None:
    """Lose the second half of the pool's label."""
    path = label(pair, array)
    os.truncate(path, path.stat().st_size // 2)


def future_label(pair: Pair, array: str) -> None:
    """Have a label of a later release."""
    path = label(pair, array)
    path.write_text(path.read_text().replace("srshell.pool/1", "srshell.pool/2"))


def cut_record(pair: Pair, array: str) -> None:
    """Lose the second half of what the site remembers."""
    path = record(pair, array)
    os.truncate(path, path.stat().st_size // 2)


def future_record(pair: Pair, array: str) -> None:
    """Have been a site of a later release."""
    path = record(pair, array)
    path.write_text(path.read_text().replace("srshell.site/1", "srshell.site/2"))


Harm = Callable[[Pair, str], None]

#: Harm that no side can work with: what is refused, and the code that says why.
REFUSED: Final[tuple[tuple[Harm, str, str], ...]] = (
    (cut_log, "replica", "SR9211"),
    (empty_log, "replica", "SR9210"),
    (remove_log, "replica", "SR9220"),
    (blank_superblock, "replica", "SR9210"),
    (flip_superblocks, "replica", "SR9210"),
    (future_superblock, "replica", "SR9212"),
    (other_partnership, "replica", "SR9210"),
    (swapped_log, "replica", "SR9210"),
    (flip_frame, "replica", "SR9211"),
    (cut_volume, "replica", "SR9222"),
    (remove_volume, "replica", "SR9220"),
    (cut_label, "pool", "SR1101"),
    (future_label, "pool", "SR9212"),
    (cut_record, "site", "SR1101"),
    (future_record, "site", "SR9212"),
)


# What is mended.


def flip_newest_superblock(pair: Pair, array: str) -> None:
    """Turn a bit over in the newest copy of the superblock; there are three older ones."""
    path = pair.log_path(array)
    flip(path, slot_of(superblock(path).generation) * SLOT_BYTES + 200)


def flip_bitmap(pair: Pair, array: str) -> None:
    """Turn a bit over in the bitmap; all its blocks count as changed then."""
    flip(pair.log_path(array), SUPERBLOCK_AREA_BYTES + 100)


MENDED: Final[tuple[Harm, ...]] = (flip_newest_superblock, flip_bitmap)
