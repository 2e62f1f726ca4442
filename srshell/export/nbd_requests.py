"""Requests: bytes to values, and the refusal of what must not reach a device.

    request  | 0x25609513 4 | flags 2 | type 2 | cookie 8 | offset 8 | length 4 | data of WRITE |

Specification: "Request message", "Request types", "Error values".

Always true:

(1) A `Request` that leaves this file is allowed on its export: command, flags, range and length.
(2) What is refused is consumed with its payload, so the request after it is read in step.
(3) Memory for a payload is taken after the request was allowed and there was room for it.
(4) The payload of a request belongs to it alone and cannot be written to.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import attrs
import msgspec

from srshell.codec.checksum import Buffer
from srshell.export.nbd_buffer import ReceiveBuffer
from srshell.export.nbd_handshake import Agreement
from srshell.export.nbd_numbers import (
    REQUEST_BYTES_MAX,
    REQUEST_MAGIC,
    Command,
    CommandFlag,
    NbdError,
)

REQUEST_HEADER: Final = struct.Struct(">IHHQQI")
_HEADER_BYTES: Final = REQUEST_HEADER.size
#: Payloads from here on are received into memory of their own; smaller ones are copied.
OWN_MEMORY_BYTES: Final = 64 * 1024


# Plain numbers: a member of an enum costs a look-up in its class each time.
_WRITE: Final = int(Command.WRITE)
_FUA: Final = int(CommandFlag.FUA)
_DF: Final = int(CommandFlag.DF)
_FAST_ZERO: Final = int(CommandFlag.FAST_ZERO)
_GOING_AWAY: Final = (NbdError.ESHUTDOWN, "the export is going away")


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request of a client.  ``offset`` and ``length`` in bytes; only WRITE has a payload.

    Not an attrs class: this one is made in a tenth of the time, once for each request.
    """

    command: int
    flags: int
    cookie: int
    offset: int
    length: int
    payload: Buffer = b""

    @property
    def held_bytes(self) -> int:
        """Memory that the request or its answer takes until it is answered."""
        return self.length if self.command <= _WRITE else 0

    def __repr__(self) -> str:
        return f"Request({self.command}, {self.flags:#x}, {self.offset}+{self.length})"


@attrs.frozen
class ClientLimits:
    """How much one client may have under way."""

    requests: int = 64
    #: Payloads of writes and lengths of reads.
    payload_bytes: int = 64 * 1024 * 1024


class Refusal(NamedTuple):
    """A request that is answered with an error without asking the device."""

    cookie: int
    error: NbdError
    text: str


class Disconnect(NamedTuple):
    """The client will send nothing more and waits for what is under way."""


class BrokenStream(NamedTuple):
    """What came is no request, so where the next one begins is unknown."""

    reason: str


@attrs.frozen
class _Rule:
    """What holds for one command."""

    #: The flags it may carry; a number, because the complement of a flag set knows only named bits.
    flags: int = attrs.field(converter=int)
    #: Refused on a read-only export.
    changes: bool = False
    #: The range is sent along, so its length is limited.
    transfers: bool = False
    #: Needs a metadata context.
    describes: bool = False
    #: The error for a range that ends beyond the device; None for a command without a range.
    beyond: NbdError | None = NbdError.EINVAL


# FUA is allowed everywhere, because clients are known to set it everywhere ("Command flags").
_RULES: Final[dict[int, _Rule]] = {
    Command.READ: _Rule(_FUA | _DF, transfers=True),
    Command.WRITE: _Rule(_FUA, changes=True, transfers=True, beyond=NbdError.ENOSPC),
    Command.FLUSH: _Rule(_FUA, beyond=None),
    Command.TRIM: _Rule(_FUA, changes=True),
    Command.CACHE: _Rule(_FUA),
    Command.WRITE_ZEROES: _Rule(
        _FUA | CommandFlag.NO_HOLE | _FAST_ZERO, changes=True, beyond=NbdError.ENOSPC
    ),
    Command.BLOCK_STATUS: _Rule(_FUA | CommandFlag.REQ_ONE, describes=True),
}


@attrs.define(eq=False)
class RequestReader:
    """Reads the requests of one client, never more at once than its limits allow."""

    _buffer: ReceiveBuffer
    _agreement: Agreement
    _limits: ClientLimits
    #: Requests handed out and not released, and the memory they hold; one whose payload is still
    #: arriving counts among them.
    held_requests: int = 0
    held_bytes: int = 0
    #: A complete header waits until others are released.
    stalled: bool = False
    #: New requests are refused with ESHUTDOWN.
    _shutting_down: bool = False
    #: The WRITE whose payload is being received, still without it.
    _receiving: Request | None = None

    def read(self) -> Request | Refusal | Disconnect | BrokenStream | None:
        """Return the next thing that is complete, or None until more bytes or a release come."""
        buffer = self._buffer
        if self._receiving is not None:
            return self._finish_payload(self._receiving)
        self.stalled = False
        if buffer.available_bytes < _HEADER_BYTES:
            return None
        header = REQUEST_HEADER.unpack_from(buffer.memory, buffer.position)
        magic, flags, command, cookie, offset, length = header
        if magic != REQUEST_MAGIC:
            return BrokenStream("a request does not begin with its magic number")
        if command == Command.DISC:
            return Disconnect()
        refused = self._refuse(command, flags, offset, length)
        if refused is not None:
            buffer.consume(_HEADER_BYTES)
            if command == _WRITE:
                buffer.skip(length)
            return Refusal(cookie, *refused)
        held_bytes = length if command <= _WRITE else 0
        if not self._has_room(held_bytes):
            self.stalled = True
            return None
        payload: Buffer = b""
        if command == _WRITE:
            if buffer.available_bytes < _HEADER_BYTES + length:
                if length >= OWN_MEMORY_BYTES:
                    self._begin_payload(Request(command, flags, cookie, offset, length))
                return None
            buffer.consume(_HEADER_BYTES)
            payload = buffer.take(length)
        else:
            buffer.consume(_HEADER_BYTES)
        self.held_requests += 1
        self.held_bytes += held_bytes
        return Request(command, flags, cookie, offset, length, payload)

    def release(self, request: Request) -> None:
        """Take note that the request is answered."""
        self.held_requests -= 1
        self.held_bytes -= request.held_bytes
        assert self.held_requests >= 0, self
        assert self.held_bytes >= 0, self

    def shut_down(self) -> Refusal | None:
        """Refuse whatever comes; return the refusal of a WRITE whose payload was still arriving."""
        self._shutting_down = True
        request = self._receiving
        if request is None:
            return None
        # Waiting for the rest would leave the end of the export to the client.
        self._receiving = None
        self._buffer.drop_payload()
        self.release(request)
        return Refusal(request.cookie, *_GOING_AWAY)

    def _has_room(self, held_bytes: int) -> bool:
        if self.held_requests >= self._limits.requests:
            return False
        # One alone is always let in, so that the limit can delay a request and never block it.
        return not self.held_requests or self.held_bytes + held_bytes <= self._limits.payload_bytes

    def _begin_payload(self, request: Request) -> None:
        # Its memory is counted from now on, for it is taken now.
        self.held_requests += 1
        self.held_bytes += request.length
        self._buffer.consume(_HEADER_BYTES)
        self._buffer.begin_payload(request.length)
        self._receiving = request

    def _finish_payload(self, request: Request) -> Request | None:
        payload = self._buffer.finished_payload()
        if payload is None:
            return None
        self._receiving = None
        return Request(
            request.command, request.flags, request.cookie, request.offset, request.length, payload
        )

    def _refuse(
        self, command: int, flags: int, offset: int, length: int
    ) -> tuple[NbdError, str] | None:
        """Return the error for a request that must not reach the device, or None."""
        if self._shutting_down:
            return _GOING_AWAY
        rule = _RULES.get(command)
        if rule is None:
            return NbdError.EINVAL, "unknown command"
        if flags & ~rule.flags or (flags & _DF and not self._agreement.structured):
            return NbdError.EINVAL, "a flag does not belong to the command"
        if rule.changes and self._agreement.export.read_only:
            return NbdError.EPERM, "the export is read-only"
        if rule.beyond is not None:
            return self._refuse_range(rule, flags, offset, length, rule.beyond)
        if offset or length:
            return NbdError.EINVAL, "a flush has neither offset nor length"
        return None

    def _refuse_range(
        self, rule: _Rule, flags: int, offset: int, length: int, beyond: NbdError
    ) -> tuple[NbdError, str] | None:
        if not length:
            return NbdError.EINVAL, "the length is zero"
        if rule.transfers and length > REQUEST_BYTES_MAX:
            too_large = NbdError.EOVERFLOW if flags & _DF else NbdError.EINVAL
            return too_large, f"at most {REQUEST_BYTES_MAX} bytes at once"
        if offset + length > self._agreement.export.size_bytes:
            return beyond, "the range ends beyond the export"
        if rule.describes and not self._agreement.describes:
            return NbdError.EINVAL, "no metadata context was chosen"
        if flags & _FAST_ZERO and not self._agreement.export.fast_zero:
            return NbdError.ENOTSUP, "zeroing is not faster than writing here"
        return None
