"""Which role a verb of the session needs, with the arguments that it is given.

Always true:

(1) The answer comes from the command registry; a verb that no command stands for is for the owner
    alone.
(2) An argument can raise the role, never lower it.
(3) A plan needs the role of what is planned: it looks at the same things.  One of several commands
    needs the highest of their roles.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from srshell.fabric.command_spec import CommandSpec, Role
from srshell.fabric.commands import COMMANDS
from srshell.model.errors import SrError

#: Verbs that a command stands for under another name.
_SAME_AS = {"provision_pair": "provision"}


@functools.cache
def _specs() -> dict[str, CommandSpec]:
    return {spec.method: spec for spec in COMMANDS.values() if spec.method}


def needed_role(verb: str, arguments: Mapping[str, object]) -> Role:
    """The role that a call needs."""
    if verb == "run_plan":
        return max((_role_of_line(line) for line in _lines(arguments)), key=list(Role).index)
    spec = _specs().get(_SAME_AS.get(verb, verb))
    if spec is None:
        return Role.ADMIN
    given = {
        argument.role
        for argument in spec.arguments
        if argument.role is not None and arguments.get(argument.keyword) not in (None, False)
    }
    return max((spec.needs, *given), key=list(Role).index)


def _lines(arguments: Mapping[str, object]) -> list[object]:
    """The commands of a plan; what is none counts as something for the owner alone."""
    lines = arguments.get("lines")
    return list(lines) if isinstance(lines, list | tuple) and lines else [None]


def _role_of_line(line: object) -> Role:
    """The role that one command of a plan needs."""
    if not isinstance(line, Mapping) or line.get("verb") == "run_plan":
        return Role.ADMIN
    given = line.get("arguments")
    return needed_role(str(line.get("verb")), given if isinstance(given, Mapping) else {})


def check_role(role: Role, verb: str, arguments: Mapping[str, object]) -> None:
    """Refuse a call that the role does not allow.

    Raises:
        SrError: SR9010.
    """
    refuse_unless(role, needed_role(verb, arguments), verb.replace("_", "-"))


def refuse_unless(role: Role, needed: Role, command: str) -> None:
    """Refuse what needs more than the role.

    Raises:
        SrError: SR9010.
    """
    if not role.allows(needed):
        facts = f"you are {role.value} here; {command} needs {needed.value}"
        raise SrError.make("SR9010", facts=facts, command=command, needed=needed.value)
