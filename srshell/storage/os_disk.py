"""Files of the operating system.

Always true:

(1) A file appears under its name complete: made without a name, filled, synced, then linked.  A
    kill in between leaves nothing, not even its space.  Where a file system cannot do that, it is
    made under its name and removed again on failure.
(2) A descriptor is opened once and kept until the end: the system reports a lost page to the
    descriptor it was written through, and a new one may never hear of it.
(3) Symbolic links are not followed.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import attrs

from srshell.codec.checksum import Buffer
from srshell.storage import system_calls
from srshell.storage.errors import AlreadyLocked, StorageError, translated
from srshell.storage.locks import lock_descriptor
from srshell.storage.raw import RawFile
from srshell.storage.write_through import WriteThrough
from srshell.storage.writes import drop_taken, zero_writes

_FILE_MODE: Final = 0o600
_CANNOT_BE_NAMELESS: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.EPERM, errno.ENOSYS}
)
#: The file system or the kernel is older than the question; tmpfs does not answer it either.
_CANNOT_TELL_CACHED: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


@attrs.define(eq=False)
class OsHandle:
    """The system calls themselves, on one descriptor."""

    descriptor: int
    #: The same file past the page cache: None before it is wanted, -1 where there is no such way.
    _direct: int | None = attrs.field(default=None, init=False)
    #: Commits in one call; None before the first one.
    _through: WriteThrough | None = attrs.field(default=None, init=False)
    #: Whether the system tells what is in memory; it is asked until it says that it cannot.
    _tells_cached: bool = attrs.field(default=hasattr(os, "RWF_NOWAIT"), init=False)
    _opening: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    #: Whether the file system counts a file's names, which not all of those in user space do.
    _counts_names: bool = attrs.field(init=False)

    @_counts_names.default
    def _has_a_name(self) -> bool:
        return os.fstat(self.descriptor).st_nlink > 0

    def pread(self, length: int, offset: int) -> bytes:
        """Read at most ``length`` bytes."""
        return os.pread(self.descriptor, length, offset)

    def pread_cached(self, length: int, offset: int) -> bytearray | None:
        """Read what is in memory; None if not all of it is, or the system cannot tell."""
        if not self._tells_cached:
            return None
        data = bytearray(length)
        try:
            taken = os.preadv(self.descriptor, (data,), offset, os.RWF_NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _CANNOT_TELL_CACHED:
                raise
            self._tells_cached = False
            return None
        return data if taken == length else None

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write what the system takes; return how many bytes that was."""
        if len(buffers) == 1:
            return os.pwrite(self.descriptor, buffers[0], offset)
        return os.pwritev(self.descriptor, buffers, offset)

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Write and make durable in one call; False where the file system is not known for it."""
        if self._through is None:
            self._through = WriteThrough(self.descriptor)
        return self._through.write(buffers, offset, length)

    def datasync(self) -> None:
        """Make every byte written so far durable."""
        system_calls.datasync(self.descriptor)

    def punch_hole(self, offset: int, length: int) -> bool:
        """Deallocate the range; False if the device cannot."""
        return system_calls.punch_hole(self.descriptor, offset, length)

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or after ``offset``; None if there is none."""
        return system_calls.next_data(self.descriptor, offset)

    def next_hole(self, offset: int) -> int:
        """Return where data ends at or after ``offset``."""
        return system_calls.next_hole(self.descriptor, offset)

    def drop_cache(self, offset: int, length: int) -> None:
        """Forget clean cached pages of the range."""
        system_calls.drop_cache(self.descriptor, offset, length)

    def kept_bytes(self) -> int | None:
        """Return the size that the file has now; None if its name was taken from it."""
        if self._counts_names and os.fstat(self.descriptor).st_nlink == 0:
            return None
        return system_calls.size_bytes(self.descriptor)

    def pread_direct(self, length: int, offset: int) -> bytes | None:
        """Read past the page cache; None where the file system cannot or only pretends to."""
        with self._opening:
            if self._direct is None:
                self._direct = system_calls.open_direct(self.descriptor)
        return None if self._direct < 0 else system_calls.read_direct(self._direct, length, offset)

    def close(self) -> None:
        """Close the descriptor, which also ends its lock."""
        descriptor, self.descriptor = self.descriptor, -1
        direct, self._direct = self._direct, -1
        if direct is not None and direct >= 0:
            os.close(direct)
        if self._through is not None:
            self._through.close()
        os.close(descriptor)


class OsDisk:
    """`RawDisk` over the operating system."""

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        """Open a regular file or block device; see `RawDisk.open`."""
        # A FIFO or terminal of that name must not make us wait.
        flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NONBLOCK
        with translated("open", path):
            if writable and lock and stat.S_ISBLK(os.lstat(path).st_mode):
                # The kernel refuses a device that is mounted or part of another one.
                flags |= os.O_EXCL
            try:
                descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError as error:
                if error.errno == errno.EBUSY:
                    raise AlreadyLocked("open", path, "LOCKED", text="in use or mounted") from None
                raise
        try:
            with translated("open", path):
                size_bytes = system_calls.size_bytes(descriptor)
                if writable:
                    system_calls.expect_random(descriptor)
            if lock:
                lock_descriptor(descriptor, path)
            return RawFile(path, size_bytes, writable, OsHandle(descriptor))
        except BaseException:
            os.close(descriptor)
            raise

    def create(self, path: str, size_bytes: int, *, zeroed: bool = False) -> None:
        """Make a new file, durable with its name; see `RawDisk.create`."""
        folder, name = os.path.split(path)
        with translated("create", path), _directory(folder) as directory:
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=directory, follow_symlinks=False)
                raise StorageError("create", path, "EEXIST")
            if not _create_nameless(directory, name, size_bytes, zeroed):
                _create_named(directory, name, size_bytes, zeroed)

    def remove(self, path: str) -> None:
        """Remove a name; durable after `sync_directory`."""
        with translated("remove", path):
            os.unlink(path)

    def rename(self, path: str, new_path: str) -> None:
        """Rename, replacing what was there; durable after `sync_directory`."""
        with translated("rename", path):
            os.replace(path, new_path)

    def share(self, path: str, new_path: str) -> bool:
        """Make ``new_path`` share the data of ``path``; see `RawDisk.share`."""
        with translated("share", path), _descriptor(path, os.O_RDONLY) as source:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
            with _descriptor(new_path, flags) as descriptor:
                shared = system_calls.share(descriptor, source)
                if shared:
                    system_calls.full_sync(descriptor)
            if not shared:
                os.unlink(new_path)
        self.sync_directory(os.path.dirname(new_path))
        return shared

    def free_bytes(self, folder: str) -> int:
        """Return the room that the file system of a folder has for this user."""
        with translated("free_bytes", folder):
            space = os.statvfs(folder)
        return space.f_bavail * space.f_frsize

    def exists(self, path: str) -> bool:
        """Say whether the name is taken, be it by a dangling link."""
        return os.path.lexists(path)

    def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable."""
        with translated("sync_directory", path), _directory(path) as directory:
            system_calls.full_sync(directory)


@contextmanager
def _directory(path: str) -> Iterator[int]:
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _descriptor(path: str, flags: int) -> Iterator[int]:
    flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, _FILE_MODE)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _create_nameless(directory: int, name: str, size_bytes: int, zeroed: bool) -> bool:
    """Fill a file that has no name yet, then give it one; False if that is impossible here."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        descriptor = os.open(
            ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE, dir_fd=directory
        )
    except OSError as error:
        if error.errno in _CANNOT_BE_NAMELESS:
            return False
        raise
    try:
        _fill(descriptor, size_bytes, zeroed)
        try:
            # The descriptor's own link is followed to the nameless file; see open(2), O_TMPFILE.
            source = f"/proc/self/fd/{descriptor}"
            os.link(source, name, dst_dir_fd=directory, follow_symlinks=True)
        except OSError as error:
            if error.errno in _CANNOT_BE_NAMELESS:
                return False
            raise
        _sync_name(directory, name)
    finally:
        os.close(descriptor)
    return True


def _create_named(directory: int, name: str, size_bytes: int, zeroed: bool) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=directory)
    try:
        _fill(descriptor, size_bytes, zeroed)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise
    finally:
        os.close(descriptor)
    _sync_name(directory, name)


def _sync_name(directory: int, name: str) -> None:
    try:
        system_calls.full_sync(directory)
    except BaseException:
        os.unlink(name, dir_fd=directory)
        raise


def _fill(descriptor: int, size_bytes: int, zeroed: bool) -> None:
    """Give the file its size, write its zeros through if asked for, and sync it."""
    os.ftruncate(descriptor, size_bytes)
    if zeroed:
        for zeros in zero_writes(0, size_bytes):
            buffers, offset = list(zeros.buffers), zeros.offset
            while buffers:
                taken = os.pwritev(descriptor, buffers, offset)
                offset += taken
                drop_taken(buffers, taken)
    system_calls.full_sync(descriptor)
    if zeroed:
        system_calls.drop_cache(descriptor, 0, size_bytes)
