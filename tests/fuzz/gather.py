"""``python -m tests.fuzz.gather --target T``: keep the few inputs that together reach most.

Always true: an input is kept if it reaches a line of ours that none before it reached; those that
are in the corpus already come first.
"""

from __future__ import annotations

import argparse
import random
import sys
import zlib
from types import FrameType
from typing import Any, Final

from tests.fuzz.harness import CORPUS, Target, attempt, corpus
from tests.fuzz.targets import TARGETS

_OURS: Final = ("/srshell/", "/srshell_magics/")
_SIZE_MAX: Final = 8 * 1024


def main() -> None:
    """Look at inputs that the seeds and the corpus do not make superfluous."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.gather")
    parser.add_argument("--target", choices=sorted(TARGETS), required=True)
    parser.add_argument("--count", type=int, default=20_000)
    options = parser.parse_args()
    target = TARGETS[options.target]()
    known: set[tuple[str, int, str]] = set()
    present = [data for _, data in corpus(target.name)]
    for data in [*target.seeds(), *present]:
        known |= _reached(target, data)
    seeds = [*target.seeds(), *present]
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        data = target.make(random.Random(f"gather {target.name} {number}"), seeds)
        if len(data) > _SIZE_MAX:
            continue
        new = _reached(target, data) - known
        if new:
            known |= new
            (folder / f"{zlib.crc32(data):08x}").write_bytes(data)


def _reached(target: Target, data: bytes) -> set[tuple[str, int, str]]:
    """The lines of ours that reading an input runs, and how it ends."""
    lines: set[tuple[str, int, str]] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401
        name = frame.f_code.co_filename
        if not any(part in name for part in _OURS):
            return None
        if event == "line":
            lines.add((name, frame.f_lineno, ""))
        return trace

    sys.settrace(trace)
    try:
        problem = attempt(target, data)
    finally:
        sys.settrace(None)
    return lines | {("", 0, problem)} if problem else lines


if __name__ == "__main__":
    main()
