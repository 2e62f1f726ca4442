"""Group commit: order, company, cancellation, back-pressure, and an answer for every write."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from srshell.codec.log_frame import RecordKind
from srshell.engine.formatting import format_log
from srshell.engine.replica import Replica
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaVolume
from srshell.replication.source import Phase
from srshell.simulation import FaultKind
from srshell.storage import Disk, OsDisk, StorageError
from srshell.transport import LoopbackNetwork
from tests.unit.engine.sides import (
    BLOCK,
    KIB,
    LIMITS,
    VOLUME,
    VOLUME_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
    spec,
)


def submit(side: Side, number: int, data: bytes = b"x") -> asyncio.Future[int]:
    return side.replica.committer.submit(RecordKind.WRITE, 0, number * BLOCK, len(data), data)


async def numbers(futures: list[asyncio.Future[int]]) -> list[int]:
    return await asyncio.gather(*futures)


def test_lsns_are_given_out_in_the_order_in_which_writes_were_handed_in() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()

        async def hand_in() -> list[int]:
            return await numbers([submit(pair.a, number) for number in range(30)])

        assert await pair.a.do(hand_in()) == list(range(1, 31))

    on_sides(test)


def test_writes_that_wait_together_become_one_frame() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()

        async def hand_in() -> list[int]:
            return await numbers([submit(pair.a, number) for number in range(10)])

        await pair.a.do(hand_in())
        assert pair.a.report.log_frames_total == 1
        assert pair.a.report.writes_total == 10

    on_sides(test)


def test_a_frame_is_no_larger_than_its_limit() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()

        async def hand_in() -> list[int]:
            return await numbers([submit(pair.a, number, bytes(8 * KIB)) for number in range(4)])

        await pair.a.do(hand_in())
        frames = pair.a.core.ring.frames
        assert len(frames) == 4
        assert all(frame.payload_bytes <= LIMITS.frame_bytes for frame in frames)

    on_sides(test)


def test_a_large_write_is_acknowledged_when_its_last_part_is() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        lsn = await pair.a.write(0, bytes(range(256)) * 128)
        assert lsn == 32 * KIB // LIMITS.write_bytes == pair.a.report.acked_lsn
        assert await pair.a.read(0, 32 * KIB) == bytes(range(256)) * 128

    on_sides(test)


def test_a_buffer_may_be_changed_once_its_write_was_handed_in() -> None:
    """A payload is looked at until both logs hold it, and in the volume's time after that."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for size_bytes in (BLOCK, 32 * KIB):
            buffer = bytearray(b"a" * size_bytes)

            async def write(data: bytearray = buffer) -> int:
                writing = pair.a.replica.access.begin_write(VOLUME, 0, data)  # type: ignore[arg-type]
                data[:] = bytes(len(data))
                return await writing

            await pair.a.do(write())
            assert await pair.a.read(0, size_bytes) == b"a" * size_bytes
            await pair.until(lambda: pair.b.core.applied_lsn == pair.a.source.last_lsn)
            assert pair.b.volume[:size_bytes] == b"a" * size_bytes

    on_sides(test)


def test_a_write_that_is_cancelled_before_its_frame_is_not_made() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.replica.committer.locked.append((0, 0, BLOCK))
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"never"))
        await pair.pass_time(0.1)
        writing.cancel()
        pair.a.replica.committer.locked.clear()
        pair.a.replica.committer.poke()
        assert await pair.a.write(BLOCK, b"next") == 1
        assert await pair.a.read(0, 5) == bytes(5)

    on_sides(test)


def test_a_write_that_is_cancelled_later_is_made_all_the_same() -> None:
    """It has its LSN; dropping it would leave a gap."""

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"made"))
        await pair.until(lambda: pair.a.source.last_lsn == 1)
        writing.cancel()
        pair.a.disk.resume()
        assert await pair.a.write(BLOCK, b"next") == 2
        assert await pair.a.read(0, 4) == b"made"

    on_sides(test)


def test_a_write_waits_for_the_extent_that_is_being_copied_over_it() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        committer = pair.a.replica.committer
        committer.locked.append((0, BLOCK, BLOCK))
        assert await pair.a.write(0, b"beside") == 1
        writing = pair.a.begin(pair.a.replica.write(VOLUME, BLOCK + 5, b"over"))
        await pair.pass_time(1.0)
        assert not writing.done()
        committer.locked.clear()
        committer.poke()
        await pair.until(writing.done)
        assert writing.result() == 2

    on_sides(test)


def test_a_lock_that_comes_while_a_frame_waits_for_room_is_kept() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        committer = pair.a.replica.committer
        async with pair.a.core.frames:
            writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x"))
            await pair.until(lambda: committer._taken)
            committer.locked.append((0, 0, BLOCK))
        await pair.pass_time(1.0)
        assert (writing.done(), pair.a.source.last_lsn) == (False, 0)
        committer.locked.clear()
        committer.poke()
        await pair.until(writing.done)

    on_sides(test)


def test_what_waits_for_the_peer_stays_below_half_of_the_log() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        pair.cut()
        replica = pair.a.replica
        writes = [
            pair.a.begin(replica.write(VOLUME, n * 8 * KIB, bytes(8 * KIB))) for n in range(30)
        ]
        await pair.pass_time(20.0)
        ring = pair.a.core.ring
        assert ring.bytes_after(0) <= ring.ring_bytes // 2 + LIMITS.frame_bytes
        pair.mend()
        await pair.until(lambda: all(write.done() for write in writes))

    on_sides(test)


def test_records_without_payload_count_as_memory_too() -> None:
    async def test(pair: Sides) -> None:
        await pair.a.format(log_bytes=4 << 20)
        await pair.a.open()
        gate = asyncio.Event()

        async def block_the_applier() -> None:
            await gate.wait()

        pair.a.replica.applier.submit(block_the_applier)
        trims = [pair.a.begin(pair.a.replica.trim(VOLUME, 0, BLOCK)) for _ in range(400)]
        await pair.pass_time(5.0)
        assert not all(trim.done() for trim in trims)
        gate.set()
        await pair.until(lambda: all(trim.done() for trim in trims))

    limits = attrs.evolve(LIMITS, unapplied_bytes=64 * KIB, frame_bytes=2 * KIB)
    on_sides(test, limits=limits)


@pytest.mark.parametrize("kind", ["zero", "trim"])
def test_a_long_range_is_cleared_in_pieces(kind: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * 8 * KIB)
        clear = getattr(pair.a.replica, kind)
        assert await pair.a.do(clear(VOLUME, 0, VOLUME_BYTES)) == 5
        assert await pair.a.read(0, 8 * KIB) == bytes(8 * KIB)

    on_sides(test, limits=attrs.evolve(LIMITS, clear_bytes=VOLUME_BYTES // 4))


async def test_a_trim_of_more_than_four_gibibytes_is_carried_out(tmp_path: Path) -> None:
    """A record cannot name so long a range; whoever makes a file system asks for it."""
    size_bytes, log_bytes = 5 << 30, 20 << 20
    disk = Disk(OsDisk(), None)
    log, data = str(tmp_path / "log"), str(tmp_path / "data")
    await disk.create(log, log_bytes)
    await disk.create(data, size_bytes)
    world = World(disk, disk, LoopbackNetwork())
    volume = ReplicaVolume(VOLUME, data, size_bytes, BLOCK)
    await format_log(spec("A", volumes=(volume,), log_path=log, log_bytes=log_bytes), world)
    replica = await Replica.open(log, world)
    await replica.write(VOLUME, size_bytes - BLOCK, b"end")
    assert await replica.trim(VOLUME, 0, size_bytes) == 1 + size_bytes // world.limits.clear_bytes
    assert await replica.read(VOLUME, size_bytes - BLOCK, 3) == bytes(3)
    assert replica.report().failure == ""
    await replica.close()


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 0), (VOLUME_BYTES, 0), (-1, 1), (VOLUME_BYTES, 1), (0, VOLUME_BYTES + 1)],
)
def test_a_range_of_no_bytes_or_outside_the_volume_is_refused(offset: int, length: int) -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        replica = pair.a.replica
        for refused in (
            replica.write(VOLUME, offset, bytes(length)),
            replica.read(VOLUME, offset, length),
            replica.zero(VOLUME, offset, length),
            replica.trim(VOLUME, offset, length),
        ):
            with pytest.raises(SrError, match="SR9223"):
                await pair.a.do(refused)
        with pytest.raises(SrError, match="SR0105"):
            await pair.a.do(replica.flush("another"))

    on_sides(test)


def test_a_failure_leaves_no_write_without_an_answer() -> None:
    """Those in the log may have been made, those before it were not."""

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.disk.hang()
        replica = pair.a.replica
        first = pair.a.begin(replica.write(VOLUME, 0, b"in the log"))
        await pair.until(lambda: pair.a.source.last_lsn == 1)
        second = pair.a.begin(replica.write(VOLUME, BLOCK, b"behind it"))
        await pair.pass_time(0.1)
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="sync", path=log_path("A"))
        pair.a.disk.resume()
        await pair.until(lambda: first.done() and second.done())
        errors = [str(write.exception())[:6] for write in (first, second)]
        if errors != ["SR9225", "SR9224"]:  # the fault may have met the next sync
            assert errors == ["SR9225", "SR9225"]
        with pytest.raises(SrError, match="SR9220"):
            await pair.a.do(replica.write(VOLUME, 0, b"never"))

    on_sides(test)


def test_writes_fail_at_once_while_the_policy_is_io_error_and_the_peer_is_away() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.IO_ERROR)
        pair.cut()
        replica = pair.a.replica
        waits = pair.a.begin(replica.write(VOLUME, 0, b"x"))
        await pair.until(lambda: pair.a.source.phase is Phase.REFUSING)
        await pair.until(waits.done)
        assert "SR9225" in str(waits.exception())
        with pytest.raises(SrError, match="SR9224"):
            await pair.a.do(replica.write(VOLUME, 0, b"y"))
        pair.mend()
        await pair.in_sync()
        assert await pair.a.write(0, b"z") == 2

    on_sides(test)


def test_a_write_that_waits_when_the_replica_closes_is_answered() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.lose_peer()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x"))
        await pair.pass_time(0.5)
        await pair.a.close()
        await pair.until(writing.done)
        assert "SR9225" in str(writing.exception())

    on_sides(test)


def test_a_read_that_finds_its_file_closed_by_this_side_fails_no_side() -> None:
    """More reads may wait for their turn than the file takes at once."""

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.core.closing = True
        error = pair.a.core.fail(StorageError("read", "/A/data", "CLOSED"))
        pair.a.core.closing = False
        assert error.code == "SR9224"
        assert pair.a.report.failure == ""

    on_sides(test)


def test_a_write_of_many_parts_that_was_not_begun_is_refused_and_not_unknown() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.do(pair.a.replica.seal("op"))
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, bytes(32 * KIB)))
        await pair.pass_time(0.1)
        await pair.a.do(pair.a.replica.demote("op", 2))
        await pair.until(writing.done)
        assert "SR9224" in str(writing.exception())

    on_sides(test)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_write_of_many_parts_that_was_begun_has_an_unknown_outcome(hangs: bool) -> None:
    """Whether its first parts are in the log or already acknowledged by both sides."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        committer = pair.a.replica.committer
        committer.locked.append((0, 16 * KIB, BLOCK))
        if hangs:
            pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, bytes(32 * KIB)))
        await pair.until(lambda: pair.a.source.flushed_lsn == 2)
        await pair.pass_time(0.5)
        assert pair.a.source.acked_lsn == (0 if hangs else 2)
        pair.b.disk.resume()
        pair.cut()
        await pair.a.close()
        await pair.until(writing.done)
        assert "SR9225" in str(writing.exception())

    on_sides(test)
