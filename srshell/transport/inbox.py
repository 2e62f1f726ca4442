"""Messages that arrived and were not yet received, and tasks that wait for room.

Always true:

(1) Messages leave in the order in which they came.
(2) ``is_full`` turns on above `FULL_BYTES` and off below half of it; whoever fills the box looks at
    it, and is called back when it turns off.
(3) After `end` nothing is added; after `close` nothing is left either.
(4) ``hear`` is asked about a message only while none waits: the order stays.  What it took is
    followed by a call of ``told``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from srshell.transport.link import Hear, LinkClosed, Received, nothing

FULL_BYTES: Final = 8 * 1024 * 1024
#: What a message costs beside its payload.
MESSAGE_BYTES: Final = 512


@attrs.define(eq=False)
class Inbox:
    """The receiving end of a link; one task at a time waits for it."""

    #: Called when a full box has room again.
    on_room: Callable[[], None] = attrs.field(default=lambda: None)
    #: Takes messages as they come, if it says so; see `Link.hear_by`.
    hear: Hear | None = None
    #: Called when all that came together was told; see `Link.hear_by`.
    told: Callable[[], None] = nothing
    #: Why no more will come; None while more may.
    end_reason: str | None = None
    is_full: bool = False
    bytes_waiting: int = 0
    _messages: deque[Received] = attrs.field(factory=deque)
    _waiter: asyncio.Future[None] | None = None
    #: Whether ``hear`` took a message since ``told`` was called.
    _heard: bool = False

    def put(self, received: Received) -> None:
        """Add a message that arrived; dropped if the box has ended."""
        if self.end_reason is not None:
            return
        if self.hear is not None and not self._messages and self.hear(*received):
            self._heard = True
            return
        self._messages.append(received)
        self.bytes_waiting += len(received[1]) + MESSAGE_BYTES
        if self.bytes_waiting > FULL_BYTES:
            self.is_full = True
        self._wake()

    def came(self) -> None:
        """Say that everything that came together was put."""
        if self._heard:
            self._heard = False
            self.told()

    def end(self, reason: str) -> None:
        """Say that no more will come; the first reason is kept."""
        if self.end_reason is None:
            self.end_reason = reason
            self._wake()

    def close(self, reason: str) -> None:
        """End, and drop what nobody received."""
        self.end(reason)
        self._messages.clear()
        self.bytes_waiting = 0

    async def get(self) -> Received:
        """Return the next message; raises `LinkClosed` when the box is empty and has ended."""
        while not self._messages:
            if self.end_reason is not None:
                raise LinkClosed(self.end_reason)
            assert self._waiter is None, "two tasks receive from one link"
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._take()

    def get_nowait(self) -> Received | None:
        """Return a message that is here already; None if there is none."""
        return self._take() if self._messages else None

    def _take(self) -> Received:
        received = self._messages.popleft()
        self.bytes_waiting -= len(received[1]) + MESSAGE_BYTES
        if self.is_full and self.bytes_waiting < FULL_BYTES // 2:
            self.is_full = False
            self.on_room()
        return received

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@attrs.define(eq=False)
class Waiters:
    """Tasks that wait until something they all watch may have changed."""

    _futures: list[asyncio.Future[None]] = attrs.field(factory=list)

    async def wait(self) -> None:
        """Wait for the next `wake`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        await future

    def wake(self) -> None:
        """Let all of them look again."""
        futures, self._futures = self._futures, []
        for future in futures:
            if not future.done():
                future.set_result(None)
