"""Run the simulator: ``python -m srshell.simulation --seeds 1000 --from 0``.

    --seeds N --from K     episodes K to K + N - 1
    --seed K [--trace]     one episode again, with its plan, and everything that happened
    --sweep [--thorough]   a crash at every operation of every script
    --mutants              plant every bug and say what catches it

Always true: the exit status is 0 only if no promise was broken, and each mutant was caught.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable

from srshell.simulation.episode import Failure, run_plan
from srshell.simulation.mutants import MUTANTS
from srshell.simulation.plan import draw_plan
from srshell.simulation.runner import catch, spread, try_point, try_seed
from srshell.simulation.sweep import SCRIPTS, crash_points


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m srshell.simulation")
    parser.add_argument("--seeds", type=int, default=100, metavar="N")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="K")
    parser.add_argument("--seed", type=int, metavar="K")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--mutants", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _repeat(options.seed, trace=options.trace)
    if options.mutants:
        return _hunt(options.processes)
    if options.sweep:
        points = [
            point for name in SCRIPTS for point in crash_points(name, thorough=options.thorough)
        ]
        return _report(spread(try_point, points, options.processes), "crash points")
    seeds = range(options.first, options.first + options.seeds)
    return _report(spread(try_seed, seeds, options.processes), "seeds")


def _report(results: Iterable[str], noun: str) -> int:
    begin = time.monotonic()
    count = failures = 0
    for count, problem in enumerate(results, 1):  # noqa: B007  (the last count is the total)
        if problem:
            failures += 1
            print(problem, file=sys.stderr)
    minutes = (time.monotonic() - begin) / 60
    print(f"{count} {noun}, {failures} failed, {count / max(minutes, 1e-9):.0f} per minute")
    return 1 if failures else 0


def _repeat(seed: int, *, trace: bool) -> int:
    plan = draw_plan(seed)
    print("\n".join(plan.lines()))
    status = 0
    try:
        print(run_plan(plan, echo=print if trace else None))
    except Failure as failure:
        print(failure)
        status = 1
    return status


def _hunt(processes: int) -> int:
    names = [mutant.name for mutant in MUTANTS]
    survived = 0
    for name, catcher in zip(names, spread(catch, names, processes), strict=True):
        print(f"{name:20} {catcher or 'survived'}")
        survived += not catcher
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
