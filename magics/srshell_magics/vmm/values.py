"""What PowerShell does with values: properties, comparisons, methods of text.

Always true:

(1) A property is found whatever its capital letters: ``IsPrimary`` is the field ``is_primary``.
(2) What does not exist is ``$null`` (None), as it is there; nothing is made up for it.
(3) Text is compared without regard to capital letters.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final

from srshell.fabric.calls import unreadable
from srshell.model.identity import nearest

#: The original's words for fields of ours.
_ALSO: Final = {
    "capacity": "size_bytes",
    "size": "size_bytes",
    "freespace": "free_bytes",
    "remainingmanagedspace": "free_bytes",
    "storagepools": "pools",
    "storagearray": "array",
    "storagepool": "pool",
    "storagevolumes": "volumes",
    "peerstoragearrayname": "peer",
    "storageclassification": "classification",
}


def plain(value: object) -> Any:  # noqa: ANN401 - whatever a script holds
    """A value as scripts compare it: an enum is its word, a row that stands for a name stays."""
    return value.value if isinstance(value, Enum) else value


def items_of(value: object) -> list[Any]:
    """A value as the items of a pipeline: nothing, one, or as many as a list or report has."""
    if value is None:
        return []
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def unwrapped(values: list[Any]) -> Any:  # noqa: ANN401
    """What a pipeline leaves: nothing, the one item, or the list."""
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _field(name: str) -> str:
    return name.lower().replace("_", "")


def fields_of(value: object) -> dict[str, str]:
    """The properties of a value: how they are compared, and their names here."""
    names = [name for name in dir(type(value)) if not name.startswith("_")]
    names += [name for name in getattr(value, "__dict__", {}) if not name.startswith("_")]
    return {_field(name): name for name in names}


def property_of(value: object, name: str) -> Any:  # noqa: ANN401
    """The property of a value; of a list, of each of its items."""
    if value is None:
        return None
    if isinstance(value, dict):
        known = {_field(key): key for key in value}
        key = known.get(_field(name))
        return plain(value[key]) if key is not None else None
    if isinstance(value, list | tuple):
        if _field(name) in {"count", "length"}:
            return len(value)
        return unwrapped(
            [found for item in value if (found := property_of(item, name)) is not None]
        )
    if isinstance(value, str):
        return len(value) if _field(name) == "length" else None
    fields = fields_of(value)
    wanted = _field(name)
    attribute = fields.get(wanted) or fields.get(_field(_ALSO.get(wanted, "")))
    found = getattr(value, attribute) if attribute else None
    return None if callable(found) else plain(found)


def name_of(value: object) -> str:
    """The name that a value stands for; empty for nothing."""
    if isinstance(value, list | tuple):
        return name_of(value[0]) if len(value) == 1 else ""
    if value is None or isinstance(value, str):
        return value or ""
    return str(property_of(value, "name") or value)


def _folded(value: object) -> Any:  # noqa: ANN401
    value = plain(value)
    return value.casefold() if isinstance(value, str) else value


def _number(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value.casefold()
    return value


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: object, right: object) -> bool:
        a, b = _number(plain(left)), _number(plain(right))
        if type(a) is str or type(b) is str:
            a, b = str(a), str(b)
        try:
            return test(a, b) if a is not None and b is not None else False
        except TypeError as error:
            raise unreadable("", f"{left!r} and {right!r} have no order") from error

    return compare


def _equal(left: object, right: object) -> bool:
    a, b = _folded(left), _folded(right)
    return bool(a == b or _number(a) == _number(b))


def _like(left: object, right: object) -> bool:
    return fnmatch.fnmatchcase(str(_folded(left)), str(_folded(right)))


def _match(left: object, right: object) -> bool:
    try:
        return re.search(str(plain(right)), str(plain(left)), re.IGNORECASE) is not None
    except re.error as error:
        raise unreadable("", f"{right!r} is no pattern: {error}") from error


def _contains(left: object, right: object) -> bool:
    return any(_equal(item, right) for item in items_of(left))


_TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": _equal,
    "ne": lambda a, b: not _equal(a, b),
    "gt": _ordered(lambda a, b: a > b),
    "ge": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "le": _ordered(lambda a, b: a <= b),
    "like": _like,
    "notlike": lambda a, b: not _like(a, b),
    "match": _match,
    "notmatch": lambda a, b: not _match(a, b),
    "contains": _contains,
    "notcontains": lambda a, b: not _contains(a, b),
    "in": lambda a, b: _contains(b, a),
    "notin": lambda a, b: not _contains(b, a),
}
COMPARISONS: Final = frozenset(_TESTS)


def compare(operator: str, left: object, right: object) -> bool:
    """Whether ``left -operator right`` holds."""
    return _TESTS[operator](left, right)


_METHODS: Final[dict[str, Callable[..., Any]]] = {
    "endswith": lambda text, end: text.endswith(end),
    "startswith": lambda text, start: text.startswith(start),
    "contains": lambda text, part: part in text,
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "replace": lambda text, old, new: text.replace(old, new),
    "split": lambda text, separator: text.split(separator),
    "tostring": lambda text: text,
}


def call(value: object, method: str, arguments: list[Any]) -> Any:  # noqa: ANN401
    """Call a method of text.

    Raises:
        SrError: SR0001, there is no such method here, or it takes other arguments.
    """
    if value is None:
        raise unreadable("", f"{method}() is called on nothing ($null)")
    known = _METHODS.get(method.lower())
    if known is None:
        near = nearest(method.lower(), list(_METHODS))
        facts = f"did you mean: {', '.join(near)}" if near else f"known: {', '.join(_METHODS)}"
        raise unreadable("", f"there is no method {method}() here", facts)
    try:
        return known(str(plain(value)), *(str(plain(each)) for each in arguments))
    except (TypeError, ValueError) as error:
        raise unreadable("", f"{method}() takes other arguments") from error
