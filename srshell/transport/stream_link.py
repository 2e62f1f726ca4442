"""Links over Unix and TCP sockets.

Always true:

(1) Bytes that are not a message of ours close the link at once; what came before them is delivered.
(2) Above the inbox's limit the socket is not read, so the peer's own writes stop.
(3) A peer that takes nothing loses the link at `SEND_BYTES_MAX`.
(4) `close` waits at most `CLOSE_SECONDS` for the peer to take what is queued.

    connecting --connection_made--> open --close / end of stream / error--> closed
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, cast

from srshell.codec.checksum import Buffer
from srshell.codec.errors import FormatError
from srshell.codec.messages import Message, encode_message
from srshell.transport.framing import MessageReader, joined
from srshell.transport.inbox import Inbox, Waiters
from srshell.transport.link import Hear, LinkClosed, Received, nothing

SEND_HIGH_BYTES: Final = 1024 * 1024
SEND_LOW_BYTES: Final = 256 * 1024
SEND_BYTES_MAX: Final = 64 * 1024 * 1024
SOCKET_BYTES: Final = 2 * 1024 * 1024
CLOSE_SECONDS: Final = 5.0


class StreamLink(asyncio.BufferedProtocol):
    """A `Link` over a stream transport."""

    def __init__(self, opened: Callable[[StreamLink], None], peer_name: str = "") -> None:
        """Call ``opened`` once the transport is there."""
        self.peer_name = peer_name
        self._opened = opened
        self._inbox = Inbox(on_room=self._resume_reading)
        self._reader = MessageReader(self._inbox.put)
        self._transport: asyncio.Transport | None = None
        self._write_paused = False
        self._drainers = Waiters()
        self._abort_timer: asyncio.TimerHandle | None = None

    # --- the side of the engine -----------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it closed, here or there."""
        return self._inbox.end_reason is not None

    def send(self, message: Message, payload: Sequence[Buffer] = ()) -> None:
        """Queue a message; see `Link.send`."""
        transport = self._open_transport()
        for buffer in joined(encode_message(message, payload)):
            transport.write(buffer)
        if transport.get_write_buffer_size() > SEND_BYTES_MAX:
            self._fail(f"the peer left {SEND_BYTES_MAX} bytes unread")

    async def drain(self) -> None:
        """Wait until little is queued; see `Link.drain`."""
        self._open_transport()
        while self._write_paused:
            await self._drainers.wait()
            self._open_transport()

    async def receive(self) -> Received:
        """Return the next message; see `Link.receive`."""
        return await self._inbox.get()

    def receive_nowait(self) -> Received | None:
        """Return a message that is here already."""
        return self._inbox.get_nowait()

    def hear_by(self, hear: Hear, told: Callable[[], None] = nothing) -> None:
        """Tell ``hear`` of messages as they come; see `Link.hear_by`."""
        self._inbox.hear, self._inbox.told = hear, told

    def close(self) -> None:
        """Send what is queued, then close; see `Link.close`."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            loop = asyncio.get_running_loop()
            self._abort_timer = loop.call_later(CLOSE_SECONDS, transport.abort)
        self._inbox.close("the link was closed here")
        self._drainers.wake()

    # --- the side of the transport --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called once, first."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=SEND_HIGH_BYTES, low=SEND_LOW_BYTES)
        own_socket = transport.get_extra_info("socket")
        if own_socket is not None and own_socket.family == socket.AF_UNIX:
            # A whole frame leaves at once, before a commit that keeps the loop busy; TCP finds its
            # room by itself.
            own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Offer memory for the next bytes."""
        return self._reader.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Cut the bytes into messages."""
        if self.closed:
            return
        try:
            self._reader.received(nbytes)
        except FormatError as error:
            self._inbox.came()
            self._fail(f"the peer sent what is no message ({error})")
            return
        self._inbox.came()
        if self._inbox.is_full and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Half-closed links do not exist: the transport closes."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Called once, last."""
        reason = "the peer closed the link" if error is None else f"the link broke: {error}"
        if self._reader.in_message:
            reason += ", inside a message"
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._transport = None
        self._inbox.end(reason)
        self._drainers.wake()

    def pause_writing(self) -> None:
        """Called when much is queued."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Called when little is queued."""
        self._write_paused = False
        self._drainers.wake()

    def _open_transport(self) -> asyncio.Transport:
        if self._inbox.end_reason is not None:
            raise LinkClosed(self._inbox.end_reason)
        assert self._transport is not None, "used before it was open"
        return self._transport

    def _fail(self, reason: str) -> None:
        self._inbox.end(reason)
        self._drainers.wake()
        if self._transport is not None:
            self._transport.abort()

    def _resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
