"""A sandbox can be made to suffer; nothing else can."""

import time
from typing import cast

import pytest

from srshell.codec.messages import Message
from srshell.model.errors import SrError
from srshell.model.replica import Flow, LinkState
from srshell.site import faults
from srshell.site.api import FaultKind
from srshell.transport.link import Link, LinkClosed
from tests.unit.site.hosting import PARTNERSHIP, Fabric, reported, volume


async def test_only_a_sandbox_takes_faults(fabric: Fabric) -> None:
    """Nobody breaks a real fabric by a command."""
    site = await fabric.with_volumes()
    for kind in FaultKind:
        with pytest.raises(SrError, match="SR9901"):
            await site.fault(kind, 1.0)
    assert not (await site.describe()).sandbox


async def test_a_link_that_is_down_comes_back(fabric: Fabric) -> None:
    """Seen by both sides, until the fault is taken away."""
    a, b = await fabric.in_sync(sandbox=True)
    await a.fault(FaultKind.LINK_DOWN, 3600.0)
    await reported(a, lambda report: report.link is not LinkState.CONNECTED)
    await reported(b, lambda report: report.link is not LinkState.CONNECTED)
    await a.write("volA", 0, b"alone")
    assert (await a.replica(PARTNERSHIP)).alone
    await a.fault(FaultKind.LINK_DOWN, 0.0)
    await reported(a, lambda report: report.flow is Flow.LIVE)
    assert [event.text for event in await a.events(0, 0.0) if event.kind == "fault"] == [
        "link-down for 3600 s",
        "link-down for 0 s",
    ]


async def test_a_slow_disk_delays_writes_and_harms_nothing(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delay is counted here, not waited for."""
    waits: list[float] = []
    monkeypatch.setattr("srshell.site.faults.time.sleep", waits.append)
    site = await fabric.with_pool(sandbox=True)
    await site.create_volume(volume())
    await site.write("vol", 0, b"fast")
    assert waits == []
    await site.fault(FaultKind.SLOW_DISK, 3600.0)
    await site.write("vol", 0, b"slow")
    assert waits == [faults.SLOW_DISK_SECONDS] * 2
    await site.fault(FaultKind.SLOW_DISK, 0.0)
    await site.write("vol", 0, b"fast")
    assert len(waits) == 2
    assert await site.read("vol", 0, 4) == b"fast"


async def test_a_site_that_shares_its_process_does_not_freeze(fabric: Fabric) -> None:
    """Everybody else would freeze with it."""
    site = await fabric.open("A", sandbox=True)
    with pytest.raises(SrError, match="SR0108"):
        await site.fault(FaultKind.FREEZE, 1.0)


async def test_a_slow_link_keeps_the_order_and_loses_nothing(fabric: Fabric) -> None:
    """Writes are late, and both sides stay in sync; afterwards it is as fast as before."""
    a, b = await fabric.in_sync(sandbox=True)
    await a.fault(FaultKind.LINK_SLOW, 3600.0)
    await b.fault(FaultKind.LINK_SLOW, 3600.0)
    for number in range(8):
        began = time.monotonic()
        await a.write("volA", number * 4096, bytes([number]) * 4096)
        assert time.monotonic() - began >= 2 * faults.SLOW_LINK_SECONDS  # there and back
    assert (await a.replica(PARTNERSHIP)).flow is Flow.LIVE
    for side in (a, b):
        await side.fault(FaultKind.LINK_SLOW, 0.0)
    await a.write("volA", 0, b"fast")
    last = (await a.replica(PARTNERSHIP)).acked_lsn
    await reported(b, lambda report: report.durable_lsn >= last)


class RecordingLink:
    """A link that notes what leaves it."""

    closed, peer_name = False, "peer"

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object, payload: object = ()) -> None:
        if self.closed:
            raise LinkClosed("gone")
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True


async def test_what_is_late_leaves_before_the_link_closes() -> None:
    """A close sends what is queued; after it nothing can be sent."""
    suffering, inner = faults.Faults(), RecordingLink()
    link = faults.SlowLink(cast("Link", inner), suffering)
    suffering.suffer(FaultKind.LINK_SLOW, 3600.0)
    first, second = cast("Message", "first"), cast("Message", "second")
    link.send(first)
    suffering.suffer(FaultKind.LINK_SLOW, 0.0)
    link.send(second)  # the link is fast again, and the first is still under way
    assert inner.sent == []
    link.close()
    assert inner.sent == ["first", "second"]
    suffering.suffer(FaultKind.LINK_SLOW, 3600.0)
    with pytest.raises(LinkClosed):
        link.send(first)
