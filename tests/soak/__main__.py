"""`make soak`: the long forms of the tests, one after the other, for as long as they are given.

``python -m tests.soak [--hours H] [--only NAME] [--ledger FILE]``

Always true:

(1) A soak that is interrupted goes on after its last whole piece; a piece that was cut short is
    done again.
(2) Pieces are counted over all soaks of a ledger, so no seed runs twice.
(3) The first failure of a kind of work ends that kind; the exit status is 1 if there was any
    at this commit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.soak.ledger import Entry, append, read, total
from tests.soak.works import WORKS, Work

ROOT = Path(__file__).resolve().parents[2]
LEDGER = ROOT / "docs" / "soak.jsonl"
#: A piece that takes longer hangs, which is a failure.
_PIECE_SECONDS = 3 * 3600
_HUNG = 124


def due(work: Work, entries: list[Entry], commit: str, *, enough: bool) -> bool:
    """Whether a piece of the work is left to do at this commit; ``enough``: up to its goal."""
    here = [entry for entry in entries if (entry.work, entry.commit) == (work.name, commit)]
    if any(entry.status for entry in here) or (work.once and here):
        return False
    return not (enough and total(entries, work.name, work.figure) >= work.goal)


def soak(
    ledger: Path, seconds: float, works: tuple[Work, ...], commit: str, *, enough: bool = False
) -> int:
    """Do one piece of each kind in turn until the time is over or nothing is left to do."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        left = [work for work in works if due(work, read(ledger), commit, enough=enough)]
        if not left:
            break
        for work in left:
            if time.monotonic() >= end:
                break
            done = sum(entry.work == work.name for entry in read(ledger))
            append(ledger, _do(work, done, commit))
    return _tell(ledger, works, commit)


def _do(work: Work, done: int, commit: str) -> Entry:
    words = ["-m", *work.command(done)]
    print(f"soak: {work.name}: python {' '.join(words)}", flush=True)  # noqa: T201
    began = time.monotonic()
    command = [sys.executable, *words]
    try:
        ended = subprocess.run(
            command, cwd=ROOT, check=False, timeout=_PIECE_SECONDS, stdout=subprocess.PIPE
        )
        status, said = ended.returncode, ended.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        status, said = _HUNG, ""
    if status:
        print(said, flush=True)  # noqa: T201
    seconds = round(time.monotonic() - began, 1)
    return Entry(commit, work.name, " ".join(words), status, seconds, time.time(), _figures(said))


def _figures(said: str) -> dict[str, int]:
    """The numbers of the last line, if it is an object of them."""
    lines = said.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if type(value) is int}


def _tell(ledger: Path, works: tuple[Work, ...], commit: str) -> int:
    """Print what was done, here and before; 1 if anything failed at this commit."""
    entries = read(ledger)
    failed = [entry for entry in entries if entry.commit == commit and entry.status]
    print(f"soak: at {commit}, in {ledger}:")  # noqa: T201
    for work in works:
        done = total(entries, work.name, work.figure)
        bad = next((entry.command for entry in failed if entry.work == work.name), "")
        said = f"FAILED: python {bad}" if bad else "all passed" if done else "not begun"
        print(f"  {work.name:<16} {done:>10} of {work.goal:>10} {work.figure:<8} {said}")  # noqa: T201
    names = {work.name for work in works}
    return int(any(entry.work in names for entry in failed))


def commit_here() -> str:
    """What is tested: the commit, and a digest of how tracked files differ from it."""
    described = _git("describe", "--always", "--abbrev=12").decode().strip() or "no-commit"
    changes = _git("diff", "HEAD", "--", ".", f":!{LEDGER.relative_to(ROOT)}")
    return f"{described}+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else described


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False).stdout


def main() -> int:
    """Soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="begin nothing after that time")
    parser.add_argument("--only", choices=[work.name for work in WORKS], help="one kind of work")
    parser.add_argument("--enough", action="store_true", help="no more than the goals ask")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where what was done is kept")
    options = parser.parse_args()
    works = tuple(work for work in WORKS if options.only in {None, work.name})
    seconds = options.hours * 3600
    return soak(options.ledger, seconds, works, commit_here(), enough=options.enough)


if __name__ == "__main__":
    sys.exit(main())
