"""Passes NBD clients on to the socket of a site: from TCP, with TLS if wanted, or from a stream.

    client                     gateway                           site
      <---------- greeting -------|
      ---- flags, STARTTLS ------>|  only with TLS; every other option is refused until then
      <========= TLS ============>|
                                  |------ flags, ONLY name ------->
      ----- options, requests ----|------------------------------->
      <---------------------------|------- answers ---------------

Always true:

(1) Where TLS is asked for, nothing of the client reaches the site before both sides have proven
    who they are, and nothing that came before TLS counts after it.
(2) A client sees one export and no other; the empty name stands for it.
(3) Which site that is, is asked anew for each client.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.export.nbd_numbers import OPTION_MAGIC, Option, OptionReply
from srshell.export.nbd_options import (
    CLIENT_FLAGS,
    GREETING,
    OPTION_HEADER,
    encode_only,
    option_reply,
)
from srshell.model.errors import SrError

_log: Final = logging.getLogger(__name__)

#: From the connection of a client to its first request for an export, in seconds.
_HANDSHAKE_SECONDS: Final = 10.0
_CLIENTS_MAX: Final = 64
_OPTION_BYTES_MAX: Final = 4096
_BUFFER_BYTES: Final = 1024 * 1024
_REPLY: Final = struct.Struct(">QIII")


class NotPassedOn(Exception):
    """A client that cannot be passed on, and why."""


@attrs.frozen
class Target:
    """Where a client is passed on to."""

    export: str
    socket_path: Path
    shown: str  # the name that clients know it by


@attrs.frozen
class Stream:
    """Both directions of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@attrs.define(eq=False)
class Gateway:
    """Passes on any number of clients."""

    _find_target: Callable[[], Awaitable[Target]]
    _tls: ssl.SSLContext | None = None
    _clients: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Accept clients until cancelled; then end them."""
        accepting = [asyncio.create_task(self._accept(listener)) for listener in listeners]
        try:
            await asyncio.gather(*accepting)
        finally:
            for task in (*accepting, *self._clients):
                task.cancel()
            await asyncio.gather(*accepting, *self._clients, return_exceptions=True)

    async def pass_on(self, client: Stream) -> None:
        """Pass on one client whose stream is at hand, to its end.

        Raises:
            NotPassedOn: the site cannot be reached, or what came is not NBD.
            SrError: nobody serves the export now.
        """
        try:
            site, target = await self._connect()
            try:
                client.writer.write(await _exactly(site.reader, len(GREETING)))
                flags = await _exactly(client.reader, CLIENT_FLAGS.size)
                await _introduce(site, flags, target)
                await _splice(client, site)
            finally:
                site.writer.close()
        finally:
            client.writer.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            if len(self._clients) >= _CLIENTS_MAX:
                connection.close()
                continue
            task = asyncio.create_task(self._serve_socket(connection))
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)

    async def _serve_socket(self, connection: socket.socket) -> None:
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is None:
                await self.pass_on(await stream_of(connection))
            else:
                await self._serve_tls(connection, self._tls)
        except (
            NotPassedOn,
            SrError,
            OSError,
            TimeoutError,
            asyncio.IncompleteReadError,
        ) as error:
            _log.info("a client is not passed on: %s", error)
        finally:
            connection.close()

    async def _serve_tls(self, connection: socket.socket, tls: ssl.SSLContext) -> None:
        async with asyncio.timeout(_HANDSHAKE_SECONDS):
            flags = await _await_starttls(connection)
            if flags is None:
                return
            client = await stream_of(connection, tls)
        try:
            site, target = await self._connect()
            try:
                await _exactly(site.reader, len(GREETING))
                await _introduce(site, flags, target)
                await _splice(client, site)
            finally:
                site.writer.close()
        finally:
            client.writer.close()

    async def _connect(self) -> tuple[Stream, Target]:
        """Connect to the site that serves the export now."""
        target = await self._find_target()
        path = target.socket_path
        reader, writer = await asyncio.open_unix_connection(path, limit=_BUFFER_BYTES)
        return Stream(reader, writer), target


async def _introduce(site: Stream, flags: bytes, target: Target) -> None:
    """Say on behalf of the client what its flags are, and which export there is for it."""
    site.writer.write(flags + encode_only(target.export, target.shown))
    _, _, reply, length = _REPLY.unpack(await _exactly(site.reader, _REPLY.size))
    if reply != OptionReply.ACK or length:
        raise NotPassedOn("the site does not know gateways: it is of an older version")


async def _await_starttls(connection: socket.socket) -> bytes | None:
    """Greet a client and wait for its STARTTLS; its flags, or None if it leaves.

    Nothing beyond the option is read: what is there already would be taken for encrypted.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, GREETING)
    flags = await _receive(connection, CLIENT_FLAGS.size)
    while True:
        magic, option, length = OPTION_HEADER.unpack(await _receive(connection, OPTION_HEADER.size))
        if magic != OPTION_MAGIC or length > _OPTION_BYTES_MAX or option == Option.EXPORT_NAME:
            raise NotPassedOn("it did not ask for TLS")
        await _receive(connection, length)
        reply = OptionReply.ERR_TLS_REQD
        if option == Option.STARTTLS:
            reply = OptionReply.ERR_INVALID if length else OptionReply.ACK
        elif option == Option.ABORT:
            reply = OptionReply.ACK
        await loop.sock_sendall(connection, option_reply(option, reply))
        if option == Option.ABORT:
            return None
        if option == Option.STARTTLS and not length:
            return flags


async def _receive(connection: socket.socket, count: int) -> bytes:
    """Receive so many bytes and not one more."""
    received = bytearray()
    while len(received) < count:
        part = await asyncio.get_running_loop().sock_recv(connection, count - len(received))
        if not part:
            raise NotPassedOn("it left")
        received += part
    return bytes(received)


async def _exactly(reader: asyncio.StreamReader, count: int) -> bytes:
    async with asyncio.timeout(_HANDSHAKE_SECONDS):
        return await reader.readexactly(count)


async def stream_of(connection: socket.socket, tls: ssl.SSLContext | None = None) -> Stream:
    """Streams over an accepted socket; with TLS once both sides have proven who they are."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BUFFER_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    return Stream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def _splice(client: Stream, site: Stream) -> None:
    """Copy both ways until the site has said all it has to say, or either is gone."""
    asking = asyncio.create_task(_copy(client.reader, site.writer))
    try:
        await _copy(site.reader, client.writer)
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await asking


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction to its end, and tell the other side that it has ended."""
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(_BUFFER_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
