"""A wire between two sites that can be cut, in both directions or in one.

Always true:

(1) Bytes come out as they went in and in order; what is under way in a direction that is cut is
    held, as a network does that sends again until it gets through.
(2) When the wire is mended, what was held arrives late, or the connections are closed instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

_PIECE_BYTES: Final = 65536


@attrs.define(eq=False)
class Relay:
    """Takes connections at one socket and hands their bytes on to another one."""

    socket: Path
    peer: Path
    #: Set while bytes pass: away from whoever dials, and back to it.
    there: asyncio.Event = attrs.field(factory=asyncio.Event)
    back: asyncio.Event = attrs.field(factory=asyncio.Event)
    #: Bytes that were held up.
    held_bytes: int = 0
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set)
    _writers: set[asyncio.StreamWriter] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.mend()

    @property
    def address(self) -> str:
        """What a site has to dial."""
        return f"unix:{self.socket}"

    def cut(self, *, there: bool = True, back: bool = True) -> None:
        """Let nothing pass any more, in one direction or in both."""
        if there:
            self.there.clear()
        if back:
            self.back.clear()

    def mend(self, *, late: bool = True) -> None:
        """Let bytes pass again; unless ``late``, connections that were held up are closed."""
        if not late:
            for writer in list(self._writers):
                writer.close()
        self.there.set()
        self.back.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self.peer))
        except OSError:
            writer.close()
            return
        self._writers |= {writer, far_writer}
        for pump in (
            self._pump(reader, far_writer, self.there),
            self._pump(far_reader, writer, self.back),
        ):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                if not whole.is_set():
                    self.held_bytes += len(piece)
                    await whole.wait()
                writer.write(piece)
                await writer.drain()
        # Also the end of a connection is news that a cut wire does not carry.
        await whole.wait()
        writer.close()
        self._writers.discard(writer)

    async def close(self) -> None:
        """Carry nothing more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.close()


@asynccontextmanager
async def open_relay(socket: Path, peer: Path) -> AsyncIterator[Relay]:
    """Listen for as long as the block lasts."""
    relay = Relay(socket, peer)
    server = await asyncio.start_unix_server(relay.serve, str(socket))
    try:
        yield relay
    finally:
        server.close()
        await relay.close()
