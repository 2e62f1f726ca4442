"""A side whose disk failed once stays failed, though its process is a new one and the disk works.

The kernel reports a lost page once; the next sync succeeds, and proves nothing.
"""

from __future__ import annotations

import pytest

from srshell.model.replica import ReplicaData
from srshell.simulation import FaultKind
from tests.unit.engine.sides import BLOCK, Sides, log_path, on_sides, volume_path

PATHS = {"log": log_path("B"), "volume": volume_path("B")}


@pytest.mark.parametrize("operation", ["write", "sync"])
@pytest.mark.parametrize("part", PATHS)
def test_a_failure_outlives_the_process(part: str, operation: str) -> None:
    """Whichever file it was that failed: the superblock says so, through a new descriptor."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        pair.b.disk.fail_at(1, FaultKind.EIO, operation=operation, path=PATHS[part])
        await pair.a.write(0, b"x" * BLOCK)
        await pair.until(lambda: pair.b.report.failure)
        await pair.pass_time(1)
        await pair.b.restart()
        report = pair.b.report
        assert report.data is ReplicaData.FAILED
        assert "EIO" in report.failure
        assert not pair.b.replica.peer_link.wanted

    on_sides(test)


def test_a_failure_that_the_disk_does_not_take_is_told() -> None:
    """It shows itself again, or the replica reads from the device what is really there."""

    async def test(pair: Sides) -> None:
        await pair.sync()
        for _ in range(2):
            pair.b.disk.fail_at(1, FaultKind.EIO, operation="write", path=PATHS["log"])
        await pair.a.write(0, b"x" * BLOCK)
        await pair.until(lambda: pair.b.report.failure)
        await pair.until(
            lambda: any("could not be recorded" in text for text in pair.b.heard("failure"))
        )

    on_sides(test)
