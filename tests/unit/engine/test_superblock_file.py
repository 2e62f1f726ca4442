"""The superblock on disk: the newest sound slot counts, and identity survives a rotten one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from srshell.codec.checksum import crc32
from srshell.codec.superblock import (
    CLEARED,
    HEADER_BYTES,
    SLOT_BYTES,
    SLOT_COUNT,
    VERSION,
    encode_superblock,
)
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES, SuperblockFile, read_superblock
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData, ReplicaRole, Superblock
from srshell.simulation import FaultKind, SimDisk, run_simulated
from srshell.storage import BlockFile, Disk, OsDisk, StorageError, Write
from tests.unit.codec.samples import SUPERBLOCK

GOLDEN = Path(__file__).parents[1] / "codec" / "golden"
FIRST = attrs.evolve(SUPERBLOCK, generation=4, role=ReplicaRole.SECONDARY, durable_lsn=0)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[BlockFile]:
    disk = Disk(OsDisk(), None)
    path = str(tmp_path / "log")
    await disk.create(path, SUPERBLOCK_AREA_BYTES)
    async with await disk.open(path) as file:
        yield file


@pytest.fixture
async def superblocks(file: BlockFile) -> SuperblockFile:
    await put(file, FIRST)
    return SuperblockFile(file, FIRST)


async def put(file: BlockFile, superblock: Superblock) -> None:
    slot = superblock.generation % SLOT_COUNT
    await file.write_at([Write(slot * SLOT_BYTES, (encode_superblock(superblock),))], True)


async def damage(file: BlockFile, generation: int) -> None:
    """Flip a bit in the slot of a generation."""
    offset = generation % SLOT_COUNT * SLOT_BYTES + 40
    (byte,) = await file.read_at(offset, 1)
    await file.write_at([Write(offset, (bytes([byte ^ 1]),))], True)


def next_generation(superblock: Superblock, **changes: object) -> Superblock:
    return attrs.evolve(superblock, generation=superblock.generation + 1, **changes)  # type: ignore[arg-type]


async def test_the_newest_sound_slot_wins(file: BlockFile) -> None:
    for generation in (7, 9, 8):
        await put(file, attrs.evolve(SUPERBLOCK, generation=generation))
    found = await read_superblock(file)
    assert found is not None
    assert found.generation == 9


async def test_slots_are_written_in_turn(superblocks: SuperblockFile, file: BlockFile) -> None:
    """A torn write leaves the slot before it whole."""
    for _ in range(3):
        await superblocks.write(lambda sb: next_generation(sb, durable_lsn=sb.durable_lsn + 1))
    assert superblocks.current.generation == FIRST.generation + 3
    for back in range(3):
        await damage(file, superblocks.current.generation - back)
        found = await read_superblock(file)
        assert found is not None
        assert found.durable_lsn == 2 - back


async def test_a_change_that_moves_pointers_only_writes_one_slot(
    superblocks: SuperblockFile,
) -> None:
    changed = await superblocks.write(lambda sb: next_generation(sb, durable_lsn=5))
    assert changed.generation == FIRST.generation + 1


@pytest.mark.parametrize(
    "change",
    [
        {"role": ReplicaRole.PRIMARY},
        {"data": ReplicaData.FAILED},
        {"history": ()},
        {"alone": not FIRST.alone},
        {"peer_may_ack_alone": not FIRST.peer_may_ack_alone},
        {"unclean": not FIRST.unclean},
        {"promised_epoch": FIRST.promised_epoch + 1},
        {"copy_id": "another"},
        {"yields": not FIRST.yields},
        {"torn_down": not FIRST.torn_down},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_a_slot_that_rots_cannot_bring_back_what_this_side_was(
    superblocks: SuperblockFile, file: BlockFile, change: dict[str, object]
) -> None:
    """Identity is in two slots: the older of them says the same as the newest."""
    changed = await superblocks.write(lambda sb: next_generation(sb, **change))
    assert changed.generation == FIRST.generation + 2
    await damage(file, changed.generation)
    found = await read_superblock(file)
    assert found is not None
    assert attrs.evolve(found, generation=changed.generation) == changed


async def test_a_log_of_version_1_goes_on_in_the_newest(file: BlockFile) -> None:
    """And while a slot of it is the newest that is whole, it counts."""
    older = (GOLDEN / "superblock.bin").read_bytes()
    await file.write_at([Write(3 * SLOT_BYTES, (older,))], True)
    found = await read_superblock(file)
    assert found is not None
    following = attrs.evolve(found, generation=found.generation + 1, checkpoint_lsn=39)
    assert await SuperblockFile(file, found).write(lambda _: following) == following
    assert int.from_bytes((await file.read_at(0, 6))[4:], "little") == VERSION
    assert await read_superblock(file) == following
    await damage(file, following.generation)
    assert await read_superblock(file) == found


async def test_a_slot_of_a_later_format_is_refused_not_passed_over(file: BlockFile) -> None:
    """An older program would take an older slot for the truth."""
    await put(file, attrs.evolve(SUPERBLOCK, generation=8))
    newer = bytearray(encode_superblock(attrs.evolve(SUPERBLOCK, generation=9)))
    newer[4:6] = (VERSION + 1).to_bytes(2, "little")
    end = HEADER_BYTES + int.from_bytes(newer[8:12], "little")
    checksum = crc32(bytes(newer[HEADER_BYTES:end]), crc32(bytes(newer[: HEADER_BYTES - 4])))
    newer[HEADER_BYTES - 4 : HEADER_BYTES] = checksum.to_bytes(4, "little")
    await file.write_at([Write(SLOT_BYTES, (bytes(newer),))], True)
    with pytest.raises(SrError, match="SR9212"):
        await read_superblock(file)


async def test_a_blank_area_belongs_to_nobody(file: BlockFile) -> None:
    assert await read_superblock(file) is None


async def test_an_area_without_a_sound_slot_is_unreadable(file: BlockFile) -> None:
    """Not the same as blank: somebody's data may lie behind it."""
    await put(file, FIRST)
    await damage(file, FIRST.generation)
    with pytest.raises(SrError, match="SR9210") as refused:
        await read_superblock(file)
    assert "slot 0" in refused.value.facts


async def test_a_file_too_short_for_the_slots_is_unreadable(tmp_path: Path) -> None:
    disk = Disk(OsDisk(), None)
    path = str(tmp_path / "short")
    await disk.create(path, SUPERBLOCK_AREA_BYTES - 4096)
    async with await disk.open(path) as file:
        with pytest.raises(SrError, match="SR9210"):
            await read_superblock(file)


def test_a_change_that_the_disk_did_not_take_did_not_happen() -> None:
    """Memory never says more than the disk."""

    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        await files.create("/log", SUPERBLOCK_AREA_BYTES)
        async with await files.open("/log") as file:
            superblocks = SuperblockFile(file, FIRST)
            disk.fail_at(1, FaultKind.EIO, operation="sync")
            with pytest.raises(StorageError):
                await superblocks.write(lambda sb: next_generation(sb, role=ReplicaRole.PRIMARY))
            assert superblocks.current is FIRST

    run_simulated(lambda loop: main(SimDisk(loop, "a")))


async def test_slots_of_different_replicas_are_refused(file: BlockFile) -> None:
    """Somebody copied a part of another log here: neither of them can be believed."""
    await put(file, FIRST)
    await put(file, next_generation(FIRST, replica="dd" * 16))
    with pytest.raises(SrError, match="SR9210") as refused:
        await read_superblock(file)
    assert "different replicas" in refused.value.facts


async def test_beside_a_mark_only_a_whole_superblock_counts(file: BlockFile) -> None:
    """A power cut in a wipe, or in the first write of a log, leaves anything else there."""
    await file.write_at([Write(0, (CLEARED + encode_superblock(FIRST)[4:],))], True)
    assert await read_superblock(file) is None
    await file.write_at([Write(2 * SLOT_BYTES, (b"half of something",))], True)
    assert await read_superblock(file) is None
    await put(file, FIRST)
    assert await read_superblock(file) == FIRST


async def test_something_else_than_a_superblock_is_not_taken_for_half_of_one(
    file: BlockFile,
) -> None:
    """A swap area has its signature at the end of the first page, and zeros before it."""
    await file.write_at([Write(4086, (b"SWAPSPACE2",))], True)
    with pytest.raises(SrError, match="SR9210"):
        await read_superblock(file)
