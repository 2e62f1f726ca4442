"""What a cmdlet was given: words after it become values of its parameters.

Always true:

(1) A parameter is known by its name or by a beginning that only it has, as in PowerShell.
(2) What is refused is refused before anything of the statement is run; what is left out is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell.model.identity import nearest
from srshell_magics.vmm import nodes
from srshell_magics.vmm.cmdlets import BY_NAME, COMMON, SHAPING, Cmdlet, Parameter, Use
from srshell_magics.vmm.values import plain


@attrs.define
class Bound:
    """A cmdlet with its values, by the parameters' own names."""

    cmdlet: Cmdlet
    values: dict[str, Any] = attrs.Factory(dict)
    left_out: list[Parameter] = attrs.Factory(list)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever a script holds
        """The value of a parameter; None when it was not given."""
        return self.values.get(name)

    def given(self, name: str) -> bool:
        """Whether a parameter, or a switch that is not false, was given."""
        return name in self.values and self.values[name] is not False


def find(name: str) -> Cmdlet:
    """Return a cmdlet by its name.

    Raises:
        SrError: SR0001, there is none; SR0108, it is known and cannot be done here.
    """
    cmdlet = BY_NAME.get(name.lower())
    if cmdlet is None:
        known = {
            known.lower(): known for known in (*SHAPING, *(each.name for each in BY_NAME.values()))
        }
        near = [known[each] for each in nearest(name.lower(), list(known))]
        facts = f"did you mean: {', '.join(near)}" if near else "known: the article's cmdlets"
        raise unreadable("", f"there is no cmdlet {name!r}", facts)
    if cmdlet.refused:
        raise refusal(cmdlet.name, cmdlet.refused)
    return cmdlet


def refusal(what: str, why: str) -> SrError:
    """The error for what is known, but not to be had here; ``why`` may name a command."""
    facts, _, line = why.partition("srshell ")
    mend = f"srshell {line}" if line else "srshell --help"
    return SrError.make("SR0108", facts=facts.rstrip(" :") or why, mend=mend, option=what)


def bind(
    cmdlet: Cmdlet, arguments: Sequence[nodes.Argument], evaluate: Callable[[nodes.Node], Any]
) -> Bound:
    """Give the parameters of a cmdlet their values.

    Raises:
        SrError: SR0001, a parameter is unknown, twice or without a value; SR0005, a value is none
            of its choices; SR0108, it cannot be honoured here.
    """
    bound = Bound(cmdlet)
    waiting: Parameter | None = None
    for argument in arguments:
        if argument.name:
            _expect_nothing(cmdlet, waiting)
            waiting = _named(bound, argument, evaluate)
            continue
        assert argument.value is not None
        parameter = waiting or _position(cmdlet, bound)
        _set(bound, parameter, argument.value, evaluate)
        waiting = None
    _expect_nothing(cmdlet, waiting)
    return bound


def _named(
    bound: Bound, argument: nodes.Argument, evaluate: Callable[[nodes.Node], Any]
) -> Parameter | None:
    """Take a ``-Name``; returns it if its value is still to come."""
    parameter = _parameter(bound.cmdlet, argument.name)
    if parameter.use is Use.REFUSED:
        raise refusal(f"{bound.cmdlet.name} -{parameter.name}", parameter.why)
    if argument.value is not None:
        _set(bound, parameter, argument.value, evaluate)
        return None
    if not parameter.switch:
        return parameter
    if parameter.use is Use.LEFT_OUT:
        bound.left_out.append(parameter)
    bound.values[parameter.name] = True
    return None


def _set(
    bound: Bound, parameter: Parameter, node: nodes.Node, evaluate: Callable[[nodes.Node], Any]
) -> None:
    if parameter.name in bound.values:
        raise unreadable("", f"{bound.cmdlet.name} has -{parameter.name} twice")
    if parameter.use is Use.LEFT_OUT:
        # It is not looked at: a placeholder may stand there.
        bound.left_out.append(parameter)
        bound.values[parameter.name] = None
        return
    value = evaluate(node)
    if parameter.choices:
        value = _choice(parameter, plain(value))
    bound.values[parameter.name] = value


def _choice(parameter: Parameter, value: object) -> str:
    for choice in parameter.choices:
        if str(value).casefold() == choice.casefold():
            return choice
    known = ", ".join(parameter.choices)
    raise SrError.make("SR0005", facts=f"known: {known}", text=str(value), noun=parameter.name)


def _parameter(cmdlet: Cmdlet, typed: str) -> Parameter:
    known = {each.name.lower(): each for each in (*COMMON, *cmdlet.parameters)}
    exact = known.get(typed.lower())
    if exact is not None:
        return exact
    begun = [each for name, each in known.items() if name.startswith(typed.lower())]
    if len(begun) == 1:
        return begun[0]
    near = [each.name for each in begun] or [
        known[n].name for n in nearest(typed.lower(), list(known))
    ]
    facts = f"did you mean: {', '.join(f'-{name}' for name in near)}" if near else ""
    raise unreadable("", f"{cmdlet.name} has no parameter -{typed}", facts)


def _position(cmdlet: Cmdlet, bound: Bound) -> Parameter:
    if not cmdlet.positional or cmdlet.positional in bound.values:
        raise unreadable("", f"a value of {cmdlet.name} stands without its parameter")
    return _parameter(cmdlet, cmdlet.positional)


def _expect_nothing(cmdlet: Cmdlet, waiting: Parameter | None) -> None:
    if waiting is not None:
        raise unreadable("", f"{cmdlet.name} -{waiting.name} has no value")
