"""A server of network block devices on a Unix socket.

Always true:

(1) The socket file is never open to another user, not even for a moment.
(2) A running server's socket is never taken over; what a dead one left behind is replaced.
(3) After `NbdServer.disconnect` no call of the export's former clients is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import attrs

from srshell.export.device import BlockDevice
from srshell.export.nbd_options import Export
from srshell.export.nbd_session import NbdSession, SessionLimits
from srshell.export.unix_socket import PrivateSocket
from srshell.transport.closing import close_server

#: Connections above this number are closed at once.
CLIENTS_MAX = 256


@attrs.define(eq=False)
class NbdServer:
    """Serves the devices that ``find_export`` returns, under the names that ``list_exports`` tells.

    ``find_export`` is asked each time a client chooses an export; a client keeps its device until
    it leaves or is disconnected.
    """

    _find_export: Callable[[str], BlockDevice | None]
    _list_exports: Callable[[], list[str]]
    _limits: SessionLimits = attrs.field(factory=SessionLimits)
    _clients_max: int = CLIENTS_MAX
    _sessions: set[NbdSession] = attrs.field(factory=set, init=False)
    #: How many `disconnect` calls are under way for a name.
    _leaving: dict[str, int] = attrs.field(factory=dict, init=False)
    _socket: PrivateSocket | None = attrs.field(default=None, init=False)
    _listener: asyncio.Server | None = attrs.field(default=None, init=False)

    async def start(self, path: str | Path) -> None:
        """Listen at ``path``, with mode 0600.

        Raises:
            OSError: ``path`` is too long, is something else than a socket, belongs to a server
                that answers, or its folder does not exist or is not writable.
        """
        assert self._listener is None, "a server starts once"
        self._socket = PrivateSocket.bind(Path(path))
        self._listener = await asyncio.get_running_loop().create_unix_server(
            self._session, sock=self._socket.take(), backlog=128
        )

    def clients(self, name: str | None = None) -> int:
        """Return how many clients an export has, or how many there are in all."""
        return sum(name is None or session.export_name == name for session in self._sessions)

    async def disconnect(self, name: str, drain_seconds: float | None = None) -> int:
        """Answer what the clients of an export have under way, then end their connections.

        Until this returns, new requests get ESHUTDOWN and new clients are refused.  Take the export
        out of what ``find_export`` returns first, or a client may come back right after.

        Args:
            name: the export's name.
            drain_seconds: end the connections after this time even if calls have not returned;
                their clients get no answer.  None waits for as long as the device takes.

        Returns:
            The number of calls that had not returned; 0 unless ``drain_seconds`` ran out.
        """
        self._leaving[name] = self._leaving.get(name, 0) + 1
        try:
            sessions = [each for each in self._sessions if each.export_name == name]
            return await _end_sessions(sessions, drain_seconds)
        finally:
            self._leaving[name] -= 1
            if not self._leaving[name]:
                del self._leaving[name]

    async def close(self, drain_seconds: float | None = None) -> int:
        """Stop listening and end all connections, as `disconnect` does; remove the socket file."""
        if self._listener is not None:
            close_server(self._listener)
        if self._socket is not None:
            self._socket.remove()
        unfinished = await _end_sessions(list(self._sessions), drain_seconds)
        if self._listener is not None:
            await self._listener.wait_closed()
            self._listener = None
        return unfinished

    # What the handshake asks (`srshell.export.nbd_handshake.Exports`).

    def find(self, name: str) -> Export | None:
        """Return an export by its name; the empty name stands for the only export there is."""
        if not name:
            names = self._list_exports()
            if len(names) != 1:
                return None
            name = names[0]
        device = self._find_export(name)
        return None if device is None else Export.of(name, device)

    def names(self) -> list[str]:
        """Return the names that a client may be told."""
        return self._list_exports()

    def is_leaving(self, name: str) -> bool:
        """Whether `disconnect` is under way for the export."""
        return name in self._leaving

    def _session(self) -> asyncio.BaseProtocol:
        if len(self._sessions) >= self._clients_max:
            return _Refused()
        session = NbdSession(self, self._limits, self._sessions.discard)
        self._sessions.add(session)
        return session


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it before it costs anything."""
        transport.close()


async def _end_sessions(sessions: list[NbdSession], drain_seconds: float | None) -> int:
    """End connections once drained or out of time; return how many calls are unfinished."""
    for session in sessions:
        session.shut_down()
    endings = [session.ended for session in sessions]
    if not endings:
        return 0
    _, late = await asyncio.wait(endings, timeout=drain_seconds)
    if not late:
        return 0
    unfinished = sum(session.requests_under_way for session in sessions)
    for session in sessions:
        session.abort()
    return unfinished
