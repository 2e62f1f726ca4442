"""Bugs planted on purpose: what the simulator is worth is what it catches.

Always true:

(1) Outside of `Mutant.planted` the engine is the shipped one.
(2) Each mutant breaks one rule that a docstring of the engine states, and nothing else.
(3) `hunt` names the scene, the seed or the crash point that catches a mutant; a mutant that
    survives is a hole in the simulator.
(4) A witness is what caught a mutant once: to replay it takes a part of a second, and says nothing
    about mutants that it does not catch any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import attrs

from srshell.simulation import mutations, mutations_flow, mutations_log, mutations_roles
from srshell.simulation.episode import Failure, run_seed
from srshell.simulation.planting import PLANTED, Mutant
from srshell.simulation.scene_list import SCENES, run_scene
from srshell.simulation.sweep import SCRIPTS, CrashPoint, crash_points, run_point

#: About so many crash points has a script; a hunt takes every n-th of them.
_POINTS_OF_A_SCRIPT: Final = 1200


@attrs.frozen
class Catch:
    """What caught a mutant."""

    #: Replays the catch: "scene NAME", "seed N", or "point SCRIPT SIDE NUMBER ...".
    witness: str
    #: The promise that broke, in the words of the oracle.
    verdict: str
    #: How many scenes, seeds and crash points it took; 1 when a witness was replayed.
    tries: int

    @property
    def catcher(self) -> str:
        """The kind of what caught it: scene, seed or sweep."""
        kind = self.witness.partition(" ")[0]
        return "sweep" if kind == "point" else kind


def replay(mutant: Mutant, witness: str) -> Catch | None:
    """Plant the mutant and replay what caught it once; None when that does not catch it now."""
    with mutant.planted():
        return _try(witness, 1)


def hunt(mutant: Mutant, *, seeds_max: int = 80, points_max: int = 160) -> Catch | None:
    """Plant the mutant and return the first of scenes, seeds, crash points that catches it.

    What the shipped engine does not pass either is no catch.
    """
    for tries, witness in enumerate(_witnesses(seeds_max, points_max), 1):
        with mutant.planted():
            found = _try(witness, tries)
        if found is not None and _try(witness, tries) is None:
            return found
    return None


def _witnesses(seeds_max: int, points_max: int) -> Iterator[str]:
    yield from (f"scene {name}" for name in SCENES)
    yield from (f"seed {seed}" for seed in range(seeds_max // 2))
    for script in SCRIPTS:
        step = max(1, _POINTS_OF_A_SCRIPT // max(1, points_max))
        yield from map(point_witness, islice(crash_points(script), 0, None, step))
    yield from (f"seed {seed}" for seed in range(seeds_max // 2, seeds_max))


def _try(witness: str, tries: int) -> Catch | None:
    kind, _, rest = witness.partition(" ")
    try:
        match kind:
            case "scene":
                run_scene(rest)
            case "seed":
                run_seed(int(rest))
            case "point":
                run_point(point_of(rest))
    except Failure as failure:
        return Catch(witness, str(failure).partition("\n")[0], tries)
    return None


def point_witness(point: CrashPoint) -> str:
    """Return the witness that replays a crash point."""
    moment, kind = "before" if point.before else "after", "power" if point.power else "kill"
    return f"point {point.script} {point.side} {point.number} {moment} {kind} {point.again}"


def point_of(text: str) -> CrashPoint:
    """Return the crash point of a witness, without its first word."""
    script, side, number, moment, kind, again = text.rsplit(" ", 5)
    return CrashPoint(script, side, int(number), moment == "before", kind == "power", int(again))


#: The modules that plant bugs, so that none of them is left out.
PLANTERS: Final = (mutations, mutations_flow, mutations_log, mutations_roles)
MUTANTS: Final = tuple(PLANTED)


def mutant_named(name: str) -> Mutant:
    """Return the mutant of that name.  Raises StopIteration when there is none."""
    return next(mutant for mutant in MUTANTS if mutant.name == name)
