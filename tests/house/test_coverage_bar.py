"""The bars of coverage: what is below the first one fails, and says which lines are to blame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.coverage_bar import WHOLE, judge, measured, told


def report(**files: tuple[list[int], list[list[int]]]) -> dict[str, Any]:
    """Return what `coverage json` writes: ten statements and four branches in each file."""
    return {
        "files": {
            path.replace("__", "/") + ".py": {
                "summary": {"num_statements": 10, "num_branches": 4},
                "missing_lines": lines,
                "missing_branches": branches,
            }
            for path, (lines, branches) in files.items()
        }
    }


def test_all_of_the_formats_and_most_of_the_rest_pass() -> None:
    found = report(srshell__codec__page=([], []), srshell__site__host=([3], []))
    verdict = judge(*measured(found))
    assert verdict.passed
    assert (verdict.branch_share, verdict.line_share) == (1.0, 0.9)
    assert [ran.path for ran in verdict.worst] == ["srshell/site/host.py"]


def test_one_branch_that_was_not_run_is_below_the_bar_and_is_named() -> None:
    verdict = judge(*measured(report(srshell__replication__ring=([], [[5, 7]]))))
    assert not verdict.passed
    assert any("ring.py" in line and "(5, 7)" in line for line in told(verdict))


def test_screens_and_magics_are_not_counted_as_the_house() -> None:
    files, _ = measured(report(tui__srshell_tui__app=([1], []), srshell__cli__main=([], [])))
    assert [ran.path for ran in files] == ["srshell/cli/main.py"]


def test_whatever_has_its_own_bar_exists() -> None:
    root = Path(__file__).parents[2]
    assert all((root / path).exists() for path in WHOLE)
