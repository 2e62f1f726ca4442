"""What is measured: sheets of rows, each known by its name before it is measured.

Always true: the name of a row is unique, and a sheet yields none but the rows that were wanted, so
that a run that was broken off goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from typing import TypeAlias

import attrs

from benchmarks.pair import Shape
from benchmarks.rows import Row
from srshell.model.commits import Commits


@attrs.frozen
class Setting:
    """Where, how long and how often each row is measured; sizes in bytes."""

    folder: Path
    seconds: float = 2.0
    pairs: int = 3
    size_bytes: int = 512 << 20
    large_bytes: int = 4 << 30
    commits: Commits = Commits.AUTO

    @property
    def shape(self) -> Shape:
        """Return the pair that most rows use."""
        return Shape(self.size_bytes)


#: What is wanted of a sheet, by name, becomes rows.
Measure: TypeAlias = Callable[[Setting, Collection[str]], AsyncIterator[Row]]


@attrs.frozen
class Sheet:
    """Rows that share what is set up for them."""

    title: str
    works: tuple[str, ...]
    measure: Measure
    #: Programs without which nothing of it can be measured.
    needs: tuple[str, ...] = ()
    #: Rows that need one more program.
    needs_of: Mapping[str, str] = attrs.field(factory=dict)

    def missing(self) -> dict[str, str]:
        """Return the rows that cannot be measured here, and the program that each lacks."""
        found = {}
        for work in self.works:
            for program in (*self.needs, *filter(None, (self.needs_of.get(work),))):
                if shutil.which(program) is None:
                    found[work] = program
        return found

    def wanted(self, pattern: str, done: Collection[str]) -> tuple[str, ...]:
        """Return the rows that a pattern asks for and that are not there yet."""
        pattern = pattern.lower()
        asked = self.works
        if pattern not in self.title.lower():
            asked = tuple(work for work in self.works if pattern in work.lower())
        return tuple(work for work in asked if work not in done)
