"""Threads and loops: how blocking calls wait beside a loop, and how a loop lives beside a prompt.

Always true:

(1) Threads made here are daemons: no wait keeps a process from ending.
(2) Who stops waiting for a call gets back at once; what wakes the call is called for.
(3) A result is either taken by the one who waits or handed to ``late``: none is lost.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


async def in_thread(
    function: Callable[[], ResultT],
    wake: Callable[[], None] | None = None,
    late: Callable[[Future[ResultT]], None] | None = None,
) -> ResultT:
    """Run a blocking function in a thread of its own and wait for it.

    Args:
        function: what to run.
        wake: makes the function return early; called when the waiting is cancelled.
        late: is handed the outcome that nobody waits for any more, to release what it holds.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()
    outcome: Future[ResultT] = Future()

    def settle() -> None:
        if not waiting.done():
            waiting.set_result(None)
        elif late is not None:
            late(outcome)

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            outcome.set_exception(error)
        try:
            loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop was closed meanwhile
            if late is not None:
                late(outcome)

    threading.Thread(target=run, name="srshell-call", daemon=True).start()
    try:
        await waiting
    except asyncio.CancelledError:
        if wake is not None:
            wake()
        if outcome.done() and not waiting.cancelled() and late is not None:
            late(outcome)  # it came in the very turn in which the waiting was cancelled
        raise
    return outcome.result()


class LoopThread:
    """An event loop in a thread of its own, for those who cannot await."""

    def __init__(self) -> None:
        # Made in its thread, where no interrupt hits: one that is half made complains for ever.
        made: Future[asyncio.AbstractEventLoop] = Future()
        serve = partial(self._serve, made)
        self._thread = threading.Thread(target=serve, name="srshell-loop", daemon=True)
        self._thread.start()
        self._loop = made.result()

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

    @staticmethod
    def _serve(made: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            loop = asyncio.new_event_loop()
        except OSError as error:  # no descriptors are left
            made.set_exception(error)
            return
        asyncio.set_event_loop(loop)
        made.set_result(loop)
        try:
            loop.run_forever()
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
