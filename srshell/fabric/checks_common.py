"""Rules that several commands ask about: arrays, pools, sites and the way between them.

Always true: what is wrong is noted in the `Findings`; None is returned for what cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import attrs

from srshell.engine.room import check_room_of_group
from srshell.fabric.findings import Findings, quoted
from srshell.fabric.snapshot import View
from srshell.model.errors import SrError
from srshell.model.geometry import format_exact
from srshell.model.identity import nearest
from srshell.model.inventory import Array, Pool, Volume, VolumeKind
from srshell.model.replica import ReplicaVolume


@attrs.frozen
class Wanted:
    """A volume that is to be made."""

    name: str
    array: str
    pool: str
    kind: VolumeKind
    size_bytes: int
    block_bytes: int


def paths_overlap(a: str, b: str) -> bool:
    """Whether two paths are the same, or one lies inside the other."""
    first, second = PurePosixPath(a), PurePosixPath(b)
    return first == second or first in second.parents or second in first.parents


def place_beside(view: View, array: str) -> str:
    """A directory beside the first pool of the array, where a second site could be."""
    pools = view.snapshot.pools_of(array)
    return str(PurePosixPath(pools[0].path).parent) if pools else "."


def check_site(findings: Findings, array: str) -> None:
    """The site of the array answers, may be operated, and reaches its pools (7, 16)."""
    site = findings.view.site(array)
    if not site.reachable:
        findings.refuse("SR1105", "its site process does not answer", array=array)
        return
    pools = findings.view.snapshot.pools_of(array)
    if not site.may_operate:
        where = quoted(pools[0].path if pools else ".")
        findings.broken(16, f"the site of {array} refused your user", array=array, where=where)
    for pool in pools:
        if pool.name in site.pool_failures:
            facts = site.pool_failures[pool.name]
            where = quoted(pool.path)
            findings.broken(7, facts, pool=pool.name, array=array, where=where)


def check_reachable(findings: Findings, a: str, b: str) -> None:
    """Each site reaches the link address of the other (15)."""
    for here, there in ((a, b), (b, a)):
        if there in findings.view.site(here).unreachable_peers:
            facts = f"the link address of {there} does not answer {here}"
            findings.broken(15, facts, array=here, peer=there)


def volumes_in(view: View, pool: Pool) -> tuple[Volume, ...]:
    """The volumes that take room in a pool."""
    return tuple(
        volume
        for volume in view.snapshot.volumes
        if volume.array == pool.array and volume.pool == pool.name
    )


def find_array(findings: Findings, name: str) -> Array | None:
    """The array, or None after noting that it was not discovered (21)."""
    try:
        return findings.view.snapshot.array(name)
    except SrError as error:
        findings.take(error)
        return None


def find_pool(
    findings: Findings, array: str, name: str, wanted: Wanted | None = None
) -> Pool | None:
    """The managed pool of the array, or None after noting what is wrong with it (22, 29)."""
    snapshot = findings.view.snapshot
    pool = snapshot.find_pool(array, name)
    if pool is not None and pool.managed:
        return pool
    if pool is not None:
        where = quoted(pool.path)
        findings.broken(22, f"it is at {pool.path}", array=array, pool=name, where=where)
        return None
    elsewhere = [p.array for p in snapshot.pools if p.name == name]
    here = [p.name for p in snapshot.pools_of(array)]
    facts = f"pools of {array}: {', '.join(here) or 'none'}"
    if elsewhere and wanted is not None:
        findings.broken(29, f"{name} is on {elsewhere[0]}; {facts}", name=wanted.name, pool=name,
                        array=array, right_array=elsewhere[0],
                        size=format_exact(wanted.size_bytes))  # fmt: skip
        return None
    near = nearest(name, here) or tuple(here)
    mend = "srshell pools"
    if near and wanted is not None:
        log = " --log" if wanted.kind is VolumeKind.LOG else ""
        size = format_exact(wanted.size_bytes)
        mend = f"srshell provision {wanted.name} --on {array}/{near[0]} --size {size}{log}"
    findings.broken(22, facts, mend, array=array, pool=name)
    return None


def find_volume(findings: Findings, name: str) -> Volume | None:
    """The volume, or None after noting that there is none, or that a job still makes it (37)."""
    try:
        volume = findings.view.snapshot.volume(name)
    except SrError as error:
        findings.take(error)
        return None
    if volume.job is not None:
        findings.broken(37, f"job {volume.job}", volume=name, job=volume.job)
    return volume


def check_log_describes(
    findings: Findings, group: str, members: Sequence[Volume], log: Volume
) -> None:
    """The log has room for the names and paths of all members, whatever becomes of the group."""
    volumes = [ReplicaVolume(v.name, v.path, v.size_bytes, v.block_bytes) for v in members]
    try:
        check_room_of_group(group, log.size_bytes, volumes)
    except SrError as error:
        findings.take(error)
