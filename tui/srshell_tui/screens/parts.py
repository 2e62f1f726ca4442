"""Parts that several screens show: events, jobs, machines, the state of one group.

Always true: numbers come from the fabric's reports; what they do not hold is a dash.
"""

from __future__ import annotations

import attrs

from srshell.fabric.job_report import has_ended
from srshell.fabric.pages.words import UNKNOWN, duration, progress_line, size
from srshell.model.inventory import Event, Job, JobState
from srshell.model.report import GroupStatus, Progress
from srshell_tui.flow import Flow
from srshell_tui.marks import JOB_TONES, LEVEL_TONES, marked, state_span
from srshell_tui.scene import Couple, Scene, moment, sure
from srshell_tui.text import Line, Piece, Tone, bar, cell, fit, graph, rule, spans, wrap


def progress_text(progress: Progress | None) -> str:
    """How far a copy is, in the one sentence that all surfaces use."""
    return "" if progress is None else progress_line(attrs.asdict(progress))


def log_fill(side: GroupStatus) -> float | None:
    """The share of a log that is taken; None for a group without one."""
    return 1 - side.log_bytes_free / side.log_bytes if side.log_bytes else None


def fill_percent(side: GroupStatus) -> str:
    """The fill of a log as a percentage."""
    fill = log_fill(side)
    return UNKNOWN if fill is None else f"{round(100 * fill)}%"


def rate_text(bytes_per_second: float | None) -> str:
    """A rate for eyes."""
    return UNKNOWN if bytes_per_second is None else f"{size(round(bytes_per_second))}/s"


def event_lines(
    scene: Scene, count: int, width: int, about: frozenset[str] = frozenset()
) -> list[Line]:
    """The newest events, the newest first."""
    found = [e for e in reversed(scene.view.events) if not about or e.object in about]
    times = max((len(moment(event.unix, scene.now)) for event in found[:count]), default=0)
    lines = [event_line(event, scene.now, width, times) for event in found[:count]]
    lines = lines or [fit(spans((" nothing has happened yet", Tone.DIM)), width)]
    return lines + [fit((), width)] * (count - len(lines))


def event_line(event: Event, now: float, width: int, times: int) -> Line:
    """One event; its time takes so many cells."""
    level = {"info": "info", "warning": "WARN", "error": "ERROR"}.get(event.level, event.level)
    pieces: tuple[Piece, ...] = (
        f" {cell(moment(event.unix, now), times)} ",
        (cell(level, 5), LEVEL_TONES.get(event.level, Tone.PLAIN)),
        f" {cell(event.object, 12)} {event.code}  {event.text}",
    )
    return fit(spans(*pieces), width)


def split_lines(side: GroupStatus, now: float, width: int) -> list[Line]:
    """What each side of a split brain wrote alone, and when."""
    lines = []
    for split in side.split:
        when = f"{moment(split.first_write_unix or 0, now)} to "
        when += moment(split.last_write_unix or 0, now)
        text = f"only {split.array}: {split.blocks} blocks, {size(split.bytes)}, "
        text += f"LSN {split.from_lsn + 1} to {split.to_lsn}, written {when}"
        first, *rest = wrap(text if split.blocks else f"only {split.array}: nothing", width - 6)
        lines.append(fit(spans(f"   {first}"), width))
        lines += [fit(spans(f"     {part}"), width) for part in rest]
    return lines


def job_share(job: Job) -> float | None:
    """How much of a job is done; None when nobody knows."""
    if job.state is JobState.DONE:
        return 1.0
    return (job.done_bytes or 0) / job.total_bytes if job.total_bytes else None


def job_lines(scene: Scene, width: int, count: int) -> list[Line]:
    """The newest jobs under a heading."""
    lines = [rule("Jobs", width, "all (5)")]
    jobs = sorted(scene.view.jobs.values(), key=lambda job: job.id, reverse=True)
    for job in jobs[:count]:
        word, tone = marked(JOB_TONES[job.state], job.state.value)
        word += "" if scene.view.told or has_ended(job) else "?"
        text = f" {job.id:>4} {cell(job.command, width - 19)} "
        lines.append(fit(spans(text, (word, tone)), width))
    return lines


def machine_lines(scene: Scene, width: int) -> list[Line]:
    """The machines under a heading."""
    lines = [rule("Virtual machines", width)]
    for vm in scene.view.vms.values():
        doubt = "" if scene.view.told else "?"
        text = f" {cell(vm.name, 12)} {cell(vm.state + doubt, 9)} {cell(vm.array, 10)} {vm.volume}"
        lines.append(fit(spans(text), width))
    if not scene.view.vms:
        lines.append(fit(spans((" none", Tone.DIM)), width))
    return lines


def group_panel(scene: Scene, couple: Couple | None, width: int) -> list[Line]:
    """The chosen replication in a few lines."""
    if couple is None:
        return []
    source = couple.source
    fresh = scene.view.fresh(source)
    state, tone = state_span(source.replication_state)
    flow = scene.view.flows.get(source.name, Flow())
    lines = [
        rule(f"{source.name} now", width),
        fit(spans(" ", sure(state, tone, fresh=fresh)), width),
    ]
    if source.progress:
        lines += copy_lines(source.progress, width)
    course = graph(flow.course("written_bytes"), width - 22)
    rate = rate_text(flow.bytes_per_second) if fresh else UNKNOWN
    lines.append(fit(spans(f" write {course} {rate}"), width))
    for side, label in zip(couple.sides, ("source", "dest"), strict=False):
        if (fill := log_fill(side)) is not None:
            shown = sure(f"{bar(fill, 16)} {round(100 * fill):>3}%", fresh=scene.view.fresh(side))
            lines.append(fit(spans(f" log {cell(label, 6)} ", shown), width))
    rpo = (duration(source.rpo_seconds), Tone.BOLD) if fresh else (UNKNOWN, Tone.UNKNOWN)
    lines.append(fit(spans(" RPO   ", rpo, f"   policy {source.on_peer_loss}"), width))
    return lines


def copy_lines(progress: Progress, width: int) -> list[Line]:
    """A copy as a bar and a sentence; the end is foretold only once it is known."""
    share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 0.0
    percent = f"{round(100 * share, 1):.0f}%"
    line = spans(
        f" {cell(progress.kind, 12)} ",
        (bar(share, max(width - 20, 8)), Tone.WORKING),
        f" {percent}",
    )
    return [
        fit(line, width),
        *(fit(spans(f"   {text}"), width) for text in [progress_text(progress)]),
    ]
