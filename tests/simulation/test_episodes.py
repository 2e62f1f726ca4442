"""Whatever goes wrong in an episode, no acknowledged write is lost and both sides meet again."""

from multiprocessing.pool import Pool

import pytest

from srshell.simulation.episode import run_seed
from srshell.simulation.plan import ACTIONS, draw_plan
from srshell.simulation.runner import try_seed

BLOCKS = 15
BLOCK_SEEDS = 20

#: Seeds that found a bug, with the bug; the engine must never have it again.  A seed keeps its plan
#: for as long as `draw_plan` is the same; the scenarios that matter are engine tests, too.
REGRESSIONS = {
    7: "a seal whose command was interrupted stayed for ever",
    10: "a side that was given up still excluded a loss",
    33: "an interrupted promotion left a primary that followed nobody",
    42: "a copied block counted as durable before it was synced",
    68: "of two questions on one link at once the first was never answered",
    144: "a part of a large write that was read counted for all of it (the oracle's own)",
    220: "a write of which one part was made was said to be refused",
    571: "a side that was given up refused to follow an older epoch",
    652: "a write on its way into a frame was forgotten when the role ended",
    978: "a fence that ended while the group was suspended took back what the peer was told",
}


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_seed_breaks_a_promise(pool: Pool, block: int) -> None:
    """Three hundred plans, drawn from their seeds; a failure says how to repeat it."""
    seeds = range(block * BLOCK_SEEDS, (block + 1) * BLOCK_SEEDS)
    problems = [problem for problem in pool.imap(try_seed, seeds) if problem]
    assert not problems, "\n\n".join(problems)


def test_no_seed_that_found_a_bug_finds_it_again(pool: Pool) -> None:
    """What was found once is kept."""
    problems = [problem for problem in pool.imap(try_seed, REGRESSIONS) if problem]
    assert not problems, "\n\n".join(problems)


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


def test_an_episode_does_something() -> None:
    """A simulator in which nothing happens finds nothing."""
    results = [run_seed(seed) for seed in range(4)]
    assert sum(result.acknowledged for result in results) > 100
    assert sum(result.boots for result in results) > 8
