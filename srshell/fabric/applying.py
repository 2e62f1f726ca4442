"""A plan that was kept becomes a call again.

Always true: the call is refused (SR6010) unless the fabric is as it was when the plan was made.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from srshell.fabric.calls import Call
from srshell.fabric.command_spec import CommandSpec
from srshell.fabric.commands import COMMANDS
from srshell.fabric.reports import decode
from srshell.fabric.verb import EXPECT
from srshell.model.errors import SrError
from srshell.model.report import PlanReport

#: Verbs that share their command with another.
_SHARED = {"provision_pair": "provision"}


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
    if spec is None or not plan.world:
        raise _no_plan(plan.command)
    arguments = {**plan.arguments, EXPECT: plan.world}
    if confirm is not None:
        arguments["confirm"] = confirm
    return Call(spec, plan.verb, arguments)
