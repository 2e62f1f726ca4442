"""Rules of step 4: provision and remove volumes.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from srshell.fabric.checks_common import (
    Wanted,
    check_site,
    find_array,
    find_pool,
    place_beside,
    volumes_in,
)
from srshell.fabric.findings import Findings, Verdict, free_name, quoted
from srshell.fabric.snapshot import View
from srshell.model.geometry import (
    GIB,
    LOG_RING_BYTES_MIN,
    LOG_VOLUME_BYTES_DEFAULT,
    SECTOR_BYTES,
    format_bytes,
    format_exact,
    format_size,
    is_aligned,
    round_up,
)
from srshell.model.inventory import VolumeKind

_ADVISED_LOG_BYTES = 8 * GIB
#: Superblock slots and one page of bitmap: what a log volume holds at least besides its ring.
_LOG_METADATA_BYTES_MIN = 4 * 16384 + SECTOR_BYTES


def check_provision(
    view: View, wanted: Sequence[Wanted], twins: Sequence[tuple[str, str]] = ()
) -> Verdict:
    """Whether the volumes may be made (rules 7, 10, 12, 16, 21-23, 26, 29, 33).

    Args:
        view: the fabric.
        wanted: the volumes, all of which are made or none.
        twins: names of wanted volumes that are to be copies of one another.
    """
    findings = Findings(view)
    new: list[Wanted] = []
    for volume in wanted:
        if not _exists(findings, volume):
            new.append(volume)
            _check_volume(findings, volume)
    for array in dict.fromkeys(volume.array for volume in new):
        if view.snapshot.find_array(array) is not None:
            check_site(findings, array)
            if view.snapshot.pair_of(array) is None:
                others = [a.name for a in view.snapshot.arrays if a.name != array]
                mend = "" if others else f"srshell identify {quoted(place_beside(view, array))}"
                findings.broken(26, mend=mend, array=array, peer=(others or ["?"])[0])
    _check_space(findings, new)
    by_name = {volume.name: volume for volume in wanted}
    for source, destination in twins:
        _check_twins(findings, by_name[source], by_name[destination])
    names = ", ".join(volume.name for volume in wanted)
    return findings.verdict("" if new else f"{names}: made already")


def _exists(findings: Findings, wanted: Wanted) -> bool:
    """Whether the volume is there already; with other facts it is refused."""
    found = findings.view.snapshot.find_volume(wanted.name)
    if found is None:
        return False
    differences = [
        f"{label} {_shown(value)}, wanted {_shown(other)}"
        for label, value, other in (
            ("array", found.array, wanted.array),
            ("pool", found.pool, wanted.pool),
            ("kind", found.kind.value, wanted.kind.value),
            ("size", found.size_bytes, wanted.size_bytes),
            ("block size", found.block_bytes, wanted.block_bytes),
        )
        if value != other
    ]
    if differences:
        free = free_name(wanted.name, (each.name for each in findings.view.snapshot.volumes))
        kind = " --log" if wanted.kind is VolumeKind.LOG else ""
        place, size = f"{wanted.array}/{wanted.pool}", format_exact(wanted.size_bytes)
        mend = f"srshell provision {free} --on {place} --size {size}{kind}"
        findings.refuse("SR2007", "; ".join(differences), mend, name=wanted.name)
    return True


def _shown(value: str | int) -> str:
    return format_bytes(value) if isinstance(value, int) else value


def _check_volume(findings: Findings, wanted: Wanted) -> None:
    """One new volume: its name, its pool, its size (21, 22, 23, 29)."""
    findings.name(wanted.name, "volume")
    if find_array(findings, wanted.array) is None:
        return
    pool = find_pool(findings, wanted.array, wanted.pool, wanted)
    if pool is None:
        return
    if pool.classification is None:
        names = [c.name for c in findings.view.snapshot.classifications]
        classification = names[0] if names else "gold"
        findings.broken(23, array=pool.array, pool=pool.name, classification=classification)
    place = {"name": wanted.name, "array": pool.array, "pool": pool.name}
    if not is_aligned(wanted.size_bytes, wanted.block_bytes):
        facts = f"{format_bytes(wanted.size_bytes)}, blocks of {wanted.block_bytes} B"
        rounded = format_exact(round_up(wanted.size_bytes, wanted.block_bytes))
        size = format_bytes(wanted.size_bytes)
        findings.refuse("SR2008", facts, size=size, rounded=rounded, **place)
    if wanted.kind is VolumeKind.LOG:
        _check_log_size(findings, wanted, place)


def _check_log_size(findings: Findings, wanted: Wanted, place: dict[str, str]) -> None:
    """A log volume has room for its metadata and the smallest ring."""
    smallest = _LOG_METADATA_BYTES_MIN + LOG_RING_BYTES_MIN
    if wanted.size_bytes < smallest:
        facts = f"{format_bytes(wanted.size_bytes)}, at least {format_bytes(smallest)}"
        minimum = format_exact(LOG_VOLUME_BYTES_DEFAULT)
        size = format_size(wanted.size_bytes)
        findings.refuse("SR2004", facts, size=size, minimum=minimum, **place)
    elif findings.view.strict and wanted.size_bytes < _ADVISED_LOG_BYTES:
        findings.warn("SR2015", format_size(wanted.size_bytes), log=wanted.name)


def _check_space(findings: Findings, new: Sequence[Wanted]) -> None:
    """The new volumes fit their pools together (33)."""
    needed: dict[tuple[str, str], int] = defaultdict(int)
    for volume in new:
        needed[volume.array, volume.pool] += volume.size_bytes
    for (array, name), size_bytes in needed.items():
        pool = findings.view.snapshot.find_pool(array, name)
        if pool is None:
            continue
        free = pool.free_bytes
        if pool.limit_bytes is not None:
            used = sum(v.size_bytes for v in volumes_in(findings.view, pool))
            free = min(free, pool.limit_bytes - used)
        if size_bytes > free:
            facts = (
                f"needs {format_size(size_bytes)}, free {format_size(max(free, 0))}, "
                f"missing {format_size(size_bytes - max(free, 0))}"
            )
            findings.broken(33, facts, array=array, pool=name)


def _check_twins(findings: Findings, source: Wanted, destination: Wanted) -> None:
    """Two volumes that are to be copies of one another have equal blocks (10, 12)."""
    if source.block_bytes == destination.block_bytes:
        return
    number = 12 if source.kind is VolumeKind.LOG else 10
    mend = f"srshell identify {quoted(place_beside(findings.view, destination.array))}"
    facts = f"{source.block_bytes} B and {destination.block_bytes} B"
    findings.broken(number, facts, mend, source=source.name, destination=destination.name)
