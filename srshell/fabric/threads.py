"""Threads and loops: how blocking calls wait beside a loop, and how a loop lives beside a prompt.

Always true:

(1) Threads made here are daemons: no wait keeps a process from ending.
(2) Who stops waiting for a call gets back at once; what wakes the call is called for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(
    function: Callable[[], ResultT], wake: Callable[[], None] | None = None
) -> ResultT:
    """Run a blocking function in a thread of its own and wait for it.

    Args:
        function: what to run.
        wake: makes the function return early; called when the waiting is cancelled.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[ResultT] = loop.create_future()

    def settle(result: ResultT | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # noqa: BLE001 - handed to the one who waits
            error = raised
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="srshell-call", daemon=True).start()
    try:
        return await future
    except asyncio.CancelledError:
        if wake is not None:
            wake()
        raise


class LoopThread:
    """An event loop in a thread of its own, for those who cannot await."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="srshell-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine on the loop and wait for it; an interrupt cancels it there."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5.0)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
