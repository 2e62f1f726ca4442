"""The people and supervisors of an episode: they break things, and start what went down.

Always true:

(1) A side that went down is started again after a while, unless it is held.
(2) A step goes on beside the next ones; what it breaks for a time it mends itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from srshell.model.errors import SrError
from srshell.simulation.cluster import NAMES, Cluster, Site, SiteDown
from srshell.simulation.faults import FaultKind
from srshell.simulation.oracle import Oracle
from srshell.simulation.orders import Orders
from srshell.simulation.plan import Plan, Step

#: Something to do at once.
Act = Callable[[], None]


class Person(Orders):
    """Carries out the steps of a plan."""

    def __init__(self, cluster: Cluster, oracle: Oracle, plan: Plan) -> None:
        """Begin with nothing under way."""
        super().__init__(cluster, oracle, plan)
        self._tasks: list[asyncio.Task[None]] = []
        self._keepers: list[asyncio.Task[None]] = []

    # --- tasks ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Let the supervisors begin."""
        for site in self.cluster.sites.values():
            self._keepers.append(asyncio.ensure_future(self._keep(site)))

    def do(self, step: Step) -> None:
        """Begin a step; it goes on beside the next ones."""
        self.cluster.loop.record("person", step.action, step.side)
        self._tasks.append(asyncio.ensure_future(self._carry_out(step)))

    @property
    def done(self) -> bool:
        """Whether every order has ended."""
        return all(task.done() for task in self._tasks)

    def raise_errors(self) -> None:
        """Raise what went wrong in a step or a restart, if anything."""
        for task in (*self._tasks, *self._keepers):
            if task.done():
                task.result()

    def stop(self) -> None:
        """Stop keeping sites up."""
        for task in self._keepers:
            task.cancel()

    async def _keep(self, site: Site) -> None:
        """Start the site's process whenever it is down."""
        while True:
            site.changed.clear()
            if site.trouble and site.name != self.plan.brittle:
                self.oracle.fail(f"{site.name} failed on a good disk: {site.trouble}")
            if self._is_missing(site):
                await asyncio.sleep(self._random.uniform(0.0, self.plan.restart_seconds))
                if self._is_missing(site):
                    await site.boot()
            else:
                await site.changed.wait()

    def _is_missing(self, site: Site) -> bool:
        """Whether a supervisor would start the site now."""
        down = site.process is None or not site.process.alive
        usable = site.provided and not (site.trouble or site.torn)
        return down and usable and site.name not in self.held

    # --- breaking things ------------------------------------------------------------------------

    async def _carry_out(self, step: Step) -> None:
        site = self.cluster.sites[step.side]
        peer = site.peer
        match step.action:
            case "kill":
                site.kill()
            case "power":
                site.power_cut()
            case "kill both":
                site.kill()
                peer.kill()
            case "power both":
                site.power_cut()
                peer.power_cut()
            case "clock":
                site.clock_shift_seconds += step.count
                self.cluster.loop.reached("clock: " + ("back" if step.count < 0 else "ahead"))
            case "rot":
                self.atlas.rot()
            case "lie":
                self.atlas.arm(FaultKind[step.kind], step.count)
            case "fault" | "bad disk":
                brittle = self.cluster.sites[self.plan.brittle]
                brittle.disk.fail_at(
                    step.count,
                    FaultKind[step.kind],
                    operation=step.operation,
                    path=step.path,
                    sticky=step.action == "bad disk",
                )
            case _:
                spell = self._spell(step, site)
                if spell is None:
                    await self._order(step, site)
                    return
                begin, end = spell
                begin()
                await asyncio.sleep(step.seconds)
                end()

    def _spell(self, step: Step, site: Site) -> tuple[Act, Act] | None:
        """What goes wrong for a while: how it begins, and how it ends; None if it is an order."""
        cluster, network, disk = self.cluster, self.cluster.network, site.disk
        both, names = step.action == "partition", (site.name, site.peer_name)
        normal = cluster.delay_seconds
        match step.action:
            case "partition" | "one way":
                return (
                    lambda: network.partition(*names, both=both),
                    lambda: network.heal(*names, both=both),
                )
            case "reset":
                return lambda: network.reset(*NAMES), lambda: None
            case "flap":
                return lambda: network.reset(*NAMES), lambda: network.reset(*NAMES)
            case "delay":
                return lambda: cluster.set_delay(1e-3, 0.04), lambda: cluster.set_delay(*normal)
            case "slow disk":
                return lambda: disk.slow_down(0.02), lambda: disk.slow_down(0.0)
            case "hang disk":
                return disk.hang, disk.resume
            case "freeze":
                return site.freeze, site.thaw
        return None

    async def _order(self, step: Step, site: Site) -> None:
        order = self._orders()[step.action]
        try:
            if step.patience_seconds:
                await asyncio.wait_for(order(step, site), step.patience_seconds)
            else:
                await order(step, site)
        except (SiteDown, SrError, TimeoutError) as error:
            self.cluster.loop.record("person", step.action, "ends with", str(error))
        else:
            self.cluster.loop.reached(f"order: {step.action}")
