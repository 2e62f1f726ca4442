"""Every planted bug and what catches it: ``python -m tests.mutants``.

    --record    write the witnesses of the simulator's mutants, which the test run replays
    --replay    replay the witnesses instead of hunting from the beginning
    --processes N

Always true: the last line is one JSON object of figures; the exit status is 0 only if every mutant
was caught.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from srshell.simulation.hunting import Outcome, hunt_all
from tests.mutants import product, rules

WITNESSES = Path(__file__).parents[1] / "simulation" / "witnesses.json"

#: Name or sentence, promise, catcher, how many were tried; no catcher: it survived.
Row = tuple[str, str, str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Hunt them all; return 0 when none survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    witnesses = json.loads(WITNESSES.read_text("utf-8")) if WITNESSES.exists() else {}
    known = witnesses if options.replay else {}
    rows: list[Row] = []
    found: dict[str, str] = {}
    for outcome in hunt_all(options.processes, known, long=not options.record):
        rows.append(_row(outcome))
        _print(rows[-1])
        if outcome.catch is not None:
            found[outcome.mutant.name] = outcome.catch.witness
    for row in _others():
        rows.append(row)
        _print(row)
    if options.record:
        WITNESSES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(_figures(rows) + "\n")
    return int(any(not catcher for _, _, catcher, _ in rows))


def _others() -> Iterator[Row]:
    """Give the mutants of the rules and those of the rest of the product."""
    yield from rules.rows()
    yield from product.rows()


def _row(outcome: Outcome) -> Row:
    found = outcome.catch
    catcher = f"{found.catcher}: {found.witness.partition(' ')[2]}" if found is not None else ""
    return outcome.mutant.name, outcome.mutant.promise, catcher, found.tries if found else 0


def _print(row: Row) -> None:
    name, promise, catcher, tries = row
    sys.stdout.write(f"{name:72} {promise:4} {tries:8} {catcher or 'SURVIVED'}\n")
    sys.stdout.flush()


def _figures(rows: list[Row]) -> str:
    caught = [row for row in rows if row[2]]
    figures = {
        "mutants": len(rows),
        "caught": len(caught),
        "promises": len({row[1] for row in rows}),
        "by": dict(Counter(row[2].partition(":")[0] for row in caught)),
        "violations": len(rows) - len(caught),
    }
    return json.dumps(figures)


if __name__ == "__main__":
    sys.exit(main())
