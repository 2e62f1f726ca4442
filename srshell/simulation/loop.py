"""An asyncio event loop in which time passes only when nothing is left to do.

Always true:

(1) Nothing waits for the real clock, a real thread or a real socket.
(2) The same seed and the same code give the same order of events, in every run and every process:
    tasks and futures have hashes of their own, so that sets of them have one order.
(3) A job given to an executor happens at a moment between its submission and its end, drawn from
    the seed; jobs end in any order; a job happens even if nobody waits for it any more.
(4) When nothing is scheduled and the main task is not done, `Deadlock` is raised.
"""

# ruff: noqa: SLF001  (a loop is the other half of asyncio's own handles and tasks)

from __future__ import annotations

import asyncio
import hashlib
import heapq
import sys
import threading
from asyncio.base_events import BaseEventLoop
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from random import Random
from typing import Any, Final, TypeVar

from srshell.simulation.jobs import SimJob, call_site
from srshell.simulation.process import CURRENT_PROCESS, LifeState, ProcessKilled, SimProcess
from srshell.simulation.tasks import SimFuture, SimTask, SimTimer, drop, is_dead, where

T = TypeVar("T")

#: Virtual wall clock at the start of each run (Unix seconds).
WALL_START_SECONDS: Final = 1_700_000_000.0
_CANCELLED_TIMERS_MIN: Final = 100


class Deadlock(Exception):
    """Every task waits for another one; the text says where."""


class Runaway(Exception):
    """The limit of events was reached: something goes round in circles."""


class SimLoop(BaseEventLoop):
    """The loop; one seed, one history."""

    _ready: Any
    _scheduled: list[Any]
    _stopping: bool
    _thread_id: int | None
    _timer_cancelled_count: int

    def __init__(
        self,
        seed: int | str = 0,
        *,
        events_max: int | None = None,
        keep_trace: bool = False,
        name_call_sites: bool = False,
    ) -> None:
        """Start at time 0.

        ``events_max`` turns an endless run into `Runaway`.  ``keep_trace`` keeps the recorded lines
        beside their hash.  ``name_call_sites`` finds out which function wanted each job.
        """
        super().__init__()
        self.seed = seed
        self.events = 0
        self.events_max = events_max or sys.maxsize
        #: Virtual seconds that a job takes, from and to; short ones are the most frequent.
        self.job_seconds = (20e-6, 2e-3)
        self.name_call_sites = name_call_sites
        #: What went wrong in callbacks and in tasks that nobody waited for.
        self.errors: list[dict[str, Any]] = []
        self.trace: list[str] | None = [] if keep_trace else None
        #: The job whose effect is happening.
        self.current_job: SimJob | None = None
        #: The context of the world itself: no process, so it outlives them all.
        self.world = Context()
        self._now = 0.0
        self._number = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._random = self.random("loop")
        self._tasks: list[SimTask] = []
        self._tasks_max = 256
        #: Processes that are stopped, as by SIGSTOP.
        self._frozen: set[SimProcess] = set()
        #: How often each rare thing happened.
        self.probes: Counter[str] = Counter()
        #: Called after every event; what it raises ends the run.
        self.watch: Callable[[], None] | None = None

    # --- seed, time and trace -------------------------------------------------------------------

    def random(self, name: str) -> Random:
        """Return a stream of random numbers of its own: drawing from one never shifts another."""
        return Random(f"{self.seed}/{name}")

    def time(self) -> float:
        """Return virtual seconds since the start."""
        return self._now

    def wall_time(self) -> float:
        """Return virtual Unix seconds."""
        return WALL_START_SECONDS + self._now

    def record(self, *what: object) -> None:
        """Add a line to the trace: what happens, and when."""
        line = f"{self._now!r} {what!r}\n"
        self._hash.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    def trace_hash(self) -> str:
        """Return the hash of everything recorded and of the number of events so far."""
        current = self._hash.copy()
        current.update(f"{self._now!r} {self.events}".encode())
        return current.hexdigest()

    def next_number(self) -> int:
        """Return a number that no other object of this loop has."""
        self._number += 1
        return self._number

    def reached(self, name: str) -> None:
        """Count something that has to happen now and then, or a test is worth nothing."""
        self.probes[name] += 1

    # --- processes and tasks --------------------------------------------------------------------

    def process(self, name: str) -> SimProcess:
        """Start a process; a restarted one is a new process of the same name."""
        random = self.random(f"process {name} {self.next_number()}")
        return SimProcess(name, self, random)

    def freeze(self, process: SimProcess) -> None:
        """Stop a process where it is, as SIGSTOP does; what happens to it waits for `thaw`."""
        self._frozen.add(process)

    def thaw(self, process: SimProcess) -> None:
        """Let a process go on."""
        self._frozen.discard(process)
        parked, process.parked = process.parked, []
        self._ready.extend(parked)

    def is_frozen(self, process: SimProcess) -> bool:
        """Say whether a process is stopped."""
        return process in self._frozen

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        future = SimFuture(loop=self)
        self._number += 1
        future.number = self._number
        return future

    def create_task(  # type: ignore[override]
        self,
        coro: Any,  # noqa: ANN401
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,  # noqa: ANN401
    ) -> asyncio.Task[Any]:
        """Run a coroutine, in the process of its creator unless ``context`` says otherwise."""
        context = copy_context() if context is None else context
        task = SimTask(coro, self, context, name=name or f"task {self._number}", **options)
        self._tasks.append(task)
        if len(self._tasks) > self._tasks_max:
            self._tasks = [task for task in self._tasks if not task.done()]
            self._tasks_max = max(256, 2 * len(self._tasks))
        process = context.get(CURRENT_PROCESS)
        if process is not None:
            process.add_task(task)
        return task

    def pending_tasks(self) -> list[str]:
        """Say where every task waits, for people."""
        return [
            where(task) for task in self._tasks if not task.done() and not is_dead(task.context)
        ]

    # --- jobs -----------------------------------------------------------------------------------

    def run_in_executor(  # type: ignore[override]
        self,
        executor: Any,  # noqa: ANN401
        func: Callable[..., T],
        *args: Any,  # noqa: ANN401
    ) -> asyncio.Future[T]:
        """Let a job happen at a random moment before it is reported as done."""
        process = CURRENT_PROCESS.get()
        future = self.create_future()
        if process is not None and not process.alive:
            return future
        least, most = self.job_seconds
        seconds = least + (most - least) * self._random.random() ** 4
        site = call_site() if self.name_call_sites else ""
        job = SimJob(self, process, func, args, future, self._now + seconds, site)
        self.call_later(seconds * self._random.random(), job.take_effect)
        return future

    # --- the loop itself ------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call back in this moment, after everything that was asked for before."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at that moment; timers of one moment in the order in which they were set."""
        timer = SimTimer(when, callback, args, self, context)
        timer._scheduled = True
        self._number += 1
        heapq.heappush(self._scheduled, (when, self._number, timer))
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back so many virtual seconds from now."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As `call_soon`; a real thread has no place in the simulation."""
        assert self._thread_id in (None, threading.get_ident()), "a real thread calls"
        return self.call_soon(callback, *args, context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught, for the end of the run."""
        if not isinstance(context.get("exception"), ProcessKilled):
            self.errors.append(context)

    def raise_errors(self) -> None:
        """Raise the first thing that went wrong unseen, if any."""
        for context in self.errors:
            error = context.get("exception")
            raise error if error is not None else AssertionError(context["message"])
        for task in self._tasks:
            # The flag stands until somebody asks the task how it ended.
            if task._log_traceback and not is_dead(task.context):
                task.result()

    def _run_once(self) -> None:
        ready, watch = self._ready, self.watch
        if not ready and not self._stopping:
            self._advance()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            context = handle._context
            process = context.get(CURRENT_PROCESS)
            if process is not None:
                if process.state is not LifeState.ALIVE:
                    continue
                if process in self._frozen:
                    process.parked.append(handle)
                    continue
            self.events += 1
            try:
                context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except ProcessKilled:
                pass
            except BaseException as error:  # noqa: BLE001  (the loop outlives its callbacks)
                self.call_exception_handler(
                    {"message": f"in {handle._callback!r}", "exception": error}
                )
            if watch is not None:
                watch()
        if self.events >= self.events_max:
            raise Runaway(f"{self.events} events, {self._now:.6f} virtual seconds")

    def _advance(self) -> None:
        """Go to the moment of the next timer that counts."""
        timers = self._scheduled
        if (
            self._timer_cancelled_count > _CANCELLED_TIMERS_MIN
            and self._timer_cancelled_count * 2 > len(timers)
        ):
            timers = self._scheduled = [entry for entry in timers if not entry[2]._cancelled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        ready = self._ready
        while timers and (not ready or timers[0][0] <= self._now):
            when, _, timer = heapq.heappop(timers)
            timer._scheduled = False
            if timer._cancelled:
                self._timer_cancelled_count -= 1
            elif not is_dead(timer._context):
                self._now = max(self._now, when)
                ready.append(timer)
        if not ready:
            waiting = "\n  ".join(self.pending_tasks())
            raise Deadlock(f"nothing is scheduled at {self._now:.6f} s\n  {waiting}")

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def close(self) -> None:
        """End the world: every process dies, every task is dropped where it stands."""
        if self.is_closed():
            return
        pending = [task for task in self._tasks if not task.done()]
        for task in pending:
            process = task.context.get(CURRENT_PROCESS)
            if process is not None:
                process.state = LifeState.DEAD
        for task in pending:
            drop(task)
        super().close()


def run_simulated(
    main: Callable[[SimLoop], Coroutine[Any, Any, T]],
    seed: int | str = 0,
    **options: Any,  # noqa: ANN401
) -> T:
    """Run ``main`` in a world of its own, and fail if anything failed unseen.

    ``options`` are those of `SimLoop`.  Raises what ``main`` raises, `Deadlock`, or `Runaway`.
    """
    loop = SimLoop(seed, **options)
    try:
        result = loop.run_until_complete(main(loop))
        loop.raise_errors()
        return result
    finally:
        loop.close()
