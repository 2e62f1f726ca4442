"""What a replica says of itself is true at that moment, field by field."""

from __future__ import annotations

import attrs
import pytest

from srshell.model.replica import Flow, LinkState, OnPeerLoss, ReplicaData, ReplicaReport
from srshell.replication.source import Phase
from tests.unit.engine.sides import (
    BLOCK,
    LIMITS,
    RING_BYTES,
    VOLUME,
    VOLUME_BYTES,
    Sides,
    log_path,
    on_sides,
)


def test_a_side_in_sync_reports_itself_as_it_is() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        await pair.until(lambda: pair.b.report.applied_lsn == pair.a.report.applied_lsn == 1)
        a, b = pair.a.report, pair.b.report
        assert (a.group, a.peer_group, a.array, a.peer_array) == ("group-A", "group-B", "A", "B")
        assert (a.log_path, a.log_bytes) == (log_path("A"), RING_BYTES)
        assert (a.link, b.link, a.flow, b.flow) == (LinkState.CONNECTED,) * 2 + (Flow.LIVE,) * 2
        assert (a.last_lsn, a.durable_lsn, a.acked_lsn, a.confirmed_lsn) == (1, 1, 1, 1)
        assert (b.last_lsn, b.durable_lsn, b.acked_lsn) == (1, 1, 1)
        assert (a.writes_total, a.written_bytes_total, a.log_frames_total) == (1, BLOCK, 1)
        assert (a.alone, b.peer_may_ack_alone, a.unclean) == (False, False, False)
        assert (a.lost_unix, a.unconfirmed_writes, a.unconfirmed_bytes) == (None, 0, 0)
        assert (a.waiting_on, b.waiting_on, a.failure, a.progress) == ("", "", "", None)
        assert (a.writable, b.writable, a.sealed) == (True, False, False)
        assert [(v.name, v.size_bytes) for v in a.volumes] == [(VOLUME, VOLUME_BYTES)]
        assert a.epoch == b.epoch == 1

    on_sides(test)


def test_what_the_peer_lacks_is_counted_while_the_primary_is_alone() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.go_alone(data=b"a" * BLOCK)
        await pair.a.write(BLOCK, b"b" * BLOCK)
        report = pair.a.report
        assert report.alone
        assert report.unconfirmed_writes == 2
        assert 2 * BLOCK <= report.unconfirmed_bytes < 3 * BLOCK
        assert report.lost_unix is not None
        assert report.lost_unix <= report.as_of
        assert report.waiting_on == "the peer"
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.lost_unix is None
        assert pair.a.report.unconfirmed_writes == 0

    on_sides(test)


def test_the_ways_by_which_a_peer_was_brought_up_are_counted() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        assert (pair.a.report.resyncs_total, pair.a.report.resync) == (1, Flow.INITIAL_COPY)
        await pair.go_alone()
        pair.mend()
        await pair.in_sync()
        assert (pair.a.report.resyncs_total, pair.a.report.resync) == (2, Flow.LOG_REPLAY)
        await pair.go_alone()
        for _ in range(RING_BYTES // BLOCK):
            await pair.a.write(BLOCK, b"b" * BLOCK)
        pair.mend()
        await pair.in_sync()
        assert (pair.a.report.resyncs_total, pair.a.report.resync) == (3, Flow.BITMAP_COPY)
        assert pair.b.report.resyncs_total == 0

    on_sides(test)


WAITS = {
    OnPeerLoss.CONTINUE: (Phase.LONELY, "the peer"),
    OnPeerLoss.SUSPEND_IO: (Phase.HELD, "the peer (suspend-io)"),
    OnPeerLoss.IO_ERROR: (Phase.REFUSING, "the peer (io-error)"),
}


@pytest.mark.parametrize("policy", WAITS)
def test_a_primary_without_its_peer_says_what_it_waits_for(policy: OnPeerLoss) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=policy)
        pair.cut()
        await pair.until(lambda: pair.a.source.phase is Phase.LOST)
        assert pair.a.report.waiting_on == "the peer, within the peer timeout"
        phase, text = WAITS[policy]
        await pair.until(lambda: pair.a.source.phase is phase)
        assert (pair.a.report.waiting_on, pair.a.report.flow) == (text, Flow.IDLE)
        assert pair.b.report.waiting_on == "the primary"

    on_sides(test)


def test_a_first_copy_is_reported_by_both_sides_as_one() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * (VOLUME_BYTES // 4))
        reports: list[tuple[ReplicaReport, ReplicaReport]] = []

        def look() -> bool:
            reports.append((pair.a.report, pair.b.report))
            return pair.a.source.phase is Phase.LIVE

        await pair.start()
        await pair.until(look)
        copying = [(a, b) for a, b in reports if a.progress and a.progress.done_bytes]
        assert copying
        for a, b in copying:
            assert a.flow is Flow.INITIAL_COPY
            assert a.alone
            if b.data is ReplicaData.INCONSISTENT:
                assert b.flow in {Flow.BITMAP_COPY, Flow.INITIAL_COPY}

    on_sides(test)


def test_a_replay_of_the_log_reports_how_far_it_is() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.flap()
        await pair.go_alone()
        await pair.a.write(BLOCK, b"x" * BLOCK)
        pair.b.disk.hang()
        pair.b.disk.resume()
        pair.mend()
        await pair.until(lambda: pair.a.source.phase is Phase.CATCHING_UP)
        progress = pair.a.report.progress
        assert progress is not None
        assert progress.kind is Flow.LOG_REPLAY
        assert 0 <= progress.done_bytes <= progress.total_bytes
        assert pair.a.report.flow is Flow.LOG_REPLAY
        await pair.in_sync()

    on_sides(test)


def test_a_crashed_primary_reports_that_it_must_meet_its_peer_first() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.cut()
        await pair.a.restart()
        report = pair.a.report
        assert (report.unclean, report.writable, report.epoch) == (True, False, 1)
        assert report.waiting_on == "a handshake with the peer, or resume --alone"

    on_sides(test)


def test_a_sealed_group_reports_its_seal() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.do(pair.a.replica.seal("op"))
        report = pair.a.report
        assert (report.flow, report.sealed, report.writable) == (Flow.SEALED, True, False)

    on_sides(test)


def test_a_failed_side_reports_why_and_moves_nothing() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.a.core.fail("the device is worn out")
        report = pair.a.report
        assert (report.data, report.flow) == (ReplicaData.FAILED, Flow.IDLE)
        assert (report.failure, report.writable) == ("the device is worn out", False)

    on_sides(test)


def test_a_group_that_was_not_started_wants_no_link() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        report = pair.a.report
        assert (report.link, report.started, report.flow) == (LinkState.OFF, False, Flow.IDLE)
        assert report.lost_unix is None

    on_sides(test, limits=attrs.evolve(LIMITS, checkpoint_seconds=0.5))
