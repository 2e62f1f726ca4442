"""Runs many episodes, crash points and hunts beside each other, one process for each processor.

Always true: what is wrong comes back as text, empty when nothing is; the results have the order of
the items.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from srshell.simulation.episode import Failure, run_seed
from srshell.simulation.mutants import MUTANTS, hunt
from srshell.simulation.sweep import CrashPoint, run_point

T = TypeVar("T")


def spread(
    call: Callable[[T], str], items: Iterable[T], processes: int | None = None
) -> Iterator[str]:
    """Yield ``call`` of every item; ``call`` is a function of this module."""
    count = processes or os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap(call, items, chunksize=4)


def try_seed(seed: int) -> str:
    """Run an episode; return what is wrong, or nothing."""
    try:
        run_seed(seed)
    except Failure as failure:
        return str(failure)
    return ""


def try_point(point: CrashPoint) -> str:
    """Run a crash point; return what is wrong, or nothing."""
    try:
        run_point(point)
    except Failure as failure:
        return str(failure)
    return ""


def catch(name: str) -> str:
    """Return what catches the mutant of that name, or nothing."""
    return hunt(next(mutant for mutant in MUTANTS if mutant.name == name))
