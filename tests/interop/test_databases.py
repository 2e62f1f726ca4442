"""A database loses the site below it in mid-commit, and has every commit on the other side.

SQLite on ext4 on a loop device on NBD: what its commits sync passes through the kernel's own block
layer, as under any machine.  Each round kills the site that leads and goes on at the other one.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests import needs
from tests.interop.ext4_on_nbd import as_file
from tests.interop.nbd_tools import attempt, run
from tests.process.fabric_pair import SIZE_BYTES, FabricPair, open_fabric_pair

#: Commits numbered rows and says each number once its commit has returned, until the disk fails.
#: Below ``extra`` a commit in journal mode ``delete`` may be rolled back by a crash that follows.
_WRITER = """
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], isolation_level=None)
base.execute(f"pragma journal_mode={sys.argv[2]}")
base.execute("pragma synchronous=extra")
base.execute("create table if not exists rows(number integer primary key, filling blob)")
(number,) = base.execute("select coalesce(max(number), 0) from rows").fetchone()
while True:
    number += 1
    base.execute("insert into rows values(?, randomblob(300))", (number,))
    print(number, flush=True)
"""
_COMMITS = 60


@asynccontextmanager
async def mounted(folder: Path, disk: Path) -> AsyncIterator[Path]:
    """Mount the file system in a file; it is let go of at the end, also when its disk is dead."""
    device = (await run("losetup", "--find", "--show", disk)).strip()
    place = folder / "mounted"
    await asyncio.to_thread(place.mkdir, exist_ok=True)
    try:
        await run("mount", device, place)
        yield place
    finally:
        await attempt("umount", "--lazy", place)
        await run("losetup", "--detach", device)


async def commit_until_the_site_dies(pair: FabricPair, primary: str, mode: str) -> int:
    """Let the database commit, kill the site in the middle; return the last number it said."""
    uri = str((await pair.client.nbd(f"vol{primary}")).uri)
    async with as_file(pair.folder / "fuse", uri) as disk, mounted(pair.folder, disk) as place:
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WRITER, str(place / "base"), mode,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert writer.stdout is not None
        numbers: list[int] = []
        while line := await writer.stdout.readline():
            numbers.append(int(line))
            if len(numbers) == _COMMITS:
                await pair.take_down(primary)
        await writer.wait()
        assert len(numbers) >= _COMMITS, await writer.stderr.read() if writer.stderr else ""
    return numbers[-1]


async def rows_at(pair: FabricPair, array: str) -> int:
    """Check the file system and the database that an array serves; return how many rows it has."""
    uri = str((await pair.client.nbd(f"vol{array}")).uri)
    copy = pair.folder / "copy"
    await run("nbdcopy", uri, copy)
    async with mounted(pair.folder, copy) as place:  # the kernel replays its journal
        found = await asyncio.to_thread(_rows, place / "base")
    await run("e2fsck", "-f", "-n", copy)
    copy.unlink()
    return found


def _rows(base: Path) -> int:
    with closing(sqlite3.connect(base)) as connection:
        (verdict,) = connection.execute("pragma integrity_check").fetchone()
        assert verdict == "ok"
        (count, last) = connection.execute("select count(*), max(number) from rows").fetchone()
    assert count == last
    return int(count)


async def story(folder: Path) -> None:
    """Two rounds, once in each journal mode, the second one on the side that took over."""
    async with open_fabric_pair(folder) as pair:
        image = folder / "image"
        await asyncio.to_thread(image.write_bytes, bytes(SIZE_BYTES))
        await run("mke2fs", "-q", "-t", "ext4", image)
        await run("nbdcopy", image, str((await pair.client.nbd("volA")).uri))
        image.unlink()
        for mode in ("wal", "delete"):
            old = await pair.in_sync()
            new = pair.other(old)
            said = await commit_until_the_site_dies(pair, old, mode)
            change = await pair.client.failover(f"group{new}", "unplanned", confirm=f"group{new}")
            assert change.lost_writes == 0
            assert await rows_at(pair, new) >= said
            await pair.bring_back(old)
        await pair.in_sync()


@pytest.mark.slow
@needs.root()
@needs.tools("nbdfuse", "fusermount3", "nbdcopy", "losetup", "mke2fs", "e2fsck")
def test_no_commit_is_lost_when_the_site_below_a_database_dies(tmp_path: Path) -> None:
    """A commit that returned is on the other side, in a database that is whole."""
    asyncio.run(story(tmp_path))
