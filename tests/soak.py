"""`make soak`: the long forms of the tests, one after the other, for as long as they are given.

``python -m tests.soak [--hours H] [--only NAME] [--ledger FILE]``

Always true:

(1) A line of the ledger is written when a piece of work has ended, never before; a soak that is
    interrupted goes on after the last one, and a piece that was cut short is done again.
(2) Seeds are counted up over all soaks of a ledger, so no seed runs twice at one commit.
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
from collections.abc import Callable
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / "build" / "soak.jsonl"
_SEEDS = 200
#: A piece that takes longer hangs, which is a failure.
_PIECE_SECONDS = 3 * 3600
_HUNG = 124


@attrs.frozen
class Work:
    """One kind of long test.  ``command`` is told how many pieces of it are done."""

    name: str
    command: Callable[[int], list[str]]
    #: Doing it again at the same commit would find the same.
    once: bool = False


_EXAMPLES = "pytest -q --hypothesis-profile=soak --timeout=0 tests/unit/codec tests/unit/model"


def _seeds(done: int) -> list[str]:
    return ["srshell.simulation", "--seeds", str(_SEEDS), "--from", str(done * _SEEDS)]


WORKS = (
    Work("seeds", _seeds),
    Work("examples", lambda _: _EXAMPLES.split()),
    Work("sweep", lambda _: ["srshell.simulation", "--sweep", "--thorough"], once=True),
    Work("mutants", lambda _: ["srshell.simulation", "--mutants"], once=True),
    Work("model", lambda _: ["tests.model", "--deep"], once=True),
)


@attrs.frozen
class Entry:
    """One line of the ledger."""

    commit: str
    work: str
    command: str
    status: int
    seconds: float
    ended_unix: float


def read(ledger: Path) -> list[Entry]:
    """Everything that was done."""
    if not ledger.exists():
        return []
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return [Entry(**json.loads(line)) for line in lines]


def due(work: Work, entries: list[Entry], commit: str) -> bool:
    """Whether a piece of the work is left to do at this commit."""
    here = [entry for entry in entries if (entry.work, entry.commit) == (work.name, commit)]
    return not any(entry.status for entry in here) and not (work.once and here)


def soak(ledger: Path, seconds: float, works: tuple[Work, ...], commit: str) -> int:
    """Do one piece of each kind in turn until the time is over or nothing is left to do."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        entries = read(ledger)
        left = [work for work in works if due(work, entries, commit)]
        if not left:
            break
        for work in left:
            if time.monotonic() >= end:
                break
            done = sum(entry.work == work.name for entry in entries)
            _append(ledger, _do(work, done, commit))
    return _tell(ledger, works, commit)


def _do(work: Work, done: int, commit: str) -> Entry:
    words = ["-m", *work.command(done)]
    print(f"soak: {work.name}: python {' '.join(words)}", flush=True)  # noqa: T201
    began = time.monotonic()
    command = [sys.executable, *words]
    try:
        status = subprocess.run(command, cwd=ROOT, check=False, timeout=_PIECE_SECONDS).returncode
    except subprocess.TimeoutExpired:
        status = _HUNG
    return Entry(
        commit, work.name, " ".join(words), status, round(time.monotonic() - began, 1), time.time()
    )


def _append(ledger: Path, entry: Entry) -> None:
    """Add a line; the file is replaced as a whole, so a kill leaves the old one or the new."""
    ledger.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(attrs.asdict(each)) + "\n" for each in [*read(ledger), entry]]
    fresh = ledger.with_suffix(".new")
    fresh.write_text("".join(lines), encoding="utf-8")
    fresh.replace(ledger)


def _tell(ledger: Path, works: tuple[Work, ...], commit: str) -> int:
    """Print what was done at this commit, in this soak and before; 1 if anything failed."""
    entries = [entry for entry in read(ledger) if entry.commit == commit]
    print(f"soak: at {commit}, in {ledger}:")  # noqa: T201
    for work in works:
        here = [entry for entry in entries if entry.work == work.name]
        bad = [entry.command for entry in here if entry.status]
        spent = sum(entry.seconds for entry in here)
        said = f"FAILED: python {bad[0]}" if bad else "all passed" if here else "not begun"
        print(f"  {work.name:<10} {len(here):>5} pieces  {spent:>9.0f} s  {said}")  # noqa: T201
    names = {work.name for work in works}
    return int(any(entry.status for entry in entries if entry.work in names))


def _commit() -> str:
    """What is tested: the commit, and a digest of how tracked files differ from it."""
    described = _git("describe", "--always", "--abbrev=12").decode().strip() or "no-commit"
    changes = _git("diff", "HEAD")
    return f"{described}+{hashlib.sha256(changes).hexdigest()[:8]}" if changes else described


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False).stdout


def main() -> int:
    """Soak."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="begin nothing after that time")
    parser.add_argument("--only", choices=[work.name for work in WORKS], help="one kind of work")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where what was done is kept")
    options = parser.parse_args()
    works = tuple(work for work in WORKS if options.only in {None, work.name})
    return soak(options.ledger, options.hours * 3600, works, _commit())


if __name__ == "__main__":
    sys.exit(main())
