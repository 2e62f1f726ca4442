"""The largest group there is, in the longest directory, on real sites: one more is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import srshell
from srshell.fabric.session import FabricSession
from srshell.model.errors import SrError
from srshell.model.geometry import KIB, MIB
from srshell.model.replica import VOLUMES_MAX

BLOCK = 4096
#: No longer name of a file fits beside it; each part of a path has at most 255 characters.
LONG = 4095 - 1 - 64


def long_directory(folder: Path) -> Path:
    """Make a directory whose path is as long as that of a pool can be."""
    while (left := LONG - len(str(folder))) > 1:
        folder /= "d" * (200 if left > 256 else left - 1)
        folder.mkdir()
    return folder


def names(side: str) -> list[str]:
    """Return as many names as there can be volumes, and one more; as long as names can be."""
    return [f"{side}{number:02}".ljust(64, side) for number in range(VOLUMES_MAX + 1)]


@pytest.fixture
async def fabric(memory_path: Path) -> AsyncIterator[FabricSession]:
    """Both arrays with volumes, of which those of B have the longest paths."""
    (memory_path / "east").mkdir()
    async with srshell.open_fabric(memory_path / "fabric") as session:
        await session.discover(memory_path / "east", "A")
        await session.discover(long_directory(memory_path), "B")
        await session.pair("A", "B")
        for array, side in (("A", "a"), ("B", "b")):
            await session.classify(f"{array}/PoolA", "gold")
            await session.provision(f"{side}log", on=f"{array}/PoolA", size=16 * MIB, log=True)
            for name in names(side):
                await session.provision(name, on=f"{array}/PoolA", size=16 * KIB)
        yield session


async def test_as_many_volumes_as_a_group_can_have_fail_over_together(
    fabric: FabricSession,
) -> None:
    with pytest.raises(SrError, match="SR2016"):
        await fabric.create_group("one-too-many", names("a"), "alog")
    assert (await fabric.groups()).groups == ()
    await fabric.create_group("east", names("a")[:-1], "alog")
    await fabric.create_group("west", names("b")[:-1], "blog")
    await fabric.enable("east", "west")
    await fabric.refresh()
    await fabric.wait("east", timeout=60)
    for number in (0, VOLUMES_MAX - 1):
        await fabric.volume(names("a")[number]).write(BLOCK, bytes([number + 1]) * BLOCK)
    await fabric.failover("east", confirm="west")
    await fabric.wait("west", timeout=60)
    for number in (0, VOLUMES_MAX - 1):
        read = await fabric.volume(names("b")[number]).read(BLOCK, BLOCK)
        assert read == bytes([number + 1]) * BLOCK
