"""A process that can be killed at any moment.

Always true:

(1) Whatever a task of the process starts belongs to the process: `CURRENT_PROCESS` is inherited.
(2) After `SimProcess.kill` no task of it takes another step, and nothing it calls has an effect:
    files raise `ProcessKilled`, links drop what they are given, jobs are not accepted.
(3) A job that was pending at the kill happened completely, in part or not at all.
(4) Dead tasks are kept, not collected: no ``finally`` runs at a moment the seed did not choose.

    alive --kill--> dying (pending jobs are decided) --> dead
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from random import Random
from typing import Any, Final, Protocol, TypeVar

import attrs

T = TypeVar("T")

_TASKS_BEFORE_PRUNING: Final = 64


class ProcessKilled(BaseException):
    """The code that receives this belongs to a process that is dead; nothing may catch it."""


class LifeState(enum.Enum):
    """How much a process may still do."""

    ALIVE = "its tasks run and its input and output count"
    DYING = "its tasks have stopped; what the kernel had in hand is being decided"
    DEAD = "nothing of it has an effect any more"


class Job(Protocol):
    """Something the kernel does for a process."""

    def finish_without_process(self) -> None:
        """Take effect now; nobody waits for the result."""
        ...


@attrs.define(eq=False)
class SimProcess:
    """One site process, or any other; made by `SimLoop.process`."""

    name: str
    _loop: asyncio.AbstractEventLoop = attrs.field(repr=False)
    _random: Random = attrs.field(repr=False)
    state: LifeState = LifeState.ALIVE
    #: Operations that a dying process may still do before `ProcessKilled`.
    operations_left: int = attrs.field(default=0, init=False, repr=False)
    tasks: list[asyncio.Task[Any]] = attrs.field(factory=list, init=False, repr=False)
    #: Events that wait for the end of a freeze; for the loop.
    parked: list[asyncio.Handle] = attrs.field(factory=list, init=False, repr=False)
    #: Jobs that have had no effect yet, in order of submission.
    jobs: dict[Job, None] = attrs.field(factory=dict, init=False, repr=False)
    _at_death: dict[Callable[[], None], None] = attrs.field(factory=dict, init=False, repr=False)
    _tasks_max: int = attrs.field(default=_TASKS_BEFORE_PRUNING, init=False, repr=False)

    @property
    def alive(self) -> bool:
        """Whether its tasks run."""
        return self.state is LifeState.ALIVE

    def start(self, work: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """Run a coroutine as a task of this process."""
        assert self.alive, self
        context = copy_context()
        context.run(CURRENT_PROCESS.set, self)
        return self._loop.create_task(work, name=name, context=context)

    def add_task(self, task: asyncio.Task[Any]) -> None:
        """Remember a task of this process; for the loop."""
        self.tasks.append(task)
        if len(self.tasks) > self._tasks_max:
            self.tasks = [task for task in self.tasks if not task.done()]
            self._tasks_max = max(_TASKS_BEFORE_PRUNING, 2 * len(self.tasks))

    def at_death(self, call: Callable[[], None]) -> None:
        """Call this when the process is killed: the kernel closes what the process had open."""
        self._at_death[call] = None

    def forget_at_death(self, call: Callable[[], None]) -> None:
        """The process closed it itself."""
        self._at_death.pop(call, None)

    def kill(self) -> None:
        """End it as SIGKILL does; a second call does nothing."""
        if not self.alive:
            return
        self.state = LifeState.DYING
        for job in list(self.jobs):
            fate = self._random.randrange(3)
            # Never, wholly, or up to one of its first operations.
            self.operations_left = (0, 1 << 60, self._random.randrange(8))[fate]
            if self.operations_left and job in self.jobs:
                job.finish_without_process()
        self.jobs.clear()
        self.state = LifeState.DEAD
        for call in list(self._at_death):
            call()
        self._at_death.clear()


#: The process to which the running code belongs; None outside of all.
CURRENT_PROCESS: Final[ContextVar[SimProcess | None]] = ContextVar("CURRENT_PROCESS", default=None)
