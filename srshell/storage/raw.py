"""A file as the engine knows it: positional, of fixed size, and honest about failure.

Always true:

(1) There is no file position: every read and write names its offset, so tasks cannot meet.
(2) A write that returns was taken completely; short writes are completed or fail.
(3) After a failed write or sync the file is broken for ever: each later write or sync raises at
    once.  A second sync may succeed although the pages of the first are lost, so it is never
    believed and never tried.  Reads are still answered.
(4) The size never changes: nothing here makes a file longer.  One that somebody else cut short or
    removed is broken once a sync or `check_kept` has looked: what it holds is lost with it.
(5) Syncs of one file run one after the other: the system reports a lost page to one caller only,
    and the others must find the file broken.

`RawFile` holds these rules and runs unchanged over the two `FileHandle` classes: the operating
system's in production, a faked disk's in the simulator.  Everything here blocks.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from srshell.codec.checksum import Buffer
from srshell.storage.errors import StorageError, from_os_error
from srshell.storage.writes import IOV_MAX, Write, drop_taken, zero_writes

_NO_SPARSE_FILES: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY, errno.ESPIPE})


class FileHandle(Protocol):
    """System calls on one open file; every method may raise `OSError`.

    This is the line between the shipped code and the faked world.
    """

    def pread(self, length: int, offset: int) -> bytes:
        """Read at most ``length`` bytes; nothing at the end of the file."""
        ...

    def pread_cached(self, length: int, offset: int) -> bytearray | None:
        """Read exactly ``length`` bytes without waiting; None if some may have to be fetched."""
        ...

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        """Write at most `IOV_MAX` buffers; return the number of bytes taken, perhaps not all."""
        ...

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        """Write these bytes, all of them durable when it returns; False where that cannot be had.

        What was written otherwise is as durable as before.
        """
        ...

    def datasync(self) -> None:
        """Make every byte written so far durable."""
        ...

    def punch_hole(self, offset: int, length: int) -> bool:
        """Give the range back and read zeros from it; False if the device cannot."""
        ...

    def next_data(self, offset: int) -> int | None:
        """Return where data begins at or after ``offset``; None if there is none."""
        ...

    def next_hole(self, offset: int) -> int:
        """Return where data ends at or after ``offset``; the end of the file counts as a hole."""
        ...

    def drop_cache(self, offset: int, length: int) -> None:
        """Forget clean cached pages of the range."""
        ...

    def kept_bytes(self) -> int | None:
        """Return the size that the file has now; None if its name was taken from it."""
        ...

    def pread_direct(self, length: int, offset: int) -> bytes | None:
        """Read as `pread` does, past the page cache; None where the device cannot do that."""
        ...

    def close(self) -> None:
        """Release the descriptor and its lock."""
        ...


@attrs.define(eq=False)
class RawFile:
    """One open file or block device.  Methods may be called from several threads."""

    path: str
    size_bytes: int
    writable: bool
    _handle: FileHandle = attrs.field(repr=False)
    #: The failure that broke the file; None while it may be written.
    broken_by: StorageError | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False, repr=False)
    #: Whether a change has finished that no later sync has covered.
    _is_dirty: bool = attrs.field(default=False, init=False, repr=False)
    #: Re-entrant: the simulator lets a process die inside a sync, which ends another sync of it.
    _sync_lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    def size(self) -> int:
        """Return the size in bytes, as it was when the file was opened."""
        return self.size_bytes

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes; a file that ends before is an error."""
        if self._closed:
            raise StorageError("read", self.path, "CLOSED", offset)
        try:
            data = self._handle.pread(length, offset)
            if len(data) == length:
                return data
            return self._read_rest(data, offset, length)
        except OSError as error:
            raise from_os_error(error, "read", self.path, offset) from error

    def read_cached(self, offset: int, length: int) -> bytearray | None:
        """Return exactly ``length`` bytes if that needs no device, else None; never waits."""
        if self._closed:
            raise StorageError("read", self.path, "CLOSED", offset)
        try:
            return self._handle.pread_cached(length, offset)
        except OSError as error:
            raise from_os_error(error, "read", self.path, offset) from error

    def read_direct(self, offset: int, length: int) -> bytes | None:
        """Return exactly ``length`` bytes as the device holds them, never the page cache's.

        None where that is impossible: sync, drop the cache and read then.
        """
        if self._closed:
            raise StorageError("read", self.path, "CLOSED", offset)
        try:
            data = self._handle.pread_direct(length, offset)
        except OSError as error:
            raise from_os_error(error, "read", self.path, offset) from error
        if data is not None and len(data) < length:
            raise StorageError("read", self.path, "SHORT_READ", offset, f"{len(data)} of {length}")
        return data

    def read_each(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return exactly the bytes of each range (offset, length)."""
        return [self.read_at(offset, length) for offset, length in ranges]

    def write_at(self, writes: Sequence[Write], sync: bool) -> None:
        """Write everything, then make it durable if ``sync``.

        The order of the writes is kept only between this call and the next one.
        """
        for write, length in self._checked(writes):
            try:
                self._write_fully(write, length)
            except OSError as error:
                raise self._break("write", write.offset, error) from error
        if sync:
            self.sync()

    def write_through(self, writes: Sequence[Write]) -> None:
        """Do what `write_at` does with ``sync``, in one system call and past the page cache.

        Where that cannot be had, by `write_at` itself.  For what is not read again soon.
        """
        for write, length in self._checked(writes):
            try:
                if not self._handle.write_through(write.buffers, write.offset, length):
                    self._write_fully(write, length)
            except OSError as error:
                raise self._break("write", write.offset, error) from error
        # A sync of another thread that covers these bytes may be under way: its end counts.
        with self._sync_lock:
            if self._is_dirty:
                self.sync()

    def sync(self) -> None:
        """Make every finished write durable."""
        with self._sync_lock:
            self._check_change("sync", 0, 0)
            self._is_dirty = False
            try:
                self._handle.datasync()
            except BaseException as error:
                self._is_dirty = True  # whoever waits for this sync must find that it was none
                if isinstance(error, OSError):
                    raise self._break("sync", None, error) from error
                raise
            self._look()

    def check_kept(self) -> None:
        """Look whether the file still has its name and all its bytes."""
        with self._sync_lock:
            self._check_change("check", 0, 0)
            self._look()

    def _look(self) -> None:
        try:
            kept_bytes = self._handle.kept_bytes()
        except OSError as error:
            raise self._break("check", None, error) from error
        if kept_bytes is None:
            self.broken_by = StorageError("check", self.path, "REMOVED", text="its name is gone")
        elif kept_bytes < self.size_bytes:
            text = f"{kept_bytes} of {self.size_bytes} bytes are left"
            self.broken_by = StorageError("check", self.path, "SHRUNK", text=text)
        if self.broken_by is not None:
            raise self.broken_by

    def punch(self, offset: int, length: int) -> None:
        """Make the range read as zeros, and give its space back where the device can do that."""
        self._check_change("punch", offset, length)
        if length == 0:
            return
        try:
            if not self._handle.punch_hole(offset, length):
                for zeros in zero_writes(offset, length):
                    self._write_fully(zeros, zeros.length)
            self._is_dirty = True
        except OSError as error:
            raise self._break("punch", offset, error) from error

    def data_ranges(self, offset: int, length: int) -> list[tuple[int, int]]:
        """Return the parts that may hold data as (offset, length); the rest reads as zeros."""
        if self._closed:
            raise StorageError("data_ranges", self.path, "CLOSED", offset)
        ranges: list[tuple[int, int]] = []
        position, end = offset, min(offset + length, self.size_bytes)
        try:
            while position < end:
                start = self._handle.next_data(position)
                if start is None or start >= end:
                    break
                position = min(self._handle.next_hole(start), end)
                ranges.append((start, position - start))
        except OSError as error:
            if error.errno in _NO_SPARSE_FILES:
                return [(offset, end - offset)]
            raise from_os_error(error, "data_ranges", self.path, offset) from error
        return ranges

    def drop_cache(self, offset: int, length: int) -> None:
        """Forget the cached pages of a synced range, so that later small writes stay cheap."""
        if self._closed:
            raise StorageError("drop_cache", self.path, "CLOSED", offset)
        try:
            self._handle.drop_cache(offset, length)
        except OSError as error:
            raise from_os_error(error, "drop_cache", self.path, offset) from error

    def close(self) -> None:
        """Release the file and its lock; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._handle.close()
        except OSError as error:
            raise from_os_error(error, "close", self.path) from error

    def _checked(self, writes: Sequence[Write]) -> list[tuple[Write, int]]:
        """Return each write with its length, if all of them may be tried."""
        checked = [(write, write.length) for write in writes]
        for write, length in checked:
            self._check_change("write", write.offset, length)
        return checked

    def _check_change(self, operation: str, offset: int, length: int) -> None:
        """Refuse what must not even be tried."""
        if self._closed:
            raise StorageError(operation, self.path, "CLOSED", offset)
        if self.broken_by is not None:
            first = self.broken_by
            text = f"broken since {first.operation} failed"
            raise StorageError(operation, self.path, first.errno_name, offset, text)
        if not self.writable:
            raise StorageError(operation, self.path, "EBADF", offset, "opened for reading")
        if offset < 0 or offset + length > self.size_bytes:
            text = f"{length} bytes in a file of {self.size_bytes}"
            raise StorageError(operation, self.path, "OUT_OF_RANGE", offset, text)

    def _break(self, operation: str, offset: int | None, error: OSError) -> StorageError:
        failure = from_os_error(error, operation, self.path, offset)
        if self.broken_by is None:
            self.broken_by = failure
        return failure

    def _read_rest(self, data: bytes, offset: int, length: int) -> bytes:
        parts, have = [data], len(data)
        while have < length:
            data = self._handle.pread(length - have, offset + have)
            if not data:
                text = f"{have} of {length} bytes"
                raise StorageError("read", self.path, "SHORT_READ", offset, text)
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def _write_fully(self, write: Write, left_bytes: int) -> None:
        """Hand over every byte; a device that takes none at all has failed."""
        buffers, offset = write.buffers, write.offset
        while left_bytes:
            taken = self._handle.pwritev(buffers[:IOV_MAX], offset)
            if taken == 0:
                failure = StorageError("write", self.path, "SHORT_WRITE", offset)
                self.broken_by = self.broken_by or failure
                raise failure
            left_bytes -= taken
            if left_bytes:
                offset += taken
                rest = list(buffers)
                drop_taken(rest, taken)
                buffers = tuple(rest)
        self._is_dirty = True


class RawDisk(Protocol):
    """Opens, makes and removes files; every method may raise `StorageError`."""

    def open(self, path: str, *, writable: bool = True, lock: bool = True) -> RawFile:
        """Open a file or block device; never through a symbolic link.

        Raises `AlreadyLocked` if ``lock`` and anybody else has it.
        """
        ...

    def create(self, path: str, size_bytes: int, *, zeroed: bool = False) -> None:
        """Make a new file, durable with its name; on failure nothing is left behind.

        ``zeroed`` writes its zeros through, so that later writes allocate nothing.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a name; durable after `sync_directory`."""
        ...

    def rename(self, path: str, new_path: str) -> None:
        """Rename, replacing what was there; durable after `sync_directory`."""
        ...

    def share(self, path: str, new_path: str) -> bool:
        """Make a new file that shares the data of ``path`` until either is changed, durably.

        False, and nothing is left, where the file system cannot do that.
        """
        ...

    def free_bytes(self, folder: str) -> int:
        """Return how much can still be written into files of a folder."""
        ...

    def exists(self, path: str) -> bool:
        """Say whether the name is taken."""
        ...

    def sync_directory(self, path: str) -> None:
        """Make the names in a directory durable."""
        ...
