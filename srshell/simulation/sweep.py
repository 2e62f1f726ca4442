"""A crash before and after every I/O operation of short episodes, and once more in the recovery.

Always true:

(1) A script runs the same way up to its crash, so operation n is the same operation in every run.
(2) Every operation of both sides that a crash can divide is a crash point, before it and after it.
(3) After the crash the group is in sync again, equal, with every acknowledged write, or it is a
    `Failure`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final

import attrs

from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss
from srshell.simulation.cluster import NAMES, SMALL_LIMITS, Shape, Site, SiteDown
from srshell.simulation.episode import Episode, Failure
from srshell.simulation.faults import Operation
from srshell.simulation.loop import Deadlock, Runaway, SimLoop
from srshell.simulation.oracle import Violation
from srshell.simulation.plan import Plan, Step
from srshell.simulation.workload import Habits

_EVENTS_MAX: Final = 100_000
_SHAPE: Final = Shape(
    volumes=(48 << 10, (20 << 10) + 512),
    ring_bytes=64 << 10,
    harsh=True,
    limits=attrs.evolve(SMALL_LIMITS, unapplied_bytes=32 << 10),
)
#: Operations of one recovery after which the second crash comes, one after the other.
_SECOND_CRASHES: Final = 37


@attrs.frozen
class CrashPoint:
    """Where a script is interrupted."""

    script: str
    side: str
    #: Which operation of the side's disk, from the end of the set-up on.
    number: int
    #: Before or after the operation.
    before: bool
    #: The whole machine loses power; otherwise the process is killed.
    power: bool
    #: The operation of the recovery at which everything happens once more; 0: none.
    again: int

    def __str__(self) -> str:
        moment = "before" if self.before else "after"
        kind = "power cut" if self.power else "kill"
        return (
            f"{self.script}: {kind} {moment} operation {self.number} of {self.side}, "
            f"again at {self.again} of the recovery"
        )


class Crashed(Exception):
    """The script was interrupted at its crash point."""


class _Run(Episode):
    """One script with at most one crash point."""

    def __init__(self, loop: SimLoop, script: str, point: CrashPoint | None) -> None:
        """Make a cluster for the script."""
        policy = OnPeerLoss.SUSPEND_IO if script == "everyday" else OnPeerLoss.CONTINUE
        plan = Plan(
            seed=0,
            shape=attrs.evolve(_SHAPE, on_peer_loss=policy),
            habits=Habits(clients=0),
            duration_seconds=0.0,
            brittle="",
            restart_seconds=0.02,
            job_seconds=(20e-6, 2e-3),
            delay_seconds=(50e-6, 500e-6),
            ends_in_the_dark=point is not None and point.number % 2 == 0,
            steps=(),
        )
        super().__init__(loop, plan)
        self.script = script
        self.point = point
        self.crashes = 0
        #: What each side's disk did, in a run without a crash.
        self.operations: dict[str, list[Operation]] = {name: [] for name in NAMES}
        self._target = 0
        self._crashed: asyncio.Future[None] = loop.create_future()

    async def run_script(self) -> None:
        """Set up, run the script until it ends or crashes, then expect peace."""
        cluster = self.cluster
        await cluster.provide()
        for site in cluster.sites.values():
            self._watch(site)
        script = asyncio.ensure_future(self._play())
        await asyncio.wait((script, self._crashed), return_when=asyncio.FIRST_COMPLETED)
        # What clients wait for goes on; only the script is over.
        script.cancel()
        with suppress(Crashed, SiteDown, SrError, asyncio.CancelledError):
            await script
        if self.point is not None:
            await self._finish()

    async def _play(self) -> None:
        await self.cluster.start()
        await _SCRIPTS[self.script](self)

    async def _finish(self) -> None:
        self.person.start()
        self.cluster.heal()
        await self._peace()
        self._target = 0  # the recovery is over, with its second crash or before it
        await self.burst(3)
        await self._peace()
        await self._compare()
        if self.plan.ends_in_the_dark:
            await self._darkness()
        self.person.stop()

    # --- crashing -------------------------------------------------------------------------------

    def _watch(self, site: Site) -> None:
        point, disk = self.point, site.disk
        if point is None:
            disk.after = self.operations[site.name].append
            return
        if site.name != point.side:
            return
        self._target = disk.operations + point.number
        if point.before:
            disk.before = lambda operation: self._strike(site, operation)
        else:
            disk.after = lambda operation: self._strike(site, operation)

    def _strike(self, site: Site, operation: Operation) -> None:
        point = self.point
        assert point is not None
        if operation.number != self._target:
            return
        self.crashes += 1
        if not self._crashed.done():
            self._crashed.set_result(None)
        # The second crash comes in the recovery, counted from here.
        again = self.crashes == 1 and point.again
        self._target = operation.number + point.again if again else 0
        if point.power:
            site.power_cut()
        else:
            site.kill()

    # --- what scripts are made of ---------------------------------------------------------------

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so.  Raises `Crashed`, also when it takes too long."""
        for _ in range(400):
            self._check()
            if self.crashes:
                raise Crashed
            if reached():
                return
            await asyncio.sleep(0.005)
        raise Crashed

    async def pause(self, seconds: float) -> None:
        """Let time pass.  Raises `Crashed`."""
        await asyncio.sleep(seconds)
        self._check()
        if self.crashes:
            raise Crashed

    async def burst(self, count: int, side: str = "", *, large: bool = False) -> None:
        """Let ``count`` writes that overlap wait together."""
        site = self.cluster.sites[side] if side else self.person.primary()
        if site is None or site.replica is None:
            return
        replica, tasks = site.replica, []
        for index in range(count):
            number = len(self.oracle.notes) + index
            first = number * 5 % 40
            end = first + (16 if large else (8, 1, 11)[number % 3])
            kind = "trim" if number % 7 == 6 else "write"
            volume = number % 2 if first < 20 else 0
            write = self.clients.write(site, replica, kind, volume, first, end)
            tasks.append(self.clients.begin(write))
        await asyncio.wait(tasks)
        self._check()

    def knows_split(self) -> bool:
        """Whether both sides know that they are split."""
        return all(
            site.replica is not None and site.replica.peer_link.split is not None
            for site in self.cluster.sites.values()
        )

    async def order(self, action: str, side: str) -> None:
        """Let a person give an order and wait for it."""
        self.person.do(Step(0.0, action, side))
        await self.until(lambda: self.person.done)


async def _everyday(run: _Run) -> None:
    """Initial copy under writes, writes in sync, checkpoints."""
    await run.burst(4)
    while not run.mender.in_step():
        await run.burst(1)
        await run.pause(0.004)
    await run.burst(5)
    await run.pause(0.07)
    await run.burst(3)
    await run.pause(0.07)


async def _apart(run: _Run) -> None:
    """The link breaks, the primary goes on alone until its log overruns, and the link is back."""
    await run.until(run.mender.in_step)
    run.cluster.network.partition(*NAMES)
    await run.burst(3)
    for _ in range(4):
        await run.burst(3, large=True)
        await run.pause(0.02)
    run.cluster.network.heal(*NAMES)
    await run.until(run.mender.in_step)
    await run.burst(2)


async def _handover(run: _Run) -> None:
    """Planned failover and back, each with writes around it."""
    await run.until(run.mender.in_step)
    await run.burst(4)
    await run.order("planned", "A")
    await run.until(run.mender.in_step)
    await run.burst(4)
    await run.order("planned", "B")
    await run.until(run.mender.in_step)
    await run.burst(2)


async def _split(run: _Run) -> None:
    """Both sides lead, both learn of it, one is given up and joins the other."""
    await run.until(run.mender.in_step)
    await run.burst(3)
    run.cluster.network.partition(*NAMES)
    await run.burst(2)
    await run.order("unplanned", "B")
    await run.burst(3, "A")
    await run.burst(3, "B")
    run.cluster.network.heal(*NAMES)
    await run.until(run.knows_split)
    await run.order("give up", "A")
    await run.until(run.mender.in_step)
    await run.burst(2)


_SCRIPTS: Final[dict[str, Callable[[_Run], Coroutine[Any, Any, None]]]] = {
    "everyday": _everyday,
    "apart": _apart,
    "handover": _handover,
    "split": _split,
}
SCRIPTS: Final = tuple(_SCRIPTS)


def crash_points(script: str, *, thorough: bool = False) -> Iterator[CrashPoint]:
    """Yield every crash point of a script.

    Kills and power cuts take turns, before and after; ``thorough`` does all four at each operation.
    """
    run = _run(script, None)
    count = 0
    for side, operations in run.operations.items():
        if not operations:
            continue
        base = operations[0].number - 1
        for operation in operations:
            number = operation.number - base
            for before in (True, False):
                if not (operation.changes or before):
                    continue
                for power in (True, False):
                    turn = (number + before) % 2 == power
                    if not (thorough or turn):
                        continue
                    count += 1
                    again = 1 + count % _SECOND_CRASHES
                    yield CrashPoint(script, side, number, before, power, again)


def run_point(point: CrashPoint) -> int:
    """Run a script up to its crash point and beyond; return how often it crashed.

    Raises `Failure`.
    """
    return _run(point.script, point).crashes


def _run(script: str, point: CrashPoint | None) -> _Run:
    loop = SimLoop(f"sweep {script}", events_max=_EVENTS_MAX)
    name = str(point) if point is not None else f"{script} without a crash"
    try:
        run = _Run(loop, script, point)
        loop.run_until_complete(run.run_script())
        loop.raise_errors()
    except (Violation, Deadlock, Runaway) as error:
        raise Failure(f"{name}: {type(error).__name__} {error}") from error
    except Exception as error:
        where = traceback.format_exception(error)[-4:]
        raise Failure(f"{name}: {error!r}\n{''.join(where)}") from error
    else:
        return run
    finally:
        loop.close()
