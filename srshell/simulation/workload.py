"""What clients write, so that every sector says who wrote it, and the clients that do.

Always true:

(1) Every 512-byte sector that a client writes names the write, the volume and its own place: one
    that is torn, stale or misplaced gives itself away.
(2) A write gets its number when it is handed to the engine: within one reign the order of the
    numbers is the order of the LSNs.
(3) A client tells the oracle how each of its operations ended, or that it cannot know.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Coroutine
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs

from srshell.engine.replica import Replica
from srshell.model.errors import SrError
from srshell.simulation.cluster import Cluster, Site, SiteDown

if TYPE_CHECKING:
    from srshell.simulation.oracle import Oracle

SECTOR_BYTES: Final = 512
_MARK: Final = struct.Struct("<QII")
_REPEATS: Final = SECTOR_BYTES // _MARK.size
_ZEROS: Final = bytes(SECTOR_BYTES)
#: Sizes of writes in sectors, as often as they stand here.
_SIZES: Final = (1, 1, 3, 8, 8, 8, 8, 8, 16, 32, 40)
#: Codes of errors that say: it did not happen, and will not.
_REFUSALS: Final = frozenset({"SR9224", "SR9220"})


class Damage(Exception):
    """A sector holds what nobody wrote there."""


def fill(number: int, volume: int, first: int, end: int) -> bytes:
    """Return what write ``number`` puts into the sectors from ``first`` to before ``end``."""
    return b"".join(_MARK.pack(number, volume, sector) * _REPEATS for sector in range(first, end))


def numbers(data: bytes | memoryview, volume: int, first: int) -> list[int]:
    """Return which write each sector is of, 0 for zeros.  Raises `Damage`."""
    found = []
    for index in range(len(data) // SECTOR_BYTES):
        sector = bytes(data[index * SECTOR_BYTES : (index + 1) * SECTOR_BYTES])
        if sector == _ZEROS:
            found.append(0)
            continue
        mark = sector[: _MARK.size]
        number, in_volume, place = _MARK.unpack(mark)
        if sector != mark * _REPEATS or (in_volume, place) != (volume, first + index):
            text = (
                f"v{volume} sector {first + index} holds {sector[:16].hex()}... (torn or misplaced)"
            )
            raise Damage(text)
        found.append(number)
    return found


@attrs.frozen
class Habits:
    """How clients behave; drawn by the plan of an episode."""

    clients: int = 3
    operations_max: int = 150
    #: Mean pause between two operations of a client (virtual seconds).
    pause_seconds: float = 0.05
    #: Share of operations on a few hot sectors, where they overlap.
    hot_share: float = 0.5
    read_share: float = 0.15
    trim_share: float = 0.1
    #: Share of operations whose client goes away before it hears of them.
    impatient_share: float = 0.0


class Clients:
    """Several clients that write, read and trim on whoever is primary."""

    def __init__(self, cluster: Cluster, oracle: Oracle, habits: Habits, random: Random) -> None:
        """Begin without a task; `start` makes them."""
        self._cluster = cluster
        self._oracle = oracle
        self._habits = habits
        self._random = random
        self._tasks: list[asyncio.Task[object]] = []
        self.stopping = False
        self.operations = 0

    def start(self) -> None:
        """Let all clients begin."""
        for _ in range(self._habits.clients):
            self.begin(self._run())

    def begin(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        """Let a client do something; it counts for `done`."""
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        return task

    def stop(self) -> None:
        """Begin nothing more."""
        self.stopping = True

    @property
    def done(self) -> bool:
        """Whether every operation has ended."""
        return all(task.done() for task in self._tasks)

    def raise_errors(self) -> None:
        """Raise what a client ran into, if anything."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def _run(self) -> None:
        habits, random = self._habits, self._random
        while not self.stopping and self.operations < habits.operations_max:
            await asyncio.sleep(random.expovariate(1 / habits.pause_seconds))
            site = self._choose()
            if site is None or self.stopping:
                continue
            self.operations += 1
            await self._one(site)

    def _choose(self) -> Site | None:
        primaries = self._cluster.primaries
        if self._random.random() < 0.02:
            primaries = [site for site in self._cluster.sites.values() if site.up]
        return self._random.choice(primaries) if primaries else None

    async def _one(self, site: Site) -> None:
        habits, random = self._habits, self._random
        volume = random.randrange(len(self._cluster.shape.volumes))
        sectors = self._cluster.shape.volumes[volume] // SECTOR_BYTES
        count = min(random.choice(_SIZES), sectors)
        hot = random.random() < habits.hot_share
        first = random.randrange(min(24, sectors - count + 1) if hot else sectors - count + 1)
        if count == 8 and random.random() < 0.7:
            first = first // 8 * 8
        choice = random.random()
        replica = site.replica
        assert replica is not None
        end = first + count
        work: Coroutine[Any, Any, object]
        if choice < habits.read_share:
            work = self.read(site, replica, volume, first, end)
        elif choice < habits.read_share + habits.trim_share:
            work = self.write(site, replica, random.choice(("zero", "trim")), volume, first, end)
        else:
            work = self.write(site, replica, "write", volume, first, end)
        if random.random() < habits.impatient_share:
            with suppress(TimeoutError):
                await asyncio.wait_for(work, random.uniform(0.0, 0.01))
        else:
            await work

    async def write(
        self, site: Site, replica: Replica, kind: str, volume: int, first: int, end: int
    ) -> bool:
        """Write, zero or trim sectors; tell the oracle; say whether it was acknowledged."""
        oracle = self._oracle
        name, offset, length = f"v{volume}", first * SECTOR_BYTES, (end - first) * SECTOR_BYTES
        notes = oracle.book.plan(site.name, kind, volume, first, end)

        async def work() -> None:
            oracle.book.begin(notes)
            if kind == "write":
                data = b"".join(fill(note.number, volume, note.first, note.end) for note in notes)
                lsn = await replica.write(name, offset, data)
            elif kind == "zero":
                lsn = await replica.zero(name, offset, length)
            else:
                lsn = await replica.trim(name, offset, length)
            oracle.acknowledged(notes, site, replica, lsn)

        try:
            await site.ask(work)
        except (SiteDown, asyncio.CancelledError) as error:
            if notes[0].number:
                oracle.unknown(notes)
            if isinstance(error, asyncio.CancelledError):
                self._cluster.loop.reached("client: went away")
                raise
        except SrError as error:
            if error.code in _REFUSALS:
                oracle.refused(notes, error)
            else:
                oracle.unknown(notes)
        else:
            return True
        return False

    async def read(self, site: Site, replica: Replica, volume: int, first: int, end: int) -> None:
        """Read sectors and let the oracle judge them."""
        oracle = self._oracle
        offset, length = first * SECTOR_BYTES, (end - first) * SECTOR_BYTES

        async def work() -> None:
            floors = oracle.floors(site.name, volume, first, end)
            data = await replica.read(f"v{volume}", offset, length)
            oracle.check_read(site, replica, volume, first, data, floors)
            # What an NBD client reads from memory has to be as new.
            floors = oracle.floors(site.name, volume, first, end)
            at_once = replica.access.read_cached(f"v{volume}", offset, length)
            if at_once is not None:
                oracle.check_read(site, replica, volume, first, bytes(at_once), floors)

        try:
            await site.ask(work)
        except (SiteDown, SrError):
            return
