"""Makes a failing plan as short as it can be.

Always true: the plan that is returned fails; every plan that is tried is a part of the first one,
with the same seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs

from srshell.simulation.episode import Failure, run_plan
from srshell.simulation.plan import Plan, Step

#: How many plans are tried at most.
_TRIES_MAX: Final = 400

Fails = Callable[[Plan], bool]


def fails(plan: Plan) -> bool:
    """Whether a plan breaks a promise."""
    try:
        run_plan(plan)
    except Failure:
        return True
    return False


def shrink(plan: Plan, still_fails: Fails = fails, tries_max: int = _TRIES_MAX) -> Plan:
    """Return a short plan that fails as well."""
    tried: set[Plan] = {plan}

    def accept(candidate: Plan) -> bool:
        if candidate in tried or len(tried) > tries_max:
            return False
        tried.add(candidate)
        return still_fails(candidate)

    while True:
        plan = _with_fewer_steps(plan, accept)
        simpler = next(filter(accept, _simpler(plan)), None)
        if simpler is None:
            return plan
        plan = simpler


def _with_fewer_steps(plan: Plan, accept: Fails) -> Plan:
    """Leave out halves, quarters, ... of the steps (delta debugging)."""
    size = max(1, len(plan.steps) // 2)
    while plan.steps:
        start, shorter = 0, False
        while start < len(plan.steps):
            steps = plan.steps[:start] + plan.steps[start + size :]
            candidate = attrs.evolve(plan, steps=steps)
            if accept(candidate):
                plan, shorter = candidate, True
            else:
                start += size
        if size == 1 and not shorter:
            return plan
        size = max(1, size // 2)
    return plan


def _simpler(plan: Plan) -> Iterator[Plan]:
    """Yield plans with one thing less."""
    shape, habits = plan.shape, plan.habits
    if plan.rots:
        yield attrs.evolve(plan, rots=False)
    if plan.ends_in_the_dark:
        yield attrs.evolve(plan, ends_in_the_dark=False)
    for plainer in (
        attrs.evolve(shape, harsh=False),
        attrs.evolve(shape, used=False),
        attrs.evolve(shape, seeded=False),
        attrs.evolve(shape, direct=False),
        attrs.evolve(shape, through=False),
        attrs.evolve(shape, fickle=False),
    ):
        yield attrs.evolve(plan, shape=plainer)
    for calmer in (
        attrs.evolve(habits, clients=1),
        attrs.evolve(habits, read_share=0.0),
        attrs.evolve(habits, trim_share=0.0),
        attrs.evolve(habits, impatient_share=0.0),
    ):
        yield attrs.evolve(plan, habits=calmer)
    for count in (5, 20, habits.operations_max // 2):
        if 0 < count < habits.operations_max:
            yield attrs.evolve(plan, habits=attrs.evolve(habits, operations_max=count))
    last = max((step.at + step.seconds for step in plan.steps), default=0.0)
    if last < plan.duration_seconds:
        yield attrs.evolve(plan, duration_seconds=last)
    for index, step in enumerate(plan.steps):
        for simpler in _simpler_steps(step):
            steps = (*plan.steps[:index], simpler, *plan.steps[index + 1 :])
            yield attrs.evolve(plan, steps=steps)


def _simpler_steps(step: Step) -> Iterator[Step]:
    if step.patience_seconds:
        yield attrs.evolve(step, patience_seconds=0.0)
    if round(step.at, 3) != step.at or round(step.seconds, 3) != step.seconds:
        yield attrs.evolve(step, at=round(step.at, 3), seconds=round(step.seconds, 3))
