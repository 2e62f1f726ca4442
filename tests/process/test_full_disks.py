"""A disk takes no more: its side stops, says so, and never claims again; nothing is lost.

The limit is set on the running process of a site, so the very write that is under way meets it.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend
from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.model.replica import Flow, LinkState, ReplicaData
from srshell.site.api import PoolSpec, SiteVolume
from tests import needs
from tests.process.claims import Watch
from tests.process.load import Load
from tests.process.loop_fs import small_file_system
from tests.process.pair import FABRIC, MIB, PARTNERSHIP, Pair, open_pair
from tests.process.scenes import Scene


def limit_files(pair: Pair, array: str, size_bytes: int) -> None:
    """Let a site write no file beyond a size: the system answers EFBIG, as ENOSPC elsewhere."""
    pid = pair.mark(array).pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


async def fail(pair: Pair, array: str, size_bytes: int) -> None:
    """Fill the disk of a side and wait until it says that it has failed."""
    limit_files(pair, array, size_bytes)
    report = await pair.reported(array, lambda r: r.data is ReplicaData.FAILED, "failed")
    assert "EFBIG" in report.failure
    assert not report.writable
    assert report.flow is Flow.IDLE


async def stays_failed(pair: Pair, array: str) -> None:
    """A restart mends nothing: what the disk holds is not known any more."""
    await pair.kill([array])
    report = await pair.reported(array, lambda _: True, "there")
    assert report.data is ReplicaData.FAILED
    assert "EFBIG" in report.failure


def at_the_destination(size_bytes: int) -> Scene:
    """The source goes on alone, as its policy says, and holds everything."""

    async def scene(folder: Path) -> None:
        async with open_pair(folder, size_bytes=16 * MIB) as pair, Watch(pair):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(20)
                await fail(pair, "B", size_bytes)
                await pair.reported("A", lambda report: report.alone, "alone")
                await load.more(20)
                await stays_failed(pair, "B")
                report = await pair.reported(
                    "A", lambda r: r.link is LinkState.REFUSED, "refused by its peer"
                )
                assert report.link_reason.endswith("the other side has failed")
            await holds_everything(pair)

    return scene


def at_the_source(size_bytes: int) -> Scene:
    """Its writes end with an error, and the destination holds all that were acknowledged."""

    async def scene(folder: Path) -> None:
        async with open_pair(folder, size_bytes=16 * MIB) as pair, Watch(pair):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(20)
                await fail(pair, "A", size_bytes)
                await pair.site("B").promote(PARTNERSHIP, "unplanned", None, alone=True)
                pair.primary = "B"
                await load.more(20)
                await stays_failed(pair, "A")
            await holds_everything(pair)

    return scene


async def holds_everything(pair: Pair) -> None:
    """Read what the primary serves."""
    site, volume = pair.target()
    problems = pair.ledger.problems(await site.read(volume, 0, pair.size_bytes))
    assert not problems, problems[:5]


#: The log ends before 9 MiB; the writers write at both ends of the volume.
SCENES: Final[dict[str, Scene]] = {
    "at the destination, for the log": at_the_destination(MIB // 4),
    "at the destination, for the volume": at_the_destination(10 * MIB),
    "at the source, for the log": at_the_source(MIB // 4),
    "at the source, for the volume": at_the_source(10 * MIB),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_a_disk_is_full(scene: str, played: Callable[[str], None]) -> None:
    """The side stops for good; the other one goes on."""
    played(scene)


@needs.loop_devices()
@needs.tools("mke2fs", "mount", "umount")
async def test_a_pool_that_is_full_takes_no_volume_and_keeps_what_it_has(place: Path) -> None:
    """A real file system without room; what does not fit leaves nothing behind."""
    with small_file_system(place, 24 * MIB) as disk:
        backend = NativeBackend(place, FABRIC, 1)
        try:
            await backend.start(SitePlan("A"))
            site = backend.site("A")
            await site.add_pool(PoolSpec("pool", str(disk), PoolKind.FILE, FABRIC))
            await site.create_volume(volume("vol", 16 * MIB))
            await site.write("vol", 0, b"before" * 1000)
            names = sorted(disk.iterdir())
            with pytest.raises(SrError, match="SR2005") as refused:
                await site.create_volume(volume("log", 32 * MIB, log=True))
            assert "missing" in refused.value.facts
            assert sorted(disk.iterdir()) == names
            # Somebody else takes the room that the volume's holes were promised.
            fill(disk / "else")
            with pytest.raises(SrError, match="SR9220") as failed:
                await site.write("vol", MIB, b"later" * MIB)
            assert "ENOSPC" in failed.value.facts
            assert await site.read("vol", 0, 6000) == b"before" * 1000
            report = await site.describe()
            assert [each.name for each in report.volumes] == ["vol"]
        finally:
            await backend.close(stop_sites=True)


def volume(name: str, size_bytes: int, *, log: bool = False) -> SiteVolume:
    return SiteVolume(name, "", size_bytes, 4096, log=log, pool="pool")


def fill(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb") as file:
        space = os.fstatvfs(file.fileno())
        os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - MIB)
