"""Links of the faked world keep every promise of a link."""

import asyncio

import pytest

from srshell.codec.errors import FormatError
from srshell.codec.messages import Commit, Dirty, Frame, Ping
from srshell.transport import Link, LinkClosed, LinkRefused
from srshell.transport.inbox import FULL_BYTES

from .two_hosts import ADDRESS, MIB, World, in_world


def test_messages_arrive_in_order_through_the_codec() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        for number in range(200):
            ours.send(Frame(1, number, 1, 0, 0), [bytes([number]) * number, b"end"])
            theirs.send(Commit(number))
        for number in range(200):
            message, payload = await theirs.receive()
            assert message == Frame(1, number, 1, 0, 0)
            assert payload == bytes([number]) * number + b"end"
            assert await ours.receive() == (Commit(number), b"")
        assert theirs.receive_nowait() is None
        assert (ours.peer_name, theirs.peer_name) == ("tcp:b:7000 on b", "process on a")

    for seed in range(5):
        in_world(main, seed)


def test_a_message_takes_time() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.set_delay("a", "b", 2.0, 3.0)
        start = world.loop.time()
        ours.send(Ping(1, 2))
        await theirs.receive()
        assert 2.0 <= world.loop.time() - start <= 3.0
        start = world.loop.time()
        ours.send(Ping(3, 4))
        world.network.set_delay("a", "b", 0.0, 0.001)
        ours.send(Ping(5, 6))
        assert await theirs.receive() == (Ping(3, 4), b"")
        assert 2.0 <= world.loop.time() - start <= 3.0, "the quick message pushes no other"
        assert await theirs.receive() == (Ping(5, 6), b"")
        start = world.loop.time()
        theirs.send(Ping(1, 2))
        await ours.receive()
        assert world.loop.time() - start < 0.001, "the other direction is as before"

    in_world(main)


def test_a_message_above_the_limits_is_not_sent() -> None:
    async def main(world: World) -> None:
        ours, _ = await world.connect()
        with pytest.raises(FormatError, match="length"):
            ours.send(Dirty(0, 0, True), [bytes(4 * MIB + 1)])

    in_world(main)


def test_a_receiver_that_falls_behind_stops_its_peer() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        sent = 0

        async def send_all() -> None:
            nonlocal sent
            for number in range(64):
                await ours.drain()
                ours.send(Dirty(0, number, False), [bytes([number]) * (MIB // 2)])
                sent += 1

        sender = world.left.start(send_all())
        await asyncio.sleep(100)
        assert FULL_BYTES < sent * MIB // 2 < FULL_BYTES + 3 * MIB
        for number in range(64):
            message, payload = await theirs.receive()
            assert message == Dirty(0, number, False)
            assert payload[-1] == number
        await sender

    in_world(main)


def test_a_peer_that_takes_nothing_loses_the_link() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()

        def send_for_ever() -> None:
            for number in range(100):
                ours.send(Dirty(0, number, False), [bytes(MIB)])

        with pytest.raises(LinkClosed, match="unread"):
            send_for_ever()
        with pytest.raises(LinkClosed):
            await theirs.receive()

    in_world(main)


def test_what_was_sent_before_a_close_arrives() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        for number in range(20):
            ours.send(Commit(number))
        theirs.send(Commit(99))
        ours.close()
        ours.close()
        with pytest.raises(LinkClosed, match="closed here"):
            ours.send(Commit(20))
        with pytest.raises(LinkClosed, match="closed here"):
            await ours.receive()
        for number in range(20):
            assert await theirs.receive() == (Commit(number), b"")
        with pytest.raises(LinkClosed, match="the peer closed the link"):
            await theirs.receive()
        with pytest.raises(LinkClosed):
            await theirs.drain()
        await asyncio.sleep(1)
        assert ours.receive_nowait() is None

    in_world(main)


def test_a_blocked_sender_learns_of_the_close() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()

        async def send_for_ever() -> None:
            while True:
                await ours.drain()
                ours.send(Dirty(0, 0, True), [bytes(MIB)])

        sender = world.left.start(send_for_ever())
        await asyncio.sleep(10)
        theirs.close()
        with pytest.raises(LinkClosed, match="the peer closed"):
            await sender

    in_world(main)


def test_a_listener_ends_with_its_process() -> None:
    async def main(world: World) -> None:
        await world.connect()
        with pytest.raises(LinkRefused, match="in use"):
            await world.b.listen(ADDRESS, world.accept)
        world.right.kill()
        with pytest.raises(LinkRefused, match="nobody listens"):
            await world.a.connect(ADDRESS)
        world.right = world.loop.process("right")
        world.accepted = world.loop.create_future()
        listener = await world.right.start(world.b.listen(ADDRESS, world.accept))
        await world.a.connect(ADDRESS)
        link = await world.accepted
        listener.close()
        assert listener.address == ADDRESS
        assert not link.closed, "links already open stay open"

    in_world(main)


@pytest.mark.parametrize("error", [LinkClosed("gone"), ZeroDivisionError()])
def test_a_link_is_closed_when_its_server_fails(error: Exception) -> None:
    async def main(world: World) -> None:
        async def accept(_: Link) -> None:
            raise error

        await world.right.start(world.b.listen(ADDRESS, accept))
        link = await world.a.connect(ADDRESS)
        with pytest.raises(LinkClosed):
            await link.receive()
        world.loop.errors.clear()
        world.right.kill()

    in_world(main)


def test_the_accepting_task_belongs_to_the_listeners_process() -> None:
    async def main(world: World) -> int:
        received = 0

        async def accept(link: Link) -> None:
            nonlocal received
            while True:
                await link.receive()
                received += 1

        await world.right.start(world.b.listen(ADDRESS, accept))
        link = await world.left.start(world.a.connect(ADDRESS))
        link.send(Commit(1))
        await asyncio.sleep(1)
        world.right.kill()
        with pytest.raises(LinkClosed):
            await link.receive()
        return received

    assert in_world(main) == 1


def test_what_is_no_message_closes_the_link() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.links[0].wire.push(b"GET / HTTP/1.1\r\n" * 3)
        with pytest.raises(LinkClosed, match="no message"):
            await theirs.receive()
        with pytest.raises(LinkClosed, match="reset"):
            await ours.receive()

    in_world(main)


def test_finished_links_are_forgotten() -> None:
    async def main(world: World) -> int:
        async def accept(link: Link) -> None:
            await link.receive()

        await world.right.start(world.b.listen(ADDRESS, accept))
        for _ in range(50):
            link = await world.a.connect(ADDRESS)
            link.close()
            await asyncio.sleep(1)
        return len(world.network.links)

    assert in_world(main) <= 4


def test_the_same_seed_gives_the_same_exchange() -> None:
    async def main(world: World) -> str:
        ours, theirs = await world.connect()
        for number in range(50):
            ours.send(Commit(number))
            await theirs.receive()
        return world.loop.trace_hash()

    hashes = [in_world(main, seed) for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
