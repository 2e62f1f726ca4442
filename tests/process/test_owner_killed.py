"""The owner is killed: replication does not notice, and the next command goes on where it was.

The owner is the process that people's commands are carried out by; sites are processes of their
own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.model.errors import SrError
from tests.process.claims import Watch
from tests.process.fabric_pair import FabricPair, open_fabric_pair
from tests.process.load import Load
from tests.process.scenes import Scene

_LONG_SECONDS: Final = 60.0


def load_on(pair: FabricPair, pause_seconds: float = 0.02) -> Load:
    """Writers that speak to the sites, wherever the primary is."""
    return Load(pair.ledger, pair.target, pair.places(), pause_seconds=pause_seconds)


async def while_nothing_else_happens(folder: Path) -> None:
    """Writes go on without an owner; the next command finds everything, and starts nothing anew."""
    async with open_fabric_pair(folder) as pair, Watch(pair):
        before = await pair.client.info()
        sites = [pair.site(array) for array in pair.arrays]
        jobs = {job.id: job.command for job in await pair.client.jobs()}
        async with load_on(pair) as load:
            await load.more(20)
            await pair.kill(pair.owner())
            await load.more(50)
            row = await pair.row("A")
            assert row.failover_ready, row.failover_ready_reason
            assert row.rpo_seconds == 0.0
            after = await pair.client.info()
            assert after.owner_pid != before.owner_pid
            assert after.owner_term > before.owner_term
            assert after.identity == before.identity
            assert [pair.site(array) for array in pair.arrays] == sites
            assert {job.id: job.command for job in await pair.client.jobs()} == jobs
            # A site that dies while nobody owns it is started by the next owner.
            await pair.kill(pair.owner(), pair.site("B"))
            await load.more(1)
            await pair.client.status()
            await pair.in_sync()
            await pair.kill(pair.owner(), *(pair.site(array) for array in pair.arrays))
            await pair.client.status()
            await pair.in_sync()
            await load.more(20)
        await pair.check()


async def in_each_step(folder: Path) -> None:
    """Kill the owner before a site has heard of a step, and while the site carries it out."""
    moments = (("seal", 0.0), ("demote", 0.0), ("demote", 0.15), ("promote", 0.0), ("promote", 0.2))
    async with open_fabric_pair(folder) as pair, Watch(pair):
        async with load_on(pair, 0.05) as load:
            for source, (step, after_seconds) in zip(itertools.cycle("AB"), moments):
                await load.more(10)
                await change_roles(pair, source, step, after_seconds)
            await load.more(10)
        await pair.check()


async def with_both_sites(folder: Path) -> None:
    """Kill the owner and both sites together, in the first copy and in each step once."""
    async with open_fabric_pair(folder, everything_dies=True) as pair, Watch(pair):
        async with load_on(pair, 0.05) as load:
            for source, step in (("A", "seal"), ("B", "demote"), ("A", "promote")):
                await load.more(10)
                await change_roles(pair, source, step, 0.1, also=pair.arrays)
            await load.more(10)
        await pair.check()


async def change_roles(
    pair: FabricPair,
    source: str,
    step: str,
    after_seconds: float,
    *,
    also: tuple[str, ...] = (),
) -> None:
    """Begin to make the other side primary, kill the owner, see what the next one made of it."""
    target = pair.other(source)
    await slow_down(pair, _LONG_SECONDS)
    changing = asyncio.create_task(change(pair, target))
    reached = await pair.interrupt(step, after_seconds, also)
    refusal = await changing
    await slow_down(pair, 0)
    await pair.until_settled()
    primary = await pair.in_sync()
    if reached.get("demote") == "done":
        assert primary == target, f"not rolled forward: {reached}"
    if reached.get("demote") == "planned":
        assert primary == source, f"not taken back: {reached}"
    # What the command said in the end is what happened.
    assert (primary == target) == (refusal is None), (primary, refusal)
    if primary == source:
        assert await change(pair, target) is None
        assert await pair.in_sync() == target


async def change(pair: FabricPair, target: str) -> SrError | None:
    """Make a side primary, as a person would; return why that failed."""
    client = pair.client
    try:
        if target == "A":
            await client.failback("groupB", confirm="groupA")
        else:
            await client.failover("groupA", "planned", confirm="groupB")
    except SrError as error:
        return error
    return None


async def slow_down(pair: FabricPair, seconds: float) -> None:
    """Make the disks of both sides slow, so that every step takes a while."""
    for array in pair.arrays:
        await pair.client.fault("disk", "slow", array, seconds=seconds)


SCENES: Final[dict[str, Scene]] = {
    "while nothing else happens": while_nothing_else_happens,
    "in each step of role changes": in_each_step,
    "with both sites, in the first copy and in role changes": with_both_sites,
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_the_owner_is_killed(scene: str, played: Callable[[str], None]) -> None:
    """Sites serve on; a role change is completed or taken back, and there is one primary."""
    played(scene)
