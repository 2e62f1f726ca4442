"""One episode: a plan carried out on a cluster, then peace, then the reckoning.

    provide -> things go wrong while clients work -> heal -> in sync -> compare -> [dark] -> compare

Always true:

(1) After healing, the group is in sync within `PEACE_SECONDS` of virtual time, and every operation
    has ended.
(2) The episode ends with both sides equal and every acknowledged write in place, or in a `Failure`
    that names its seed.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Callable

import attrs

from srshell.engine.core import ReplicaEvent
from srshell.model.errors import SrError
from srshell.simulation.cluster import Cluster, Site, SiteDown
from srshell.simulation.loop import Deadlock, Runaway, SimLoop
from srshell.simulation.mending import Mender
from srshell.simulation.oracle import Oracle, Violation
from srshell.simulation.person import Person
from srshell.simulation.plan import Plan, draw_plan
from srshell.simulation.prefill import Prefill
from srshell.simulation.rot import Rot
from srshell.simulation.workload import Clients

#: How long a healed group may need until it is in sync (virtual seconds).
PEACE_SECONDS = 20.0
_EVENTS_MAX = 400_000
_TICK_SECONDS = 0.02
#: How often the tasks of people and clients are asked what they ran into.
_CHECK_SECONDS = 0.1


class Failure(Exception):
    """A seed that broke a promise; the text says which, and how both sides stood."""


@attrs.frozen
class Result:
    """What an episode came to."""

    seed: int
    trace_hash: str
    events: int
    virtual_seconds: float
    writes: int
    acknowledged: int
    reads: int
    boots: int
    #: The only usable copy was on a disk that broke: nothing to compare.
    disaster: bool
    crashes: int
    #: Which rare things happened, and how often.
    probes: dict[str, int]


class Episode:
    """Runs one plan."""

    def __init__(self, loop: SimLoop, plan: Plan) -> None:
        """Make the cluster and everybody around it."""
        self.loop = loop
        self.plan = plan
        self.cluster = Cluster(loop, plan.shape)
        self.cluster.delay_seconds = plan.delay_seconds
        self.cluster.set_delay(*plan.delay_seconds)
        loop.job_seconds = plan.job_seconds
        self.oracle = Oracle(self.cluster)
        self.prefill = Prefill(self.cluster, self.oracle, loop.random("prefill"))
        loop.watch = self.oracle.glance
        self.cluster.on_event.append(self._heard)
        self.person = Person(self.cluster, self.oracle, plan)
        self.mender = Mender(self.person)
        self.clients = Clients(self.cluster, self.oracle, plan.habits, loop.random("clients"))

    async def run(self) -> Result:
        """Carry out the plan.  Raises `Violation` and what the loop raises."""
        await self.cluster.provide()
        await self.cluster.start()
        self.person.start()
        self.clients.start()
        await self._trouble()
        self.clients.stop()
        await self._peace()
        await self._compare()
        if self.plan.rots and not self.mender.disaster:
            await self._rot()
        if self.plan.ends_in_the_dark and not self.mender.disaster:
            await self._darkness()
        self.person.stop()
        return Result(
            self.plan.seed,
            self.loop.trace_hash(),
            self.loop.events,
            self.loop.time(),
            len(self.oracle.notes),
            self.oracle.acknowledged_count,
            self.oracle.reads_count,
            sum(site.boots for site in self.cluster.sites.values()),
            self.mender.disaster,
            self.loop.probes["crash: kill"] + self.loop.probes["crash: power cut"],
            dict(self.loop.probes),
        )

    def _heard(self, site: Site, event: ReplicaEvent) -> None:
        """Count what replicas tell, without the numbers in it."""
        told = re.sub(r"[^a-z ].*", "", event.text)
        self.loop.probes[f"{event.kind}: {told.strip()}"] += 1

    async def _trouble(self) -> None:
        """Let things go wrong as planned."""
        begin = self.loop.time()
        for step in self.plan.steps:
            await self._wait_until(begin + step.at)
            self.person.do(step)
        await self._wait_until(begin + self.plan.duration_seconds)

    async def _wait_until(self, time: float) -> None:
        while self.loop.time() < time:
            await asyncio.sleep(min(_CHECK_SECONDS, time - self.loop.time()))
            self._check()

    def _check(self) -> None:
        self.person.raise_errors()
        self.clients.raise_errors()
        self.oracle.look()

    async def _peace(self) -> None:
        """Heal everything and wait until the group is in sync and nobody waits any more."""
        for site in self.cluster.sites.values():
            self.oracle.check_secondary(site)
        self.cluster.heal()
        deadline = self.loop.time() + PEACE_SECONDS
        while not (self.mender.in_step() and self.person.done and self.clients.done):
            if self.mender.disaster:
                return
            if self.loop.time() > deadline:
                self._complain()
            if self.person.done and not self.mender.in_step():
                await self.mender.mend()
            await asyncio.sleep(_TICK_SECONDS)
            self._check()

    def _complain(self) -> None:
        """Say who keeps the group from being in sync."""
        waiting = "\n    ".join(self.loop.pending_tasks())
        who = "" if self.clients.done else " clients wait;"
        who += "" if self.person.done else " orders wait;"
        who += "" if self.mender.in_step() else " not in sync;"
        self.oracle.fail(f"no peace after {PEACE_SECONDS:g} s:{who}\n    {waiting}")

    async def _compare(self) -> None:
        """Both sides are equal, and every acknowledged write is there."""
        if self.mender.disaster:
            return
        primary = self.person.primary()
        assert primary is not None
        replica, peer = primary.replica, primary.peer.replica
        assert replica is not None
        assert peer is not None
        deadline = self.loop.time() + PEACE_SECONDS
        source = replica.core.source
        while source is not None and peer.core.applied_lsn < source.last_lsn:
            if self.loop.time() > deadline:
                self.oracle.fail("the secondary does not apply what was acknowledged")
            await asyncio.sleep(_TICK_SECONDS)
            self._check()
        try:
            compared = await primary.ask(replica.verify)
        except (SiteDown, SrError) as error:
            self.oracle.fail(f"verify in peace: {error}")
            return
        self.oracle.check_compared("in peace", compared)
        for site in self.cluster.sites.values():
            self.oracle.check_all(site)
        for volume in range(len(self.plan.shape.volumes)):
            left, right = (self.oracle.contents(s, volume) for s in self.cluster.sites.values())
            if left != right:
                self.oracle.fail(f"v{volume} differs between the sides")

    async def _rot(self) -> None:
        """Bytes rot on the volumes; a verification puts them right."""
        primary = self.person.primary()
        assert primary is not None
        await Rot(self.cluster, self.oracle, self.loop.random("rot")).strike(primary)
        await self._compare()

    async def _darkness(self) -> None:
        """Both sides lose power in peace; nothing is lost."""
        for site in self.cluster.sites.values():
            site.power_cut()
        await self._peace()
        await self._compare()


def run_plan(
    plan: Plan, echo: Callable[[str], object] | None = None, *, events_max: int = _EVENTS_MAX
) -> Result:
    """Run one plan in a world of its own.  Raises `Failure`.

    ``echo`` gets everything that happened, line by line, at the end.
    """
    loop = SimLoop(plan.seed, events_max=events_max, keep_trace=echo is not None)
    try:
        result = loop.run_until_complete(Episode(loop, plan).run())
        loop.raise_errors()
    except (Violation, Deadlock, Runaway) as error:
        raise Failure(f"seed {plan.seed}: {type(error).__name__} {error}") from error
    except Exception as error:
        where = traceback.format_exception(error)[-4:]
        raise Failure(f"seed {plan.seed}: {error!r}\n{''.join(where)}") from error
    else:
        return result
    finally:
        if echo is not None and loop.trace is not None:
            for line in loop.trace:
                echo(line.rstrip())
        loop.close()


def run_seed(seed: int) -> Result:
    """Run the episode of a seed.  Raises `Failure`."""
    return run_plan(draw_plan(seed))
