"""A fabric over sites without disks, and the same with storage, groups and protection set up."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from srshell.backends.base import Backend
from srshell.fabric.opening import open_fabric
from srshell.fabric.session import FabricSession
from tests.unit.fabric.fakes import FakeBackend, FakeWorld


@pytest.fixture
def world() -> FakeWorld:
    """Both sites."""
    return FakeWorld()


class Opener:
    """Opens the same fabric again and again, as owner after owner would."""

    def __init__(self, directory: Path, world: FakeWorld) -> None:
        self.directory = directory
        self.world = world
        self.east = directory / "east"
        self.west = directory / "west"
        self.east.mkdir()
        self.west.mkdir()

    def open(self, profile: str | None = None) -> AbstractAsyncContextManager[FabricSession]:
        """The fabric, with an owner of its own."""
        return open_fabric(
            self.directory / "fabric",
            sandbox=True,
            profile=profile,
            make_backend=lambda *_: cast("Backend", FakeBackend(self.world)),
        )


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: these tests are about order, not about disks."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="srshell-test-") as directory:
        yield Path(directory)


@pytest.fixture
def opener(memory_path: Path, world: FakeWorld) -> Opener:
    """Opens the fabric of this test."""
    return Opener(memory_path, world)


@pytest.fixture
async def fabric(opener: Opener) -> AsyncIterator[FabricSession]:
    """An empty fabric."""
    async with opener.open() as session:
        yield session


async def discover_both(fabric: FabricSession, opener: Opener) -> None:
    """Steps 1 to 3."""
    await fabric.discover(opener.east, "A", site="east")
    await fabric.discover(opener.west, "B", site="west")
    await fabric.classify("A/PoolA", "gold")
    await fabric.classify("B/PoolA", "gold")
    await fabric.pair("A", "B")


async def provision_both(fabric: FabricSession) -> None:
    """Steps 4 and 5."""
    await fabric.provision_pair("PV", "RV", "1G", logs=("PL", "RL"), log_size="64M")
    await fabric.create_group("PriRG", ["PV"], "PL")
    await fabric.create_group("RecRG", ["RV"], "RL")


async def protect(fabric: FabricSession, opener: Opener) -> None:
    """Steps 1 to 7."""
    await discover_both(fabric, opener)
    await provision_both(fabric)
    await fabric.enable("PriRG", "RecRG")
    await fabric.refresh()


@asynccontextmanager
async def protected_fabric(
    opener: Opener, profile: str | None = None
) -> AsyncIterator[FabricSession]:
    """A fabric with one protected pair of groups."""
    async with opener.open(profile) as session:
        await protect(session, opener)
        yield session


@pytest.fixture
async def protected(opener: Opener) -> AsyncIterator[FabricSession]:
    """A fabric whose groups PriRG and RecRG are in sync."""
    async with protected_fabric(opener) as session:
        yield session
