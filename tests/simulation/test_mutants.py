"""Bugs planted on purpose are caught: what the simulator does not notice, it does not test."""

from multiprocessing.pool import AsyncResult, Pool

import pytest

from srshell.replication.source import Source
from srshell.simulation.mutants import MUTANTS
from srshell.simulation.runner import catch

#: Caught by longer hunts only (`python -m srshell.simulation --mutants`), which `make soak` runs.
RARE = {"space-too-early", "applied-too-early", "old-holes"}
NAMES = [mutant.name for mutant in MUTANTS if mutant.name not in RARE]


@pytest.fixture(scope="module")
def hunts(pool: Pool) -> dict[str, "AsyncResult[str]"]:
    """All hunts begin at once, beside each other."""
    return {name: pool.apply_async(catch, (name,)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_bug_is_caught(hunts: dict[str, "AsyncResult[str]"], name: str) -> None:
    """The catcher is a seed or a crash point, and the promise that broke."""
    catcher = hunts[name].get(timeout=110)
    assert catcher, f"{name} survived"
    print(f"{name}: {catcher}")  # noqa: T201  (shown by pytest -s)


def test_there_are_enough_mutants_and_each_has_a_name_of_its_own() -> None:
    """The issue asks for ten."""
    assert len(set(NAMES)) == len(NAMES) >= 10


def test_a_mutant_leaves_the_engine_as_it_was() -> None:
    """Otherwise every later test would run the bug."""
    before = Source._limit
    mutant = next(mutant for mutant in MUTANTS if mutant.name == "ack-without-peer")
    with mutant.planted():
        assert Source._limit is not before
    assert Source._limit is before
