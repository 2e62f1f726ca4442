"""Hold what the tests ran against the bars, after `coverage combine`.

Always true:

(1) Formats, decisions, log and superblock are run branch by branch, all of them; anything less
    ends with exit code 1.
(2) The rest of `srshell` is counted by lines and printed beside its bar, with the files that are
    furthest from it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import coverage

#: Every branch of these is run (a folder stands for all of its files).
WHOLE = (
    "srshell/codec/",
    "srshell/replication/decide.py",
    "srshell/replication/ring.py",
    "srshell/replication/scan.py",
    "srshell/engine/log_file.py",
    "srshell/engine/superblock_file.py",
)
#: Of the lines of everything else in `srshell`, at least this share.
LINES_BAR = 0.95
_WORST = 10


@attrs.frozen
class Ran:
    """What was run of one file."""

    path: str
    statements: int
    missed_lines: tuple[int, ...]
    missed_branches: tuple[tuple[int, int], ...]

    @property
    def whole(self) -> bool:
        """Tell whether nothing was left out."""
        return not self.missed_lines and not self.missed_branches


@attrs.frozen
class Verdict:
    """Both figures, and what keeps the first one from its bar."""

    branch_share: float
    line_share: float
    holes: tuple[Ran, ...]
    worst: tuple[Ran, ...]

    @property
    def passed(self) -> bool:
        """Tell whether formats and decisions are covered branch by branch."""
        return not self.holes


def judge(files: Iterable[Ran], branches: Mapping[str, int]) -> Verdict:
    """Compare what was run with the bars; ``branches`` are the branches that each file has."""
    strict = [ran for ran in files if ran.path.startswith(WHOLE)]
    rest = [ran for ran in files if not ran.path.startswith(WHOLE)]
    total = sum(ran.statements + branches.get(ran.path, 0) for ran in strict)
    missed = sum(len(ran.missed_lines) + len(ran.missed_branches) for ran in strict)
    lines = sum(ran.statements for ran in rest)
    missed_lines = sum(len(ran.missed_lines) for ran in rest)
    worst = sorted(rest, key=lambda ran: -len(ran.missed_lines))[:_WORST]
    return Verdict(
        1 - missed / total if total else 0.0,
        1 - missed_lines / lines if lines else 0.0,
        tuple(ran for ran in strict if not ran.whole),
        tuple(ran for ran in worst if ran.missed_lines),
    )


def measured(report: Mapping[str, Any]) -> tuple[list[Ran], dict[str, int]]:
    """Read the files of `srshell` from a report of `coverage json`."""
    files, branches = [], {}
    for path, found in sorted(report["files"].items()):
        if path.startswith("srshell/"):
            branches[path] = found["summary"]["num_branches"]
            files.append(
                Ran(
                    path,
                    found["summary"]["num_statements"],
                    tuple(found["missing_lines"]),
                    tuple((line, end) for line, end in found["missing_branches"]),
                )
            )
    return files, branches


def told(verdict: Verdict) -> list[str]:
    """Return what to print."""
    lines = [
        f"formats, decisions, log, superblock: {verdict.branch_share:.2%} with branches (bar 100%)",
        f"the rest of srshell: {verdict.line_share:.2%} of lines (bar {LINES_BAR:.0%})",
    ]
    lines += [
        f"  not run: {ran.path} lines {list(ran.missed_lines)} branches {list(ran.missed_branches)}"
        for ran in verdict.holes
    ]
    lines += [
        f"  {len(ran.missed_lines):4} of {ran.statements:4} lines not run in {ran.path}"
        for ran in verdict.worst
    ]
    return lines


def main() -> int:
    """Print both figures; 1 when the first is below its bar."""
    report = Path("build/coverage.json")
    data = coverage.Coverage()
    data.load()
    data.json_report(outfile=str(report))
    verdict = judge(*measured(json.loads(report.read_text())))
    sys.stdout.write("\n".join(told(verdict)) + "\n")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
