"""Run the simulator: ``python -m srshell.simulation --seeds 1000 --from 0``.

    --seeds K --from N                       episodes N to N + K - 1
    --seed N [--trace]                       one episode again: its plan, everything that happened
    --seed N --shrink                        a failing plan made as short as it can be, as a text
    --replay FILE [--trace]                  such a text again
    --sweep [--thorough] [--count K --from N]  a crash at every operation of every script: K points
                                             from point N on, or all
    --mutants                                plant every bug and say what catches it

Always true: the last line on standard output is one JSON object of what was counted, unless one
episode is run again; the exit status is 0 only if no promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from srshell.simulation.episode import Failure, run_plan
from srshell.simulation.plan import Plan, draw_plan
from srshell.simulation.runner import Tried, look_at_point, look_at_seed, spread
from srshell.simulation.shrink import shrink
from srshell.simulation.sweep import all_points, count_points
from srshell.simulation.transcript import parse_plan, print_plan


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m srshell.simulation")
    parser.add_argument("--seeds", type=int, default=100, metavar="K")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N")
    parser.add_argument("--seed", type=int, metavar="N")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--count", type=int, metavar="K")
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    if options.mutants:
        return _hunt(options.processes)
    if options.sweep:
        return _sweep(options)
    if options.replay is not None:
        return _repeat(parse_plan(options.replay.read_text()), options)
    if options.seed is not None:
        return _repeat(draw_plan(options.seed), options)
    seeds = range(options.first, options.first + options.seeds)
    tried = _watch(spread(look_at_seed, seeds, options.processes), "seeds")
    probes: Counter[str] = Counter()
    for one in tried:
        probes.update(one.probes)
    for name, count in sorted(probes.items()):
        print(f"{count:>9}  {name}")
    return _tell(tried, "seeds", acked_writes=sum(one.acknowledged for one in tried))


def _sweep(options: argparse.Namespace) -> int:
    points = all_points(thorough=options.thorough)
    end = None if options.count is None else options.first + options.count
    chosen = list(islice(points, options.first, end))
    tried = _watch(spread(look_at_point, chosen, options.processes), "crash points")
    return _tell(tried, "points", total_points=count_points(thorough=options.thorough))


def _watch(results: Iterable[Tried], noun: str) -> list[Tried]:
    """Show what is wrong as soon as it is known, and how fast it went."""
    begin = time.monotonic()
    tried: list[Tried] = []
    for one in results:
        tried.append(one)
        if one.problem:
            print(one.problem, file=sys.stderr, flush=True)
    minutes = (time.monotonic() - begin) / 60
    print(f"{len(tried)} {noun}, {len(tried) / max(minutes, 1e-9):.0f} per minute")
    return tried


def _tell(tried: list[Tried], noun: str, **more: int) -> int:
    violations = sum(bool(one.problem) for one in tried)
    crashes = sum(one.crashes for one in tried)
    figures = {noun: len(tried), "crashes": crashes, "violations": violations, **more}
    print(json.dumps(figures))
    return 1 if violations else 0


def _repeat(plan: Plan, options: argparse.Namespace) -> int:
    print(print_plan(plan))
    try:
        print(run_plan(plan, echo=print if options.trace else None))
    except Failure as failure:
        print(failure)
        if options.shrink:
            print(print_plan(shrink(plan)))
        return 1
    return 0


def _hunt(processes: int) -> int:
    from srshell.simulation.hunting import figures, hunt_all  # noqa: PLC0415  (bugs stay outside)

    outcomes = []
    for outcome in hunt_all(processes):
        outcomes.append(outcome)
        print(outcome.line(), flush=True)
    print(figures(outcomes))
    return 1 if any(outcome.catch is None for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
