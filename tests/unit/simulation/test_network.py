"""Links of the faked world keep every promise of a link, and break in every way a real one does."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from srshell.codec.errors import FormatError
from srshell.codec.messages import Commit, Dirty, Frame, Ping
from srshell.simulation import ProcessKilled, SimLoop, SimNetwork, run_simulated
from srshell.simulation.network import CONNECT_SECONDS
from srshell.transport import Link, LinkClosed, LinkRefused
from srshell.transport.inbox import FULL_BYTES

T = TypeVar("T")

ADDRESS = "tcp:b:7000"
MIB = 1024 * 1024


class World:
    """Host a connects to host b; a process runs on each."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.network = SimNetwork(loop)
        self.a, self.b = self.network.host("a"), self.network.host("b")
        self.left, self.right = loop.process("left"), loop.process("right")
        self.accepted: asyncio.Future[Link] = loop.create_future()

    async def _accept(self, link: Link) -> None:
        self.accepted.set_result(link)
        await asyncio.sleep(1e9)

    async def connect(self) -> tuple[Link, Link]:
        await self.right.start(self.b.listen(ADDRESS, self._accept))
        ours = await self.left.start(self.a.connect(ADDRESS))
        return ours, await self.accepted


def _in_world(main: Callable[[World], Coroutine[Any, Any, T]], seed: int = 0) -> T:
    return run_simulated(lambda loop: main(World(loop)), seed)


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
        _in_world(main, seed)


def test_a_message_takes_time() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.set_delay("a", "b", 2.0, 3.0)
        start = world.loop.time()
        ours.send(Ping(1, 2))
        await theirs.receive()
        assert 2.0 <= world.loop.time() - start <= 3.0
        theirs.send(Ping(1, 2))
        await ours.receive()
        assert world.loop.time() - start < 3.1, "the other direction is as before"

    _in_world(main)


def test_a_message_above_the_limits_is_not_sent() -> None:
    async def main(world: World) -> None:
        ours, _ = await world.connect()
        with pytest.raises(FormatError, match="length"):
            ours.send(Dirty(0, 0, True), [bytes(4 * MIB + 1)])

    _in_world(main)


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

    _in_world(main)


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

    _in_world(main)


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

    _in_world(main)


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

    _in_world(main)


@pytest.mark.parametrize("both", [True, False])
def test_what_was_sent_into_a_partition_arrives_after_it(both: bool) -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.partition("a", "b", both=both)
        ours.send(Commit(1))
        ours.send(Commit(2))
        theirs.send(Commit(3))
        await asyncio.sleep(100)
        assert theirs.receive_nowait() is None
        assert (ours.receive_nowait() is None) == both
        world.network.heal("a", "b", both=both)
        ours.send(Commit(4))
        for number in (1, 2, 4):
            assert await theirs.receive() == (Commit(number), b"")

    for seed in range(5):
        _in_world(main, seed)


def test_the_news_of_a_close_waits_for_the_partition_too() -> None:
    """Half-open: one side is gone and the other one does not know."""

    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.partition("a", "b")
        ours.close()
        await asyncio.sleep(1000)
        assert not theirs.closed
        theirs.send(Commit(1))
        world.network.heal("a", "b")
        with pytest.raises(LinkClosed, match="the peer closed"):
            await theirs.receive()

    _in_world(main)


def test_a_reset_loses_what_is_under_way_on_both_sides() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        ours.send(Commit(1))
        assert await theirs.receive() == (Commit(1), b"")
        ours.send(Commit(2))
        theirs.send(Commit(3))
        world.network.reset("a", "c")
        world.network.reset("b", "a")
        for link in (ours, theirs):
            with pytest.raises(LinkClosed, match="reset by peer"):
                await link.receive()
            with pytest.raises(LinkClosed, match="reset by peer"):
                link.send(Commit(4))

    _in_world(main)


def test_a_killed_process_may_lose_its_last_messages() -> None:
    async def main(world: World) -> tuple[int, str]:
        ours, theirs = await world.connect()
        for number in range(10):
            ours.send(Commit(number))
        world.left.kill()
        with pytest.raises(ProcessKilled):
            ours.send(Commit(10))
        ours.close()
        arrived = 0
        while True:
            try:
                message, _ = await theirs.receive()
            except LinkClosed as closed:
                return arrived, closed.reason
            assert message == Commit(arrived)
            arrived += 1

    outcomes = [_in_world(main, seed) for seed in range(60)]
    assert {arrived for arrived, _ in outcomes} >= {0, 5, 10}
    assert len(Counter(reason for _, reason in outcomes)) == 2


def test_a_message_cut_short_by_a_kill_is_never_delivered() -> None:
    async def main(world: World) -> None:
        world.network.split_one_in = 1
        ours, theirs = await world.connect()
        for number in range(10):
            ours.send(Dirty(0, number, False), [bytes(100)])
        world.left.kill()

        async def receive_all() -> None:
            while True:
                _, payload = await theirs.receive()
                assert payload == bytes(100)

        with pytest.raises(LinkClosed):
            await receive_all()

    for seed in range(30):
        _in_world(main, seed)


def test_a_host_without_power_leaves_its_peer_none_the_wiser() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        ours.send(Commit(1))
        world.network.power_cut("a")
        world.left.kill()
        await asyncio.sleep(1000)
        assert not theirs.closed
        assert theirs.receive_nowait() is None
        theirs.send(Commit(2))
        await asyncio.sleep(1000)
        assert not theirs.closed
        world.network.power_on("a")
        with pytest.raises(LinkClosed, match="reset by peer"):
            await theirs.receive()

    _in_world(main)


def test_connecting_fails_as_it_does_in_the_world() -> None:
    async def main(world: World) -> None:
        async def seconds(expected: str) -> float:
            start = world.loop.time()
            with pytest.raises(LinkRefused, match=expected):
                await world.a.connect(ADDRESS)
            return world.loop.time() - start

        assert await seconds("nobody listens") < 0.01
        await world.connect()
        world.network.partition("b", "a", both=False)
        assert await seconds("did not answer") == pytest.approx(CONNECT_SECONDS)
        world.network.heal("b", "a", both=False)
        world.network.power_cut("b")
        world.right.kill()
        assert await seconds("did not answer") == pytest.approx(CONNECT_SECONDS)
        world.network.power_on("b")
        assert await seconds("nobody listens") < 0.01

    _in_world(main)


def test_connecting_waits_for_a_short_partition() -> None:
    async def main(world: World) -> None:
        world.network.partition("a", "b")
        world.loop.call_later(2, world.network.heal, "a", "b")
        ours, theirs = await world.connect()
        ours.send(Commit(1))
        assert await theirs.receive() == (Commit(1), b"")
        assert 2 < world.loop.time() < 2.1

    _in_world(main)


def test_a_listener_ends_with_its_process() -> None:
    async def main(world: World) -> None:
        await world.connect()
        with pytest.raises(LinkRefused, match="in use"):
            await world.b.listen(ADDRESS, world._accept)
        world.right.kill()
        with pytest.raises(LinkRefused, match="nobody listens"):
            await world.a.connect(ADDRESS)
        world.right = world.loop.process("right")
        world.accepted = world.loop.create_future()
        listener = await world.right.start(world.b.listen(ADDRESS, world._accept))
        await world.a.connect(ADDRESS)
        link = await world.accepted
        listener.close()
        assert listener.address == ADDRESS
        assert not link.closed, "links already open stay open"

    _in_world(main)


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

    _in_world(main)


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

    assert _in_world(main) == 1


def test_what_is_no_message_closes_the_link() -> None:
    async def main(world: World) -> None:
        ours, theirs = await world.connect()
        world.network.links[0].wire.push(b"GET / HTTP/1.1\r\n" * 3)
        with pytest.raises(LinkClosed, match="no message"):
            await theirs.receive()
        with pytest.raises(LinkClosed, match="reset"):
            await ours.receive()

    _in_world(main)


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

    assert _in_world(main) <= 4


def test_the_same_seed_gives_the_same_exchange() -> None:
    async def main(world: World) -> str:
        ours, theirs = await world.connect()
        for number in range(50):
            ours.send(Commit(number))
            await theirs.receive()
        return world.loop.trace_hash()

    hashes = [_in_world(main, seed) for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]
