"""A crash before and after every I/O operation of short scripts, and once more in the recovery.

Always true:

(1) A script runs the same way up to its crash, so operation n is the same operation in every run.
(2) Every operation of both sides that a crash can divide is a crash point, before it and after it.
(3) The second crash comes in the recovery, on the side of the first one or on the other.
(4) After the crashes the group is in sync again, equal, with every acknowledged write, or it is a
    `Failure`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.simulation.cluster import NAMES, Site, SiteDown
from srshell.simulation.episode import Failure
from srshell.simulation.faults import Operation
from srshell.simulation.loop import Deadlock, Runaway, SimLoop
from srshell.simulation.oracle import Violation
from srshell.simulation.scripts import SCRIPTS, Crashed, Script

__all__ = ["SCRIPTS", "CrashPoint", "all_points", "count_points", "crash_points", "run_point"]

_EVENTS_MAX: Final = 100_000
#: Operations of one recovery after which the second crash comes, one after the other.
_SECOND_CRASHES: Final = 37
#: How many second crashes a thorough sweep tries for each first one.
_DEPTH: Final = 5


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
    #: The second crash strikes the other side.
    elsewhere: bool = False

    def __str__(self) -> str:
        moment = "before" if self.before else "after"
        kind = "power cut" if self.power else "kill"
        where = " of the other side" if self.elsewhere else ""
        return (
            f"{self.script}: {kind} {moment} operation {self.number} of {self.side}, "
            f"again at {self.again} of the recovery{where}"
        )


class _Run(Script):
    """One script with at most one crash point."""

    def __init__(self, loop: SimLoop, script: str, point: CrashPoint | None) -> None:
        """Make a cluster for the script."""
        super().__init__(loop, script, dark=point is not None and point.number % 2 == 0)
        self.point = point
        #: What each side's disk did, in a run without a crash.
        self.operations: dict[str, list[Operation]] = {name: [] for name in NAMES}
        self._targets: dict[str, int] = {}
        self._crashed: asyncio.Future[None] = loop.create_future()

    async def run_script(self) -> None:
        """Set up, run the script until it ends or crashes, then expect peace."""
        await self.cluster.provide()
        for site in self.cluster.sites.values():
            self._watch(site)
        script = asyncio.ensure_future(self.tell())
        await asyncio.wait((script, self._crashed), return_when=asyncio.FIRST_COMPLETED)
        # What clients wait for goes on; only the script is over.
        script.cancel()
        with suppress(Crashed, SiteDown, SrError, asyncio.CancelledError):
            await script
        if self.point is not None:
            await self._finish()

    async def _finish(self) -> None:
        self.person.start()
        self.cluster.heal()
        await self._peace()
        self._targets.clear()  # the recovery is over, with its second crash or before it
        await self.burst(3)
        await self._peace()
        await self._compare()
        if self.plan.ends_in_the_dark:
            await self._darkness()
        self.person.stop()

    def _watch(self, site: Site) -> None:
        point, disk = self.point, site.disk
        if point is None:
            disk.after = self.operations[site.name].append
            return
        if site.name == point.side:
            self._targets[site.name] = disk.operations + point.number
        if point.before:
            disk.before = lambda operation: self._strike(site, operation)
        else:
            disk.after = lambda operation: self._strike(site, operation)

    def _strike(self, site: Site, operation: Operation) -> None:
        point = self.point
        assert point is not None
        if operation.number != self._targets.get(site.name):
            return
        self.crashes += 1
        if not self._crashed.done():
            self._crashed.set_result(None)
        self._targets.clear()
        if self.crashes == 1 and point.again:
            # The second crash comes in the recovery, counted from here.
            struck = site.peer if point.elsewhere else site
            self._targets[struck.name] = struck.disk.operations + point.again
        if point.power:
            site.power_cut()
        else:
            site.kill()


def crash_points(script: str, *, thorough: bool = False) -> Iterator[CrashPoint]:
    """Yield every crash point of a script.

    Kills and power cuts take turns, before and after; ``thorough`` does all four at each operation,
    each with several second crashes, on this side and on the other.
    """
    run = _run(script, None)
    count = 0
    for side, operations in run.operations.items():
        base = operations[0].number - 1 if operations else 0
        for operation in operations:
            number = operation.number - base
            for before in (True, False):
                if not (operation.changes or before):
                    continue
                for power in (True, False):
                    if not thorough and (number + before) % 2 != power:
                        continue
                    for _ in range(_DEPTH if thorough else 1):
                        count += 1
                        again = 1 + count % _SECOND_CRASHES
                        elsewhere = count // _SECOND_CRASHES % 3 == 2
                        yield CrashPoint(script, side, number, before, power, again, elsewhere)


def all_points(*, thorough: bool = False) -> Iterator[CrashPoint]:
    """Yield every crash point of every script."""
    for script in SCRIPTS:
        yield from crash_points(script, thorough=thorough)


def count_points(*, thorough: bool = False) -> int:
    """Return how many crash points there are."""
    return sum(1 for _ in all_points(thorough=thorough))


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
