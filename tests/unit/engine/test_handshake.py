"""Two sides meet: who they are, what they conclude, and what happens when they do not agree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from srshell.codec.messages import PROTOCOL, Bye, Hello, Message, Refused, Verdict
from srshell.engine.standing import standing
from srshell.model.replica import Flow, LinkState, OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication.decide import UNKNOWN_LSN
from srshell.replication.source import Phase
from srshell.transport.link import Link, LinkClosed
from tests.unit.engine.sides import BLOCK, LIMITS, PARTNERSHIP, REPLICAS, Side, Sides, on_sides

Script = Callable[[Link, Hello], Awaitable[None]]


async def played(pair: Sides, script: Script) -> list[Message]:
    """Let a script take B's place at A's next link; return what A said after its Hello."""
    pair.b.kill()
    heard: list[Message] = []

    async def accept(link: Link) -> None:
        hello, _ = await link.receive()
        assert isinstance(hello, Hello)
        try:
            await script(link, hello)
            while True:
                message, _ = await link.receive()
                heard.append(message)
        except LinkClosed:
            return

    process = pair.loop.process("B")
    network = pair.b.world.network
    await process.start(network.listen("site-B", accept))
    await pair.until(lambda: pair.a.report.link in {LinkState.REFUSED, LinkState.CONNECTING})
    await pair.pass_time(2 * LIMITS.reconnect_seconds_max)
    process.kill()
    return heard


def hello_of(hello: Hello, **changes: object) -> Hello:
    """Answer A's Hello as B would."""
    told = {
        "protocol": PROTOCOL,
        "partnership": PARTNERSHIP,
        "replica": REPLICAS["B"],
        "peer": REPLICAS["A"],
        "standing": attrs.evolve(
            hello.standing, replica=REPLICAS["B"], role=ReplicaRole.SECONDARY, acked_alone_lsn=0
        ),
        "session": "script",
        **changes,
    }
    return Hello(**told)  # type: ignore[arg-type]


STRANGERS: dict[str, dict[str, object]] = {
    "another protocol": {"protocol": PROTOCOL + 1},
    "another partnership": {"partnership": "dd" * 16},
    "another replica": {"replica": "dd" * 16},
    "a peer of somebody else": {"peer": "dd" * 16},
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_refused_and_nothing_is_changed(stranger: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        before = pair.a.core.superblock.history

        async def script(link: Link, hello: Hello) -> None:
            link.send(hello_of(hello, **STRANGERS[stranger]))

        heard = await played(pair, script)
        assert any(isinstance(message, Refused) for message in heard)
        assert pair.a.report.link is LinkState.REFUSED
        assert pair.a.core.superblock.history == before

    on_sides(test)


def test_a_refusal_is_shown_with_its_reason() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()

        async def script(link: Link, hello: Hello) -> None:
            link.send(Refused("SR8004", "the other side is suspended"))

        await played(pair, script)
        assert pair.a.report.link is LinkState.REFUSED
        assert "suspended" in pair.a.report.link_reason

    on_sides(test)


def test_two_sides_that_conclude_differently_do_not_work_together() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()

        async def script(link: Link, hello: Hello) -> None:
            link.send(hello_of(hello))
            link.send(Verdict("source", "log", 99))

        await played(pair, script)
        assert pair.a.report.link is LinkState.REFUSED
        assert "disagree" in pair.a.report.link_reason

    on_sides(test)


def test_a_primary_whose_disk_lost_what_both_had_acknowledged_names_the_way_out() -> None:
    """The peer has it in its volumes, and no longer in its log: no rule lets it lead by itself."""

    async def test(pair: Sides) -> None:
        await pair.sync()

        async def script(link: Link, hello: Hello) -> None:
            lsn = hello.standing.tail_lsn
            ahead = attrs.evolve(
                hello.standing,
                replica=REPLICAS["B"],
                role=ReplicaRole.SECONDARY,
                tail_lsn=lsn + 1,
                log_first_lsn=lsn + 2,
                marked_from_lsn=UNKNOWN_LSN,
            )
            link.send(hello_of(hello, standing=ahead))
            link.send(Verdict("source", "checksum", lsn))

        await played(pair, script)
        assert pair.a.report.link is LinkState.REFUSED
        assert "has what this side lacks: fail over to the peer" in pair.a.report.link_reason

    on_sides(test)


@pytest.mark.parametrize("answer", [Bye("later"), Verdict("equal", "nothing", 0)])
def test_whoever_says_something_else_than_hello_is_left(answer: Message) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()

        async def script(link: Link, hello: Hello) -> None:
            link.send(answer)

        await played(pair, script)
        assert pair.a.report.link is LinkState.CONNECTING
        assert pair.a.report.failure == ""

    on_sides(test)


def test_a_peer_that_goes_away_in_the_middle_of_a_handshake_is_met_again() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x")

        async def script(link: Link, hello: Hello) -> None:
            link.send(hello_of(hello))
            link.close()

        await played(pair, script)
        await pair.b.open()
        await pair.in_sync()
        assert pair.b.report.durable_lsn == 1

    on_sides(test)


def test_a_crashed_primary_takes_the_longer_tail_of_its_peer_and_then_leads() -> None:
    """It was never acknowledged, but keeping it is as right as dropping it."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"both" * 1024)
        pair.a.disk.hang()
        pair.a.begin(pair.a.replica.write("data", BLOCK, b"only B"))
        await pair.until(lambda: pair.b.report.durable_lsn == 2)
        pair.a.kill()
        pair.a.disk.resume()
        pair.a.disk.power_cut()
        await pair.a.open()
        assert pair.a.report.durable_lsn == 1
        await pair.in_sync()
        assert (pair.a.report.durable_lsn, pair.a.report.epoch) == (2, 2)
        assert await pair.a.read(BLOCK, 6) == b"only B"
        assert pair.a.report.role is ReplicaRole.PRIMARY

    on_sides(test)


def test_a_primary_that_was_replaced_follows_and_drops_what_was_never_acknowledged() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync(on_peer_loss=OnPeerLoss.SUSPEND_IO)
        await pair.a.write(0, b"kept")
        pair.cut()
        writing = pair.a.begin(pair.a.replica.write("data", BLOCK, b"dropped"))
        await pair.until(lambda: pair.a.source.phase is Phase.HELD)
        await pair.until(lambda: not pair.b.replica.peer_link.is_open)
        await pair.b.do(pair.b.replica.promote("op", None, alone=True))
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.role is ReplicaRole.SECONDARY
        assert "SR9225" in str(writing.exception())
        await pair.b.write(BLOCK, b"newer")
        await pair.until(lambda: pair.a.report.applied_lsn == 2)
        assert pair.a.volume[BLOCK : BLOCK + 7] == b"newer\0\0"
        assert pair.a.volume[:4] == b"kept"

    on_sides(test)


def test_a_split_is_seen_by_both_sides_and_changes_neither() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.go_alone(data=b"A's")
        await pair.b.do(pair.b.replica.promote("op", None, alone=True))
        await pair.b.write(0, b"B's")
        pair.mend()
        await pair.until(lambda: pair.a.report.split and pair.b.report.split)
        for side, content in ((pair.a, b"A's"), (pair.b, b"B's")):
            assert side.report.link is LinkState.REFUSED
            assert await side.read(0, 3) == content
            assert side.heard("split")

    on_sides(test)


def test_two_secondaries_have_nobody_to_follow() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.do(pair.a.replica.seal("op"))
        await pair.a.do(pair.a.replica.demote("op", 2))
        await pair.until(lambda: "no-primary" in pair.a.report.link_reason)
        await pair.until(lambda: "no-primary" in pair.b.report.link_reason)
        await pair.b.do(pair.b.replica.promote("op", 0, alone=False))
        await pair.in_sync()

    on_sides(test)


@pytest.mark.parametrize("state", ["suspended", "failed"])
def test_a_side_that_wants_no_link_says_why(state: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        if state == "failed":
            pair.b.core.fail("the device is worn out")
        else:
            await pair.b.do(
                pair.b.core.persist(lambda sb: attrs.evolve(sb, suspended=True)),
            )
            pair.network.reset("A", "B")
        await pair.until(lambda: state in pair.a.report.link_reason)
        assert pair.a.report.link is LinkState.REFUSED

    on_sides(test)


def test_nothing_is_said_of_a_side_that_its_disk_does_not_hold() -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, b"x")
        for side in (pair.a, pair.b):
            await side.settle()
            said = standing(side.core)
            superblock = side.core.superblock
            assert said.history == superblock.history
            assert said.tail_lsn == side.core.log.durable_lsn == 1
            assert (said.alone, said.acked_alone_lsn) == (superblock.alone, 0)
            assert said.data is ReplicaData.CONSISTENT
        pair.a.core.fail("worn out")
        assert standing(pair.a.core).data is ReplicaData.FAILED

    on_sides(test)


def marked(side: Side) -> int:
    return side.core.dirty.count()


def test_the_peer_is_marked_inconsistent_before_a_copy_and_never_promoted_until_its_end() -> None:
    async def test(pair: Sides) -> None:
        await pair.open()
        pair.a.fill(0, b"base" * 4096)
        await pair.start()
        await pair.until(lambda: pair.b.report.data is ReplicaData.INCONSISTENT)
        assert pair.a.core.superblock.alone
        assert marked(pair.a)
        pair.cut()
        await pair.b.restart()
        assert pair.b.report.data is ReplicaData.INCONSISTENT
        pair.mend()
        await pair.in_sync()
        assert pair.a.report.flow is Flow.LIVE

    on_sides(test)
