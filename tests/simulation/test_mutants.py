"""Bugs planted on purpose are caught: what the simulator does not notice, it does not test.

What caught a mutant once is its witness, kept in witnesses.json; here only that is replayed.  A
witness that does not catch any more, because engine, plans or scripts have changed, is replaced by
a short hunt, and the test says so; `python -m tests.mutants --record` writes the file anew.
"""

import json
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path

import pytest

from srshell.replication.source import Source
from srshell.simulation.episode import Failure
from srshell.simulation.hunting import Job, carry_out
from srshell.simulation.mutants import MUTANTS, PLANTERS, Catch, mutant_named, point_of, replay
from srshell.simulation.mutants import point_witness as witness_of
from srshell.simulation.planting import BrokenMutant, Mutant
from srshell.simulation.scene_list import SCENES, run_scene
from srshell.simulation.sweep import CrashPoint

WITNESSES: dict[str, str] = json.loads(
    Path(__file__).with_name("witnesses.json").read_text(encoding="utf-8")
)
NAMES = [mutant.name for mutant in MUTANTS]
#: Promises that need more than an engine: see tests/mutants/product.py.
ELSEWHERE = {"P19", "P21"}
Found = AsyncResult[tuple[Catch | None, bool]]


@pytest.fixture(scope="module")
def hunts(pool: Pool) -> dict[str, Found]:
    """All hunts begin at once, beside each other."""
    jobs = {name: Job(name, WITNESSES.get(name, "")) for name in NAMES}
    return {name: pool.apply_async(carry_out, (job,)) for name, job in jobs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_bug_is_caught(
    hunts: dict[str, Found], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The catcher is a scene, a seed or a crash point, and the promise that broke."""
    caught, stale = hunts[name].get(timeout=110)
    assert caught is not None, f"{name} survived: {mutant_named(name).breaks}"
    if stale:
        with capsys.disabled():
            print(f"\n{name}: stale witness, caught by {caught.witness}; record it")  # noqa: T201


def test_every_mutant_has_a_witness_and_a_name_of_its_own() -> None:
    """The issue asks for forty."""
    assert len(set(NAMES)) == len(NAMES) >= 40
    assert set(WITNESSES) == set(NAMES)


def test_every_promise_is_broken_by_a_mutant() -> None:
    """P1 to P23; a promise without a mutant may have no test at all."""
    promises = {f"P{number}" for number in range(1, 24)}
    assert {mutant.promise for mutant in MUTANTS} == promises - ELSEWHERE


def test_every_function_that_plants_is_on_the_list() -> None:
    """One that lost its decorator would never be hunted."""
    functions = {
        value
        for module in PLANTERS
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    }
    assert functions == {mutant.changes for mutant in MUTANTS}


@pytest.mark.parametrize("chance", range(4))
@pytest.mark.parametrize(
    ("name", "scene"), [("false-evidence", "cut fence"), ("early-answer", "dark fence")]
)
def test_a_wrong_fence_is_caught_by_the_story_not_by_its_delays(
    name: str, scene: str, chance: int
) -> None:
    """Few seeds come there: something has to break between two steps of one fence."""
    run_scene(scene, chance)
    with mutant_named(name).planted(), pytest.raises(Failure, match=r"excludes a loss|counts on"):
        run_scene(scene, chance)


def test_a_witness_names_its_crash_point() -> None:
    """It is text, because it is kept in a file."""
    point = CrashPoint("apart", "B", 17, True, False, 3)
    assert point_of(witness_of(point).partition(" ")[2]) == point


def test_a_mutant_leaves_the_engine_as_it_was() -> None:
    """Otherwise every later test would run the bug."""
    before = Source._limit
    with mutant_named("ack-without-peer").planted():
        assert Source._limit is not before
    assert Source._limit is before


def test_planted_code_that_fails_by_itself_is_no_bug_that_was_caught() -> None:
    """An exception of a crooked mutant would look like a promise that broke."""

    def crooked(leader: Source) -> int:
        return leader.no_such_thing  # type: ignore[attr-defined, no-any-return]

    mutant = Mutant("crooked", "P1", "nothing", lambda: [(Source, "_limit", crooked)])
    with pytest.raises(BrokenMutant, match="crooked failed by itself"):
        replay(mutant, f"scene {next(iter(SCENES))}")
