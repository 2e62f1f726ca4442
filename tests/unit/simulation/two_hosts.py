"""Two simulated hosts for tests: a connects to b, and a process runs on each."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from srshell.simulation import SimLoop, SimNetwork, run_simulated
from srshell.transport import Link

T = TypeVar("T")

ADDRESS = "tcp:b:7000"
MIB = 1024 * 1024


class World:
    """Host a connects to host b; a process runs on each."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.network = SimNetwork(loop)
        self.a, self.b = self.network.host("a"), self.network.host("b")
        self.left, self.right = loop.process("left"), loop.process("right")
        self.accepted: asyncio.Future[Link] = loop.create_future()

    async def accept(self, link: Link) -> None:
        self.accepted.set_result(link)
        await asyncio.sleep(1e9)

    async def connect(self) -> tuple[Link, Link]:
        await self.right.start(self.b.listen(ADDRESS, self.accept))
        ours = await self.left.start(self.a.connect(ADDRESS))
        return ours, await self.accepted


def in_world(main: Callable[[World], Coroutine[Any, Any, T]], seed: int = 0) -> T:
    return run_simulated(lambda loop: main(World(loop)), seed)
