"""The records that a machine of kind writer leaves on its volume, and its ledger of those acked.

Always true:

(1) Record n of a stream lies in slot n % slots; a slot is one block of 4096 bytes, written whole.
(2) A ledger row is written after the acknowledgement and synced before anybody is told of it; so
    every row stands for a write that was acknowledged.
(3) A slot holds the newest record written to it: what is found may be newer than the ledger says,
    never older.

A record, little endian: magic "SRVM", version u32, stream 16 bytes, sequence u64, Unix time f64,
payload to the end of the slot less 4 bytes, CRC-32 of all before it.
A ledger row, 16 bytes: sequence u64, zero u32, CRC-32 of the 12 bytes before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import attrs

SLOT_BYTES = 4096
#: Most slots that a machine uses: starting it reads them all.
SLOTS_MAX = 16384
ROW_BYTES = 16

_MAGIC = b"SRVM"
_VERSION = 1
_HEAD = struct.Struct("<4sI16sQd")
_ROW = struct.Struct("<QI")
_SUM = struct.Struct("<I")
_PAYLOAD_BYTES = SLOT_BYTES - _HEAD.size - _SUM.size


@attrs.frozen
class MachineRecord:
    """What one slot holds."""

    stream: bytes
    sequence: int
    unix: float


def slot_count(size_bytes: int) -> int:
    """How many slots a volume has for its machine."""
    return min(size_bytes // SLOT_BYTES, SLOTS_MAX)


def encode_record(stream: bytes, sequence: int, unix: float) -> bytes:
    """One slot; its payload differs from record to record in every part."""
    head = _HEAD.pack(_MAGIC, _VERSION, stream, sequence, unix)
    pattern = struct.pack("<QQ", sequence, sequence ^ 0x5DEECE66D)
    payload = (pattern * (_PAYLOAD_BYTES // len(pattern) + 1))[:_PAYLOAD_BYTES]
    body = head + payload
    return body + _SUM.pack(zlib.crc32(body))


def decode_record(slot: bytes | memoryview) -> MachineRecord | None:
    """The record in a slot; None if there is none, or not a whole one."""
    view = memoryview(slot)
    magic, version, stream, sequence, unix = _HEAD.unpack_from(view)
    if magic != _MAGIC or version != _VERSION:
        return None
    (checksum,) = _SUM.unpack_from(view, SLOT_BYTES - _SUM.size)
    if zlib.crc32(view[: SLOT_BYTES - _SUM.size]) != checksum:
        return None
    return MachineRecord(stream, sequence, unix)


def decode_slots(data: bytes) -> Iterator[MachineRecord | None]:
    """The records in consecutive slots."""
    view = memoryview(data)
    for offset in range(0, len(data) - SLOT_BYTES + 1, SLOT_BYTES):
        yield decode_record(view[offset : offset + SLOT_BYTES])


def encode_rows(sequences: list[int]) -> bytes:
    """Ledger rows for records that were acknowledged."""
    rows = bytearray()
    for sequence in sequences:
        head = _ROW.pack(sequence, 0)
        rows += head + _SUM.pack(zlib.crc32(head))
    return bytes(rows)


def decode_rows(data: bytes) -> Iterator[int]:
    """The acknowledged sequence numbers; ends before a row that was not written whole."""
    for offset in range(0, len(data) - ROW_BYTES + 1, ROW_BYTES):
        head = data[offset : offset + _ROW.size]
        sequence, _ = _ROW.unpack(head)
        if _SUM.unpack_from(data, offset + _ROW.size)[0] != zlib.crc32(head):
            return
        yield sequence


@attrs.frozen
class Audit:
    """What a comparison of a ledger with a volume found."""

    acknowledged: int  # records in the ledger
    found: int  # of them: there, or overwritten by a later one
    first_missing: int | None
    beyond: int  # newer records than the ledger knows

    @property
    def missing(self) -> int:
        """Acknowledged records that are not there."""
        return self.acknowledged - self.found


def audit(stream: bytes, sequences: list[int], slots: list[MachineRecord | None]) -> Audit:
    """Compare acknowledged sequence numbers with what the slots hold.

    A record counts as there if its slot holds it, or a later record that belongs into this slot.
    A record of the same number from another stream is no proof: a machine that came after a loss
    would have given the lost numbers out again.
    """
    held = [_held(stream, index, len(slots), record) for index, record in enumerate(slots)]
    missing = [sequence for sequence in sequences if held[sequence % len(slots)] < sequence]
    newest = max(sequences, default=-1)
    return Audit(
        acknowledged=len(sequences),
        found=len(sequences) - len(missing),
        first_missing=min(missing, default=None),
        beyond=sum(1 for sequence in held if sequence > newest),
    )


def _held(stream: bytes, index: int, slots: int, record: MachineRecord | None) -> int:
    """The newest sequence number that a slot proves to have been there; -1 for none."""
    if record is None or record.sequence % slots != index:
        return -1
    return record.sequence if record.stream == stream else record.sequence - 1
