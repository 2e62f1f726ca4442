"""``python -m tests.soak.calls --count K --from N``: every system call of a site goes wrong once.

Point N of the sweep names a side, a call, which one of its kind in a thread, and a fault: the
process is killed there, the call fails with EIO, or with ENOSPC.

Always true: whatever the site makes of it, every acknowledged write is there afterwards, and a side
whose disk failed stays failed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Final

from tests.process.claims import Watch
from tests.process.drill import Figures, run
from tests.process.load import Load
from tests.process.pair import RESTLESS, open_pair
from tests.process.sweep import ERRORS, KILL, Point, fail_at, kill_at, points

_FAULTS: Final = (KILL, *ERRORS.values())


async def calls(numbers: range, folder: Path, figures: Figures) -> None:
    """Sweep some points: those that kill in one pair, each of the others in one of its own."""
    chosen = list(itertools.islice(points(_FAULTS), numbers.start, numbers.stop))
    deadly = [point for point in chosen if point.tampering.fault == KILL]
    if deadly:
        await kill_at_each(deadly, folder, figures)
    for index, point in enumerate(chosen):
        if point.tampering.fault != KILL:
            place = folder / str(index)
            place.mkdir()
            figures.update(["points", (await fail_at(place, point)).name.lower()])


async def kill_at_each(deadly: list[Point], folder: Path, figures: Figures) -> None:
    """Kill one site after the other in one pair."""
    place = folder / "k"
    place.mkdir()
    async with open_pair(place, pace=RESTLESS) as pair, Watch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            await load.more(20)
            for point in deadly:
                figures.update(["points", (await kill_at(pair, point)).name.lower()])
        await pair.check()
        figures["acked_writes"] += pair.ledger.acknowledged


if __name__ == "__main__":
    sys.exit(run(calls, __doc__))
