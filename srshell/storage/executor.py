"""Threads for one device, tuned for `loop.run_in_executor`.

Always true:

(1) A device has its own few threads: a hung disk stops its own jobs and nobody else's.
(2) Jobs start in the order in which they were submitted.
(3) A submitted job runs, whatever becomes of the task that waits for it.
(4) Results that are ready together wake the event loop once.

`submit` returns a future of the running loop, which `run_in_executor` passes on as it is.  That
saves a second future with its lock and callbacks.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeAlias, TypeVar

import attrs

T = TypeVar("T")
P = ParamSpec("P")

_Job: TypeAlias = tuple["_Outbox", "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
_Result: TypeAlias = tuple["asyncio.Future[Any]", Any, BaseException | None]


@attrs.define(eq=False)
class _Outbox:
    """Results on their way from the threads to one event loop."""

    loop: asyncio.AbstractEventLoop
    results: deque[_Result] = attrs.field(factory=deque)
    #: A wake-up is on its way; set by threads, cleared by the loop before it empties the box.
    ringing: bool = False

    def put(self, result: _Result) -> None:
        """Called by a thread.  Two threads may both ring: one time too many, never too few."""
        self.results.append(result)
        if not self.ringing:
            self.ringing = True
            try:
                self.loop.call_soon_threadsafe(self.deliver)
            except RuntimeError:
                # The loop is closed, so nobody waits; the job itself is done.
                self.results.clear()

    def deliver(self) -> None:
        """Called by the loop."""
        self.ringing = False
        results = self.results
        while results:
            future, value, error = results.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


class DeviceExecutor(Executor):
    """At most ``threads`` threads that serve one device.

    ``submit`` must be called where an event loop runs, as `run_in_executor` does.
    """

    def __init__(self, threads: int = 1, name: str = "device") -> None:
        """Start nothing yet: threads start with the first job."""
        assert threads >= 1, threads
        self.threads = threads
        self.name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._outbox: _Outbox | None = None
        self._shut_down = False

    def submit(  # type: ignore[override]
        self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue a job; the future belongs to the running loop."""
        assert not kwargs, "run_in_executor passes positional arguments only"
        if self._shut_down:
            raise RuntimeError(f"the threads of {self.name} are shut down")
        loop = asyncio.get_running_loop()
        outbox = self._outbox
        if outbox is None or outbox.loop is not loop:
            outbox = self._outbox = _Outbox(loop)
        if len(self._workers) < self.threads:
            self._start_worker()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((outbox, future, call, args))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; those already submitted run to their end, and are waited for."""
        if not self._shut_down:
            self._shut_down = True
            for _ in self._workers:
                self._jobs.put(None)
        if wait:
            for worker in self._workers:
                worker.join()

    def _start_worker(self) -> None:
        # A daemon: a disk that never answers must not keep the process from ending.
        worker = threading.Thread(
            target=_work, args=(self._jobs,), name=f"{self.name}-{len(self._workers)}", daemon=True
        )
        self._workers.append(worker)
        worker.start()


def _work(jobs: SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        outbox, future, call, args = job
        try:
            result: _Result = (future, call(*args), None)
        except BaseException as error:  # noqa: BLE001  (whatever it is belongs to the waiter)
            result = (future, None, error)
        outbox.put(result)
        # Hold no buffer while waiting for the next job.
        del job, outbox, future, call, args, result


class DirectExecutor(Executor):
    """Runs each job at once, in the loop's own thread.

    For a dedicated site process only: the loop answers nobody while the disk works, and saves two
    thread switches for each commit.
    """

    threads = 1

    def __init__(self, name: str = "direct") -> None:
        """Nothing to start."""
        self.name = name

    def submit(  # type: ignore[override]
        self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Do the job; the future is done already."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (it belongs to the waiter)
            future.set_exception(error)
        return future
