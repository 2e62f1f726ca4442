"""Open links over sockets and accept them.

Always true:

(1) A Unix socket is made with mode 0600, and only its owner and root are let in.
(2) Nothing is sent in clear text to another host unless the network was made for that.
(3) A socket that somebody answers on is never taken away from him.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from srshell.transport.address import Address, TcpAddress, UnixAddress, parse_address
from srshell.transport.closing import close_server
from srshell.transport.link import Accept, Link, LinkClosed, LinkRefused
from srshell.transport.stream_link import StreamLink

CONNECT_SECONDS: Final = 5.0
_BACKLOG: Final = 64
#: How long to leave a full backlog alone.
_BACKLOG_SECONDS: Final = 0.01
_PEER: Final = struct.Struct("3i")


class StreamNetwork:
    """`Network` over Unix and TCP sockets.

    ``clear_text_hosts`` allows TCP to other hosts; the caller answers for the wire.
    """

    def __init__(self, *, clear_text_hosts: bool = False) -> None:
        """Nothing is opened yet."""
        self.clear_text_hosts = clear_text_hosts

    async def connect(self, address: str) -> StreamLink:
        """Open a link; raises `LinkRefused` after at most `CONNECT_SECONDS`."""
        place = self._allowed(address)
        loop = asyncio.get_running_loop()
        link = StreamLink(lambda _: None, str(place))
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if isinstance(place, UnixAddress):
                    connected = await _connect_unix(place.path)
                    await loop.create_unix_connection(lambda: link, sock=connected)
                else:
                    await loop.create_connection(lambda: link, place.host, place.port)
        except TimeoutError:
            raise LinkRefused(f"{place} did not answer in {CONNECT_SECONDS:g} s") from None
        except OSError as error:
            raise LinkRefused(f"{place}: {error.strerror or error}") from error
        return link

    async def listen(self, address: str, accept: Accept) -> StreamListener:
        """Accept links; raises `LinkRefused` if the address is taken or not allowed."""
        place = self._allowed(address)
        listener = StreamListener(accept)
        try:
            await listener.open(place)
        except OSError as error:
            raise LinkRefused(f"{place}: {error.strerror or error}") from error
        return listener

    def _allowed(self, address: str) -> Address:
        place = parse_address(address)
        if isinstance(place, TcpAddress) and not (place.is_this_host or self.clear_text_hosts):
            raise LinkRefused(f"{place} is another host, and this link would not be encrypted")
        return place


class StreamListener:
    """A listening socket and the tasks of the links it accepted."""

    def __init__(self, accept: Accept) -> None:
        """Not open yet."""
        self.address = ""
        self._accept = accept
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: The socket in the file system: its path, device and inode.
        self._path: tuple[str, int, int] | None = None

    async def open(self, place: Address) -> None:
        """Start to listen; raises `OSError` or `LinkRefused`."""
        loop = asyncio.get_running_loop()
        if isinstance(place, UnixAddress):
            listening = _bind_unix(place.path)
            self._server = await loop.create_unix_server(
                self._new_link, sock=listening, backlog=_BACKLOG
            )
            status = os.lstat(place.path)
            self._path = (place.path, status.st_dev, status.st_ino)
            self.address = str(place)
        else:
            self._server = await loop.create_server(
                self._new_link, place.host, place.port, backlog=_BACKLOG
            )
            port = self._server.sockets[0].getsockname()[1]
            self.address = str(TcpAddress(place.host, port))

    def close(self) -> None:
        """Accept no more; links already open stay open."""
        if self._server is not None:
            close_server(self._server)
            self._server = None
        if self._path is not None:
            path, device, inode = self._path
            self._path = None
            with suppress(OSError):
                status = os.lstat(path)
                # Somebody may listen there since.
                if (status.st_dev, status.st_ino) == (device, inode):
                    Path(path).unlink()

    def _new_link(self) -> StreamLink:
        return StreamLink(self._opened)

    def _opened(self, link: StreamLink) -> None:
        assert link._transport is not None  # noqa: SLF001  (its own factory)
        name, allowed = _peer(link._transport)  # noqa: SLF001
        link.peer_name = name
        if not allowed:
            link._transport.abort()  # noqa: SLF001
            return
        task = asyncio.get_running_loop().create_task(self._run(link), name=f"link from {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that is cancelled before its first step never closes the link by itself.
        task.add_done_callback(lambda task: link.close() if task.cancelled() else None)

    async def _run(self, link: Link) -> None:
        try:
            await self._accept(link)
        except LinkClosed:
            link.close()
        except BaseException:
            link.close()
            raise


async def _connect_unix(path: str) -> socket.socket:
    """Connect by hand: where the backlog is full, asyncio takes the socket for connected."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        while True:
            try:
                connected.connect(path)
                return connected
            except BlockingIOError:
                await asyncio.sleep(_BACKLOG_SECONDS)
    except BaseException:
        connected.close()
        raise


def _bind_unix(path: str) -> socket.socket:
    """Bind a socket that nobody but its owner can open; take over a path that nobody answers on."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            _refuse_if_answered(path)
            Path(path).unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            listening.bind(path)
        finally:
            os.umask(before)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening


def _refuse_if_answered(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return
        except BlockingIOError:
            pass
    raise LinkRefused(f"unix:{path} is in use")


def _peer(transport: asyncio.Transport) -> tuple[str, bool]:
    """Return the name of whoever connected, and whether he may."""
    peer_socket = transport.get_extra_info("socket")
    if peer_socket is None or peer_socket.family != socket.AF_UNIX:
        host, port, *_ = transport.get_extra_info("peername") or ("?", 0)
        return str(TcpAddress(host, port)), True
    if not hasattr(socket, "SO_PEERCRED"):
        return "unix", True
    credentials = peer_socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    process, user, _ = _PEER.unpack(credentials)
    return f"unix, process {process}, user {user}", user in {0, os.geteuid()}
