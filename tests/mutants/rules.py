"""The mutants of the rules (`tests.model`), for the table of all mutants.

Always true: a mutant of the rules is caught by the exhaustive search, by the calm schedule, or by
the test that it names.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model import calm, test_mutants
from tests.model.search import Search
from tests.model.test_mutants import Mutant

#: Which promise the rules of a module keep, first of all.
_PROMISES = {
    "source": "P1",
    "destination": "P3",
    "steps": "P1",
    "local": "P4",
    "roles": "P4",
    "reigns": "P6",
    "witness": "P6",
    "decide": "P13",
    "ring": "P8",
    "scan": "P8",
}


def rows() -> Iterator[tuple[str, str, str, int]]:
    """Give sentence, promise, catcher and states of every mutant; no catcher: it survived."""
    for mutant in test_mutants.BY_THE_SEARCH:
        with pytest.MonkeyPatch.context() as planting:
            mutant.plant(planting)
            found = Search(mutant.scope).run()
        caught = mutant.caught_by in found.broken
        yield mutant.sentence, promise_of(mutant), _word(mutant, caught), found.states
    for mutant in test_mutants.BY_THE_CALM_SCHEDULE:
        with pytest.MonkeyPatch.context() as planting:
            mutant.plant(planting)
            search = Search(mutant.scope)
            search.run()
            restless = calm.restless(search.group, search.states)
        caught = bool(restless) and mutant.caught_by in restless[-1]
        yield mutant.sentence, promise_of(mutant), _word(mutant, caught), len(search.states)
    for mutant in test_mutants.BY_A_TEST:
        with pytest.MonkeyPatch.context() as planting:
            try:
                test_mutants.test_a_sentence_catches(mutant, planting)
                caught = True
            except (AssertionError, pytest.fail.Exception):
                caught = False
        name = mutant.caught_by.partition(":")[2]
        yield mutant.sentence, promise_of(mutant), f"unit: {name}" if caught else "", 1


def promise_of(mutant: Mutant) -> str:
    """Return the promise of docs/reliability.md that a rule keeps, by the module that holds it."""
    place = getattr(mutant.place, "__module__", getattr(mutant.place, "__name__", ""))
    return _PROMISES[place.rpartition(".")[2]]


def _word(mutant: Mutant, caught: bool) -> str:
    return f"model: {mutant.caught_by}" if caught else ""
