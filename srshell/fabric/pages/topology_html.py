"""A topology test as one HTML page: rules, charts as inline SVG, and the JSON that it is made from.

Always true:

(1) The page needs nothing else: no network, no script, no other file.
(2) Every text of the report is escaped; the numbers are those of the JSON inside.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from html import escape

from srshell.fabric.pages.figures import leg_text, milliseconds
from srshell.fabric.pages.topology import RULE_MARKS, headline, measured_lines, rate
from srshell.fabric.pages.words import Report
from srshell.model.printable import printable

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1c2126}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #d3dde6;vertical-align:top}
.holds{color:#006b4e}.warning{color:#8a5a00}.broken{color:#a63f00;font-weight:bold}
.not{color:#596069}figure{margin:1rem 0}figcaption{color:#596069}
code{background:#eef2f5;padding:0 .3rem}
svg text{font:12px system-ui,sans-serif;fill:#1c2126}
@media(prefers-color-scheme:dark){
body{background:#10151a;color:#d8dee4}svg text{fill:#d8dee4}
.holds{color:#18bd90}.warning{color:#e69f00}.broken{color:#ff8a4c}
code{background:#1a2129}td,th{border-color:#2b3843}figcaption,.not{color:#9aa5b0}}
"""
_SCRATCH = (
    "The test wrote to scratch files without a name in the pools, and to nothing else; "
    "they are gone."
)
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 180, 56, 28
_BLUE, _PINK = "#0072b2", "#cc79a7"


def html_page(report: Report) -> str:
    """The whole page for a report, given as `json.loads` reads it."""
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(report["began_unix"]))
    how = f"{when}, {report['seconds']:.1f} s, fabric {report['fabric']}"
    title = f"Topology test {report['source']} → {report['destination']}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{_text(title)}</h1>",
        f"<p><strong>{_text(headline(report))}</strong><br>{_text(how)}</p>",
        "<h2>Requirements</h2>",
        _rules(report),
        "<h2>Measured</h2>",
        "".join(f"<p>{_text(line)}</p>" for line in measured_lines(report)),
        *_charts(report),
        "<h2>Advice</h2><ul>",
        *(f"<li>{_text(row['text'])}</li>" for row in report["advice"]),
        "</ul><h2>Not tested</h2><ul>",
        *(f"<li>{_text(text)}</li>" for text in report["not_tested"]),
        f"</ul><p>{_SCRATCH}</p>",
        f'<script type="application/json" id="report">{_json(report)}</script>',
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _json(report: Report) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(report).replace("<", "\\u003c").replace("&", "\\u0026")


def _rules(report: Report) -> str:
    rows = []
    for row in report["rules"]:
        kind = row["verdict"].split()[0]
        mend = f"<br><code>{_text(row['mend'])}</code>" if row["mend"] else ""
        rows.append(
            f'<tr><td class="{kind}">{RULE_MARKS[row["verdict"]]} {_text(row["verdict"])}</td>'
            f"<td>{_text(row['code'])}</td><td>{_text(row['rule'])}</td>"
            f"<td>{_text(row['measured'])}{mend}</td></tr>"
        )
    heads = "<tr><th></th><th>Code</th><th>Rule</th><th>Measured</th></tr>"
    return f"<table>{heads}{''.join(rows)}</table>"


def _charts(report: Report) -> list[str]:
    """Round trips, flushes, what a write will take, bandwidth and load over time."""
    found = []
    for array in report["arrays"]:
        trip, disk = array["link"]["round_trip"], array["disk"]
        other = next(a["array"] for a in report["arrays"] if a is not array)
        if trip["count"]:
            found.append(_histogram(f"Round trip {array['array']} → {other}", trip, _BLUE))
        if disk["flush"]["count"]:
            caption = f"Flush of {array['array']}/{disk['pool']}, 4 KiB"
            found.append(_histogram(caption, disk["flush"], _PINK))
    if expected := report["expected"]:
        found.append(_bars(expected))
    course = report["arrays"][0]["link"]["course"]
    if len(course) > 1:
        found.append(_course("Bandwidth of the link over the test", course))
    if len(report["load"]["course"]) > 1:
        found.append(_course("Written by the groups during the test", report["load"]["course"]))
    return found


def _figure(caption: str, marks: Sequence[str], summary: str) -> str:
    """A chart with its words: they say the same to who does not see it."""
    return (
        f'<figure><figcaption>{_text(caption)}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="100%" role="img" aria-label="{_text(summary)}"><title>{_text(summary)}</title>'
        f"{''.join(marks)}</svg></figure>"
    )


def _histogram(caption: str, spread: Report, colour: str) -> str:
    buckets = spread["histogram"]
    most = max(count for _, count in buckets)
    step = (_WIDTH - _LEFT) / len(buckets)
    room = _HEIGHT - _BOTTOM - 16
    marks = []
    for number, (upper, count) in enumerate(buckets):
        height = count / most * room
        x, y = _LEFT + number * step, _HEIGHT - _BOTTOM - height
        marks.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(step - 1, 1):.1f}" height="{height:.1f}" '
            f'fill="{colour}"><title>up to {milliseconds(upper)} ms: {count}</title></rect>'
        )
    ends = (buckets[0][0], buckets[len(buckets) // 2][0], buckets[-1][0])
    places = zip(
        ends, (_LEFT, (_WIDTH + _LEFT) / 2, _WIDTH), ("start", "middle", "end"), strict=True
    )
    marks += [_label(x, _HEIGHT - 8, f"{milliseconds(upper)} ms", how) for upper, x, how in places]
    marks.append(_label(_LEFT - 6, 24, str(most), "end"))
    summary = f"{caption}: {spread['count']} times, p50 {leg_text(spread)} ms, "
    summary += (
        f"p99 {leg_text(spread, 'p99_seconds')} ms, longest {leg_text(spread, 'max_seconds')} ms"
    )
    return _figure(summary, marks, summary)


def _bars(expected: Report) -> str:
    """What a write takes, alone and replicated."""
    rows = [(name.replace("_", " ").removesuffix(" seconds"), expected[name])
            for name in ("alone_p50_seconds", "replicated_p50_seconds", "alone_p99_seconds",
                         "replicated_p99_seconds")]  # fmt: skip
    most = max(value for _, value in rows) or 1.0
    left, marks = 130, []
    for number, (name, value) in enumerate(rows):
        y = 12 + number * 40
        width = value / most * (_WIDTH - left - 80)
        colour = _BLUE if name.startswith("alone") else _PINK
        marks.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="26" fill="{colour}"/>')
        marks.append(_label(left - 8, y + 18, name, "end"))
        marks.append(_label(left + width + 6, y + 18, f"{milliseconds(value)} ms", "start"))
    summary = "What a 4 KiB write will take, worked out from flushes and round trips"
    return _figure(summary, marks, summary)


def _course(caption: str, values: Sequence[float]) -> str:
    most = max(values) or 1.0
    room, base = _HEIGHT - _BOTTOM - 16, _HEIGHT - _BOTTOM
    step = (_WIDTH - _LEFT) / (len(values) - 1)
    points = " ".join(
        f"{_LEFT + number * step:.1f},{base - value / most * room:.1f}"
        for number, value in enumerate(values)
    )
    marks = [
        f'<polyline points="{points}" fill="none" stroke="{_BLUE}" stroke-width="2"/>',
        _label(_LEFT - 6, base, "0", "end"),
        _label(_LEFT, 12, rate(most), "start"),
    ]
    mean = math.fsum(values) / len(values)
    return _figure(caption, marks, f"{caption}: mean {rate(mean)}, peak {rate(most)}")


def _label(x: float, y: float, text: str, how: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{how}">{_text(text)}</text>'
