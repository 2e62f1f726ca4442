"""Both ends of a simulated link, and the way of the bytes between them.

Always true:

(1) What leaves a wire left it in the order in which it entered.
(2) While the way is cut, or the receiver is full, everything waits where it is.
(3) A message is encoded when it is sent and decoded from its bytes when they have all arrived.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from random import Random
from typing import Final, Protocol, TypeAlias

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.errors import FormatError
from srshell.codec.messages import Message, encode_message
from srshell.simulation.loop import SimLoop
from srshell.simulation.process import ProcessKilled, SimProcess
from srshell.transport.framing import MessageReader
from srshell.transport.inbox import Inbox, Waiters
from srshell.transport.link import Hear, LinkClosed, Received, nothing
from srshell.transport.stream_link import SEND_BYTES_MAX, SEND_HIGH_BYTES, SEND_LOW_BYTES

CLOSED: Final = "the peer closed the link"
RESET: Final = "the link broke: connection reset by peer"


class Ether(Protocol):
    """What a wire needs of its network."""

    loop: SimLoop
    random: Random
    #: One message in so many arrives in two pieces.
    split_one_in: int

    def is_cut(self, source: str, target: str) -> bool:
        """Say whether nothing passes from one host to the other now."""
        ...

    def delay(self, source: str, target: str) -> float:
        """Draw the delay of one message (seconds)."""
        ...


@attrs.frozen
class _End:
    """The last thing on a wire: why it ends."""

    reason: str


_Item: TypeAlias = bytes | _End


@attrs.define(eq=False)
class Wire:
    """One direction of a link."""

    network: Ether
    source: SimLink
    target: SimLink
    bytes_under_way: int = 0
    _items: deque[_Item] = attrs.field(factory=deque)
    #: Arrivals that found the way cut or the receiver full.
    _waiting: int = 0
    _last_arrival_time: float = 0.0

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._items

    def push(self, item: _Item) -> None:
        """Put something on its way."""
        loop = self.network.loop
        self._items.append(item)
        if isinstance(item, bytes):
            self.bytes_under_way += len(item)
        delay = self.network.delay(self.source.host, self.target.host)
        self._last_arrival_time = max(self._last_arrival_time, loop.time() + delay)
        loop.call_at(self._last_arrival_time, self._arrive, context=loop.world)

    def let_go(self) -> None:
        """Let what waited arrive, if it can now."""
        waiting, self._waiting = self._waiting, 0
        loop = self.network.loop
        for _ in range(waiting):
            delay = self.network.delay(self.source.host, self.target.host)
            loop.call_later(delay, self._arrive, context=loop.world)

    def lose(self, kept: int = 0) -> None:
        """Lose everything but the first ``kept`` items."""
        while len(self._items) > kept:
            item = self._items.pop()
            if isinstance(item, bytes):
                self.bytes_under_way -= len(item)

    def lose_tail(self) -> None:
        """Lose a random number of the last items."""
        if self._items:
            self.lose(self.network.random.randrange(len(self._items) + 1))

    def _arrive(self) -> None:
        if not self._items:
            return
        if self.network.is_cut(self.source.host, self.target.host):
            self._waiting += 1
            return
        if self.target.vanished:
            self.lose()
            self.source.end(RESET)
            return
        if isinstance(self._items[0], bytes) and self.target.inbox.is_full:
            self._waiting += 1
            return
        item = self._items.popleft()
        if isinstance(item, _End):
            self.target.end(item.reason)
            return
        self.bytes_under_way -= len(item)
        self.network.loop.record("wire", self.source.host, self.target.host, len(item))
        self.target.feed(item)
        if self.bytes_under_way <= SEND_LOW_BYTES:
            self.source.drainers.wake()


class SimLink:
    """One end; see `Link`."""

    def __init__(
        self, network: Ether, host: str, peer_name: str, process: SimProcess | None
    ) -> None:
        """Not connected yet; see `join`."""
        self.host = host
        self.peer_name = peer_name
        self.process = process
        self.inbox = Inbox(on_room=self._on_room)
        self.drainers = Waiters()
        #: Its host lost power: nobody is there to answer.
        self.vanished = False
        self.peer: SimLink = self
        self.wire = Wire(network, self, self)
        self._network = network
        self._reader = MessageReader(self.inbox.put)

    def join(self, peer: SimLink) -> None:
        """Connect two ends."""
        for end, other in ((self, peer), (peer, self)):
            end.peer = other
            end.wire = Wire(self._network, end, other)
            if end.process is not None:
                end.process.at_death(end.die)

    # --- Link -----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it closed, here or there."""
        return self.inbox.end_reason is not None

    def send(self, message: Message, payload: Sequence[Buffer] = ()) -> None:
        """Put a message on its way; see `Link.send`."""
        self._check_open()
        data = b"".join(encode_message(message, payload))
        self._network.loop.reached(f"wire: {type(message).__name__}")
        random = self._network.random
        if random.randrange(self._network.split_one_in) == 0:
            cut = random.randrange(1, len(data))
            self.wire.push(data[:cut])
            data = data[cut:]
        self.wire.push(data)
        if self.wire.bytes_under_way > SEND_BYTES_MAX:
            self.wire.lose()
            self.wire.push(_End(RESET))
            self.end(f"the peer left {SEND_BYTES_MAX} bytes unread")

    async def drain(self) -> None:
        """Wait until little is under way; see `Link.drain`."""
        self._check_open()
        while self.wire.bytes_under_way > SEND_HIGH_BYTES:
            await self.drainers.wait()
            self._check_open()

    async def receive(self) -> Received:
        """Return the next message; see `Link.receive`."""
        return await self.inbox.get()

    def receive_nowait(self) -> Received | None:
        """Return a message that is here already."""
        return self.inbox.get_nowait()

    def hear_by(self, hear: Hear, told: Callable[[], None] = nothing) -> None:
        """Tell ``hear``, in its own process; see `Link.hear_by`."""
        context, process, loop = copy_context(), self.process, self._network.loop

        def tell(message: Message, payload: bytes | memoryview) -> bool:
            if process is not None and loop.is_frozen(process):
                return False
            try:
                return context.run(hear, message, payload)
            except ProcessKilled:
                return True

        def tell_end() -> None:
            if process is not None and not process.alive:
                return
            if process is not None and loop.is_frozen(process):
                loop.call_soon(told, context=context)
                return
            with suppress(ProcessKilled):
                context.run(told)

        self.inbox.hear, self.inbox.told = tell, tell_end

    def close(self) -> None:
        """Send what is under way, then close; see `Link.close`."""
        if self.process is not None and not self.process.alive:
            return
        if not self.closed:
            self.wire.push(_End(CLOSED))
        self._leave("the link was closed here")

    # --- the world ------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether nothing can happen on it any more."""
        return self.closed and self.peer.closed and self.wire.idle and self.peer.wire.idle

    def feed(self, data: bytes) -> None:
        """Take bytes that arrived."""
        if self.closed:
            return
        position = 0
        try:
            while position < len(data):
                buffer = self._reader.buffer()
                count = min(len(buffer), len(data) - position)
                buffer[:count] = data[position : position + count]
                self._reader.received(count)
                position += count
            self.inbox.came()
        except FormatError as error:
            self.inbox.came()
            self.wire.push(_End(RESET))
            self.end(f"the peer sent what is no message ({error})")

    def end(self, reason: str) -> None:
        """Learn that no more will come; what arrived can still be received."""
        self.inbox.end(reason)
        self.drainers.wake()
        if self.process is not None:
            self.process.forget_at_death(self.die)

    def die(self) -> None:
        """Close it as the kernel does when the process is killed: the last bytes may be lost."""
        if self.closed:
            return
        self.wire.lose_tail()
        self.wire.push(_End(self._network.random.choice((CLOSED, RESET))))
        self._leave("the process was killed")

    def vanish(self) -> None:
        """Lose power: not even the close is sent."""
        self.vanished = True
        self.wire.lose()
        self._leave("the host lost power")

    def break_off(self) -> None:
        """Break both directions; what is under way is lost."""
        self.wire.lose()
        self.end(RESET)

    def _leave(self, reason: str) -> None:
        self.inbox.close(reason)
        self.end(reason)

    def _on_room(self) -> None:
        self.peer.wire.let_go()

    def _check_open(self) -> None:
        if self.process is not None and not self.process.alive:
            raise ProcessKilled
        if self.inbox.end_reason is not None:
            raise LinkClosed(self.inbox.end_reason)
