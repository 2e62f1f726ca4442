"""The secondary's end of a link: it takes what follows, refuses what does not, and never hangs."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from srshell.codec.checksum import crc32
from srshell.codec.copy_messages import Runs
from srshell.codec.log_frame import FrameBody, Record, RecordKind, pack_body
from srshell.codec.messages import (
    Extent,
    Fenced,
    Frame,
    Message,
    Policy,
)
from srshell.codec.verify_messages import (
    Digest,
)
from srshell.engine.follow import Follow
from srshell.model.replica import LinkState, OnPeerLoss, ReplicaData
from tests.unit.engine.sides import BLOCK, KIB, VOLUME, VOLUME_BYTES, Side, Sides, on_sides


def follow_of(side: Side) -> Follow:
    follow = side.replica.peer_link.follow
    assert follow is not None
    return follow


def tell(pair: Sides, message: Message, *payload: bytes) -> None:
    """Let the primary's end say something that the primary never would."""
    lead = pair.a.replica.peer_link.lead
    assert lead is not None
    lead.link.send(message, payload)


def frame_of(body: FrameBody, **changes: int) -> tuple[Frame, bytes]:
    fields = {
        "epoch": body.epoch,
        "first_lsn": body.first_lsn,
        "record_count": body.record_count,
        "body_crc": body.body_crc,
        "commit_lsn": 0,
        **changes,
    }
    return Frame(**fields), b"".join(bytes(buffer) for buffer in body.buffers)


def received(follow: Follow, lsn: int) -> bool:
    return follow._machine().received_lsn == lsn


def body_of(lsn: int, offset: int = 0, size: int = 100, volume: int = 0) -> FrameBody:
    record = Record(lsn, RecordKind.WRITE, volume, offset, size, bytes([lsn % 256]) * size)
    return pack_body(1, lsn, [record])


REFUSED: dict[str, tuple[Message, bytes]] = {
    "a gap": frame_of(body_of(5)),
    "a record outside its volume": frame_of(body_of(1, VOLUME_BYTES - 10)),
    "a record of no volume": frame_of(body_of(1, volume=3)),
    "a damaged frame": frame_of(body_of(1), body_crc=7),
    "an extent outside its volume": (
        Extent(1, 0, VOLUME_BYTES, 1, crc32(b"x"), False),
        b"x",
    ),
    "an extent of no volume": (Extent(1, 2, 0, 1, crc32(b"x"), False), b"x"),
    "a damaged extent": (Extent(1, 0, 0, 1, 7, False), b"x"),
    "runs outside their volume": (
        Runs(1, 0, ((0, 1), (VOLUME_BYTES, 1)), crc32(b"xx"), False),
        b"xx",
    ),
    "runs out of order": (Runs(1, 0, ((9, 1), (0, 1)), crc32(b"xx"), False), b"xx"),
    "damaged runs": (Runs(1, 0, ((0, 1), (9, 1)), 7, False), b"xx"),
    "a policy that this release does not know": (Policy("prayer", True), b""),  # type: ignore[arg-type]
    "an answer to no question": (Fenced(0), b""),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_cannot_be_taken_closes_the_link_and_nothing_else(refused: str) -> None:
    """A primary of another release, or a network that lies, must not cost this side its data."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        follow = follow_of(pair.b)
        message, payload = REFUSED[refused]
        tell(pair, message, *([payload] if payload else []))
        await pair.until(lambda: follow.link.closed)
        await pair.in_sync()
        assert pair.b.report.failure == ""
        assert pair.b.report.durable_lsn == 0
        assert await pair.a.write(0, b"goes on") == 1

    on_sides(test)


def test_a_frame_that_came_before_is_confirmed_again() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"once")
        follow = follow_of(pair.b)
        tell(pair, *frame_of(body_of(1)))
        await pair.pass_time(1.0)
        assert not follow.link.closed
        assert pair.b.report.durable_lsn == 1

    on_sides(test)


def test_a_policy_is_durable_before_it_is_answered() -> None:
    """The primary allows itself what the answer confirms."""

    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        pair.b.disk.hang()
        setting = pair.a.begin(pair.a.replica.set_policy(OnPeerLoss.CONTINUE))
        await pair.pass_time(2.0)
        assert not setting.done()
        assert pair.a.report.on_peer_loss is OnPeerLoss.SUSPEND_IO
        pair.b.disk.resume()
        await pair.until(setting.done)
        assert pair.b.core.superblock.on_peer_loss is OnPeerLoss.CONTINUE

    on_sides(test)


def test_a_silent_primary_is_left_after_the_peer_timeout() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        follow = follow_of(pair.b)
        pair.cut()
        await pair.pass_time(4.0)
        assert not follow.link.closed
        await pair.pass_time(3.0)
        assert follow.link.closed
        assert pair.b.report.link is LinkState.CONNECTING

    on_sides(test)


def test_more_than_the_log_holds_is_not_kept_in_memory() -> None:
    """A primary that ignores the credit loses the link."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        follow = follow_of(pair.b)
        pair.b.disk.hang()
        for lsn in range(1, 20):
            tell(pair, *frame_of(body_of(lsn, size=8 * KIB)))
        await pair.until(lambda: follow.link.closed)
        waiting = sum(body.total_bytes for body, _ in follow.intake.frames)
        assert waiting <= pair.b.core.ring.ring_bytes
        pair.b.disk.resume()
        await pair.until(lambda: pair.b.replica.peer_link.follow is not follow)
        assert pair.b.report.failure == ""

    on_sides(test)


def test_a_secondary_whose_log_is_full_can_still_be_promoted() -> None:
    """What waits for room in vain was never confirmed; nobody misses it."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        follow, lead = follow_of(pair.b), pair.a.replica.peer_link.lead
        assert lead is not None
        lead.sender.next_lsn = 100  # it believes that it sent them all, and none is committed
        for lsns in (range(1, 7), range(7, 14)):
            for lsn in lsns:
                tell(pair, *frame_of(body_of(lsn, size=8 * KIB)))
            last_lsn = lsns[-1]
            await pair.until(partial(received, follow, last_lsn))
        await pair.pass_time(0.5)
        assert not pair.b.core.can_append(12 * KIB)
        assert not follow.link.closed
        pair.cut()
        promoting = pair.b.begin(pair.b.replica.promote("op", None, alone=True))
        await pair.until(promoting.done)
        assert promoting.result().tail_lsn == pair.b.report.durable_lsn < 13
        assert await pair.b.read(0, 1) == bytes([pair.b.report.durable_lsn])

    on_sides(test)


def test_a_secondary_takes_no_more_than_it_can_hold_unapplied() -> None:
    """Its volumes are slower than its log: the primary is told to wait."""

    async def test(pair: Sides) -> None:
        await pair.sync(log_bytes=1 << 20)
        applied = asyncio.Event()

        async def block_the_applier() -> None:
            await applied.wait()

        pair.b.replica.applier.submit(block_the_applier)
        writes = [
            pair.a.begin(pair.a.replica.write("data", n % 60 * BLOCK, bytes(BLOCK)))
            for n in range(120)
        ]
        await pair.pass_time(20.0)
        core = pair.b.core
        assert core.ring.free_bytes > core.ring.ring_bytes // 4
        assert core.overlay.held_bytes <= 2 * core.world.limits.unapplied_bytes
        assert not all(write.done() for write in writes)
        applied.set()
        pair.b.replica.applier._hurry()
        await pair.until(lambda: all(write.done() for write in writes))
        assert pair.a.report.acked_lsn == 120

    on_sides(test)


def test_an_unexpected_error_closes_the_link_before_it_goes_on() -> None:
    """The primary must not take a side for alive whose tasks have ended."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        for end in (follow_of(pair.b), lead):

            async def fail() -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await end._until_closed(fail())
            assert end.link.closed

    on_sides(test)


def test_a_job_that_meets_an_unexpected_error_fails_the_side_loudly() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()

        async def fail() -> None:
            raise ZeroDivisionError

        pair.b.replica.applier.submit(fail)
        await pair.until(lambda: pair.b.report.data is ReplicaData.FAILED)
        assert "ZeroDivisionError" in pair.b.report.failure
        assert pair.b.heard("failure")

    with pytest.raises(ZeroDivisionError):
        on_sides(test)


def test_a_digest_waits_for_the_records_before_it() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x" * BLOCK)
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        question = lead.next_question()
        asking = pair.a.begin(lead.ask(Digest(question, 0, 0, BLOCK, 1), question))
        await pair.until(asking.done)
        assert pair.b.volume[:BLOCK] == b"x" * BLOCK

    on_sides(test)


def test_whoever_waits_for_the_end_of_a_link_and_gives_up_does_not_cut_it_short() -> None:
    """What the old link began to write is still finished and remembered."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        serving = pair.b.replica.peer_link._serving
        assert serving is not None
        pair.b.disk.hang()
        writing = pair.a.begin(pair.a.replica.write(VOLUME, 0, b"x"))
        await pair.until(lambda: follow_of(pair.b)._machine().received_lsn == 1)

        async def close() -> None:
            async with pair.b.replica.peer_link.linking:
                await pair.b.replica.peer_link.close("somebody wants another link")

        closing = pair.b.begin(close())
        await pair.pass_time(0.5)
        closing.cancel()
        await pair.pass_time(0.5)
        assert not serving.done()
        pair.b.disk.resume()
        await pair.until(serving.done)
        assert not serving.cancelled()
        await pair.until(writing.done)
        assert pair.b.report.durable_lsn == 1

    on_sides(test)
