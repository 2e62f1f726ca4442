"""Whatever goes wrong in an episode, no acknowledged write is lost and both sides meet again."""

from collections import Counter
from multiprocessing.pool import MapResult, Pool
from pathlib import Path

import pytest

from srshell.simulation.episode import Failure, run_plan, run_seed
from srshell.simulation.plan import ACTIONS, draw_plan
from srshell.simulation.runner import Tried, look_at_seed
from srshell.simulation.transcript import parse_plan

BLOCKS = 14
BLOCK_SEEDS = 20
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.txt"))

#: What these seeds have to reach, or they are worth less than they seem.
REACHED = (
    "atlas: a side is doubtful",
    "client: went away",
    "copy: counted",
    "clock: ahead",
    "clock: back",
    "crash: kill",
    "crash: power cut",
    "disk: EIO at sync",
    "disk: EIO at write",
    "disk: ENOSPC at write",
    "disk: LIE at sync",
    "disk: LOST at write",
    "disk: MISDIRECTED at write",
    "disk: SHORT at read",
    "disk: SHORT at write",
    "disk: a job hangs",
    "disk: rot in the maps",
    "disk: rot in the ring",
    "disk: rot in the slot",
    "epoch: alone in epoch",
    "failure: this side failed",
    "flow: bitmap-copy",
    "flow: initial-copy",
    "flow: live",
    "flow: log-replay",
    "flow: sealed",
    "log: full",
    "log: overrun, marked blocks stand in for it",
    "log: rolled back, or begun anew",
    "order: alone",
    "order: give up",
    "order: new disk",
    "order: planned",
    "order: policy",
    "order: resume",
    "order: suspend",
    "order: tear down",
    "order: unplanned",
    "order: unplanned after a kill",
    "order: verify",
    "process: frozen",
    "role: demoted",
    "role: promoted",
    "split: known to both sides",
    "state: unsealed",
    "torn down: primary",
    "torn down: secondary",
    "verify: rot was found",
    "wire: Compare",
    "wire: DirtyRequest",
    "wire: Refused",
)


@pytest.fixture(scope="module")
def blocks(pool: Pool) -> list["MapResult[Tried]"]:
    """Blocks of seeds, begun at once, each run once for all tests of this file."""
    firsts = range(0, BLOCKS * BLOCK_SEEDS, BLOCK_SEEDS)
    return [
        pool.map_async(look_at_seed, range(first, first + BLOCK_SEEDS), chunksize=5)
        for first in firsts
    ]


@pytest.fixture(scope="module")
def tried(blocks: list["MapResult[Tried]"]) -> list[Tried]:
    """What became of every seed; the tests before have waited for them."""
    return [one for block in blocks for one in block.get()]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_seed_breaks_a_promise(blocks: list["MapResult[Tried]"], block: int) -> None:
    """Plans drawn from their seeds; a failure says how to repeat it."""
    problems = [one.problem for one in blocks[block].get() if one.problem]
    assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("name", REACHED)
def test_what_is_rare_was_reached(tried: list[Tried], name: str) -> None:
    """A fault that never happens finds nothing."""
    reached: Counter[str] = Counter()
    for one in tried:
        reached.update(one.probes)
    assert reached[name], sorted(reached)


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_a_plan_that_found_a_bug_finds_it_no_more(path: Path) -> None:
    """Each was shrunk from the seed that it is named after; its first line says what was lost."""
    text = path.read_text()
    assert text.startswith("# ")
    run_plan(parse_plan(text))


@pytest.mark.parametrize("seed", [3, 42, 105])
def test_the_same_seed_gives_the_same_trace(pool: Pool, seed: int) -> None:
    """A failure can be repeated: also in another process, with other hashes of strings."""
    here = run_seed(seed)
    there = pool.apply(run_seed, (seed,))
    assert here == there
    assert len(here.trace_hash) == 32


def test_other_seeds_give_other_traces() -> None:
    """The hash depends on what happens."""
    assert run_seed(1).trace_hash != run_seed(2).trace_hash


def test_the_plans_use_every_action() -> None:
    """A kind of trouble that is never drawn is never tried."""
    plans = [draw_plan(seed) for seed in range(BLOCKS * BLOCK_SEEDS)]
    assert {step.action for plan in plans for step in plan.steps} == set(ACTIONS)


def test_an_episode_does_something(tried: list[Tried]) -> None:
    """A simulator in which nothing happens finds nothing."""
    assert sum(one.acknowledged for one in tried) > 50 * len(tried)
    assert sum(one.crashes for one in tried) > 3 * len(tried)


def test_a_failure_names_its_seed() -> None:
    """So that it can be run again."""
    with pytest.raises(Failure, match="seed 5: Runaway"):
        run_plan(draw_plan(5), events_max=100)
