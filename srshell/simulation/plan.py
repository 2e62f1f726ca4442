"""What happens in an episode, drawn from its seed before it begins.

Always true: a plan is a value.  The same seed gives the same plan, and what a step does is decided
by the step alone and by the state that it meets.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs

from srshell.model.replica import OnPeerLoss
from srshell.simulation.cluster import NAMES, Shape
from srshell.simulation.workload import Habits

#: What can happen, and how often it is drawn when it is enabled.
ACTIONS: Final = {
    "kill": 6,
    "power": 5,
    "restart": 3,
    "kill both": 2,
    "power both": 2,
    "partition": 5,
    "one way": 3,
    "reset": 3,
    "delay": 2,
    "slow disk": 1,
    "hang disk": 2,
    "fault": 4,
    "policy": 2,
    "suspend": 2,
    "resume": 1,
    "planned": 5,
    "unplanned": 4,
    "unplanned after a kill": 3,
    "alone": 2,
    "give up": 3,
    "verify": 2,
    "seal": 1,
    "flap": 2,
    "freeze": 3,
    "clock": 2,
    "rot": 2,
    "lie": 3,
    "bad disk": 1,
    "new disk": 1,
    "tear down": 2,
}
_FAULTS: Final = (
    ("EIO", "sync"),
    ("EIO", "sync"),
    ("EIO", "sync"),
    ("EIO", "write"),
    ("EIO", "read"),
    ("ENOSPC", "write"),
    ("ENOSPC", "punch"),
    ("SHORT", "write"),
    ("SHORT", "read"),
)
_LIES: Final = ("LIE", "LIE", "LOST", "MISDIRECTED")
#: Jumps of a wall clock, in seconds.
_JUMPS: Final = (-86_400, -3600, -30, -2, 2, 30, 3600, 86_400)
#: Sizes of data volumes, in bytes: few, many, odd, and large beside the log.
_VOLUMES: Final = (
    (96 << 10, (40 << 10) + 1536),
    (96 << 10, (40 << 10) + 1536),
    (128 << 10,),
    (48 << 10, 24 << 10, (20 << 10) + 512, 8 << 10),
    (640 << 10, 128 << 10),
)


@attrs.frozen
class Step:
    """One thing that happens: ``seconds`` is how long it lasts, where it lasts."""

    at: float
    action: str
    side: str
    seconds: float = 0.0
    kind: str = ""
    operation: str = ""
    path: str = ""
    count: int = 0
    #: The person loses patience after so many seconds; 0: never.
    patience_seconds: float = 0.0


@attrs.frozen
class Plan:
    """All of an episode that is decided beforehand."""

    seed: int
    shape: Shape
    habits: Habits
    #: How long things go wrong (virtual seconds).
    duration_seconds: float
    #: The side on which disks may fail; nothing is promised when both do.
    brittle: str
    #: Longest time that a dead process stays dead (virtual seconds).
    restart_seconds: float
    #: How long a job of a disk takes, and a message one way: from, to (virtual seconds).
    job_seconds: tuple[float, float]
    delay_seconds: tuple[float, float]
    #: Whether both sides lose power at the end, once more.
    ends_in_the_dark: bool
    steps: tuple[Step, ...]
    #: Whether volumes rot in peace, to be found by a verification.
    rots: bool = False

    def lines(self) -> list[str]:
        """The plan for people."""
        head = attrs.evolve(self, steps=())
        return [repr(head), *(repr(step) for step in self.steps)]


def draw_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = Random(f"{seed}/plan")
    duration_seconds = random.choice((1.5, 3.0, 4.0))
    commits = Random(f"{seed}/direct").random()  # of its own: other draws stay as they were
    shape = Shape(
        volumes=random.choice(_VOLUMES),
        ring_bytes=random.choice((96, 128, 160, 320)) << 10,
        on_peer_loss=random.choice(tuple(OnPeerLoss)),
        seeded=random.random() < 0.2,
        harsh=random.random() < 0.5,
        used=random.random() < 0.3,
        checksums=random.random() < 0.8,
        direct=commits < 0.25,
        fickle=0.25 <= commits < 0.5,
        through=Random(f"{seed}/through").random() < 0.5,
    )
    clients = random.choice((1, 2, 4, 8))
    habits = Habits(
        clients=clients,
        operations_max=random.choice((60, 110, 160)),
        pause_seconds=clients * duration_seconds / random.choice((80, 120, 200)),
        impatient_share=random.choice((0.0, 0.0, 0.1)),
        hot_share=random.choice((0.2, 0.5, 0.8)),
        read_share=random.choice((0.05, 0.15, 0.3)),
        trim_share=random.choice((0.0, 0.1, 0.3)),
    )
    enabled = [action for action in ACTIONS if random.random() < 0.5] or ["kill"]
    weights = [ACTIONS[action] for action in enabled]
    steps = sorted(
        (
            _draw_step(random, random.choices(enabled, weights)[0], duration_seconds)
            for _ in range(random.choice((2, 4, 7, 10)))
        ),
        key=lambda step: step.at,
    )
    return Plan(
        seed=seed,
        shape=shape,
        habits=habits,
        duration_seconds=duration_seconds,
        brittle=random.choice(NAMES),
        restart_seconds=random.choice((0.02, 0.3, 1.0)),
        job_seconds=random.choice(((20e-6, 2e-3), (20e-6, 2e-3), (20e-6, 2e-2), (10e-6, 2e-4))),
        delay_seconds=random.choice(((50e-6, 500e-6), (50e-6, 500e-6), (50e-6, 5e-3))),
        ends_in_the_dark=random.random() < 0.5,
        rots=random.random() < 0.3,
        steps=tuple(steps),
    )


def _draw_step(random: Random, action: str, duration_seconds: float) -> Step:
    step = Step(
        at=random.uniform(0.0, duration_seconds),
        action=action,
        side=random.choice(NAMES),
        seconds=random.choice((0.02, 0.2, 0.4, 1.0)) * random.uniform(0.5, 1.5),
        patience_seconds=random.choice((0.0, 0.0, 0.0, 0.002, 0.05)),
    )
    if action == "clock":
        return attrs.evolve(step, count=random.choice(_JUMPS))
    if action == "lie":
        return attrs.evolve(step, kind=random.choice(_LIES), count=random.choice((1, 2, 5, 20)))
    if action in {"fault", "bad disk"}:
        kind, operation = random.choice(_FAULTS)
        return attrs.evolve(
            step,
            kind=kind,
            operation=operation,
            path=random.choice(("log", "volume")),
            count=random.choice((1, 2, 5, 20)),
        )
    if action == "policy":
        return attrs.evolve(step, kind=random.choice(tuple(OnPeerLoss)).value)
    return step
