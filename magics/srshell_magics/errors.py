"""Refusals and interruptions as a notebook shows them: a few lines, and one of them mends.

Always true:

(1) What is raised is the error of the session itself; only its lines are dressed for IPython, so
    that `except SrError` sees the same object in a notebook as in a script.
(2) The mending line can be typed as it stands.
(3) No traceback is shown for what a person can cause.
"""

from __future__ import annotations

from typing import TypeVar

from srshell.fabric.job_report import JobDetached
from srshell.fabric.pages import printable
from srshell.model.errors import SrError
from srshell.model.inventory import Job
from srshell.model.report import PlanReport
from srshell_magics.front import fitting
from srshell_magics.names import as_magic, spoken_here

RaisedT = TypeVar("RaisedT", bound=BaseException)


def dress(error: RaisedT, lines: list[str]) -> RaisedT:
    """The same exception, showing these lines in IPython and Jupyter."""
    shown = [fitting(printable(line)) for line in lines]
    # IPython asks the instance; a class of our own would hide the session's error from `except`.
    error._render_traceback_ = lambda: shown  # type: ignore[attr-defined]
    # IPython prints everything when an exception group lies behind an error.
    error.__context__ = None
    return error


def error_lines(
    error: SrError, plan: PlanReport | None = None, *, short_names: bool = True
) -> list[str]:
    """A refusal as a person reads it in a notebook."""
    rule = f"{error.rule} (R{error.article_rule})" if error.article_rule else error.rule
    explain = f"srshell explain {error.code}"
    rows = [
        ("rule", rule),
        ("facts", error.facts),
        ("plan", "" if plan is None else plan_line(plan)),
        ("mend", error.mend),
        ("more", "" if error.mend == explain else explain),
    ]
    lines = [str(error), *(f"  {label:<6} {text}" for label, text in rows if text)]
    return [spoken_here(line, short_names=short_names) for line in lines]


def plan_line(plan: PlanReport) -> str:
    """A plan in one line."""
    count = len(plan.steps)
    parts = [f"{count} step{'s' if count != 1 else ''}: {', '.join(s.name for s in plan.steps)}"]
    if plan.lost_bytes is None:
        parts.append("loss unknown until the source is fenced")
    else:
        parts.append(f"{plan.lost_bytes} bytes lost")
    if plan.about_seconds is not None:
        parts.append(f"about {plan.about_seconds:.0f} s")
    return "; ".join(parts)


def unforeseen(error: Exception) -> SrError:
    """SR9999 for a defect of ours; the exception itself is kept as its cause."""
    problem = f"{type(error).__name__}: {error}"
    coded = SrError.make("SR9999", facts="the cause is in sys.last_value", problem=problem)
    coded.__cause__ = error
    return coded


def job_title(job: Job) -> str:
    """The line that began a job; its object, where the line is a single word."""
    return job.command if " " in job.command else f"{job.command} {job.object}".strip()


def job_name(job: Job) -> str:
    """A job in the middle of a sentence."""
    return f"job {job.id} ({job_title(job)})"


def detached(job: Job, *, short_names: bool = True) -> JobDetached:
    """Somebody stopped waiting; the job goes on."""
    line = as_magic(f"srshell job {job.id}", short_names=short_names)
    lines = [
        f"detached from {job_name(job)}: it goes on",
        f"  wait   {line} --wait",
        f"  stop   {line} --cancel",
    ]
    return dress(JobDetached(job), lines)


def stopped_short(job: Job, what: str, *, short_names: bool = True) -> JobDetached:
    """Somebody interrupted a job, and this is what became of it."""
    line = as_magic(f"srshell job {job.id}", short_names=short_names)
    return dress(JobDetached(job), [f"{job_name(job)} {what}", f"  see    {line}"])
