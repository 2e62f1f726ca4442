"""A log that is damaged: what is missed is told, nothing is shortened, and nothing stays locked."""

from __future__ import annotations

import pytest

from srshell.codec.log_frame import HEADER_BYTES
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.errors import SrError
from tests.unit.engine.sides import (
    BLOCK,
    RING_OFFSET,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
    write_some,
)


def frame_offset(side: Side, lsn: int) -> int:
    """Where the frame with ``lsn`` lies in the log volume (bytes)."""
    held = side.core.ring.find(lsn)
    assert held is not None
    return RING_OFFSET + held.position % side.core.ring.ring_bytes


async def settled_lsn(side: Side) -> int:
    """Bring everything into the volume and return the durable end that the superblock names."""
    await side.settle()
    return side.core.superblock.durable_lsn


def test_a_frame_torn_at_the_end_of_the_log_ends_it() -> None:
    """It was never acknowledged: a power cut may have left half of it."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        torn = frame_offset(pair.a, 3)
        pair.a.kill()
        pair.a.damage(log_path("A"), torn + HEADER_BYTES + 100)
        await pair.a.open()
        assert pair.a.report.durable_lsn == 2
        assert await pair.a.write(0, b"again") == 3

    on_sides(test)


def test_a_rotten_frame_with_a_later_one_behind_it_is_damage() -> None:
    """The later frame was written when the rotten one was durable, and says so."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        rotten = frame_offset(pair.a, 2)
        pair.a.kill()
        pair.a.damage(log_path("A"), rotten + HEADER_BYTES + 100)
        with pytest.raises(SrError, match="SR9211") as refused:
            await pair.a.open()
        assert "LSN 2" in refused.value.facts

    on_sides(test)


def test_a_rotten_last_frame_is_damage_when_the_superblock_knows_it() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.start()
        pair.cut()
        await write_some(pair.a)
        # The peer lacks the records, so the log still holds them after the checkpoint.
        assert await settled_lsn(pair.a) == 3
        rotten = frame_offset(pair.a, 3)
        pair.a.kill()
        pair.a.damage(log_path("A"), rotten + 10)
        with pytest.raises(SrError, match="SR9211"):
            await pair.a.open()

    on_sides(test)


@pytest.mark.parametrize(("byte", "opens"), [(HEADER_BYTES + 100, True), (HEADER_BYTES + 3, False)])
def test_of_a_record_that_the_volumes_hold_only_the_place_must_be_sound(
    byte: int, opens: bool
) -> None:
    """Its payload is verified when it is read for the peer."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.start()
        pair.cut()
        await write_some(pair.a)
        assert await settled_lsn(pair.a) == 3
        rotten = frame_offset(pair.a, 2)
        pair.a.kill()
        pair.a.damage(log_path("A"), rotten + byte)
        if not opens:
            with pytest.raises(SrError, match="SR9211"):
                await pair.a.open()
            return
        await pair.a.open()
        assert await pair.a.read(BLOCK, BLOCK) == bytes([2]) * BLOCK

    on_sides(test)


def test_a_damaged_log_is_left_as_it_was_found() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        rotten = frame_offset(pair.a, 2)
        pair.a.kill()
        pair.a.damage(log_path("A"), rotten)
        image = pair.a.disk.image(log_path("A"))
        before = image.read(0, SUPERBLOCK_AREA_BYTES)
        with pytest.raises(SrError, match="SR9211"):
            await pair.a.open()
        assert image.read(0, SUPERBLOCK_AREA_BYTES) == before

    on_sides(test)


def test_a_log_that_was_cut_short_is_damage() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.close()
        content = pair.a.disk.image(log_path("A")).read(0, RING_OFFSET)
        disk = pair.a.world.log_disk
        await disk.remove(log_path("A"))
        await disk.create(log_path("A"), RING_OFFSET)
        image = pair.a.disk.image(log_path("A"))
        image.write(0, content)
        with pytest.raises(SrError, match="SR9211"):
            await pair.a.open()

    on_sides(test)


def test_log_and_volumes_are_free_again_when_the_log_is_damaged() -> None:
    """The volumes are opened while it is read."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await write_some(pair.a)
        rotten = frame_offset(pair.a, 2)
        pair.a.kill()
        pair.a.damage(log_path("A"), rotten)
        with pytest.raises(SrError, match="SR9211"):
            await pair.a.open()
        disk = pair.a.world.data_disk
        for path in (log_path("A"), volume_path("A")):
            async with await disk.open(path):
                pass

    on_sides(test)
