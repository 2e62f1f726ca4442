"""``python -m tests.soak.failovers --count K --from N``: over and back, with writers at work.

Each cycle is a planned failover and a failback, through the fabric's owner, as a person asks for
them.  Every second cycle goes on with a lost source (its site taken down, or frozen), an unplanned
failover, the return of the lost site, and a failback.

Always true: whenever the group is in sync again, both sides are equal and hold every acknowledged
write; no failover says that anything was lost.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Final

from srshell.model.report import RoleChange
from tests.process.claims import Watch
from tests.process.drill import Figures, pieces, run
from tests.process.fabric_pair import FabricPair, fail_over, open_fabric_pair
from tests.process.load import Load

_BETWEEN_FABRICS: Final = 10


async def failovers(numbers: range, folder: Path, figures: Figures) -> None:
    """Change the roles there and back, in a fabric that is made anew now and then."""
    for piece in pieces(numbers, _BETWEEN_FABRICS):
        place = folder / str(piece.start)
        place.mkdir()
        async with open_fabric_pair(place) as pair, Watch(pair):
            for number in piece:
                dice = random.Random(f"failover {number}")
                await planned(pair, dice)
                figures.update(planned=1, failbacks=1, checks=2)
                if number % 2:
                    await unplanned(pair, dice)
                    figures.update(unplanned=1, failbacks=1, checks=2)
            figures["acked_writes"] += pair.ledger.acknowledged


async def planned(pair: FabricPair, dice: random.Random) -> None:
    """Change the roles while both sides live."""
    async with writers(pair, dice) as load:
        await load.more(dice.randint(0, 20))
        loses_nothing(await pair.client.failover("groupA", "planned", confirm="groupB"))
        await load.more(dice.randint(1, 10))
    await pair.check()
    await back(pair, dice)


async def unplanned(pair: FabricPair, dice: random.Random) -> None:
    """Lose the source, go on without it, and take it back."""
    async with writers(pair, dice) as load:
        await load.more(dice.randint(1, 20))
        await dice.choice((pair.take_down, pair.freeze))("A")
        loses_nothing(await fail_over(pair, "B"))
        await load.more(dice.randint(1, 20))
        await pair.bring_back("A")
        await load.more(dice.randint(1, 10))
    await pair.check()
    await back(pair, dice)


async def back(pair: FabricPair, dice: random.Random) -> None:
    """Let the first primary lead again."""
    async with writers(pair, dice) as load:
        await load.more(dice.randint(0, 5))
        loses_nothing(await pair.client.failback("groupB", confirm="groupA"))
        await load.more(dice.randint(1, 10))
    await pair.check()


def writers(pair: FabricPair, dice: random.Random) -> Load:
    """Writers that follow whoever leads."""
    seed = dice.randrange(1 << 20)
    return Load(pair.ledger, pair.target, pair.places(), seed=seed, pause_seconds=0.003)


def loses_nothing(change: RoleChange) -> None:
    """A group in sync has nothing to lose."""
    assert (change.lost_writes, change.lost_bytes) == (0, 0), change


if __name__ == "__main__":
    sys.exit(run(failovers, __doc__))
