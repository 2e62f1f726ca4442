"""The scenes, by name, each with the group that it needs.

Always true: the names are those of witnesses (`srshell.simulation.mutants`); a scene that is gone
makes its witnesses stale.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import attrs

from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss
from srshell.simulation import scenes_of_copies as copies
from srshell.simulation import scenes_of_disks as disks
from srshell.simulation import scenes_of_roles as roles
from srshell.simulation import scenes_of_writes as writes
from srshell.simulation.cluster import SiteDown
from srshell.simulation.episode import Failure
from srshell.simulation.loop import Deadlock, Runaway, SimLoop
from srshell.simulation.oracle import Violation
from srshell.simulation.scenes import SMALL, SUSPENDING, Scene, Stage

_EVENTS_MAX: Final = 150_000

SCENES: Final[dict[str, Scene]] = {
    "everyday": Scene(writes.everyday),
    "silent peer": Scene(writes.silent_peer),
    "dark at the ack": Scene(writes.dark_at_the_ack, attrs.evolve(SMALL, harsh=True)),
    "suspended io": Scene(writes.suspended_io, SUSPENDING),
    "io error": Scene(writes.io_error, attrs.evolve(SMALL, on_peer_loss=OnPeerLoss.IO_ERROR)),
    "alone": Scene(writes.alone),
    "told to suspend": Scene(writes.told_to_suspend, SUSPENDING),
    "space": Scene(disks.space, job_seconds=(20e-6, 3e-2)),
    "longer tail": Scene(disks.longer_tail, SUSPENDING),
    "many openings": Scene(disks.many_openings),
    "killed often": Scene(disks.killed_often, attrs.evolve(SMALL, harsh=True)),
    "rotten log": Scene(disks.rotten_log),
    "rotten slot": Scene(disks.rotten_slot),
    "failed sync": Scene(disks.failed_sync),
    "failed for good": Scene(disks.failed_for_good),
    "failed volume": Scene(disks.failed_volume),
    "failed primary": Scene(disks.failed_primary, SUSPENDING, brittle="A"),
    "rotten volume": Scene(disks.rotten_volume),
    "pulled tail": Scene(disks.pulled_tail, SUSPENDING),
    "short writes": Scene(disks.short_writes),
    "rotten bitmap": Scene(disks.rotten_bitmap),
    "stopped short": Scene(disks.stopped_short, attrs.evolve(SMALL, harsh=True)),
    "back-pressure": Scene(writes.back_pressure, SUSPENDING),
    "torn writes": Scene(writes.torn_writes, SUSPENDING),
    "promoted while written": Scene(writes.promoted_while_written, SUSPENDING),
    "under the copy": Scene(copies.under_the_copy, copies.LARGE, starts_by_itself=True),
    "dark copies": Scene(copies.dark_copies, attrs.evolve(SMALL, harsh=True)),
    "scattered copies": Scene(copies.scattered_copies, attrs.evolve(copies.LARGE, harsh=True)),
    "behind the reader": Scene(copies.behind_the_reader, copies.LARGE, starts_by_itself=True),
    "dark at the end": Scene(copies.dark_at_the_end, attrs.evolve(copies.LARGE, harsh=True)),
    "killed while comparing": Scene(
        copies.killed_while_comparing,
        attrs.evolve(copies.LARGE, seeded=True, harsh=True),
        starts_by_itself=True,
    ),
    "dark peer": Scene(
        copies.dark_peer, attrs.evolve(copies.LARGE, harsh=True), starts_by_itself=True
    ),
    "dark primary": Scene(copies.dark_primary, attrs.evolve(SMALL, harsh=True)),
    "killed before the sync": Scene(
        disks.killed_before_the_sync, attrs.evolve(SUSPENDING, harsh=True)
    ),
    "predecessor": Scene(roles.predecessor, SUSPENDING),
    "promotion": Scene(roles.promotion),
    "told in the handshake": Scene(roles.told_in_the_handshake, SUSPENDING),
    "cut fence": Scene(roles.cut_fence, SUSPENDING),
    "dark fence": Scene(roles.dark_fence, starts_by_itself=True),
    "slow return": Scene(roles.slow_return),
    "ghosts": Scene(roles.ghosts, SUSPENDING),
    "interrupted orders": Scene(roles.interrupted_orders),
    "two questions": Scene(roles.two_questions),
    "into a hole": Scene(copies.into_a_hole, copies.LARGE, starts_by_itself=True),
    "cut copies": Scene(copies.cut_copies),
    "half copied": Scene(copies.half_copied, copies.LARGE, starts_by_itself=True),
    "handover": Scene(roles.handover),
    "sealed": Scene(roles.sealed),
    "left half way": Scene(roles.left_half_way, SUSPENDING),
    "superseded": Scene(roles.superseded, SUSPENDING),
    "paused": Scene(roles.paused, SUSPENDING),
    "split": Scene(roles.split),
    "crashed primary": Scene(roles.crashed_primary, SUSPENDING),
    "alone twice": Scene(roles.alone_twice),
    "stranger": Scene(roles.stranger),
    "policies": Scene(roles.policies, SUSPENDING),
}


def run_scene(name: str, chance: int = 0) -> Mapping[str, int]:
    """Play a scene; return how often it reached what.  Raises `Failure`.

    Another ``chance`` plays the same story with other delays of its disks and wires.
    """
    scene = SCENES[name]
    loop = SimLoop(f"scene {name} {chance}" if chance else f"scene {name}", events_max=_EVENTS_MAX)
    loop.job_seconds = scene.job_seconds
    try:
        loop.run_until_complete(Stage(loop, scene).play())
        loop.raise_errors()
        return loop.probes
    except (Violation, Deadlock, Runaway, SiteDown, SrError) as error:
        raise Failure(f"scene {name}: {type(error).__name__} {error}") from error
    except Exception as error:
        where = traceback.format_exception(error)[-4:]
        raise Failure(f"scene {name}: {error!r}\n{''.join(where)}") from error
    finally:
        with suppress(RuntimeError):
            loop.close()
