"""Answers to requests: values to bytes.

    simple reply      | 0x67446698 4 | error 4 | cookie 8 | data of READ |
    structured chunk  | 0x668e33ef 4 | flags 2 | type 2 | cookie 8 | length 4 | content |

    content of OFFSET_DATA    | offset 8 | data |
    content of BLOCK_STATUS   | context id 4 | { length 4 | range flags 4 } ... |
    content of ERROR          | error 4 | text length 2 | text |

Specification: "Simple reply message", "Structured reply chunk message", "Structured reply types".

Always true:

(1) Every answer is one message: a simple reply, or one chunk that is also the last.  Only what
    several metadata contexts know comes as several chunks, one for each.
(2) Data is never copied here: it follows its header as a buffer of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final

from srshell.export.device import Range
from srshell.export.nbd_numbers import (
    CHUNK_DONE,
    SIMPLE_REPLY_MAGIC,
    STRUCTURED_REPLY_MAGIC,
    Chunk,
)

#: Enough for every cut that a client can act on; the protocol lets a reply stop early.
RANGES_MAX: Final = 16 * 1024
#: Longer messages of a device are cut.
ERROR_TEXT_BYTES_MAX: Final = 1024

_SIMPLE: Final = struct.Struct(">IIQ")
_CHUNK: Final = struct.Struct(">IHHQI")
_DATA_CHUNK: Final = struct.Struct(">IHHQIQ")
_ERROR: Final = struct.Struct(">IH")
_CONTEXT: Final = struct.Struct(">I")
_RANGE: Final = struct.Struct(">II")


def simple_reply(cookie: int, error: int = 0) -> bytes:
    """Encode an answer without data, or the header before the data of a READ."""
    return _SIMPLE.pack(SIMPLE_REPLY_MAGIC, error, cookie)


def data_chunk(cookie: int, offset: int, length: int) -> bytes:
    """Encode what stands before ``length`` bytes of data, as the only chunk of its reply."""
    return _DATA_CHUNK.pack(
        STRUCTURED_REPLY_MAGIC, CHUNK_DONE, Chunk.OFFSET_DATA, cookie, 8 + length, offset
    )


def error_chunk(cookie: int, error: int, text: str) -> bytes:
    """Encode a failure with a sentence for the person behind the client."""
    encoded = text.encode(errors="replace")[:ERROR_TEXT_BYTES_MAX]
    encoded = encoded.decode(errors="ignore").encode()
    return _chunk(Chunk.ERROR, cookie, _ERROR.pack(error, len(encoded)) + encoded)


def ranges_chunk(
    cookie: int, context_id: int, ranges: Iterable[Range], *, last: bool = True
) -> bytes:
    """Encode what a context knows of consecutive ranges; at least one is given."""
    content = b"".join(_RANGE.pack(length, flags) for length, flags in ranges)
    return _chunk(Chunk.BLOCK_STATUS, cookie, _CONTEXT.pack(context_id) + content, last=last)


def _chunk(kind: Chunk, cookie: int, content: bytes, *, last: bool = True) -> bytes:
    flags = CHUNK_DONE if last else 0
    header = _CHUNK.pack(STRUCTURED_REPLY_MAGIC, flags, kind, cookie, len(content))
    return header + content


def fit_ranges(ranges: Iterable[Range], length: int, count_max: int = RANGES_MAX) -> list[Range]:
    """Join neighbours that are alike, and cut at ``length`` bytes and ``count_max`` ranges.

    A device that says nothing gives one range of which nothing is known.
    """
    fitted: list[Range] = []
    for range_length, flags in _cut(ranges, length):
        if fitted and fitted[-1][1] == flags:
            fitted[-1] = (fitted[-1][0] + range_length, flags)
        elif len(fitted) < count_max:
            fitted.append((range_length, flags))
        else:
            break
    return fitted or [(length, 0)]


def _cut(ranges: Iterable[Range], length: int) -> Iterator[Range]:
    """Yield ranges up to ``length`` bytes in all, without empty ones."""
    left = length
    for range_length, flags in ranges:
        if left <= 0:
            return
        if range_length > 0:
            yield min(range_length, left), flags
            left -= range_length
