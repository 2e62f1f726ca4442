"""Short stories in which a crash at every operation is tried, each through one part of the engine.

Always true:

(1) A script runs the same way up to its crash, so operation n is the same operation in every run.
(2) It waits for what it needs; after a crash it ends at its next step, while clients go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs

from srshell.model.replica import OnPeerLoss
from srshell.simulation.cluster import NAMES, SMALL_LIMITS, Shape
from srshell.simulation.episode import Episode
from srshell.simulation.loop import SimLoop
from srshell.simulation.plan import Plan, Step
from srshell.simulation.workload import Habits

_SMALL: Final = Shape(
    volumes=(48 << 10, (20 << 10) + 512),
    ring_bytes=64 << 10,
    harsh=True,
    limits=attrs.evolve(SMALL_LIMITS, unapplied_bytes=32 << 10),
)


class Crashed(Exception):
    """The script was interrupted at its crash point."""


class Script(Episode):
    """What a script works with; see `srshell.simulation.sweep` for its crashes."""

    def __init__(self, loop: SimLoop, name: str, *, dark: bool) -> None:
        """Make a cluster for the script; ``dark``: both sides lose power at the end."""
        shape = attrs.evolve(_SMALL, **_SHAPES.get(name, {}))
        plan = Plan(
            seed=0,
            shape=shape,
            habits=Habits(clients=0),
            duration_seconds=0.0,
            brittle="",
            restart_seconds=0.02,
            job_seconds=(20e-6, 2e-3),
            delay_seconds=(50e-6, 500e-6),
            ends_in_the_dark=dark,
            steps=(),
        )
        super().__init__(loop, plan)
        self.name = name
        self.crashes = 0

    async def tell(self) -> None:
        """Start both sites and run the script.  Raises `Crashed`, `SiteDown` and SrError."""
        await self.cluster.start()
        await _SCRIPTS[self.name](self)

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

    async def apart(self, writes: int, *, large: bool = False) -> None:
        """Part the sides and let the primary write until it goes on alone."""
        await self.until(self.mender.in_step)
        await self.burst(2)
        self.cluster.network.partition(*NAMES)
        await self.burst(writes, large=large)

    async def together(self) -> None:
        """Let the sides meet again and come in step."""
        self.cluster.network.heal(*NAMES)
        await self.until(self.mender.in_step)
        await self.burst(2)


async def _everyday(run: Script) -> None:
    """Initial copy under writes, writes in sync, checkpoints."""
    await run.burst(4)
    while not run.mender.in_step():
        await run.burst(1)
        await run.pause(0.004)
    await run.burst(5)
    await run.pause(0.07)
    await run.burst(3)
    await run.pause(0.07)


async def _apart(run: Script) -> None:
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


async def _handover(run: Script) -> None:
    """Planned failover and back, each with writes around it."""
    await run.until(run.mender.in_step)
    await run.burst(4)
    await run.order("planned", "A")
    await run.until(run.mender.in_step)
    await run.burst(4)
    await run.order("planned", "B")
    await run.until(run.mender.in_step)
    await run.burst(2)


async def _split(run: Script) -> None:
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


async def _resolve(run: Script) -> None:
    """Both sides lead and overrun their logs; the new one is given up."""
    await run.apart(2)
    await run.order("unplanned", "B")
    for _ in range(3):
        await run.burst(3, "A", large=True)
        await run.burst(3, "B", large=True)
        await run.pause(0.02)
    run.cluster.network.heal(*NAMES)
    await run.until(run.knows_split)
    await run.order("give up", "B")
    await run.together()


async def _suspend(run: Script) -> None:
    """A person suspends the group, writes go on, and it is resumed."""
    await run.until(run.mender.in_step)
    await run.burst(3)
    await run.order("suspend", "A")
    await run.burst(4)
    await run.order("resume", "A")
    await run.together()


async def _policies(run: Script) -> None:
    """The policy changes to each in turn, with writes and a lost peer between."""
    await run.until(run.mender.in_step)
    for policy in (OnPeerLoss.IO_ERROR, OnPeerLoss.CONTINUE, OnPeerLoss.SUSPEND_IO):
        run.person.do(Step(0.0, "policy", "A", kind=policy.value))
        await run.until(lambda: run.person.done)
        await run.burst(2)
    run.cluster.network.partition(*NAMES)
    await run.pause(0.4)
    await run.together()


async def _tear_down(run: Script) -> None:
    """Protection is torn down and enabled again, over volumes that were written."""
    await run.until(run.mender.in_step)
    await run.burst(4)
    run.person.start()
    await run.order("tear down", "B")
    await run.until(run.mender.in_step)
    await run.burst(3)


async def _full(run: Script) -> None:
    """More is written than the log holds, in step and alone; records give way to marked blocks."""
    await run.until(run.mender.in_step)
    for _ in range(4):
        await run.burst(6, large=True)
    run.cluster.network.partition(*NAMES)
    for _ in range(5):
        await run.burst(6, large=True)
        await run.pause(0.01)
    await run.together()


async def _verify(run: Script) -> None:
    """Both sides are compared while clients write."""
    await run.until(run.mender.in_step)
    await run.burst(4)
    run.person.do(Step(0.0, "verify", "A", seconds=0.4))
    for _ in range(3):
        await run.burst(2)
        await run.pause(0.01)
    await run.until(lambda: run.person.done)
    await run.burst(2)


async def _seeded(run: Script) -> None:
    """The first copy of volumes that were in use: compared, then only the differences sent."""
    while not run.mender.in_step():
        await run.burst(1)
        await run.pause(0.004)
    await run.burst(4)
    await run.pause(0.06)


async def _return(run: Script) -> None:
    """The primary dies, the other side leads, and the old primary comes back and follows."""
    await run.until(run.mender.in_step)
    await run.burst(4)
    run.cluster.sites["A"].kill()
    await run.order("unplanned", "B")
    await run.burst(3, "B")
    run.person.start()
    await run.until(run.mender.in_step)
    await run.burst(3)


async def _new_disk(run: Script) -> None:
    """The secondary gets a new disk while clients write."""
    await run.until(run.mender.in_step)
    await run.burst(5)
    run.person.do(Step(0.0, "new disk", "B"))
    await run.pause(0.002)
    await run.burst(2)
    await run.until(lambda: run.person.done and run.mender.in_step())
    await run.burst(2)


async def _many(run: Script) -> None:
    """Several volumes, written across in one order, parted and joined."""
    await run.apart(4)
    await run.burst(4)
    await run.together()


_SCRIPTS: Final[dict[str, Callable[[Script], Coroutine[Any, Any, None]]]] = {
    "everyday": _everyday,
    "apart": _apart,
    "handover": _handover,
    "split": _split,
    "resolve": _resolve,
    "suspend": _suspend,
    "policies": _policies,
    "tear-down": _tear_down,
    "full": _full,
    "verify": _verify,
    "seeded": _seeded,
    "return": _return,
    "new-disk": _new_disk,
    "many": _many,
}
SCRIPTS: Final = tuple(_SCRIPTS)
#: What is not as usual about a script's group.
_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "everyday": {"on_peer_loss": OnPeerLoss.SUSPEND_IO},
    "policies": {"on_peer_loss": OnPeerLoss.SUSPEND_IO},
    "seeded": {"seeded": True, "used": True},
    "tear-down": {"used": True},
    "many": {"volumes": (24 << 10, 16 << 10, 8 << 10, (8 << 10) + 512)},
}
