"""Who is a site: the process that holds the lock in its directory.

Always true:

(1) The lock ends with its process: two processes are never the same site.
(2) The note in the lock file names the process by number, start and boot: a number that the system
    gave to another process meanwhile is not mistaken for the site.
(3) Looking who the site is does not touch the lock.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.site.errors import to_sr_error
from srshell.site.settings import SiteSettings
from srshell.storage import AlreadyLocked, LockFile, StorageError, lock_note

#: Where the state and the time of start (in clock ticks) stand after the name of the process.
_STATE: Final = 0
_START: Final = 19
_ENDED: Final = frozenset({"Z", "X"})


@attrs.frozen
class ProcessMark:
    """A process, told from every other one that ever had its number."""

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessMark | None:
        """Return the mark of a living process; None if there is none of that number."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        # The name, in parentheses, may hold anything; the other fields follow its last one.
        fields = text.rpartition(")")[2].split()
        if fields[_STATE] in _ENDED:
            return None
        return cls(pid, int(fields[_START]), boot)

    @classmethod
    def parse(cls, note: str) -> ProcessMark | None:
        """Return the mark that a lock's note holds; None if it holds none."""
        match note.split():
            case [pid, ticks, boot] if pid.isdecimal() and ticks.isdecimal():
                return cls(int(pid), int(ticks), boot)
        return None

    @property
    def alive(self) -> bool:
        """Whether this very process lives; one that has ended and waits for its parent does not."""
        return ProcessMark.of(self.pid) == self

    def __str__(self) -> str:
        return f"{self.pid} {self.start_ticks} {self.boot}"


def lock_site(settings: SiteSettings) -> LockFile:
    """Become the site of a directory, which is made if need be.  Blocks.

    Raises:
        SrError: SR9221, the site lives already; SR9006, the directory cannot be used.
    """
    path = settings.lock_path
    try:
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = ProcessMark.of(os.getpid())
        return LockFile.take(str(path), f"{mark}\n")
    except AlreadyLocked as error:
        pid = lock_note(str(path)).partition(" ")[0] or "?"
        facts = f"site {settings.array} runs as process {pid}"
        raise SrError.make("SR9221", facts=facts, file=str(path)) from error
    except StorageError as error:
        raise to_sr_error(error) from error
    except OSError as error:
        facts = f"{settings.directory}: {error.strerror}"
        home = str(settings.directory)
        raise SrError.make("SR9006", facts=facts, fabric=home, example="DIR") from error


def leave_site(lock: LockFile) -> None:
    """Be the site no longer: take the own name out of the lock file, then let go of it.  Blocks."""
    with suppress(OSError):
        os.truncate(lock.path, 0)
    lock.release()


def living_site(lock_path: Path) -> ProcessMark | None:
    """Return the process that is the site now; None if no process is.  Blocks.

    Raises:
        SrError: SR9220, the lock file cannot be read.
    """
    try:
        mark = ProcessMark.parse(lock_note(str(lock_path)))
    except StorageError as error:
        if error.errno_name == "ENOENT":
            return None
        raise to_sr_error(error) from error
    return mark if mark is not None and mark.alive else None
