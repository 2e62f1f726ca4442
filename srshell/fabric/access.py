"""Who besides the owner's user may speak to the fabric, and as what.

    # access.toml, in the directory of the fabric; options of `srshell serve` add to it
    socket = "/run/storage/demo.sock"     # a second socket, for others
    viewer_groups = ["staff"]             # groups of this system
    operator_groups = ["storage"]
    token_file = "/etc/storage/tokens"    # lines of ROLE TOKEN

Always true:

(1) Without a word from the owner's user nobody else has a role.
(2) The kernel names the user and the groups of a client; nothing that a client says of itself
    counts, but a token that only the owner's user could have written down.
(3) Files that say who may do what belong to the owner's user, and nobody else can write to them;
    tokens nobody else can read either.
(4) Tokens are compared in constant time and never shown.
"""

from __future__ import annotations

import functools
import grp
import hmac
import os
import socket
import stat
import struct
import tomllib
from collections.abc import Iterable
from pathlib import Path

import attrs
import msgspec

from srshell.fabric.command_spec import Role
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.storage.trust import who_else_writes

#: Name of the file in the directory of the fabric.
FILE_NAME = "access.toml"
#: 128 bits in base64 without padding.
TOKEN_CHARACTERS_MIN = 22
_FILE_BYTES_MAX = 64 * 1024
#: ``SO_PEERGROUPS`` of Linux 4.13 and later; Python has no name for it.
_SO_PEERGROUPS = 59
_GROUPS_BYTES_MAX = 1024
_CREDENTIALS = struct.Struct("3i")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    socket: str = ""
    viewer_groups: list[str] = []
    operator_groups: list[str] = []
    token_file: str = ""


@attrs.frozen
class Peer:
    """Who is at the other end of a Unix socket, as the kernel says."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def of(cls, connection: socket.socket) -> Peer:
        """The process that connected, with its groups at that moment."""
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _process, uid, gid = _CREDENTIALS.unpack(raw)
        try:
            packed = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES_MAX)
        except OSError:
            # An older kernel, or more groups than fit: the first one counts alone.
            packed = b""
        others = (number for (number,) in struct.iter_unpack("=I", packed))
        return cls(uid, frozenset((gid, *others)))


@attrs.frozen
class Access:
    """The roles that were given away."""

    socket: Path | None = None
    viewer_groups: tuple[str, ...] = ()
    operator_groups: tuple[str, ...] = ()
    _tokens: tuple[tuple[Role, bytes], ...] = attrs.field(default=(), repr=False)

    def role_of(self, peer: Peer, token: str) -> Role | None:
        """The role of a client; None for a stranger.  Root may do everything anyway."""
        if peer.uid in {0, os.geteuid()}:
            return Role.ADMIN
        roles = set(self._roles_of_token(token))
        if peer.groups & _numbers(self.viewer_groups):
            roles.add(Role.VIEWER)
        if peer.groups & _numbers(self.operator_groups):
            roles.add(Role.OPERATOR)
        return max(roles, key=list(Role).index, default=None)

    def lines(self) -> tuple[str, ...]:
        """Who may do what, for people; no token is shown."""
        rows = [(Role.VIEWER, f"group {name}") for name in self.viewer_groups]
        rows += [(Role.OPERATOR, f"group {name}") for name in self.operator_groups]
        rows += [(role, "a token") for role, _ in self._tokens]
        return tuple(f"{role.value}: {who}" for role, who in rows)

    def socket_mode(self) -> tuple[int, int]:
        """Mode of the second socket, and its group; -1: the group stays.

        The system lets in no more than it has to; who is let in is looked at all the same.
        """
        groups = _numbers((*self.viewer_groups, *self.operator_groups))
        if self._tokens or len(groups) != 1:
            return 0o666, -1
        return 0o660, next(iter(groups))

    def _roles_of_token(self, token: str) -> Iterable[Role]:
        given = token.encode(errors="replace")
        # Every token is compared, so that time tells nothing of which one it was.
        return [role for role, known in self._tokens if hmac.compare_digest(known, given)]


def read_access(
    place: FabricPlace,
    *,
    viewer_groups: tuple[str, ...] = (),
    operator_groups: tuple[str, ...] = (),
    token_file: str | None = None,
    socket_path: str | None = None,
) -> Access:
    """The roles that the fabric's file and the options of its owner give.

    Raises:
        SrError: SR9009, a file cannot be trusted or read, or a group does not exist.
    """
    path = place.directory / FILE_NAME
    text = _read_trusted(path, secret=False) if os.path.lexists(path) else ""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise _unusable(path, str(error)) from error
    viewers = (*file.viewer_groups, *viewer_groups)
    operators = (*file.operator_groups, *operator_groups)
    for name in (*viewers, *operators):
        if not _numbers((name,)):
            raise _unusable(path, f"there is no group {name!a}")
    tokens = _read_tokens(Path(token_file or file.token_file or os.devnull))
    where = socket_path or file.socket
    if bool(where) != bool(viewers or operators or tokens):
        missing = "no group and no token" if where else "no socket for others"
        raise _unusable(path, f"it names {missing}")
    return Access(Path(where) if where else None, viewers, operators, tokens)


def shared_socket(access: Access) -> socket.socket | None:
    """A listening socket for those who were given a role; None when nobody was.

    Raises:
        SrError: SR9009, it cannot be made, or others could replace it.
    """
    path = access.socket
    if path is None:
        return None
    _check_parent(path)
    mode, group = access.socket_mode()
    from srshell.export.unix_socket import PrivateSocket

    try:
        listener = PrivateSocket.bind(path).take()
        try:
            os.chown(path, -1, group, follow_symlinks=False)
            path.chmod(mode)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    return listener


def _check_parent(path: Path) -> None:
    """Refuse a directory in which another user could put a socket of his own in our place."""
    if not path.is_absolute():
        raise _unusable(path, "its path is not absolute")
    try:
        status = path.parent.lstat()
    except OSError as error:
        raise _unusable(path, f"{path.parent}: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise _unusable(path, f"{path.parent} is no directory")
    if others := who_else_writes(status):
        raise _unusable(path, f"{path.parent}: {others}")


def _read_trusted(path: Path, *, secret: bool) -> str:
    """The text of a file that only the owner's user can have written."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_FILE_BYTES_MAX + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "it is no regular file")
    if status.st_uid not in {0, os.geteuid()}:
        raise _unusable(path, f"it belongs to user {status.st_uid}")
    if status.st_mode & (0o077 if secret else 0o022):
        verb = "read" if secret else "write"
        mode = stat.S_IMODE(status.st_mode)
        raise _unusable(path, f"others may {verb} it (mode {mode:o})")
    if len(data) > _FILE_BYTES_MAX:
        raise _unusable(path, f"it has more than {_FILE_BYTES_MAX} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _unusable(path, "it is not UTF-8") from error


def _read_tokens(path: Path) -> tuple[tuple[Role, bytes], ...]:
    """The lines ROLE TOKEN of a file; empty ones and those that begin with # are left out."""
    if path == Path(os.devnull):
        return ()
    tokens = []
    for number, line in enumerate(_read_trusted(path, secret=True).splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] not in set(Role):  # noqa: PLR2004 - ROLE TOKEN
            raise _unusable(path, f"line {number} is not ROLE TOKEN")
        if len(words[1]) < TOKEN_CHARACTERS_MIN:
            raise _unusable(
                path, f"the token of line {number} has under {TOKEN_CHARACTERS_MIN} characters"
            )
        tokens.append((Role(words[0]), words[1].encode()))
    return tuple(tokens)


def _numbers(names: Iterable[str]) -> frozenset[int]:
    """The numbers of groups; one that does not exist has none."""
    found = map(_number, names)
    return frozenset(number for number in found if number is not None)


@functools.cache
def _number(name: str) -> int | None:
    """The number of a group, asked once: the answer can come over a network, and take its time."""
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None


def _unusable(path: Path, facts: str) -> SrError:
    return SrError.make("SR9009", facts=facts, file=str(path))
