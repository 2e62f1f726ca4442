"""One frame of the log: a header that belongs to one place, a body that is the same on both sides.

    | header 128 | record table 24 per record | payloads back to back | zeros to 4096 |
                 |<--------------- body, as sent over the link ------>|

Always true:

(1) A frame starts and ends at a multiple of 4096 bytes: no sector holds parts of two frames.
(2) The body is sent, received and appended without change; `stamp` writes each side's own header.
(3) ``body_crc`` covers the table, and the table holds the checksum of each payload: one pass over
    the data verifies everything.  The padding is covered by nothing and read by nothing.
(4) The header checksum covers partnership, salt, LSN and the previous frame's checksum, so a frame
    that is valid here is valid nowhere else and at no other time.
(5) Record i of a frame has LSN ``first_lsn`` + i.  LSNs of a frame belong to one epoch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final

import attrs
import msgspec

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError

SECTOR_BYTES: Final = 4096
HEADER_BYTES: Final = 128
CHECKED_BYTES: Final = HEADER_BYTES - 4  # what the header's checksum, its last field, covers
ROW_BYTES: Final = 24
MAX_FRAME_BYTES: Final = 2 * 1024 * 1024
VERSION: Final = 1
MAGIC: Final = b"SRLF"

PARTNERSHIP_BYTES: Final = 16

#: Offsets, LSNs and epochs stay below the largest offset that a file can have.
_NUMBER_MAX: Final = 2**63 - 1
_HEADER: Final = struct.Struct("<4sBBHIII16sQQQQII48x")
_CRC: Final = struct.Struct("<I")
ROW: Final = struct.Struct("<BBHIQII")
_RESERVE: Final = bytes(48)
_ZEROS: Final = bytes(SECTOR_BYTES)


class FrameKind(IntEnum):
    """What a frame is for."""

    DATA = 1  # carries records
    WRAP = 2  # the rest of the ring is unused; the next frame is at the ring's start


class RecordKind(IntEnum):
    """What a record does to its volume."""

    WRITE = 1  # the payload replaces the range
    ZERO = 2  # the range reads as zeros and stays allocated
    TRIM = 3  # the range reads as zeros and its space is given back


_FRAME_KINDS: Final = {int(kind): kind for kind in FrameKind}
_RECORD_KINDS: Final = {int(kind): kind for kind in RecordKind}


class Record(msgspec.Struct, frozen=True, gc=False):
    """One change of one volume; ``offset`` and ``length`` in bytes.  Only WRITE has a payload.

    What is made for every write or every frame is a struct: it is made in a third of the time.
    """

    lsn: int
    kind: RecordKind
    volume: int
    offset: int
    length: int
    payload: Buffer = b""

    def __repr__(self) -> str:
        """Say what it is without what it holds."""
        return (
            f"Record(lsn={self.lsn}, kind={self.kind!r}, volume={self.volume},"
            f" offset={self.offset}, length={self.length})"
        )


class FrameBody(msgspec.Struct, frozen=True, gc=False):
    """What both sides share of a frame: table and payloads, ready for ``pwritev`` and ``sendmsg``.

    ``buffers`` is the table followed by one buffer per payload, or the whole body in one buffer.
    """

    epoch: int
    first_lsn: int
    record_count: int
    buffers: tuple[Buffer, ...]
    body_bytes: int
    body_crc: int
    #: LSN of the last record.
    last_lsn: int
    #: What the frame takes in the log: header, body and padding.
    total_bytes: int

    def __repr__(self) -> str:
        """Say what it is without what it holds."""
        return f"FrameBody(LSN {self.first_lsn}-{self.last_lsn}, epoch {self.epoch})"


@attrs.frozen
class FrameHeader:
    """The header of a frame as read; intact, but not yet compared with what must come here."""

    kind: FrameKind
    total_bytes: int
    body_bytes: int
    record_count: int
    partnership: bytes
    salt: int
    epoch: int
    first_lsn: int
    durable_lsn: int
    body_crc: int
    prev_crc: int
    header_crc: int

    @property
    def last_lsn(self) -> int:
        """LSN of the last record; for a WRAP, of the record before it."""
        return self.first_lsn + self.record_count - 1

    @property
    def next_lsn(self) -> int:
        """LSN that the next frame must begin with; a WRAP uses up none."""
        return self.first_lsn + self.record_count


def pack_body(epoch: int, first_lsn: int, records: Sequence[Record]) -> FrameBody:
    """Lay out consecutive records of one epoch as the body of a frame; no payload is copied.

    The caller must not change a payload afterwards.  Raises `FormatError` ``length`` when the frame
    would be larger than `MAX_FRAME_BYTES` or a number does not fit its field.
    """
    assert records, "a frame has at least one record"
    rows: list[bytes] = []
    buffers: list[Buffer] = [b""]
    body_bytes = ROW_BYTES * len(records)
    try:
        for lsn, record in enumerate(records, first_lsn):
            assert record.lsn == lsn, (record, lsn)
            kind, length = record.kind, record.length
            assert length > 0, record
            payload_crc = 0
            if kind is RecordKind.WRITE:
                payload = record.payload
                assert len(payload) == length, record
                payload_crc = crc32(payload)
                body_bytes += length
                buffers.append(payload)
            rows.append(ROW.pack(kind, 0, record.volume, length, record.offset, payload_crc, 0))
    except struct.error as error:
        raise FormatError("length", f"a record does not fit its row: {error}") from None
    if HEADER_BYTES + body_bytes > MAX_FRAME_BYTES:
        raise FormatError("length", f"{len(rows)} records of {body_bytes} bytes exceed a frame")
    table = buffers[0] = b"".join(rows)
    return _body(epoch, first_lsn, len(rows), tuple(buffers), body_bytes, crc32(table))


def _body(
    epoch: int, first: int, count: int, buffers: tuple[Buffer, ...], size_bytes: int, crc: int
) -> FrameBody:
    last, total_bytes = first + count - 1, _padded(HEADER_BYTES + size_bytes)
    return FrameBody(epoch, first, count, buffers, size_bytes, crc, last, total_bytes)


def body_from_bytes(
    epoch: int, first_lsn: int, record_count: int, body: Buffer, body_crc: int
) -> FrameBody:
    """Take a received or re-read body, all of it verified: lengths, table and each payload.

    ``body`` is kept, not copied.  Raises `FormatError` ``length``, ``order``, ``checksum`` or
    ``version``.
    """
    result = _bounded_body(epoch, first_lsn, record_count, body, body_crc)
    for _ in _checked_rows(result):
        pass
    return result


def open_body(
    epoch: int, first_lsn: int, record_count: int, body: Buffer, body_crc: int
) -> tuple[FrameBody, tuple[Record, ...]]:
    """Do what `body_from_bytes` and `unpack_records` do, in one pass over the data."""
    result = _bounded_body(epoch, first_lsn, record_count, body, body_crc)
    return result, unpack_records(result)


def _bounded_body(
    epoch: int, first_lsn: int, record_count: int, body: Buffer, body_crc: int
) -> FrameBody:
    """Return a body whose lengths and numbers can be; its checksums are still to be verified."""
    body_bytes = len(body)
    if HEADER_BYTES + body_bytes > MAX_FRAME_BYTES:
        raise FormatError("length", f"body of {body_bytes} bytes exceeds a frame")
    if record_count < 1 or record_count * ROW_BYTES > body_bytes:
        raise FormatError("length", f"{record_count} records do not fit {body_bytes} bytes")
    _check_numbers(epoch, first_lsn, first_lsn + record_count)
    return _body(epoch, first_lsn, record_count, (body,), body_bytes, body_crc)


def unpack_records(body: FrameBody) -> tuple[Record, ...]:
    """Return the records of a body; payloads are read-only views into it.

    Every checksum is verified once more, because the caller is about to write to a volume.
    Raises `FormatError` ``checksum``, ``length`` or ``version``.
    """
    rows = enumerate(_checked_rows(body), body.first_lsn)
    return tuple(
        Record(lsn, kind, volume, offset, length, payload)
        for lsn, (kind, volume, offset, length, payload) in rows
    )


def _checked_rows(body: FrameBody) -> Iterator[tuple[RecordKind, int, int, int, Buffer]]:
    """Give (kind, volume, offset, length, payload) of each record, verified before it is given."""
    whole = memoryview(body.buffers[0]).toreadonly()
    position = body.record_count * ROW_BYTES
    table = whole[:position]
    if crc32(table) != body.body_crc:
        raise FormatError("checksum", f"record table of LSN {body.first_lsn} is damaged")
    # One buffer holds everything, as on disk and on the wire; or each payload has its own.
    separate = iter(body.buffers[1:]) if len(body.buffers) > 1 else None
    for kind, flags, volume, length, offset, payload_crc, reserve in ROW.iter_unpack(table):
        record_kind = _RECORD_KINDS.get(kind)
        if record_kind is None or flags or reserve:
            raise FormatError("version", f"row ({kind}, {flags}, {reserve}) is of a later version")
        if not 0 < length <= _NUMBER_MAX - offset:
            raise FormatError("length", f"range {offset}+{length} cannot be in a volume")
        payload: Buffer = b""
        if record_kind is RecordKind.WRITE:
            end = position + length
            payload = (
                whole[position:end]
                if separate is None
                else memoryview(next(separate, b"")).toreadonly()
            )
            position = end
            if len(payload) != length:
                raise FormatError("length", f"payload has {len(payload)} of {length} bytes")
        if crc32(payload) != payload_crc:
            raise FormatError("checksum", f"payload for {offset}+{length} is damaged")
        yield record_kind, volume, offset, length, payload
    if position != body.body_bytes:
        raise FormatError("length", f"records take {position} of {body.body_bytes} bytes")


def stamp(
    body: FrameBody, *, partnership: bytes, salt: int, durable_lsn: int, prev_crc: int
) -> tuple[bytes, int]:
    """Return the header of ``body`` for one place in one log, and its checksum for the next frame.

    ``durable_lsn`` is what this side knows to be on stable storage, so it lies before the frame.
    """
    assert len(partnership) == PARTNERSHIP_BYTES, partnership
    assert durable_lsn < body.first_lsn, (durable_lsn, body)
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        FrameKind.DATA,
        0,
        body.total_bytes,
        body.body_bytes,
        body.record_count,
        partnership,
        salt,
        body.epoch,
        body.first_lsn,
        durable_lsn,
        body.body_crc,
        prev_crc,
    )
    header_crc = crc32(header)
    return header + _CRC.pack(header_crc), header_crc


def wrap_marker(
    *,
    partnership: bytes,
    salt: int,
    epoch: int,
    next_lsn: int,
    durable_lsn: int,
    prev_crc: int,
    total_bytes: int,
) -> tuple[bytes, int]:
    """Return the sector that closes a lap of the ring, and its checksum for the next frame.

    ``total_bytes`` is the rest of the ring, of which only the first `SECTOR_BYTES` are written.
    """
    assert len(partnership) == PARTNERSHIP_BYTES, partnership
    assert durable_lsn < next_lsn, (durable_lsn, next_lsn)
    assert total_bytes > 0, total_bytes
    assert total_bytes % SECTOR_BYTES == 0, total_bytes
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        FrameKind.WRAP,
        0,
        total_bytes,
        0,
        0,
        partnership,
        salt,
        epoch,
        next_lsn,
        durable_lsn,
        0,
        prev_crc,
    )
    header_crc = crc32(header)
    return (header + _CRC.pack(header_crc)).ljust(SECTOR_BYTES, b"\0"), header_crc


def padding(body: FrameBody) -> bytes:
    """Return the zeros that complete the last sector of the frame; never a whole sector."""
    return _ZEROS[: body.total_bytes - HEADER_BYTES - body.body_bytes]


def parse_header(data: Buffer) -> FrameHeader:
    """Read the header at the start of ``data``, of which 128 bytes are looked at.

    What it returns is intact and its lengths can be; whether it belongs here, `expect_frame` says.
    Raises `FormatError` ``length``, ``magic``, ``checksum``, ``version`` or ``order``.
    """
    if len(data) < HEADER_BYTES:
        raise FormatError("length", f"frame header has {len(data)} of {HEADER_BYTES} bytes")
    if data[:4] != MAGIC:
        raise FormatError("magic", "no frame header here")
    header_crc = _CRC.unpack_from(data, CHECKED_BYTES)[0]
    if crc32(memoryview(data)[:CHECKED_BYTES]) != header_crc:
        raise FormatError("checksum", "frame header is damaged")
    fields = (*_HEADER.unpack_from(data), header_crc)
    version, kind, flags = fields[1:4]
    frame_kind = _FRAME_KINDS.get(kind)
    reserve = data[CHECKED_BYTES - len(_RESERVE) : CHECKED_BYTES]
    if version != VERSION or frame_kind is None or flags or reserve != _RESERVE:
        raise FormatError("version", f"frame of version {version}, kind {kind}, flags {flags}")
    result = FrameHeader(frame_kind, *fields[4:])
    _check_lengths(result)
    _check_numbers(result.epoch, result.first_lsn, result.next_lsn)
    if result.durable_lsn >= result.first_lsn:
        raise FormatError("order", f"frame of LSN {result.first_lsn} calls itself durable already")
    return result


def expect_frame(
    header: FrameHeader, *, partnership: bytes, salt: int, prev_crc: int, next_lsn: int
) -> None:
    """Refuse a frame that does not continue this segment of this log.

    Raises `FormatError` ``identity`` (another partnership, an older opening of the log, a broken
    chain) or ``order`` (not ``next_lsn``).
    """
    if header.partnership != partnership:
        raise FormatError("identity", f"frame of partnership {header.partnership.hex()}")
    if header.salt != salt:
        raise FormatError("identity", f"frame of salt {header.salt:#x}, expected {salt:#x}")
    if header.prev_crc != prev_crc:
        raise FormatError("identity", f"chain {header.prev_crc:#x}, expected {prev_crc:#x}")
    if header.first_lsn != next_lsn:
        raise FormatError("order", f"frame of LSN {header.first_lsn}, expected {next_lsn}")


def _check_lengths(header: FrameHeader) -> None:
    """Refuse sizes that no writer of this version produces."""
    total_bytes, body_bytes = header.total_bytes, header.body_bytes
    if header.kind is FrameKind.WRAP:
        fits = body_bytes == header.record_count == header.body_crc == 0
        fits = fits and total_bytes > 0 and total_bytes % SECTOR_BYTES == 0
    else:
        fits = total_bytes == _padded(HEADER_BYTES + body_bytes) and total_bytes <= MAX_FRAME_BYTES
        fits = fits and 0 < header.record_count * ROW_BYTES <= body_bytes
    if not fits:
        raise FormatError(
            "length",
            f"{header.kind.name} frame of {total_bytes} bytes with {header.record_count} records"
            f" in {body_bytes} bytes",
        )


def _check_numbers(epoch: int, first_lsn: int, next_lsn: int) -> None:
    """Refuse an epoch or LSN outside 1 to 2**63 - 1 (epoch: from 0)."""
    if not (0 <= epoch <= _NUMBER_MAX and 1 <= first_lsn <= next_lsn <= _NUMBER_MAX):
        raise FormatError("order", f"LSN {first_lsn} of epoch {epoch} cannot be")


def _padded(size_bytes: int) -> int:
    """Round up to whole sectors."""
    return (size_bytes + SECTOR_BYTES - 1) // SECTOR_BYTES * SECTOR_BYTES
