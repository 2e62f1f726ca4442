"""Links of the faked world break in every way a real one does."""

import asyncio
from collections import Counter

import pytest

from srshell.codec.messages import Commit, Dirty
from srshell.simulation import ProcessKilled
from srshell.simulation.network import CONNECT_SECONDS
from srshell.transport import LinkClosed, LinkRefused

from .two_hosts import ADDRESS, World, in_world


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
        in_world(main, seed)


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

    in_world(main)


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

    in_world(main)


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

    outcomes = [in_world(main, seed) for seed in range(60)]
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
        in_world(main, seed)


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

    in_world(main)


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

    in_world(main)


def test_connecting_waits_for_a_short_partition() -> None:
    async def main(world: World) -> None:
        world.network.partition("a", "b")
        world.loop.call_later(2, world.network.heal, "a", "b")
        ours, theirs = await world.connect()
        ours.send(Commit(1))
        assert await theirs.receive() == (Commit(1), b"")
        assert 2 < world.loop.time() < 2.1

    in_world(main)
