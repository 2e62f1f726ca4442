"""Frames on their way to the peer: in order, once, within the credit, from memory or the log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import attrs
import pytest

from srshell.codec.log_frame import FrameBody
from srshell.codec.messages import Commit, Frame
from srshell.engine.sender import Sender, epoch_at
from srshell.model.replica import Epoch, Era
from srshell.transport.link import Link, LinkClosed
from srshell.transport.loopback import loopback_pair
from tests.unit.engine.sides import BLOCK, KIB, LIMITS, RING_OFFSET, Sides, log_path, on_sides

PLENTY = 1 << 30


def arrived(link: Link) -> list[Frame | Commit]:
    """Take what is there now."""
    found = []
    while (received := link.receive_nowait()) is not None:
        assert isinstance(received[0], Frame | Commit)
        found.append(received[0])
    return found


def lsns(messages: Iterable[object]) -> list[int]:
    return [message.first_lsn for message in messages if isinstance(message, Frame)]


async def written(pair: Sides, count: int) -> None:
    """Let A hold frames of one record each, with nobody to send them to."""
    await pair.open()
    for number in range(count):
        await pair.a.write(number * BLOCK, bytes([number + 1]) * BLOCK)


async def read_back(pair: Sides, lsn: int) -> FrameBody:
    held = pair.a.core.ring.find(lsn)
    assert held is not None
    return await pair.a.do(pair.a.core.log.read_body(held, 1, held.record_count))


def test_what_the_peer_missed_is_read_from_the_log_and_sent_in_order() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 5)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, PLENTY)
        running = pair.a.begin(sender.run())
        await pair.until(lambda: sender.next_lsn == 6)
        assert lsns(arrived(theirs)) == [2, 3, 4, 5]
        ours.close()
        sender.close()
        await pair.until(running.done)

    on_sides(test)


def test_a_new_frame_that_is_next_is_sent_at_once_and_any_other_is_left() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 3)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, PLENTY)
        sender.offer(await read_back(pair, 3))
        assert arrived(theirs) == []
        sender.offer(await read_back(pair, 2))
        sender.offer(await read_back(pair, 3))
        assert lsns(arrived(theirs)) == [2, 3]
        assert sender.next_lsn == 4

    on_sides(test)


def test_a_frame_offered_to_a_closed_link_is_left() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 1)
        ours, _ = loopback_pair()
        sender = Sender(pair.a.core, ours, 1, PLENTY)
        ours.close()
        sender.offer(await read_back(pair, 1))
        assert sender.next_lsn == 1
        sender.notice()
        await pair.a.do(sender.run())

    on_sides(test)


def test_no_more_is_sent_than_the_peer_has_room_for() -> None:
    """At its ring's end it may lose as much as the largest frame."""
    frame_bytes = 2 * BLOCK

    async def test(pair: Sides) -> None:
        await written(pair, 6)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 1, 3 * frame_bytes)
        running = pair.a.begin(sender.run())
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == [1, 2]
        sender.confirmed(1, 2 * frame_bytes)
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == []
        sender.confirmed(2, 3 * frame_bytes)
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == [3, 4]
        sender.confirmed(4, PLENTY)
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == [5, 6]
        ours.close()
        sender.close()
        await pair.until(running.done)

    on_sides(test)


def test_no_more_is_under_way_than_a_link_holds() -> None:
    """However large the peer's log is: a slow network must not break the link."""

    async def test(pair: Sides) -> None:
        await written(pair, 6)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 1, PLENTY)
        pair.a.begin(sender.run())
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == [1, 2, 3]
        ours.close()
        sender.close()

    on_sides(test, limits=attrs.evolve(LIMITS, in_flight_bytes=32 * KIB))


def test_a_commit_that_no_frame_carries_is_told_within_its_time() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 2)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 3, PLENTY)

        async def commit() -> None:
            sender.committed(1)
            sender.committed(2)

        await pair.a.do(commit())
        assert arrived(theirs) == []
        await pair.pass_time(LIMITS.commit_notice_seconds * 2)
        assert arrived(theirs) == [Commit(2)]
        await pair.a.do(commit())
        await pair.pass_time(LIMITS.commit_notice_seconds * 2)
        assert arrived(theirs) == []

    on_sides(test)


def test_a_commit_is_told_at_once_when_there_is_no_credit() -> None:
    """Applying is what gives the peer room again."""

    async def test(pair: Sides) -> None:
        await written(pair, 3)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, 0)
        running = pair.a.begin(sender.run())
        await pair.pass_time(LIMITS.commit_notice_seconds / 10)
        assert arrived(theirs) == [Commit(3)]
        ours.close()
        sender.close()
        await pair.until(running.done)

    on_sides(test)


def test_a_frame_carries_the_commit_so_that_no_notice_follows() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 2)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, PLENTY)

        async def send() -> None:
            sender.committed(2)
            sender.offer(await pair.a.core.log.read_body(pair.a.core.ring.frames[1], 1, 1))

        await pair.a.do(send())
        await pair.pass_time(LIMITS.commit_notice_seconds * 3)
        frame, *others = arrived(theirs)
        assert isinstance(frame, Frame)
        assert (frame.commit_lsn, others) == (2, [])

    on_sides(test)


def test_a_log_that_no_longer_holds_the_next_frame_ends_the_link() -> None:
    """The next handshake finds another way."""

    async def test(pair: Sides) -> None:
        await written(pair, 3)
        pair.a.core.ring.forget_through(2)
        ours, _ = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, PLENTY)
        with pytest.raises(LinkClosed, match="no longer holds"):
            await pair.a.do(sender.run())

    on_sides(test)


def test_a_rotten_frame_is_never_sent_and_fails_the_side() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 2)
        held = pair.a.core.ring.frames[1]
        pair.a.damage(log_path("A"), RING_OFFSET + held.position + 500)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 1, PLENTY)
        running = pair.a.begin(sender.run())
        await pair.until(running.done)
        assert "SR9220" in str(running.exception())
        assert lsns(arrived(theirs)) == [1]
        assert pair.a.report.failure

    on_sides(test)


def test_a_frame_that_is_not_durable_yet_is_not_read_from_the_log() -> None:
    async def test(pair: Sides) -> None:
        await written(pair, 1)
        ours, theirs = loopback_pair()
        sender = Sender(pair.a.core, ours, 2, PLENTY)
        running = pair.a.begin(sender.run())
        pair.a.disk.hang()
        writing = pair.a.begin(pair.a.replica.write("data", 0, b"x"))
        await pair.until(lambda: pair.a.source.last_lsn == 2)
        sender.flushed()
        await pair.pass_time(1.0)
        assert lsns(arrived(theirs)) == []
        pair.a.disk.resume()
        await pair.until(writing.done)
        sender.flushed()
        await pair.until(lambda: sender.next_lsn == 3)
        ours.close()
        sender.close()
        await pair.until(running.done)

    on_sides(test)


def test_a_link_takes_no_confirmation_of_what_it_never_sent() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        with pytest.raises(LinkClosed, match="never sent"):
            lead._confirmed(1, PLENTY)
        await asyncio.sleep(0)

    on_sides(test)


def test_a_record_belongs_to_the_era_after_whose_start_it_lies() -> None:
    history = (Era(Epoch(1, 0, "a"), 0), Era(Epoch(4, 0, "b"), 10))
    assert [epoch_at(history, lsn) for lsn in (1, 10, 11, 99)] == [1, 1, 4, 4]
    assert epoch_at((), 1) == 0
