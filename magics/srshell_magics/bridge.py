"""A command that was read is carried out, waited for, and may be interrupted.

Always true:

(1) A change is a job of the owner.  This process only looks at it: who stops looking, by an
    interrupt or because the time is over, never stops it.
(2) A second interrupt within 3 s asks for the job to be cancelled; the owner decides whether it
    still can be.
(3) Beside a call that blocks nothing is printed: a line that is there is replaced.

    start --job--> look, look, … --ended------> result or error
                     |--time is over--> SR0106, the job goes on
                     '--Ctrl-C--> wait 3 s --> JobDetached, the job goes on
                                     '--Ctrl-C--> ask to cancel
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from srshell.fabric.calls import Call
from srshell.fabric.job_report import JobDetached, has_ended, job_result, still_running
from srshell.fabric.pages import printable, progress_line
from srshell.fabric.pages.words import duration
from srshell.model.errors import SrError
from srshell.model.inventory import Job, JobState, StepState
from srshell.model.report import JobReport
from srshell_magics.connection import Fabric
from srshell_magics.errors import detached, dress, job_name, job_title, stopped_short
from srshell_magics.front import Front, Watching
from srshell_magics.interrupts import Interrupts
from srshell_magics.progress import ProgressLine, Rate

#: How long a second interrupt counts as a wish to cancel, in seconds.
SECOND_INTERRUPT_SECONDS = 3.0
#: How long the answer to that wish is waited for, in seconds.
_CANCEL_SECONDS = 10.0
_LOOK_SECONDS_MIN = 0.01
_LOOK_SECONDS_MAX = 0.2
#: How often a group that is waited for is asked where it stands, in seconds.
_STATUS_SECONDS = 1.0


@attrs.define
class Bridge:
    """Carries out one command."""

    fabric: Fabric
    front: Front
    progress: ProgressLine
    wait_seconds: float
    read_only: bool = False
    short_names: bool = True
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _rate: Rate = attrs.field(init=False)
    _interrupts: Interrupts = attrs.field(factory=Interrupts, init=False)
    #: When a group was last asked where it stands, and what it said.
    _heard: tuple[float, str] = attrs.field(default=(-math.inf, ""), init=False)

    def __attrs_post_init__(self) -> None:
        self._rate = Rate(self.clock)

    def carry_out(self, call: Call) -> Any:  # noqa: ANN401 - whatever the verb returns
        """The result of a command; a `JobReport` when it was not to be waited for.

        Raises:
            SrError: it was refused or failed, or takes longer than its time.
            JobDetached: the waiting was interrupted; the job goes on.
            KeyboardInterrupt: something that changes nothing was interrupted.
        """
        if call.spec.changes and not call.dry_run:
            with self._interrupts.held():
                return self._change(call)
        if call.method == "job":
            with self._interrupts.held():
                return self._job(call)
        try:
            with self.progress.ticking(partial(self._text, call)):
                return self.fabric.perform(call.method, self._timed(call))
        except KeyboardInterrupt as interrupt:
            stopped = interrupt
        raise dress(stopped, [_unchanged(call)])

    def _change(self, call: Call) -> Any:  # noqa: ANN401
        """Begin a change, and wait for its job unless it goes on in the background."""
        if self.read_only:
            raise SrError.make("SR9003", facts=f"{call.spec.name} changes the fabric")
        try:
            with self._interrupts.raised():
                report = self.fabric.perform(call.method, {**call.arguments, "wait": False})
        except KeyboardInterrupt as interrupt:
            stopped = interrupt
        else:
            if isinstance(report, JobReport) and call.arguments.get("wait", True):
                return self._await_job(report.job, self._limit(call))
            return report
        line = f"{_title(call)}: interrupted while it was asked for; %jobs says if it began"
        raise dress(stopped, [line])

    def _job(self, call: Call) -> JobReport:
        """Show a job, after asking it to stop or waiting for its end."""
        number = call.arguments["number"]
        cancel = bool(call.arguments.get("cancel"))
        try:
            with self._interrupts.raised():
                report = self._look(number, cancel=cancel)
        except KeyboardInterrupt as interrupt:
            stopped = interrupt
        else:
            if call.arguments.get("ended"):
                return JobReport(self._await_end(report.job, self._limit(call)))
            return report
        line = f"{_title(call)}: interrupted while it was asked to stop; %jobs says if it does"
        raise dress(stopped, [line if cancel else _unchanged(call)])

    def _text(self, call: Call, seconds: float) -> str:
        """How far a command is that blocks; asked for beside it, in another thread."""
        text = f"{_title(call)}  {duration(seconds)}"
        if call.method != "wait":
            return text
        now = self.clock()
        if now - self._heard[0] >= _STATUS_SECONDS:
            self._heard = (now, self._where(call.arguments["group"]))
        return f"{text}  {self._heard[1]}"

    def _where(self, group: object) -> str:
        """Where a group stands."""
        try:
            status = self.fabric.perform("status", {"group": group})
        except SrError:
            return ""
        for row in status:
            if row.progress is not None:
                done = self._rate.note(row.progress.done_bytes, row.progress.total_bytes)
                return progress_line(done)
        return ", ".join(f"{row.name} {row.replication_state}" for row in status)

    def _await_job(self, job: Job, limit_seconds: float) -> Any:  # noqa: ANN401
        """The result of a job, or the error that it ended with."""
        return job_result(self._await_end(job, limit_seconds))

    def _await_end(self, job: Job, limit_seconds: float) -> Job:
        """Look at a job until it has ended; an interrupt detaches from it."""
        end = self.clock() + limit_seconds
        pause = _LOOK_SECONDS_MIN
        try:
            while not has_ended(job):
                left = end - self.clock()
                if left <= 0:
                    raise still_running(job, limit_seconds)
                if self.progress.due:
                    self.progress.show(self._job_text(job))
                with self._interrupts.raised():
                    self.sleep(min(pause, left))
                    job = self._look(job.id).job
                pause = min(pause * 1.6, _LOOK_SECONDS_MAX)
        except KeyboardInterrupt:
            pass
        if has_ended(job):
            return job
        raise self._interrupted(job)

    def _look(self, number: object, *, cancel: bool = False) -> JobReport:
        arguments = {"number": number, "cancel": True} if cancel else {"number": number}
        report: JobReport = self.fabric.perform("job", arguments)
        return report

    def _interrupted(self, job: Job) -> JobDetached:
        """The person does not want to wait; give a second interrupt its time."""
        if self.front.watching is Watching.NOBODY:
            return detached(job, short_names=self.short_names)
        line = f"interrupted: {job_name(job)} goes on; once more to cancel it"
        self.progress.show(line, now=True)
        end = self.clock() + SECOND_INTERRUPT_SECONDS
        try:
            while self.clock() < end:
                with self._interrupts.raised():
                    self.sleep(_LOOK_SECONDS_MAX)
        except KeyboardInterrupt:
            return self._cancel(job)
        return detached(job, short_names=self.short_names)

    def _cancel(self, job: Job) -> JobDetached:
        """Ask the job to stop, and say what became of it."""
        self.progress.show(f"asking {job_name(job)} to stop", now=True)
        self._interrupts.forget()  # more of them before it is asked mean the same
        end = self.clock() + _CANCEL_SECONDS
        what = "was being asked to stop, and perhaps does not know it"
        try:
            with self._interrupts.raised():
                job = self._look(job.id, cancel=True).job
                what = "was asked to stop; it does so at its next safe point, if there is one"
                while not has_ended(job) and self.clock() < end:
                    self.sleep(_LOOK_SECONDS_MAX)
                    job = self._look(job.id).job
        except KeyboardInterrupt:
            pass
        if job.state is JobState.CANCELLED:
            undone = [step.name for step in job.steps if step.state is StepState.UNDONE]
            what = f"was cancelled; undone: {', '.join(undone)}" if undone else "was cancelled"
        elif has_ended(job):
            what = f"could not be stopped any more: it is {job.state}"
        return stopped_short(job, what, short_names=self.short_names)

    def _job_text(self, job: Job) -> str:
        """How far a job is, in one line."""
        text = job_title(job)
        begun = [(at, s) for at, s in enumerate(job.steps, 1) if s.state is StepState.BEGUN]
        if begun:
            text += f"  {begun[-1][0]}/{len(job.steps)}"
        if job.total_bytes:
            done = self._rate.note(job.done_bytes or 0, job.total_bytes)
            return printable(f"{text}  {progress_line(done)}")
        if begun:
            text += f" {begun[-1][1].text}"
        text += f"  {duration(self.progress.elapsed_seconds)}"
        return printable(text)

    def _limit(self, call: Call) -> float:
        """How long this command is waited for, in seconds."""
        typed = call.arguments.get("timeout")
        return float(typed) if isinstance(typed, int | float) else self.wait_seconds

    def _timed(self, call: Call) -> dict[str, object]:
        """The arguments, with a limit for the wait where the command takes one."""
        if call.spec.waits and not call.dry_run:
            return {**call.arguments, "timeout": self._limit(call)}
        return dict(call.arguments)


def _unchanged(call: Call) -> str:
    """What is left of something that only looks."""
    return f"{_title(call)}: interrupted; nothing was changed"


def _title(call: Call) -> str:
    """The command and what it is about."""
    first = call.spec.positionals[:1]
    value = call.arguments.get(first[0].keyword, "") if first else ""
    words = " ".join(value) if isinstance(value, tuple) else str(value)
    return f"{call.spec.name} {words}".strip()
