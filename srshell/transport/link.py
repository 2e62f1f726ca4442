"""What a link is, whatever carries it.

Always true, over sockets, in one process and in the simulator:

(1) Messages arrive in the order in which they were sent, each once, or the link closes.
(2) A link that closed never opens again; a new one is another link.
(3) Memory is bounded: a receiver that falls behind stops its peer, and a peer that never reads
    loses the link.
(4) A payload belongs to its receiver.  A sender's buffers must not change any more: the system may
    still be reading them after `Link.send` returned.
(5) Failures of the network are `LinkClosed`; there is no `OSError` above this room.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

from srshell.codec.checksum import Buffer
from srshell.codec.messages import Message

#: A message and its payload; without one the payload is ``b""``.
Received: TypeAlias = tuple[Message, bytes | memoryview]
#: Is told of a message in the moment in which it comes; False leaves it to `Link.receive`.
Hear: TypeAlias = Callable[[Message, "bytes | memoryview"], bool]


def nothing() -> None:
    """Do nothing: for who need not be told."""


class LinkClosed(Exception):
    """The link is gone; what was sent and not answered may or may not have arrived."""

    def __init__(self, reason: str) -> None:
        """Keep ``reason``, a sentence without a full stop."""
        super().__init__(reason)
        self.reason = reason


class LinkRefused(LinkClosed):
    """There was no link in the first place: nobody listens, or the address is not allowed."""


class Link(Protocol):
    """An ordered, bounded exchange of messages with one peer.  One task at a time receives."""

    @property
    def closed(self) -> bool:
        """Whether it closed, here or there.  Messages that came before can still be received."""
        ...

    @property
    def peer_name(self) -> str:
        """Who is at the other end, for people."""
        ...

    def send(self, message: Message, payload: Sequence[Buffer] = ()) -> None:
        """Queue a message; never waits.  Raises `LinkClosed`.

        A message above the limits raises `srshell.codec.errors.FormatError`.
        """
        ...

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was sent.  Raises `LinkClosed`."""
        ...

    async def receive(self) -> Received:
        """Return the next message.  Raises `LinkClosed` once all that arrived were returned."""
        ...

    def receive_nowait(self) -> Received | None:
        """Return a message that has arrived already; None if there is none."""
        ...

    def hear_by(self, hear: Hear, told: Callable[[], None] = nothing) -> None:
        """Tell ``hear`` of every message that comes when none waits to be received.

        That saves a task's wake-up.  ``told`` is called once everything that came together was
        told.  Neither raises anything, and a link may never call them.
        """
        ...

    def close(self) -> None:
        """Send what is queued, then close; messages not yet received are dropped."""
        ...


#: Called with each link that a peer opens; a failure of it closes the link.
Accept: TypeAlias = Callable[[Link], Coroutine[Any, Any, None]]


class Listener(Protocol):
    """A place where peers connect."""

    @property
    def address(self) -> str:
        """Where it listens; the port is the real one."""
        ...

    def close(self) -> None:
        """Accept no more; links already open stay open."""
        ...


class Network(Protocol):
    """Opens links and accepts them; addresses are ``unix:/path`` or ``tcp:host:port``."""

    async def connect(self, address: str) -> Link:
        """Open a link.  Raises `LinkRefused`."""
        ...

    async def listen(self, address: str, accept: Accept) -> Listener:
        """Accept links.  Raises `LinkRefused` if the address cannot be had."""
        ...
