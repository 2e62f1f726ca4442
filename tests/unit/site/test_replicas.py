"""Two sites in one process, on real files and sockets, with the shipped engine."""

import asyncio

import attrs
import pytest

from srshell.codec.messages import PROTOCOL, Hello, Pong, Refused
from srshell.model.errors import SrError
from srshell.model.replica import (
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaRole,
    Standing,
)
from srshell.site import labels
from srshell.site.host import Site
from srshell.transport import Link, LinkClosed, StreamNetwork
from tests.unit.site.hosting import MIB, PARTNERSHIP, Fabric, SyncDisk, log, reported, volume

STANDING = Standing("b" * 32, ReplicaRole.SECONDARY, ReplicaData.BLANK, (), 0, 0, 1, 0, -1)


async def _call(site: Site) -> Link:
    return await StreamNetwork().connect(site.settings.listen_address)


def _partnerships(fabric: Fabric, array: str) -> dict[str, str]:
    label = labels.read_label(fabric.place / f"Pool{array}" / labels.LABEL_NAME)
    assert label is not None
    return {volume.name: volume.partnership for volume in label.volumes}


async def test_a_partnership_comes_in_sync_and_stays_so(fabric: Fabric) -> None:
    """What was there before, and what is written later, is on both sides."""
    a = await fabric.with_volumes("A")
    await a.write("volA", 0, b"before")
    b = await fabric.with_volumes("B")
    await a.create_replica(fabric.spec("A", "B"))
    await b.create_replica(fabric.spec("B", "A"))
    assert not (await a.replica(PARTNERSHIP)).started
    await a.write("volA", 4096, b"between")
    await b.start_replica(PARTNERSHIP)
    await a.start_replica(PARTNERSHIP)
    await reported(a, lambda report: report.flow is Flow.LIVE)
    await a.write("volA", 8192, b"after")
    found = await a.verify(PARTNERSHIP)
    assert (found.differing_blocks, found.blocks_compared) == (0, 2048)
    with pytest.raises(SrError, match="SR9224"):
        await b.read("volB", 0, 1)
    with pytest.raises(SrError, match="SR9224"):
        await b.write("volB", 0, b"x")


async def test_a_planned_failover_moves_the_writer(fabric: Fabric) -> None:
    """Every step is asked for by the owner; the site carries it out."""
    a, b = await fabric.in_sync()
    await a.write("volA", 0, b"kept")
    lsn = await a.seal(PARTNERSHIP, "operation")
    assert await a.demote(PARTNERSHIP, "operation", 2) == lsn
    done = await b.promote(PARTNERSHIP, "operation", lsn, alone=False)
    assert (done.epoch, done.tail_lsn) == (2, lsn)
    assert await b.read("volB", 0, 4) == b"kept"
    await reported(b, lambda report: report.flow is Flow.LIVE)
    await b.write("volB", 4, b"on")
    with pytest.raises(SrError, match="SR9224"):
        await a.write("volA", 0, b"x")


async def test_a_sealed_source_takes_writes_again(fabric: Fabric) -> None:
    """A failover that was called off."""
    a, _ = await fabric.in_sync()
    await a.seal(PARTNERSHIP, "operation")
    waiting = asyncio.create_task(a.write("volA", 0, b"x"))
    await a.unseal(PARTNERSHIP, "operation")
    await waiting


async def test_a_replica_is_open_again_after_a_restart(fabric: Fabric) -> None:
    """The owner need not be there; the link comes up by itself."""
    a, _ = await fabric.in_sync()
    await a.write("volA", 0, b"kept")
    a = await fabric.reopen("A")
    assert (await a.replica(PARTNERSHIP)).started
    await reported(a, lambda report: report.flow is Flow.LIVE)
    assert await a.read("volA", 0, 4) == b"kept"


async def test_making_a_replica_again_completes_what_a_kill_left(fabric: Fabric) -> None:
    """The log may be formatted and the label not written yet."""
    a = await fabric.with_volumes("A")
    first = await a.create_replica(fabric.spec("A", "B"))
    again = await a.create_replica(fabric.spec("A", "B"))
    assert again.partnership == first.partnership
    await a.close()
    path = fabric.place / "PoolA" / labels.LABEL_NAME
    label = labels.read_label(path)
    assert label is not None
    free = tuple(attrs.evolve(volume, partnership="") for volume in label.volumes)
    labels.write_record(path, attrs.evolve(label, volumes=free))
    a = await fabric.open("A")
    assert (await a.describe()).replicas == ()
    await a.create_replica(fabric.spec("A", "B"))
    assert _partnerships(fabric, "A") == {"volA": PARTNERSHIP, "logA": PARTNERSHIP}


async def test_volumes_of_a_replica_are_not_for_anybody_else(fabric: Fabric) -> None:
    """Neither for deletion nor for another partnership (rules R36, R40)."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    for name in ("volA", "logA"):
        with pytest.raises(SrError, match="SR2014"):
            await a.delete_volume(name)
        with pytest.raises(SrError, match="SR2014"):
            await a.blank(name)
    with pytest.raises(SrError, match="SR2014"):
        await a.create_replica(fabric.spec("A", "B", partnership="c" * 32))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"log_path": "/nowhere/log"}, "SR0105"),
        ({"log_bytes": 9 * MIB // 10}, "SR2004"),
    ],
)
async def test_a_replica_that_makes_no_sense_is_refused(
    fabric: Fabric, changes: dict[str, str | int], code: str
) -> None:
    """And the volumes are what they were."""
    a = await fabric.with_volumes("A")
    with pytest.raises(SrError, match=code):
        await a.create_replica(attrs.evolve(fabric.spec("A", "B"), **changes))  # type: ignore[arg-type]
    await a.write("volA", 0, b"x")
    assert set(_partnerships(fabric, "A").values()) == {""}


async def test_a_replica_takes_volumes_as_they_are(fabric: Fabric) -> None:
    """A wrong size in the specification would be found much later otherwise."""
    a = await fabric.with_volumes("A")
    spec = fabric.spec("A", "B")
    smaller = attrs.evolve(spec.volumes[0], size_bytes=4 * MIB)
    with pytest.raises(SrError, match="SR0103"):
        await a.create_replica(attrs.evolve(spec, volumes=(smaller,)))
    unknown = attrs.evolve(spec.volumes[0], name="other")
    with pytest.raises(SrError, match="SR0105"):
        await a.create_replica(attrs.evolve(spec, volumes=(unknown,)))
    as_log = attrs.evolve(spec.volumes[0], name="logA", path=spec.log_path)
    with pytest.raises(SrError, match="SR3009"):
        await a.create_replica(attrs.evolve(spec, volumes=(as_log,)))


async def test_a_log_of_another_partnership_is_not_overwritten(fabric: Fabric) -> None:
    """The label was lost, the log still knows (rule R36)."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.close()
    (fabric.place / "PoolA" / labels.LABEL_NAME).unlink()
    a = await fabric.open("A")
    for each in (volume("volA", size_bytes=8 * MIB), log("logA")):
        await a.attach_volume(each)
    with pytest.raises(SrError, match="SR3008"):
        await a.create_replica(fabric.spec("A", "B", partnership="c" * 32))
    assert (await a.create_replica(fabric.spec("A", "B"))).partnership == PARTNERSHIP


async def test_a_damaged_log_is_a_problem_and_its_volumes_refuse(fabric: Fabric) -> None:
    """Writing beside the replica would make both sides different for ever."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.close()
    with (fabric.place / "PoolA" / "logA").open("r+b") as file:
        file.write(b"\xff" * 65536)
    a = await fabric.open("A")
    report = await a.describe()
    assert [(p.noun, p.partnership, p.code) for p in report.problems] == [
        ("replica", PARTNERSHIP, "SR9210")
    ]
    for call in (a.replica(PARTNERSHIP), a.read("volA", 0, 1), a.write("volA", 0, b"x")):
        with pytest.raises(SrError, match="SR9210"):
            await call


async def test_a_replica_that_could_not_be_opened_is_tried_again(fabric: Fabric) -> None:
    """`rescan` is what a refresh of the provider does."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    await a.close()
    log_path = fabric.place / "PoolA" / "logA"
    log_path.rename(fabric.place / "away")
    a = await fabric.open("A")
    assert {p.noun for p in (await a.describe()).problems} == {"volume", "replica"}
    with pytest.raises(SrError):
        await a.open_replica(str(log_path))
    (fabric.place / "away").rename(log_path)
    assert (await a.rescan()).problems == ()
    await a.write("volA", 0, b"x")
    assert (await a.open_replica(str(log_path))).partnership == PARTNERSHIP


async def test_an_unknown_partnership_is_told_so(fabric: Fabric) -> None:
    """By verb and by link."""
    a = await fabric.with_volumes("A")
    with pytest.raises(SrError, match="SR5310"):
        await a.replica(PARTNERSHIP)
    with pytest.raises(SrError, match="SR5310"):
        await a.open_replica(fabric.spec("A", "B").log_path)
    link = await _call(a)
    link.send(Hello(PROTOCOL, PARTNERSHIP, "b" * 32, "a" * 32, STANDING, "test"))
    message, _ = await link.receive()
    assert message == Refused("SR5310", "the other side does not host this partnership now")
    with pytest.raises(LinkClosed):
        await link.receive()


async def test_a_link_begins_with_a_hello(fabric: Fabric) -> None:
    """Whatever else comes first is no peer of this version; but who measures the way may ping."""
    a = await fabric.with_volumes("A")
    link = await _call(a)
    link.send(Pong(0, 0, 0))
    message, _ = await link.receive()
    assert isinstance(message, Refused)
    assert message.code == "SR9002"


async def test_a_torn_down_side_is_ordinary_again_and_its_peer_is_told(fabric: Fabric) -> None:
    """Rules R75 to R77: data stays, the log is free, the other side waits for its own tear-down."""
    a, b = await fabric.in_sync()
    await a.write("volA", 0, b"kept")
    assert await a.dismantle_replica(PARTNERSHIP) == 1
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert _partnerships(fabric, "A") == {"volA": "", "logA": ""}
    assert await a.read("volA", 0, 4) == b"kept"
    await a.write("volA", 0, b"mine")
    link = await _call(a)
    link.send(Hello(PROTOCOL, PARTNERSHIP, "b" * 32, "a" * 32, STANDING, "test"))
    message, _ = await link.receive()
    assert message == Refused("SR7001", "the other side has left the partnership")
    await reported(b, lambda report: report.link is not LinkState.CONNECTED)
    assert await b.dismantle_replica(PARTNERSHIP) is not None
    assert await b.read("volB", 0, 4) == b"kept"
    a = await fabric.reopen("A")
    assert (await a.describe()).problems == ()
    assert (await a.describe()).replicas == ()


async def test_volumes_of_a_partnership_that_ended_serve_in_the_next_one(fabric: Fabric) -> None:
    """A log is free once its partnership was torn down (rule R77)."""
    a, b = await fabric.in_sync()
    await a.write("volA", 0, b"kept")
    for site in (a, b):
        await site.dismantle_replica(PARTNERSHIP)
    other = "c" * 32
    await a.create_replica(fabric.spec("A", "B", other))
    await b.create_replica(fabric.spec("B", "A", other))
    for site in (b, a):
        await site.start_replica(other)
    await reported(a, lambda report: report.flow is Flow.LIVE, other)
    assert (await a.verify(other)).differing_blocks == 0


async def test_a_tear_down_that_was_interrupted_is_completed(fabric: Fabric) -> None:
    """The log was wiped, and then the site was killed before it wrote the label."""
    a = await fabric.with_volumes("A")
    await a.create_replica(fabric.spec("A", "B"))
    path = fabric.place / "PoolA" / labels.LABEL_NAME
    label = path.read_bytes()
    await a.dismantle_replica(PARTNERSHIP)
    await a.close()
    path.write_bytes(label)
    (fabric.settings("A").record_path).write_bytes(
        fabric.settings("A").record_path.read_bytes().replace(PARTNERSHIP.encode(), b"0" * 32)
    )
    a = await fabric.open("A")
    assert [p.noun for p in (await a.describe()).problems] == ["replica"]
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert (await a.describe()).problems == ()
    await a.write("volA", 0, b"mine")


async def test_a_damaged_side_can_be_torn_down(fabric: Fabric) -> None:
    """Otherwise its volumes would be lost to a log that nobody can read."""
    a = await fabric.with_volumes("A")
    await a.write("volA", 0, b"kept")
    await a.create_replica(fabric.spec("A", "B"))
    await a.close()
    with (fabric.place / "PoolA" / "logA").open("r+b") as file:
        file.write(b"\xff" * 65536)
    a = await fabric.open("A")
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert (await a.describe()).problems == ()
    assert await a.read("volA", 0, 4) == b"kept"
    await a.create_replica(fabric.spec("A", "B", partnership="c" * 32))


async def test_a_failed_side_can_be_torn_down(fabric: Fabric) -> None:
    """Its disk took no write; what stands on the volume is not known, and not claimed."""
    disk = SyncDisk()
    a = await fabric.with_volumes("A", raw=disk)
    await a.write("volA", 0, b"kept")
    await a.create_replica(fabric.spec("A", "B"))
    disk.fails = True
    with pytest.raises(SrError):
        await a.write("volA", 4096, b"lost")
    assert (await a.replica(PARTNERSHIP)).data is ReplicaData.FAILED
    disk.fails = False
    assert await a.dismantle_replica(PARTNERSHIP) is None
    assert await a.read("volA", 0, 4) == b"kept"
    await a.write("volA", 0, b"mine")


async def test_the_policy_of_a_group_is_changed(fabric: Fabric) -> None:
    """And is there after a restart."""
    a, _ = await fabric.in_sync()
    await a.set_policy(PARTNERSHIP, OnPeerLoss.SUSPEND_IO)
    a = await fabric.reopen("A")
    assert (await a.replica(PARTNERSHIP)).on_peer_loss is OnPeerLoss.SUSPEND_IO


async def test_only_a_split_side_gives_up(fabric: Fabric) -> None:
    """A person names the loser, and there has to be one."""
    a, _ = await fabric.in_sync()
    with pytest.raises(SrError, match="SR6023"):
        await a.give_up(PARTNERSHIP, 60.0)


async def test_an_address_that_is_taken_keeps_a_site_from_starting(fabric: Fabric) -> None:
    """And it leaves nothing locked behind."""

    async def accept(link: Link) -> None:
        link.close()

    await (await fabric.with_volumes("A")).close()
    listener = await StreamNetwork().listen(fabric.settings("A").listen_address, accept)
    with pytest.raises(SrError, match="SR8001"):
        await fabric.open("A")
    listener.close()
    assert (await (await fabric.open("A")).describe()).problems == ()


async def test_a_lost_peer_is_reported(fabric: Fabric) -> None:
    """With policy `continue` the source goes on alone, and says so."""
    a, b = await fabric.in_sync()
    await b.close()
    writing = asyncio.create_task(a.write("volA", 0, b"alone"))
    report = await reported(a, lambda report: report.alone)
    await writing
    assert report.link is not LinkState.CONNECTED
    await fabric.open("B")
    await reported(a, lambda report: report.flow is Flow.LIVE)
    assert (await a.verify(PARTNERSHIP)).differing_blocks == 0


async def test_what_happens_to_replicas_is_in_the_events(fabric: Fabric) -> None:
    """The owner's journal is made of these."""
    a, _ = await fabric.in_sync()
    events = await a.events(0, 0.0)
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert {event.partnership for event in events} == {PARTNERSHIP}
    assert any(event.kind == "link" for event in events)
    last = events[-1].id
    assert (await a.describe()).last_event >= last
    waiting = asyncio.create_task(a.events((await a.describe()).last_event, 60.0))
    await a.suspend(PARTNERSHIP)
    assert await waiting
    await a.resume(PARTNERSHIP)
