"""Where the sockets of a fabric lie: a directory of our own whose path is short enough.

Always true:

(1) The directory belongs to this user and nobody else can enter it (0700).  It is no symbolic link.
(2) Every socket path in it has fewer than 100 bytes: the system refuses longer ones (108 on Linux).
(3) The same fabric always gives the same directory, so an owner that starts finds running sites.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from srshell.model.errors import SrError

SOCKET_PATH_BYTES_MAX: Final = 99
_PRIVATE: Final = 0o700

#: An array's name, a dot and a kind: "ClusterA.link".  Longer names are cut and get a hash.
_SOCKET_NAME_BYTES_MAX: Final = 22
_DIRECTORY_BYTES_MAX: Final = SOCKET_PATH_BYTES_MAX - 1 - _SOCKET_NAME_BYTES_MAX


def run_directory(fabric_directory: Path) -> Path:
    """Return the directory for the sockets of a fabric, making it if need be.

    Raises:
        SrError: SR9006, no directory can be used; the facts say why.
    """
    fabric = fabric_directory.resolve()
    for candidate in _candidates(fabric):
        if len(os.fsencode(candidate)) <= _DIRECTORY_BYTES_MAX:
            _make_private(candidate, fabric)
            return candidate
    facts = f"every path for its sockets has more than {_DIRECTORY_BYTES_MAX} bytes"
    raise SrError.make("SR9006", facts=facts, fabric=str(fabric), example="DIR")


def socket_path(directory: Path, array: str, kind: str) -> Path:
    """Return the path of one socket of a site; ``kind`` is ``site``, ``link`` or ``nbd``."""
    name = f"{array}.{kind}"
    if len(name) > _SOCKET_NAME_BYTES_MAX:
        mark = hashlib.sha256(array.encode()).hexdigest()[:8]
        name = f"{array[: _SOCKET_NAME_BYTES_MAX - len(kind) - 10]}-{mark}.{kind}"
    path = directory / name
    assert len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX, path
    return path


def _candidates(fabric: Path) -> Iterator[Path]:
    yield fabric / "run"
    mark = hashlib.sha256(os.fsencode(fabric)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.path.isdir(runtime):  # noqa: PTH112, PTH117 - text, not a path yet
        yield Path(runtime) / "srshell" / mark
    yield Path(f"/tmp/srshell-{os.geteuid()}") / mark  # noqa: S108 - made private and checked below


def _make_private(directory: Path, fabric: Path) -> None:
    """Make the directory, and its parent if that is ours alone; refuse what somebody else made."""
    chain = [directory] if directory.parent == fabric else [directory.parent, directory]
    for path in chain:
        try:
            path.mkdir(mode=_PRIVATE, exist_ok=True)
            status = path.lstat()
        except OSError as error:
            raise _unusable(fabric, f"mkdir {path}: {error.strerror}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise _unusable(fabric, f"{path} is no directory")
        if status.st_uid != os.geteuid():
            raise _unusable(fabric, f"{path} belongs to user {status.st_uid}")
        if stat.S_IMODE(status.st_mode) != _PRIVATE:
            path.chmod(_PRIVATE)  # it was there, or the umask took more than it should


def _unusable(fabric: Path, facts: str) -> SrError:
    return SrError.make("SR9006", facts=facts, fabric=str(fabric), example="DIR")
