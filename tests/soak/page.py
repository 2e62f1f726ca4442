"""Writes the scorecard of docs/reliability.md from the ledger: ``python -m tests.soak.page``.

Always true: only the text between the two marks is written, and it says nothing that the ledger
does not.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from tests.soak.__main__ import LEDGER, ROOT
from tests.soak.ledger import Entry, read, total
from tests.soak.works import WORKS, Work

PAGE = ROOT / "docs" / "reliability.md"
_BEGIN = "<!-- scorecard: python -m tests.soak.page -->"
_END = "<!-- end of scorecard -->"
_HEAD = (
    "| what was run | done | goal | failed pieces | minutes | last at commit | on |",
    "| --- | ---: | ---: | ---: | ---: | --- | --- |",
)


def scorecard(entries: list[Entry]) -> str:
    """Return the table, a line for each kind of work."""
    return "\n".join([*_HEAD, *(_line(work, entries) for work in WORKS)])


def _line(work: Work, entries: list[Entry]) -> str:
    here = [entry for entry in entries if entry.work == work.name]
    done = total(entries, work.name, work.figure)
    failed = sum(entry.status != 0 for entry in here)
    if not here:
        return f"| {work.name} | 0 | {work.goal:,} | | | not yet | |"
    last, minutes = here[-1], math.fsum(entry.seconds for entry in here) / 60
    day = time.strftime("%Y-%m-%d", time.gmtime(last.ended_unix))
    return (
        f"| {work.name} | {done:,} {work.figure} | {work.goal:,} | {failed} | {minutes:.1f} "
        f"| {last.commit} | {day} |"
    )


def with_scorecard(page: str, table: str) -> str:
    """Return the page with this table between the marks."""
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise SystemExit(f"{PAGE.name} lacks its marks")
    return f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}"


def main(page: Path = PAGE, ledger: Path = LEDGER) -> int:
    """Write the page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(with_scorecard(text, scorecard(read(ledger))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
