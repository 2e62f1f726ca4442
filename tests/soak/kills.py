"""``python -m tests.soak.kills --count K --from N``: SIGKILL at any moment, again and again.

Three cycles of four kill sites of a pair: the source, the destination, or both.  The fourth kills
the owner of a fabric, and with it no site, one, or both.  Writers write all the time.

Always true: after every ten cycles, and at the end, both sides are equal and hold every
acknowledged write; in between nobody claimed what did not hold.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Final

from srshell.model.replica import OnPeerLoss
from srshell.site.process_lock import ProcessMark
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.drill import Figures, pieces, run
from tests.process.fabric_pair import FabricPair, open_fabric_pair
from tests.process.load import Load
from tests.process.pair import RESTLESS, Pair, open_pair

_BETWEEN_CHECKS: Final = 10
_OF_SITES: Final = (("A",), ("B",), ("A", "B"))
_WITH_OWNER: Final = ((), *_OF_SITES)


async def kills(numbers: range, folder: Path, figures: Figures) -> None:
    """Kill sites in one pair, and owners in one fabric, side by side."""
    of_owner = [number for number in numbers if number % 4 == 3]
    of_sites = [number for number in numbers if number % 4 != 3]
    drills = []
    if of_sites:
        (folder / "s").mkdir()
        drills.append(kill_sites(of_sites, folder / "s", figures))
    if of_owner:
        (folder / "o").mkdir()
        drills.append(kill_owners(of_owner, folder / "o", figures))
    await asyncio.gather(*drills)


async def kill_sites(numbers: list[int], folder: Path, figures: Figures) -> None:
    """Kill sites that are started again at once."""
    policy = random.Random(numbers[0]).choice((OnPeerLoss.CONTINUE, OnPeerLoss.SUSPEND_IO))
    async with open_pair(folder, on_peer_loss=policy, pace=RESTLESS) as pair, Watch(pair):
        for piece in pieces(range(len(numbers)), _BETWEEN_CHECKS):
            async with writers(pair, numbers[piece.start]) as load:
                for index in piece:
                    dice = random.Random(f"kill {numbers[index]}")
                    await moment(load, dice)
                    victims = dice.choice(_OF_SITES)
                    await pair.living(*victims)
                    await pair.kill(victims)
                    figures["kills"] += 1
                await load.more(1)
            await pair.check()
            figures["checks"] += 1
        count_writes(pair, figures)


async def kill_owners(numbers: list[int], folder: Path, figures: Figures) -> None:
    """Kill the owner and some sites; the next command starts what is missing."""
    async with open_fabric_pair(folder) as pair, Watch(pair):
        for piece in pieces(range(len(numbers)), _BETWEEN_CHECKS):
            async with writers(pair, numbers[piece.start]) as load:
                for index in piece:
                    dice = random.Random(f"kill {numbers[index]}")
                    await moment(load, dice)
                    sites = [await living_mark(pair, each) for each in dice.choice(_WITH_OWNER)]
                    await pair.kill(pair.owner(), *sites)
                    figures["kills"] += 1
                    await pair.client.status()
                await load.more(1)
            await pair.check()
            figures["checks"] += 1
        count_writes(pair, figures)


def writers(pair: Pair | FabricPair, seed: int) -> Load:
    """Writers in a hurry."""
    return Load(pair.ledger, pair.target, pair.places(), workers=4, seed=seed, pause_seconds=0.003)


async def moment(load: Load, dice: random.Random) -> None:
    """Wait until writes flow, or do not: what was killed may be recovering still."""
    if writes := dice.choice((0, 5, 20, 60)):
        await load.more(writes)
    await asyncio.sleep(dice.uniform(0, 0.05))


async def living_mark(pair: FabricPair, array: str) -> ProcessMark:
    """Wait until a site lives."""

    async def look() -> ProcessMark | None:
        return pair.find_site(array)

    return await until(look, f"{array} lives")


def count_writes(pair: Pair | FabricPair, figures: Figures) -> None:
    """Count what was acknowledged."""
    figures["acked_writes"] += pair.ledger.acknowledged


if __name__ == "__main__":
    sys.exit(run(kills, __doc__))
