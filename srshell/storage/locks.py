"""Locks that end with their process.

Always true:

(1) A lock belongs to an open file, not to a name or a process number: however the process dies, the
    system releases it, and no lock is ever stale.
(2) A lock file is never removed: a waiter could hold the old one and a newcomer the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import attrs

from srshell.storage.errors import AlreadyLocked, from_os_error, translated

_NOTE_BYTES_MAX: Final = 4096


def lock_descriptor(descriptor: int, path: str) -> None:
    """Take the file for this descriptor alone, at once or not at all.

    Raises `AlreadyLocked` if another descriptor has it, in this process or elsewhere.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise AlreadyLocked("lock", path, "LOCKED", text="somebody else has it") from None
        raise from_os_error(error, "lock", path) from error


@attrs.define(eq=False)
class LockFile:
    """A file that is locked for the life of its owner, with a note on who that is."""

    path: str
    _descriptor: int = attrs.field(repr=False)

    @classmethod
    def take(cls, path: str, note: str = "") -> Self:
        """Lock the file, making it if need be, and leave the note in it.

        Raises `AlreadyLocked` if it is taken, `StorageError` if it cannot be opened.
        """
        with translated("lock", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
        try:
            lock_descriptor(descriptor, path)
            with translated("lock", path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, note.encode()[:_NOTE_BYTES_MAX], 0)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def release(self) -> None:
        """Let somebody else have it; a second call does nothing.

        The note goes too: a process that lives on is not taken for the holder.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            with suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def lock_note(path: str) -> str:
    """Return the note of whoever took the lock last; it may be gone since.

    Raises `StorageError` if there is no such file.
    """
    with translated("read", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return os.pread(descriptor, _NOTE_BYTES_MAX, 0).decode(errors="replace")
        finally:
            os.close(descriptor)
