"""The kinds of long tests, and what is expected of them.

Always true: a piece is told where the pieces before it ended, so that nothing is done twice; its
last line on standard output is a JSON object of what it counted, and it ends with status 0 only if
no promise was broken.
"""

from __future__ import annotations

import attrs

from tests.fuzz.targets import TARGETS


@attrs.frozen
class Work:
    """One kind of long test: ``python -m MODULE WORDS… --count COUNT --from N``.

    ``figure`` is what its pieces count and ``goal`` how much of it is enough.  What is done
    ``once`` would find the same again at the same commit, and is not cut into pieces.
    """

    name: str
    words: tuple[str, ...]
    figure: str
    goal: int
    count: int = 0
    once: bool = False
    counted_by: str = "--count"

    def command(self, done: int) -> list[str]:
        """The words after ``python -m`` of the piece after ``done`` pieces."""
        if self.once:
            return list(self.words)
        return [*self.words, self.counted_by, str(self.count), "--from", str(done * self.count)]


_SIMULATION = "srshell.simulation"
WORKS = (
    Work("seeds", (_SIMULATION,), "seeds", 20_000, 400, counted_by="--seeds"),
    Work("sweep", (_SIMULATION, "--sweep", "--thorough"), "points", 50_000, 2_500),
    Work("mutants", ("tests.mutants", "--replay"), "caught", 40, once=True),
    Work("model", ("tests.model", "--deep"), "states", 10_000_000, once=True),
    Work("kills", ("tests.soak.kills",), "kills", 500, 25),
    Work("cuts", ("tests.soak.cuts",), "cuts", 300, 20),
    Work("calls", ("tests.soak.calls",), "points", 96, 12),
    Work("failovers", ("tests.soak.failovers",), "planned", 100, 10),
    Work("splits", ("tests.soak.splits",), "splits", 50, 5),
    Work("flips", ("tests.soak.flips",), "flips", 2_000, 100),
    Work("prefixes", ("tests.soak.prefixes",), "prefixes", 1_000, 100),
    Work("labs", ("tests.soak.labs",), "seeds", 30, 2),
    *(
        Work(f"fuzz-{target}", ("tests.soak.fuzz", "--target", target), "inputs", 10**6, 10**5)
        for target in sorted(TARGETS)
    ),
)
