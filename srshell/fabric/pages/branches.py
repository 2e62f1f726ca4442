"""Pages of branches, and of prefixes.

Always true: a page is made from the JSON of its report alone.
"""

from __future__ import annotations

from collections.abc import Callable

from srshell.fabric.pages.words import Page, Report, clock, size


def _branches(report: Report) -> Page:
    rows = tuple(
        (
            row["name"],
            row["array"],
            size(row["diverged_bytes"]),
            size(row["used_bytes"]),
            clock(row["saved_unix"]),
            clock(row["expires_unix"]),
            "yes" if row.get("exports") else "no",
        )
        for row in report["branches"]
    )
    lines = [f"{array} does not answer: its branches are not listed"
             for array in report.get("unreachable", ())]  # fmt: skip
    lines += [f"cannot be read: {text}" for text in report.get("damaged", ())]
    columns = ("BRANCH", "LOST BY", "DIVERGED", "TAKES", "SAVED", "KEPT UNTIL", "EXPORTED")
    return Page("" if rows else "no branches", columns if rows else (), rows, tuple(lines))


def _branch(report: Report) -> Page:
    row = report["branch"]
    if report.get("removed"):
        return Page(f"branch {row['name']} was removed: {size(row['used_bytes'])} given back")
    blocks = f"{row['diverged_blocks']} blocks, {size(row['diverged_bytes'])}"
    lines = [
        f"lost by {row['array']}, {row['kept']} was kept; kept until {clock(row['expires_unix'])}",
        f"only {row['array']} had written: {blocks}, LSN {row['from_lsn'] + 1} to {row['to_lsn']}",
        f"first write {clock(row['first_write_unix'])}, last {clock(row['last_write_unix'])}",
    ]
    lines += [f"{export['volume']}: {export['uri']}" for export in row.get("exports", ())]
    rows = tuple(
        (each["volume"], size(each["size_bytes"]), size(each["diverged_bytes"]), each["path"])
        for each in row["volumes"]
    )
    headline = f"branch {row['name']}: {size(row['used_bytes'])} of {size(row['size_bytes'])}"
    return Page(headline, ("VOLUME", "SIZE", "DIVERGED", "IMAGE"), rows, tuple(lines))


def _export(report: Report) -> Page:
    if not report["serving"]:
        return Page(f"{report['branch']} is served no longer")
    uris = tuple(f"{export['uri']} (read-only)" for export in report["exports"])
    return Page(uris[0], lines=uris[1:])


def _prefixes(report: Report) -> Page:
    count, clean = report["prefixes"], report["clean"]
    headline = (
        f"{clean} of {count} prefixes are clean, LSN {report['first_lsn']} to {report['last_lsn']}"
    )
    rows = tuple((str(each["lsn"]), each["text"]) for each in report["problems"])
    return Page(headline, ("LSN", "WHAT IS WRONG") if rows else (), rows)


BRANCH_PAGES: dict[str, Callable[[Report], Page]] = {
    "srshell.branches/1": _branches,
    "srshell.branch/1": _branch,
    "srshell.branch-export/1": _export,
    "srshell.prefixes/1": _prefixes,
}
