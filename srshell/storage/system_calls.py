"""System calls that Python does not offer, or not everywhere.

Always true: every function here either does what its name says to stable storage, or raises
`OSError`; a weaker call is never substituted silently.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import stat
import sys
from functools import cache
from typing import Any, Final

_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02

#: The file system, the device or its alignment says no: the caller writes zeros instead.
_CANNOT_PUNCH: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.ENOTTY}
)

#: Offsets and lengths of reads past the cache are multiples of this: no device has larger sectors.
_DIRECT_UNIT_BYTES: Final = 4096
#: tmpfs and ramfs take the flag, too, and read from memory.
_IN_MEMORY: Final = frozenset({0x01021994, 0x858458F6})
_STATFS_BYTES: Final = 256
#: ext2 to 4, XFS and btrfs: a write with ``RWF_DSYNC`` is durable there when it returns.
_KEEP_DURABLE: Final = frozenset({0xEF53, 0x58465342, 0x9123683E})
#: The file system or its device refuses to go past the cache, and has done nothing.
CANNOT_GO_DIRECT: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})

_FICLONE: Final = 0x40049409
#: The file system keeps no shared blocks, or the two files lie on different ones.
_CANNOT_SHARE: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTTY, errno.EPERM}
)


def datasync(descriptor: int) -> None:
    """Make the data of a file durable, and of its metadata what is needed to read it back."""
    if sys.platform == "darwin":
        # fsync stops at the drive's cache there, and fdatasync does not exist.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def full_sync(descriptor: int) -> None:
    """Make data and all metadata of a file or directory durable."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


@cache
def _fallocate() -> Any:  # noqa: ANN401  (a C function; its types are set below)
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "fallocate64", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        function.restype = ctypes.c_int
    return function


def punch_hole(descriptor: int, offset: int, length: int) -> bool:
    """Deallocate a range (bytes) of a file or block device; False if that is not possible."""
    function = _fallocate()
    if function is None:
        return False
    while function(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length) != 0:
        number = ctypes.get_errno()
        if number in _CANNOT_PUNCH:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True


def next_data(descriptor: int, offset: int) -> int | None:
    """Return where data begins at or after ``offset``; None if none follows."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise


def next_hole(descriptor: int, offset: int) -> int:
    """Return where the data at ``offset`` ends."""
    return os.lseek(descriptor, offset, os.SEEK_HOLE)


def share(descriptor: int, source: int) -> bool:
    """Let a new file share all data of ``source`` until one of them is changed; False: cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        fcntl.ioctl(descriptor, _FICLONE, source)
    except OSError as error:
        if error.errno in _CANNOT_SHARE:
            return False
        raise
    return True


def drop_cache(descriptor: int, offset: int, length: int) -> None:
    """Tell the system that cached pages of the range will not be used again."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def expect_random(descriptor: int) -> None:
    """Tell the system that reads come in no order: it reads nothing ahead.

    What it reads ahead lies in large folios, and a small write into one of them costs five times as
    much as into a page (ext4 looks at each block of the folio).
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)


def open_direct(descriptor: int, *, writable: bool = False) -> int:
    """Open the file of a descriptor again, past the page cache; -1 if that cannot be."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag or _file_system(descriptor) in _IN_MEMORY:
        return -1
    flag |= os.O_RDWR if writable else os.O_RDONLY
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_CLOEXEC | flag)
    except OSError:
        return -1


def read_direct(descriptor: int, length: int, offset: int) -> bytes | None:
    """Read at most ``length`` bytes from an `open_direct` descriptor; None if it refuses."""
    skip = offset % _DIRECT_UNIT_BYTES
    size = -(-(skip + length) // _DIRECT_UNIT_BYTES) * _DIRECT_UNIT_BYTES
    with mmap.mmap(-1, size) as buffer:
        taken = 0
        while taken < skip + length:
            try:
                with memoryview(buffer)[taken:] as rest:
                    count = os.preadv(descriptor, [rest], offset - skip + taken)
            except OSError as error:
                if error.errno in CANNOT_GO_DIRECT:
                    return None
                raise
            taken += count
            if count == 0 or count % _DIRECT_UNIT_BYTES:
                break  # the end of the file
        return buffer[skip : min(taken, skip + length)]


@cache
def _fstatfs() -> Any:  # noqa: ANN401  (a C function; its types are set below)
    function = getattr(ctypes.CDLL(None, use_errno=True), "fstatfs", None)
    if function is not None:
        function.argtypes = (ctypes.c_int, ctypes.c_void_p)
        function.restype = ctypes.c_int
    return function


def keeps_durable_writes(descriptor: int) -> bool:
    """Tell whether a single write to this file can be asked to be durable when it returns."""
    return hasattr(os, "RWF_DSYNC") and _file_system(descriptor) in _KEEP_DURABLE


def _file_system(descriptor: int) -> int:
    """Return the number of the file system (statfs(2)); of one in memory where nobody tells."""
    function = _fstatfs() if sys.platform.startswith("linux") else None
    answer = ctypes.create_string_buffer(_STATFS_BYTES)
    if function is None or function(descriptor, answer) != 0:
        return min(_IN_MEMORY)
    kind = int.from_bytes(answer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder)
    return kind & 0xFFFFFFFF


def size_bytes(descriptor: int) -> int:
    """Return the size of a regular file or block device; `OSError` for anything else."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    if stat.S_ISBLK(status.st_mode):
        return os.lseek(descriptor, 0, os.SEEK_END)
    raise OSError(errno.ENODEV, "neither a regular file nor a block device")
