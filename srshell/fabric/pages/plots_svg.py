"""What is drawn, as SVG and as one HTML page, and a drill report as Markdown.

Always true:

(1) A drawing needs nothing else: no script, no font, no other file; every text in it is escaped.
(2) Colours repeat what words and shapes say already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from html import escape

from srshell.fabric.pages.figures import milliseconds
from srshell.fabric.pages.plots import LEG_TEXTS, SERIES, lost
from srshell.fabric.pages.words import Page, Report, clock, duration
from srshell.model.printable import printable

_WIDTH, _ROW, _LEFT, _RIGHT = 640, 44, 90, 80
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#8a949e"
_LEVELS = {"error": "#d55e00", "warning": "#e69f00"}


def svg_of(report: Report) -> str:
    """The drawing of a report; empty for one that has none."""
    make = _DRAWINGS.get(str(report.get("schema", "")))
    return make(report) if make is not None else ""


def _svg(width: int, height: int, parts: Sequence[str], title: str) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="sans-serif" font-size="12" '
        f'fill="currentColor"><title>{_text(title)}</title>'
    )
    return "\n".join([head, *parts, "</svg>"])


def _label(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(printable(text), quote=True)


def _lag(report: Report) -> str:
    since, until = float(report["since_unix"]), float(report["until_unix"])
    span = max(until - since, 1e-9)
    inner = _WIDTH - _LEFT - _RIGHT
    height = _ROW * len(SERIES) + 30
    parts = []

    def x_of(unix: float) -> float:
        return _LEFT + inner * min(max((unix - since) / span, 0.0), 1.0)

    for event in report["events"]:
        x, colour = x_of(event["unix"]), _LEVELS.get(event["level"], _GREY)
        what = f"{clock(event['unix'])} {event['code']} {event['text']}"
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height - 24}" stroke="{colour}" '
            f'stroke-dasharray="2 3"><title>{_text(what)}</title></line>'
        )
    for number, (field, name, write) in enumerate(SERIES):
        base = _ROW * (number + 1)
        known = [p[field] for p in report["points"] if p[field] is not None]
        top = max(known, default=0.0)
        parts += [
            _label(_LEFT - 8, base - 4, name, "end"),
            f'<line x1="{_LEFT}" x2="{_LEFT + inner}" y1="{base}" y2="{base}" stroke="{_GREY}"/>',
            _label(_LEFT + inner + 6, base - 4, write(top) if known else "—"),
        ]
        parts += _steps(report["points"], field, x_of, base, top)
    parts += [
        _label(_LEFT, height - 8, clock(since)),
        _label(_LEFT + inner, height - 8, clock(until), "end"),
    ]
    return _svg(_WIDTH, height, parts, f"{report['group']} over {duration(span)}")


def _steps(
    points: Sequence[Report], field: str, x_of: Callable[[float], float], base: float, top: float
) -> list[str]:
    """A series as lines; where nothing is known there is none."""
    lines: list[list[str]] = [[]]
    for point in points:
        value = point[field]
        if value is None:
            lines.append([])
            continue
        y = base - (value / top * (_ROW - 12) if top else 0.0)
        lines[-1].append(f"{x_of(point['unix']):.1f},{y:.1f}")
    return [
        f'<polyline points="{" ".join(line)}" fill="none" stroke="{_BLUE}" stroke-width="2"/>'
        if len(line) > 1
        else f'<circle cx="{line[0].split(",")[0]}" cy="{line[0].split(",")[1]}" r="2.5" '
        f'fill="{_BLUE}"/>'
        for line in lines
        if line
    ]


def _trace(report: Report) -> str:
    legs, total = report["legs"], report["total_seconds"] or 1.0
    inner = _WIDTH - _LEFT - _RIGHT
    parts = []
    for number, leg in enumerate(legs):
        y = 8 + 26 * number
        x = _LEFT + inner * leg["begin_seconds"] / total
        wide = max(inner * leg["seconds"] / total, 1.0)
        colour = _ORANGE if leg["name"] == report["slowest"] else _BLUE
        parts += [
            _label(_LEFT - 8, y + 14, leg["name"], "end"),
            (
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="18" fill="{colour}">'
                f"<title>{_text(LEG_TEXTS.get(leg['name'], ''))}</title></rect>"
            ),
            _label(min(x + wide + 4, _WIDTH - 60), y + 14, f"{milliseconds(leg['seconds'])} ms"),
        ]
    return _svg(_WIDTH, 16 + 26 * max(len(legs), 1), parts, f"a write of {report['group']}")


def _map(report: Report) -> str:
    wide, gap, parts = 260, 120, []
    places: dict[str, tuple[float, float]] = {}
    names = {array["name"] for array in report["arrays"]}
    tops = [10.0, 10.0]
    columns: dict[str, int] = {}
    for array in report["arrays"]:
        peer = array["peer"]
        columns[array["name"]] = 1 - columns[peer] if peer in columns and peer in names else 0
    for array in report["arrays"]:
        column = columns[array["name"]]
        x, y = 10.0 + column * (wide + gap), tops[column]
        rows = [f"pools {', '.join(array['pools'])}"]
        for group in array["groups"]:
            places[group["name"]] = (x, y + 34 + 18 * len(rows))
            part = "primary" if group["is_primary"] else "copy" if group["peer"] else "alone"
            rows += [f"{group['name']} ({part}, {group['state']})"]
            rows += [f"   {name}" for name in (*group["volumes"], f"log {group['log']}")]
        rows += [f"volume {name}" for name in array["volumes"]]
        rows += [f"machine {name}" for name in array["machines"]]
        high = 34 + 18 * len(rows)
        parts += [
            (
                f'<rect x="{x}" y="{y}" width="{wide}" height="{high}" rx="6" fill="none" '
                f'stroke="{_GREY}"/>'
            ),
            (
                f'<text x="{x + 10}" y="{y + 20}" font-weight="bold">'
                f"{_text(array['name'])} at {_text(array['site'])}</text>"
            ),
            *(_label(x + 10, y + 40 + 18 * at, row) for at, row in enumerate(rows)),
        ]
        tops[column] = y + high + 16
    parts += _directions(report, places, wide)
    return _svg(2 * wide + gap + 20, round(max(tops)), parts, f"fabric {report['fabric']}")


def _directions(report: Report, places: dict[str, tuple[float, float]], wide: float) -> list[str]:
    """An arrow from each primary to its copy."""
    parts = []
    for array in report["arrays"]:
        for group in array["groups"]:
            peer = places.get(group["peer"] or "")
            if not group["is_primary"] or peer is None:
                continue
            (x1, y1), (x2, y2) = places[group["name"]], peer
            begin, end = (x1 + wide, x2) if x1 < x2 else (x1, x2 + wide)
            step = -8 if x1 < x2 else 8
            dashes = "" if group["state"] == "Synchronizing" else ' stroke-dasharray="6 4"'
            parts.append(
                f'<path d="M {begin:.0f} {y1:.0f} L {end:.0f} {y2:.0f} m {step} -5 '
                f'l {-step} 5 l {step} 5" fill="none" stroke="{_BLUE}" stroke-width="2"{dashes}>'
                f"<title>{_text(group['name'])} to {_text(str(group['peer']))}</title></path>"
            )
    return parts


_DRAWINGS: dict[str, Callable[[Report], str]] = {
    "srshell.lag/1": _lag,
    "srshell.trace/1": _trace,
    "srshell.map/1": _map,
}


def html_page(report: Report, page: Page) -> str:
    """One page that needs nothing else: the drawing, the table, the lines."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in page.rows
    )
    head = "".join(f"<th>{_text(column)}</th>" for column in page.columns)
    lines = "\n".join(_text(line) for line in page.lines)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{_text(page.headline)}</title><style>body{{font:15px/1.5 system-ui,sans-serif;"
        "max-width:60rem;margin:2rem auto;padding:0 1rem}td,th{text-align:left;padding:.2rem .6rem}"
        f"</style></head><body><h1>{_text(page.headline)}</h1>\n{svg_of(report)}\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n"
        f"<pre>{lines}</pre></body></html>\n"
    )


def markdown(report: Report) -> str:
    """A drill report as Markdown."""
    made = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(report["made_unix"]))
    lines = [f"# Drills of {report['group']}", "", (f"Made {made}; {report['group']} is"
             f" {report['state']}, its partner is {report['peer'] or 'nobody'}.")]  # fmt: skip
    for drill in report["drills"]:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(drill["began_unix"]))
        lines += [
            "",
            f"## {when}: {drill['command']}",
            "",
            f"- who: {drill['who'] or 'the user of the owner'}",
            f"- outcome: {drill['state']}"
            + (f", {drill['new_primary']} is primary" if drill["new_primary"] else "")
            + (f", {drill['error']}" if drill["error"] else ""),
            (
                f"- recovery time (RTO): {duration(drill['seconds'])}; without writes:"
                f" {duration(drill['outage_seconds'])}"
            ),
            f"- recovery point (RPO): {lost(drill)} lost",
            "",
            "| step | state | time | what |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| {step['name']} | {step['state']} | {duration(step['seconds'])} |"
            f" {step['text'].replace('|', '/')} |"
            for step in drill["steps"]
        ]
    return printable_lines(lines)


def printable_lines(lines: Sequence[str]) -> str:
    """Lines without control characters."""
    return "\n".join(printable(line) for line in lines) + "\n"
