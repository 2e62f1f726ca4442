"""The topology test: rules with what was measured, figures, advice, the verdict.

Always true: it is drawn from the report alone; while it is measured it says so, and shows nothing.
"""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

from srshell.fabric.pages.topology import RULE_MARKS, headline, measured_lines
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell.model.topology import TopologyReport
from srshell_tui.frame import Body, Key, compose, top
from srshell_tui.scene import Scene
from srshell_tui.text import Drawing, Line, Tone, beside, cell, fit, rule, spans, wrap

RULE_TONES: Final = {
    "holds": Tone.OK,
    "warning": Tone.WARNING,
    "broken": Tone.ERROR,
    "not measured": Tone.UNKNOWN,
}
_VERDICT_TONES: Final = {"ready": Tone.OK, "warned": Tone.WARNING, "not ready": Tone.ERROR}
_KEYS: tuple[Key, ...] = (
    ("r", "again"), ("h", "HTML report"), ("w", "JSON"), ("m", "mend"), ("↑ ↓", "scroll"),
    ("x", "export"), ("esc", "back"),
)  # fmt: skip
_LEFT_SHARE = 5, 9
#: So many cells of a line of figures say what was measured.
_LABEL = 13


@attrs.frozen
class TopologyTest:
    """One test on its way."""

    source: str
    destination: str
    seconds: float
    report: TopologyReport | None = None
    error: SrError | None = None

    @property
    def mend(self) -> str:
        """The line that mends the first rule that does not hold; empty where there is none."""
        rules = self.report.rules if self.report else ()
        bad = (rule.mend for rule in rules if rule.verdict != "holds" and rule.mend)
        return next(bad, self.error.mend if self.error else "")


def draw_topology(scene: Scene, test: TopologyTest, scroll: int = 0) -> Drawing:
    """The screen of a test."""
    first = (top(scene, ("Topology test", f"{test.source} → {test.destination}")),)
    lines = _body(scene, test)
    room = scene.height - 3
    begin = min(scroll, max(len(lines) - room, 0))
    keys = _KEYS if test.report else _KEYS[-1:]
    return compose(scene, first, Body(lines[begin:]), keys)


def _body(scene: Scene, test: TopologyTest) -> list[Line]:
    """The middle: what there is to see so far."""
    width = scene.width
    if test.error is not None:
        return [fit(spans((f" {text}", Tone.ERROR)), width) for text in test.error.lines()]
    if test.report is None:
        text = f" measuring for about {test.seconds:g} s: link there and back, then both disks."
        more = " Only scratch files without a name are written; the test goes on if you leave."
        return [fit(spans(text), width), fit(spans((more, Tone.DIM)), width)]
    report: dict[str, Any] = json.loads(encode(test.report))
    verdict = (f" {headline(report)}", _VERDICT_TONES[test.report.verdict])
    left_width = width * _LEFT_SHARE[0] // _LEFT_SHARE[1] if scene.wide else width
    right_width = width - left_width - 1 if scene.wide else width
    rules = _rules(test.report, left_width)
    rest = [*_measured(report, right_width), *_advice(test.report, right_width)]
    body = beside(rules, rest, left_width, width) if scene.wide else (*rules, *rest)
    return [fit(spans(verdict), width), *body]


def _rules(report: TopologyReport, width: int) -> list[Line]:
    """Every rule with what was measured, those that do not hold first."""
    lines = [rule("Requirements", width)]
    order = ("broken", "warning", "not measured", "holds")
    for row in sorted(report.rules, key=lambda row: order.index(row.verdict)):
        mark = (f" {RULE_MARKS[row.verdict]} ", RULE_TONES[row.verdict])
        lines.append(fit(spans(mark, f"{row.code} {row.measured}"), width))
        if row.verdict != "holds":
            first, *more = wrap(row.rule, width - 12)
            lines.append(fit(spans((f"     rule  {first}", Tone.DIM)), width))
            lines += [fit(spans((f"{'':11}{part}", Tone.DIM)), width) for part in more]
            if row.mend:
                lines.append(fit(spans("     mend  ", (row.mend, Tone.KEY)), width))
    return lines


def _measured(report: dict[str, Any], width: int) -> list[Line]:
    """The figures in lines."""
    lines = [rule("Measured", width)]
    for text in measured_lines(report):
        label, rest = text[:_LABEL], text[_LABEL:]
        if not label.endswith(" "):  # a sentence of its own
            label, rest = "", text
        for part in wrap(rest, width - len(label) - 2):
            lines.append(fit(spans(f" {label}{part}"), width))
            label = " " * len(label)
    return lines


def _advice(report: TopologyReport, width: int) -> list[Line]:
    """What follows from the figures."""
    lines = [rule("Advice", width)]
    for row in report.advice:
        first, *more = wrap(row.text, width - 18)
        lines.append(fit(spans((f" {cell(row.topic, 15)} ", Tone.BOLD), first), width))
        lines += [fit(spans(f"{'':17}{part}"), width) for part in more]
    for text in report.not_tested:
        label = " not tested: "
        for part in wrap(text, width - len(label) - 1):
            lines.append(fit(spans((f"{label}{part}", Tone.DIM)), width))
            label = " " * len(label)
    return lines
