"""Two sides of one group in the simulator: the shipped engine, a faked disk each, virtual time.

Always true: nothing here waits for the real clock; whatever a side does runs in its process and
ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import attrs

from srshell.codec.map_page import PAGE_BYTES
from srshell.codec.messages import Hello
from srshell.engine.core import Core, ReplicaEvent
from srshell.engine.formatting import format_log
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES
from srshell.engine.world import Limits, Promptness, World
from srshell.model.replica import (
    Flow,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
    ReplicaVolume,
)
from srshell.replication.source import Phase, Source
from srshell.simulation import SimDisk, SimLoop, SimNetwork, SimProcess, run_simulated
from srshell.storage import DirectExecutor, Disk
from srshell.transport.link import Link

T = TypeVar("T")

KIB = 1024
BLOCK = 4096
VOLUME = "data"
VOLUME_BYTES = 256 * KIB
RING_BYTES = 128 * KIB
#: Behind one page of the bitmap; one of the checksum map follows.
CHECKSUM_OFFSET = SUPERBLOCK_AREA_BYTES + PAGE_BYTES
RING_OFFSET = CHECKSUM_OFFSET + PAGE_BYTES
LOG_BYTES = RING_OFFSET + RING_BYTES
PARTNERSHIP = "c0" * 16
REPLICAS = {"A": "aa" * 16, "B": "bb" * 16}
#: The real times, for the clock is virtual; sizes such that rings wrap and run full.
LIMITS = Limits(
    frame_bytes=16 * KIB,
    write_bytes=8 * KIB,
    extent_bytes=16 * KIB,
    extents_in_flight=2,
    linger_seconds=0.02,
    unapplied_bytes=96 * KIB,
    ring_bytes_min=64 * KIB,
)
_PATIENCE_SECONDS = 60.0
_STEP_SECONDS = 0.002


def log_path(name: str) -> str:
    return f"/{name}/log"


def volume_path(name: str) -> str:
    return f"/{name}/{VOLUME}"


def spec(name: str, **changes: Any) -> ReplicaSpec:  # noqa: ANN401 - a field of any type
    """What the site of ``name`` is told; A is primary and dials."""
    peer = "B" if name == "A" else "A"
    made = ReplicaSpec(
        partnership=PARTNERSHIP,
        replica=REPLICAS[name],
        peer=REPLICAS[peer],
        group=f"group-{name}",
        peer_group=f"group-{peer}",
        array=name,
        peer_array=peer,
        role=ReplicaRole.PRIMARY if name == "A" else ReplicaRole.SECONDARY,
        initiator=name == "A",
        peer_address=f"site-{peer}",
        log_path=log_path(name),
        log_bytes=LOG_BYTES,
        volumes=(ReplicaVolume(VOLUME, volume_path(name), VOLUME_BYTES, BLOCK),),
    )
    return attrs.evolve(made, **changes)


class Side:
    """One side: its disk, and the process with its replica while there is one."""

    def __init__(self, name: str, loop: SimLoop, network: SimNetwork, limits: Limits) -> None:
        self.name = name
        self.disk = SimDisk(loop, name)
        self.limits = limits
        self.events: list[ReplicaEvent] = []
        #: How far somebody put this machine's wall clock forward or back.
        self.clock_shift_seconds = 0.0
        #: Whether the log is written in the loop's own thread, as with ``--commit direct``.
        self.direct = False
        #: Says for each commit whether the loop makes it, as with ``--commit auto``.
        self.promptness: Promptness | None = None
        self.process: SimProcess = loop.process(name)
        self._replica: Replica | None = None
        self._loop = loop
        self._network = network
        self._boots = 0

    @property
    def is_open(self) -> bool:
        return self._replica is not None and self.process.alive

    @property
    def world(self) -> World:
        disk = Disk(self.disk, None)
        return World(
            log_disk=Disk(self.disk, DirectExecutor()) if self.direct else disk,
            data_disk=disk,
            network=self._network.host(self.name),
            wall_seconds=lambda: self._loop.wall_time() + self.clock_shift_seconds,
            clock_ns=lambda: int(self._loop.time() * 1e9),
            randomness=self._loop.random(f"site {self.name} {self._boots}"),
            limits=self.limits,
            promptness=self.promptness,
        )

    @property
    def replica(self) -> Replica:
        assert self._replica is not None
        return self._replica

    @property
    def core(self) -> Core:
        return self.replica.core

    @property
    def source(self) -> Source:
        assert self.core.source is not None
        return self.core.source

    @property
    def report(self) -> ReplicaReport:
        return self.replica.report()

    @property
    def is_linked(self) -> bool:
        """Whether a link is up and serves."""
        return self.replica.peer_link.is_open

    async def format(self, **changes: Any) -> None:  # noqa: ANN401 - a field of any type
        """Make log and volume."""
        disk = Disk(self.disk, None)
        await disk.create(log_path(self.name), changes.get("log_bytes", LOG_BYTES))
        await disk.create(volume_path(self.name), VOLUME_BYTES)
        await format_log(spec(self.name, **changes), self.world)

    async def open(self) -> Replica:
        """Open the replica in a process of its own, and listen."""
        self._boots += 1
        self.process = self._loop.process(self.name)
        await self.do(self._open())
        return self.replica

    async def _open(self) -> None:
        world = self.world
        self._replica = replica = await Replica.open(log_path(self.name), world)
        replica.subscribe(self.events.append)

        async def accept(link: Link) -> None:
            hello, _ = await link.receive()
            assert isinstance(hello, Hello)
            await replica.accept(link, hello)

        await world.network.listen(f"site-{self.name}", accept)

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in this side's process."""
        return await self.process.start(work)

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start ``work`` in this side's process, and go on."""
        return self.process.start(work)

    async def start(self) -> None:
        await self.do(self.replica.start())

    async def write(self, offset: int, data: bytes) -> int:
        return await self.do(self.replica.write(VOLUME, offset, data))

    async def read(self, offset: int, length: int) -> bytes:
        return await self.do(self.replica.read(VOLUME, offset, length))

    async def settle(self) -> None:
        """Bring everything committed durably into the volume."""
        await self.do(self.replica.apply_through(self.core.committed_lsn))

    def kill(self) -> None:
        """End the process as SIGKILL does."""
        self.process.kill()
        self._replica = None

    async def restart(self) -> Replica:
        self.kill()
        return await self.open()

    async def close(self) -> None:
        await self.do(self.replica.close())

    @property
    def volume(self) -> bytes:
        """What the volume file holds now."""
        content: bytes = self.disk.image(volume_path(self.name)).read(0, VOLUME_BYTES)
        return content

    def fill(self, offset: int, data: bytes) -> None:
        """Put bytes into the volume file behind the engine's back."""
        image = self.disk.image(volume_path(self.name))
        image.write(offset, data)
        image.sync()

    def damage(self, path: str, offset: int) -> None:
        """Flip a bit of a file, as a bad disk does."""
        self.disk.image(path).flip(offset)

    def heard(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]


class Sides:
    """A, the primary that dials, and B, with the network between them."""

    def __init__(self, loop: SimLoop, limits: Limits) -> None:
        self.loop = loop
        self.network = SimNetwork(loop)
        self.a = Side("A", loop, self.network, limits)
        self.b = Side("B", loop, self.network, limits)

    async def open(self, **changes: Any) -> None:  # noqa: ANN401 - a field of any type
        """Format and open both sides; they do not want a link yet."""
        for side in (self.a, self.b):
            await side.format(**changes)
            await side.open()

    async def start(self) -> None:
        await self.a.start()
        await self.b.start()

    async def sync(self, **changes: Any) -> None:  # noqa: ANN401 - a field of any type
        """Open both sides and bring them in sync."""
        await self.open(**changes)
        await self.start()
        await self.in_sync()

    async def in_sync(self) -> None:
        """Wait until every acknowledgement needs both logs and both sides know it."""

        def both_know() -> bool:
            for side, other in ((self.a, self.b), (self.b, self.a)):
                source = side.core.source
                if source is not None and source.phase is Phase.LIVE:
                    superblock = other.core.superblock
                    return (
                        superblock.data is ReplicaData.CONSISTENT
                        and not superblock.peer_may_ack_alone
                    )
            return False

        await self.until(both_know)

    async def until(self, holds: Callable[[], object]) -> None:
        """Let virtual time pass until something holds; AssertionError after a minute of it."""
        end = self.loop.time() + _PATIENCE_SECONDS
        while not holds():
            assert self.loop.time() < end, (holds, self.reports())
            await asyncio.sleep(_STEP_SECONDS)

    async def pass_time(self, seconds: float) -> None:
        """Let virtual time pass: to show that nothing happens."""
        await asyncio.sleep(seconds)

    def cut(self) -> None:
        """Let nothing pass between the sides."""
        self.network.partition("A", "B")

    def mend(self) -> None:
        self.network.heal("A", "B")

    async def lose_peer(self) -> None:
        """Cut the wires and wait until A has noticed and its peer timeout is over."""
        self.cut()
        await self.until(lambda: self.a.source.phase not in {Phase.LIVE, Phase.LOST})

    async def flap(self) -> None:
        """Break the link for a moment: for half a minute, the next loss of it is one too many."""
        self.cut()  # or the two would meet again before anybody looks
        self.network.reset("A", "B")
        await self.until(lambda: self.a.source.phase is Phase.LOST)
        self.mend()
        await self.in_sync()

    async def go_alone(self, offset: int = 0, data: bytes = b"alone") -> None:
        """Lose the peer and acknowledge a write without it."""
        await self.lose_peer()
        await self.a.write(offset, data)
        assert self.a.report.alone

    async def planned_failover(self, operation: str = "op") -> None:
        """Hand the lead from A to B."""
        lsn = await self.a.do(self.a.replica.seal(operation))
        await self.a.do(self.a.replica.demote(operation, self.a.report.epoch + 1))
        await self.b.do(self.b.replica.promote(operation, lsn, alone=False))

    def reports(self) -> list[ReplicaReport]:
        return [side.report for side in (self.a, self.b) if side.is_open]

    async def close(self) -> None:
        for side in (self.a, self.b):
            if side.is_open:
                await side.close()


def on_sides(test: Callable[[Sides], Awaitable[T]], seed: int = 0, limits: Limits = LIMITS) -> T:
    """Run a test between two sides in virtual time; both are closed afterwards."""

    async def main(loop: SimLoop) -> T:
        sides = Sides(loop, limits)
        result = await test(sides)
        sides.mend()
        with suppress(AssertionError):
            await sides.close()
        return result

    return run_simulated(main, seed)


async def write_some(side: Side, count: int = 3) -> None:
    """Fill the first blocks of the volume, each with its number."""
    for number in range(count):
        await side.write(number * BLOCK, bytes([number + 1]) * BLOCK)


def in_sync(report: ReplicaReport) -> bool:
    return report.flow is Flow.LIVE and not report.alone


POLICIES = tuple(OnPeerLoss)
