"""The table of a frame without its payloads: which ranges its records change.

Always true: a table is read only if its checksum is the frame's, and if its payloads would fill the
body; whether they are what they were, it cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import ROW, ROW_BYTES, FrameBody, FrameHeader, RecordKind

_KINDS: Final = frozenset(map(int, RecordKind))
_OFFSET_MAX: Final = 2**63 - 1


def table_bytes(header: FrameHeader) -> int:
    """Return how many bytes of the body the table takes."""
    return header.record_count * ROW_BYTES


def table_of(body: FrameBody) -> bytes:
    """Return the table of a frame as an object of its own."""
    return bytes(body.buffers[0][: body.record_count * ROW_BYTES])


def extents_in(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Give volume, offset and length in bytes of each record of a table that was checked."""
    for _, _, volume, length, offset, _, _ in ROW.iter_unpack(table):
        yield volume, offset, length


def check_table(header: FrameHeader, table: Buffer) -> None:
    """Raise `FormatError` ``checksum``, ``length`` or ``version`` if the frame has another one."""
    if len(table) != table_bytes(header):
        raise FormatError("length", f"table has {len(table)} of {table_bytes(header)} bytes")
    if crc32(table) != header.body_crc:
        raise FormatError("checksum", f"record table of LSN {header.first_lsn} is damaged")
    body_bytes = len(table)
    for kind, flags, _, length, offset, _, reserve in ROW.iter_unpack(table):
        if kind not in _KINDS or flags or reserve:
            raise FormatError("version", f"row ({kind}, {flags}, {reserve}) is of a later version")
        if not 0 < length <= _OFFSET_MAX - offset:
            raise FormatError("length", f"range {offset}+{length} cannot be in a volume")
        if kind == RecordKind.WRITE:
            body_bytes += length
    if body_bytes != header.body_bytes:
        raise FormatError("length", f"records take {body_bytes} of {header.body_bytes} bytes")
