"""One connected client: bytes between its socket and the protocol, requests to the device.

Always true:

(1) The requests that one receive brought are started before anything is sent, and small answers
    that are ready together leave in one send.
(2) Devices are called in the order of arrival.  A call is never cancelled; the session ends only
    when every call has returned, even if the client is long gone.
(3) Nothing is read from a client that has its limit under way, or that does not take its answers.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, cast

import attrs

from srshell.codec.checksum import Buffer
from srshell.export.device import (
    BlockDevice,
    DeviceError,
    DeviceGone,
    ExplainsErrors,
    Range,
    ReportsDirty,
)
from srshell.export.nbd_handshake import Agreement, Exports
from srshell.export.nbd_numbers import Command, CommandFlag, NbdError, error_from_errno_name
from srshell.export.nbd_protocol import NbdConnection, Phase
from srshell.export.nbd_requests import ClientLimits, Request
from srshell.export.unix_socket import is_own_user

_log: Final = logging.getLogger(__name__)

#: A client that leaves more than this many bytes of answers unread is not read from.
_UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
#: Answers are sent before all requests are started if they have this many bytes.
_SEND_BYTES: Final = 1024 * 1024
#: Data from here on is sent by itself; what is smaller is joined with its neighbours.
_LARGE_BYTES: Final = 64 * 1024
#: CACHE reads this much at a time.
_WARM_BYTES: Final = 1024 * 1024

_FUA: Final = int(CommandFlag.FUA)
_READ: Final = int(Command.READ)
_WRITE: Final = int(Command.WRITE)


@attrs.frozen
class SessionLimits:
    """How long a client may take, and how much it may have under way.  Times in seconds."""

    client: ClientLimits = attrs.field(factory=ClientLimits)
    #: From the connection to the choice of an export.
    handshake_seconds: float = 10.0
    #: From the last answer to the end of the connection; answers not taken by then are dropped.
    farewell_seconds: float = 5.0


@attrs.define(eq=False)
class NbdSession(asyncio.BufferedProtocol):
    """Serves one client from its connection to its end."""

    _exports: Exports
    _limits: SessionLimits
    _on_end: Callable[[NbdSession], None]
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    #: Done when the connection is gone and no call is under way.
    ended: asyncio.Future[None] = attrs.field(init=False)
    _connection: NbdConnection = attrs.field(init=False)
    _transport: asyncio.Transport | None = None
    _timer: asyncio.TimerHandle | None = None
    _device: BlockDevice | None = None
    #: The loop itself holds tasks weakly.
    _tasks: set[asyncio.Task[Any]] = attrs.field(factory=set, init=False)
    _lost: bool = False
    _closing: bool = False
    _reading: bool = True
    _writable: bool = True
    _pump_scheduled: bool = False

    def __attrs_post_init__(self) -> None:
        self.ended = self._loop.create_future()
        self._connection = NbdConnection(self._exports, self._limits.client)

    @property
    def export_name(self) -> str | None:
        """The export that the client chose; None while it has not."""
        agreement = self._connection.agreement
        return None if agreement is None else agreement.export.name

    @property
    def requests_under_way(self) -> int:
        """Requests that are not answered yet."""
        return self._connection.requests_under_way

    def shut_down(self) -> None:
        """Refuse new requests, and end the connection when those under way are answered."""
        self._closing = True
        self._connection.shut_down()
        self._settle()

    def abort(self) -> None:
        """End the connection now; calls under way go on, and `ended` waits for them."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or leave without a word if it is another user's."""
        self._transport = cast("asyncio.Transport", transport)
        if not is_own_user(transport.get_extra_info("socket")):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_UNSENT_BYTES_MAX)
        self._set_timer(self._limits.handshake_seconds)
        self._settle()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes are to be stored."""
        return self._connection.receive_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Act on everything that has arrived."""
        self._connection.received(nbytes)
        self._pump()

    def eof_received(self) -> bool:
        """Answer what is under way before the connection ends."""
        self._connection.end_of_input()
        self._settle()
        return True

    def pause_writing(self) -> None:
        """Stop taking requests from a client that does not take answers."""
        self._writable = False
        self._choose_reading()

    def resume_writing(self) -> None:
        """Go on with a client that takes answers again."""
        self._writable = True
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop what nobody will read; the calls under way are waited for."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._lost = True
        self._connection.end_of_input()
        self._settle()

    # What happens in between.

    def _pump(self) -> None:
        """Start everything that may start, then send what was answered meanwhile."""
        self._pump_scheduled = False
        connection = self._connection
        while self._writable and (request := connection.next_request()) is not None:
            self._start(request)
            if connection.output_bytes >= _SEND_BYTES:
                # A device that answers at once would otherwise fill our memory.
                self._send()
        self._settle()

    def _start(self, request: Request) -> None:
        try:
            call = self._call(request)
            if asyncio.isfuture(call):
                future = call
            else:
                future = self._run(cast("Coroutine[Any, Any, Any]", call))
        except Exception as error:  # noqa: BLE001  whatever a device raises becomes an answer
            self._fail(request, error)
            return
        if future.done():
            self._finish(request, future)
        else:
            future.add_done_callback(partial(self._returned, request))

    def _run(self, call: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Run a coroutine at once where Python can, else in order in the loop's next turn."""
        if sys.version_info >= (3, 12):
            task = asyncio.Task(call, loop=self._loop, eager_start=True)
        else:
            task = self._loop.create_task(call)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    def _call(self, request: Request) -> Awaitable[Any]:
        device = self._chosen_device()
        command, offset, length = request.command, request.offset, request.length
        fua = bool(request.flags & _FUA)
        if command == _WRITE:
            return device.write(offset, request.payload, fua)
        if command == _READ:
            return device.read(offset, length)
        match command:
            case Command.FLUSH:
                return device.flush()
            case Command.TRIM:
                return device.trim(offset, length, fua)
            case Command.WRITE_ZEROES:
                may_trim = not request.flags & CommandFlag.NO_HOLE
                return device.zero(offset, length, fua, may_trim)
            case Command.CACHE:
                return _warm(device, offset, length)
            case Command.BLOCK_STATUS:
                agreement = self._connection.agreement
                assert agreement is not None, request
                return _describe(device, agreement, offset, length)
            case _:
                raise AssertionError(request)

    def _chosen_device(self) -> BlockDevice:
        if self._device is None:
            agreement = self._connection.agreement
            assert agreement is not None, "a request came before the choice of an export"
            self._device = agreement.export.device
        return self._device

    def _returned(self, request: Request, future: asyncio.Future[Any]) -> None:
        """Answer a call that took its time."""
        self._finish(request, future)
        if not self._connection.requests_under_way:
            self._pump()
        elif not self._pump_scheduled:
            # Calls that end together have their callbacks in the same turn of the loop: waiting
            # for the next turn lets their answers leave, and their successors start, together.
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def _finish(self, request: Request, future: asyncio.Future[Any]) -> None:
        try:
            result = future.result()
            if request.command == _READ:
                self._connection.answer_data(request, result)
            elif request.command == Command.BLOCK_STATUS:
                self._connection.answer_ranges(request, *result)
            else:
                self._connection.answer(request)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            self._fail(request, error)

    def _fail(self, request: Request, error: BaseException) -> None:
        if isinstance(self._device, ExplainsErrors):
            error = self._device.explain(error) or error
        if isinstance(error, DeviceGone) and self._transport is not None:
            # What was answered before leaves; this answer does not.
            self._send()
            self._close()
        if isinstance(error, DeviceError):
            code, text = error_from_errno_name(error.errno_name), error.message
        else:
            _log.error("%s: %r failed", self.export_name, request, exc_info=error)
            code, text = NbdError.EIO, ""
        self._connection.answer_error(request, code, text)

    def _send(self) -> None:
        # Not `writelines`: before Python 3.13.2 it never asks the protocol to pause.
        output = self._connection.take_output()
        transport = self._transport
        if not output or transport is None or transport.is_closing():
            return
        small: list[Buffer] = []
        for part in output:
            if len(part) < _LARGE_BYTES:
                small.append(part)
                continue
            transport.write(b"".join(small))
            transport.write(part)
            small.clear()
        if small:
            transport.write(small[0] if len(small) == 1 else b"".join(small))

    def _settle(self) -> None:
        """Send what is ready, then choose: read on, wait, or end."""
        self._send()
        connection = self._connection
        idle = not connection.requests_under_way
        if self._transport is None:
            if self._lost and idle and not self.ended.done():
                self.ended.set_result(None)
                self._on_end(self)
        elif self._is_over(idle):
            self._close()
        else:
            if self._timer is not None and connection.phase is Phase.TRANSMISSION:
                self._timer.cancel()
                self._timer = None
            self._choose_reading()

    def _is_over(self, idle: bool) -> bool:
        if self._connection.is_open:
            return idle and self._closing
        return idle or self._connection.phase is Phase.BROKEN

    def _choose_reading(self) -> None:
        connection = self._connection
        wanted = connection.is_open and self._writable and not connection.stalled
        if wanted is self._reading or self._transport is None or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _close(self) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        if self._connection.reason:
            _log.info("%s: client dropped: %s", self.export_name, self._connection.reason)
        self._set_timer(self._limits.farewell_seconds)
        self._transport.close()

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self.abort)


async def _describe(
    device: BlockDevice, agreement: Agreement, offset: int, length: int
) -> tuple[Sequence[Range], Sequence[Range]]:
    """What is allocated, and what is dirty; of that which was chosen."""
    dirty: Sequence[Range] = ()
    if agreement.dirty_context:
        assert isinstance(device, ReportsDirty), device
        dirty = await device.dirty_ranges(offset, length)
    known = await device.ranges(offset, length) if agreement.allocation_context else ()
    return known, dirty


async def _warm(device: BlockDevice, offset: int, length: int) -> None:
    """Read a range and drop it, so that it is in memory when it is asked for."""
    end = offset + length
    while offset < end:
        piece = min(_WARM_BYTES, end - offset)
        await device.read(offset, piece)
        offset += piece
