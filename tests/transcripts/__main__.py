"""``python -m tests.transcripts [--rewrite] [NAME…]``: play transcripts; write what they print now.

Always true: nothing is written without ``--rewrite``, and what changed is named.
"""

from __future__ import annotations

import argparse
import difflib
import sys

from tests.transcripts.transcript import rewritten, scenarios


def main() -> int:
    """Play them; 1 if one printed something else than it shows."""
    parser = argparse.ArgumentParser(prog="python -m tests.transcripts", description=__doc__)
    parser.add_argument("--rewrite", action="store_true", help="write what is printed now")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all when none is named")
    options = parser.parse_args()
    changed = 0
    for path in scenarios():
        if options.names and path.stem not in options.names:
            continue
        before = path.read_text(encoding="utf-8")
        after = rewritten(before)
        if before != after:
            changed += 1
            shown, printed = before.splitlines(keepends=True), after.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(shown, printed, path.name, "now"))
            if options.rewrite:
                path.write_text(after, encoding="utf-8")
    return int(bool(changed) and not options.rewrite)


if __name__ == "__main__":
    sys.exit(main())
