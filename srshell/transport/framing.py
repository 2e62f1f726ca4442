"""Cut a stream of bytes into messages, and messages into writes.  No I/O happens here.

Always true:

(1) A header is checked before its lengths are believed, and memory is taken only after that.
(2) A large payload is received straight into memory of its own; a small one is copied once.
(3) After a `FormatError` the stream cannot be read further; messages before it were delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from srshell.codec.checksum import Buffer
from srshell.codec.messages import (
    HEADER_BYTES,
    Message,
    MessageHeader,
    decode_message,
    parse_header,
)
from srshell.transport.link import Received

SCRATCH_BYTES: Final = 64 * 1024
#: An incomplete part above this gets memory of its own instead of waiting in the scratch buffer.
SMALL_BYTES: Final = 16 * 1024
#: Buffers below this are joined: a copy is cheaper than a system call.
JOIN_BYTES: Final = 64 * 1024


class MessageReader:
    """Offer `buffer`, have it filled, call `received`; messages go to ``deliver``."""

    def __init__(self, deliver: Callable[[Received], None]) -> None:
        """Start between two messages."""
        self._deliver = deliver
        self._scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._start = 0
        self._end = 0
        #: The message being read: its header, then itself.
        self._header: MessageHeader | None = None
        self._message: Message | None = None
        #: The part with memory of its own, and how much of that is filled.
        self._part: memoryview | None = None
        self._filled = 0

    @property
    def in_message(self) -> bool:
        """Whether the stream would break off inside a message if it ended now."""
        return self._header is not None or self._start != self._end

    def buffer(self) -> memoryview:
        """Return where the next bytes go; never empty."""
        if self._part is not None:
            return self._part[self._filled :]
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end > SCRATCH_BYTES // 2:
            rest = self._end - self._start
            self._scratch[:rest] = self._scratch[self._start : self._end]
            self._start, self._end = 0, rest
        return self._scratch[self._end :]

    def received(self, count: int) -> None:
        """Take note of ``count`` more bytes in `buffer`, and deliver every message now complete.

        Raises `FormatError`.
        """
        if self._part is None:
            self._end += count
        else:
            self._filled += count
            if self._filled < len(self._part):
                return
            self._finish_part(self._part)
        while self._read_whole() or (
            self._read_header() and self._read_meta() and self._read_payload()
        ):
            pass

    def _read_whole(self) -> bool:
        """Deliver a message that is in the scratch buffer with all its parts, as most are."""
        start, end = self._start, self._end
        if self._header is not None or end - start < HEADER_BYTES:
            return False
        body = start + HEADER_BYTES
        header = self._header = parse_header(self._scratch[start:body])
        payload = body + header.meta_bytes
        stop = payload + header.payload_bytes
        if stop > end:
            self._start = body
            return False
        message = decode_message(header.kind, self._scratch[body:payload], header.meta_crc)
        self._start, self._header = stop, None
        self._deliver((message, bytes(self._scratch[payload:stop])))
        return True

    def _read_header(self) -> bool:
        if self._header is not None:
            return True
        if self._end - self._start < HEADER_BYTES:
            return False
        start, self._start = self._start, self._start + HEADER_BYTES
        self._header = parse_header(bytes(self._scratch[start : self._start]))
        return True

    def _read_meta(self) -> bool:
        if self._message is not None:
            return True
        header = self._header
        assert header is not None
        if self._end - self._start < header.meta_bytes:
            self._open_part(header.meta_bytes)
            return False
        start, self._start = self._start, self._start + header.meta_bytes
        self._message = decode_message(
            header.kind, self._scratch[start : self._start], header.meta_crc
        )
        return True

    def _read_payload(self) -> bool:
        assert self._header is not None
        length = self._header.payload_bytes
        if self._end - self._start < length:
            self._open_part(length)
            return False
        start, self._start = self._start, self._start + length
        self._finish_message(bytes(self._scratch[start : self._start]) if length else b"")
        return True

    def _open_part(self, length: int) -> None:
        """Give an incomplete part memory of its own, if waiting for it would fill the scratch."""
        if length <= SMALL_BYTES:
            return
        self._part = memoryview(bytearray(length))
        self._filled = self._end - self._start
        self._part[: self._filled] = self._scratch[self._start : self._end]
        self._start = self._end = 0

    def _finish_part(self, part: memoryview) -> None:
        self._part = None
        assert self._header is not None
        if self._message is None:
            self._message = decode_message(self._header.kind, part, self._header.meta_crc)
        else:
            self._finish_message(part.toreadonly())

    def _finish_message(self, payload: bytes | memoryview) -> None:
        assert self._message is not None
        message, self._message, self._header = self._message, None, None
        self._deliver((message, payload))


def joined(buffers: Sequence[Buffer]) -> Iterable[Buffer]:
    """Return the same bytes in few writes: small neighbours joined, large buffers as they are."""
    if sum(map(len, buffers)) < JOIN_BYTES:
        return (b"".join(buffers),)  # as for most messages
    return _joined(buffers)


def _joined(buffers: Sequence[Buffer]) -> Iterator[Buffer]:
    small: list[Buffer] = []
    small_bytes = 0
    for buffer in buffers:
        if len(buffer) >= JOIN_BYTES:
            if small:
                yield b"".join(small)
                small, small_bytes = [], 0
            yield buffer
            continue
        small.append(buffer)
        small_bytes += len(buffer)
        if small_bytes >= 4 * JOIN_BYTES:
            yield b"".join(small)
            small, small_bytes = [], 0
    if small:
        yield small[0] if len(small) == 1 else b"".join(small)
