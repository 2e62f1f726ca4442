"""A plan that waits to be confirmed: steps, cost, the way back, checks, the same as a command.

Always true: what confirms it is on the screen, however long the plan; what there is no room for is
counted, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from srshell.fabric.pages.words import duration, size
from srshell.model.report import CheckRow, PlanReport
from srshell_tui.text import Line, Piece, Tone, cell, fit, rule, spans, wrap
from srshell_tui.wizard import Wizard

_VERDICTS: Final = {
    "holds": ("✔", Tone.OK), "warning": ("▲", Tone.WARNING), "refused": ("✖", Tone.ERROR),
}  # fmt: skip
#: How tersely a plan can be told: all of it; what holds in one line; no notebook; few of many.
_FULL, _CODES, _SHELL, _FEW = range(4)
#: How many of many then, ever fewer.
_ROWS: Final = (8, 5, 3, 2)


def plan_lines(wizard: Wizard, width: int, room: int) -> list[Line]:
    """What would be done, what it costs, and how it is confirmed, in so many lines if it can be."""
    assert wizard.plan is not None, wizard
    lines: list[Line] = []
    for terse in range(_FEW + len(_ROWS)):
        lines = [
            rule("Plan", width, "nothing has changed yet"),
            *_steps(wizard.plan, width, terse),
            *_cost(wizard.plan, width, terse),
            *_checks(wizard.plan, width, terse),
            *command_lines(wizard, width, notebook=terse < _SHELL),
            *_confirm(wizard, width),
        ]
        if len(lines) <= room:
            break
    return lines


def _some(rows: list[Line], width: int, terse: int, noun: str) -> list[Line]:
    """Lines, or the first of them and how many there are more."""
    if terse < _FEW or len(rows) <= _ROWS[terse - _FEW] + 1:
        return rows
    shown = rows[: _ROWS[terse - _FEW]]
    text = f"    and {len(rows) - len(shown)} more {noun}: the command with -n shows all"
    return [*shown, fit(spans((text, Tone.DIM)), width)]


def _steps(plan: PlanReport, width: int, terse: int) -> list[Line]:
    """What is done, in order."""
    lines = []
    for number, step in enumerate(plan.steps, 1):
        first, *rest = wrap(step.text, width - 18)
        lines.append(fit(spans(f" {number:>2} {cell(step.name, 12)} {first}"), width))
        lines += [fit(spans(" " * 17, part), width) for part in rest]
    return _some(lines, width, terse, "lines")


def _cost(plan: PlanReport, width: int, terse: int) -> Iterator[Line]:
    """What is lost, for how long, what cannot be used meanwhile, and the way back."""
    pieces: list[Piece] = [" data loss: "]
    if plan.lost_bytes is None:
        pieces.append(("known once the source has been fenced", Tone.WARNING))
    else:
        pieces.append((size(plan.lost_bytes), Tone.ERROR if plan.lost_bytes else Tone.OK))
    if plan.about_seconds is not None:
        pieces.append(f"   takes about {duration(plan.about_seconds)}")
    yield fit(spans(*pieces), width)
    if plan.copied_bytes:
        text = f" copies {size(plan.copied_bytes)} to the other side, at most"
        yield fit(spans(text), width)
    if plan.taken_bytes:
        verb = "takes" if plan.taken_bytes > 0 else "gives back"
        yield fit(spans(f" {verb} {size(abs(plan.taken_bytes))} of the pools"), width)
    away = plan.unavailable if terse < _CODES else filter(None, ["; ".join(plan.unavailable)])
    for text in away:
        yield from _wrapped("unavailable", text, width, Tone.WARNING)
    if plan.inverse is None:
        yield fit(spans(" undo: ", ("no command undoes it", Tone.WARNING)), width)
    ways = [way for line in plan.inverse or () for way in _wrapped("undo", line, width, Tone.PLAIN)]
    yield from _some(ways, width, terse, "lines of undo")


def _wrapped(label: str, text: str, width: int, tone: Tone) -> list[Line]:
    """A text behind its label, on as many lines as it takes."""
    first, *rest = wrap(text, width - len(label) - 5)
    lines = [fit(spans(f" {label}: ", (first, tone)), width)]
    return lines + [fit(spans(" " * (len(label) + 3), (part, tone)), width) for part in rest]


def _checks(plan: PlanReport, width: int, terse: int) -> Iterator[Line]:
    """What the rules found, the bad first; and what they looked at."""
    if plan.checks or plan.measured:
        yield rule("Checks", width)
    for check in plan.checks:
        yield from _check(check, width)
    if terse < _CODES:
        for check in plan.measured:
            yield from _check(check, width)
    elif plan.measured:
        mark = _VERDICTS["holds"]
        codes = " ".join(dict.fromkeys(c.code for c in plan.measured if c.verdict == "holds"))
        yield fit(spans(" ", mark, f" {codes}"), width)
        for check in plan.measured:
            if check.verdict != "holds":
                yield from _check(check, width)


def _check(check: CheckRow, width: int) -> Iterator[Line]:
    """What one rule found."""
    mark = _VERDICTS.get(check.verdict, ("○", Tone.UNKNOWN))
    first, *rest = wrap(f"{check.code} {check.text}", width - 4)
    yield fit(spans(" ", mark, f" {first}"), width)
    yield from (fit(spans(f"   {part}"), width) for part in rest)


def command_lines(wizard: Wizard, width: int, *, notebook: bool) -> list[Line]:
    """The same thing where people type."""
    shell = wizard.command
    lines = [rule("Same thing as a command", width)]
    rows = [("shell", shell), ("notebook", f"%sr {shell.removeprefix('srshell ')}")]
    for where, line in rows if notebook else rows[:1]:
        parts = wrap(line, width - 14)
        # A shell takes several lines for one if each but the last says so.
        goes_on = " \\" if where == "shell" and "'" not in line else ""
        for index, part in enumerate(parts):
            end = goes_on if index < len(parts) - 1 else ""
            label = cell(where if index == 0 else "", 9)
            lines.append(fit(spans(f" {label} {'  ' if index else ''}{part}{end}"), width))
    return lines


def _confirm(wizard: Wizard, width: int) -> Iterator[Line]:
    """What has to be typed or chosen."""
    if wizard.wanted:
        yield rule("Confirm", width)
        yield fit(spans(" type ", (wizard.wanted, Tone.KEY), " to run it; esc cancels"), width)
    else:
        yield rule("Run it?", width)
        cancel, run = ("   Cancel ", " ▶ Run ") if wizard.run_chosen else (" ▶ Cancel ", "   Run ")
        chosen = (Tone.DIM, Tone.BOLD) if wizard.run_chosen else (Tone.BOLD, Tone.DIM)
        yield fit(spans((cancel, chosen[0]), (run, chosen[1])), width)
    if wizard.problem:
        yield fit(spans((f" {wizard.problem}", Tone.ERROR)), width)
