"""A fabric with an owner and two sites in sync, all of them real processes that can be killed.

Always true:

(1) Only processes of this fabric get a signal: the owner that its lock names, the sites that theirs
    name.
(2) When the block has ended no process of the fabric is left, whatever the test did to them.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.backends import launch
from srshell.fabric.control_client import FabricClient
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.model.replica import Flow, ReplicaReport, ReplicaRole
from srshell.model.report import GroupStatus, RoleChange
from srshell.model.states import ReplicationState
from srshell.site.client import SiteClient
from srshell.site.process_lock import ProcessMark, living_site
from srshell.site.rundir import run_directory, socket_path
from tests.process.claims import Absence
from tests.process.deadlines import until
from tests.process.ledger import UNIT_BYTES, Ledger
from tests.process.pair import MIB

ARRAYS: Final = ("A", "B")
SIZE_BYTES: Final = 8 * MIB
LOG_BYTES: Final = 16 * MIB


@attrs.define(eq=False)
class FabricPair:
    """Arrays A and B with the groups groupA and groupB of the volumes volA and volB."""

    folder: Path
    client: FabricClient
    sites: dict[str, SiteClient] = attrs.field(factory=dict)
    arrays: tuple[str, str] = ARRAYS
    #: The side that said last that it leads.
    primary: str = "A"
    ledger: Ledger = attrs.field(factory=Ledger)
    absences: list[Absence] = attrs.field(factory=list)
    partnership: str = ""
    _newest_epoch: int = 0
    _down_since: dict[str, float] = attrs.field(factory=dict)

    # Who is who.

    @property
    def place(self) -> FabricPlace:
        """The fabric's directory."""
        return self.client.place

    def other(self, array: str) -> str:
        """Return the other array."""
        return self.arrays[1 - self.arrays.index(array)]

    def target(self) -> tuple[SiteClient, str]:
        """Return where writes go now."""
        return self.sites[self.primary], f"vol{self.primary}"

    def places(self) -> list[range]:
        """Return units for writers: some at the beginning, some at the very end."""
        units = SIZE_BYTES // UNIT_BYTES
        return [range(256), range(units - 256, units)]

    async def report(self, array: str) -> ReplicaReport | None:
        """Return what a site says of its replica now; writers follow whoever leads."""
        try:
            report = await self.sites[array].replica(self.partnership)
        except SrError:
            return None
        leads = report.role is ReplicaRole.PRIMARY and report.writable
        if leads and report.epoch >= self._newest_epoch:
            self.primary, self._newest_epoch = array, report.epoch
        return report

    async def row(self, array: str) -> GroupStatus:
        """Return what the fabric says of a side; starts an owner if there is none."""
        rows = (await self.client.status(f"group{array}")).groups
        return next(row for row in rows if row.array == array)

    async def in_sync(self) -> str:
        """Wait until the group is in sync; return the array that is primary."""
        await self.client.wait("groupA", "Synchronizing", timeout=40)
        rows = (await self.client.status("groupA")).groups
        (primary,) = [row.array for row in rows if row.is_primary]
        return primary

    # What happens to processes.

    def owner(self) -> ProcessMark:
        """Return the living owner."""
        mark = self.find_owner()
        assert mark is not None, "no owner lives"
        return mark

    def find_owner(self) -> ProcessMark | None:
        """Return the living owner, if there is one."""
        text = self.place.owner_lock.read_text().strip() if self.place.owner_lock.exists() else ""
        return ProcessMark.of(int(text)) if text.isdigit() else None

    def find_site(self, array: str) -> ProcessMark | None:
        """Return the living process of a site, if there is one."""
        return living_site(self.place.directory / "sites" / array / "site.lock")

    def site(self, array: str) -> ProcessMark:
        """Return the living process of a site."""
        mark = self.find_site(array)
        assert mark is not None, f"site {array} does not live"
        return mark

    async def kill(self, *marks: ProcessMark) -> None:
        """Let processes die together."""
        for mark in marks:
            assert launch.send(mark, signal.SIGKILL)
        for mark in marks:
            await launch.ended(mark)

    async def interrupt(
        self, step: str, after_seconds: float, also: tuple[str, ...]
    ) -> dict[str, str]:
        """Kill the owner, and some sites, in the middle of a step of its role change.

        Returns how far every step was, by the journal that the next owner reads.
        """

        async def begun() -> bool:
            return self.steps().get(step, "planned") != "planned"

        await until(begun, f"{step} has begun")
        await asyncio.sleep(after_seconds)
        await self.kill(self.owner(), *(self.site(array) for array in also))
        return self.steps()

    def steps(self) -> dict[str, str]:
        """Return the steps of the unfinished role change, as the catalogue has them."""
        path = f"file:{self.place.catalogue}?mode=ro"
        query = "SELECT payload FROM operations WHERE finished = 0"
        try:
            with closing(sqlite3.connect(path, uri=True)) as connection:
                rows = connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return {}  # it is being opened by its owner
        return {
            str(step["name"]): str(step["state"])
            for (payload,) in rows
            for step in json.loads(payload)["steps"]
        }

    async def until_settled(self) -> None:
        """Wait until no role change is under way any more; an owner is started if need be."""

        async def settled() -> bool:
            await self.client.status("groupA")
            return not self.steps()

        await until(settled, "the role change is completed or taken back")

    async def take_down(self, array: str) -> None:
        """Let a site die as a failure would, and keep it from starting."""
        await self.client.fault("site", "down", array)
        self._down_since[array] = time.time()

    async def freeze(self, array: str) -> None:
        """Stop the process of a site, so that it lives and says nothing."""
        assert launch.send(self.site(array), signal.SIGSTOP)
        self._down_since[array] = time.time()

    def is_down(self, array: str) -> bool:
        """Whether a site was taken down or frozen, and not brought back."""
        return array in self._down_since

    async def bring_back(self, array: str) -> None:
        """Start a site again that was taken down, or that a failover has killed."""
        self.absences.append(Absence(array, self._down_since.pop(array), time.time()))
        await self.client.restart(array)

    # What must hold in the end.

    async def check(self) -> None:
        """Both volumes are equal, and hold every acknowledged write."""
        primary = await self.in_sync()

        async def equal() -> bool:
            reports = [await self.report(array) for array in self.arrays]
            ends = {(r.last_lsn, r.durable_lsn, r.applied_lsn) for r in reports if r is not None}
            return None not in reports and len(ends) == 1 and len(set(ends.pop())) == 1

        await until(equal, "both sides have applied everything")
        contents = [(self.folder / each / f"vol{each}").read_bytes() for each in self.arrays]
        assert contents[0] == contents[1], "the volumes differ"
        problems = self.ledger.problems(contents[0])
        assert not problems, problems[:5]
        found = await self.client.verify(f"group{primary}")
        assert found.equal, found

    async def end(self) -> None:
        """Let every process of the fabric end, in good order if there is an owner."""
        for array in self.arrays:
            if (mark := self.find_site(array)) is not None:
                launch.send(mark, signal.SIGCONT)
        with suppress(SrError):
            await self.client.stop_owner()
        await self.client.close()
        for site in self.sites.values():
            await site.close()
        for mark in (self.find_owner(), *(self.find_site(array) for array in self.arrays)):
            if mark is not None and launch.send(mark, signal.SIGKILL):
                await launch.ended(mark)


async def fail_over(pair: FabricPair, target: str) -> RoleChange:
    """Fail over as soon as that is allowed: the source has to have been silent for a moment."""

    async def ask() -> RoleChange | None:
        try:
            return await pair.client.failover(
                f"group{target}", "unplanned", confirm=f"group{target}"
            )
        except SrError as error:
            if error.code != "SR6018" and error.article_rule != 63:
                raise
            return None

    return await until(ask, f"{target} takes over")


@asynccontextmanager
async def open_fabric_pair(
    folder: Path, *, everything_dies: bool = False
) -> AsyncIterator[FabricPair]:
    """Make a fabric of two arrays, as a person would, and protect a group; in sync.

    ``everything_dies``: owner and sites are killed together in the middle of the first copy.
    """
    place = FabricPlace(folder / "f")
    client = FabricClient(place, options=OwnerOptions(sandbox=True))
    pair = FabricPair(folder, client)
    try:
        await set_up(pair)
        await (copy_with_a_break(pair) if everything_dies else client.refresh())
        await pair.in_sync()
        yield pair
    finally:
        await pair.end()


async def set_up(pair: FabricPair) -> None:
    """Take the article's steps up to the first copy."""
    client = pair.client
    await client.connect()
    for array in ARRAYS:
        home = pair.folder / array
        home.mkdir()
        found = await client.discover(home, array)
        await client.classify(f"{array}/{found.pools[0].name}", "gold")
    await client.pair("A", "B")
    await client.provision_pair(
        "volA", "volB", SIZE_BYTES, logs=("logA", "logB"), log_size=LOG_BYTES
    )
    for array in ARRAYS:
        await client.create_group(f"group{array}", f"vol{array}", f"log{array}")
    # In the middle, where no writer writes.
    await client.volume("volA").write(MIB, random.Random(3).randbytes(6 * MIB))
    await client.enable("groupA", "groupB")
    info = await client.info()
    directory = run_directory(pair.place.directory)
    for array in ARRAYS:
        socket = socket_path(directory, array, "site")
        pair.sites[array] = SiteClient(array, socket, fabric=info.identity, owner_term=None)
    (report,) = (await pair.sites["A"].describe()).replicas
    pair.partnership = report.partnership


async def copy_with_a_break(pair: FabricPair) -> None:
    """Begin the first copy, kill everything in the middle of it, and let it go on."""
    await pair.client.fault("disk", "slow", "B", seconds=60)
    refreshing = asyncio.create_task(pair.client.refresh())

    async def copying() -> bool:
        report = await pair.report("A")
        return report is not None and report.flow is Flow.INITIAL_COPY

    await until(copying, "the first copy has begun")
    await pair.kill(pair.owner(), *(pair.site(array) for array in ARRAYS))
    # The job ended with its owner; the copy is the business of the sites.
    await asyncio.gather(refreshing, return_exceptions=True)
    row = await pair.row("A")
    assert row.failover_ready == (row.replication_state is ReplicationState.SYNCHRONIZING)
    assert row.failover_ready or row.rpo_seconds is None
