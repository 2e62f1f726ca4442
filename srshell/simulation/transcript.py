"""A plan as a text that people read, keep and replay.

    # what broke, in a sentence
    plan {"seed": 978, "brittle": "A", ...}
    step {"at": 0.231, "action": "kill", "side": "A"}

Always true: `parse_plan` of `print_plan` is the same plan; what is not said has its usual value.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import attrs

from srshell.model.replica import OnPeerLoss
from srshell.simulation.plan import Plan, Step
from srshell.simulation.shape import Shape
from srshell.simulation.workload import Habits


def print_plan(plan: Plan) -> str:
    """Return the text of a plan."""
    head = _said(plan, skip=("steps", "shape", "habits"))
    head["shape"] = _said(plan.shape, skip=("limits",))
    head["habits"] = _said(plan.habits)
    lines = [f"plan {json.dumps(head)}"]
    lines += [f"step {json.dumps(_said(step))}" for step in plan.steps]
    return "\n".join(lines)


def parse_plan(text: str) -> Plan:
    """Return the plan of a text.  Raises ValueError."""
    head: dict[str, Any] | None = None
    steps: list[Step] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "plan":
            head = json.loads(rest)
        elif word == "step":
            steps.append(Step(**json.loads(rest)))
        elif word and not word.startswith("#"):
            message = f"a plan has no line {line!r}"
            raise ValueError(message)
    if head is None:
        message = "there is no line that begins with 'plan'"
        raise ValueError(message)
    shape = _tuples(head.pop("shape"))
    if "on_peer_loss" in shape:
        shape["on_peer_loss"] = OnPeerLoss(shape["on_peer_loss"])
    habits = Habits(**head.pop("habits"))
    return Plan(shape=Shape(**shape), habits=habits, steps=tuple(steps), **_tuples(head))


def _said(value: Any, skip: tuple[str, ...] = ()) -> dict[str, Any]:  # noqa: ANN401
    """Return the fields that do not have their default."""
    found: dict[str, Any] = {}
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        if field.name in skip or content == field.default:
            continue
        found[field.name] = content.value if isinstance(content, Enum) else content
    return found


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(content) if isinstance(content, list) else content
        for name, content in fields.items()
    }
