"""What the verbs of a fabric work with: catalogue, sites, journal, jobs, locks.

Always true:

(1) All of it belongs to one event loop; the catalogue is touched by nobody else.
(2) A `View` is made of the catalogue as it is and of each site's last word; making it asks nobody.
(3) Changes of arrays, volumes and groups exclude one another; so do changes of a partnership.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import attrs

from srshell.backends.base import Backend, SiteState
from srshell.fabric.catalogue import Catalogue
from srshell.fabric.clock import Clock
from srshell.fabric.jobs import JobHandle, Jobs
from srshell.fabric.journal import Journal
from srshell.fabric.place import FabricPlace
from srshell.fabric.pulse import Pulse
from srshell.fabric.sites import Sites
from srshell.fabric.snapshot import SiteFacts, Snapshot, View
from srshell.model.commits import Commits
from srshell.model.inventory import Array, Operation
from srshell.model.verification import VerifyState
from srshell.site.api import SiteApi

FoundT = TypeVar("FoundT")

#: A condition is looked at again after this time even if nothing was heard, in seconds.
_LOOK_SECONDS = 0.5
#: How long a site that lives may be late before a change that needs it is refused, in seconds.
_LATE_SECONDS = 5.0


@attrs.frozen
class RunningMachine:
    """A machine in this process."""

    stop: Callable[[], None]
    task: asyncio.Task[None]


@attrs.define(eq=False)
class Context:
    """One fabric, as its owner holds it."""

    place: FabricPlace
    catalogue: Catalogue
    backend: Backend
    clock: Clock
    owner_term: int
    owner_pid: int
    socket: str = ""
    sandbox: bool = False
    in_process: bool = False
    commits: Commits = Commits.AUTO  # of sites that are started from now on
    copied: bool = False  # a copy to plan on: no machine is started, stopped or written to disk
    pulse: Pulse = attrs.Factory(Pulse)
    journal: Journal = attrs.field(init=False)
    jobs: Jobs = attrs.field(init=False)
    sites: Sites = attrs.field(init=False)
    setup: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    #: Partnership to who is changing it.
    busy: dict[str, str] = attrs.field(factory=dict, init=False)
    #: Partnership to its verifications, as the catalogue has them.
    verifications: dict[str, VerifyState] = attrs.field(factory=dict, init=False)
    #: Group to the seconds for which its copy has not moved.
    stalled: dict[str, float] = attrs.field(factory=dict, init=False)
    #: Partnership to the seconds without writes of its last role change.
    outages: dict[str, float] = attrs.field(factory=dict, init=False)
    #: Held while a machine is started or stopped, so that nobody starts one that is being removed.
    machine_lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    #: Machines that run in this process, where sites do so too.
    machines: dict[str, RunningMachine] = attrs.field(factory=dict, init=False)
    _snapshot: Snapshot | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.journal = Journal(self.catalogue, self.clock, self.pulse)
        self.jobs = Jobs(self.catalogue, self.clock, self.pulse)
        self.verifications = {state.partnership: state for state in self.catalogue.all(VerifyState)}
        role_changes = sorted(self.catalogue.all(Operation), key=lambda done: done.ended_unix)
        for operation in role_changes:
            self.remember_outage(operation)
        self.sites = Sites(self.backend, self.clock, self.pulse, lambda _array, _events: None)

    def remember_outage(self, operation: Operation) -> None:
        """Keep how long a role change took; the latest of a partnership counts."""
        seconds = operation.outage_seconds
        if seconds is not None:
            self.outages[operation.partnership] = seconds

    @property
    def identity(self) -> str:
        """The identity of the fabric, as pools carry it in their labels."""
        return self.catalogue.fabric

    @property
    def snapshot(self) -> Snapshot:
        """The objects of the catalogue."""
        if self._snapshot is None:
            self._snapshot = self.catalogue.snapshot()
        return self._snapshot

    def put(self, *objects: object) -> None:
        """Store objects, all or none."""
        with self.catalogue.transaction():
            self.catalogue.put(*objects)
        self.changed()

    def remove(self, cls: type, *key: str) -> None:
        """Remove one object."""
        with self.catalogue.transaction():
            self.catalogue.remove(cls, *key)
        self.changed()

    def changed(self) -> None:
        """The catalogue was changed."""
        self._snapshot = None
        self.pulse.beat()

    def view(self) -> View:
        """The fabric as it is known at this moment."""
        snapshot = self.snapshot
        waiting = {
            p.partnership for p in snapshot.partnerships if p.failed_over and not p.reprotect
        }
        facts = {a.name: _unprotected(self.sites.facts(a.name), waiting) for a in snapshot.arrays}
        return View(snapshot, facts, dict(self.busy))

    def view_for(self, partnership: str) -> View:
        """The fabric as the one sees it who is changing a partnership."""
        busy = {name: holder for name, holder in self.busy.items() if name != partnership}
        return attrs.evolve(self.view(), busy=busy)

    async def fresh_view(self, *arrays: str) -> View:
        """The fabric after asking the named sites, or all, unless they were asked just now."""
        named = arrays or tuple(array.name for array in self.snapshot.arrays)
        await self.sites.look_if_stale(*named)
        return self.view()

    async def asked_view(self) -> View:
        """The fabric after asking every site, whenever it was asked last: before a role changes."""
        names = tuple(array.name for array in self.snapshot.arrays)
        await self.sites.look_if_stale(*names, fresh_seconds=0.0)
        return self.view()

    async def patient_view(self) -> View:
        """As `asked_view`; a site that lives and is late is waited for, at most five seconds.

        For what needs both sides: on a busy machine a site is slow, not lost.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + _LATE_SECONDS
        mark = self.pulse.mark
        view = await self.asked_view()
        while not self.copied and loop.time() < end and any(map(self._is_late, self.array_names())):
            await self.pulse.after(mark, _LOOK_SECONDS)
            mark = self.pulse.mark
            view = await self.asked_view()
        return view

    def _is_late(self, array: str) -> bool:
        """Whether the process of a site lives and does not answer."""
        living = {SiteState.STARTING, SiteState.RUNNING, SiteState.FROZEN}
        answers = self.sites.facts(array).reachable
        return not answers and self.sites.standing(array).state in living

    async def look_at(self, *arrays: str) -> View:
        """Ask sites how they are, now: something was done to them."""
        await asyncio.gather(*(self.sites.look(array) for array in arrays))
        return self.view()

    def site(self, array: str) -> SiteApi:
        """The verbs of the site of an array."""
        return self.sites.api(array)

    def array_names(self) -> tuple[str, ...]:
        """All arrays."""
        return tuple(array.name for array in self.catalogue.all(Array))

    @asynccontextmanager
    async def changing(self, partnership: str, holder: str) -> AsyncIterator[None]:
        """Hold a partnership while it is changed; the rules refuse others meanwhile."""
        assert partnership not in self.busy, partnership
        self.busy[partnership] = holder
        try:
            yield
        finally:
            del self.busy[partnership]
            self.pulse.beat()

    async def wait_until(
        self,
        look: Callable[[], FoundT | None],
        timeout_seconds: float,
        handle: JobHandle | None = None,
    ) -> FoundT | None:
        """Wait until ``look`` finds something; None if it did not in time.

        Args:
            look: called after every change of anything; it must ask nobody.
            timeout_seconds: how long to wait.
            handle: the job that waits; cancelling it ends the waiting with SR0107.
        """
        end = self.clock.monotonic() + timeout_seconds
        while True:
            mark = self.pulse.mark
            if handle is not None:
                handle.checkpoint()
            found = look()
            if found is not None:
                return found
            left = end - self.clock.monotonic()
            if left <= 0:
                return None
            await self.pulse.after(mark, min(left, _LOOK_SECONDS))


def _unprotected(facts: SiteFacts, waiting: set[str]) -> SiteFacts:
    """A group that waits for its roles to be reversed is paused at its site, not by a person."""
    if not waiting:
        return facts
    replicas = tuple(
        attrs.evolve(replica, suspended=False) if replica.partnership in waiting else replica
        for replica in facts.replicas
    )
    return attrs.evolve(facts, replicas=replicas)
