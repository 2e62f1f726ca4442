"""The fabric that a plan was made for, as a digest, so that a plan is not carried out in another.

Always true: what moves by itself is no part of it (free space, LSNs, times); names, sizes, roles,
epochs, states and everything that the plan itself says are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from srshell.fabric.change import Change
from srshell.fabric.context import Context
from srshell.model.errors import SrError
from srshell.model.report import PlanReport

#: Arguments that say how to carry a plan out, not what it is.
_NOT_PLANNED = frozenset({"confirm", "ask"})


def world_of(context: Context, change: Change) -> str:
    """The digest of the fabric and of what the change would do in it."""
    view = context.view()
    snapshot = view.snapshot
    groups = []
    for group in snapshot.groups:
        report = view.report(group.name)
        role = (report.role.value, report.epoch, report.data.value) if report else ()
        groups.append((group, view.state(group.name).value, role))
    pools = [attrs.evolve(pool, free_bytes=0, size_bytes=0) for pool in snapshot.pools]
    # That both sides are in step again after a role change is noted by itself; states say it, too.
    partnerships = [attrs.evolve(one, failed_over=False) for one in snapshot.partnerships]
    seen = (
        snapshot.arrays, pools, snapshot.volumes, groups, snapshot.pairs, partnerships,
        snapshot.vms, change.command, change.steps, change.checks, change.lost_bytes,
        [(part.command, part.steps, part.checks, part.lost_bytes) for part in change.parts],
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()


def keepable(plan: PlanReport, verb: str, arguments: Mapping[str, Any], world: str) -> PlanReport:
    """A plan with what it takes to carry it out later."""
    kept = {key: value for key, value in arguments.items() if key not in _NOT_PLANNED}
    return attrs.evolve(plan, verb=verb, arguments=kept, world=world)


def check_world(context: Context, change: Change, expected: str) -> None:
    """Refuse a change whose plan was made for another world.

    Raises:
        SrError: SR6010.
    """
    if world_of(context, change) != expected:
        # Several commands were read from a file or a cell, whose name nobody knows any more.
        mend = "srshell plan -f FILE" if change.parts else f"srshell plan {change.command}"
        facts = "the fabric has changed since the plan was made; nothing was done"
        raise SrError.make("SR6010", facts, mend, group=change.about)
