"""``python -m tests.soak.fuzz --target T --count K --from N``: random input for one reader.

Always true: the inputs are those of the numbers N to N + K - 1; each that breaks a promise is
written to ``build/fuzz/T`` and told on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.fuzz.harness import Finding, run
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Try them; the last line on standard output is what was counted."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.fuzz")
    parser.add_argument("--target", choices=sorted(TARGETS), required=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    findings = run(TARGETS[options.target](), numbers)
    for finding in findings:
        print(_told(finding), file=sys.stderr)  # noqa: T201
    figures = {
        "target": options.target,
        "inputs": options.count,
        "violations": len(findings),
    }
    print(json.dumps(figures))  # noqa: T201
    return 1 if findings else 0


def _told(finding: Finding) -> str:
    return f"{finding.target} {finding.number}: {finding.problem} ({finding.keep()})"


if __name__ == "__main__":
    sys.exit(main())
