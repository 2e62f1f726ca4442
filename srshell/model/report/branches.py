"""What losers of split brains wrote, as it is kept: branches, where they are served, how long.

Always true: times are Unix seconds; one that is not known is None.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from srshell.model.report.base import Named, Rows
from srshell.model.report.exports import NbdExport


@attrs.frozen
class BranchVolume:
    """A volume of a branch: a raw image, and how much of it only the loser had."""

    volume: str
    path: str
    size_bytes: int
    diverged_bytes: int
    shared: bool = False  # shares blocks with the volume


@attrs.frozen
class BranchRow(Named):
    """One branch."""

    name: str
    group: str
    array: str  # the array that lost, where the branch lies
    kept: str  # the array whose writes stayed
    saved_unix: float
    expires_unix: float
    size_bytes: int
    used_bytes: int
    diverged_blocks: int
    diverged_bytes: int
    from_lsn: int  # both sides hold the writes up to here
    to_lsn: int
    first_write_unix: float | None
    last_write_unix: float | None
    volumes: tuple[BranchVolume, ...]
    exports: tuple[NbdExport, ...] = ()


@attrs.frozen
class BranchesReport(Rows[BranchRow]):
    """All branches, the oldest first, and what kept others from being listed."""

    branches: tuple[BranchRow, ...]
    #: Arrays whose sites do not answer: their branches are not in the list.
    unreachable: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    schema: str = "srshell.branches/1"
    ROWS: ClassVar[str] = "branches"


@attrs.frozen
class BranchReport:
    """One branch, as it is now or was when it was removed."""

    branch: BranchRow
    removed: bool = False
    schema: str = "srshell.branch/1"


@attrs.frozen
class BranchExport:
    """Where the volumes of a branch are served, read-only."""

    branch: str
    array: str
    exports: tuple[NbdExport, ...]
    serving: bool = True
    schema: str = "srshell.branch-export/1"

    @property
    def uri(self) -> str:
        """Address of the first volume; empty while it is not served."""
        return self.exports[0].uri if self.exports else ""

    def __str__(self) -> str:
        return self.uri
