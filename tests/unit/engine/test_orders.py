"""Two things in the right order: a crash between them, or a job beside them, tells them apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from bitarray import bitarray

from srshell.codec.bitmap_page import decode_page
from srshell.codec.map_page import PAGE_BYTES
from srshell.engine.core import Core
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.engine.volume_set import VolumeSet
from srshell.simulation import SimDisk
from tests.unit.engine.sides import (
    BLOCK,
    KIB,
    PARTNERSHIP,
    RING_BYTES,
    VOLUME_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
)
from tests.unit.engine.test_volume_set import on_volumes


@pytest.mark.parametrize("seed", range(8))
def test_an_extent_that_lands_during_a_sync_is_covered_by_the_next_one(seed: int) -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        storing = asyncio.create_task(volumes.store(0, ((4096, 4),), (b"copy",)))
        while not storing.done():
            await volumes.sync()
            await asyncio.sleep(1e-6)
        await volumes.sync()
        assert disk.image("/one").durable_bytes()[4096:4100] == b"copy"

    on_volumes(test, seed)


def _durable_marks(side: Side) -> bitarray:
    page = side.disk.image(log_path(side.name)).durable_bytes()[SUPERBLOCK_AREA_BYTES:][:PAGE_BYTES]
    return decode_page(page, bytes.fromhex(PARTNERSHIP), 0, 0)[1][: VOLUME_BYTES // BLOCK]


async def _alone_for_longer_than_the_log(pair: Sides) -> None:
    """Let A write more than its log holds while B is down: only a copy brings B back."""
    await pair.sync()
    pair.b.kill()
    for number in range(2 * RING_BYTES // (4 * KIB)):
        await pair.a.write(number % 8 * BLOCK, bytes([number]) * 4 * KIB)
    assert pair.a.report.alone


def test_marks_are_durable_before_the_copy_that_goes_by_them_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A primary that is killed in its copy goes on with the marks that its disk has."""
    begun: list[tuple[bitarray, bitarray]] = []

    async def test(pair: Sides) -> None:
        persist = Core.persist

        async def watched(core: Core, change: Callable[..., Any], **named: Any) -> None:  # noqa: ANN401
            before = core.superblock.copy_id
            await persist(core, change, **named)
            if core is pair.a.core and core.superblock.copy_id not in {before, ""}:
                marks = bitarray(VOLUME_BYTES // BLOCK, endian="little")
                for first, count in core.dirty.runs(0, 0, VOLUME_BYTES // BLOCK):
                    marks[first : first + count] = True
                begun.append((marks, _durable_marks(pair.a)))

        await _alone_for_longer_than_the_log(pair)
        # Whatever was marked while the log ran over is one thing, this block is another.
        await pair.a.write(40 * BLOCK, b"last")
        monkeypatch.setattr(Core, "persist", watched)
        await pair.b.open()
        await pair.in_sync()

    on_sides(test)
    ((marks, durable),) = begun
    assert marks[40]
    assert durable & marks == marks


def test_a_log_is_not_begun_anew_while_a_checkpoint_of_the_old_one_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint begins at the last moment: all is applied, the log is about to be cut."""
    salts: list[int] = []
    step_down = Replica.step_down

    async def checkpoint(replica: Replica) -> None:
        salts.append(replica.core.log.salt)
        await asyncio.sleep(1.0)
        salts.append(replica.core.log.salt)
        replica.applier.checkpointing.release()

    async def then_checkpoint(replica: Replica, common_lsn: int) -> None:
        await step_down(replica, common_lsn)
        await replica.applier.checkpointing.acquire()
        checkpoints.append(asyncio.create_task(checkpoint(replica)))

    checkpoints: list[asyncio.Task[None]] = []

    async def test(pair: Sides) -> None:
        await _alone_for_longer_than_the_log(pair)
        monkeypatch.setattr(Replica, "step_down", then_checkpoint)
        await pair.b.open()
        await pair.in_sync()
        salts.append(pair.b.core.log.salt)

    on_sides(test)
    before, after, anew = salts
    assert before == after != anew
