"""Hunts mutants beside each other, and says what caught each of them.

Always true: the table has the order of `MUTANTS`; its last line is one JSON object of figures.
"""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from srshell.simulation.mutants import MUTANTS, Catch, hunt, mutant_named, replay
from srshell.simulation.planting import Mutant

#: Seeds, and crash points of a script, for a mutant with a stale witness and for a long hunt.
SHORT_HUNT: Final = (40, 120)
LONG_HUNT: Final = (400, 1200)


@attrs.frozen
class Job:
    """A mutant to hunt."""

    name: str
    #: What caught it once; empty for a hunt from the beginning.
    witness: str = ""
    long: bool = False


@attrs.frozen
class Outcome:
    """What became of a job."""

    mutant: Mutant
    catch: Catch | None
    #: The witness was replayed and did not catch the mutant any more.
    stale: bool = False

    def line(self) -> str:
        """Return the row of the table."""
        found = self.catch
        catcher = f"{found.witness} ({found.tries} tried)" if found is not None else "SURVIVED"
        old = "  [its witness is stale]" if self.stale else ""
        return f"{self.mutant.name:26} {self.mutant.promise:4} {catcher}{old}"


def carry_out(job: Job) -> tuple[Catch | None, bool]:
    """Replay the witness, or hunt; return the catch and whether the witness was stale."""
    mutant = mutant_named(job.name)
    found = replay(mutant, job.witness) if job.witness else None
    if found is not None:
        return found, False
    limits = LONG_HUNT if job.long else SHORT_HUNT
    return hunt(mutant, seeds_max=limits[0], points_max=limits[1]), bool(job.witness)


def hunt_all(
    processes: int, witnesses: Mapping[str, str] | None = None, *, long: bool = True
) -> Iterator[Outcome]:
    """Yield what becomes of every mutant."""
    known = witnesses or {}
    jobs = [Job(mutant.name, known.get(mutant.name, ""), long) for mutant in MUTANTS]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for mutant, (found, stale) in zip(MUTANTS, pool.imap(carry_out, jobs), strict=True):
            yield Outcome(mutant, found, stale)


def figures(outcomes: list[Outcome]) -> str:
    """Return the JSON line of a table."""
    caught = [outcome.catch for outcome in outcomes if outcome.catch is not None]
    return json.dumps(
        {
            "mutants": len(outcomes),
            "caught": len(caught),
            "promises": len({outcome.mutant.promise for outcome in outcomes}),
            "by": dict(Counter(found.catcher for found in caught)),
            "violations": len(outcomes) - len(caught),
        }
    )
