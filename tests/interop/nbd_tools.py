"""Runs the programs that people use with NBD against a server in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import attrs

from srshell.export.nbd_server import NbdServer
from srshell.site.exports import nbd_uri
from srshell.storage import DeviceExecutor, OsDisk, open_block_file
from tests import needs
from tests.interop.file_device import FileDevice

MEBIBYTE = 1024 * 1024


@attrs.frozen
class Ran:
    """What a program said and how it ended."""

    code: int
    output: str
    errors: str


@attrs.define(eq=False)
class Served:
    """An export and the file below it."""

    device: FileDevice
    path: Path
    uri: str
    server: NbdServer

    def content(self) -> bytes:
        """Return what the file holds."""
        return self.path.read_bytes()


async def attempt(tool: str, *arguments: str | Path) -> Ran:
    """Run a program while the server goes on serving."""
    path = needs.find(tool)
    assert path is not None, tool
    process = await asyncio.create_subprocess_exec(
        path,
        *map(str, arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, output.decode(), errors.decode())


async def run(tool: str, *arguments: str | Path) -> str:
    """Run a program that must succeed; return its output."""
    ran = await attempt(tool, *arguments)
    assert ran.code == 0, ran
    return ran.output


@contextlib.asynccontextmanager
async def served(
    folder: Path, size_bytes: int = 16 * MEBIBYTE, *, name: str = "vol", read_only: bool = False
) -> AsyncIterator[Served]:
    """Export a new, empty file; nothing is under way when it ends."""
    path = folder / "volume"
    executor = DeviceExecutor(threads=2)
    OsDisk().create(str(path), size_bytes)
    async with await open_block_file(OsDisk(), str(path), executor) as file:
        device = FileDevice(file, read_only)
        server = NbdServer({name: device}.get, lambda: [name])
        # A path that must be escaped in an address.
        socket_path = folder / "n b&d=%"
        await server.start(socket_path)
        try:
            yield Served(device, path, nbd_uri(socket_path, name), server)
        finally:
            assert await server.close(drain_seconds=10) == 0
    executor.shutdown()
