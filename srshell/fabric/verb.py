"""How a verb of the session is written: its signature and its sentence, once.

Always true:

(1) A verb's own body is empty: calling it performs the verb of that name with every argument
    spelled out, defaults included, so that session and client cannot disagree about them.
(2) Objects become their names, paths become text: what is performed can be written as JSON.
(3) What is performed has the types that the signature says, whoever asks.
"""

from __future__ import annotations

import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Coroutine, Iterable, Mapping
from os import PathLike, fspath
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import attrs
import msgspec

from srshell.fabric.calls import absolute, unreadable
from srshell.model.identity import nearest
from srshell.model.report import Named

#: What the catalogue can keep; infinities and what is no number are beyond it.
_NUMBER_MAX = 2**63 - 1
#: An object, by its name or as the value that carries the name.
Name = str | Named
Place = str | PathLike[str]
#: Bytes, or text such as "64G".
Size = int | str

P = ParamSpec("P")
T = TypeVar("T")


class Performer(Protocol):
    """What a verb is a method of."""

    async def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Carry out a verb by its name."""


@attrs.frozen
class Verb:
    """A verb of the session: its name, its signature without ``self``, its sentence."""

    name: str
    signature: inspect.Signature
    sentence: str
    function: Callable[..., Any] = attrs.field(repr=False)


@functools.cache
def _types(name: str) -> dict[str, Any]:
    """What each argument of a verb may be once it is plain."""
    hints = typing.get_type_hints(VERBS[name].function)
    found = {}
    for parameter in VERBS[name].signature.parameters.values():
        plain_type = _plain_type(hints[parameter.name])
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            plain_type = types.GenericAlias(tuple, (plain_type, ...))
        found[parameter.name] = plain_type
    return found


def _plain_type(hint: Any) -> Any:  # noqa: ANN401 - a type as annotations write it
    """A type with names in place of objects and text in place of paths."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Named or origin is PathLike:
        return str
    if origin is Iterable:
        return types.GenericAlias(tuple, (_plain_type(inner[0]), ...))
    if origin in {types.UnionType, typing.Union}:
        return functools.reduce(operator.or_, (_plain_type(each) for each in inner))
    return hint


#: Besides its own arguments every verb that changes something takes the world of a plan: it is
#: refused unless the fabric still is as it was when the plan was made.
EXPECT = "expect"

#: Every verb that was declared, by name.
VERBS: dict[str, Verb] = {}


def verb(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a method that performs the verb of its own name."""
    name = function.__name__
    signature = inspect.signature(function)
    own = signature.replace(parameters=list(signature.parameters.values())[1:])
    sentence = (function.__doc__ or "").split("\n", maxsplit=1)[0]
    VERBS[name] = Verb(name, own, sentence, function)

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        arguments = dict(bound.arguments)
        performer = cast("Performer", arguments.pop("self"))
        return cast("T", await performer.perform(name, arguments))

    return call


def complete(name: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """Every argument of a verb, with defaults filled in and objects replaced by their names.

    Raises:
        SrError: SR0001, there is no such verb, or an argument is unknown or missing.
    """
    known = VERBS.get(name)
    if known is None:
        facts = f"did you mean: {', '.join(nearest(name, VERBS))}"
        raise unreadable("", f"there is no verb {name!r}", facts)
    parameters = known.signature.parameters
    expected = {}
    if EXPECT in arguments and "dry_run" in parameters:
        expected[EXPECT] = str(arguments[EXPECT])
        arguments = {key: value for key, value in arguments.items() if key != EXPECT}
    for given in arguments:
        if given not in parameters:
            facts = f"it takes: {', '.join(parameters)}"
            raise unreadable(name.replace("_", "-"), f"{given} is no argument of {name}", facts)
    full = {}
    for parameter in parameters.values():
        value = arguments.get(parameter.name, _default(parameter))
        if value is inspect.Parameter.empty:
            raise unreadable(name.replace("_", "-"), f"{parameter.name} is missing")
        full[parameter.name] = _checked(name, parameter.name, plain(value))
    return full | expected


def _checked(verb_name: str, name: str, value: object) -> object:
    """An argument whose type is right; places are absolute.

    Raises:
        SrError: SR0001, it is of another type; SR0005, a place is none.
    """
    try:
        checked: object = msgspec.convert(value, _types(verb_name)[name])
    except msgspec.ValidationError as error:
        problem = f"{name} of {verb_name} is wrong: {str(error).lower()}"
        raise unreadable(verb_name.replace("_", "-"), problem) from error
    if isinstance(checked, int | float) and not -_NUMBER_MAX <= checked <= _NUMBER_MAX:
        problem = f"{name} of {verb_name} is wrong: a number beyond 64 bits"
        raise unreadable(verb_name.replace("_", "-"), problem)
    return _placed(checked) if name == "where" else checked


def _placed(value: object) -> object:
    """Places as absolute paths: the owner works in another directory."""
    if isinstance(value, tuple):
        return tuple(_placed(item) for item in value)
    return absolute(value) if isinstance(value, str) else value


def _default(parameter: inspect.Parameter) -> object:
    """What a parameter is when it is not given; ``empty`` when it has to be."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return ()
    return parameter.default


def plain(value: object) -> object:
    """A value as JSON can say it."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    return value
