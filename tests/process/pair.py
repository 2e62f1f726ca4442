"""Two site processes with one replicated group, which are killed, stopped and started again.

Always true:

(1) Only processes that this pair started get a signal, each told from every other by number, start
    and boot.
(2) Nothing lies outside the folder that was given, and nothing runs when the block has ended.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.backends import launch
from srshell.backends.base import SitePlan
from srshell.backends.native import NativeBackend, site_settings
from srshell.backends.supervisor import Pace
from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.model.replica import (
    Flow,
    OnPeerLoss,
    ReplicaReport,
    ReplicaRole,
    ReplicaSpec,
    ReplicaVolume,
)
from srshell.site.api import FaultKind, PoolSpec, SiteVolume
from srshell.site.client import SiteClient
from srshell.site.process_lock import ProcessMark, living_site
from srshell.site.settings import SiteSettings
from tests.process.claims import Absence
from tests.process.deadlines import until
from tests.process.ledger import UNIT_BYTES, Ledger

MIB: Final = 1024 * 1024
FABRIC: Final = "f" * 32
PARTNERSHIP: Final = "5" * 32
ARRAYS: Final = ("A", "B")

#: Sites that die all the time, and are started again at once.
RESTLESS: Final = Pace(pause=0.02, settled=0.0)

#: Room for the smallest ring, and for what lies before it.
LOG_BYTES: Final = 9 * MIB

_PIECE_BYTES: Final = 4 * MIB


@attrs.define(eq=False)
class Pair:
    """Arrays A and B with the volumes volA and volB; A is primary at first."""

    folder: Path
    size_bytes: int
    on_peer_loss: OnPeerLoss
    backend: NativeBackend
    arrays: tuple[str, str] = ARRAYS
    #: The side that is to take writes, as whoever changes roles sees it.
    primary: str = "A"
    ledger: Ledger = attrs.field(factory=Ledger)
    absences: list[Absence] = attrs.field(factory=list)
    link_addresses: Mapping[str, str] = attrs.field(factory=dict)
    _down_since: dict[str, float] = attrs.field(factory=dict)

    # Who is who.

    def site(self, array: str) -> SiteClient:
        """Return the connection to a site."""
        return self.backend.site(array)

    def other(self, array: str) -> str:
        """Return the other array."""
        return self.arrays[1 - self.arrays.index(array)]

    @property
    def secondary(self) -> str:
        """The side that follows."""
        return self.other(self.primary)

    def target(self) -> tuple[SiteClient, str]:
        """Return where writes go now."""
        return self.site(self.primary), f"vol{self.primary}"

    def path(self, array: str) -> Path:
        """Return the file of a side's data volume."""
        return self.folder / f"pool{array}" / f"vol{array}"

    def log_path(self, array: str) -> Path:
        """Return the file of a side's log."""
        return self.folder / f"pool{array}" / f"log{array}"

    def places(self) -> list[range]:
        """Return units for writers: some at the beginning, some at the very end."""
        units = self.size_bytes // UNIT_BYTES
        return [range(256), range(units - 256, units)]

    async def report(self, array: str) -> ReplicaReport | None:
        """Return what a site says of its replica now, if it answers."""
        try:
            return await self.site(array).replica(PARTNERSHIP)
        except SrError:
            return None

    async def reported(
        self, array: str, holds: Callable[[ReplicaReport], bool], what: str
    ) -> ReplicaReport:
        """Wait until a side reports something."""
        last: list[ReplicaReport | None] = [None]

        async def look() -> ReplicaReport | None:
            report = last[0] = await self.report(array)
            return report if report is not None and holds(report) else None

        try:
            return await until(look, f"{array} is {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; last word: {last[0]}") from error

    async def live(self) -> ReplicaReport:
        """Wait until the primary says that the group is in sync."""
        return await self.reported(
            self.primary,
            lambda r: r.role is ReplicaRole.PRIMARY and r.flow is Flow.LIVE and r.writable,
            "primary and in sync",
        )

    # What happens to processes.

    def mark(self, array: str) -> ProcessMark:
        """Return the living process of a site."""
        mark = living_site(self.settings(array).lock_path)
        assert mark is not None, f"site {array} does not live"
        return mark

    async def living(self, *arrays: str) -> None:
        """Wait until sites live that were killed a moment ago."""

        async def look() -> bool:
            return all(living_site(self.settings(array).lock_path) for array in arrays)

        await until(look, f"{arrays} live")

    async def signal(self, array: str, number: int) -> None:
        """Send a signal to a site."""
        assert launch.send(self.mark(array), number)

    async def kill(self, arrays: Iterable[str]) -> None:
        """Let sites die together, in mid-flight; their supervisors start them again."""
        marks = [self.mark(array) for array in arrays]
        for mark in marks:
            assert launch.send(mark, signal.SIGKILL)
        for mark in marks:
            await launch.ended(mark)

    async def take_down(self, *arrays: str) -> None:
        """Let sites die as a failure would, and keep them from starting."""
        await asyncio.gather(*(self.backend.hold(array, kill=True) for array in arrays))
        for array in arrays:
            self._down_since[array] = time.time()

    async def bring_back(self, *arrays: str) -> None:
        """Start sites again that were taken down."""
        for array in arrays:
            self.absences.append(Absence(array, self._down_since.pop(array), time.time()))
        await asyncio.gather(*(self.backend.release(array) for array in arrays))

    async def suffer(self, array: str, fault: FaultKind, seconds: float) -> None:
        """Let a fault begin, or end it with 0 seconds, as soon as the site answers."""

        async def ask() -> bool:
            try:
                await self.site(array).fault(fault, seconds)
            except SrError:
                return False
            return True

        await until(ask, f"{array} answers")

    def settings(self, array: str) -> SiteSettings:
        """Return how a site is set up."""
        return site_settings(SitePlan(array), self.folder, FABRIC, self.backend.owner_term)

    # What must hold in the end.

    async def settled(self) -> None:
        """Wait until both sides are in sync and have applied everything; nobody writes now."""
        await self.live()

        async def equal() -> bool:
            reports = [await self.report(array) for array in self.arrays]
            ends = {(r.last_lsn, r.durable_lsn, r.applied_lsn) for r in reports if r is not None}
            live = all(r is not None and r.flow is Flow.LIVE for r in reports)
            return live and len(ends) == 1 and len(set(ends.pop())) == 1

        await until(equal, "both sides have applied everything")

    async def check(self) -> None:
        """Both volumes are equal, and hold every acknowledged write."""
        await self.settled()
        contents = [self.path(array).read_bytes() for array in self.arrays]
        assert contents[0] == contents[1], f"the volumes differ: {_first_difference(*contents)}"
        problems = self.ledger.problems(contents[0])
        assert not problems, problems[:5]
        await self.live()  # a relay in this process stood still while it read the volumes
        found = await self.site(self.primary).verify(PARTNERSHIP)
        assert (found.differing_blocks, found.log_differences) == (0, 0), found

    # How it begins.

    async def start_copy(self) -> None:
        """Let the sides link: the first copy begins."""
        for array in self.arrays:
            await self.site(array).start_replica(PARTNERSHIP)

    async def fill(self, size_bytes: int) -> None:
        """Put data into the middle of the primary's volume, where no writer writes."""
        site, volume = self.target()
        data = random.Random(3).randbytes(_PIECE_BYTES)
        for offset in range(MIB, MIB + size_bytes, _PIECE_BYTES):
            await site.write(volume, offset, data[: MIB + size_bytes - offset])

    def spec(self, array: str, partnership: str = PARTNERSHIP) -> ReplicaSpec:
        """Return one side of the group."""
        index, peer = self.arrays.index(array), self.other(array)
        volume = ReplicaVolume(f"vol{array}", str(self.path(array)), self.size_bytes, 4096)
        return ReplicaSpec(
            partnership=partnership,
            replica=array.lower() * 32,
            peer=peer.lower() * 32,
            group=f"group{array}",
            peer_group=f"group{peer}",
            array=array,
            peer_array=peer,
            role=ReplicaRole.SECONDARY if index else ReplicaRole.PRIMARY,
            initiator=index == 0,
            peer_address=self.link_addresses.get(peer) or self.backend.link_address(peer),
            log_path=str(self.log_path(array)),
            log_bytes=LOG_BYTES,
            volumes=(volume,),
            on_peer_loss=self.on_peer_loss,
        )

    async def provision(self, array: str) -> None:
        """Start a site and make its side of the group."""
        await self.backend.start(SitePlan(array, sandbox=True))
        site, pool = self.site(array), self.folder / f"pool{array}"
        pool.mkdir(exist_ok=True)
        await site.add_pool(PoolSpec(pool.name, str(pool), PoolKind.FILE, FABRIC))
        volume, log = f"vol{array}", f"log{array}"
        await site.create_volume(
            SiteVolume(volume, "", self.size_bytes, 4096, log=False, pool=pool.name)
        )
        await site.create_volume(SiteVolume(log, "", LOG_BYTES, 4096, log=True, pool=pool.name))
        await site.create_replica(self.spec(array))


@asynccontextmanager
async def open_pair(
    folder: Path,
    *,
    size_bytes: int = 8 * MIB,
    on_peer_loss: OnPeerLoss = OnPeerLoss.CONTINUE,
    linked: bool = True,
    pace: Pace | None = None,
    link_addresses: Mapping[str, str] | None = None,
) -> AsyncIterator[Pair]:
    """Start two sites with a group, in sync if ``linked``; nothing runs when the block ends.

    ``link_addresses``: where an array is dialled by its peer, if not at its own socket.
    """
    backend = NativeBackend(folder, FABRIC, 1, pace=pace)
    pair = Pair(folder, size_bytes, on_peer_loss, backend, link_addresses=link_addresses or {})
    try:
        await asyncio.gather(*(pair.provision(array) for array in pair.arrays))
        if linked:
            await pair.start_copy()
            await pair.live()
        yield pair
    finally:
        for array in pair.arrays:
            # One that a test has stopped would not hear that it is to end.
            with suppress(AssertionError, SrError):
                await pair.signal(array, signal.SIGCONT)
        await pair.backend.close(stop_sites=True)


def _first_difference(one: bytes, other: bytes) -> str:
    for offset in range(0, len(one), 4096):
        if one[offset : offset + 4096] != other[offset : offset + 4096]:
            return f"first at byte {offset}"
    return "in length"
