"""Files of one side are damaged while its site is down: a code says so, and nothing is lost.

Always true of what is refused: the damaged files stay as they are, the other side goes on, and once
the files are put right the group comes in sync with every acknowledged write.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData
from srshell.site.host import Site
from tests.process import harm
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.load import Load
from tests.process.pair import PARTNERSHIP, Pair, open_pair
from tests.process.scenes import Scene


async def refusal(pair: Pair, array: str) -> tuple[str, str, str]:
    """Open a damaged site, in this process; return noun, code and facts of what it refuses."""
    try:
        site = await Site.open(pair.settings(array))
    except SrError as error:
        return "site", error.code, error.facts
    try:
        problems = {p.noun: p for p in (await site.describe()).problems}
        assert problems, "it found nothing wrong"
        with pytest.raises(SrError):
            await site.replica(PARTNERSHIP)
    finally:
        await site.close()
    noun = "replica" if "replica" in problems else "pool"
    return noun, problems[noun].code, problems[noun].facts


async def refuse_all(pair: Pair, array: str) -> None:
    """Meet one kind of damage after the other; between two, all files are put right."""
    whole = harm.contents(pair, array)
    for damage, noun, code in harm.REFUSED:
        damage(pair, array)
        damaged = harm.contents(pair, array)
        found = await refusal(pair, array)
        assert found[:2] == (noun, code), (damage.__name__, found)
        assert found[2], damage.__name__
        assert harm.contents(pair, array) == damaged, damage.__name__
        for path, content in whole.items():
            path.write_bytes(content)


async def killed_with_records(pair: Pair, array: str) -> bool:
    """Take a side down while it works; not just after a checkpoint, when its log is empty."""
    await pair.take_down(array)
    if harm.holds_records(pair, array):
        return True
    await pair.bring_back(array)
    return False


def harming(array: str) -> Scene:
    """Damage everything that a side lives on."""

    async def scene(folder: Path) -> None:
        async with open_pair(folder) as pair, Watch(pair):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(100)
                await until(lambda: killed_with_records(pair, array), "it has records in its log")
            await refuse_all(pair, array)
            other = await pair.report(pair.other(array))
            assert other is not None
            assert other.data is ReplicaData.CONSISTENT
            # One of them for the process, too: it runs, tells, and serves what is whole.
            harm.flip_superblocks(pair, array)
            await pair.bring_back(array)
            (problem,) = (await pair.site(array).describe()).problems
            assert problem.code == "SR9210"
            await pair.take_down(array)
            harm.flip_superblocks(pair, array)
            await pair.bring_back(array)
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                for damage in harm.MENDED:
                    await load.more(20)
                    await pair.live()
                    await pair.take_down(array)
                    damage(pair, array)
                    await pair.bring_back(array)
                await load.more(20)
                await pair.live()
            await pair.check()
        for site in pair.arrays:
            said = (folder / "sites" / site / "site.log").read_text()
            assert "Traceback" not in said

    return scene


SCENES: Final[dict[str, Scene]] = {"the source": harming("A"), "the destination": harming("B")}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_damage_is_told_and_harms_nothing_else_at(
    scene: str, played: Callable[[str], None]
) -> None:
    """Never shortened silently, never overwritten, never a traceback."""
    played(scene)


def test_every_code_of_damage_says_what_to_do() -> None:
    """Sentence, rule and command come from one table."""
    for code in sorted({code for _, _, code in harm.REFUSED}):
        error = SrError.make(code)
        assert error.rule
        assert error.mend.startswith("srshell ")
