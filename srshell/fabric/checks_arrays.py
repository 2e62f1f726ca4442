"""Rules of steps 1 to 3: discover, classify, pair.

Always true: a check is a pure function of a `View` and the arguments of its command.
"""

from __future__ import annotations

from srshell.fabric.checks_common import (
    check_reachable,
    check_site,
    find_array,
    find_pool,
    paths_overlap,
    place_beside,
    volumes_in,
)
from srshell.fabric.findings import Findings, Verdict, free_name, quoted
from srshell.fabric.snapshot import View
from srshell.model.geometry import format_size
from srshell.model.inventory import Array, Candidate, Pool

ENGINES = ("native",)
_GBIT = 1e9
_ROUND_TRIP_SECONDS_MAX = 0.005
_CLOCK_SKEW_SECONDS_MAX = 1.0


def check_discover(
    view: View, found: Candidate, array: str, engine: str = "native", pool: str = ""
) -> Verdict:
    """Whether the place may become an array (rules 7, 8, 16, 18, 19).

    Args:
        view: the fabric.
        found: what looking at the place gave.
        array: the name that the array is to have.
        engine: what is to serve it.
        pool: the name that its pool is to have; empty when the fabric chooses one.
    """
    findings = Findings(view)
    pools = view.snapshot.pools_of(array)
    if any(known.path == found.where for known in pools):
        return findings.verdict(f"{array} was discovered at {found.where} already")
    findings.name(array, "array")
    if pool:
        findings.name(pool, "pool")
    where = quoted(found.where)
    if engine == "asr":
        findings.broken(19, engine=engine, where=where, array=array)
    elif engine not in ENGINES:
        facts = f"engines: {', '.join(ENGINES)}"
        findings.refuse("SR1109", facts, engine=engine, where=where, array=array)
    _check_place(findings, found, array)
    known_array = view.snapshot.find_array(array)
    if known_array is not None:
        facts = f"{array} is at {', '.join(p.path for p in pools) or known_array.site}"
        free = free_name(array, (a.name for a in view.snapshot.arrays))
        findings.refuse("SR1104", facts, name=array, where=where, free_name=free)
    return findings.verdict()


def check_manage_pool(view: View, found: Candidate, array: str, pool: str) -> Verdict:
    """Whether the place may become one more pool of a known array (rules 7, 8, 18, 21)."""
    findings = Findings(view)
    findings.name(pool, "pool")
    find_array(findings, array)
    known = view.snapshot.find_pool(array, pool)
    if known is not None:
        if known.path == found.where and known.managed:
            return findings.verdict(f"{known.location} is managed already")
        if known.path != found.where:
            facts = f"{known.location} is at {known.path}"
            findings.refuse("SR0103", facts, "srshell pools", noun="pool", name=known.location)
    _check_place(findings, found, array)
    return findings.verdict()


def _check_place(findings: Findings, found: Candidate, array: str) -> None:
    """A place is usable, ours or nobody's, and not part of another pool."""
    where = quoted(found.where)
    if found.kind is None:
        findings.refuse("SR1103", "; ".join(found.problems), where=where)
    elif not found.writable:
        facts = "; ".join(found.problems) or f"{found.where} is not writable"
        findings.broken(16, facts, array=array, where=where)
    elif found.problems:
        findings.broken(7, "; ".join(found.problems), pool=found.where, array=array, where=where)
    if found.fabric and found.fabric != findings.view.snapshot.fabric:
        facts = f"{found.where} carries the label of fabric {found.fabric}"
        findings.broken(18, facts, array=array)
    for pool in findings.view.snapshot.pools:
        if pool.path != found.where and paths_overlap(pool.path, found.where):
            facts = f"{found.where} and {pool.path} lie inside one another"
            findings.broken(8, facts, a=found.where, b=pool.location, where=where)
        elif pool.path == found.where and pool.array != array:
            facts = f"{found.where} is {pool.location} already"
            findings.broken(8, facts, a=array, b=pool.location, where=where)
    if not found.honours_flush:
        findings.warn("SR1102", where=where)


def check_classify(
    view: View, array: str, pool: str, classification: str, size_bytes: int | None = None
) -> Verdict:
    """Whether the pool may get the classification, and be limited to a size (21, 22, 33)."""
    findings = Findings(view)
    findings.name(classification, "classification")
    if find_array(findings, array) is None:
        return findings.verdict()
    found = find_pool(findings, array, pool)
    if found is None:
        return findings.verdict()
    used = sum(v.size_bytes for v in volumes_in(view, found))
    if size_bytes is not None and not used <= size_bytes <= found.size_bytes:
        facts = (
            f"asked for {format_size(size_bytes)}; the pool has {format_size(found.size_bytes)}, "
            f"volumes take {format_size(used)}"
        )
        findings.broken(33, facts, array=array, pool=pool)
    same = found.classification == classification and found.limit_bytes == size_bytes
    return findings.verdict(f"{found.location} is {classification} already" if same else "")


def check_rename(view: View, array: str, new: str) -> Verdict:
    """Whether the array may get another name (rules 21, 25)."""
    findings = Findings(view)
    if array == new:
        return findings.verdict(f"the array is named {new} already")
    findings.name(new, "array")
    find_array(findings, array)
    if view.snapshot.find_array(new) is not None:
        free = free_name(new, (a.name for a in view.snapshot.arrays))
        mend = f"srshell rename {array} {free}"
        findings.refuse("SR1104", f"{new} is another array", mend, name=new)
    pair = view.snapshot.pair_of(array)
    if pair is not None:
        findings.broken(25, array=array, peer=pair.other(array))
    users = [group.name for group in view.snapshot.groups if group.array == array]
    if users:
        findings.refuse("SR3013", f"groups of {array}: {', '.join(users)}", group=users[0])
    return findings.verdict()


def check_pair(view: View, array: str, peer: str) -> Verdict:
    """Whether two arrays may be paired (rules 4-8, 13-16, 18, 21, 24, 27, 28)."""
    findings = Findings(view)
    snapshot = view.snapshot
    found = [find_array(findings, name) for name in dict.fromkeys((array, peer))]
    if array == peer:
        others = [a.name for a in snapshot.arrays if a.name != array]
        if not others:
            count = len(snapshot.arrays)
            mend = f"srshell identify {quoted(place_beside(view, array))}"
            findings.broken(4, f"known: {array}", mend, count=count)
        other = others[0] if others else peer
        findings.broken(27, array=array, peer=other)
        return findings.verdict()
    if None in found:
        return findings.verdict()
    pair = snapshot.pair_of(array)
    if pair is not None and pair.other(array) == peer:
        return findings.verdict(f"{array} and {peer} are paired already")
    for name in (array, peer):
        other_pair = snapshot.pair_of(name)
        if other_pair is not None:
            other = other_pair.other(name)
            findings.broken(27, f"{name} has the peer {other}", code="SR1002", array=name,
                            other=other)  # fmt: skip
    for known in found:
        if known is not None:
            _check_array(findings, known)
    _check_kinds(findings, array, peer)
    _check_shared(findings, array, peer)
    _check_link(findings, array, peer)
    return findings.verdict()


def _check_array(findings: Findings, array: Array) -> None:
    """An array is this fabric's, carries the name of its cluster, and may be operated."""
    snapshot = findings.view.snapshot
    if array.fabric and snapshot.fabric and array.fabric != snapshot.fabric:
        findings.broken(18, f"{array.name} belongs to fabric {array.fabric}", array=array.name)
    if array.cluster is not None and array.cluster != array.name:
        findings.broken(24, array=array.name, cluster=array.cluster)
    check_site(findings, array.name)


def _check_kinds(findings: Findings, a: str, b: str) -> None:
    """Two arrays have a type of storage in common; hardware may differ (5, 6)."""
    kinds = {
        name: sorted({str(pool.kind) for pool in findings.view.snapshot.pools_of(name)})
        for name in (a, b)
    }
    if kinds[a] and kinds[b] and not set(kinds[a]) & set(kinds[b]):
        facts = f"{a} is {', '.join(kinds[a])}; {b} is {', '.join(kinds[b])}"
        where = quoted(findings.view.snapshot.pools_of(b)[0].path)
        findings.broken(5, facts, a=a, b=b, where=where)


def _check_shared(findings: Findings, a: str, b: str) -> None:
    """No pool of one array is, or lies inside, a pool of the other (8)."""
    snapshot = findings.view.snapshot
    same_disk: Pool | None = None
    for first in snapshot.pools_of(a):
        for second in snapshot.pools_of(b):
            where = quoted(second.path)
            if paths_overlap(first.path, second.path):
                facts = f"{first.path} and {second.path}"
                findings.broken(8, facts, a=first.location, b=second.location, where=where)
            elif first.device and first.device == second.device:
                same_disk = second
    if same_disk is not None:
        where = quoted(same_disk.path)
        findings.warn("SR1008", f"device {same_disk.device}", a=a, b=b, where=where)


def _check_link(findings: Findings, a: str, b: str) -> None:
    """The sites reach each other, fast enough (13, 14, 15)."""
    check_reachable(findings, a, b)
    facts = findings.view.site(a)
    rate = facts.bits_per_second
    if rate is not None:
        text = f"measured {rate / 1e6:.0f} Mbit/s"
        if rate < _GBIT:
            findings.broken(13, text, array=a, peer=b)
        elif rate < 10 * _GBIT:
            findings.broken(14, text, array=a, peer=b)
    trip = facts.round_trip_seconds
    if trip is not None and trip > _ROUND_TRIP_SECONDS_MAX:
        findings.warn("SR8002", array=a, peer=b, milliseconds=f"{trip * 1000:.1f}")
    skew = abs(facts.clock_skew_seconds - findings.view.site(b).clock_skew_seconds)
    if skew > _CLOCK_SKEW_SECONDS_MAX:
        findings.warn("SR8010", array=a, peer=b, seconds=f"{skew:.1f}")


def check_unpair(view: View, array: str) -> Verdict:
    """Whether the pairing of an array may be undone."""
    findings = Findings(view)
    find_array(findings, array)
    pair = view.snapshot.pair_of(array)
    if pair is None:
        return findings.verdict(f"{array} is not paired")
    used = [
        group.name
        for group in view.snapshot.groups
        if group.array in {pair.array, pair.peer} and view.snapshot.partnership_of(group.name)
    ]
    if used:
        facts = f"groups: {', '.join(used)}"
        findings.refuse("SR1012", facts, array=pair.array, peer=pair.peer, group=used[0])
    return findings.verdict()
