"""Reading a job: whether it has ended, with what, and how far it is.

Always true: a job that failed carries its error, a job that is done its result, both as JSON.
"""

from __future__ import annotations

import json
from typing import Any

from srshell.fabric.reports import decode
from srshell.model.errors import SrError
from srshell.model.inventory import Job, JobState

_ENDED = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class JobDetached(KeyboardInterrupt):
    """Somebody stopped waiting for a job; the job goes on in the owner."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.id)
        self.job = job

    def lines(self) -> list[str]:
        """What a person reads."""
        job = self.job
        return [f"detached from job {job.id} ({job.command} {job.object}): it goes on",
                f"  wait   srshell job {job.id} --wait",
                f"  stop   srshell job {job.id} --cancel"]  # fmt: skip

    def __str__(self) -> str:
        return self.lines()[0]

    def _render_traceback_(self) -> list[str]:
        """IPython and Jupyter print these lines in place of a traceback."""
        return self.lines()


def has_ended(job: Job) -> bool:
    """Whether a job is done, failed or cancelled."""
    return job.state in _ENDED


def job_result(job: Job) -> Any:  # noqa: ANN401 - whatever the verb returns
    """The result of a job that has ended.

    Raises:
        SrError: what the job failed with, or that it was cancelled.
    """
    if job.error:
        raise SrError.from_json(json.loads(job.error))
    if job.state is JobState.CANCELLED:
        raise SrError.make("SR0107", job=job.id)
    return decode(job.result)


def still_running(job: Job, seconds: float) -> SrError:
    """The error for a wait that ended before its job."""
    mend = f"srshell job {job.id} --wait"
    what = f"{job.command} {job.object}".strip()
    facts = f"job {job.id} goes on in the owner"
    return SrError.make("SR0106", facts=facts, mend=mend, command=what, seconds=f"{seconds:.0f}")
