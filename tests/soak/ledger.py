"""What was run, at which commit, and what came of it: one JSON object a line.

Always true: a line is written when a piece of work has ended, never before; the file is replaced as
a whole, so a kill leaves the old one or the new.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs


@attrs.frozen
class Entry:
    """One piece of work.  ``status`` is its exit status, ``figures`` what it counted."""

    commit: str
    work: str
    command: str
    status: int
    seconds: float
    ended_unix: float
    figures: dict[str, int] = attrs.field(factory=dict)


def read(ledger: Path) -> list[Entry]:
    """Everything that was done, oldest first."""
    if not ledger.exists():
        return []
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return [Entry(**json.loads(line)) for line in lines]


def append(ledger: Path, entry: Entry) -> None:
    """Add a line."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(attrs.asdict(each)) + "\n" for each in [*read(ledger), entry]]
    fresh = ledger.with_suffix(".new")
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.replace(ledger)


def total(entries: list[Entry], work: str, figure: str) -> int:
    """Sum of a figure over the pieces of a work that found nothing wrong."""
    return sum(
        entry.figures.get(figure, 0)
        for entry in entries
        if entry.work == work and entry.status == 0
    )
