"""Links inside one process, without sockets.

Always true: what is sent is there at once, in order; the payload is copied, so that each side owns
its own, and messages are immutable.  What a socket would refuse is refused here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from srshell.codec.checksum import Buffer
from srshell.codec.messages import Message, encode_message
from srshell.transport.inbox import Inbox, Waiters
from srshell.transport.link import Accept, Hear, LinkClosed, LinkRefused, Received, nothing


class LoopbackLink:
    """One end of a pair; see `Link`."""

    def __init__(self, peer_name: str) -> None:
        """Not connected yet; see `loopback_pair`."""
        self.peer_name = peer_name
        self.inbox = Inbox()
        self.peer: LoopbackLink = self
        self.drainers = Waiters()

    @property
    def closed(self) -> bool:
        """Whether it closed, here or there."""
        return self.inbox.end_reason is not None

    def send(self, message: Message, payload: Sequence[Buffer] = ()) -> None:
        """Put a message into the peer's inbox."""
        self._check_open()
        encode_message(message, payload)
        self.peer.inbox.put((message, b"".join(payload)))

    async def drain(self) -> None:
        """Wait until the peer's inbox has room."""
        self._check_open()
        while self.peer.inbox.is_full:
            await self.drainers.wait()
            self._check_open()

    async def receive(self) -> Received:
        """Return the next message."""
        return await self.inbox.get()

    def receive_nowait(self) -> Received | None:
        """Return a message that is here already."""
        return self.inbox.get_nowait()

    def hear_by(self, hear: Hear, told: Callable[[], None] = nothing) -> None:
        """Leave all to `receive`: what the peer sends would be heard within its own call."""

    def close(self) -> None:
        """Close both ends; the peer still receives what was sent."""
        self.inbox.close("the link was closed here")
        self.peer.inbox.end("the peer closed the link")
        self.drainers.wake()
        self.peer.drainers.wake()

    def _check_open(self) -> None:
        if self.inbox.end_reason is not None:
            raise LinkClosed(self.inbox.end_reason)


def loopback_pair(left: str = "left", right: str = "right") -> tuple[LoopbackLink, LoopbackLink]:
    """Return two connected ends; the first belongs to ``left`` and names ``right`` as its peer."""
    first, second = LoopbackLink(right), LoopbackLink(left)
    first.peer, second.peer = second, first
    first.inbox.on_room, second.inbox.on_room = second.drainers.wake, first.drainers.wake
    return first, second


class LoopbackNetwork:
    """`Network` inside one process; any text is an address."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._accepts: dict[str, Accept] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, address: str) -> LoopbackLink:
        """Open a link; raises `LinkRefused` if nobody listens there."""
        accept = self._accepts.get(address)
        if accept is None:
            raise LinkRefused(f"nobody listens at {address}")
        ours, theirs = loopback_pair("client", address)
        task = asyncio.get_running_loop().create_task(_run(accept, theirs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ours

    async def listen(self, address: str, accept: Accept) -> LoopbackListener:
        """Accept links; raises `LinkRefused` if somebody listens there."""
        if address in self._accepts:
            raise LinkRefused(f"{address} is in use")
        self._accepts[address] = accept
        return LoopbackListener(address, self._accepts)


class LoopbackListener:
    """A name at which links are accepted."""

    def __init__(self, address: str, accepts: dict[str, Accept]) -> None:
        """Listen until closed."""
        self.address = address
        self._accepts = accepts

    def close(self) -> None:
        """Accept no more."""
        with suppress(KeyError):
            del self._accepts[self.address]


async def _run(accept: Accept, link: LoopbackLink) -> None:
    try:
        await accept(link)
    except LinkClosed:
        link.close()
    except BaseException:
        link.close()
        raise
