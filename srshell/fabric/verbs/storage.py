"""Arrays, pools and pairs: identify, discover, manage, classify, pair, rename.

Always true: an array is in the catalogue only after its site answered and labelled its pool.
"""

from __future__ import annotations

import asyncio
from itertools import combinations

import attrs

from srshell.backends.base import SitePlan, SiteState
from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import (
    View,
    check_classify,
    check_discover,
    check_manage_pool,
    check_pair,
    check_rename,
    check_unpair,
)
from srshell.fabric.context import Context
from srshell.fabric.holding import desired_state
from srshell.fabric.jobs import JobHandle
from srshell.model.errors import SrError
from srshell.model.geometry import parse_size
from srshell.model.identity import split_location
from srshell.model.inventory import (
    Array,
    Candidate,
    Classification,
    DesiredState,
    Pair,
    Pool,
    Provider,
    Site,
)
from srshell.model.report import (
    ArrayReport,
    ArraysReport,
    CandidatesReport,
    Note,
    PairReport,
    PairsReport,
    PoolRow,
    PoolsReport,
)
from srshell.site import inspect
from srshell.site.api import PoolSpec, PoolUsage


async def identify(context: Context, *, where: tuple[str, ...]) -> CandidatesReport:
    """Look at places; without any, at those of the pools that are known."""
    places = where or tuple(pool.path for pool in context.snapshot.pools)
    candidates = tuple([await asyncio.to_thread(inspect.look, place) for place in places])
    return CandidatesReport(candidates, best_pair=_best_pair(candidates))


def _best_pair(candidates: tuple[Candidate, ...]) -> tuple[str, str] | None:
    """Two places of one kind and block size that fit, and honour a flush if there are such."""
    fitting = [
        (first, second)
        for first, second in combinations(candidates, 2)
        if first.kind is not None
        and (first.kind, first.block_bytes) == (second.kind, second.block_bytes)
        and not first.problems
        and not second.problems
        and first.where != second.where
    ]
    fitting.sort(
        key=lambda pair: (
            not (pair[0].honours_flush and pair[1].honours_flush),
            pair[0].device == pair[1].device,
        )
    )
    return (fitting[0][0].where, fitting[0][1].where) if fitting else None


async def discover(
    context: Context, *, where: str, name: str, site: str | None, pool: str | None, engine: str
) -> Change:
    """Take a place into the fabric as an array with one pool."""
    found = await asyncio.to_thread(inspect.look, where)
    verdict = check_discover(context.view(), found, name, engine, pool or "").enforce()
    pool_name = pool or found.pool or "PoolA"

    async def carry_out(handle: JobHandle) -> ArrayReport:
        with handle.step("site"):
            context.put(Site(name, site or name))
            try:
                await context.sites.start(site_plan(context, name))
                usage = await context.site(name).add_pool(_pool_spec(context, pool_name, found))
            except SrError:
                await context.sites.forget(name)
                context.remove(Site, name)
                raise
        with handle.step("record"):
            now = context.clock.unix()
            provider = Provider(name, name, engine, now)
            array = Array(
                name, site or name, name, cluster=found.array or None, engine=engine,
                fabric=context.identity, hardware=found.device, discovered_unix=now,
            )  # fmt: skip
            context.put(provider, array, _pool(name, usage, found))
            context.journal.say("SR9303", name, array=name)
        await context.sites.look(name)
        return array_report(context.view(), name, notes(verdict.warnings))

    already = array_report(context.view(), name) if verdict.already else None
    place = f"{found.where} under management as {name}/{pool_name}"
    return Change(
        f"discover {found.where} --as {name}",
        name,
        steps(
            ("site", f"start the site of {name}"),
            ("record", f"take {place}"),
        ),
        carry_out,
        checks=check_rows(verdict),
        already=already,
    )


def site_plan(context: Context, array: str) -> SitePlan:
    """How the site of an array is run."""
    return SitePlan(array, sandbox=context.sandbox, commits=context.commits)


def _pool_spec(context: Context, name: str, found: Candidate, renamed_from: str = "") -> PoolSpec:
    assert found.kind is not None
    return PoolSpec(name, found.where, found.kind, context.identity, renamed_from=renamed_from)


def _pool(array: str, usage: PoolUsage, found: Candidate) -> Pool:
    """A pool as the catalogue keeps it, from what its site and a look say."""
    return Pool(
        name=usage.name,
        array=array,
        kind=usage.kind,
        path=usage.path,
        size_bytes=usage.size_bytes or found.size_bytes,
        free_bytes=usage.free_bytes or found.free_bytes,
        block_bytes=usage.block_bytes,
        device=usage.device or found.device,
        managed=True,
        classification=usage.classification or None,
        honours_flush=found.honours_flush,
    )


async def manage_pool(context: Context, *, pool: str, where: str | None) -> Change:
    """Take one more place under management."""
    array, name = split_location(pool)
    known = context.snapshot.find_pool(array, name)
    place = where or (known.path if known else "")
    if not place:
        raise SrError.make(
            "SR0001",
            facts="a new pool needs a place",
            problem="WHERE is missing",
            command="manage-pool",
        )
    found = await asyncio.to_thread(inspect.look, place)
    verdict = check_manage_pool(context.view(), found, array, name).enforce()

    async def carry_out(handle: JobHandle) -> ArrayReport:
        with handle.step("label"):
            usage = await context.site(array).add_pool(_pool_spec(context, name, found))
            context.put(_pool(array, usage, found))
        await context.sites.look(array)
        return array_report(context.view(), array, notes(verdict.warnings))

    return Change(
        f"manage-pool {pool} {found.where}",
        array,
        steps(("label", f"take {found.where} under management as {array}/{name}")),
        carry_out,
        checks=check_rows(verdict),
        already=array_report(context.view(), array) if verdict.already else None,
    )


async def classify(
    context: Context, *, pool: str, classification: str, size: int | str | None
) -> Change:
    """Say what a pool is good for."""
    array, name = split_location(pool)
    limit = None if size is None else parse_size(size)
    verdict = check_classify(context.view(), array, name, classification, limit).enforce()

    async def carry_out(handle: JobHandle) -> ArrayReport:
        known = context.snapshot.find_pool(array, name)
        assert known is not None
        with handle.step("classify"):
            spec = PoolSpec(name, known.path, known.kind, context.identity, classification)
            await context.site(array).add_pool(spec)
            changed = attrs.evolve(
                known, classification=classification, limit_bytes=limit, managed=True
            )
            context.put(changed, Classification(classification))
        return array_report(context.view(), array, notes(verdict.warnings))

    return Change(
        f"classify {pool} {classification}",
        pool,
        steps(("classify", f"{array}/{name} becomes {classification}")),
        carry_out,
        checks=check_rows(verdict),
        already=array_report(context.view(), array) if verdict.already else None,
    )


async def rename(context: Context, *, array: str, name: str) -> Change:
    """Give an array another name."""
    verdict = check_rename(context.view(), array, name).enforce()

    async def carry_out(handle: JobHandle) -> ArrayReport:
        pools = context.snapshot.pools_of(array)
        with handle.step("stop"):
            await context.sites.forget(array)
        with handle.step("record"):
            with context.catalogue.transaction():
                context.catalogue.rename_array(array, name)
                site = context.catalogue.get(Site, name)
                if site is not None and site.name == array:
                    # The site was named after its array; it goes with it.
                    renamed = context.catalogue.get(Array, name)
                    assert renamed is not None
                    context.catalogue.put(
                        attrs.evolve(site, name=name), attrs.evolve(renamed, site=name)
                    )
            context.changed()
        with handle.step("start"):
            await context.sites.start(site_plan(context, name))
            for pool in pools:
                spec = PoolSpec(
                    pool.name, pool.path, pool.kind, context.identity, renamed_from=array
                )
                await context.site(name).add_pool(spec)
        await context.sites.look(name)
        return array_report(context.view(), name, notes(verdict.warnings))

    return Change(
        f"rename {array} {name}",
        array,
        steps(
            ("stop", f"stop the site of {array}"),
            ("record", f"name the array {name}"),
            ("start", f"start the site of {name}"),
        ),
        carry_out,
        checks=check_rows(verdict),
        already=array_report(context.view(), array) if verdict.already else None,
    )


async def pair(context: Context, *, array: str, peer: str) -> Change:
    """Pair two arrays."""
    verdict = check_pair(await context.fresh_view(), array, peer).enforce()
    known = context.snapshot.pair_of(array)

    async def carry_out(handle: JobHandle) -> PairReport:
        with handle.step("pair"):
            made = Pair(array, peer, context.clock.unix())
            context.put(made)
            context.journal.note("info", array, "SR1011", f"{array} and {peer} are paired")
        return PairReport(array, peer, made.paired_unix, warnings=notes(verdict.warnings))

    already = None
    if verdict.already and known is not None:
        already = PairReport(
            known.array, known.peer, known.paired_unix, groups_between(context, known), already=True
        )
    return Change(
        f"pair {array} {peer}",
        array,
        steps(("pair", f"{peer} may hold copies of {array}, and the other way round")),
        carry_out,
        checks=check_rows(verdict),
        already=already,
    )


def groups_between(context: Context, pair: Pair) -> tuple[str, ...]:
    """The groups of the two arrays that are replicated."""
    snapshot = context.snapshot
    return tuple(
        group.name
        for group in snapshot.groups
        if group.array in {pair.array, pair.peer} and snapshot.partnership_of(group.name)
    )


async def unpair(context: Context, *, array: str) -> Change:
    """Undo a pairing."""
    verdict = check_unpair(context.view(), array).enforce()
    known = context.snapshot.pair_of(array) or Pair(array, "")
    report = PairReport(known.array, known.peer, known.paired_unix)

    async def carry_out(handle: JobHandle) -> PairReport:
        with handle.step("unpair"):
            context.remove(Pair, known.array)
        return report

    return Change(
        f"unpair {array}",
        array,
        steps(("unpair", f"{known.array} and {known.peer} are a pair no longer")),
        carry_out,
        already=attrs.evolve(report, already=True) if verdict.already else None,
    )


async def arrays(context: Context) -> ArraysReport:
    """All arrays."""
    view = await context.fresh_view()
    update_pools(context)
    return ArraysReport(tuple(array_report(view, a.name) for a in context.snapshot.arrays))


async def pools(context: Context) -> PoolsReport:
    """All pools."""
    await context.fresh_view()
    update_pools(context)
    return PoolsReport(context.snapshot.pools)


async def pairs(context: Context) -> PairsReport:
    """All pairs."""
    return PairsReport(context.snapshot.pairs)


def update_pools(context: Context) -> None:
    """Take over how full the pools are, from what the sites said last."""
    changed = []
    for pool in context.snapshot.pools:
        report = context.sites.report(pool.array)
        usage = next((u for u in report.pools if u.name == pool.name), None) if report else None
        if usage is None or not usage.size_bytes:
            continue
        seen = attrs.evolve(pool, size_bytes=usage.size_bytes, free_bytes=usage.free_bytes)
        if seen != pool:
            changed.append(seen)
    if changed:
        context.put(*changed)


def pool_rows(view: View, array: str) -> tuple[PoolRow, ...]:
    """The pools of an array, as reports show them."""
    return tuple(
        PoolRow(
            pool.name, pool.size_bytes, pool.free_bytes, pool.classification, pool.kind.value,
            pool.managed, pool.path,
        )
        for pool in view.snapshot.pools_of(array)
    )  # fmt: skip


def array_report(view: View, name: str, warnings: tuple[Note, ...] = ()) -> ArrayReport:
    """One array."""
    array = view.snapshot.array(name)
    rows = pool_rows(view, name)
    return ArrayReport(
        name=name,
        site=array.site,
        pools=rows,
        peer=view.snapshot.peer_of(name),
        kinds=tuple(sorted({row.kind for row in rows})),
        engine=array.engine,
        warnings=warnings,
    )


def shown_state(context: Context, array: str) -> str:
    """How a site is doing, in the words of `info`."""
    if desired_state(context, array) is DesiredState.HELD:
        return "held"
    if context.in_process:
        return "in-process"
    state = context.sites.standing(array).state
    return {SiteState.RUNNING: "running", SiteState.STARTING: "starting",
            SiteState.FROZEN: "frozen", SiteState.HELD: "held"}.get(state, "down")  # fmt: skip
