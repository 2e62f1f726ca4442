"""What else serves a volume: other programs on the same disk, under the same load.

Always true:

(1) A peer lives as long as its block, in the folder of the measurement, and leaves nothing there.
(2) The load comes from one C program (`nbdload.c`), so that the servers are what differs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

import attrs

from benchmarks.sockets import short_folder
from benchmarks.yardstick import Rate, build

_START_SECONDS: Final = 10.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Server:
    """An NBD server: where it listens, the name of its export, the processes that do its work."""

    socket: Path
    export: str
    pids: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that its processes have used."""
        return sum(_cpu_seconds(pid) for pid in self.pids)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def load(server: Server, mode: str, block_bytes: int, depth: int, seconds: float) -> Rate:
    """Put a server under load, in a mode of ``nbdload.c``.  Raises RuntimeError if it fails."""
    program = await asyncio.to_thread(build, "nbdload.c")
    before = server.cpu_seconds()
    words = (str(server.socket), server.export, mode, str(block_bytes), str(depth), str(seconds))
    process = await asyncio.create_subprocess_exec(
        program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        said, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"nbdload: {errors.decode().strip()}")
    rate = Rate(**json.loads(said))
    served = server.cpu_seconds() - before
    return attrs.evolve(rate, cpu_seconds=rate.cpu_seconds + served)


def missing() -> tuple[str, ...]:
    """Return the programs of the peers that are not installed here."""
    needed = ("qemu-storage-daemon", "qemu-nbd", "qemu-img")
    return tuple(name for name in needed if shutil.which(name) is None)


@asynccontextmanager
async def mirror(folder: Path, size_bytes: int) -> AsyncIterator[Server]:
    """Serve a file that QEMU mirrors in write-blocking mode; nothing ever syncs its target."""
    source, target = folder / "mirror-source", folder / "mirror-target"
    await asyncio.to_thread(_fill, (source, target), size_bytes)
    with short_folder() as short:
        socket, control = short / "nbd", short / "qmp"
        words = (
            "qemu-storage-daemon",
            *("--blockdev", f"file,node-name=source,filename={source}"),
            *("--blockdev", f"file,node-name=target,filename={target}"),
            *("--nbd-server", f"addr.type=unix,addr.path={socket}"),
            *("--chardev", f"socket,id=control,path={control},server=on,wait=off"),
            *("--monitor", "chardev=control"),
        )
        async with _running(words, control) as pid:
            await _begin_mirror(control)
            yield Server(socket, "v", (pid,))
    source.unlink()
    target.unlink()


async def _begin_mirror(control: Path) -> None:
    async with _Qmp(control) as qmp:
        mirroring = {
            "job-id": "mirror", "device": "source", "target": "target", "sync": "none",
            "copy-mode": "write-blocking", "filter-node-name": "filter",
        }  # fmt: skip
        await qmp.ask("blockdev-mirror", mirroring)
        export = {"type": "nbd", "id": "e", "node-name": "filter", "name": "v", "writable": True}
        await qmp.ask("block-export-add", export)


@asynccontextmanager
async def plain(folder: Path, size_bytes: int) -> AsyncIterator[Server]:
    """Serve a file by qemu-nbd: one copy, no protection."""
    file = folder / "plain-file"
    await asyncio.to_thread(_fill, (file,), size_bytes)
    with short_folder() as short:
        socket = short / "nbd"
        words = ("qemu-nbd", "-t", "-k", str(socket), "-x", "v", "-f", "raw", "--cache=writeback")
        async with _running((*words, "-e", "4", str(file)), socket) as pid:
            yield Server(socket, "v", (pid,))
    file.unlink()


def _fill(files: Sequence[Path], size_bytes: int) -> None:
    """Make files whose blocks are all there: first writes to holes would be another measurement."""
    piece = os.urandom(1 << 20)
    for path in files:
        with path.open("wb") as file:
            for _ in range(0, size_bytes, len(piece)):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


@asynccontextmanager
async def _running(words: Sequence[str], socket: Path) -> AsyncIterator[int]:
    """Run a server until the block ends; it is there once its socket answers."""
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await _answers(socket):
                if process.returncode is not None:
                    raise RuntimeError(f"{words[0]} ended with {process.returncode}")
                await asyncio.sleep(0.02)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _answers(socket: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


class _Qmp:
    """The control socket of a QEMU program."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        # It greets one client at a time: after the one that asked whether it is there.
        async with asyncio.timeout(_START_SECONDS):
            while True:
                self._reader, self._writer = await asyncio.open_unix_connection(self._socket)
                if await self._reader.readline():
                    break
                self._writer.close()
                await asyncio.sleep(0.02)
        await self.ask("qmp_capabilities", {})
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, command: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401
        """Carry out a command.  Raises RuntimeError if it is refused."""
        said = json.dumps({"execute": command, "arguments": arguments})
        self._writer.write(said.encode() + b"\n")
        while True:
            answer = json.loads(await self._reader.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
