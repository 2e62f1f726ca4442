"""A listening Unix socket that only its owner can open.

Always true:

(1) The file has mode 0600 from the moment it exists.
(2) A file that is no socket, or whose server answers, is left alone.
(3) Only the file that was made here is removed.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from pathlib import Path

import attrs

#: Process, user and group of a peer.
_CREDENTIALS = struct.Struct("3i")
#: ``sun_path`` on Linux, without its NUL.
_PATH_BYTES_MAX = 107


@attrs.define(eq=False)
class PrivateSocket:
    """A bound socket and the file it is reached by."""

    path: Path
    _socket: socket.socket
    #: Device and inode of the file.
    _identity: tuple[int, int]

    @classmethod
    def bind(cls, path: Path) -> PrivateSocket:
        """Bind a socket at ``path``, in place of one that a dead process left behind.

        Raises:
            OSError: EADDRINUSE if a server answers there or the file is no socket, otherwise what
                the system says.
        """
        if len(os.fsencode(path)) > _PATH_BYTES_MAX:
            text = f"a Unix socket's path has at most {_PATH_BYTES_MAX} bytes"
            raise OSError(errno.ENAMETOOLONG, text, str(path))
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            _remove_stale(path)
            # A umask and not a chmod afterwards: in between, anyone could connect.
            previous = os.umask(0o177)
            try:
                bound.bind(str(path))
            finally:
                os.umask(previous)
            return cls(path, bound, _identity(path.lstat()))
        except OSError as error:
            bound.close()
            raise _at(path, error) from None
        except BaseException:
            bound.close()
            raise

    def take(self) -> socket.socket:
        """Return the socket; whoever takes it closes it."""
        return self._socket

    def remove(self) -> None:
        """Remove the file, unless another server has replaced it."""
        try:
            if _identity(self.path.lstat()) == self._identity:
                self.path.unlink()
        except FileNotFoundError:
            return


def is_own_user(connection: socket.socket | None) -> bool:
    """Whether this user, or root, is at the other end; the kernel says so, not the peer."""
    return connection is not None and peer_user(connection) in {None, 0, os.geteuid()}


def peer_user(connection: socket.socket) -> int | None:
    """The user at the other end; None where the system does not tell."""
    if connection.family != socket.AF_UNIX or not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _at(path: Path, error: OSError) -> OSError:
    """Return the error with the path in it, which ``bind`` leaves out."""
    return error if error.filename else OSError(error.errno, error.strerror, str(path))


def _remove_stale(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.EADDRINUSE, "a file that is no socket is in the way", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            pass  # its queue of connections is full, so somebody listens
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
    raise OSError(errno.EADDRINUSE, "a server is running on this socket", str(path))
