"""Commits of one boot that are made now by the loop and now by a job, as the dice say."""

from __future__ import annotations

from random import Random

import attrs

from srshell.simulation.loop import SimLoop


@attrs.define(eq=False)
class Whims:
    """A `Promptness` without reasons: whatever depends on where a commit is made shows."""

    random: Random

    def allows(self, who: object) -> bool:
        """Say yes half of the time."""
        return self.random.random() < 0.5

    def committed(self, who: object, in_loop_ns: int = 0) -> None:
        """Do not care."""

    def read(self) -> None:
        """Do not care."""


def whims(loop: SimLoop, name: str, boots: int) -> Whims:
    """Return those of a side's present boot."""
    return Whims(loop.random(f"commits of {name} {boots}"))
