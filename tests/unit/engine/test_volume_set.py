"""The data volumes of a group: written in batches, synced as far as they were written."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
import pytest

from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.batch import Batch
from srshell.engine.volume_set import VolumeSet
from srshell.model.errors import SrError
from srshell.model.replica import VolumeLayout
from srshell.simulation import FaultKind, Operation, SimDisk, run_simulated
from srshell.storage import AlreadyLocked, Disk, StorageError

KIB = 1024
SIZE_BYTES = 64 * KIB
LAYOUTS = tuple(VolumeLayout(name, f"/{name}", SIZE_BYTES, 4096, 0, 1) for name in ("one", "two"))


def write(lsn: int, offset: int, payload: bytes, volume: int = 0) -> Record:
    return Record(lsn, RecordKind.WRITE, volume, offset, len(payload), payload)


async def apply(volumes: VolumeSet, records: list[Record]) -> None:
    """As the applier does."""
    batches: dict[int, Batch] = {}
    for record in records:
        batches.setdefault(record.volume, Batch(SIZE_BYTES)).add(record)
    await volumes.apply(batches)


def on_volumes(
    test: Callable[[VolumeSet, SimDisk], Coroutine[Any, Any, None]], seed: int = 0
) -> None:
    """Run a test on two open volumes."""

    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        for layout in LAYOUTS:
            await files.create(layout.path, SIZE_BYTES)
        volumes = await VolumeSet.open(LAYOUTS, files)
        await test(volumes, disk)
        await volumes.close()

    run_simulated(lambda loop: main(SimDisk(loop, "a")), seed)


@pytest.mark.parametrize("seed", range(5))
def test_records_of_one_place_land_in_lsn_order(seed: int) -> None:
    """Whatever order the device's threads end in."""

    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        records = [write(lsn, lsn % 3 * 100, bytes([lsn]) * 200) for lsn in range(1, 30)]
        await apply(volumes, records)
        expected = bytearray(1000)
        for record in records:
            expected[record.offset : record.offset + 200] = record.payload
        assert await volumes.read(0, 0, 1000) == bytes(expected)

    on_volumes(test, seed)


def test_zeros_between_writes_keep_their_place_in_the_order() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        await apply(
            volumes,
            [
                write(1, 0, b"a" * 8192),
                Record(2, RecordKind.ZERO, 0, 0, 8192),
                write(3, 10, b"b"),
                Record(4, RecordKind.TRIM, 0, 4096, 4096),
                write(5, 4096, b"c"),
            ],
        )
        data = await volumes.read(0, 0, 8192)
        assert data == bytes(10) + b"b" + bytes(4085) + b"c" + bytes(4095)

    on_volumes(test)


def test_neighbours_on_the_volume_are_one_write() -> None:
    """Sequential writes cost one system call, not one each."""

    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        seen: list[Operation] = []
        disk.before = seen.append
        await apply(volumes, [write(lsn, (lsn - 1) * 4096, bytes(4096)) for lsn in range(1, 5)])
        assert [(op.name, op.offset, op.length) for op in seen] == [("write", 0, 4 * 4096)]

    on_volumes(test)


def test_a_sync_covers_the_volumes_that_were_written() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        await apply(volumes, [write(1, 0, b"x", volume=1)])
        synced: list[str] = []
        disk.before = lambda op: synced.append(op.path) if op.name == "sync" else None
        await volumes.sync()
        assert synced == ["/two"]
        await volumes.sync()
        assert synced == ["/two"], "nothing was written since"
        assert disk.image("/two").durable_bytes()[:1] == b"x"

    on_volumes(test)


def test_a_copied_extent_counts_as_written() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        await volumes.store(0, ((4096, 4),), (b"copy",))
        await volumes.sync()
        assert disk.image("/one").durable_bytes()[4096:4100] == b"copy"

    on_volumes(test)


def test_copied_zeros_empty_what_holds_data_and_leave_holes_alone() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        await volumes.store(0, ((8192, 4096),), (b"\xff" * 4096,))
        changed: list[tuple[int, int]] = []
        disk.before = lambda op: changed.append((op.offset, op.length)) if op.changes else None
        await volumes.store(0, ((0, SIZE_BYTES),), None)
        assert changed == [(8192, 4096)]
        assert await volumes.read(0, 0, SIZE_BYTES) == bytes(SIZE_BYTES)
        assert await volumes.data_ranges(0, 0, SIZE_BYTES) == []

    on_volumes(test)


def test_a_failed_write_is_told_after_all_volumes_have_ended() -> None:
    """Nothing is under way any more when the replica fails: no buffer is written later."""

    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        disk.fail_at(1, FaultKind.EIO, operation="write", path="/one")
        with pytest.raises(StorageError):
            await apply(volumes, [write(1, 0, b"x"), write(2, 0, b"y", volume=1)])
        assert disk.image("/two").read(0, 1) == b"y"

    on_volumes(test)


def test_a_failed_sync_does_not_pass_for_done_the_next_time() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        await apply(volumes, [write(1, 0, b"x")])
        disk.fail_at(1, FaultKind.EIO, operation="sync")
        for _ in range(2):
            with pytest.raises(StorageError):
                await volumes.sync()

    on_volumes(test)


def test_a_volume_that_shrank_is_refused_and_nothing_stays_locked() -> None:
    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        await files.create("/one", SIZE_BYTES)
        await files.create("/two", SIZE_BYTES - 4096)
        with pytest.raises(SrError, match="SR9222"):
            await VolumeSet.open(LAYOUTS, files)
        async with await files.open("/one"), await files.open("/two"):
            pass

    run_simulated(lambda loop: main(SimDisk(loop, "a")))


def test_open_volumes_are_locked() -> None:
    async def test(volumes: VolumeSet, disk: SimDisk) -> None:
        with pytest.raises(AlreadyLocked):
            await Disk(disk, None).open("/two")

    on_volumes(test)


def test_what_a_killed_process_left_in_the_cache_is_synced_before_it_counts() -> None:
    """A power cut after the restart must not take back what was read."""

    async def main(disk: SimDisk) -> None:
        files = Disk(disk, None)
        for layout in LAYOUTS:
            await files.create(layout.path, SIZE_BYTES)
        volumes = await VolumeSet.open(LAYOUTS, files)
        await apply(volumes, [write(1, 0, b"cached")])
        await volumes.close()
        again = await VolumeSet.open(LAYOUTS, files)
        assert disk.image("/one").durable_bytes()[:6] == b"cached"
        await again.close()

    run_simulated(lambda loop: main(SimDisk(loop, "a")))


def test_volumes_are_found_by_name() -> None:
    volumes = VolumeSet((LAYOUTS[0], attrs.evolve(LAYOUTS[1], name="other")), ())
    assert volumes.index == {"one": 0, "other": 1}
