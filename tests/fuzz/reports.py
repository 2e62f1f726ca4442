"""One report of every kind in which every text is the same one: what a hostile name could reach.

Always true: a report is made from the types of its fields, so a new field is reached by itself.
"""

from __future__ import annotations

import typing
from enum import Enum
from types import NoneType, UnionType
from typing import Any

import attrs

from srshell.fabric.reports import StoppedReport, VmCheckReport
from srshell.model.report import REPORTS


def all_reports(text: str) -> dict[str, Any]:
    """A report for each schema."""
    kinds = {**REPORTS, "srshell.vm-check/1": VmCheckReport, "srshell.stopped/1": StoppedReport}
    return {schema: sample(kind, text, schema) for schema, kind in kinds.items()}


def sample(
    kind: Any,  # noqa: ANN401 - a type as written
    text: str,
    schema: str = "",
    around: tuple[Any, ...] = (),
) -> Any:  # noqa: ANN401
    """A value of a type; its texts are ``text``, and no report of a kind is within two of them."""
    if attrs.has(kind):
        hints = typing.get_type_hints(kind)
        fields = {field.name: field for field in attrs.fields(kind)}
        inside = (*around, kind)
        values = {
            name: sample(hints[name], text, around=inside) for name in fields if name != "schema"
        }
        if "schema" in fields:
            values["schema"] = schema or fields["schema"].default
        return kind(**{fields[name].alias: value for name, value in values.items()})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if inner[-1] is not Ellipsis:
            return tuple(sample(each, text, around=around) for each in inner)
        return () if around.count(inner[0]) > 1 else (sample(inner[0], text, around=around),)
    if origin in {UnionType, typing.Union}:
        given = next(each for each in inner if each is not NoneType)
        return sample(given, text, around=around)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return {str: text, bool: True, int: 7, float: 1.5}.get(kind, text)
