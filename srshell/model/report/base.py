"""What reports are made of: rows, names and notes.

Always true: a report that is a list of rows behaves like one, and a named value reads as its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Generic, TypeVar, cast

import attrs

from srshell.model.errors import SrError

RowT = TypeVar("RowT")


class Rows(Generic[RowT]):
    """A report that is a list of rows: it can be walked, counted and indexed like one."""

    __slots__ = ()
    ROWS: ClassVar[str]

    def rows(self) -> tuple[RowT, ...]:
        """The rows, in the order in which they are shown."""
        return cast("tuple[RowT, ...]", getattr(self, self.ROWS))

    def __iter__(self) -> Iterator[RowT]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self.rows())

    def __getitem__(self, index: int) -> RowT:
        return self.rows()[index]


class Named:
    """A value that reads as its name, so that it can stand in a command line."""

    __slots__ = ()
    name: str

    def __str__(self) -> str:
        return self.name


@attrs.frozen
class Note:
    """A warning that came with a result: what was done holds, and a person should know this."""

    code: str
    text: str
    mend: str = ""

    @classmethod
    def of(cls, error: SrError) -> Note:
        """The warning as a note."""
        facts = f": {error.facts}" if error.facts else ""
        return cls(error.code, f"{error.message.rstrip('.')}{facts}", error.mend)
