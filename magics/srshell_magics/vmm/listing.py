"""What ``fl`` and ``ft`` show: chosen properties of some items, as text and as HTML.

Always true: both forms have the same properties with the same values; every string is made safe.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import attrs

from srshell_magics.vmm import values


@attrs.frozen
class Listing:
    """Rows of (property, value)."""

    rows: tuple[tuple[tuple[str, str], ...], ...]
    as_table: bool

    @classmethod
    def of(cls, items: Sequence[object], names: Sequence[str], *, as_table: bool) -> Listing:
        """The named properties of each item; all of them when none is named."""
        return cls(tuple(tuple(_row(item, names)) for item in items), as_table)

    def __str__(self) -> str:
        """As PowerShell writes it."""
        if not self.rows:
            return "nothing"
        if not self.as_table:
            return "\n\n".join(_list(row) for row in self.rows)
        table = [[name for name, _ in self.rows[0]], *([v for _, v in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        table.insert(1, ["-" * len(name) for name in table[0]])
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401 - IPython's printer
        printer.text(str(self))

    def _repr_html_(self) -> str:
        """The same as a table."""
        if not self.rows:
            return "<p>nothing</p>"
        names = "".join(f"<th>{html.escape(name)}</th>" for name, _ in self.rows[0])
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(value)}</td>' for _, value in row)}</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def _row(item: object, names: Sequence[str]) -> list[tuple[str, str]]:
    if not names or list(names) == ["*"]:
        known = values.fields_of(item) if not isinstance(item, dict) else {n: n for n in item}
        names = [name for name in known.values() if not callable(getattr(item, name, None))]
    return [(name, _text(values.property_of(item, name))) for name in names]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "{" + ", ".join(_text(item) for item in value) + "}"
    plain = isinstance(value, bool | int | float | str)
    text = str(value) if plain else values.name_of(value)
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _list(row: Sequence[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in row), default=0)
    return "\n".join(f"{name.ljust(width)} : {value}" for name, value in row)
