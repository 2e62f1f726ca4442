"""A name never leads anywhere: every command refuses what is none, and writes nothing.

The fabric is real, with its sites in this process and its pools on disk.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from srshell.fabric.opening import open_fabric
from srshell.fabric.session import FabricSession
from srshell.fabric.threads import LoopThread
from srshell.model.errors import SrError
from srshell.model.geometry import MIB
from tests.fuzz.on_text import expect_harmless
from tests.security.corpus import NAMES

Try = Callable[[FabricSession, Path, str], Awaitable[object]]

#: Every place in which a person gives a name to something, or a word that is kept.
MAKERS: dict[str, Try] = {
    "array": lambda f, d, n: f.discover(d / "free", n),
    "pool": lambda f, d, n: f.discover(d / "free", "C", pool=n),
    "more pool": lambda f, d, n: f.manage_pool(f"A/{n}", d / "free"),
    "classification": lambda f, _, n: f.classify("A/PoolA", n),
    "volume": lambda f, _, n: f.provision(n, on="A/PoolA", size=MIB),
    "log": lambda f, _, n: f.provision(n, on="A/PoolA", size=8 * MIB, log=True),
    "group": lambda f, _, n: f.create_group(n, data=["data"], log="log"),
    "array anew": lambda f, _, n: f.rename("A", n),
    "machine": lambda f, _, n: f.add_vm(n, volume="data"),
}
#: Every command that looks a name up; what it names does not exist.
FINDERS: dict[str, Try] = {
    "nbd": lambda f, _, n: f.nbd(n),
    "volume rm": lambda f, _, n: f.remove_volume(n, confirm=n),
    "group rm": lambda f, _, n: f.remove_group(n),
    "group show": lambda f, _, n: f.group(n),
    "status": lambda f, _, n: f.status(n),
    "why": lambda f, _, n: f.why(n),
    "restart": lambda f, _, n: f.restart(n),
    "branch": lambda f, _, n: f.branch(n),
    "remove branch": lambda f, _, n: f.remove_branch(n, confirm=n),
    "export branch": lambda f, _, n: f.export_branch(n),
    "vm rm": lambda f, _, n: f.remove_vm(n),
}


class House:
    """A fabric with a volume and a log, and a loop that it lives in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.loop = LoopThread()
        for name in ("east", "west", "free"):
            (directory / name).mkdir()
        self._opened = open_fabric(directory / "fabric")
        self.fabric = self.loop.run(self._opened.__aenter__())
        self.loop.run(self._fill())

    async def _fill(self) -> None:
        await self.fabric.discover(self.directory / "east", "A")
        await self.fabric.discover(self.directory / "west", "B")
        await self.fabric.classify("A/PoolA", "gold")
        await self.fabric.classify("B/PoolA", "gold")
        await self.fabric.pair("A", "B")
        await self.fabric.provision("data", on="A/PoolA", size=MIB)
        await self.fabric.provision("log", on="A/PoolA", size=16 * MIB, log=True)

    def files(self) -> set[str]:
        """Everything that lies in the pools, and beside them."""
        return {str(path) for path in self.directory.rglob("*") if "fabric" not in path.parts[-2:]}

    def close(self) -> None:
        self.loop.run(self._opened.__aexit__(None, None, None))
        self.loop.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="srshell-names-") as directory:
        made = House(Path(directory))
        yield made
        made.close()


@pytest.mark.parametrize("made", MAKERS)
@pytest.mark.parametrize("wrong", NAMES)
def test_what_is_no_name_names_nothing(house: House, made: str, wrong: str) -> None:
    """It is refused with a code; no file appears or goes."""
    if (made, wrong) == ("pool", "empty"):
        return  # no name at all: the command chooses one
    before = house.files()
    with pytest.raises(SrError) as refused:
        house.loop.run(_tried(MAKERS[made], house, NAMES[wrong]))
    assert refused.value.code in {"SR0001", "SR0003", "SR0005", "SR0105"}, refused.value
    assert house.files() == before


@pytest.mark.parametrize("looked_up", FINDERS)
def test_what_is_no_name_finds_nothing(house: House, looked_up: str) -> None:
    """Every row of the corpus in one go: looking changes nothing anyway."""
    before = house.files()
    for wrong, name in NAMES.items():
        if looked_up == "status" and not name:
            continue  # no name at all: all groups
        with pytest.raises(SrError) as refused:
            house.loop.run(_tried(FINDERS[looked_up], house, name))
        assert refused.value.code in {"SR0001", "SR0003", "SR0105", "SR1107"}, wrong
        for line in refused.value.lines():
            expect_harmless(line)
    assert house.files() == before


async def _tried(attempt: Try, house: House, name: str) -> object:
    async with asyncio.timeout(10):
        return await attempt(house.fabric, house.directory, name)
