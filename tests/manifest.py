"""The manifest of a test run: every skipped test and its reason, the right or tool it needs.

Always true:

(1) A skip without a reason of its own fails the run.
(2) The manifest is written at the end of every run, also when it is empty.
(3) It is a JSON object ``{"skipped": [{"test": ..., "reason": ...}]}``, sorted by test.

As a program it asserts that a manifest is empty: silent if so, exit code 1 and the list if not.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

NO_REASON = frozenset({"", "unconditional skip"})


@attrs.frozen(order=True)
class Skip:
    """One test that did not run."""

    test: str
    reason: str

    @property
    def has_reason(self) -> bool:
        """Whether a person gave the reason, rather than pytest's own words for none."""
        return self.reason.strip() not in NO_REASON


def write(path: Path, skips: Sequence[Skip]) -> None:
    """Write the manifest; makes the folder, replaces an older manifest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [attrs.asdict(skip) for skip in sorted(skips)]
    path.write_text(json.dumps({"skipped": rows}, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Skip]:
    """Read a manifest; raises OSError if there is none and ValueError if it is not one."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return [Skip(row["test"], row["reason"]) for row in document["skipped"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if the manifest is empty, else 1, with the skips on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.manifest", description=__doc__)
    parser.add_argument("--must-be-empty", metavar="FILE", type=Path, required=True)
    path: Path = parser.parse_args(arguments).must_be_empty
    skips = read(path)
    for skip in skips:
        sys.stderr.write(f"skipped although everything is installed: {skip.test}: {skip.reason}\n")
    return 1 if skips else 0


if __name__ == "__main__":
    sys.exit(main())
