"""Pages of groups, their state and their protection.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

from collections.abc import Callable

from srshell.fabric.pages.figures import figure_lines
from srshell.fabric.pages.words import (
    MARKS,
    UNKNOWN,
    Page,
    Report,
    already,
    clock,
    duration,
    progress_line,
    size,
    warnings,
)


def _group(report: Report) -> Page:
    rows = (
        ("array", report["array"]),
        ("data", ", ".join(report["data"])),
        ("log", report["log"]),
        ("mode", report["mode"]),
        ("on peer loss", report["on_peer_loss"]),
        ("peer", report.get("peer") or UNKNOWN),
        ("vms", ", ".join(report.get("vms", ())) or UNKNOWN),
        ("copies", _terms(report)),
    )
    role = "primary" if report.get("is_primary") else "secondary" if report.get("peer") else "alone"
    headline = f"group {report['name']}: {role}, {report['replication_state']}"
    return Page(headline, ("", ""), rows, warnings(report))


def _terms(report: Report) -> str:
    """What the copies of a group may take."""
    if report.get("copy_priority") is None:
        return UNKNOWN
    most = report.get("copy_bytes_per_second_max")
    return f"priority {report['copy_priority']}{f', at most {size(most)}/s' if most else ''}"


def _at_most(row: Report) -> str:
    """The end of a line of progress: what the copy may take now."""
    share = row.get("copy_share_bytes_per_second")
    return f", at most {size(round(share))}/s" if share else ""


def _copies(report: Report) -> Page:
    most = report.get("bytes_per_second_max")
    headline = f"copies out of a site together take at most {size(most)}/s" if most else ""
    rows = tuple(
        (
            f"{row['name']} > {row['peer']}",
            str(row["priority"]),
            _rate(row["bytes_per_second_max"]),
            _rate(row["share_bytes_per_second"]),
            progress_line(row["progress"]) or UNKNOWN,
        )
        for row in report["copies"]
    )
    waiting = ", ".join(report.get("waiting_for") or ())
    lines = (f"not told yet, for it does not answer: {waiting}",) if waiting else ()
    columns = ("GROUP", "PRIORITY", "OWN RATE", "MAY TAKE", "COPY")
    return Page(headline or "copies take as much as they can", columns, rows, lines)


def _rate(bytes_per_second: float | None) -> str:
    return f"{size(round(bytes_per_second))}/s" if bytes_per_second else UNKNOWN


def _groups(report: Report) -> Page:
    rows = tuple(
        (
            group["name"],
            group["array"],
            group.get("peer") or UNKNOWN,
            group["replication_state"],
            ", ".join(group["data"]),
        )
        for group in report["groups"]
    )
    return Page("", ("GROUP", "ARRAY", "PEER", "STATE", "DATA"), rows)


def _enable(report: Report) -> Page:
    headline = f"{report['source']} is protected by {report['destination']}{already(report)}"
    waiting = report.get("waiting_on") or ()
    lines = (f"the first copy waits for: {', '.join(waiting)}",) if waiting else ()
    return Page(headline, lines=lines + warnings(report))


def _refresh(report: Report) -> Page:
    headline = f"refreshed {', '.join(report['arrays']) or 'nothing'}"
    started = report.get("started") or ()
    lines = (f"the first copy began: {', '.join(started)}",) if started else ()
    return Page(headline, lines=lines + warnings(report))


def _status_row(row: Report) -> tuple[str, ...]:
    health = row["replication_health"]
    total, free = row.get("log_bytes", 0), row.get("log_bytes_free", 0)
    return (
        row["name"],
        str(row["is_primary"]),
        row["replication_state"],
        f"{MARKS.get(health, '?')} {health}",
        "yes" if row["failover_ready"] else "no",
        duration(row["rpo_seconds"]),
        f"{100 * (total - free) // total}%" if total else UNKNOWN,
    )


def _status(report: Report) -> Page:
    columns = (
        "GROUP",
        "IsPrimary",
        "ReplicationState",
        "ReplicationHealth",
        "READY",
        "RPO",
        "LOG",
    )
    lines: list[str] = []
    for row in report["groups"]:
        if row.get("progress"):
            lines.append(f"{row['name']}: {progress_line(row['progress'])}{_at_most(row)}")
        lines += [f"{row['name']}: {reason['text']}" for reason in row["health_reasons"]]
        lines += [f"  {line}" for line in _split(row)]
        lines += _verification(row)
        lines += figure_lines(row)
        if row["is_primary"]:
            ready = "yes" if row["failover_ready"] else "no"
            lines.append(f"failover ready: {ready}, because {row['failover_ready_reason']}")
    rows = tuple(_status_row(row) for row in report["groups"])
    return Page("", columns, rows, tuple(lines))


def _split(row: Report) -> list[str]:
    """Both deltas of a split brain, and how it is ended."""
    sides = list(row.get("split", ()))
    lines = [
        f"{side['array']}: {side['blocks']} blocks, {size(side['bytes'])}, "
        f"LSN {side['from_lsn'] + 1} to {side['to_lsn']}, "
        f"written {clock(side['first_write_unix'])} to {clock(side['last_write_unix'])}"
        for side in sides
    ]
    if len(sides) > 1:
        one, other = sides[0]["array"], sides[1]["array"]
        lines.append(f"keep {one}: srshell resolve {row['name']} --keep {one} --confirm {other}")
    return lines


def _verify(report: Report) -> Page:
    blocks = f"{report['blocks_compared']:,}".replace(",", " ")
    if report["differing_blocks"]:
        headline = f"{report['differing_blocks']} of {blocks} blocks differ at LSN {report['lsn']}"
    else:
        headline = f"both sides are equal: {blocks} blocks at LSN {report['lsn']}"
    compared, different = report["log_records_compared"], report["log_differences"]
    lines = [f"{compared} log records compared, {different} differ"]
    if report.get("repaired_blocks"):
        lines.append(f"blocks repaired: {report['repaired_blocks']}")
    lines += [_wrong(row) for row in report.get("ranges", ())]
    lines += [f"damaged at the {text}" for text in report.get("damage", ())]
    if not report.get("past_cache", True):
        lines.append("the page cache may have answered: a file system has no way past it")
    return Page(headline, lines=tuple(lines))


#: What is wrong, and why it is not repaired if it is not.
_WRONG = {
    "source": ("the source is wrong", "the destination does not prove what is right"),
    "destination": ("the destination is wrong", "the source does not prove what is right"),
    "both": ("both sides are wrong", "no copy is what was written"),
    "unknown": ("the sides differ", "no checksum says which one is right"),
    "checksum": ("both sides are equal, and not what was recorded", "no copy is what was written"),
}


def _wrong(row: Report) -> str:
    """One range that is not as it should be."""
    what, why = _WRONG.get(row["wrong"], (row["wrong"], ""))
    if row.get("repaired"):
        ending = "repaired"
    elif row.get("proven"):
        ending = "--repair can put it right"
    else:
        ending = f"cannot be repaired: {why}"
    return f"{row['volume']} at {row['offset']}, {size(row['length'])}: {what}; {ending}"


def _verification(row: Report) -> list[str]:
    """What is known of the verifications of a group."""
    known = row.get("verification")
    if known is None or not row["is_primary"]:
        return []
    words = []
    if known["last_unix"] is not None:
        found = "clean" if known["clean"] else f"wrong blocks: {known['wrong_blocks']}"
        words.append(f"verified {duration(known['age_seconds'])} ago, {found}")
    else:
        words.append("never verified to the end")
    if known["done_bytes"] is not None:
        doing = "verifying" if known["running"] else "a verification stopped"
        words.append(f"{doing} at {size(known['done_bytes'])} of {size(known['total_bytes'])}")
    if known["every_hours"]:
        words.append(f"every {known['every_hours']:g} h")
    return [f"{row['name']}: {', '.join(words)}"]


GROUP_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.group/1": _group,
    "srshell.groups/1": _groups,
    "srshell.copies/1": _copies,
    "srshell.enable/1": _enable,
    "srshell.refresh/1": _refresh,
    "srshell.status/1": _status,
    "srshell.verify/1": _verify,
}
