"""Lab 1: five places, of which three are traps.

Always true: a place that is not to be touched is compared byte for byte with what lay there.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from random import Random

from srshell.labs.desk import Checks, Desk, Facts, Verdict, failed, judged, undecided
from srshell.model.inventory import PoolKind
from srshell.site.inspect import look
from srshell.site.labels import LABEL_NAME, PoolLabel, write_record

KINDS = ("good", "better", "alias", "taken", "forgetful")
NAMES = ("north", "east", "south", "west", "harbour")
#: Where files live in memory; a place there forgets everything when the power fails.
MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, and used for one empty folder of our own

check = Checks()


def facts(dice: Random) -> Facts:
    """Which place is what; the order of the names is all that a student sees."""
    names = dice.sample(NAMES, len(NAMES))
    found: Facts = {f"_{kind}": Path(name) for kind, name in zip(KINDS, names, strict=True)}
    found |= {name: Path(name) for name in NAMES}
    found["storage_class"] = dice.choice(("gold", "platinum", "tier-1"))
    return found


def begin(desk: Desk, task: int) -> None:
    """Lay the five places out; for the second task two of them are taken already."""
    places = {kind: Path(str(desk.facts[f"_{kind}"])) for kind in KINDS}
    for kind in ("good", "better", "taken"):
        places[kind].mkdir()
    places["alias"].symlink_to(places["better"])
    label = PoolLabel("5" * 32, "OldArray", "PoolX", PoolKind.FILE, str(places["taken"]))
    write_record(places["taken"] / LABEL_NAME, label)
    (places["taken"] / "payroll.img").write_bytes(Random(desk.seed).randbytes(65536))
    # In a home that lies in memory every place forgets, and none of them can be the trap.
    desk.notes["keeps"] = look(str(places["good"])).honours_flush
    if desk.notes["keeps"] and os.access(MEMORY, os.W_OK):
        forgetful = Path(tempfile.mkdtemp(prefix="srshell-lab-", dir=MEMORY))
        places["forgetful"].symlink_to(forgetful)
        desk.notes["elsewhere"] = [str(forgetful)]
    else:
        places["forgetful"].write_text("a file is no place for a pool\n")
    desk.notes["taken"] = _digest(places["taken"])
    if task > 1:
        desk.do(f"discover {places['good']} --as ClusterA --site redmond")
        desk.do(f"discover {places['better']} --as ClusterB --site bellevue")


@check(task=1, points=2, name="two arrays")
def two_arrays(desk: Desk) -> Verdict:
    """Both arrays are there, each at its site."""
    arrays = {array.name: array.site for array in desk.fabric.arrays()}
    if not arrays:
        return undecided("no array has been discovered yet")
    seen = ", ".join(f"{name} at {site}" for name, site in arrays.items())
    return judged(arrays == {"ClusterA": "redmond", "ClusterB": "bellevue"}, seen)


@check(task=1, points=2, name="both keep what they are told")
def sound(desk: Desk) -> Verdict:
    """No pool lies where files are forgotten."""
    pools = tuple(desk.fabric.pools())
    if len(pools) < 2:  # noqa: PLR2004 - a pair
        return undecided("there are not two pools yet")
    bad = [f"{pool.location} at {pool.path}" for pool in pools if not pool.honours_flush]
    if bad and desk.notes.get("keeps", True):
        return failed(f"what is flushed there is gone with the power: {', '.join(bad)}")
    wanted = {Path(str(desk.facts[f"_{kind}"])).resolve() for kind in ("good", "better")}
    return judged({Path(pool.path) for pool in pools} == wanted, "both honour a flush")


@check(task=1, points=1, name="nothing of others was touched")
def untouched(desk: Desk) -> Verdict:
    """The labelled place holds what it held."""
    place = Path(str(desk.facts["_taken"]))
    if not desk.fabric.arrays():
        return undecided("nothing has been discovered yet")
    same = _digest(place) == desk.notes["taken"]
    return judged(same, f"{place.name} is {'as it was' if same else 'CHANGED'}")


@check(task=2, points=2, name="both pools have their class")
def classified(desk: Desk) -> Verdict:
    """The class that the task names, on both."""
    pools = {pool.location: pool.classification for pool in desk.fabric.pools()}
    wanted = desk.facts["storage_class"]
    seen = ", ".join(f"{name} is {kind or 'not classified'}" for name, kind in pools.items())
    if not any(pools.values()):
        return undecided(seen or "there are no pools")
    good = {"ClusterA/PoolA", "ClusterB/PoolA"} <= pools.keys() and set(pools.values()) == {wanted}
    return judged(good, seen)


def _digest(folder: Path) -> str:
    """Names and bytes of all files of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(path.name.encode() + b"\0" + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()
