"""What can go wrong with a file, said once.

Always true:

(1) Nothing above this room sees an `OSError`: it is translated here, where the file is known.
(2) ``errno_name`` is the system's name (``EIO``, ``ENOSPC``), or one of ours: ``SHORT_READ`` (the
    file ended), ``SHORT_WRITE`` (the device took nothing), ``SHRUNK`` and ``REMOVED`` (by somebody
    else, while it was open), ``OUT_OF_RANGE``, ``CLOSED``, ``LOCKED``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class StorageError(Exception):
    """An operation on a file failed; how much of it happened is unknown.

    ``offset`` is in bytes, or None where the operation has no place.
    """

    def __init__(
        self, operation: str, path: str, errno_name: str, offset: int | None = None, text: str = ""
    ) -> None:
        """Keep the four facts for the caller to branch on; the message is for people."""
        place = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{operation} {path}{place}: {errno_name}{text and ', ' + text}")
        self.operation = operation
        self.path = path
        self.errno_name = errno_name
        self.offset = offset
        self.text = text

    @property
    def is_unreadable(self) -> bool:
        """Whether the device did not return what it was asked for: a bad sector, perhaps."""
        return self.operation == "read" and self.errno_name == "EIO"

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str, str, int | None, str]]:
        """Keep every argument when the error crosses a process pool."""
        return type(self), (self.operation, self.path, self.errno_name, self.offset, self.text)


class AlreadyLocked(StorageError):
    """Somebody else holds the file; nothing was touched."""


def from_os_error(
    error: OSError, operation: str, path: str, offset: int | None = None
) -> StorageError:
    """Return the same failure in our words."""
    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    return StorageError(operation, path, name, offset, error.strerror or "")


@contextmanager
def translated(operation: str, path: str) -> Iterator[None]:
    """Turn an `OSError` inside the block into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise from_os_error(error, operation, path) from error
