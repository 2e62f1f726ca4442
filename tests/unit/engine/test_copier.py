"""Copies beside writes: nothing is missed, holes and equal blocks are not sent, bits wait."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from srshell.engine.copier import Copier
from srshell.model.replica import Flow, ReplicaData, ReplicaVolume
from srshell.replication.source import Phase
from srshell.simulation import Operation
from srshell.storage import Disk
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    VOLUME,
    VOLUME_BYTES,
    Side,
    Sides,
    log_path,
    on_sides,
    volume_path,
)

#: The log keeps little, so that what the peer missed becomes marked blocks.
SMALL_LOG = attrs.evolve(LIMITS, checkpoint_seconds=0.2)


async def same(pair: Sides) -> None:
    await pair.a.settle()
    await pair.until(lambda: pair.b.report.applied_lsn == pair.a.report.acked_lsn)
    assert pair.a.volume == pair.b.volume


async def overrun(pair: Sides) -> None:
    """Write so much without the peer that the log gives its oldest records up."""
    await pair.lose_peer()
    for number in range(60):
        await pair.a.write(number * BLOCK, bytes([number + 1]) * BLOCK)
    await pair.until(pair.a.core.dirty.any)


def test_the_first_copy_brings_what_was_there_before_the_group() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(10 * BLOCK, b"older" * 1000)
        await pair.start()
        await pair.in_sync()
        await same(pair)
        assert pair.a.report.copied_bytes_total < VOLUME_BYTES

    on_sides(test)


def extents_under_way(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many extents are under way whenever one is sent."""
    found: list[int] = []
    send = Copier._send_extent

    def noted(self: Copier, *arguments: Any) -> None:  # noqa: ANN401 - passed on
        send(self, *arguments)
        found.append(len(self._in_flight))

    monkeypatch.setattr(Copier, "_send_extent", noted)
    return found


@pytest.mark.parametrize("writing", [False, True])
def test_a_copy_beside_writers_sends_little_at_once(
    monkeypatch: pytest.MonkeyPatch, writing: bool
) -> None:
    found = extents_under_way(monkeypatch)

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"older" * (VOLUME_BYTES // 5))

        async def write() -> None:
            while pair.a.report.flow is not Flow.LIVE:
                await pair.a.write(0, b"x" * BLOCK)
                await asyncio.sleep(0.001)

        if writing:
            await pair.a.write(0, b"x" * BLOCK)
        writer = asyncio.create_task(write()) if writing else None
        await pair.start()
        await pair.in_sync()
        if writer is not None:
            await writer
        await same(pair)

    on_sides(test, limits=attrs.evolve(LIMITS, extent_bytes=2 * BLOCK))
    assert (max(found) <= 2) is writing


def test_holes_and_zeros_are_not_sent() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, bytes(8 * BLOCK))
        await pair.start()
        await pair.in_sync()
        assert pair.a.report.copied_bytes_total == 0

    on_sides(test)


def test_what_is_zero_at_the_primary_becomes_zero_at_the_secondary() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.b.fill(5 * BLOCK, b"stale" * 2000)
        await pair.start()
        await pair.in_sync()
        await same(pair)

    on_sides(test)


def test_a_seeded_copy_sends_only_what_differs() -> None:
    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            await side.format(seeded=True)
            side.fill(0, b"seed" * (VOLUME_BYTES // 4))
            await side.open()
        pair.b.fill(3 * BLOCK, b"other")
        await pair.start()
        await pair.in_sync()
        await same(pair)
        assert pair.a.report.copied_bytes_total == LIMITS.extent_bytes

    on_sides(test)


@pytest.mark.parametrize("size_bytes", [BLOCK + 1, 100_001, VOLUME_BYTES - 512])
def test_a_volume_of_any_size_is_copied_to_its_last_byte(size_bytes: int) -> None:
    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            volume = ReplicaVolume(VOLUME, f"/{side.name}/odd", size_bytes, 512)
            await Disk(side.disk, None).create(volume.path, size_bytes)
            await side.format(volumes=(volume,))
            await side.open()
        pair.a.disk.image("/A/odd").write(size_bytes - 3, b"end")
        await pair.start()
        await pair.in_sync()
        await pair.a.write(size_bytes - 1, b"!")
        await pair.a.settle()
        await pair.until(lambda: pair.b.report.applied_lsn == 1)
        images = [side.disk.image(f"/{side.name}/odd") for side in (pair.a, pair.b)]
        assert images[0].read(0, size_bytes) == images[1].read(0, size_bytes)
        assert images[1].read(size_bytes - 3, 3) == b"en!"

    on_sides(test)


def test_writes_during_a_copy_are_not_lost_under_it() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        await pair.start()
        number = 0
        while pair.a.source.phase is not Phase.LIVE:
            place = number * 7 % 60 * BLOCK
            await pair.a.write(place, bytes([number % 255 + 1]) * 100)
            number += 1
        await pair.in_sync()
        await same(pair)
        assert number > 3

    on_sides(test)


def test_a_bit_is_cleared_only_when_the_peers_disk_holds_the_block() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        stuck = False

        def before(operation: Operation) -> None:
            nonlocal stuck
            if not stuck and (operation.name, operation.path) == ("sync", volume_path("B")):
                stuck = pair.b.report.data is ReplicaData.INCONSISTENT
                if stuck:
                    pair.b.disk.hang()

        pair.b.disk.before = before
        await pair.start()
        await pair.until(lambda: stuck)
        marked = pair.a.core.dirty.count()
        await pair.pass_time(2.0)
        assert pair.a.core.dirty.count() == marked
        pair.b.disk.resume()
        await pair.in_sync()
        await same(pair)

    on_sides(test)


def test_what_an_overrun_log_gave_up_comes_back_as_marked_blocks() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await overrun(pair)
        pair.mend()
        await pair.in_sync()
        await same(pair)
        assert 0 < pair.a.report.copied_bytes_total < VOLUME_BYTES

    on_sides(test, limits=SMALL_LOG)


def test_a_copy_goes_on_where_a_broken_link_left_it() -> None:
    """What was stored before is not sent again."""

    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        await pair.start()
        broken = False

        def seen() -> bool:
            nonlocal broken
            progress = pair.a.report.progress
            half = progress is not None and progress.done_bytes >= VOLUME_BYTES // 4
            if half and not broken:
                broken = True
                pair.network.reset("A", "B")
            return broken

        await pair.until(seen)
        await pair.in_sync()
        await same(pair)
        assert pair.a.report.copied_bytes_total <= VOLUME_BYTES * 7 // 4

    on_sides(test)


def test_progress_never_falls_and_ends_at_its_total() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        seen: list[int] = []

        def note() -> bool:
            progress = pair.a.report.progress
            if progress is not None:
                assert progress.kind is Flow.INITIAL_COPY
                assert progress.total_bytes == VOLUME_BYTES
                seen.append(progress.done_bytes)
            return pair.a.source.phase is Phase.LIVE

        await pair.start()
        await pair.until(note)
        assert seen == sorted(seen)
        assert seen[-1] > 0

    on_sides(test)


def watch_rejoining(side: Side, seen: list[tuple[int, int]]) -> None:
    """Note how many jobs wait and how many volumes are unsynced when a copy is resumed."""

    def before(operation: Operation) -> None:
        if operation.name != "write" or operation.path != log_path(side.name) or not side.is_open:
            return
        replica = side.replica
        meeting = replica.peer_link.linking.locked() and replica.core.transition.locked()
        torn = replica.core.superblock.data is ReplicaData.INCONSISTENT
        if meeting and torn and replica.applier.checkpointing.locked():
            seen.append((len(replica.applier._jobs), len(replica.core.volumes._unsynced)))

    side.disk.before = before


def test_what_an_interrupted_copy_stored_is_durable_before_it_is_compared() -> None:
    """The primary forgets a block that is equal; the disk must not lose it afterwards."""

    async def test(pair: Sides) -> None:
        for side in (pair.a, pair.b):
            await side.format(seeded=True)
            await side.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        pair.b.fill(0, b"seed" * (VOLUME_BYTES // 4))
        gate = asyncio.Event()
        await pair.start()
        await pair.until(lambda: pair.b.report.data is ReplicaData.INCONSISTENT)

        async def block_the_applier() -> None:
            await gate.wait()

        pair.b.replica.applier.submit(block_the_applier)
        await pair.until(lambda: len(pair.b.replica.applier._jobs) > 0)
        pair.network.reset("A", "B")
        seen: list[tuple[int, int]] = []
        watch_rejoining(pair.b, seen)
        await pair.pass_time(2.0)
        gate.set()
        await pair.in_sync()
        await same(pair)
        assert seen
        assert {jobs for jobs, _ in seen} == {0}
        assert {unsynced for _, unsynced in seen} == {0}

    on_sides(test)
