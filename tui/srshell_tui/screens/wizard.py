"""A wizard as lines: where one is, what would be done, what to type, what came of it."""

from __future__ import annotations

from typing import Final

from srshell.fabric.pages import Page
from srshell.fabric.pages.words import UNKNOWN, duration
from srshell.model.inventory import Step
from srshell.model.report import StepRow
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.marks import STEP_TONES, marked
from srshell_tui.scene import Scene, couple_of
from srshell_tui.screens.jobs import step_line
from srshell_tui.screens.parts import job_share
from srshell_tui.screens.plan import plan_lines
from srshell_tui.text import Drawing, Line, Piece, Tone, bar, cell, fit, rule, spans, wrap
from srshell_tui.wizard import Stage, Wizard

_WAY: Final = (Stage.CHOOSE, Stage.PLAN, Stage.CONFIRM, Stage.RUN, Stage.DONE)


def draw_wizard(scene: Scene, wizard: Wizard) -> Drawing:
    """The screen of a wizard."""
    width = scene.width
    first = (top(scene, (wizard.title,)), _way(wizard, width))
    lines: list[Line] = []
    cursor: int | None = None
    live = _live(scene, wizard, width)
    match wizard.stage:
        case Stage.CHOOSE:
            lines, cursor = _options(wizard, width)
        case Stage.ASK:
            lines = _questions(wizard, width)
        case Stage.PLAN:
            lines = [fit(spans(f" asking for the plan of: {wizard.command}"), width)]
        case Stage.REFUSED:
            lines = [rule("Refused, nothing has changed", width), *_error(wizard, width)]
        case Stage.CONFIRM:
            lines = plan_lines(wizard, width, scene.height - len(first) - len(live) - 2)
        case Stage.RUN:
            lines = _running(wizard, width)
        case Stage.DONE:
            lines = _result(wizard, width)
    lines += live
    return compose(scene, first, Body(lines, cursor), _keys(wizard))


def _way(wizard: Wizard, width: int) -> Line:
    """The stages, the present one in brackets."""
    now = {Stage.REFUSED: Stage.PLAN, Stage.ASK: Stage.CHOOSE}.get(wizard.stage, wizard.stage)
    found: list[Piece] = [" "]
    for number, stage in enumerate(_WAY, 1):
        if stage is now:
            found.append((f"[{number} {stage.value}]", Tone.BOLD))
        elif number < _WAY.index(now) + 1:
            found.append((f"{number} {stage.value} ✔", Tone.OK))
        else:
            found.append((f"{number} {stage.value}", Tone.DIM))
        found.append((" ── " if number < len(_WAY) else "", Tone.DIM))
    return fit(spans(*found), width)


def _keys(wizard: Wizard) -> tuple[Key, ...]:
    """What can be pressed now."""
    match wizard.stage:
        case Stage.CHOOSE:
            return (("↑ ↓", "choose"), ("enter", "plan"), ("esc", "cancel"))
        case Stage.CONFIRM if wizard.wanted:
            return (("enter", "run it"), ("esc", "cancel"))
        case Stage.CONFIRM:
            return (("tab", "Cancel or Run"), ("enter", "take it"), ("esc", "cancel"))
        case Stage.RUN:
            return (("esc", "leave: the job goes on"),)
        case Stage.REFUSED | Stage.DONE:
            mend: tuple[Key, ...] = (("m", "run the mending line"),) if _mend(wizard) else ()
            return (
                (*mend, ("E", "explain"), ("esc", "back")) if wizard.error else (("esc", "back"),)
            )
        case _:
            return (("esc", "cancel"),)


def _mend(wizard: Wizard) -> str:
    return wizard.error.mend if wizard.error else ""


def _options(wizard: Wizard, width: int) -> tuple[list[Line], int]:
    """The ways to go on."""
    lines, cursor = [rule("Which way", width)], 0
    for index, option in enumerate(wizard.options):
        here = index == wizard.chosen
        mark = " ▶ " if here else "   "
        head = (f"{mark}{cell(option.label, 18)}", Tone.BOLD if here else Tone.PLAIN)
        cursor = len(lines) if here else cursor
        first, *rest = wrap(option.meaning, width - 22)
        lines.append(fit(spans(head, first), width))
        lines += [fit(spans(" " * 21, part), width) for part in rest]
        lines.append(fit(spans((f"      srshell {option.line}", Tone.DIM)), width))
    return lines, cursor


def _questions(wizard: Wizard, width: int) -> list[Line]:
    """What was answered, and what is asked."""
    lines = [rule("What is to be made", width)]
    for index, question in enumerate(wizard.questions):
        answered = index < len(wizard.answers)
        value = wizard.answers[index] if answered else question.default
        here = index == len(wizard.answers)
        mark = " ▶ " if here else "   "
        tone = Tone.BOLD if here else Tone.PLAIN if answered else Tone.DIM
        lines.append(fit(spans((f"{mark}{cell(question.text, 34)} {value}", tone)), width))
    if wizard.problem:
        lines.append(fit(spans((f" {wizard.problem}", Tone.ERROR)), width))
    hint = " change what stands on the last line, or leave it; enter takes it, esc cancels"
    return [*lines, fit((), width), fit(spans((hint, Tone.DIM)), width)]


def _running(wizard: Wizard, width: int) -> list[Line]:
    """The job, step by step."""
    job = wizard.job
    if job is None:
        return [fit(spans(f" begun: {wizard.command}"), width)]
    lines = [rule(f"Job {job.id}: {job.command}", width, "it goes on without this screen")]
    share = job_share(job)
    if share is not None:
        lines.append(
            fit(spans(" ", (bar(share, 40), Tone.WORKING), f" {round(100 * share)}%"), width)
        )
    return [*lines, *(step_line(step, width) for step in job.steps)]


def _result(wizard: Wizard, width: int) -> list[Line]:
    """What came of it."""
    if wizard.error is not None:
        steps = _steps(wizard.job.steps if wizard.job else (), width)
        return [rule("It failed", width), *_error(wizard, width), *steps]
    page = wizard.page or Page("done")
    return [rule("Result", width), *page_lines(page, width)]


def _steps(steps: tuple[Step | StepRow, ...], width: int) -> list[Line]:
    lines = [rule("Steps", width)] if steps else []
    for step in steps:
        word, tone = marked(STEP_TONES[step.state], step.state.value)
        lines.append(fit(spans(" ", (cell(word, 10), tone), f" {step.text}"), width))
    return lines


def _error(wizard: Wizard, width: int) -> list[Line]:
    """The error as every surface shows it."""
    assert wizard.error is not None, wizard
    head, *rest = wizard.error.lines()
    lines = [fit(spans((f" {part}", Tone.ERROR)), width) for part in wrap(f"✖ {head}", width - 2)]
    return lines + [
        fit(spans(f" {part}"), width) for line in rest for part in wrap(line, width - 2)
    ]


def _live(scene: Scene, wizard: Wizard, width: int) -> list[Line]:
    """The group as it is while the person decides."""
    words = wizard.line.split() or (wizard.options[0].line.split() if wizard.options else [])
    couple = next((found for word in words if (found := couple_of(scene.view, word))), None)
    if couple is None:
        return []
    source = couple.source
    state = source.replication_state.value
    if not scene.view.fresh(source):
        text = f" {couple.title}  {state}?  RPO {UNKNOWN}  epoch {source.epoch}?"
        return [rule("Now", width), fit(spans((text, Tone.UNKNOWN)), width)]
    ready = "yes" if source.failover_ready else "no"
    text = f" {couple.title}  {state}  RPO {duration(source.rpo_seconds)}  epoch {source.epoch}"
    return [rule("Now", width), fit(spans(f"{text}  failover ready: {ready}"), width)]


def page_lines(page: Page, width: int) -> list[Line]:
    """A report's page, as the command line prints it."""
    lines = (
        [fit(spans((f" {part}", Tone.BOLD)), width) for part in wrap(page.headline, width - 2)]
        if page.headline
        else []
    )
    table = [*([page.columns] if any(page.columns) else []), *page.rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(page.columns))] if table else []
    for number, cells in enumerate(table):
        text = "  ".join(cell(text, w) for text, w in zip(cells, widths, strict=True))
        heading = number == 0 and any(page.columns)
        lines.append(fit(spans((f" {text}", Tone.DIM if heading else Tone.PLAIN)), width))
    for line in page.lines:
        lines += [fit(spans(f" {part}"), width) for part in wrap(line, width - 2)]
    return lines or [fit(spans(" nothing"), width)]
