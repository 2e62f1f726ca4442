"""Destage: only what is committed, in order; a checkpoint makes durable before it gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
import pytest

from srshell.codec.log_frame import Record
from srshell.engine import applier, destage
from srshell.engine.core import Core
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData
from srshell.replication.source import Phase
from srshell.simulation import FaultKind, Operation
from tests.unit.engine.sides import (
    BLOCK,
    CHECKSUM_OFFSET,
    KIB,
    LIMITS,
    RING_BYTES,
    RING_OFFSET,
    VOLUME,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
)


def watch(side: Side) -> list[str]:
    """Note what becomes durable, and where: volume, bitmap, checksums, superblock or ring."""
    seen: list[str] = []
    written: set[str] = set()

    def place(operation: Operation) -> str:
        if operation.path == volume_path(side.name):
            return "volume"
        if operation.offset < SUPERBLOCK_AREA_BYTES:
            return "superblock"
        if operation.offset < CHECKSUM_OFFSET:
            return "bitmap"
        return "checksums" if operation.offset < RING_OFFSET else "ring"

    def note(operation: Operation) -> None:
        if operation.name in {"write", "punch"}:
            written.add(place(operation))
        elif operation.name == "sync":
            volume = operation.path == volume_path(side.name)
            done = {"volume"} & written if volume else written - {"volume"}
            seen.extend(sorted(done))
            written.difference_update(done)

    side.disk.after = note
    return seen


def test_a_committed_record_reaches_the_volume_without_being_asked_for() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(BLOCK, b"soon")
        await pair.until(lambda: pair.a.report.applied_lsn == 1)
        assert pair.a.volume[BLOCK : BLOCK + 4] == b"soon"

    on_sides(test)


def test_what_is_not_acknowledged_never_touches_the_volume() -> None:
    """A rollback is a truncation of the log, never an undo."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss="suspend-io")
        pair.cut()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"waits"))
        await pair.until(lambda: pair.a.source.phase is Phase.HELD)
        await pair.pass_time(30.0)
        assert pair.a.volume[:5] == bytes(5)
        assert pair.a.report.applied_lsn == 0
        pair.mend()
        assert await writing == 1
        await pair.until(lambda: pair.a.volume[:5] == b"waits")

    on_sides(test)


def test_writes_that_follow_each_other_are_applied_in_one_go() -> None:
    """A hop to the device serves many writes."""

    async def test(pair: Sides) -> None:
        await pair.open()
        before = pair.a.disk.operations
        writes: list[Operation] = []

        def note(operation: Operation) -> None:
            if (operation.name, operation.path) == ("write", volume_path("A")):
                writes.append(operation)

        pair.a.disk.before = note
        replica = pair.a.replica
        await asyncio.gather(
            *(pair.a.begin(replica.write(VOLUME, n * BLOCK, bytes(BLOCK))) for n in range(4))
        )
        await pair.a.settle()
        assert pair.a.disk.operations > before
        assert [(op.offset, op.length) for op in writes] == [(0, 4 * BLOCK)]

    on_sides(test)


def test_a_checkpoint_goes_volumes_checksums_bits_superblock() -> None:
    """Only then is log space given up: at every moment one of them holds each record."""

    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"x")
        pair.a.core.dirty.mark(0, 0, 1)
        seen = watch(pair.a)
        await pair.until(lambda: pair.a.report.applied_lsn == 1)
        await pair.a.do(pair.a.replica.applier.checkpoint())
        assert seen == ["volume", "checksums", "bitmap", "superblock"]

    on_sides(test)


def test_the_volume_is_synced_before_the_superblock_says_so() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        seen = watch(pair.a)
        await pair.a.write(0, b"x")
        await pair.a.settle()
        assert pair.a.report.checkpoint_lsn == 1
        assert seen == ["ring", "volume", "checksums", "superblock"]

    on_sides(test)


def test_log_space_comes_back_only_with_a_superblock() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, bytes(BLOCK))
        await pair.until(lambda: pair.a.report.applied_lsn == 1)
        free_bytes = pair.a.report.log_bytes_free
        assert free_bytes < RING_BYTES
        await pair.until(lambda: pair.a.report.checkpoint_lsn == 1)
        assert pair.a.report.log_bytes_free == RING_BYTES

    on_sides(test)


def test_records_that_the_peer_lacks_stay_in_the_log_after_a_checkpoint() -> None:
    """They are replayed when it returns, which is cheaper than copying blocks."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.go_alone(0, b"kept")
        await pair.a.settle()
        assert pair.a.report.checkpoint_lsn == 1
        assert pair.a.core.ring.find(1) is not None
        assert pair.a.report.log_bytes_free < RING_BYTES

    on_sides(test)


def test_a_full_log_without_a_peer_becomes_marked_blocks() -> None:
    """The oldest frames go first, and only after their bits are durable."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.go_alone()
        pair.a.core.dirty.clear_all()
        for number in range(40):
            await pair.a.write(number % 60 * BLOCK, bytes([number + 1]) * BLOCK)
        await pair.a.settle()
        core = pair.a.core
        assert core.ring.head_lsn > 1
        gone = core.ring.head_lsn - 1
        held = {extent for frame in core.ring.frames for extent in frame.extents}
        assert all(core.dirty.bits[0][block] for block in range(gone - 1))
        assert len(held) == 41 - gone
        assert pair.a.report.log_bytes_free >= RING_BYTES // 2
        # A restart finds the same bits.
        marked = core.dirty.bits[0].copy()
        await pair.a.restart()
        assert pair.a.core.dirty.bits[0] & marked == marked

    on_sides(test)


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_volume_that_takes_no_writes_fails_the_replica(operation: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.disk.fail_at(1, FaultKind.EIO, operation=operation, path=volume_path("A"))
        await pair.a.write(0, b"x")
        await pair.until(lambda: pair.a.report.failure)
        assert pair.a.report.data is ReplicaData.FAILED
        with pytest.raises(SrError, match="SR9220"):
            await pair.a.write(0, b"y")

    on_sides(test)


def test_a_checkpoint_that_fails_gives_nothing_up() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"x")
        await pair.until(lambda: pair.a.report.applied_lsn == 1)
        before = pair.a.core.superblock.head_lsn
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="sync", path=log_path("A"))
        with pytest.raises(SrError, match="SR9220"):
            await pair.a.do(pair.a.replica.applier.checkpoint())
        assert pair.a.core.superblock.head_lsn == before
        assert pair.a.core.superblock.checkpoint_lsn == 0

    on_sides(test)


def test_an_ordered_job_sees_what_was_committed_before_it_and_nothing_later() -> None:
    """A digest and a copied extent stand between two records."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        applier, core = pair.b.replica.applier, pair.b.core
        await pair.a.write(0, b"before")
        await pair.until(lambda: core.committed_lsn == 1)
        seen: list[bytes] = []

        async def look() -> None:
            seen.append(await core.volumes.read(0, 0, 6))

        async def hand_in() -> None:
            applier.submit(look)

        await pair.b.do(hand_in())
        await pair.a.write(0, b"after!")
        await pair.until(lambda: core.applied_lsn == 2)
        assert seen == [b"before"]

    on_sides(test)


def test_settling_waits_for_ordered_jobs_too() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        applier = pair.a.replica.applier
        ended: list[str] = []

        async def job() -> None:
            await asyncio.sleep(5)
            ended.append("job")

        async def settle() -> None:
            applier.submit(job)
            await applier.settle()

        await pair.a.do(settle())
        assert ended == ["job"]

    on_sides(test)


def test_a_log_never_overruns_while_its_records_wait_for_the_peer() -> None:
    """With suspend-io nothing is acknowledged, so nothing may be given up."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss="suspend-io")
        pair.cut()
        replica = pair.a.replica
        writes = [
            pair.a.begin(replica.write(VOLUME, number * BLOCK, bytes([7]) * BLOCK))
            for number in range(60)
        ]
        await pair.until(lambda: pair.a.source.phase is Phase.HELD)
        await pair.pass_time(10.0)
        assert pair.a.core.ring.head_lsn == 1
        assert pair.a.report.acked_lsn == 0
        pair.mend()
        await pair.until(lambda: all(write.done() for write in writes))
        assert pair.a.report.acked_lsn == 60

    on_sides(test)


def test_records_that_have_waited_do_not_wait_again() -> None:
    """However many batches they are."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for number in range(20):
            await pair.a.write(number * BLOCK, b"x")
        assert pair.a.core.applied_lsn == 0
        await pair.pass_time(8.0)
        assert pair.a.core.applied_lsn == 20

    on_sides(test, limits=attrs.evolve(LIMITS, linger_seconds=5.0, batch_records=4))


def test_nobody_waits_for_records_that_wait_for_company() -> None:
    """Writers need log space on either side, a fence and a reader of the volume need it applied."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        begun = pair.loop.time()
        for number in range(60):
            await pair.a.write(number % 4 * 8 * KIB, bytes([number]) * (8 * KIB))
        await pair.a.write(0, b"last")
        await pair.a.settle()
        assert pair.a.volume[:4] == b"last"
        await pair.planned_failover()
        assert await pair.b.read(0, 4) == b"last"
        assert pair.loop.time() - begun < 10

    on_sides(test, limits=attrs.evolve(LIMITS, linger_seconds=600.0))


def test_what_the_log_held_when_it_was_opened_is_applied_as_one_batch() -> None:
    """However often a block was written, it is written once, and neighbours go together."""
    patient = attrs.evolve(LIMITS, linger_seconds=600.0, checkpoint_seconds=600.0, batch_records=4)

    async def test(pair: Sides) -> None:
        await pair.a.format()
        await pair.a.open()
        for number in range(12):
            await pair.a.write(number * 3 % 4 * BLOCK, bytes([number]) * BLOCK)
        assert pair.a.core.applied_lsn == 0
        pair.a.kill()
        writes: list[tuple[int, int]] = []

        def note(operation: Operation) -> None:
            if (operation.name, operation.path) == ("write", volume_path("A")):
                writes.append((operation.offset, operation.length))

        pair.a.disk.before = note
        await pair.a.open()
        await pair.a.settle()
        assert writes == [(0, 4 * BLOCK)]
        newest = {number * 3 % 4: number for number in range(12)}
        for block, number in newest.items():
            place = slice(block * BLOCK, (block + 1) * BLOCK)
            assert pair.a.volume[place] == bytes([number]) * BLOCK

    on_sides(test, limits=patient)


def test_a_batch_ends_after_so_many_trims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each looks at what the batch has: a replay of trims alone must not take for ever."""
    monkeypatch.setattr(applier, "_BATCH_CLEARS", 3)
    sizes: list[int] = []
    apply = destage.apply

    async def note(core: Core, records: Sequence[Record]) -> None:
        sizes.append(len(records))
        await apply(core, records)

    monkeypatch.setattr(destage, "apply", note)

    async def test(pair: Sides) -> None:
        await pair.a.format()
        await pair.a.open()
        for number in range(8):
            await pair.a.write(number * 2 * BLOCK, b"x" * BLOCK)
            await pair.a.do(pair.a.replica.trim(VOLUME, number * 2 * BLOCK, BLOCK))
        await pair.a.settle()
        assert sizes == [6, 6, 4]
        assert not any(pair.a.volume)

    on_sides(test, limits=attrs.evolve(LIMITS, linger_seconds=600.0))
