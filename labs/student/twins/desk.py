"""Lab 2: a pair, and four volumes, with somebody's leftovers in the way.

Always true: what is counted is what the fabric lists, whoever made it.
"""

from __future__ import annotations

from random import Random

from srshell.labs import given
from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, passed, undecided

MIB = 1 << 20
NAMES = {
    "PrimaryVol": "ClusterA",
    "PrimaryLogVol": "ClusterA",
    "RecoveryVol": "ClusterB",
    "RecoveryLogVol": "ClusterB",
}

check = Checks()


def facts(dice: Random) -> Facts:
    """How large everything is to be."""
    size, log = dice.randrange(12, 24, 2), dice.randrange(10, 14)
    return {
        "size": f"{size}M",
        "log_size": f"{log}M",
        "_size_bytes": size * MIB,
        "_log_bytes": log * MIB,
        "_limit": f"{size + log + 1}M",
    }


def begin(desk: Desk, task: int) -> None:
    """Two arrays, and the volume that somebody left behind."""
    given.arrays(desk)
    desk.do("provision RecoveryVol --on ClusterB/PoolA --size 4M")
    if task == 1:
        desk.do("unpair ClusterA")
    desk.do("classify ClusterB/PoolA gold --size {_limit}")


@check(task=1, points=2, name="the arrays are paired")
def paired(desk: Desk) -> Verdict:
    """Source first."""
    pairs = [(pair.array, pair.peer) for pair in desk.fabric.pairs()]
    if not pairs:
        return undecided("no arrays are paired yet")
    return judged(
        pairs == [("ClusterA", "ClusterB")], f"{pairs[0][0]} is paired with {pairs[0][1]}"
    )


@check(task=2, points=3, name="data volumes are twins")
def data_twins(desk: Desk) -> Verdict:
    """Both have the size that was asked for, and one block size."""
    return _twins(desk, "PrimaryVol", "RecoveryVol", int(str(desk.facts["_size_bytes"])))


@check(task=2, points=2, name="log volumes are twins")
def log_twins(desk: Desk) -> Verdict:
    """Both have the size that was asked for."""
    return _twins(desk, "PrimaryLogVol", "RecoveryLogVol", int(str(desk.facts["_log_bytes"])))


@check(task=2, points=1, name="nothing else is left")
def no_orphans(desk: Desk) -> Verdict:
    """Four volumes, where they belong."""
    found = {volume.name: volume.array for volume in desk.fabric.volumes()}
    extra = sorted(found.keys() - NAMES.keys())
    if extra:
        return failed(f"nobody needs {', '.join(extra)}")
    if found.keys() != NAMES.keys():
        return undecided(f"there are {len(found)} of 4 volumes")
    return judged(found == NAMES, ", ".join(f"{name} on {array}" for name, array in found.items()))


def _twins(desk: Desk, source: str, destination: str, size_bytes: int) -> Verdict:
    """Whether two volumes are equal in size and block, and as large as they should be."""
    found = [desk.volume(name) for name in (source, destination)]
    if None in found:
        missing = source if found[0] is None else destination
        return undecided(f"there is no {missing} yet")
    seen = ", ".join(
        f"{v.name} {v.size_bytes // MIB} MiB in blocks of {v.block_bytes}" for v in found
    )
    if {volume.size_bytes for volume in found} != {size_bytes}:
        return failed(f"{seen}; needed are {size_bytes // MIB} MiB each")
    blocks = {volume.block_bytes for volume in found}
    return passed(seen) if len(blocks) == 1 else failed(seen)
