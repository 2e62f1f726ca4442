"""A client on a real socket, and servers that end with their test."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Sized
from pathlib import Path

import attrs

from srshell.export.nbd_server import NbdServer
from srshell.export.nbd_session import SessionLimits
from tests.unit.export import wire
from tests.unit.export.memory_device import MemoryDevice


@attrs.define(eq=False)
class Client:
    """Sends bytes and waits for as many as the answer should have."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connect(cls, path: Path) -> "Client":
        return cls(*await asyncio.open_unix_connection(path))

    async def choose(self, name: str, *, structured: bool = False) -> None:
        """Go through the handshake."""
        assert await self.receive(18) == wire.GREETING
        self.send(wire.client_flags())
        if structured:
            self.send(wire.option(wire.OPT_STRUCTURED_REPLY))
            assert (await self.option_reply()).kind == wire.REP_ACK
        self.send(wire.go(name))
        while (reply := await self.option_reply()).kind != wire.REP_ACK:
            assert reply.kind == wire.REP_INFO, reply

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self, count: int) -> bytes:
        return await self.reader.readexactly(count)

    async def option_reply(self) -> wire.OptionReply:
        head = await self.receive(20)
        (length,) = struct.unpack_from(">I", head, 16)
        (reply,) = wire.parse_option_replies(head + await self.receive(length))
        return reply

    async def simple_reply(self) -> tuple[int, int]:
        """Return cookie and error of the next answer."""
        (reply,) = wire.parse_replies(await self.receive(16))
        return reply.cookie, reply.error

    async def ended(self) -> bytes:
        """Wait for the server to end the connection; return what came before."""
        rest = b""
        with contextlib.suppress(ConnectionResetError):
            rest = await self.reader.read(-1)
        self.close()
        return rest

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        """Vanish, as a killed process does."""
        self.writer.transport.abort()


@attrs.define(eq=False)
class Serving:
    """A server, its devices and its socket."""

    server: NbdServer
    devices: dict[str, MemoryDevice]
    path: Path
    clients: list[Client] = attrs.field(factory=list)

    @property
    def device(self) -> MemoryDevice:
        return self.devices["vol"]

    async def client(self, name: str | None = "vol", *, structured: bool = False) -> Client:
        """Connect, and choose an export unless ``name`` is None."""
        client = await Client.connect(self.path)
        self.clients.append(client)
        if name is not None:
            await client.choose(name, structured=structured)
        return client


@contextlib.asynccontextmanager
async def serving(
    folder: Path,
    *devices: MemoryDevice,
    limits: SessionLimits | None = None,
    clients_max: int = 256,
) -> AsyncIterator[Serving]:
    """Serve ``vol``, and ``vol2`` and so on if there are more devices."""
    named = {f"vol{number or ''}": each for number, each in enumerate(devices or [MemoryDevice()])}
    server = NbdServer(named.get, lambda: list(named), limits or SessionLimits(), clients_max)
    await server.start(folder / "nbd")
    serving = Serving(server, named, folder / "nbd")
    try:
        yield serving
    finally:
        for device in named.values():
            if device.gate is not None:
                device.gate.set()
        for client in serving.clients:
            client.close()
        assert await server.close(drain_seconds=10) == 0


async def until(happened: Callable[[], bool]) -> None:
    """Let the loop turn until something has happened; the test's timeout ends a hang."""
    while not happened():  # noqa: ASYNC110  the sockets under test have no events of ours
        await asyncio.sleep(0)


async def grown(collection: Sized, length: int) -> None:
    """Let the loop turn until a collection has ``length`` items."""
    await until(lambda: len(collection) >= length)
