"""Taking a seal away while the demotion that it was for is being written."""

import asyncio
import threading

import pytest

from srshell.model.errors import SrError
from srshell.model.replica import Flow, ReplicaRole
from srshell.site.faults import SlowHandle
from srshell.storage import OsDisk, RawFile
from tests.unit.site.hosting import PARTNERSHIP, Fabric, reported, until


class GatedDisk(OsDisk):
    """The system's files; writes to logs wait in their thread while the gate is shut."""

    def __init__(self) -> None:
        """Let everything pass at first."""
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = 0

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        """Open a file; that of a log behind the gate."""
        file = super().open(path, writable=writable, lock=lock)
        if "log" not in path:
            return file
        return RawFile(
            file.path, file.size_bytes, file.writable, SlowHandle(file._handle, self._pass)
        )

    def _pass(self) -> None:
        self.waiting += 1
        self.gate.wait()
        self.waiting -= 1


@pytest.mark.parametrize("step", ["demotion under way", "demotion not begun"])
async def test_what_is_asked_after_a_seal_was_taken_away_is_final(
    fabric: Fabric, step: str
) -> None:
    """A new owner that finds a seal cannot know whether a demotion is still on its way."""
    disk = GatedDisk()
    a, _ = await fabric.in_sync()
    await a.close()
    a = await fabric.open("A", raw=disk)
    await reported(a, lambda report: report.flow is Flow.LIVE)
    await a.seal(PARTNERSHIP, "operation")
    if step == "demotion not begun":
        await a.unseal(PARTNERSHIP, "operation")
        with pytest.raises(SrError, match="SR6015"):
            await a.demote(PARTNERSHIP, "operation", 9)
        assert (await a.replica(PARTNERSHIP)).role is ReplicaRole.PRIMARY
        return
    disk.gate.clear()
    try:
        demoting = asyncio.create_task(a.demote(PARTNERSHIP, "operation", 9))
        await until(lambda: disk.waiting > 0)
        unsealing = asyncio.create_task(a.unseal(PARTNERSHIP, "operation"))
        await asyncio.sleep(0)
        assert not unsealing.done()
    finally:
        disk.gate.set()
    await unsealing
    assert (await a.replica(PARTNERSHIP)).role is ReplicaRole.SECONDARY
    await demoting


async def test_an_owner_that_looks_at_a_site_is_heard_by_the_seals_there(fabric: Fabric) -> None:
    """A group that is prepared for a failover stays so while its owner lives."""
    a, _ = await fabric.in_sync()
    await a.seal(PARTNERSHIP, "operation")
    replica = a._replicas.get(PARTNERSHIP).replica
    sealed_at = replica.owner_heard_at
    await asyncio.sleep(0)
    await a.describe()
    assert replica.owner_heard_at > sealed_at
    await a.unseal(PARTNERSHIP, "operation")
