"""A disk that fails fails the side, loudly and for good; a failed call is never tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from srshell.codec.map_page import PAGE_BYTES
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaData
from srshell.replication.source import Phase
from srshell.simulation import FaultKind, Operation
from srshell.simulation.handle import SimHandle
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    VOLUME,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
)

#: What is written where: the first byte and the byte after the last of each part of a log volume.
PLACES = {
    "superblock": (0, SUPERBLOCK_AREA_BYTES),
    "bitmap": (SUPERBLOCK_AREA_BYTES, SUPERBLOCK_AREA_BYTES + PAGE_BYTES),
    "ring": (SUPERBLOCK_AREA_BYTES + 2 * PAGE_BYTES, 1 << 40),
}


def fail_syncs_of(side: Side, place: str) -> list[Operation]:
    """Let the sync after the next write to a place fail; return what touches the file later."""
    first, end = PLACES.get(place, (0, 1 << 40))
    path = volume_path(side.name) if place == "volume" else log_path(side.name)
    later: list[Operation] = []
    armed = False

    def before(operation: Operation) -> None:
        nonlocal armed
        if operation.path != path:
            return
        if side.disk.faults or armed:
            if armed and operation.name in {"write", "punch", "sync"}:
                later.append(operation)
            return
        if operation.name == "write" and first <= operation.offset < end:
            side.disk.fail_at(1, FaultKind.EIO, operation="sync", path=path)

    def after(operation: Operation) -> None:
        nonlocal armed
        armed = armed or bool(side.core.failure)

    side.disk.before, side.disk.after = before, after
    return later


@pytest.mark.parametrize("place", ["superblock", "ring", "volume", "bitmap"])
@pytest.mark.parametrize("name", ["A", "B"])
def test_a_failed_sync_fails_the_side_and_is_not_repeated(place: str, name: str) -> None:
    """What the system lost it forgets at the second sync, which then succeeds."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.CONTINUE)
        side = pair.a if name == "A" else pair.b
        later = fail_syncs_of(side, place)
        side.core.dirty.mark(0, 0, 1)

        async def write_on() -> None:
            for number in range(20):
                await pair.a.write(number * BLOCK, bytes([number + 1]) * BLOCK)
                await side.settle()

        working = asyncio.ensure_future(write_on())
        await pair.until(lambda: side.core.failure or working.done())
        assert side.report.data is ReplicaData.FAILED
        assert "EIO" in side.report.failure
        assert [event for event in side.heard("failure") if "EIO" in event]
        await pair.pass_time(5.0)
        if place == "volume":
            assert later == []
        # That it failed is written once more, over another descriptor; nothing else is.
        assert [op for op in later if op.offset >= SUPERBLOCK_AREA_BYTES] == []
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    on_sides(test)


def test_a_primary_goes_on_when_the_disk_of_its_peer_died() -> None:
    """A dead destination disk is a lost peer."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.CONTINUE)
        pair.b.disk.fail_at(1, FaultKind.EIO, operation="write", path=log_path("B"), sticky=True)
        assert await pair.a.write(0, b"x") == 1
        assert pair.a.report.alone
        assert pair.b.report.data is ReplicaData.FAILED

    on_sides(test)


def test_a_primary_whose_own_disk_died_acknowledges_nothing_more() -> None:
    """There is no diskless primary: a failover is exact."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="write", path=log_path("A"), sticky=True)
        with pytest.raises(SrError, match="SR9225"):
            await pair.a.do(pair.a.replica.write(VOLUME, 0, b"x"))
        for refused in (
            pair.a.replica.write(VOLUME, 0, b"y"),
            pair.a.replica.read(VOLUME, 0, 1),
            pair.a.replica.flush(VOLUME),
        ):
            with pytest.raises(SrError, match="SR9220"):
                await pair.a.do(refused)
        await pair.until(lambda: not pair.b.replica.peer_link.is_open)
        promoted = await pair.b.do(pair.b.replica.promote("op", None, alone=True))
        assert promoted.tail_lsn in {0, 1}

    on_sides(test)


def test_a_read_that_the_disk_cannot_answer_fails_the_side() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="read", path=volume_path("A"))
        with pytest.raises(SrError, match="SR9220"):
            await pair.a.read(0, 1)
        assert pair.a.report.data is ReplicaData.FAILED

    on_sides(test)


def test_a_failure_survives_the_writes_of_the_superblock_that_waited_meanwhile() -> None:
    """What was about to be stored must not make the side look consistent again."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        core = pair.b.core
        pair.b.disk.hang()
        first = pair.b.begin(core.persist())
        await pair.pass_time(0.1)
        second = pair.b.begin(core.persist(lambda sb: sb))
        await pair.pass_time(0.1)
        core.fail("the device is worn out")
        pair.b.disk.resume()
        await pair.until(lambda: first.done() and second.done())
        assert "SR9220" in str(second.exception())
        await pair.until(lambda: core.superblock.data is ReplicaData.FAILED)
        await pair.pass_time(2.0)
        assert core.superblock.data is ReplicaData.FAILED

    on_sides(test)


def test_a_failure_that_cannot_be_recorded_is_told() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.disk.fail_at(1, FaultKind.EIO, operation="write", path=log_path("A"), sticky=True)
        pair.a.core.fail("the device is worn out")
        await pair.until(lambda: len(pair.a.heard("failure")) == 2)
        assert "could not be recorded" in pair.a.heard("failure")[1]

    on_sides(test)


def test_a_disk_that_hangs_is_waited_for_and_loses_nothing() -> None:
    """Slow is not lost for half a minute: heartbeats go on, and so does the link."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x"))
        await pair.pass_time(LIMITS.stuck_seconds - 2 * LIMITS.heartbeat_seconds)
        assert not writing.done()
        assert pair.a.source.phase is Phase.LIVE
        pair.b.disk.resume()
        await pair.until(writing.done)
        assert writing.result() == 1
        assert not pair.a.report.alone

    on_sides(test)


def test_a_clock_that_jumps_changes_no_timeout() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        before = pair.a.report.as_of
        pair.a.clock_shift_seconds = -1e6
        assert pair.a.report.as_of < before
        await pair.pass_time(10.0)
        assert pair.a.source.phase is Phase.LIVE
        pair.a.clock_shift_seconds = 5e6
        await pair.pass_time(10.0)
        assert pair.a.source.phase is Phase.LIVE
        assert await pair.a.write(0, b"x") == 1

    on_sides(test)


@pytest.mark.parametrize("path_of", [log_path, volume_path])
@pytest.mark.parametrize("name", ["A", "B"])
def test_a_file_that_somebody_removed_fails_a_side_that_is_idle(
    monkeypatch: pytest.MonkeyPatch, name: str, path_of: Callable[[str], str]
) -> None:
    """Two copies are claimed: one that nobody can open again is none."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.CONTINUE)
        side = pair.a if name == "A" else pair.b
        await asyncio.sleep(3 * LIMITS.look_seconds)
        assert not side.core.failure

        def kept_bytes(handle: SimHandle) -> int | None:
            return None if handle.path == path_of(name) else handle.image.size_bytes

        monkeypatch.setattr(SimHandle, "kept_bytes", kept_bytes)
        await asyncio.sleep(LIMITS.look_seconds + 2 * LIMITS.checkpoint_seconds)
        assert "REMOVED" in side.core.failure
        assert side.report.data is ReplicaData.FAILED

    on_sides(test)
