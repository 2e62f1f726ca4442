"""Jobs: changes under way, how far they are, and what became of them.

Always true:

(1) A job is in the catalogue from before its work begins until long after it has ended.
(2) Its work runs in a task of its own; who waits for it may go away.
(3) Cancelling asks: the work stops at its next checkpoint, and never between a demotion and the
    promotion that follows it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import attrs

from srshell.fabric.catalogue import Catalogue
from srshell.fabric.clock import Clock
from srshell.fabric.job_report import has_ended
from srshell.fabric.pulse import Pulse
from srshell.model.errors import SrError
from srshell.model.identity import unknown
from srshell.model.inventory import Job, JobState, Step, StepState
from srshell.model.report import StepRow, encode

LOG = logging.getLogger(__name__)

#: The work of a job: takes its handle, returns the report that is the job's result.
Work = Callable[["JobHandle"], Awaitable[object]]


class JobHandle:
    """What the work of a job says of itself."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs = jobs
        self._cancelled = asyncio.Event()
        self.job = job
        self.protected = False  # no checkpoint stops the work while this is set

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Mark a step as begun, then as done; it stays begun when it fails."""
        self._set_step(name, StepState.BEGUN)
        yield
        self._set_step(name, StepState.DONE)

    def mark(self, name: str, state: StepState) -> None:
        """Set the state of a step."""
        self._set_step(name, state)

    def progress(self, done_bytes: int, total_bytes: int) -> None:
        """Say how far the work is; kept in memory until the next step."""
        if (done_bytes, total_bytes) == (self.job.done_bytes, self.job.total_bytes):
            return  # saying nothing new must not wake those who wait for news: this one among them
        job = attrs.evolve(self.job, done_bytes=done_bytes, total_bytes=total_bytes)
        if job != self.job:
            self.job = job
            self._jobs.note(job, durable=False)

    def checkpoint(self) -> None:
        """Stop here if somebody asked to.

        Raises:
            SrError: SR0107, the job was cancelled.
        """
        if self._cancelled.is_set() and not self.protected:
            raise SrError.make("SR0107", job=self.job.id)

    def cancel(self) -> None:
        """Ask the work to stop at its next checkpoint."""
        self._cancelled.set()

    def rows(self) -> tuple[StepRow, ...]:
        """The steps as they stand, with the time that each took."""
        return tuple(
            StepRow(
                step.name,
                step.text,
                step.state,
                None
                if step.began_unix is None or step.ended_unix is None
                else step.ended_unix - step.began_unix,
            )
            for step in self.job.steps
        )

    def _set_step(self, name: str, state: StepState) -> None:
        now = self._jobs.clock.unix()
        steps = []
        for step in self.job.steps:
            if step.name != name:
                steps.append(step)
            elif state is StepState.BEGUN:
                steps.append(attrs.evolve(step, state=state, began_unix=now))
            else:
                began = step.began_unix if step.began_unix is not None else now
                steps.append(attrs.evolve(step, state=state, began_unix=began, ended_unix=now))
        self.job = attrs.evolve(self.job, steps=tuple(steps))
        self._jobs.note(self.job, durable=True)


class Jobs:
    """The jobs of an owner."""

    def __init__(self, catalogue: Catalogue, clock: Clock, pulse: Pulse) -> None:
        self._catalogue = catalogue
        self._pulse = pulse
        self._live: dict[int, JobHandle] = {}
        self._tasks: dict[int, asyncio.Task[object]] = {}
        self.clock = clock

    def start(self, command: str, about: str, steps: tuple[StepRow, ...], work: Work) -> JobHandle:
        """Begin a job."""
        job = self._catalogue.new_job(command, about, self.clock.unix())
        rows = tuple(Step(row.name, row.text) for row in steps)
        handle = JobHandle(self, attrs.evolve(job, state=JobState.RUNNING, steps=rows))
        self.note(handle.job, durable=True)
        self._live[job.id] = handle
        self._tasks[job.id] = asyncio.create_task(self._run(handle, work))
        return handle

    def resume(self, job: Job, work: Work) -> JobHandle:
        """Carry on with a job that an earlier owner began."""
        handle = JobHandle(self, attrs.evolve(job, state=JobState.RUNNING, error=""))
        self._live[job.id] = handle
        self._tasks[job.id] = asyncio.create_task(self._run(handle, work))
        return handle

    async def result(self, handle: JobHandle) -> object:
        """Wait for a job; its result, or the error that it ended with.

        Who stops waiting does not stop the job.
        """
        return await asyncio.shield(self._tasks[handle.job.id])

    def find(self, number: int) -> Job:
        """A job, live or ended.

        Raises:
            SrError: SR0105, there is none with that number.
        """
        if number in self._live:
            return self._live[number].job
        found = self._catalogue.get(Job, number)
        if found is None:
            known = [str(job.id) for job in self._catalogue.jobs(limit=8)]
            raise unknown("job", str(number), known, mend="srshell jobs")
        return found

    def list(self, limit: int = 100) -> tuple[Job, ...]:
        """Jobs, the newest first."""
        return tuple(
            self._live[job.id].job if job.id in self._live else job
            for job in self._catalogue.jobs(limit)
        )

    async def ended(self, number: int, timeout_seconds: float) -> Job:
        """A job once it has ended, or as it is when the time is over."""
        end = self.clock.monotonic() + timeout_seconds
        while True:
            mark = self._pulse.mark
            job = self.find(number)
            left = end - self.clock.monotonic()
            if has_ended(job) or left <= 0:
                return job
            await self._pulse.after(mark, left)

    def cancel(self, number: int) -> Job:
        """Ask a job to stop at a safe point."""
        job = self.find(number)
        if number in self._live:
            self._live[number].cancel()
            self._pulse.beat()
        return job

    def abandon(self, carried_on: frozenset[int]) -> None:
        """End jobs that an earlier owner left running, but for those that are carried on."""
        for job in self._catalogue.jobs(limit=1000):
            if not has_ended(job) and job.id not in carried_on:
                error = SrError.make("SR0107", facts="its owner ended before it", job=job.id)
                self._finish(job, JobState.CANCELLED, error=error)

    async def close(self) -> None:
        """Ask all jobs to stop, and wait for those that are past their last checkpoint."""
        for handle in list(self._live.values()):
            handle.cancel()
        self._pulse.beat()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def note(self, job: Job, *, durable: bool) -> None:
        """A job says something new of itself."""
        if durable:
            self._catalogue.put(job)
        self._pulse.beat()

    async def _run(self, handle: JobHandle, work: Work) -> object:
        """Carry the work out and keep what comes of it."""
        try:
            result = await work(handle)
        except SrError as error:
            state = JobState.CANCELLED if error.code == "SR0107" else JobState.FAILED
            self._finish(handle.job, state, error=error)
            raise
        except Exception as error:
            LOG.exception("job %d failed", handle.job.id)
            problem = f"{type(error).__name__}: {error}"
            coded = SrError.make("SR9999", facts=f"job {handle.job.id}", problem=problem)
            self._finish(handle.job, JobState.FAILED, error=coded)
            raise coded from error
        else:
            self._finish(handle.job, JobState.DONE, result=result)
            return result
        finally:
            self._live.pop(handle.job.id, None)
            task = self._tasks.pop(handle.job.id, None)
            if task is not None:
                # An error nobody waits for is in the job, not in a warning of the event loop.
                task.add_done_callback(_looked_at)

    def _finish(
        self, job: Job, state: JobState, *, result: object = None, error: SrError | None = None
    ) -> None:
        text = "" if error is None else json.dumps(error.to_json())
        ended = attrs.evolve(
            job,
            state=state,
            ended_unix=self.clock.unix(),
            error=text,
            result="" if result is None else encode(result).decode(),
        )
        self._catalogue.put(ended)
        self._pulse.beat()


def _looked_at(task: asyncio.Task[object]) -> None:
    if not task.cancelled():
        task.exception()
