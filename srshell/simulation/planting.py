"""What a planted bug is, and how one gets into the list of mutants.

Always true:

(1) Outside of `Mutant.planted` the engine is the shipped one.
(2) Planted code that fails by a mistake of its own is our error, never a bug that was caught.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from traceback import walk_tb
from types import FunctionType
from typing import Any, Final

import attrs

#: Who is replaced, which name of it, and by what.
Change = tuple[object, str, object]

#: What a mistake in planted code raises.
_MISTAKES: Final = (TypeError, AttributeError, NameError, LookupError)


class BrokenMutant(Exception):
    """Planted code that does not do what it was planted for."""


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
        """Run the block with the bug in the engine.

        Raises:
            BrokenMutant: the planted code failed by itself.
        """
        mistakes: list[Exception] = []
        with ExitStack() as stack:
            for owner, name, value in self.changes():
                stack.enter_context(_replaced(owner, name, _watched(value, mistakes)))
            yield
        if mistakes:
            raise BrokenMutant(f"{self.name} failed by itself") from mistakes[0]


def _watched(value: Any, mistakes: list[Exception]) -> Any:  # noqa: ANN401
    """Return what is planted, made to note its own mistakes as it raises them."""
    if isinstance(value, property):
        return property(_watched(value.fget, mistakes))
    if not isinstance(value, FunctionType) or inspect.isgeneratorfunction(value):
        return value
    # Of its own, or of how it is called: then it is our frame that is the innermost.
    places = {value.__code__.co_filename, __file__}

    def note(error: Exception) -> None:
        *_, (innermost, _) = walk_tb(error.__traceback__)
        if innermost.f_code.co_filename in places:
            mistakes.append(error)

    @wraps(value)
    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        try:
            return value(*arguments, **named)
        except _MISTAKES as error:
            note(error)
            raise

    @wraps(value)
    async def call_and_wait(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        try:
            return await value(*arguments, **named)
        except _MISTAKES as error:
            note(error)
            raise

    return call_and_wait if inspect.iscoroutinefunction(value) else call


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
