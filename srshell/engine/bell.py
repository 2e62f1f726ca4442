"""What tasks of the engine wait on: a bell of one task that others ring, and a signal to many.

Always true: a ring is kept until `clear`; one that comes between a look and a wait is not missed.
An `asyncio.Event` does the same for any number of tasks, and costs several times as much.
"""

from __future__ import annotations

import asyncio


class Bell:
    """Rung by anybody, waited for by one task."""

    __slots__ = ("_rung", "_waiter")

    def __init__(self) -> None:
        """Nobody rang yet."""
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake whoever waits, or the next one at once."""
        self._rung = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def clear(self) -> None:
        """Forget what was rung so far."""
        self._rung = False

    async def wait(self) -> None:
        """Wait until it was rung since `clear`."""
        if self._rung:
            return
        assert self._waiter is None, "two tasks wait for one bell"
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Signal:
    """Lets tasks wait for the next time that something moved; free when nobody waits."""

    def __init__(self) -> None:
        """Nobody waits yet."""
        self._waiters: list[asyncio.Future[None]] = []

    async def wait(self) -> None:
        """Wait for the next `wake`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def wake(self) -> None:
        """Wake everybody who waits now."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
