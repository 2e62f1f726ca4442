"""A plan that was kept becomes a call again.

Always true: the call is refused (SR6010) unless the fabric is as it was when the plan was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

from srshell.fabric.calls import Call, parse_line
from srshell.fabric.command_spec import CommandSpec, Effect
from srshell.fabric.commands import COMMANDS
from srshell.fabric.reports import decode
from srshell.fabric.verb import EXPECT
from srshell.model.errors import SrError
from srshell.model.report import PlanReport

#: Verbs that share their command with another.
_SHARED = {"provision_pair": "provision"}
#: Several commands as one: a change like any other, which no word of its own begins.
_SEVERAL = attrs.evolve(COMMANDS["apply"], effect=Effect.DESTROYS)


def plan_of_lines(texts: Iterable[str]) -> Call:
    """The call that plans several command lines as one; empty ones and comments do not count.

    Raises:
        SrError: SR0001, a line is no command; SR0108, it cannot be planned.
    """
    calls = []
    for number, text in enumerate(texts, 1):
        if text.strip() and not text.lstrip().startswith("#"):
            with in_line(number, text):
                calls.append(parse_line(text))
    return plan_of_calls(calls)


@contextmanager
def in_line(number: int, text: str) -> Iterator[None]:
    """Say of every refusal which line it is about."""
    try:
        yield
    except SrError as error:
        error.facts = f"line {number} ({text.strip()}): {error.facts}".removesuffix(": ")
        raise


def plan_of_calls(calls: Iterable[Call]) -> Call:
    """The call that plans several commands as one.

    Raises:
        SrError: SR0108, one of them is a process of its own.
    """
    lines = []
    for call in calls:
        if not call.method:
            facts = "it is a process of its own"
            raise SrError.make("SR0108", facts, f"srshell {call.spec.name}", option=call.spec.name)
        how = {"dry_run", "wait", "timeout", "confirm"}
        kept = {name: value for name, value in call.arguments.items() if name not in how}
        lines.append({"verb": call.method, "arguments": kept})
    return Call(_SEVERAL, "run_plan", {"lines": lines, "dry_run": True})


def read_plan(file: str) -> PlanReport:
    """A plan as `srshell --json plan …` printed it into a file.

    Raises:
        SrError: SR0105, the file cannot be read; SR0005, it holds no plan.
    """
    try:
        plan = decode(Path(file).read_bytes())
    except OSError as error:
        facts, mend = error.strerror or str(error), "srshell plan --help"
        raise SrError.make("SR0105", facts, mend, noun="plan", name=file) from error
    except msgspec.MsgspecError as error:
        raise _no_plan(file) from error
    if not isinstance(plan, PlanReport):
        raise _no_plan(file)
    return plan


def _no_plan(name: str) -> SrError:
    facts = "a plan is what `srshell --json plan COMMAND` prints"
    return SrError.make("SR0005", facts=facts, text=name, noun="plan")


def call_of(plan: PlanReport, confirm: str | None) -> Call:
    """The call that carries a plan out; ``confirm`` is what its command asks to be confirmed.

    Raises:
        SrError: SR0005, the plan does not say what it is a plan of.
    """
    method = _SHARED.get(plan.verb, plan.verb)
    spec: CommandSpec | None = next((s for s in COMMANDS.values() if s.method == method), None)
    if plan.verb == "run_plan":
        spec = _SEVERAL
    if spec is None or not plan.world:
        raise _no_plan(plan.command)
    arguments = {**plan.arguments, EXPECT: plan.world}
    if confirm is not None:
        arguments["confirm"] = confirm
    return Call(spec, plan.verb, arguments)
