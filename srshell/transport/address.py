"""Addresses of links: ``unix:/path/to/socket``, ``tcp:host:port``, ``tcp:[::1]:port``.

Always true: text that is no address raises `AddressError` with what is wrong; nothing is guessed.
"""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias

import attrs

from srshell.transport.link import LinkRefused

#: The kernel keeps a socket's path in 108 bytes with its end; 104 on the BSDs and macOS.
UNIX_PATH_BYTES_MAX: Final = 103
PORT_MAX: Final = 65535


class AddressError(LinkRefused):
    """The text does not name a place where a link can be opened."""


@attrs.frozen
class UnixAddress:
    """A socket in the file system of this host."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@attrs.frozen
class TcpAddress:
    """A port of a host; port 0 lets a listener choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp:{host}:{self.port}"

    @property
    def is_this_host(self) -> bool:
        """Whether nothing sent there leaves this host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


Address: TypeAlias = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """Return the address that ``text`` names; raises `AddressError`."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "unix":
        return _parse_unix(rest)
    if colon and kind == "tcp":
        return _parse_tcp(rest)
    raise AddressError(f"{text!r} is neither unix:/path nor tcp:host:port")


def _parse_unix(path: str) -> UnixAddress:
    if not path.startswith("/") or "\0" in path:
        raise AddressError(f"the socket {path!r} needs an absolute path")
    if len(path.encode()) > UNIX_PATH_BYTES_MAX:
        raise AddressError(f"the path of socket {path} is above {UNIX_PATH_BYTES_MAX} bytes")
    return UnixAddress(path)


def _parse_tcp(text: str) -> TcpAddress:
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f"write the address of {text!r} in brackets: [::1]:port")
    if not host:
        raise AddressError(f"{text!r} names no host")
    if not (port.isascii() and port.isdecimal()) or int(port) > PORT_MAX:
        raise AddressError(f"{text!r} has no port between 0 and {PORT_MAX}")
    return TcpAddress(host, int(port))
