"""What holds for every link, whatever carries it."""

import asyncio

import pytest

from srshell.codec.errors import FormatError
from srshell.codec.messages import Bye, Commit, Dirty, Frame, Ping
from srshell.transport import LinkClosed
from srshell.transport.inbox import FULL_BYTES

from .conftest import Pair

MIB = 1024 * 1024


async def test_messages_arrive_in_order_with_their_payloads(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(Ping(1, 2))
    ours.send(Frame(1, 7, 2, 99, 6), [b"abc", bytearray(b"def"), memoryview(b"ghi")])
    ours.send(Commit(7))
    assert await theirs.receive() == (Ping(1, 2), b"")
    assert await theirs.receive() == (Frame(1, 7, 2, 99, 6), b"abcdefghi")
    assert await theirs.receive() == (Commit(7), b"")


async def test_both_directions_are_independent(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(Ping(2, 0))
    ours.send(Ping(1, 0))
    assert await ours.receive() == (Ping(2, 0), b"")
    assert await theirs.receive() == (Ping(1, 0), b"")


async def test_what_arrived_can_be_taken_without_waiting(pair: Pair) -> None:
    """The engine gathers a batch this way."""
    ours, theirs = pair
    assert theirs.receive_nowait() is None
    for number in range(3):
        ours.send(Commit(number))
    assert await theirs.receive() == (Commit(0), b"")
    taken = []
    while (received := theirs.receive_nowait()) is not None:
        taken.append(received[0])
    assert taken == [Commit(1), Commit(2)]


async def test_messages_are_heard_as_they_come_and_stay_in_order(pair: Pair) -> None:
    """What was not heard is received; a link may leave everything to `receive`."""
    ours, theirs = pair
    heard: list[int] = []

    def hear(message: object, _: object) -> bool:
        assert isinstance(message, Commit)
        if message.commit_lsn == 3:
            return False  # and what follows waits behind it
        heard.append(message.commit_lsn)
        return True

    theirs.hear_by(hear)
    for number in range(1, 6):
        ours.send(Commit(number))
    ours.close()
    received: list[int] = []

    async def receive() -> None:
        while True:
            message, _ = await theirs.receive()
            assert isinstance(message, Commit)
            received.append(message.commit_lsn)

    with pytest.raises(LinkClosed):
        await receive()
    assert heard + received == [1, 2, 3, 4, 5]
    assert heard in ([1, 2], [])


@pytest.mark.parametrize("length", [1, 4096, 16384, 16385, 65536, MIB, 4 * MIB])
async def test_a_payload_of_any_size_arrives_whole(pair: Pair, length: int) -> None:
    ours, theirs = pair
    payload = bytes(range(251)) * (length // 251 + 1)
    ours.send(Dirty(0, 0, True), [payload[:length]])
    ours.send(Commit(1))
    _, received = await theirs.receive()
    assert received == payload[:length]
    assert await theirs.receive() == (Commit(1), b"")


async def test_a_payload_belongs_to_its_receiver(pair: Pair) -> None:
    ours, theirs = pair
    payload = bytearray(b"first" * 20_000)
    ours.send(Dirty(0, 0, True), [payload])
    _, first = await theirs.receive()
    payload[:5] = b"other"
    ours.send(Dirty(0, 1, True), [payload])
    _, second = await theirs.receive()
    assert (bytes(first[:5]), bytes(second[:5])) == (b"first", b"other")
    assert memoryview(first).readonly


async def test_a_message_above_the_limits_is_not_sent(pair: Pair) -> None:
    ours, theirs = pair
    with pytest.raises(FormatError, match="length"):
        ours.send(Dirty(0, 0, True), [bytes(4 * MIB), b"x"])
    ours.send(Commit(1))
    assert await theirs.receive() == (Commit(1), b"")


async def test_the_peer_receives_what_was_sent_before_the_close(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(Frame(1, 1, 1, 0, 0), [bytes(100_000)])
    ours.send(Bye("enough"))
    ours.close()
    message, payload = await theirs.receive()
    assert (type(message), len(payload)) == (Frame, 100_000)
    assert (await theirs.receive())[0] == Bye("enough")
    with pytest.raises(LinkClosed, match="the peer closed the link"):
        await theirs.receive()
    assert theirs.closed


async def test_a_closed_link_refuses_everything(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(Commit(1))
    await asyncio.sleep(0)
    ours.close()
    ours.close()
    assert ours.closed
    assert ours.receive_nowait() is None, "what nobody received is dropped"
    with pytest.raises(LinkClosed, match="closed here"):
        ours.send(Commit(2))
    with pytest.raises(LinkClosed, match="closed here"):
        await ours.drain()
    with pytest.raises(LinkClosed, match="closed here"):
        await ours.receive()


async def test_a_waiting_receiver_learns_of_the_close(pair: Pair) -> None:
    ours, _ = pair
    receivers = [asyncio.create_task(link.receive()) for link in pair]
    await asyncio.sleep(0)
    ours.close()
    for receiver in receivers:
        with pytest.raises(LinkClosed):
            await receiver


async def test_a_cancelled_receive_loses_no_message(pair: Pair) -> None:
    ours, theirs = pair
    receiver = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    receiver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiver
    ours.send(Commit(1))
    assert await theirs.receive() == (Commit(1), b"")


async def test_two_receivers_at_once_are_a_mistake(pair: Pair) -> None:
    _, theirs = pair
    first = asyncio.create_task(theirs.receive())
    await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="two tasks"):
        await theirs.receive()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_receiver_that_falls_behind_stops_its_peer(pair: Pair) -> None:
    """Memory is bounded on both sides, and nothing is lost when it goes on."""
    ours, theirs = pair
    count, length = 96, 512 * 1024
    sent = 0

    async def send_all() -> None:
        nonlocal sent
        for number in range(count):
            await ours.drain()
            ours.send(Dirty(0, number, False), [bytes([number]) * length])
            sent += 1

    sender = asyncio.create_task(send_all())
    for _ in range(500):
        await asyncio.sleep(0)
    # The kernel's own buffers for TCP take some MiB more.
    assert sent * length < FULL_BYTES + 24 * MIB
    for number in range(count):
        message, payload = await theirs.receive()
        assert message == Dirty(0, number, False)
        assert payload[0] == payload[-1] == number
    await sender
    assert sent == count


async def test_whoever_waits_for_room_learns_of_the_close(pair: Pair) -> None:
    ours, theirs = pair
    blocked = asyncio.Event()

    async def send_for_ever() -> None:
        while True:
            blocked.set()
            await ours.drain()
            blocked.clear()
            ours.send(Dirty(0, 0, True), [bytes(MIB)])

    sender = asyncio.create_task(send_for_ever())
    for _ in range(500):
        await asyncio.sleep(0)
    assert blocked.is_set()
    theirs.close()
    with pytest.raises(LinkClosed):
        await sender
