"""Jobs: what goes on in the owner, how far it is, and what came of it."""

from __future__ import annotations

import json

from srshell.fabric.job_report import has_ended
from srshell.fabric.pages.words import UNKNOWN, duration
from srshell.model.inventory import Job, Step
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.marks import JOB_TONES, STEP_TONES, marked
from srshell_tui.scene import Scene, chosen_index, matches, moment, sure, window
from srshell_tui.screens.parts import job_share
from srshell_tui.text import (
    Column,
    Drawing,
    Line,
    Piece,
    Tone,
    bar,
    cell,
    fit,
    head,
    row,
    rule,
    spans,
    wrap,
)

_KEYS: tuple[Key, ...] = (
    ("?", "help"), (":", "command"), ("/", "find"), ("enter", "show"), ("x", "export"),
    ("esc", "back"), ("q", "quit"),
)  # fmt: skip
_COLUMNS = (
    Column("JOB", 5, right=True), Column("COMMAND", 34),
    Column("STATE", 12), Column("DONE", 6, right=True), Column("BEGAN", 16),
)  # fmt: skip
_STEPS_MAX = 10


def draw_jobs(scene: Scene) -> Drawing:
    """The screen of jobs."""
    width = scene.width
    found = [
        job
        for job in sorted(scene.view.jobs.values(), key=lambda job: job.id, reverse=True)
        if matches(scene.look.filter, (job.command, job.object, job.state.value))
    ]
    keys = tuple(str(job.id) for job in found)
    chosen = chosen_index(keys, scene.look.cursor)
    running = sum(not has_ended(job) for job in found)
    mark = f"find: {scene.look.filter}" if scene.look.filter else ""
    details = [] if chosen is None else _details(scene, found[chosen])
    doubt = "?" if running and not scene.view.told else ""
    title = f"Jobs ({len(found)}, {running} running{doubt})"
    lines = [rule(title, width, mark), head(_COLUMNS, width)]
    first, end = window(len(found), chosen, max(scene.height - len(details) - 6, 3))
    for index, job in enumerate(found[first:end], first):
        lines.append(row(_COLUMNS, _cells(scene, job), width, chosen=index == chosen))
    if not found:
        lines.append(fit(spans(("   none", Tone.DIM)), width))
    at = None if chosen is None else 2 + chosen - first
    body = Body((*lines, *details), at, keys, shown=(first, end))
    return compose(scene, (top(scene, ("Jobs",)),), body, _KEYS)


def _cells(scene: Scene, job: Job) -> list[Piece]:
    """The cells of one job."""
    share = job_share(job)
    word, tone = marked(JOB_TONES[job.state], job.state.value)
    known = scene.view.told or has_ended(job)
    percent = UNKNOWN if share is None else f"{round(100 * share)}%"
    return [
        str(job.id), job.command, sure(word, tone, fresh=known), sure(percent, fresh=known),
        moment(job.began_unix, scene.now),
    ]  # fmt: skip


def _details(scene: Scene, job: Job) -> list[Line]:
    """The steps of the chosen job, and the error that it ended with."""
    width = scene.width
    took = ""
    if job.ended_unix is not None:
        took = f"took {duration(job.ended_unix - job.began_unix)}"
    lines = [rule(f"Job {job.id}: {job.command}", width, took)]
    share = job_share(job)
    if share is not None and not has_ended(job):
        percent = sure(f"{round(100 * share)}%", fresh=scene.view.told)
        lines.append(fit(spans(" ", (bar(share, 40), Tone.WORKING), " ", percent), width))
    lines += [step_line(step, width) for step in job.steps[:_STEPS_MAX]]
    if job.error:
        error = json.loads(job.error)
        text = f"{error.get('code', '')} {error.get('message', '')}"
        lines += [fit(spans((f" {part}", Tone.ERROR)), width) for part in wrap(text, width - 2)]
        if error.get("mend"):
            lines.append(fit(spans(" mend   ", (str(error["mend"]), Tone.KEY)), width))
    return lines


def step_line(step: Step, width: int) -> Line:
    """One step of a job."""
    word, tone = marked(STEP_TONES[step.state], step.state.value)
    took = ""
    if step.began_unix is not None and step.ended_unix is not None:
        took = duration(step.ended_unix - step.began_unix)
    return fit(spans(" ", (cell(word, 10), tone), f" {cell(took, 8)} {step.text}"), width)
