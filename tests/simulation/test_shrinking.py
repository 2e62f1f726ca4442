"""A failing plan becomes a few lines that fail as well, and that anybody can run again."""

import attrs
import pytest

from srshell.simulation.episode import run_plan
from srshell.simulation.plan import Plan, Step, draw_plan
from srshell.simulation.shrink import fails, shrink
from srshell.simulation.transcript import parse_plan, print_plan


def test_a_plan_survives_its_text() -> None:
    """The text is the plan: also what has no default, and no line of it is ignored."""
    for seed in range(40):
        plan = draw_plan(seed)
        assert parse_plan("# what broke\n\n" + print_plan(plan)) == plan
    with pytest.raises(ValueError, match="no line 'stop'"):
        parse_plan(print_plan(draw_plan(0)) + "\nstop")
    with pytest.raises(ValueError, match="begins with 'plan'"):
        parse_plan("# nothing")


def test_the_text_of_a_plan_runs_as_the_plan_does() -> None:
    """What is kept in the repository is what failed."""
    plan = draw_plan(7)
    assert run_plan(parse_plan(print_plan(plan))) == run_plan(plan)


def test_only_the_steps_that_matter_stay() -> None:
    """Delta debugging keeps the pair without which nothing fails, and asks for nothing twice."""
    plan = attrs.evolve(draw_plan(1), steps=_many_steps())
    wanted = {plan.steps[5].action, plan.steps[11].action}
    asked: list[Plan] = []

    def still_fails(candidate: Plan) -> bool:
        asked.append(candidate)
        return wanted <= {step.action for step in candidate.steps}

    short = shrink(plan, still_fails)
    assert {step.action for step in short.steps} == wanted
    assert len(short.steps) == 2
    assert short.habits.clients == 1
    assert len(set(asked)) == len(asked) < 200


def test_a_plan_that_keeps_all_promises_does_not_fail() -> None:
    """The question that a shrinker asks."""
    assert not fails(draw_plan(2))


def _many_steps() -> tuple[Step, ...]:
    steps = [step for seed in range(60) for step in draw_plan(seed).steps]
    seen: dict[str, Step] = {}
    for step in steps:
        seen.setdefault(step.action, step)
    return tuple(seen.values())[:16]
