"""What a planted bug is, and how one gets into the list of mutants.

Always true: outside of `Mutant.planted` the engine is the shipped one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import attrs

#: Who is replaced, which name of it, and by what.
Change = tuple[object, str, object]


@attrs.frozen
class Mutant:
    """One planted bug."""

    name: str
    #: The promise of docs/reliability.md that it breaks: P1 to P23.
    promise: str
    #: The rule that it breaks, as a sentence.
    breaks: str
    changes: Callable[[], list[Change]] = attrs.field(repr=False)

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run the block with the bug in the engine."""
        with ExitStack() as stack:
            for owner, name, value in self.changes():
                stack.enter_context(_replaced(owner, name, value))
            yield


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


#: Every mutant, in the order in which their modules were read.
PLANTED: Final[list[Mutant]] = []


def plants(
    name: str, promise: str, breaks: str
) -> Callable[[Callable[[], list[Change]]], Callable[[], list[Change]]]:
    """Put what the decorated function returns on the list of mutants."""

    def register(changes: Callable[[], list[Change]]) -> Callable[[], list[Change]]:
        PLANTED.append(Mutant(name, promise, breaks, changes))
        return changes

    return register
