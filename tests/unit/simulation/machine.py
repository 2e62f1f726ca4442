"""One simulated machine for tests: a disk, and the process that uses it now."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from srshell.simulation import (
    SimDisk,
    SimLoop,
    SimProcess,
    run_simulated,
)
from srshell.storage import BlockFile, Disk

T = TypeVar("T")

PATH = "/pool/volume"
KIB = 1024


class Machine:
    """One disk, and the process that uses it now."""

    def __init__(self, loop: SimLoop, *, harsh: bool = False) -> None:
        self.loop = loop
        self.raw = SimDisk(loop, "a", harsh=harsh)
        self.disk = Disk(self.raw, None)
        self.process: SimProcess = loop.process("a")

    def cut(self) -> None:
        self.process.kill()
        self.raw.power_cut()
        self.process = self.loop.process("a")

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Run to the end, or to the process's."""
        task, ended = self.process.start(work), asyncio.Event()
        task.add_done_callback(lambda _: ended.set())
        self.process.at_death(ended.set)
        await ended.wait()
        return task.result() if task.done() else None

    async def open_volume(self) -> BlockFile:
        """Open the volume in the process."""
        file = await self.run(volume(self))
        assert file is not None
        return file


def with_machine(
    main: Callable[[Machine], Coroutine[Any, Any, T]], seed: int = 0, *, harsh: bool = False
) -> T:
    return run_simulated(lambda loop: main(Machine(loop, harsh=harsh)), seed)


async def volume(machine: Machine, size_bytes: int = 64 * KIB) -> BlockFile:
    if not machine.raw.exists(PATH):
        await machine.disk.create(PATH, size_bytes)
    return await machine.disk.open(PATH)
