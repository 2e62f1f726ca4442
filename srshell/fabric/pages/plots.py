"""Pages of what is drawn: sparklines, a waterfall, the fabric as boxes, drills.

Always true: a drawing fits 78 columns, and what is not known is a dot or a dash, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from srshell.fabric.pages.figures import milliseconds
from srshell.fabric.pages.words import MARKS, UNKNOWN, Page, Report, clock, duration, size

_BARS = "▁▂▃▄▅▆▇█"
_SPAN = 36
_BOX = 30
_EVENTS_SHOWN = 8

#: Field of a point, its name, and how its values are written.
SERIES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("rpo_seconds", "RPO", duration),
    ("log_fill", "log in use", lambda value: f"{100 * value:.0f} %"),
    ("bytes_behind", "behind", lambda value: size(round(value))),
    ("write_p50_seconds", "write p50", lambda value: f"{milliseconds(value)} ms"),
    ("write_p99_seconds", "write p99", lambda value: f"{milliseconds(value)} ms"),
    ("remote_p99_seconds", "peer p99", lambda value: f"{milliseconds(value)} ms"),
)

#: What happens in each leg of a write.
LEG_TEXTS = {
    "queue": "wait until a frame is made",
    "own log": "write and sync at home",
    "link out": "the frame travels",
    "peer's log": "write and sync over there",
    "link back": "the confirmation travels",
    "acknowledge": "both logs have it: tell the client",
}


def in_columns(report: Report, field: str, count: int = _SPAN) -> list[float | None]:
    """A series in so many columns: the worst of each; the last known figure where none is new."""
    since, until = report["since_unix"], report["until_unix"]
    step = max(until - since, 1e-9) / count
    columns: list[float | None] = [None] * count
    seen: list[bool] = [False] * count
    for point in report["points"]:
        at = min(int((point["unix"] - since) / step), count - 1)
        value = point[field]
        known = columns[at]
        columns[at] = value if known is None or not seen[at] else max(known, value or known)
        seen[at] = True
    last: float | None = None
    for at in range(count):
        last = columns[at] if seen[at] else last
        columns[at] = last
    return columns


def sparkline(values: Sequence[float | None]) -> str:
    """Values as bars, the largest the highest; a dot where nothing is known."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(
        "·" if value is None else _BARS[min(int(value / top * 8), 7)] if top else _BARS[0]
        for value in values
    )


def event_marks(report: Report, count: int = _SPAN) -> str:
    """A line that marks the columns in which something happened."""
    since, until = report["since_unix"], report["until_unix"]
    marks = [" "] * count
    for event in report["events"]:
        at = int((event["unix"] - since) / max(until - since, 1e-9) * count)
        if 0 <= at < count:
            weight = {"error": "✖", "warning": "▲"}.get(event["level"], "|")
            marks[at] = weight if marks[at] in {" ", "|"} else marks[at]
    return "".join(marks).rstrip() or " "


def _lag(report: Report) -> Page:
    span = duration(report["until_unix"] - report["since_unix"])
    rows = []
    for field, name, write in SERIES:
        known = [point[field] for point in report["points"] if point[field] is not None]
        last = report["points"][-1][field] if report["points"] else None
        rows.append(
            (name, sparkline(in_columns(report, field)),
             write(max(known)) if known else UNKNOWN, UNKNOWN if last is None else write(last))
        )  # fmt: skip
    rows.append(("events", event_marks(report), str(len(report["events"])), ""))
    lines = [
        f"{clock(event['unix'])}  {event['code']} {event['text']}"
        for event in report["events"][-_EVENTS_SHOWN:]
    ]
    legs = report["latency"]
    if legs["write"]["count"]:
        lines.append(
            "now    "
            + ", ".join(
                f"{name.replace('_', ' ')} {milliseconds(legs[name]['p50_seconds'])} ms"
                for name in ("write", "queue", "local_log", "remote_log", "round_trip")
                if legs[name]["count"]
            )
        )
    headline = f"{report['group']}, the last {span}, worst of each {_per(report)}"
    return Page(headline, ("", "OVER TIME", "MOST", "NOW"), tuple(rows), tuple(lines))


def _per(report: Report) -> str:
    return duration((report["until_unix"] - report["since_unix"]) / _SPAN)


def _trace(report: Report) -> Page:
    if not report["legs"]:
        headline = f"{report['group']}: no write in the last ten seconds, so nothing is known"
        return Page(headline, lines=("next   srshell status",))
    total = report["total_seconds"]
    rows = tuple(
        (leg["name"], f"{milliseconds(leg['seconds'])} ms", _bar(leg, total),
         LEG_TEXTS.get(leg["name"], ""))
        for leg in report["legs"]
    )  # fmt: skip
    headline = (
        f"{report['group']}: the median of {report['count']} writes took "
        f"{milliseconds(total)} ms, most of it: {report['slowest']}"
    )
    return Page(headline, ("LEG", "TIME", "FROM HANDED IN TO ACKNOWLEDGED", "WHAT"), rows)


def _bar(leg: Report, total: float) -> str:
    """Where in the whole a leg lies."""
    width = _SPAN - 6
    begin = min(round(float(leg["begin_seconds"]) / total * width), width - 1)
    long = max(round(float(leg["seconds"]) / total * width), 1)
    return "·" * begin + "█" * min(long, width - begin)


def _map(report: Report) -> Page:
    arrays = {array["name"]: array for array in report["arrays"]}
    lines: list[str] = []
    drawn: set[str] = set()
    for name, array in arrays.items():
        if name in drawn:
            continue
        peer = arrays.get(array["peer"] or "")
        drawn |= {name, peer["name"] if peer else name}
        lines += [*_boxes(array, peer), ""]
    if not arrays:
        return Page("no arrays yet", lines=("next   srshell identify ./east ./west",))
    return Page(f"fabric {report['fabric']}", lines=tuple(lines[:-1]))


def _boxes(left: Report, right: Report | None) -> list[str]:
    """Two arrays beside one another, and which way their groups replicate."""
    if right is None:
        return _box(left, [_group_lines(group) for group in left["groups"]])
    partners = {group["name"]: group for group in right["groups"]}
    ordered = [partners.get(group["peer"] or "") for group in left["groups"]]
    alone = [group for group in right["groups"] if group not in ordered]
    pairs = [*zip(left["groups"], ordered, strict=True), *((None, group) for group in alone)]
    blocks: tuple[list[list[str]], list[list[str]]] = ([], [])
    arrows: list[str] = []
    for one, other in pairs:
        sides = [_group_lines(group) for group in (one, other)]
        high = max(len(side) for side in sides)
        for block, side in zip(blocks, sides, strict=True):
            block.append(side + [""] * (high - len(side)))
        arrows += [_arrow(one, other), *[""] * (high - 1)]
    boxes = [_box(left, blocks[0]), _box(right, blocks[1])]
    high = max(len(box) for box in boxes)
    for box in boxes:
        box[-1:-1] = [f"│{'':{_BOX}}│"] * (high - len(box))
    middle = ["", "", *arrows]
    middle += [""] * (high - len(middle))
    return [f"{a} {m:^10} {b}" for a, m, b in zip(boxes[0], middle, boxes[1], strict=True)]


def _arrow(one: Report | None, other: Report | None) -> str:
    """From the primary to its copy; a dashed one when they are not in step."""
    if one is None or other is None:
        return ""
    line = "━━━━━━" if one["state"] == "Synchronizing" else "╌╌╌╌╌╌"
    if one["is_primary"] == other["is_primary"]:
        return f"{line}"
    return f"{line}▶" if one["is_primary"] else f"◀{line}"


def _box(array: Report, groups: Sequence[Sequence[str]]) -> list[str]:
    """One array as a box."""
    title = f" {array['name']} at {array['site']} "
    lines = [f"pools {', '.join(array['pools']) or UNKNOWN}"]
    for group in groups:
        lines += group
    lines += [f"volume {name}" for name in array["volumes"]]
    lines += [f"machine {name}" for name in array["machines"]]
    body = [f"│ {_fit(line, _BOX - 2):{_BOX - 2}} │" for line in lines]
    return [f"┌{_fit(title, _BOX):─<{_BOX}}┐", *body, f"└{'─' * _BOX}┘"]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _group_lines(group: Report | None) -> list[str]:
    """A group in its box: health, name, part, members."""
    if group is None:
        return []
    part = "primary" if group["is_primary"] else "copy" if group["peer"] else "not protected"
    lines = [f"{MARKS.get(group['health'], '○')} {group['name']} ({part})", f"  {group['state']}"]
    lines += [f"  {name}" for name in group["volumes"]]
    return [*lines, f"  log {group['log']}"]


def _drill(report: Report) -> Page:
    rows = []
    lines: list[str] = []
    for drill in report["drills"]:
        rows.append(
            (clock(drill["began_unix"]), drill["command"], drill["who"] or "the owner's user",
             drill["state"], duration(drill["seconds"]), duration(drill["outage_seconds"]),
             lost(drill))
        )  # fmt: skip
        lines.append(f"job {drill['job']}: {drill['command']}")
        lines += [
            f"  {step['state']:<8} {duration(step['seconds']):>7}  {step['text']}"
            for step in drill["steps"]
        ]
        if drill["error"]:
            lines.append(f"  {drill['error']}")
    headline = f"{report['group']} is {report['state']}; changes of roles: {len(rows)}"
    columns = ("WHEN", "COMMAND", "WHO", "STATE", "RTO", "NO WRITES", "LOST (RPO)")
    return Page(headline, columns, tuple(rows), tuple(lines))


def lost(drill: Report) -> str:
    """What a change of roles lost; a dash while it is not known."""
    if drill["lost_writes"] is None:
        return UNKNOWN
    return f"{drill['lost_writes']} writes, {size(drill['lost_bytes'])}"


PLOT_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.lag/1": _lag,
    "srshell.trace/1": _trace,
    "srshell.map/1": _map,
    "srshell.drill/1": _drill,
}
