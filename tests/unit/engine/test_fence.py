"""The fence: the secondary is consistent, the primary stops acknowledging alone, both know it.

Each of the three steps is durable before the next one begins.
"""

from __future__ import annotations

from srshell.codec.messages import Fenced
from srshell.model.replica import ReplicaData
from srshell.replication.source import Phase
from srshell.simulation import Operation
from tests.unit.engine.sides import BLOCK, KIB, LIMITS, Sides, on_sides


def test_the_three_steps_of_a_fence_become_durable_one_after_the_other() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.a.write(0, b"x")
        seen: list[tuple[ReplicaData, bool, bool]] = []

        def look(_: Operation | None = None) -> None:
            b, a = pair.b.core.superblock, pair.a.core.superblock
            now = (b.data, a.alone, b.peer_may_ack_alone)
            if not seen or seen[-1] != now:
                seen.append(now)

        pair.a.disk.after = pair.b.disk.after = look
        await pair.start()
        await pair.in_sync()
        look()
        assert seen == [
            (ReplicaData.BLANK, True, False),
            (ReplicaData.INCONSISTENT, True, True),
            (ReplicaData.CONSISTENT, True, True),
            (ReplicaData.CONSISTENT, False, True),
            (ReplicaData.CONSISTENT, False, False),
        ]

    on_sides(test)


def test_a_short_break_needs_no_copy_and_a_fence_all_the_same() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x")
        pair.cut()  # or the two would meet again before anybody looks
        pair.network.reset("A", "B")
        await pair.until(lambda: pair.a.source.phase is Phase.LOST)
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.copied_bytes_total == 0
        assert pair.b.report.durable_lsn == 1
        assert not pair.a.report.alone

    on_sides(test)


def test_a_link_that_flaps_counts_as_back_only_after_it_held_for_a_while() -> None:
    """Flapping is no sync."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.go_alone()
        pair.mend()
        await pair.until(lambda: pair.a.source.phase is Phase.CATCHING_UP)
        await pair.pass_time(LIMITS.stable_link_seconds / 2)
        assert pair.a.source.phase is Phase.CATCHING_UP
        assert pair.a.report.alone
        await pair.in_sync()
        assert not pair.a.report.alone

    on_sides(test)


def test_a_link_that_was_lost_once_counts_as_back_when_the_peer_has_caught_up() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.pass_time(LIMITS.flapping_seconds)  # too long ago to count
        await pair.go_alone()
        pair.mend()
        await pair.until(lambda: pair.a.is_linked)
        await pair.pass_time(LIMITS.stable_link_seconds / 10)
        assert pair.a.source.phase is Phase.LIVE

    on_sides(test)


def test_a_link_that_somebody_ended_does_not_flap() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        for _ in range(3):
            await pair.a.do(pair.a.replica.suspend())
            await pair.a.write(0, b"alone")
            assert pair.a.report.alone
            await pair.a.do(pair.a.replica.resume())
            await pair.until(lambda: pair.a.is_linked)
            await pair.pass_time(LIMITS.stable_link_seconds / 10)
            assert pair.a.source.phase is Phase.LIVE

    on_sides(test)


def test_an_answer_to_no_fence_stops_no_primary_from_acknowledging_alone() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.go_alone()
        pair.mend()
        await pair.until(lambda: pair.a.source.phase is Phase.CATCHING_UP)
        follow = pair.b.replica.peer_link.follow
        assert follow is not None
        follow.link.send(Fenced(0))
        await pair.pass_time(0.5)
        assert pair.a.source.alone
        pair.a.source.phase = Phase.FENCING
        assert not pair.a.source.fence_sent
        follow.link.send(Fenced(0))
        await pair.pass_time(0.2)
        assert pair.a.source.alone
        pair.a.source.phase = Phase.CATCHING_UP
        await pair.in_sync()

    on_sides(test)


def test_writes_go_on_through_a_fence() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        await pair.start()
        number = 0
        while pair.a.source.phase is not Phase.LIVE:
            await pair.a.write(number % 60 * BLOCK, bytes([number % 255 + 1]) * BLOCK)
            number += 1
        await pair.in_sync()
        await pair.a.settle()
        await pair.until(lambda: pair.b.report.applied_lsn == number)
        assert pair.a.volume == pair.b.volume

    on_sides(test)


def test_marks_that_say_nothing_any_more_are_cleared_when_the_peer_is_in_step() -> None:
    """The next copy would copy their blocks again."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.go_alone()
        pair.a.core.dirty.mark(0, 0, 64 * KIB)
        pair.mend()
        await pair.in_sync()
        assert not pair.a.core.dirty.any()

    on_sides(test)


def test_a_fence_that_the_link_breaks_leaves_the_primary_alone_or_not_as_its_disk_says() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.go_alone(data=b"alone")
        pair.mend()
        await pair.until(lambda: pair.a.source.phase is Phase.CATCHING_UP)
        # Its log is in step: what hangs is the first step of the fence, and the peer falls silent.
        await pair.until(lambda: pair.a.report.confirmed_lsn == 1)
        pair.b.disk.hang()
        await pair.pass_time(LIMITS.stable_link_seconds + 1)
        assert pair.a.source.alone
        assert await pair.a.write(BLOCK, b"still") == 2
        pair.network.reset("A", "B")
        await pair.until(lambda: pair.a.source.phase is Phase.ALONE)
        assert pair.a.core.superblock.alone
        pair.b.disk.resume()
        await pair.in_sync()
        assert pair.b.report.durable_lsn == 2

    on_sides(test)
