"""Disks of their own lose their power, die under a living process, turn read-only, or lie.

Each site of a pair lives on an ext4 file system in a file: its pool, and all that it remembers.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from srshell.model.errors import SrError
from srshell.model.replica import LinkState, ReplicaData
from tests import needs
from tests.process import harm
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.load import Load
from tests.process.loop_fs import (
    LoopDisk,
    mounted_disk,
    site_disks,
    small_memory,
    take_all_room,
)
from tests.process.pair import ARRAYS, MIB, PARTNERSHIP, RESTLESS, Pair, open_pair
from tests.process.power import DISK_BYTES, lose_power
from tests.process.scenes import Scene
from tests.process.sweep import refused


@asynccontextmanager
async def on_disks(folder: Path) -> AsyncIterator[tuple[Pair, Mapping[str, LoopDisk]]]:
    """Open a pair whose sites live on disks of their own."""
    with site_disks(folder, ARRAYS, DISK_BYTES) as disks:
        async with open_pair(folder, pace=RESTLESS) as pair, Watch(pair):
            yield pair, dict(zip(ARRAYS, disks, strict=True))


async def power_cuts(folder: Path) -> None:
    """Cut the power of each side and of both; what was not synced is gone each time."""
    async with on_disks(folder) as (pair, disks):
        async with Load(pair.ledger, pair.target, pair.places(), workers=6) as load:
            for victims in (("A",), ("B",), ("A", "B"), ("A", "B")):
                await load.more(30)
                await lose_power(pair, disks, victims)
            await load.more(10)
        await pair.check()


def dying(array: str) -> Scene:
    """The disk dies under a process that lives on; both come back, and nothing was made up."""

    async def scene(folder: Path) -> None:
        async with on_disks(folder) as (pair, disks):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(30)
                disks[array].cut_power()
                await fails(pair, array)
                if array == pair.primary:
                    await go_on_without(pair)
                await load.more(10)
                await pair.take_down(array)
                disks[array].unmount()
                disks[array].mount()
                await pair.bring_back(array)
                # The disk took no word of its failure; what it holds is looked at afresh.
                await pair.live()
                await load.more(10)
            await pair.check()

    return scene


def read_only(array: str) -> Scene:
    """The file system takes no more writes: its side stops; writable again, it is in step."""

    async def scene(folder: Path) -> None:
        async with on_disks(folder) as (pair, disks):
            async with Load(pair.ledger, pair.target, pair.places()) as load:
                await load.more(30)
                disks[array].turn_read_only()
                with pytest.raises(OSError, match="Read-only") as refused:
                    (pair.log_path(array).parent / "new").touch()
                assert refused.value.errno == errno.EROFS
                await fails(pair, array)
                if array == pair.primary:
                    await go_on_without(pair)
                await load.more(10)
                await pair.take_down(array)
                # On a disk that cannot be written nothing is opened, and nothing is pretended.
                with pytest.raises(SrError):
                    await pair.bring_back(array)
                await pair.take_down(array)
                disks[array].unmount()
                disks[array].mount()
                await pair.bring_back(array)
                await pair.live()
                await load.more(10)
            await pair.check()

    return scene


async def fails(pair: Pair, array: str) -> None:
    """Wait until a side says that its disk failed."""
    report = await pair.reported(array, lambda r: r.data is ReplicaData.FAILED, "failed")
    assert report.failure
    assert not report.writable


async def go_on_without(pair: Pair) -> None:
    """Let the destination lead, as after an unplanned failover."""
    await pair.site(pair.secondary).promote(PARTNERSHIP, "unplanned", None, alone=True)
    pair.primary = pair.secondary


def lying(array: str) -> Scene:
    """The store below the disk is full: a sync fails, the next one succeeds, and bytes are lost.

    The side has failed with the first, and stays so, though all works again.
    """

    async def scene(folder: Path) -> None:
        with ExitStack() as stack:
            memory = stack.enter_context(small_memory(folder / "memory", 24 * MIB))
            disk = mounted_disk(memory / "disk", folder / f"pool{array}", 48 * MIB, journal=False)
            stack.enter_context(disk)
            async with open_pair(folder, pace=RESTLESS, size_bytes=16 * MIB) as pair, Watch(pair):
                async with Load(pair.ledger, pair.target, pair.places()[:1]) as load:
                    await load.more(30)
                    take_all_room(memory / "else")
                    # Blocks that were never written have no room below.
                    filling = Load(pair.ledger, pair.target, [range(8192, 16384)], workers=6)
                    async with filling:
                        await fails(pair, array)
                        if array == pair.primary:
                            await go_on_without(pair)
                        await filling.more(10)
                    (memory / "else").unlink()
                    assert works_again(pair.log_path(array).parent)
                    await until(lambda: recorded(pair, array), "the failure is written down")
                    await pair.kill([array])
                    await until(lambda: useless(pair, array), f"{array} is there, and out of use")
                    await load.more(10)
                site, volume = pair.target()
                problems = pair.ledger.problems(await site.read(volume, 0, pair.size_bytes))
                assert not problems, problems[:5]

    return scene


def works_again(pool: Path) -> bool:
    """Write and sync a file, as anybody would who looks whether a disk is all right."""
    probe = pool / "probe"
    with probe.open("wb") as file:
        file.write(bytes(4096))
        os.fdatasync(file.fileno())
    probe.unlink()
    return shutil.disk_usage(pool).free > 0


async def useless(pair: Pair, array: str) -> bool:
    """Whether a site says that its side has failed, or cannot open it at all."""
    report = await pair.report(array)
    if report is None:
        return await refused(pair, array)
    assert report.data is ReplicaData.FAILED, report
    assert report.link is LinkState.OFF, report
    return True


async def recorded(pair: Pair, array: str) -> bool:
    """Whether the superblock says that the side has failed."""
    return harm.superblock(pair.log_path(array)).data is ReplicaData.FAILED


SCENES: Final[dict[str, Scene]] = {
    "the power fails, at each side and at both": power_cuts,
    "the disk of the source dies": dying("A"),
    "the disk of the destination turns read-only": read_only("B"),
    "the store of the source is full, and its syncs lie": lying("A"),
    "the store of the destination is full, and its syncs lie": lying("B"),
}


@pytest.mark.slow
@needs.loop_devices()
@needs.tools("mke2fs", "mount", "umount")
@pytest.mark.parametrize("scene", SCENES)
def test_no_acknowledged_write_is_lost_when(scene: str, played: Callable[[str], None]) -> None:
    """Not by a disk that forgets, and not by one that says it did not."""
    played(scene)
