"""A peer that is not ours any more: what it says costs it the link, and this side nothing.

Two sides in the simulator, one of which says what no release of srshell would say.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from srshell.codec.checksum import crc32
from srshell.codec.copy_messages import Runs
from srshell.codec.log_frame import Record, RecordKind, pack_body
from srshell.codec.messages import (
    Commit,
    Compare,
    Compared,
    Confirm,
    DirtyRequest,
    Extent,
    ExtentStored,
    Fence,
    Frame,
    Message,
    Policy,
    Pong,
    Pull,
    Refused,
    Rejoin,
    Rejoined,
    Verdict,
)
from srshell.codec.verify_messages import (
    Agreed,
    Digest,
    DigestReply,
    Fetch,
    LogDigestReply,
    Mend,
)
from srshell.model.replica import (
    Epoch,
    Era,
    OnPeerLoss,
    ReplicaRole,
)
from srshell.transport.link import Link, LinkClosed
from tests.security.peers import FAR, hello, standing
from tests.unit.engine.sides import BLOCK, REPLICAS, VOLUME_BYTES, Sides, on_sides

_MINE: Final = b"mine" * 1024


def frame(lsn: int, *, epoch: int = 1, volume: int = 0, offset: int = 0) -> tuple[Frame, bytes]:
    """A frame whose checksums are right."""
    record = Record(lsn, RecordKind.WRITE, volume, offset, 100, bytes(100))
    body = pack_body(epoch, lsn, [record])
    message = Frame(epoch, lsn, 1, body.body_crc, 0)
    return message, b"".join(map(bytes, body.buffers))


def trim(lsn: int, offset: int, length: int) -> tuple[Frame, bytes]:
    body = pack_body(1, lsn, [Record(lsn, RecordKind.TRIM, 0, offset, length)])
    return Frame(1, lsn, 1, body.body_crc, 0), b"".join(map(bytes, body.buffers))


_HIGHER: Final = (Era(Epoch(FAR, 1, "x"), 0),)
_X: Final = crc32(b"x")

#: What a primary must not say.
TO_SECONDARY: Final[dict[str, tuple[Message, bytes]]] = {
    "a write outside its volume": frame(2, offset=VOLUME_BYTES),
    "a write across the end": frame(2, offset=VOLUME_BYTES - 50),
    "a write to no volume": frame(2, volume=7),
    "a write at the end of numbers": frame(2, offset=FAR - 100),
    "a trim across the end": trim(2, VOLUME_BYTES - 4096, 8192),
    "a trim of everything": trim(2, 0, 2**32 - 1),
    "an epoch that was never agreed": frame(2, epoch=2),
    "the last epoch there is": frame(2, epoch=FAR),
    "a frame too far ahead": frame(9),
    "the last LSN there is": frame(FAR - 1),
    "a fence of another history": (Fence(1, _HIGHER), b""),
    "a fence without history": (Fence(1, ()), b""),
    "an extent out of order": (Extent(99, 0, 0, 1, _X, False), b"x"),
    "an extent of nothing": (Extent(2, 0, 0, 0, 0, True), b""),
    "zeros across the end": (Extent(1, 0, VOLUME_BYTES - 1, 2, 0, True), b""),
    "runs out of order": (Runs(99, 0, ((0, 1), (9, 1)), crc32(b"xx"), False), b"xx"),
    "runs of no end": (Runs(1, 0, tuple((n, 1) for n in range(5000)), 0, True), b""),
    "runs over everything": (Runs(1, 0, ((0, 1), (9, FAR)), 0, True), b""),
    "zeros over everything": (Extent(1, 0, 0, FAR, 0, True), b""),
    "a comparison of everything": (Compare(1, 0, 0, FAR, b""), b""),
    "a comparison of no volume": (Compare(1, 9, 0, BLOCK, b""), b""),
    "a comparison of nothing": (Compare(1, 0, 0, 0, b""), b""),
    "a digest of everything": (Digest(1, 0, 0, FAR, 0), b""),
    "a digest beyond the end": (Digest(1, 0, VOLUME_BYTES, BLOCK, 0), b""),
    "a fetch beyond the end": (Fetch(1, 0, VOLUME_BYTES, BLOCK), b""),
    "a fetch of everything": (Fetch(1, 0, 0, FAR), b""),
    "mending outside a volume": (Mend(1, 0, VOLUME_BYTES, 1, _X), b"x"),
    "mending with other bytes": (Mend(1, 0, 0, 1, 7), b"x"),
    "a handshake in the middle": (Verdict("source", "log", 0), b""),
    "an order to rejoin": (Rejoin(_HIGHER, 0, 0, False, False, "", OnPeerLoss.CONTINUE), b""),
    "a question for a primary": (DirtyRequest(), b""),
    "a pull": (Pull(1), b""),
    "an answer of a secondary": (Confirm(FAR, FAR, FAR), b""),
}
#: What it may say, as senseless as it is: a number beyond what is there is cut, not believed.
HARMLESS: Final[dict[str, tuple[Message, bytes]]] = {
    "a commit of the future": (Commit(FAR), b""),
    "agreement about nothing": (Agreed(7), b""),
}


def tell(pair: Sides, message: Message, payload: bytes) -> None:
    lead = pair.a.replica.peer_link.lead
    assert lead is not None
    lead.link.send(message, [payload] if payload else [])


@pytest.mark.parametrize("said", TO_SECONDARY)
def test_a_secondary_drops_a_primary_that_says(said: str) -> None:
    """Nothing outside the volumes is written, no epoch rises, and a good primary is taken back."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        before = pair.b.core.superblock
        follow = pair.b.replica.peer_link.follow
        assert follow is not None
        tell(pair, *TO_SECONDARY[said])
        await pair.until(lambda: follow.link.closed)
        await pair.in_sync()
        after = pair.b.core.superblock
        assert (after.history, after.promised_epoch) == (before.history, before.promised_epoch)
        assert pair.b.report.failure == ""
        assert len(pair.b.volume) == VOLUME_BYTES
        await pair.a.write(4096, b"goes on")
        await pair.b.settle()
        assert pair.b.volume[: len(_MINE)] == _MINE

    on_sides(test)


@pytest.mark.parametrize("said", HARMLESS)
def test_a_secondary_does_not_believe(said: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        tell(pair, *HARMLESS[said])
        await pair.pass_time(1.0)
        assert pair.b.report.applied_lsn <= pair.b.report.durable_lsn == 1
        assert pair.b.report.failure == ""

    on_sides(test)


#: What a secondary must not say.
TO_PRIMARY: Final[dict[str, Message]] = {
    "that it holds what was never sent": Confirm(FAR, 0, 0),
    "so, in an answer to a ping": Pong(0, FAR, 0),
    "what a primary says": frame(2)[0],
    "a fence of its own": Fence(1, _HIGHER),
    "a policy of its own": Policy(OnPeerLoss.CONTINUE, True),
    "an order to rejoin": Rejoin(_HIGHER, 0, 0, False, False, "", OnPeerLoss.CONTINUE),
    "the end of a handshake": Rejoined(FAR, FAR),
    "a refusal": Refused("SR9999", "\x1b[2J" * 100),
}
#: Answers to nothing: they change nothing.
ANSWERS: Final[dict[str, Message]] = {
    "stored extents that were never sent": ExtentStored(FAR),
    "a comparison": Compared(FAR, True),
    "a digest": DigestReply(FAR, b"", b"", b"", False),
    "the digest of a log": LogDigestReply(((1, FAR, 0),), ()),
    "room without end": Confirm(1, 1, FAR),
}


def answer(pair: Sides, message: Message) -> None:
    follow = pair.b.replica.peer_link.follow
    assert follow is not None
    follow.link.send(message)


@pytest.mark.parametrize("said", TO_PRIMARY)
def test_a_primary_drops_a_secondary_that_says(said: str) -> None:
    """Writes wait or go on as the policy says; nothing is taken for safe that is not."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        lead = pair.a.replica.peer_link.lead
        assert lead is not None
        answer(pair, TO_PRIMARY[said])
        if said not in ANSWERS:
            await pair.until(lambda: lead.link.closed)
        await pair.in_sync()
        assert pair.a.report.acked_lsn == 1
        assert pair.a.report.role is ReplicaRole.PRIMARY
        assert pair.a.report.failure == ""

    on_sides(test)


@pytest.mark.parametrize("said", ANSWERS)
def test_a_primary_is_not_moved_by_an_answer_to_nothing(said: str) -> None:
    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        answer(pair, ANSWERS[said])
        await pair.pass_time(1.0)
        assert await pair.a.write(4096, b"next") == 2
        assert pair.a.report.failure == ""

    on_sides(test)


# Who dials.


STRANGERS: Final = {
    "another partnership": hello(partnership="d0" * 16),
    "another replica": hello(replica="cc" * 16),
    "meant for another": hello(peer="cc" * 16),
    "this side itself": hello(replica=REPLICAS["B"], peer=REPLICAS["A"]),
    "no identity": hello(partnership="", replica="", peer=""),
    "a long one": hello(replica="a" * 100_000),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_a_stranger_does_not_end_the_link_that_there_is(who: str) -> None:
    """He is refused; the true peer does not notice."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        follow = pair.b.replica.peer_link.follow
        link = await pair.network.host("C").connect("site-B")
        link.send(STRANGERS[who])
        message, _ = await link.receive()
        assert isinstance(message, Refused)
        with pytest.raises(LinkClosed):
            await link.receive()
        assert pair.b.replica.peer_link.follow is follow
        assert follow is not None
        assert not follow.link.closed

    on_sides(test)


#: What an impostor who knows every identity could claim of himself.
IMPOSTORS: Final[dict[str, dict[str, Any]]] = {
    "the last epoch there is": {"history": (Era(Epoch(FAR, 0, "aa"), 0),)},
    "an epoch beyond 64 bits": {"history": (Era(Epoch(2**64 - 1, 0, "aa"), 0),)},
    "a history without end": {"history": tuple(Era(Epoch(n, n, "aa"), n) for n in range(1, 500))},
    "epochs that fall": {"history": (Era(Epoch(2, 0, "aa"), 0), Era(Epoch(1, 0, "aa"), 5))},
    "a negative log": {"tail_lsn": -1},
    "a log beyond 64 bits": {"tail_lsn": 2**64 - 1},
    "no history": {"history": ()},
    "another nonce": {"history": (Era(Epoch(1, 0, "zz"), 0),)},
}


async def to_its_end(link: Link) -> None:
    """Hear everything that comes."""
    while True:
        await link.receive()


@pytest.mark.parametrize("claim", IMPOSTORS)
def test_an_impostor_who_dials_changes_nothing(claim: str) -> None:
    """The link that he ended comes back by itself; no epoch rose."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        before = pair.b.core.superblock
        link = await pair.network.host("C").connect("site-B")
        link.send(hello(standing=standing(**IMPOSTORS[claim])))
        with pytest.raises(LinkClosed):
            await to_its_end(link)
        await pair.in_sync()
        after = pair.b.core.superblock
        assert (after.history, after.promised_epoch) == (before.history, before.promised_epoch)
        assert await pair.a.write(4096, b"goes on") == 2

    on_sides(test)


@pytest.mark.parametrize("claim", IMPOSTORS)
def test_an_impostor_who_is_dialled_changes_nothing(claim: str) -> None:
    """He stands in the peer's place for a while; when the peer is back, it is dialled again."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        await pair.a.write(0, _MINE)
        pair.b.kill()
        met: list[Link] = []

        async def accept(link: Link) -> None:
            met.append(link)
            role = ReplicaRole.SECONDARY
            shown = standing(replica=REPLICAS["B"], role=role, **IMPOSTORS[claim])
            link.send(hello(replica=REPLICAS["B"], peer=REPLICAS["A"], standing=shown))
            await link.receive()

        listener = await pair.network.host("C").listen("site-B", accept)
        await pair.until(lambda: met)
        await pair.until(lambda: met[0].closed)
        listener.close()
        await pair.b.open()
        await pair.in_sync()
        assert pair.a.report.failure == ""
        assert await pair.a.write(4096, b"goes on") == 2

    on_sides(test)
