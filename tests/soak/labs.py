"""``python -m tests.soak.labs --count K --from N``: every lab, with wrong and right answers.

Seed N plays each lab by its answer key: first every mistake that a check has to see, then the right
answers, which have to earn all points.

Always true: under every seed each mistake is caught by its own check, and nothing right is refused.
"""

from __future__ import annotations

import argparse
import json
import math
import sys

from srshell.labs.class_run import run_class


def main() -> int:
    """Play the labs; 1 if any check misjudged."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.labs", description=__doc__)
    parser.add_argument("--count", type=int, default=1, help="seeds")
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    report = run_class(range(options.first, options.first + options.count))
    for row in report:
        if row.problem:
            print(f"{row.name} under seed {row.seed}: {row.problem}")  # noqa: T201
    bad = sum(bool(row.problem) for row in report)
    figures = {
        "seeds": options.count,
        "runs": len(report),
        "wrong_answers_caught": sum(row.caught for row in report),
        "misjudged": bad,
        "slowest_seconds": math.ceil(max((row.seconds for row in report), default=0.0)),
    }
    print(json.dumps(figures))  # noqa: T201
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
