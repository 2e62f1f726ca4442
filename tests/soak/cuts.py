"""``python -m tests.soak.cuts --count K --from N``: the power fails at one site, or at both.

Each site lives on an ext4 file system of its own, that is shut down without flushing its journal:
every byte that was not synced is gone, then the process is gone, and the site starts again.

Always true: after every five cuts, and at the end, both sides are equal and hold every
acknowledged write; in between nobody claimed what did not hold.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Final

from tests.process.claims import Watch
from tests.process.drill import Figures, pieces, run
from tests.process.load import Load
from tests.process.loop_fs import site_disks
from tests.process.pair import ARRAYS, RESTLESS, open_pair
from tests.process.power import DISK_BYTES, lose_power
from tests.soak.kills import moment, writers

_BETWEEN_CHECKS: Final = 5
_VICTIMS: Final = (("A",), ("B",), ("A", "B"))


async def cuts(numbers: range, folder: Path, figures: Figures) -> None:
    """Cut the power of sites under load."""
    with site_disks(folder, ARRAYS, DISK_BYTES) as disks:
        by_array = dict(zip(ARRAYS, disks, strict=True))
        async with open_pair(folder, pace=RESTLESS) as pair, Watch(pair):
            for piece in pieces(numbers, _BETWEEN_CHECKS):
                load: Load = writers(pair, piece.start)
                async with load:
                    for number in piece:
                        dice = random.Random(f"cut {number}")
                        await moment(load, dice)
                        await lose_power(pair, by_array, dice.choice(_VICTIMS))
                        figures["cuts"] += 1
                    await load.more(1)
                await pair.check()
                figures["checks"] += 1
            figures["acked_writes"] += pair.ledger.acknowledged


if __name__ == "__main__":
    sys.exit(run(cuts, __doc__))
