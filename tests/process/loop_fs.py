"""Small file systems of their own: disks that can be full, lose their power, or turn read-only.

Always true: what is mounted here is unmounted when its block ends, and nothing else is touched.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import pytest

from tests import needs

#: EXT4_IOC_SHUTDOWN, and its argument: drop what the journal has not got to disk yet.
_SHUTDOWN: Final = 0x8004587D
_NO_LOG_FLUSH: Final = struct.pack("I", 2)

#: Whoever looks at a lock file keeps the file system busy for an instant.
_BUSY_SECONDS: Final = 10.0

#: Syncs of a file in memory cost nothing; what a power cut takes is decided above it.
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - folders of our own are made in it


def _run(tool: str, *arguments: str | Path) -> None:
    path = needs.find(tool)
    assert path is not None, tool
    subprocess.run([path, *map(str, arguments)], check=True, capture_output=True)


def _unmount(folder: Path) -> None:
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            _run("umount", folder)
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


@attrs.frozen
class LoopDisk:
    """An ext4 file system in a file."""

    image: Path
    mounted: Path

    @classmethod
    def make(cls, image: Path, mounted: Path, size_bytes: int, *, journal: bool = True) -> LoopDisk:
        """Make a file system that is not mounted yet; ``journal``: as most people have it."""
        with image.open("wb") as file:
            file.truncate(size_bytes)
        mounted.mkdir(parents=True, exist_ok=True)
        features = () if journal else ("-O", "^has_journal")
        _run("mke2fs", "-q", "-t", "ext4", "-m", "0", *features, image)
        return cls(image, mounted)

    def mount(self) -> None:
        """Mount it."""
        _run("mount", "-o", "loop", self.image, self.mounted)

    def unmount(self) -> None:
        """Unmount it, as soon as nobody has a file of it open."""
        _unmount(self.mounted)

    def turn_read_only(self) -> None:
        """Take no more writes, as after an error of the disk; files stay open."""
        _run("mount", "-o", "remount,abort", self.mounted)

    def cut_power(self) -> None:
        """Lose every byte that was not synced; all later calls fail until it is mounted anew."""
        descriptor = os.open(self.mounted, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)


@contextmanager
def mounted_disk(
    image: Path, mounted: Path, size_bytes: int, *, journal: bool = True
) -> Iterator[LoopDisk]:
    """Mount a new file system for as long as the block lasts."""
    disk = LoopDisk.make(image, mounted, size_bytes, journal=journal)
    disk.mount()
    try:
        yield disk
    finally:
        disk.unmount()


@contextmanager
def small_file_system(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a new file system of that size; it is unmounted when the block ends."""
    with mounted_disk(folder / "disk", folder / "pool", size_bytes, journal=False) as disk:
        yield disk.mounted


@contextmanager
def site_disks(folder: Path, arrays: tuple[str, ...], size_bytes: int) -> Iterator[list[LoopDisk]]:
    """Mount a disk for each array: its pool, and all that its site remembers, are on it."""
    sites = folder / "sites"
    sites.mkdir()
    parent = MEMORY if MEMORY.is_dir() else folder
    with ExitStack() as stack:
        images = Path(stack.enter_context(TemporaryDirectory(prefix="srshell-", dir=parent)))
        disks = []
        for array in arrays:
            pool = folder / f"pool{array}"
            disk = mounted_disk(images / array, pool, size_bytes)
            disks.append(stack.enter_context(disk))
            (pool / "site").mkdir(mode=0o700)
            (sites / array).symlink_to(pool / "site")
        yield disks


@contextmanager
def small_memory(folder: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a file system in memory that holds no more than that."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "srshell-test", folder)
    try:
        yield folder
    finally:
        _unmount(folder)


def take_all_room(path: Path) -> None:
    """Fill a file system with a file: what it says of its room may be a little behind."""
    blocks = itertools.repeat(bytes(4096))
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(blocks)
