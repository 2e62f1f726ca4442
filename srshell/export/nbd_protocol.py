"""One client's connection as a machine: bytes in, requests and answers out.  No I/O happens here.

    HANDSHAKE --export chosen--> TRANSMISSION --DISC--> LEAVING
        |                             |
        +--ABORT--> LEAVING           +--not a request--> BROKEN
        +--cannot be answered--> BROKEN

Whoever holds the socket does, again and again::

    count = socket.recv_into(connection.receive_buffer())
    connection.received(count)
    while (request := connection.next_request()) is not None:
        ...                     # ask the device, then one of connection.answer_...
    socket.sendmsg(connection.take_output())    # earlier if `output_bytes` grows large

Always true:

(1) No input makes a method raise: a client that breaks the protocol makes the phase BROKEN.
(2) Each request handed out is answered exactly once, with the data, the ranges or an error.
(3) A refused request is answered here; a device sees only what is allowed on its export.
(4) No more requests, and no more bytes of them, are out than the limits say.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import attrs

from srshell.codec.checksum import Buffer
from srshell.export import nbd_replies as replies
from srshell.export.device import Range
from srshell.export.nbd_buffer import ReceiveBuffer
from srshell.export.nbd_handshake import (
    OPTION_BYTES_MAX,
    Agreement,
    Exports,
    Handshake,
    HandshakeState,
)
from srshell.export.nbd_numbers import CommandFlag, NbdError
from srshell.export.nbd_options import ALLOCATION_CONTEXT_ID, DIRTY_CONTEXT_ID, GREETING
from srshell.export.nbd_requests import (
    BrokenStream,
    ClientLimits,
    Disconnect,
    Refusal,
    Request,
    RequestReader,
)

_HANDSHAKE_BUFFER_BYTES: Final = 2 * OPTION_BYTES_MAX
#: Holds what a client with 32 requests of 4 KiB under way sends at once, and more.
_TRANSMISSION_BUFFER_BYTES: Final = 256 * 1024


class Phase(Enum):
    """Where a connection is in its life."""

    HANDSHAKE = "an export is being chosen"
    TRANSMISSION = "requests are read"
    LEAVING = "the client is done: what is under way is answered, then the connection ends"
    BROKEN = "the client broke the protocol: the connection ends"


@attrs.define(eq=False)
class NbdConnection:
    """The server's side of one connection."""

    _exports: Exports
    _limits: ClientLimits = attrs.field(factory=ClientLimits)
    phase: Phase = Phase.HANDSHAKE
    #: Why the phase is BROKEN.
    reason: str = ""
    _buffer: ReceiveBuffer = attrs.field(
        factory=lambda: ReceiveBuffer(_HANDSHAKE_BUFFER_BYTES), init=False
    )
    _output: list[Buffer] = attrs.field(factory=lambda: [GREETING], init=False)
    #: Bytes in the output; answers without content, 16 bytes each, are left out.
    output_bytes: int = attrs.field(default=0, init=False)
    _handshake: Handshake = attrs.field(init=False)
    #: Valid from TRANSMISSION on.
    _reader: RequestReader | None = None
    _structured: bool = False

    def __attrs_post_init__(self) -> None:
        self._handshake = Handshake(self._exports)

    @property
    def agreement(self) -> Agreement | None:
        """What was agreed in the handshake; None before its end."""
        return self._handshake.agreement

    @property
    def is_open(self) -> bool:
        """Whether the client may send more."""
        return self.phase is Phase.TRANSMISSION or self.phase is Phase.HANDSHAKE

    @property
    def requests_under_way(self) -> int:
        """Requests accepted and not answered, including one whose payload is still arriving."""
        return 0 if self._reader is None else self._reader.held_requests

    @property
    def stalled(self) -> bool:
        """Whether a request waits for others to be answered; reading on would pile up bytes."""
        return self._reader is not None and self._reader.stalled

    def receive_buffer(self) -> memoryview:
        """Return where the next bytes are to be stored."""
        return self._buffer.room()

    def received(self, count: int) -> None:
        """Take note that ``count`` bytes were stored in `receive_buffer`."""
        self._buffer.received(count)

    def next_request(self) -> Request | None:
        """Return the next request for the device; None until more comes in or gets answered."""
        if self.phase is Phase.HANDSHAKE:
            self._advance_handshake()
        reader = self._reader
        if self.phase is not Phase.TRANSMISSION or reader is None:
            return None
        while True:
            event = reader.read()
            if isinstance(event, Request) or event is None:
                return event
            if isinstance(event, Refusal):
                self._refuse(event)
                continue
            self._stop_reading(event)
            return None

    def answer(self, request: Request) -> None:
        """Answer a request that succeeded and returns nothing."""
        self._release(request)
        self._output.append(replies.simple_reply(request.cookie))

    def answer_data(self, request: Request, data: Buffer) -> None:
        """Answer a READ; ``data`` is as long as was asked, and is not changed afterwards."""
        assert len(data) == request.length, (request, len(data))
        if self._structured:
            head = replies.data_chunk(request.cookie, request.offset, request.length)
        else:
            head = replies.simple_reply(request.cookie)
        self._release(request)
        self._output += (head, data)
        self.output_bytes += request.length

    def answer_ranges(
        self, request: Request, ranges: Sequence[Range], dirty: Sequence[Range] = ()
    ) -> None:
        """Answer a BLOCK_STATUS with what the device knows from the request's offset on.

        Args:
            request: what is answered.
            ranges: what is allocated; not looked at unless that context was chosen.
            dirty: what the other side may lack; likewise.
        """
        agreement = self.agreement
        assert agreement is not None, request
        known = [(ALLOCATION_CONTEXT_ID, ranges)] if agreement.allocation_context else []
        known += [(DIRTY_CONTEXT_ID, dirty)] if agreement.dirty_context else []
        count_max = 1 if request.flags & CommandFlag.REQ_ONE else replies.RANGES_MAX
        self._release(request)
        for number, (context_id, found) in enumerate(known, 1):
            fitted = replies.fit_ranges(found, request.length, count_max)
            last = number == len(known)
            chunk = replies.ranges_chunk(request.cookie, context_id, fitted, last=last)
            self._output.append(chunk)
            self.output_bytes += len(chunk)

    def answer_error(self, request: Request, error: NbdError, text: str = "") -> None:
        """Answer a request that failed."""
        self._release(request)
        self._refuse(Refusal(request.cookie, error, text))

    def take_output(self) -> list[Buffer]:
        """Return what is to be sent, in order, and forget it."""
        output = self._output
        self._output = []
        self.output_bytes = 0
        return output

    def shut_down(self) -> None:
        """Refuse every request that is not yet out with ESHUTDOWN."""
        refusal = None if self._reader is None else self._reader.shut_down()
        if refusal is not None:
            self._refuse(refusal)

    def end_of_input(self) -> None:
        """Take note that nothing more will come, whether the client said so or vanished."""
        self.shut_down()
        if self.is_open:
            self.phase = Phase.LEAVING

    def _advance_handshake(self) -> None:
        answers = self._handshake.advance(self._buffer)
        if answers:
            self._output.append(answers)
        if self._handshake.state is HandshakeState.ENDED:
            self.reason = self._handshake.reason
            self.phase = Phase.BROKEN if self.reason else Phase.LEAVING
        agreement = self._handshake.agreement
        if agreement is not None:
            self._buffer.resize(_TRANSMISSION_BUFFER_BYTES)
            self._reader = RequestReader(self._buffer, agreement, self._limits)
            self._structured = agreement.structured
            self.phase = Phase.TRANSMISSION

    def _refuse(self, refusal: Refusal) -> None:
        # READ must be refused in the negotiated form; with it, a sentence can be sent along.
        cookie, error, text = refusal
        if self._structured:
            chunk = replies.error_chunk(cookie, error, text)
            self._output.append(chunk)
            self.output_bytes += len(chunk)
        else:
            self._output.append(replies.simple_reply(cookie, error))

    def _stop_reading(self, event: Disconnect | BrokenStream) -> None:
        if isinstance(event, BrokenStream):
            self.reason = event.reason
            self.phase = Phase.BROKEN
        else:
            self.phase = Phase.LEAVING

    def _release(self, request: Request) -> None:
        assert self._reader is not None, request
        self._reader.release(request)
