"""Breadth-first search over every reachable state: a broken promise comes with its shortest trace.

Always true:

(1) Every reachable state is checked once, and then every step out of it; up to ``states_max``
    states, nearest first, where a bound is given.
(2) The trace of a failure is a shortest one: nothing in it can be left out.
"""

from __future__ import annotations

import gc
from array import array
from itertools import pairwise
from time import process_time

import attrs

from tests.model import promises, steps
from tests.model.group import Group, Scope


@attrs.frozen
class Found:
    """What a search found; ``broken`` is empty when every promise holds."""

    states: int  # that were checked
    transitions: int
    seconds: float  # of processor time
    depth: int  # steps to the farthest of them
    broken: str = ""
    trace: tuple[str, ...] = ()
    complete: bool = True  # no state is left

    def __str__(self) -> str:
        """Return one line, and the trace below it."""
        line = f"{self.states} states, {self.transitions} transitions, depth {self.depth}"
        line += f", {self.seconds:.1f} s"
        line += "" if self.complete or self.broken else ", stopped at its bound"
        return "\n    ".join([line, *self.trace, self.broken]) if self.broken else line


class Search:
    """One search within one scope, under the rules as they are while it runs."""

    def __init__(self, scope: Scope) -> None:
        """Begin with nothing seen."""
        self.group = Group(scope)
        self.states: list[int] = []
        #: What was ever done, by whichever side.
        self.labels: set[str] = set()
        self._seen: set[int] = set()
        self._parents = array("i")
        self._transitions = 0

    def run(self, states_max: int | None = None) -> Found:
        """Search until everything was seen, a promise is broken, or the bound is reached."""
        began = process_time()
        for state in self.group.starts():
            self._reach(state, -1)
        position, broken = 0, ""
        # Nothing here is ever garbage in a cycle, and looking for some takes a fifth of the time.
        gc.disable()
        try:
            while position < len(self.states) and not broken and position != states_max:
                broken = self._expand(position)
                position += 1
        finally:
            gc.enable()
        return Found(
            position,
            self._transitions,
            process_time() - began,
            len(self._path(position - 1)) - 1,
            broken,
            self.trace(position - 1) if broken else (),
            position == len(self.states),
        )

    def _expand(self, position: int) -> str:
        """Check a state and reach what follows it; return what is broken there, or nothing."""
        state = self.states[position]
        broken = promises.broken_promise(self.group, state)
        if broken:
            return broken
        try:
            following = steps.successors(self.group, state)
        except (steps.Broken, AssertionError) as error:
            return f"{type(error).__name__}: {error}"
        self._transitions += len(following)
        for label, reached in following:
            self.labels.add(label)
            self._reach(reached, position)
        return ""

    def _reach(self, state: int, parent: int) -> None:
        if state not in self._seen:
            self._seen.add(state)
            self.states.append(state)
            self._parents.append(parent)

    def _path(self, position: int) -> list[int]:
        path = [position]
        while self._parents[path[-1]] >= 0:
            path.append(self._parents[path[-1]])
        return path[::-1]

    def trace(self, position: int) -> tuple[str, ...]:
        """Return the steps that lead to a state."""
        lines = []
        path = self._path(position)
        for before, after in pairwise(path):
            following = steps.successors(self.group, self.states[before])
            lines.append(
                next(label for label, reached in following if reached == self.states[after])
            )
        return tuple(lines)
