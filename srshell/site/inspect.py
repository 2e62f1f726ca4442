"""Look at a place where storage could be: a directory, a block device, or something else.

Always true:

(1) Looking changes nothing: no file is made, nothing is opened for writing.
(2) What speaks against a place is a sentence in ``problems``; one without can hold a pool.
(3) A place that cannot be looked at is an `SrError`: SR1103 if there is nothing of that name,
    SR1101 if it is kept from us.

Everything here blocks.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from srshell.model.errors import SrError
from srshell.model.geometry import DEFAULT_BLOCK_BYTES, SECTOR_BYTES
from srshell.model.inventory import Candidate, PoolKind
from srshell.site import labels
from srshell.storage.trust import who_else_writes

_BLKSSZGET: Final = 0x1268
_EDGE_BYTES: Final = 1024 * 1024

#: What these keep is gone when the power is.
_MEMORY_FILE_SYSTEMS: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_MEMORY_DEVICES: Final = ("/dev/ram", "/dev/zram")
_NO_BARRIERS: Final = frozenset({"nobarrier", "barrier=0"})


def look(where: str) -> Candidate:
    """Return what a place is.

    Raises:
        SrError: SR1103, there is nothing; SR1101, it is kept from us.
    """
    try:
        path = Path(where).resolve(strict=True)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return _look_at_directory(path, status)
        if stat.S_ISBLK(status.st_mode):
            return _look_at_device(path, status)
        return _look_at_something_else(path, status)
    except (FileNotFoundError, NotADirectoryError) as error:
        facts = error.strerror or str(error)
        raise SrError.make("SR1103", facts=facts, where=where) from error
    except (OSError, RuntimeError) as error:
        facts = getattr(error, "strerror", None) or str(error)
        raise SrError.make("SR1101", facts=facts, pool=where, array="?", where=where) from error


def device_bytes(path: Path) -> int:
    """Return the size of a block device or regular file; raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def device_block(path: Path) -> int:
    """Return the block size that a device works with, at least 4 KiB; raises `OSError`."""
    number = array.array("i", [0])
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, _BLKSSZGET, number)
    finally:
        os.close(descriptor)
    return max(number[0], SECTOR_BYTES)


def device_name(number: int) -> str:
    """Return a device number as ``major:minor``."""
    return f"{os.major(number)}:{os.minor(number)}"


def backing_of(path: Path) -> str:
    """Return what a path leads to, as device:inode, or the device's number; raises `OSError`."""
    status = path.stat()
    if stat.S_ISBLK(status.st_mode):
        return f"device {device_name(status.st_rdev)}"
    return f"{device_name(status.st_dev)}:{status.st_ino}"


def edges_are_zero(path: Path) -> bool:
    """Whether the first and the last MiB hold only zeros: every file system leaves a mark there."""
    size_bytes = device_bytes(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        edges = (0, max(0, size_bytes - _EDGE_BYTES))
        return not any(any(os.pread(descriptor, _EDGE_BYTES, edge)) for edge in edges)
    finally:
        os.close(descriptor)


def _look_at_directory(path: Path, status: os.stat_result) -> Candidate:
    space = os.statvfs(path)
    writable = os.access(path, os.W_OK | os.X_OK)
    problems = []
    if not writable:
        problems.append("you may not write into it")
    if others := who_else_writes(status):
        problems.append(others)
    if space.f_flag & os.ST_RDONLY:
        problems.append("its file system is mounted read-only")
    label = labels.read_label(path / labels.LABEL_NAME)
    return Candidate(
        where=str(path),
        kind=PoolKind.FILE,
        size_bytes=space.f_blocks * space.f_frsize,
        free_bytes=space.f_bavail * space.f_frsize,
        block_bytes=DEFAULT_BLOCK_BYTES,
        device=device_name(status.st_dev),
        writable=writable,
        honours_flush=_file_system_flushes(status.st_dev),
        blank=not any(path.iterdir()),
        fabric=label.fabric if label else "",
        array=label.array if label else "",
        pool=label.pool if label else "",
        problems=tuple(problems),
    )


def _look_at_device(path: Path, status: os.stat_result) -> Candidate:
    writable = os.access(path, os.R_OK | os.W_OK)
    problems = [] if writable else ["you may not read and write it"]
    if writable and _is_claimed(path):
        problems.append("it is mounted, or in use by another program")
    size_bytes = device_bytes(path) if writable else 0
    if writable and not size_bytes:
        problems.append("it has no size")
    return Candidate(
        where=str(path),
        kind=PoolKind.VOLUME,
        size_bytes=size_bytes,
        free_bytes=size_bytes,
        block_bytes=device_block(path) if writable else DEFAULT_BLOCK_BYTES,
        device=device_name(status.st_rdev),
        writable=writable,
        honours_flush=_device_flushes(path, status.st_rdev),
        blank=writable and edges_are_zero(path),
        problems=tuple(problems),
    )


def _look_at_something_else(path: Path, status: os.stat_result) -> Candidate:
    regular = stat.S_ISREG(status.st_mode)
    size_bytes = status.st_size if regular else 0
    what = "a regular file" if regular else "neither a directory nor a block device"
    return Candidate(
        where=str(path),
        kind=None,
        size_bytes=size_bytes,
        free_bytes=0,
        block_bytes=DEFAULT_BLOCK_BYTES,
        device=device_name(status.st_dev),
        writable=os.access(path, os.W_OK),
        honours_flush=_file_system_flushes(status.st_dev),
        blank=regular and not status.st_blocks,
        problems=(f"it is {what}, which holds no pool",),
    )


def _is_claimed(path: Path) -> bool:
    """Whether the kernel refuses to give the device to us alone."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        raise
    return False


def _device_flushes(path: Path, number: int) -> bool:
    if str(path).startswith(_MEMORY_DEVICES):
        return False
    backing = Path(f"/sys/dev/block/{device_name(number)}/loop/backing_file")
    try:
        file = Path(backing.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n"))
        return _file_system_flushes(file.stat().st_dev)
    except OSError:
        # No loop device, or its file is out of sight: what is not known to lie is trusted.
        return True


def _file_system_flushes(device: int) -> bool:
    """Whether a sync reaches something that outlives a power cut, as far as the system tells."""
    for mounted, kind, options in _mounts():
        if mounted == device_name(device):
            return kind not in _MEMORY_FILE_SYSTEMS and not _NO_BARRIERS & options
    return True


def _mounts() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Return device, kind and options of each mounted file system; nothing where unknown."""
    try:
        text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *rest) = before.split(), after.split()
        yield fields[2], kind, frozenset(",".join(rest[1:]).split(","))
