"""Two primaries of one group, made by force: both sides see it, nobody merges, a person decides.

The long form: ``python -m tests.soak.splits``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.process.fabric_pair import open_fabric_pair
from tests.process.load import Load
from tests.process.rivals import HARMLESS, SPLITTING, meet, oppose, reconcile, settle
from tests.process.scenes import Scene


def splitting(*patterns: str, by_command: bool, keep_old: bool) -> Scene:
    """Split a fabric once for each pattern, and settle it."""

    async def scene(folder: Path) -> None:
        dice = random.Random(str(patterns))
        async with open_fabric_pair(folder) as pair:
            for name in patterns:
                pair.primary = await pair.in_sync()
                async with Load(pair.ledger, pair.target, pair.places()) as load:
                    await load.more(10)
                if name in HARMLESS:
                    rivals = await oppose(pair, HARMLESS[name](dice), by_command=by_command)
                    await meet(rivals)
                    await reconcile(rivals)
                    continue
                rivals = await oppose(pair, SPLITTING[name](dice), by_command=by_command)
                await meet(rivals)
                await rivals.seen_by_both()
                await rivals.keep_apart()
                await settle(rivals, rivals.old if keep_old else rivals.new)

    return scene


SCENES: Final[dict[str, Scene]] = {
    "by a second owner": splitting(
        "the same blocks", "only the old primary", by_command=False, keep_old=False
    ),
    "by accepting a loss": splitting(
        "overlapping blocks", "only the new primary", by_command=True, keep_old=True
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_a_split_brain_made(scene: str, played: Callable[[str], None]) -> None:
    """Both sides keep what they hold, and the side that is given up keeps it in a branch."""
    played(scene)
