"""Futures, tasks and timers of the simulated loop: each has a number, none depends on an address.

Always true: sets of them have the same order in every run.
"""

# ruff: noqa: SLF001  (a loop is the other half of asyncio's own handles and tasks)

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any

from srshell.simulation.process import CURRENT_PROCESS, LifeState

if TYPE_CHECKING:
    from srshell.simulation.loop import SimLoop


class SimFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    __slots__ = ("number",)

    #: Given by the loop: a constructor of our own would cost more than the rest.
    number: int

    def __hash__(self) -> int:
        return self.number


class SimTimer(asyncio.TimerHandle):
    """A timer of this loop; the base class knows how to cancel it."""

    __slots__ = ()

    _scheduled: bool


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    __slots__ = ("_number", "context")

    _log_destroy_pending: bool
    _log_traceback: bool

    def __init__(self, work: Any, loop: SimLoop, context: Context, **options: Any) -> None:  # noqa: ANN401
        """Take the next number."""
        # The base class puts itself into a set.
        self._number = loop.next_number()
        self.context = context
        super().__init__(work, loop=loop, context=context, **options)

    def __hash__(self) -> int:
        return self._number


def is_dead(context: Context) -> bool:
    """Say whether the process that a context belongs to has ended."""
    process = context.get(CURRENT_PROCESS)
    return process is not None and process.state is not LifeState.ALIVE


def drop(task: SimTask) -> None:
    """Close a task's coroutine, so that its end is here and not wherever memory is collected."""
    task._log_destroy_pending = False
    work = task.get_coro()
    if isinstance(work, Coroutine):
        with suppress(BaseException):
            task.context.run(work.close)


def where(task: SimTask) -> str:
    """Say at which line a task waits."""
    frames = task.get_stack()
    place = " < ".join(f"{frame.f_code.co_name}:{frame.f_lineno}" for frame in reversed(frames))
    return f"{task.get_name()} at {place or '?'}"
