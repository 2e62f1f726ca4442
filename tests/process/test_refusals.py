"""Bad input is refused with a code, a rule, facts and a command that helps; nothing changes.

The fabric is real: an owner, two sites, files.  Every command of the table is carried out on it,
and in the end its objects and all its files are what they were.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from srshell.fabric.calls import parse_words
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from tests import needs
from tests.process.command_line import ordinary, srshell, well_formed

#: What a person types, in a folder with the arrays a and b, and the code that it ends with.
TABLE: Final = {
    # Unknown names.
    "status nosuch": "SR0105",
    "nbd nosuch": "SR0105",
    "failover nosuch --planned": "SR0105",
    "group create g --data nosuch --log logA": "SR0105",
    "enable groupA nosuch": "SR0105",
    "vm add m --volume nosuch": "SR0105",
    "vm rm nosuch": "SR0105",
    "pair A nosuch": "SR1107",
    "restart nosuch": "SR1107",
    "provision v --on A/nosuch --size 1M": "SR1108",
    "wait groupA --until Someday": "SR0005",
    "explain SR0000": "SR0105",
    # Wrong sizes, and names that are none.
    "provision v --on A/PoolA --size 1000": "SR2008",
    "provision v --on A/PoolA --size 0": "SR0004",
    "provision v --on A/PoolA --size -5": "SR0004",
    "provision v --on A/PoolA --size banana": "SR0004",
    "provision v --on A/PoolA --size 1M --log": "SR2004",
    "provision volA --on A/PoolA --size 12M": "SR2007",
    "provision ../v --on A/PoolA --size 1M": "SR0003",
    "provision .. --on A/PoolA --size 1M": "SR0003",
    "enable groupA groupLarge": "SR2001",
    # A pool that is full.
    "provision v --on A/PoolA --size 900T": "SR2005",
    "provision v w --size 900T": "SR2005",
    # A destination that holds somebody's data, and other places that are taken.
    "enable groupA groupForeign": "SR4002",
    "enable groupA groupA": "SR4003",
    "group create g --data volA --log logA": "SR3002",
    "group create g --data foreign --log logA": "SR3007",
    "discover a --as C": "SR1003",
    "discover nowhere --as C": "SR1103",
    "discover file --as C": "SR1103",
    # Too early.
    "failover groupB --planned": "SR5310",
    "failback groupA": "SR5310",
    "resume groupA": "SR5310",
    "fault site down A": "SR9901",
}

SETUP: Final = (
    "discover a --as A",
    "discover b --as B",
    "classify A/PoolA gold",
    "classify B/PoolA gold",
    "pair A B",
    "provision volA volB --size 8M --logs logA logB --log-size 16M",
    "provision large --on B/PoolA --size 12M",
    "provision foreign --on B/PoolA --size 8M",
    "provision logLarge --on B/PoolA --size 16M --log",
    "provision logForeign --on B/PoolA --size 16M --log",
    "group create groupA --data volA --log logA",
    "group create groupB --data volB --log logB",
    "group create groupLarge --data large --log logLarge",
    "group create groupForeign --data foreign --log logForeign",
)


async def perform(client: FabricClient, words: str) -> Any:  # noqa: ANN401
    """Carry out what a person types, but for the process."""
    folder = client.place.directory.parent
    call = parse_words(shlex.split(words.replace("discover ", f"discover {folder}/")))
    return await client.perform(call.method, call.arguments)


async def facts(client: FabricClient, folder: Path) -> dict[str, object]:
    """Return all that a refused command may not change."""
    files = sorted(path for name in "ab" for path in (folder / name).iterdir())
    return {
        "arrays": [array.name for array in await client.arrays()],
        "volumes": tuple(await client.volumes()),
        "groups": tuple(await client.groups()),
        "pairs": tuple(await client.pairs()),
        **{str(path): path.read_bytes() for path in files},
    }


async def refuse_all(folder: Path) -> dict[str, SrError | None]:
    """Make a fabric, and carry the table out on it."""
    for name in "ab":
        (folder / name).mkdir()
    (folder / "file").write_text("not a place")
    client = FabricClient(FabricPlace(folder / "f"), options=OwnerOptions())
    try:
        await client.connect()
        for words in SETUP:
            await perform(client, words)
        with (folder / "b" / "foreign").open("r+b") as file:
            file.seek(4 << 20)
            file.write(b"family photographs" * 100)
        before = await facts(client, folder)
        found: dict[str, SrError | None] = {}
        for words in TABLE:
            found[words] = None
            try:
                await perform(client, words)
            except SrError as error:
                found[words] = error
        assert await facts(client, folder) == before
        return found
    finally:
        with suppress(SrError):
            await client.stop_owner()
        await client.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fabric of the table lies."""
    return tmp_path_factory.mktemp("p")


@pytest.fixture(scope="module")
def refused(folder: Path) -> dict[str, SrError | None]:
    """What each command of the table ended with; nothing has changed meanwhile."""
    return asyncio.run(refuse_all(folder))


@pytest.fixture(scope="module")
def catalogue(refused: dict[str, SrError | None], folder: Path) -> bytes:
    """A catalogue that an owner has closed in good order."""
    return FabricPlace(folder / "f").catalogue.read_bytes()


@pytest.mark.parametrize("words", TABLE)
def test_is_refused(words: str, refused: dict[str, SrError | None]) -> None:
    """With its code, and a command that can be typed."""
    error = refused[words]
    assert error is not None, "it was carried out"
    assert error.code == TABLE[words], error.lines()
    well_formed(error.to_json())


# The command line: nothing but the error, in either form.


async def test_a_person_reads_four_lines_and_a_program_one_object(place: Path) -> None:
    """Exit 1 for what was refused, 64 for what cannot be read."""
    (place / "a").mkdir()
    fabric = place / "f"
    try:
        (await srshell(fabric, "discover a --as A")).result()
        refused, unreadable, read, second = await asyncio.gather(
            srshell(fabric, "status nosuch"),
            srshell(fabric, "frobnicate"),
            srshell(fabric, "status nosuch", as_json=False),
            srshell(fabric, "serve"),
        )
        assert refused.refusal()["code"] == "SR0105"
        assert (unreadable.code, unreadable.refusal()["code"]) == (64, "SR0001")
        assert (read.code, read.output) == (1, "")
        labels = [line.split()[0] for line in read.errors.splitlines()]
        assert labels == ["SR0105", "rule", "facts", "mend"]
        assert second.refusal()["code"] == "SR9005"
        assert second.refusal()["facts"] == f"process {owner_pid(fabric)}"
    finally:
        await srshell(fabric, "stop")


def owner_pid(fabric: Path) -> int:
    return int(FabricPlace(fabric).owner_lock.read_text())


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"classification") + 3] ^= 4
    path.write_bytes(data)


def later(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.commit()


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


CATALOGUES: Final[dict[Callable[[Path], None], str]] = {
    cut: "SR9201",
    flip: "SR9201",
    later: "SR9202",
    replace_by_directory: "SR9006",
}


@pytest.mark.slow
async def test_a_damaged_catalogue_is_refused_and_left_as_it_is(
    catalogue: bytes, place: Path
) -> None:
    """By an owner that a command starts; the command says what the owner found."""
    await asyncio.gather(
        *(meet(place / damage.__name__, catalogue, damage, CATALOGUES[damage])
          for damage in CATALOGUES)
    )  # fmt: skip


async def meet(fabric: Path, whole: bytes, damage: Callable[[Path], None], code: str) -> None:
    """Ask a fabric whose catalogue is damaged."""
    FabricPlace(fabric).make()
    catalogue = FabricPlace(fabric).catalogue
    catalogue.write_bytes(whole)
    damage(catalogue)
    before = catalogue.read_bytes() if catalogue.is_file() else b""
    ran = await srshell(fabric, "status")
    assert ran.code == 3, ran
    assert ran.refusal()["code"] == code, (damage.__name__, ran)
    assert str(catalogue) in ran.refusal()["facts"]
    assert (catalogue.read_bytes() if catalogue.is_file() else b"") == before
    assert "Traceback" not in FabricPlace(fabric).owner_log.read_text()


@needs.tools(*([] if os.geteuid() else ["setpriv"]))
async def test_a_directory_that_is_not_writable_is_refused(place: Path) -> None:
    """As an ordinary user meets it: for the fabric, and for a pool."""
    closed, fabric = place / "closed", place / "f"
    (closed / "f").mkdir(parents=True)
    for path in (closed / "f", closed):
        path.chmod(0o500)
    try:
        new, old, pool = await asyncio.gather(
            srshell(closed / "new", "info", prefix=ordinary()),
            srshell(closed / "f", "info", prefix=ordinary()),
            srshell(fabric, f"discover {closed} --as A", prefix=ordinary()),
        )
        assert new.refusal()["code"] == "SR9006"
        assert old.refusal()["code"] == "SR9006"
        assert pool.refusal()["code"] == "SR1006"
        assert (await srshell(fabric, "arrays")).result()["arrays"] == []
        assert list(closed.iterdir()) == [closed / "f"]
    finally:
        await srshell(fabric, "stop")
        closed.chmod(0o700)
