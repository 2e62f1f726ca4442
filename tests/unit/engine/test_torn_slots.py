"""Power is cut while slots are written for the first time or wiped: never a riddle afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs
import pytest

from srshell.codec.superblock import CLEARED, SLOT_BYTES, SLOT_COUNT
from srshell.engine.formatting import format_log, wipe_log
from srshell.engine.superblock_file import (
    SUPERBLOCK_AREA_BYTES,
    SuperblockFile,
    read_superblock,
)
from srshell.model.replica import Superblock
from srshell.simulation import Operation, run_simulated
from tests.unit.engine.sides import LIMITS, LOG_BYTES, Side, Sides, log_path, spec

Work = Callable[[], Coroutine[Any, Any, None]]


async def cut_short(side: Side, work: Work, operations: int) -> bool:
    """Cut the power after so many operations of the disk; tell whether the work lasted so long."""
    end = side.disk.operations + operations

    def strike(operation: Operation) -> None:
        if operation.number == end:
            side.kill()
            side.disk.power_cut()

    side.process = side._loop.process(side.name)
    dead = asyncio.get_running_loop().create_future()
    side.process.at_death(lambda: dead.set_result(None))
    side.disk.after = strike
    working = side.begin(work())
    await asyncio.wait({working, dead}, return_when=asyncio.FIRST_COMPLETED)
    side.disk.after = None
    return side.disk.operations >= end


async def superblock_of(side: Side) -> Superblock | None:
    async with await side.world.log_disk.open(log_path(side.name)) as file:
        return await read_superblock(file)


async def wipe(side: Side) -> None:
    async with await side.world.log_disk.open(log_path(side.name)) as file:
        await wipe_log(file)


async def fill_slots(side: Side) -> None:
    """Make a log whose four slots are all written."""
    await format_log(spec(side.name), side.world)
    async with await side.world.log_disk.open(log_path(side.name)) as file:
        found = await read_superblock(file)
        assert found is not None
        slots = SuperblockFile(file, found)
        for _ in range(4):
            await slots.write(lambda now: attrs.evolve(now, generation=now.generation + 1))


def on_a_log(test: Callable[[Side], Awaitable[None]], seed: int) -> None:
    """Run a test on one side whose log volume is blank; what is torn may end in garbage."""

    async def main(pair: Sides) -> None:
        pair.a.disk.harsh = True
        await pair.a.world.log_disk.create(log_path("A"), LOG_BYTES)
        await test(pair.a)

    run_simulated(lambda loop: main(Sides(loop, LIMITS)), seed)


@pytest.mark.parametrize("seed", range(40))
def test_a_wipe_that_is_cut_short_leaves_a_whole_superblock_or_none(seed: int) -> None:
    """And so does the next one, which begins with what the first one left."""

    async def test(side: Side) -> None:
        await fill_slots(side)
        operations = 1
        while await cut_short(side, lambda: wipe(side), operations):
            await superblock_of(side)
            operations += 1
        assert operations > 9, "two writes in each slot and two syncs"
        async with await side.world.log_disk.open(log_path(side.name)) as file:
            blank = CLEARED.ljust(SLOT_BYTES, b"\0") * SLOT_COUNT
            assert await file.read_at(0, SUPERBLOCK_AREA_BYTES) == blank

    on_a_log(test, seed)


@pytest.mark.parametrize("seed", range(40))
def test_a_log_that_was_formatted_half_way_can_be_formatted_again(seed: int) -> None:
    """However often; the same command is given until it is done."""

    async def test(side: Side) -> None:
        operations = 1
        while await cut_short(side, lambda: format_log(spec("A"), side.world), operations):
            await superblock_of(side)
            operations += 1
        found = await superblock_of(side)
        assert found is not None
        assert found.partnership == spec("A").partnership

    on_a_log(test, seed)
