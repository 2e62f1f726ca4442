"""`srshell gateway`: NBD clients that do not come by the site's own socket are passed on to it.

Always true:

(1) Beyond this machine a client is let in only with a certificate that the gateway's CA signed.
(2) Each client reaches the side that leads when it comes; so an address outlives a failover.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import ssl
import stat
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from srshell.cli.surroundings import Exit, Surroundings
from srshell.export.gateway import Gateway, NotPassedOn, Stream, Target, stream_of
from srshell.fabric.sync_client import SyncFabric, connect
from srshell.model.errors import SrError
from srshell.model.report import NbdExport

#: The first descriptor of a socket that was handed over, as systemd and libnbd do.
_FIRST_HANDED_OVER: Final = 3
_PORT: Final = 10809
_BACKLOG: Final = 64


def is_wanted(words: list[str]) -> bool:
    """Whether `srshell nbd` was typed in a way that only a gateway can answer."""
    return words[:1] == ["nbd"] and "--off" not in words and (
        "--stdio" in words or "--listen" in words or handed_over() > 0
    )  # fmt: skip


def handed_over() -> int:
    """How many sockets were handed over to this very process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return 0
    count = os.environ.get("LISTEN_FDS", "")
    return int(count) if count.isdigit() else 0


def run(arguments: dict[str, Any], around: Surroundings) -> int:
    """Pass clients on until they, or whoever started us, have had enough."""
    volume, read_only = str(arguments["volume"]), bool(arguments.get("read_only"))
    listen, directory = arguments.get("listen"), arguments.get("tls")
    listeners = [socket.socket(fileno=_FIRST_HANDED_OVER + n) for n in range(handed_over())]
    tls = make_context(Path(directory)) if directory else None
    if not listeners and not arguments.get("stdio"):
        address = _parse_address(str(listen or f"127.0.0.1:{_PORT}"), volume, safe=tls is not None)
        listeners = [_listen(*address)]
    fabric = connect(around.place.directory, start=around.start)
    try:
        gateway = Gateway(lambda: asyncio.to_thread(find_target, fabric, volume, read_only), tls)
        find_target(fabric, volume, read_only)  # refused now rather than when a client comes
        if listen is not None or (not handed_over() and not arguments.get("stdio")):
            print(_uri(listeners[0], volume, secure=tls is not None), flush=True)
        asyncio.run(_serve(gateway, listeners))
    finally:
        fabric.close()
    return Exit.OK


def find_target(fabric: SyncFabric, volume: str, read_only: bool) -> Target:
    """The volume itself, or the one with its data on the side that leads."""
    export: NbdExport = fabric.nbd(volume, read_only=read_only)
    if not export.serving and export.primary_volume:
        export = fabric.nbd(export.primary_volume, read_only=read_only)
    parts = urlsplit(export.uri)
    return Target(unquote(parts.path[1:]), Path(parse_qs(parts.query)["socket"][0]), volume)


def make_context(directory: Path) -> ssl.SSLContext:
    """What both sides have to prove, from files under the names that qemu and libnbd use.

    Raises:
        SrError: SR8007, a file is missing or unfit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(directory / "server-cert.pem", directory / "server-key.pem")
        context.load_verify_locations(directory / "ca-cert.pem")
    except OSError as error:  # an SSLError is one
        facts = f"{error}; it takes ca-cert.pem, server-cert.pem and server-key.pem"
        raise SrError.make("SR8007", facts=facts, directory=str(directory)) from error
    return context


def _parse_address(text: str, volume: str, *, safe: bool) -> tuple[str, int]:
    """Host and port; a host that others reach needs TLS.

    Raises:
        SrError: SR8008, it would be open to everybody; SR8009, it is no address.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit():
        raise SrError.make("SR8009", facts="it reads HOST:PORT", address=text)
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local and not safe:
        raise SrError.make("SR8008", address=text, volume=volume)
    return host, int(port)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        SrError: SR8009.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        raise SrError.make("SR8009", facts=str(error), address=f"{host}:{port}") from error


def _uri(listener: socket.socket, volume: str, *, secure: bool) -> str:
    """The address that clients use."""
    if listener.family == socket.AF_UNIX:
        return f"nbd+unix:///{quote(volume)}?socket={quote(str(listener.getsockname()))}"
    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    return f"{'nbds' if secure else 'nbd'}://{host}:{port}/{quote(volume)}"


async def _serve(gateway: Gateway, listeners: list[socket.socket]) -> None:
    """Serve sockets, or without any the standard streams, until told to stop."""
    work = gateway.serve(listeners) if listeners else _serve_streams(gateway)
    serving = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return
    except (NotPassedOn, asyncio.IncompleteReadError) as error:
        print(f"srshell gateway: {error}", file=sys.stderr)


async def _serve_streams(gateway: Gateway) -> None:
    """Serve one client on standard input and output, be they pipes or one socket."""
    if stat.S_ISSOCK(os.fstat(0).st_mode):
        # A pipe's transport takes what arrives on a socket that it writes to for its end.
        await gateway.pass_on(await stream_of(socket.socket(fileno=os.dup(0))))
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(0), "rb", buffering=0)
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(os.dup(1), "wb", buffering=0)
    )
    await gateway.pass_on(Stream(reader, asyncio.StreamWriter(transport, protocol, None, loop)))
