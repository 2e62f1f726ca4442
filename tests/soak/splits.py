"""``python -m tests.soak.splits --count K --from N``: two primaries, again and again.

The sides are parted, and both lead and write: the same blocks, other ones, trims, more than a log
holds.  Half of the times a person does it, by accepting the loss of a site that comes back; half of
the times an owner that knows nothing of the living primary.  Either side is kept.  Now and then the
old primary writes nothing: that is no split brain, and nobody is asked.

Always true: both sides say at first contact that there are two primaries, nothing is merged or
dropped until a side is named, and afterwards both hold its writes while a branch holds the other's.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Final

from tests.process.drill import Figures, run
from tests.process.fabric_pair import FabricPair, open_fabric_pair
from tests.process.load import Load
from tests.process.rivals import HARMLESS, SPLITTING, meet, oppose, reconcile, settle

#: Most of the time is waiting for the peer timeout.
_LANES: Final = 3

#: So often nobody can lose anything, and nobody may be asked.
_HARMLESS_EVERY: Final = 6


async def splits(numbers: range, folder: Path, figures: Figures) -> None:
    """Split some fabrics side by side."""
    lanes = [numbers[lane::_LANES] for lane in range(min(_LANES, len(numbers)))]
    places = [folder / str(lane) for lane in range(len(lanes))]
    for place in places:
        place.mkdir()
    await asyncio.gather(
        *(one_lane(lane, place, figures) for lane, place in zip(lanes, places, strict=True))
    )


async def one_lane(numbers: range, folder: Path, figures: Figures) -> None:
    """Split one fabric again and again."""
    async with open_fabric_pair(folder) as pair:
        for number in numbers:
            if number % _HARMLESS_EVERY == _HARMLESS_EVERY - 1:
                await rejoin(pair, number)
                figures["rejoined"] += 1
            else:
                await split(pair, number)
                figures["splits"] += 1
        figures["acked_writes"] += pair.ledger.acknowledged


async def split(pair: FabricPair, number: int) -> None:
    """Split once, and settle it."""
    dice = random.Random(f"split {number}")
    await write_some(pair, number, dice)
    pattern = SPLITTING[tuple(SPLITTING)[number % len(SPLITTING)]](dice)
    rivals = await oppose(pair, pattern, by_command=dice.random() < 0.5)
    await meet(rivals)
    await rivals.seen_by_both()
    await rivals.keep_apart()
    await settle(rivals, rivals.old if dice.random() < 0.5 else rivals.new)


async def rejoin(pair: FabricPair, number: int) -> None:
    """Let both lead, with nothing to choose between."""
    dice = random.Random(f"split {number}")
    await write_some(pair, number, dice)
    pattern = HARMLESS[dice.choice(tuple(HARMLESS))](dice)
    rivals = await oppose(pair, pattern, by_command=dice.random() < 0.5)
    await meet(rivals)
    await reconcile(rivals)


async def write_some(pair: FabricPair, number: int, dice: random.Random) -> None:
    """Write what both sides hold before they are parted."""
    pair.primary = await pair.in_sync()
    async with Load(pair.ledger, pair.target, pair.places(), seed=number) as load:
        await load.more(dice.randint(1, 20))


if __name__ == "__main__":
    sys.exit(run(splits, __doc__))
