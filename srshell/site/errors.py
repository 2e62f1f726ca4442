"""What a failing file means to a person.

Always true: above this room a `StorageError` has become an `SrError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from srshell.model.errors import SrError
from srshell.storage import AlreadyLocked, StorageError


def to_sr_error(error: StorageError) -> SrError:
    """Return the error that a person reads for a failed operation on a file."""
    if isinstance(error, AlreadyLocked):
        return SrError.make("SR9221", facts=str(error), file=error.path)
    return SrError.make("SR9220", facts=str(error), operation=error.operation, file=error.path)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn a `StorageError` inside the block into an `SrError`."""
    try:
        yield
    except StorageError as error:
        raise to_sr_error(error) from error
