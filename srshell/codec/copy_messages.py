"""Copies of many small ranges of a volume in one message.

Always true: the ranges of a message ascend and do not touch one another's bytes, and its payload is
what they hold, one after the other, or nothing where they read as zeros.
"""

from __future__ import annotations

from typing import Final

from srshell.codec.checksum import Buffer, crc32
from srshell.codec.errors import FormatError
from srshell.codec.wire import Crc, Number, Wire

#: As many ranges a message may name.
RUNS_MAX: Final = 1024


class Runs(Wire, frozen=True):
    """Copy of ranges (offset, length; bytes) of one volume; counted as one extent."""

    sequence: Number
    volume: Number
    ranges: tuple[tuple[Number, Number], ...]
    crc: Crc
    zero: bool


def check_runs(runs: Runs, payload: Buffer) -> None:
    """Refuse runs that overlap, or whose data is not what the message says.

    Raises `FormatError` ``length``, ``order`` or ``checksum``.
    """
    if not 0 < len(runs.ranges) <= RUNS_MAX:
        raise FormatError("length", f"{len(runs.ranges)} runs in one message")
    end = 0
    for offset, length in runs.ranges:
        if length == 0:
            raise FormatError("length", f"a run of nothing at {offset}")
        if offset < end:
            raise FormatError("order", f"a run at {offset} begins before {end}")
        end = offset + length
    size_bytes = 0 if runs.zero else sum(length for _, length in runs.ranges)
    if len(payload) != size_bytes:
        raise FormatError("length", f"runs of {size_bytes} bytes came with {len(payload)}")
    if crc32(payload) != runs.crc:
        raise FormatError("checksum", f"runs from {runs.ranges[0][0]} on are damaged")
