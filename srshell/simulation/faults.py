"""What shall go wrong on a disk, and when.

Always true: a fault is chosen by counting operations that match it, so that the same run meets it
at the same place.
"""

from __future__ import annotations

import enum
import errno
from collections.abc import Callable

import attrs


class FaultKind(enum.Enum):
    """One way in which an operation ends."""

    EIO = "input/output error; a sync loses what was written and never says so again"
    ENOSPC = "no space left; a write may have put down its beginning"
    SHORT = "a write takes only its beginning, a read returns only its beginning"
    HANG = "the operation, and all that follow, wait for `SimDisk.resume`"
    LIE = "a sync says that it is done; what was written is read until the power is cut"
    LOST = "a write that never reaches the disk, though the cache shows it"
    MISDIRECTED = "a write that reaches the disk somewhere else"


#: A disk does these and says nothing; see `srshell.simulation.atlas` for where they may strike.
SILENT = frozenset({FaultKind.LIE, FaultKind.LOST, FaultKind.MISDIRECTED})


@attrs.frozen
class Operation:
    """One thing that a disk is asked to do."""

    #: Counted from 1 over the life of the disk.
    number: int
    #: open, create, link, remove, rename, sync_directory, read, write, sync, punch or drop_cache.
    name: str
    path: str
    #: Bytes.
    offset: int
    length: int
    #: The function that wanted it, if the loop names call sites.
    site: str = ""

    @property
    def changes(self) -> bool:
        """Whether a crash before it and one after it can differ."""
        return self.name in CHANGING


#: Names of operations that change what a power cut or a kill leaves.
CHANGING = frozenset({"link", "remove", "rename", "sync_directory", "write", "sync", "punch"})


@attrs.define(eq=False)
class Fault:
    """One thing to go wrong; made by `SimDisk.fail_at`."""

    kind: FaultKind
    #: Matching operations to let pass.
    passes_left: int
    operation: str | None = None
    #: A part of the path.
    path: str = ""
    #: It goes on going wrong.
    sticky: bool = False
    #: How often it did.
    hits: int = 0
    #: It strikes only at bytes from here on, and only what lies there.
    from_offset: int = 0
    #: Asked in the moment in which it would strike.
    guard: Callable[[], bool] | None = None

    def strikes(self, operation: Operation) -> bool:
        """Count an operation; say whether this one fails."""
        if self.operation is not None and self.operation != operation.name:
            return False
        if self.path not in operation.path or (self.hits and not self.sticky):
            return False
        if operation.name != "sync" and operation.offset < self.from_offset:
            return False
        if self.guard is not None and not self.guard():
            return False
        if self.passes_left > 0:
            self.passes_left -= 1
            return False
        self.hits += 1
        return True


def fail(kind: FaultKind | None) -> None:
    """Raise the error of a fault, if it is one."""
    if kind is FaultKind.EIO:
        raise OSError(errno.EIO, "input/output error")
    if kind is FaultKind.ENOSPC:
        raise OSError(errno.ENOSPC, "no space left on device")
