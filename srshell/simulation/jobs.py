"""What an executor would do: one call, with its effect at one moment and its end at a later one.

Always true:

(1) A job takes effect once, whether or not its process or its waiter still lives to see it.
(2) A job that hangs has done what came before the hang, and does only the rest when it goes on.

    submitted --take_effect--> effective --complete--> done
        |            '--JobHung--> hung --resume--> effective
        '--the process dies--> wholly, in part or not at all, then done
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, Protocol

import attrs

from srshell.simulation.process import ProcessKilled, SimProcess

#: Frames of these folders lie between the code that wants something and the job that does it.
_PLUMBING: Final = ("/srshell/storage/", "/srshell/simulation/", "/aiofiles/", "/asyncio/")


class JobHung(BaseException):
    """An operation does not come back; its job waits for `SimJob.resume`."""


class JobLoop(Protocol):
    """What a job needs of its loop."""

    current_job: SimJob | None

    def reached(self, name: str) -> None:
        """Count something rare."""
        ...

    def time(self) -> float:
        """Return virtual seconds since the start."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> object:
        """Call back at that moment."""
        ...


@attrs.define(eq=False)
class SimJob:
    """One call on its way through an executor."""

    loop: JobLoop
    process: SimProcess | None
    call: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: asyncio.Future[Any]
    #: When its waiter hears of it (virtual seconds); operations may push it back.
    end_time: float
    #: The function that wanted it, if the loop names call sites.
    site: str
    #: Results of the operations that it did, for the case that it hangs and is run again.
    results: list[Any] = attrs.field(factory=list, init=False)
    #: How many of them it has been given back.
    replayed: int = attrs.field(default=0, init=False)
    _value: Any = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Belong to the process until the effect."""
        if self.process is not None:
            self.process.jobs[self] = None

    def take_effect(self) -> None:
        """Do it, now; the waiter hears of it later."""
        if self.process is not None:
            self.process.jobs.pop(self, None)
        try:
            self._run()
        except (JobHung, ProcessKilled):
            return
        loop = self.loop
        loop.call_at(max(self.end_time, loop.time()), self._complete)

    def resume(self) -> None:
        """Do the rest of a job that hung, unless its process died meanwhile."""
        self.replayed = 0
        self.take_effect()

    def finish_without_process(self) -> None:
        """Do it, or a part of it, while the process dies."""
        try:
            self._run()
        except (JobHung, ProcessKilled):
            return

    def _run(self) -> None:
        outer, self.loop.current_job = self.loop.current_job, self
        try:
            self._value = self.call(*self.arguments)
        except Exception as error:  # noqa: BLE001  (whatever it is belongs to the waiter)
            self._error = error
        finally:
            self.loop.current_job = outer

    def _complete(self) -> None:
        future = self.future
        if future.done():
            self.loop.reached("disk: a job ends after its waiter was cancelled")
            return
        if self._error is None:
            future.set_result(self._value)
        else:
            future.set_exception(self._error)


def call_site() -> str:
    """Return the function that wants a job: the first caller that is not plumbing."""
    frame = sys._getframe(1)  # noqa: SLF001  (there is no other way to see a caller)
    while True:
        code: CodeType = frame.f_code
        if not any(folder in code.co_filename for folder in _PLUMBING):
            module = frame.f_globals.get("__name__", "?")
            return f"{module}.{code.co_qualname}"
        if frame.f_back is None:
            return "?"
        frame = frame.f_back
