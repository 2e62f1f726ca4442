"""How the objects of the inventory become rows of the catalogue.

Always true:

(1) A row is the object's key, the columns it is found by, its JSON, and a checksum of them all.
(2) A cell comes back from SQLite exactly as it was stored; the checksum depends on it.
"""

from __future__ import annotations

import zlib
from typing import Final

import attrs
import msgspec

from srshell.model.inventory import (
    Array,
    Classification,
    Event,
    Group,
    Job,
    Operation,
    Pair,
    Partnership,
    Pool,
    Provider,
    Site,
    Vm,
    Volume,
)
from srshell.model.verification import VerifyState

Cell = str | int | float

#: Columns of type REAL.
_REALS: Final = frozenset({"unix"})


@attrs.frozen
class Kind:
    """How the objects of one class are stored."""

    table: str
    #: Columns that are fields of the object; the first ``keys`` of them name it.
    columns: tuple[str, ...]
    keys: int = 1

    @property
    def insert(self) -> str:
        """The statement that stores an object, new or changed."""
        names = (*self.columns, "payload", "crc")
        marks = ", ".join("?" * len(names))
        update = ", ".join(f"{name} = excluded.{name}" for name in names[self.keys :])
        key = ", ".join(self.columns[: self.keys])
        return (
            f"INSERT INTO {self.table} ({', '.join(names)}) VALUES ({marks}) "  # noqa: S608
            f"ON CONFLICT ({key}) DO UPDATE SET {update}"
        )

    @property
    def select(self) -> str:
        """The statement that reads objects; a condition and an order may follow."""
        names = ", ".join((*self.columns, "payload", "crc"))
        return f"SELECT {names} FROM {self.table}"  # noqa: S608 - words of this file

    @property
    def delete(self) -> str:
        """The statement that removes an object."""
        key = " AND ".join(f"{name} = ?" for name in self.columns[: self.keys])
        return f"DELETE FROM {self.table} WHERE {key}"  # noqa: S608 - words of this file


KINDS: Final[dict[type, Kind]] = {
    Provider: Kind("providers", ("name", "array")),
    Site: Kind("sites", ("array", "desired")),
    Array: Kind("arrays", ("name", "site")),
    Pool: Kind("pools", ("array", "name"), keys=2),
    Classification: Kind("classifications", ("name",)),
    Volume: Kind("volumes", ("name", "array", "pool")),
    Pair: Kind("pairs", ("array", "peer")),
    Group: Kind("groups", ("name", "array")),
    Partnership: Kind("partnerships", ("partnership", "source", "destination")),
    Vm: Kind("vms", ("name", "volume")),
    Job: Kind("jobs", ("id", "state")),
    Operation: Kind("operations", ("id", "partnership", "finished")),
    VerifyState: Kind("verifications", ("partnership",)),
    Event: Kind("events", ("id", "unix", "level", "object")),
}


def row_crc(table: str, cells: tuple[object, ...]) -> int:
    """CRC-32 over the table's name and the cells of a row, each with its length."""
    return zlib.crc32(msgspec.json.encode((table, cells)))


def row_of(kind: Kind, item: object) -> tuple[Cell, ...]:
    """The cells of an object: its columns and its JSON."""
    cells: list[Cell] = []
    for name in kind.columns:
        value = getattr(item, name)
        plain = getattr(value, "value", value)
        # A cell must come back as it went in: SQLite knows no booleans, and stores 5 as 5.0 here.
        if isinstance(plain, bool):
            plain = int(plain)
        cells.append(float(plain) if name in _REALS else plain)
    return (*cells, msgspec.json.encode(item).decode())
