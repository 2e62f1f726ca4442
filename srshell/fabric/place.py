"""Where a fabric lives: one directory, and the files in it that owner and clients agree on.

Always true:

(1) The directory belongs to its user, and nobody else can write into it; one that is made here
    nobody else can enter (0700).
(2) ``owner.json`` is written whole by an owner that answers; it may outlive that owner.
(3) The one who holds the lock on ``owner.lock`` is the owner.  The lock ends with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import attrs

from srshell.model.errors import SrError

#: Environment variable that names the directory of the fabric.
VARIABLE = "SRSHELL_FABRIC"


@attrs.frozen
class FabricPlace:
    """The directory of a fabric and the names of what is in it.

    Who was given a role by another user knows nothing of the directory but ``shared_socket``.
    """

    directory: Path
    shared_socket: Path | None = None

    @property
    def catalogue(self) -> Path:
        """The database of names, groups, jobs and events."""
        return self.directory / "catalogue.sqlite"

    @property
    def owner_lock(self) -> Path:
        """The file whose lock the owner holds."""
        return self.directory / "owner.lock"

    @property
    def owner_card(self) -> Path:
        """Where the owner can be reached."""
        return self.directory / "owner.json"

    @property
    def owner_log(self) -> Path:
        """What the owner and its sites have to say beyond events."""
        return self.directory / "owner.log"

    @property
    def machines(self) -> Path:
        """One directory for each virtual machine."""
        return self.directory / "machines"

    @property
    def recording(self) -> Path:
        """What the fabric looked like, for `srshell dash --replay`."""
        return self.directory / "recording.jsonl"

    def make(self) -> None:
        """Make the directory, for its user alone.

        Raises:
            SrError: SR9006, it cannot be made or named, or belongs to somebody else.
        """
        # Loading it takes a fifth of a command's start, and most commands find the fabric made.
        from srshell.storage.trust import who_else_writes

        try:
            str(self.directory).encode()
        except UnicodeEncodeError as error:
            raise self.unusable("its path is not UTF-8") from error
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.directory.stat()
        except OSError as error:
            raise self.unusable(f"mkdir: {error.strerror}") from error
        if not self.directory.is_dir():
            raise self.unusable("it is no directory")
        if status.st_uid != os.geteuid():
            raise self.unusable(f"it belongs to user {status.st_uid}")
        if others := who_else_writes(status):
            raise self.unusable(others)
        if not os.access(self.directory, os.R_OK | os.W_OK | os.X_OK):
            raise self.unusable("it is not writable")

    def unusable(self, facts: str) -> SrError:
        """The error for a directory that cannot hold this fabric."""
        home = str(self.directory)
        return SrError.make("SR9006", facts=facts, fabric=home, example="DIR")

    def read_card(self) -> dict[str, Any]:
        """What the owner wrote about itself; empty when no owner ever did."""
        if self.shared_socket is not None:
            return {"socket": str(self.shared_socket)}
        try:
            card = json.loads(self.owner_card.read_text())
        except (OSError, ValueError):
            return {}
        return card if isinstance(card, dict) else {}

    def write_card(self, card: dict[str, object]) -> None:
        """Say where the owner can be reached; replaces what an earlier one said."""
        fresh = self.owner_card.with_suffix(".new")
        fresh.write_text(json.dumps(card))
        fresh.replace(self.owner_card)


def default_directory() -> Path:
    """The fabric of a user who names none."""
    from platformdirs import user_data_path

    return user_data_path("srshell") / "default"


def find_place(name_or_path: str | os.PathLike[str] | None = None) -> FabricPlace:
    """The fabric that a person means.

    Args:
        name_or_path: a directory; the socket that its owner made for others; or a plain name, which
            stands for a fabric of this user unless a directory of that name is here.  None: what
            `VARIABLE` says, else the user's default.

    Raises:
        SrError: SR9006, the path begins where a directory was removed.
    """
    text = os.fspath(name_or_path) if name_or_path is not None else os.environ.get(VARIABLE, "")
    if not text:
        return FabricPlace(default_directory())
    path = Path(text).expanduser()
    is_name = name_or_path is not None and os.sep not in text and not text.startswith((".", "~"))
    if is_name and not path.is_dir():
        return FabricPlace(default_directory().parent / text)
    try:
        path = path.absolute()
    except FileNotFoundError as error:
        raise FabricPlace(path).unusable("the directory where you are was removed") from error
    return FabricPlace(path, path if _is_socket(path) else None)


def _is_socket(path: Path) -> bool:
    """Whether a socket lies there; one that this user cannot come to is none for it."""
    try:
        return path.is_socket()
    except OSError:
        return False


class OwnerLock:
    """The lock that makes a process the owner of a fabric for as long as it lives."""

    def __init__(self, place: FabricPlace) -> None:
        self._place = place
        self._descriptor = -1

    def take(self) -> bool:
        """Take the lock; False if another process holds it.

        Raises:
            SrError: SR9006, the lock file cannot be opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._place.owner_lock, flags, 0o600)
        except OSError as error:
            raise self._place.unusable(f"open owner.lock: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def holder_died(self) -> int:
        """The process that held the lock before and did not let go of it; 0 if there is none."""
        text = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0

    def sign(self) -> None:
        """Write down who holds the lock."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
