"""Runs many episodes and crash points beside each other, one process for each processor.

Always true: what is wrong comes back as text, empty when nothing is; the results have the order of
the items.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import attrs

from srshell.simulation.episode import Failure, run_seed
from srshell.simulation.sweep import CrashPoint, run_point

T = TypeVar("T")
R = TypeVar("R")


@attrs.frozen
class Tried:
    """What became of one seed or crash point."""

    #: What is wrong; empty when nothing is.
    problem: str = ""
    crashes: int = 0
    acknowledged: int = 0
    #: Which rare things happened, and how often.
    probes: dict[str, int] = attrs.field(factory=dict)


def spread(call: Callable[[T], R], items: Iterable[T], processes: int | None = None) -> Iterator[R]:
    """Yield ``call`` of every item; ``call`` is a function of a module."""
    count = processes or os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap(call, items, chunksize=4)


def look_at_seed(seed: int) -> Tried:
    """Run an episode and count what happened in it."""
    try:
        result = run_seed(seed)
    except Failure as failure:
        return Tried(problem=str(failure))
    return Tried("", result.crashes, result.acknowledged, result.probes)


def look_at_point(point: CrashPoint) -> Tried:
    """Run a crash point."""
    try:
        return Tried("", crashes=run_point(point))
    except Failure as failure:
        return Tried(problem=str(failure))


def try_seed(seed: int) -> str:
    """Run an episode; return what is wrong, or nothing."""
    return look_at_seed(seed).problem


def try_point(point: CrashPoint) -> str:
    """Run a crash point; return what is wrong, or nothing."""
    return look_at_point(point).problem
