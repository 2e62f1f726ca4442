"""A site that is measured: it answers pings, drops data, and no replica hears of it."""

from __future__ import annotations

import pytest

from srshell.codec.messages import Extent, ExtentStored, Hello, Ping, Pong
from srshell.site.api import FaultKind
from srshell.transport import LinkClosed
from tests.unit.site.hosting import PARTNERSHIP, Fabric
from tests.unit.site.test_replicas import STANDING, _call


async def test_a_probe_is_answered_and_what_it_sends_is_dropped(fabric: Fabric) -> None:
    """Not even a volume of the group that it names changes."""
    a, _ = await fabric.in_sync()
    await a.write("volA", 0, b"mine")
    before = await a.replica(PARTNERSHIP)
    link = await _call(a)
    link.send(Ping(7, 0))
    assert (await link.receive())[0] == Pong(7, 0, 0)
    link.send(Extent(1, 0, 0, 4096, 0, zero=False), [b"x" * 4096])
    assert (await link.receive())[0] == ExtentStored(1)
    after = await a.replica(PARTNERSHIP)
    assert await a.read("volA", 0, 4) == b"mine"
    assert (after.epoch, after.last_lsn, after.link) == (before.epoch, before.last_lsn, before.link)
    link.send(Hello(1, PARTNERSHIP, "b" * 32, "a" * 32, STANDING, "late"))
    with pytest.raises(LinkClosed):
        await link.receive()


async def test_a_link_that_is_down_is_told_and_not_measured(fabric: Fabric) -> None:
    """Why there was none, and no figures."""
    a = await fabric.with_volumes("A")
    found = await a.measure_link("unix:/nobody/listens/here", 0.2)
    assert found.problem
    assert not found.round_trip.count


async def test_a_slow_disk_is_measured_as_slow(fabric: Fabric) -> None:
    """The figures are those of the disk as it is now."""
    a = await fabric.with_volumes("A")
    a._faults.suffer(FaultKind.SLOW_DISK, 60.0)
    found = await a.measure_disk("PoolA", 0.1)
    assert found.problem or found.flush.p50_seconds >= 0.2
