"""Two sites with a group of two volumes: an ext4 file system, and counters that follow it.

For file after file: a counter says that the file is about to be made; the file is written and
synced; another counter says that it is there.  Each step begins when the one before it has been
acknowledged, so no prefix of the group's writes may know of a step and not of the one before it.

Always true: nothing is mounted, and no process runs, when a block has ended.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs

from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend
from srshell.cli.prefixes import Checker
from srshell.model.inventory import PoolKind
from srshell.model.replica import OnPeerLoss, ReplicaReport, ReplicaSpec, ReplicaVolume
from srshell.site.api import PoolSpec, SiteVolume
from tests.interop.ext4_on_nbd import as_file
from tests.interop.nbd_tools import attempt, run
from tests.process.deadlines import until
from tests.process.pair import FABRIC, MIB, Pair

FS_BYTES: Final = 8 * MIB
COUNTERS_BYTES: Final = MIB
LOG_BYTES: Final = 40 * MIB

_COUNTER: Final = struct.Struct("<Q")
#: Where the counters lie: before a file is made, and after it was synced.
_BEGUN_AT: Final = 0
_THERE_AT: Final = 4096


@attrs.define(eq=False)
class Group(Pair):
    """Arrays A and B with the volumes fsA and countA, fsB and countB."""

    def spec(self, array: str, partnership: str = "") -> ReplicaSpec:
        """Return one side of the group."""
        spec = Pair.spec(self, array)
        pool = self.log_path(array).parent
        volumes = tuple(
            ReplicaVolume(f"{name}{array}", str(pool / f"{name}{array}"), size_bytes, 4096)
            for name, size_bytes in (("fs", FS_BYTES), ("count", COUNTERS_BYTES))
        )
        return attrs.evolve(spec, volumes=volumes, log_bytes=LOG_BYTES)

    async def provision(self, array: str) -> None:
        """Start a site and make its side of the group."""
        await self.backend.start(SitePlan(array, sandbox=True))
        site, pool = self.site(array), self.folder / f"pool{array}"
        await asyncio.to_thread(pool.mkdir)
        await site.add_pool(PoolSpec(pool.name, str(pool), PoolKind.FILE, FABRIC))
        spec = self.spec(array)
        for volume in spec.volumes:
            await site.create_volume(
                SiteVolume(volume.name, "", volume.size_bytes, 4096, log=False, pool=pool.name)
            )
        log = SiteVolume(f"log{array}", "", LOG_BYTES, 4096, log=True, pool=pool.name)
        await site.create_volume(log)
        await site.create_replica(spec)

    async def quiet(self) -> None:
        """Wait until both sides have everything in their volumes, durably."""
        await self.settled()

        def idle(report: ReplicaReport) -> bool:
            return report.checkpoint_lsn == report.applied_lsn == report.durable_lsn

        for array in self.arrays:
            await self.reported(array, idle, "quiet")

    def files(self, array: str) -> dict[str, Path]:
        """The volumes of a side, and its log."""
        pool = self.log_path(array).parent
        return {name: pool / f"{name}{array}" for name in ("fs", "count", "log")}

    async def copy(self, array: str, folder: Path) -> dict[str, Path]:
        """Copy the files of a side while nothing is written."""
        await asyncio.to_thread(folder.mkdir)
        copies = {}
        for name, path in self.files(array).items():
            copies[name] = folder / path.name
            await asyncio.to_thread(shutil.copy, path, copies[name])
        return copies


@asynccontextmanager
async def open_group(folder: Path) -> AsyncIterator[Group]:
    """Start two sites with the group, in sync, with an empty file system."""
    group = Group(folder, FS_BYTES, OnPeerLoss.CONTINUE, NativeBackend(folder, FABRIC, 1))
    try:
        await asyncio.gather(*(group.provision(array) for array in group.arrays))
        await group.start_copy()
        await group.live()
        image = folder / "image"
        await asyncio.to_thread(image.write_bytes, bytes(FS_BYTES))
        # Small blocks make many writes.
        await run("mke2fs", "-q", "-t", "ext4", "-b", "1024", image)
        await run("nbdcopy", image, (await group.site("A").export("fsA")).uri)
        await group.quiet()
        yield group
    finally:
        await group.backend.close(stop_sites=True)


@asynccontextmanager
async def mounted(folder: Path, uri: str) -> AsyncIterator[Path]:
    """Mount the file system of an export, through FUSE and a loop device."""
    place = folder / "mnt"
    await asyncio.to_thread(place.mkdir)
    try:
        async with as_file(folder / "fuse", uri) as disk:
            await run("mount", "-o", "loop", disk, place)
            try:
                yield place
            finally:
                await run("umount", place)
                # The loop device lets go of the file a moment later.
                await until(lambda: _free(disk), "the loop device is free")
    finally:
        await asyncio.to_thread(place.rmdir)


async def _free(disk: Path) -> bool:
    return not (await attempt("losetup", "-j", disk)).output


def content(seed: int, number: int) -> bytes:
    """What the file of a number holds."""
    dice = random.Random(f"file {seed} {number}")
    return dice.randbytes(dice.randint(1, 6000))


async def write_pairs(group: Group, folder: Path, seed: int, count: int) -> None:
    """Write ``count`` files, and a counter before and after each."""
    site, dice = group.site("A"), random.Random(f"pairs {seed}")
    async with mounted(folder, (await site.export("fsA")).uri) as place:
        for number in range(1, count + 1):
            await site.write("countA", _BEGUN_AT, _COUNTER.pack(number))
            await asyncio.to_thread(_make_file, place, number, content(seed, number))
            await site.write("countA", _THERE_AT, _COUNTER.pack(number))
            if dice.random() < 0.5:
                await asyncio.to_thread(_stir, place, dice)
    await group.quiet()


def _make_file(place: Path, number: int, data: bytes) -> None:
    """Write a file, durably with its name."""
    path = place / str(number)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _stir(place: Path, dice: random.Random) -> None:
    """Change what nobody checks, so that the file system has work that is not synced."""
    path = place / f"scratch{dice.randrange(3)}"
    if dice.random() < 0.3:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    elif dice.random() < 0.3:
        path.mkdir() if not path.exists() else None
    elif not path.is_dir():
        path.write_bytes(dice.randbytes(dice.randint(0, 20_000)))
    if path.is_dir() and dice.random() < 0.5:
        path.rmdir()


def pairs_checker(folder: Path, seed: int, array: str) -> Checker:
    """What holds in every prefix: a step is known only with the one before it."""

    async def check(lsn: int, images: Mapping[str, Path]) -> str:
        counters = await asyncio.to_thread(images[f"count{array}"].read_bytes)
        begun, there = (_COUNTER.unpack_from(counters, at)[0] for at in (_BEGUN_AT, _THERE_AT))
        found = await dumped(folder, images[f"fs{array}"])
        numbers = {int(name) for name in found if name.isdecimal()}
        for number in range(1, there + 1):
            if found.get(str(number)) != content(seed, number):
                return f"LSN {lsn}: counted up to {there}, and file {number} is not there whole"
        if max(numbers, default=0) > begun:
            return f"LSN {lsn}: file {max(numbers)} is there, and only {begun} was begun"
        if there > begun:
            return f"LSN {lsn}: {there} is there, and only {begun} was begun"
        return ""

    return check


async def dumped(folder: Path, image: Path) -> dict[str, bytes]:
    """Return the files of an ext4 image."""
    place = folder / "dump"
    await asyncio.to_thread(place.mkdir)
    try:
        await run("debugfs", "-R", f"rdump / {place}", image)
        return await asyncio.to_thread(_contents, place)
    finally:
        await asyncio.to_thread(shutil.rmtree, place)


def _contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}


def end_checker(group: Group, array: str, last_lsn: int) -> Checker:
    """The last prefix is what the volumes hold."""

    async def check(lsn: int, images: Mapping[str, Path]) -> str:
        if lsn != last_lsn:
            return ""
        for name, path in group.files(array).items():
            if name != "log" and not await asyncio.to_thread(_equal, path, images[path.name]):
                return f"{path.name} is not what its log leads to"
        return ""

    return check


def _equal(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()
