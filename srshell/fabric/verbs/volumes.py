"""Volumes: provision one, or the four of a source and a destination; remove, list, serve over NBD.

Always true: volumes that are made together are all there afterwards, or none of them is.
"""

from __future__ import annotations

from contextlib import suppress

import attrs

from srshell.engine.formatting import metadata_bytes
from srshell.fabric.calls import unreadable
from srshell.fabric.change import Change, check_rows, notes, steps
from srshell.fabric.checks import (
    Wanted,
    check_export,
    check_provision,
    check_remove_volume,
)
from srshell.fabric.checks_machines import leading_twin
from srshell.fabric.context import Context
from srshell.fabric.jobs import JobHandle
from srshell.model.errors import SrError
from srshell.model.geometry import (
    DEFAULT_BLOCK_BYTES,
    LOG_RING_BYTES_MIN,
    LOG_VOLUME_BYTES_DEFAULT,
    MIB,
    format_size,
    parse_size,
    round_up,
)
from srshell.model.identity import split_location
from srshell.model.inventory import Pair, Volume, VolumeKind
from srshell.model.report import LogSplit, NbdExport, Note, ProvisionReport, VolumesReport
from srshell.site.api import SiteVolume


async def volumes(context: Context) -> VolumesReport:
    """All volumes."""
    return VolumesReport(context.snapshot.volumes)


async def provision(
    context: Context,
    *,
    name: str,
    on: str | None,
    size: int | str | None,
    log: bool,
    like: str | None,
    block_size: int | None,
) -> Change:
    """Make one volume."""
    model = context.snapshot.volume(like) if like else None
    array, pool = split_location(on) if on else _pool_beside(context, model)
    kind = VolumeKind.LOG if log else model.kind if model else VolumeKind.DATA
    if size is not None:
        size_bytes = parse_size(size)
    elif model is not None:
        size_bytes = model.size_bytes
    elif kind is VolumeKind.LOG:
        size_bytes = LOG_VOLUME_BYTES_DEFAULT
    else:
        raise unreadable("provision", "a data volume needs --size or --like")
    block_bytes = block_size or (model.block_bytes if model else _block(context, array, pool))
    wanted = Wanted(name, array, pool, kind, size_bytes, block_bytes)
    return await _provision(context, f"provision {name}", (wanted,), ())


def _pool_beside(context: Context, model: Volume | None) -> tuple[str, str]:
    """The pool for a volume that is to be like another: on the array paired with its own."""
    peer = context.snapshot.peer_of(model.array) if model else None
    if peer is None:
        raise unreadable("provision", "it is not said where: --on ARRAY/POOL")
    return peer, _classified_pool(context, peer)


def _classified_pool(context: Context, array: str) -> str:
    """The first pool of an array that has a class, or its first pool."""
    known = context.snapshot.pools_of(array)
    classified = [pool.name for pool in known if pool.classification]
    return next(iter(classified or [pool.name for pool in known]), "PoolA")


def _block(context: Context, array: str, pool: str) -> int:
    """The block size that volumes of a pool have."""
    known = context.snapshot.find_pool(array, pool)
    return known.block_bytes if known else DEFAULT_BLOCK_BYTES


async def provision_pair(
    context: Context,
    *,
    source: str,
    destination: str,
    size: int | str,
    logs: tuple[str, ...] | None,
    log_size: int | str | None,
    on: tuple[str, ...] | str | None,
    block_size: int | None,
) -> Change:
    """Make equal data volumes, and logs, on both arrays of a pair."""
    places = _places(context, on)
    data_bytes = parse_size(size)
    log_bytes = _default_log_bytes(data_bytes) if log_size is None else parse_size(log_size)
    if logs is not None and len(logs) != len(places):
        raise unreadable("provision", "--logs names two volumes: SRCLOG DSTLOG")
    block_bytes = block_size or max(_block(context, *place) for place in places)
    wanted = []
    twins = [(source, destination)]
    for index, (array, pool) in enumerate(places):
        name = (source, destination)[index]
        wanted.append(Wanted(name, array, pool, VolumeKind.DATA, data_bytes, block_bytes))
        if logs is not None:
            log = Wanted(logs[index], array, pool, VolumeKind.LOG, log_bytes, block_bytes)
            wanted.append(log)
    if logs is not None:
        twins.append((logs[0], logs[1]))
    command = f"provision {source} {destination}"
    return await _provision(context, command, tuple(wanted), tuple(twins))


def _default_log_bytes(data_bytes: int) -> int:
    """The usual log, larger where the maps of a large volume would take much of it."""
    metadata = metadata_bytes([data_bytes])
    if metadata <= LOG_VOLUME_BYTES_DEFAULT // 8:
        return LOG_VOLUME_BYTES_DEFAULT
    return round_up(LOG_VOLUME_BYTES_DEFAULT + metadata, MIB)


def _places(context: Context, on: tuple[str, ...] | str | None) -> list[tuple[str, str]]:
    """The two pools, as named or those of the only pair."""
    named = (on,) if isinstance(on, str) else tuple(on or ())
    places = [(str(array), str(pool)) for array, pool in map(split_location, named)]
    if len(places) == 2:  # noqa: PLR2004 - source and destination
        return places
    if len(places) == 1:
        peer = context.snapshot.peer_of(places[0][0])
        if peer is None:
            raise SrError.make("SR1010", array=places[0][0], peer="ARRAY")
        return [*places, (peer, _classified_pool(context, peer))]
    pair = _only_pair(context)
    return [(array, _classified_pool(context, array)) for array in (pair.array, pair.peer)]


def _only_pair(context: Context) -> Pair:
    """The pair that is meant when there is one."""
    pairs = context.snapshot.pairs
    if len(pairs) == 1:
        return pairs[0]
    if pairs:
        facts = "pairs: " + ", ".join(f"{pair.array} and {pair.peer}" for pair in pairs)
        raise unreadable("provision", "it is not said where: --on ARRAY/POOL ARRAY/POOL", facts)
    names = [array.name for array in context.snapshot.arrays]
    array = names[0] if names else "ARRAY"
    peer = names[1] if len(names) > 1 else "PEER"
    if len(names) > 1:
        raise SrError.make("SR1010", array=array, peer=peer)
    raise SrError.make("SR1005", mend="srshell arrays", count=len(names))


async def _provision(
    context: Context, command: str, wanted: tuple[Wanted, ...], twins: tuple[tuple[str, str], ...]
) -> Change:
    """Make volumes, all or none."""
    view = await context.fresh_view(*{volume.array for volume in wanted})
    verdict = check_provision(view, wanted, twins).enforce()
    new = [volume for volume in wanted if context.snapshot.find_volume(volume.name) is None]

    async def carry_out(handle: JobHandle) -> ProvisionReport:
        made: list[Volume] = []
        try:
            for volume in new:
                handle.checkpoint()
                with handle.step(volume.name):
                    made.append(await _make(context, volume))
        except SrError as error:
            for volume_made in made:
                with suppress(SrError):
                    await context.site(volume_made.array).delete_volume(volume_made.name)
            if not made or error.code == "SR0107":
                raise
            raise SrError.make("SR2009", facts=str(error)) from error
        context.put(*made)
        for volume_made in made:
            context.journal.say("SR2100", volume_made.name, volume=volume_made.name)
        return _report(context, wanted, warnings=notes(verdict.warnings))

    rows = [(volume.name, _sentence(volume)) for volume in new]
    return Change(
        command,
        wanted[0].name,
        steps(*rows),
        carry_out,
        checks=check_rows(verdict),
        already=_report(context, wanted, already=True) if verdict.already else None,
    )


def _sentence(volume: Wanted) -> str:
    """What making a volume does, in a plan."""
    what = "log" if volume.kind is VolumeKind.LOG else f"block {volume.block_bytes}"
    return (
        f"create {volume.array}/{volume.pool}/{volume.name} {format_size(volume.size_bytes)} {what}"
    )


async def _make(context: Context, wanted: Wanted) -> Volume:
    """Let a site make one volume."""
    made = await context.site(wanted.array).create_volume(
        SiteVolume(
            name=wanted.name,
            path="",
            size_bytes=wanted.size_bytes,
            block_bytes=wanted.block_bytes,
            log=wanted.kind is VolumeKind.LOG,
            pool=wanted.pool,
        )
    )
    return Volume(
        name=made.name,
        array=wanted.array,
        pool=wanted.pool,
        kind=wanted.kind,
        size_bytes=made.size_bytes,
        block_bytes=made.block_bytes,
        path=made.path,
        backing=made.backing,
        created_unix=context.clock.unix(),
    )


def _report(
    context: Context,
    wanted: tuple[Wanted, ...],
    *,
    already: bool = False,
    warnings: tuple[Note, ...] = (),
) -> ProvisionReport:
    """The volumes that were asked for, and how their logs are divided."""
    found = tuple(context.snapshot.volume(volume.name) for volume in wanted)
    return ProvisionReport(found, already=already, logs=tuple(_splits(found)), warnings=warnings)


def _splits(found: tuple[Volume, ...]) -> list[LogSplit]:
    """How each log is divided if it serves the data volumes that were made with it."""
    splits = []
    for log in found:
        if log.kind is not VolumeKind.LOG:
            continue
        data = [v for v in found if v.array == log.array and v.kind is VolumeKind.DATA]
        sizes_bytes = [v.size_bytes for v in data]
        metadata = metadata_bytes(sizes_bytes)
        if log.size_bytes - metadata < LOG_RING_BYTES_MIN:
            metadata = metadata_bytes(sizes_bytes, checksums=False)
        splits.append(LogSplit(log.name, metadata, max(log.size_bytes - metadata, 0)))
    return splits


async def remove_volume(context: Context, *, volume: str, confirm: str | None, ask: bool) -> Change:
    """Remove a volume that nothing uses."""
    verdict = check_remove_volume(context.view(), volume, confirm, ask=ask).enforce()
    known = context.snapshot.volume(volume)

    async def carry_out(handle: JobHandle) -> VolumesReport:
        with handle.step("remove"):
            await _delete(context, known)
            context.remove(Volume, volume)
        return VolumesReport(context.snapshot.volumes)

    return Change(
        f"volume rm {volume}",
        volume,
        steps(("remove", f"remove {known.array}/{known.pool}/{volume} with its data")),
        carry_out,
        confirm=volume,
        checks=check_rows(verdict),
    )


async def _delete(context: Context, volume: Volume) -> None:
    """Let a site remove a volume; it may have lost it with its pool."""
    try:
        await context.site(volume.array).delete_volume(volume.name)
    except SrError as error:
        if error.code != "SR0105":
            raise
        view = await context.fresh_view()
        facts = view.site(volume.array).pool_failures.get(volume.pool)
        if facts is not None:
            pools = context.snapshot.pools_of(volume.array)
            where = next((pool.path for pool in pools if pool.name == volume.pool), volume.path)
            raise SrError.make(
                "SR1101", facts=facts, pool=volume.pool, array=volume.array, where=where
            ) from error


async def nbd(context: Context, *, volume: str, on: bool, read_only: bool) -> Change:
    """Serve a volume over NBD, or no longer."""
    view = await context.fresh_view()
    verdict = check_export(view, volume, on=on, read_only=read_only).enforce()
    known = context.snapshot.volume(volume)

    async def carry_out(handle: JobHandle) -> NbdExport:
        site = context.site(known.array)
        if on:
            with handle.step("serve"):
                export = await site.export(volume, read_only=read_only)
            return attrs.evolve(export, primary_volume=leading_twin(view, volume) or "")
        with handle.step("serve"):
            await site.unexport(volume)
        return NbdExport(uri="", volume=volume, read_only=False, serving=False)

    what = ("show" if read_only else "serve") if on else "no longer serve"
    return Change(
        f"nbd {volume}{'' if on else ' --off'}{' --read-only' if read_only else ''}",
        volume,
        steps(("serve", f"{what} {volume} to NBD clients at {known.array}")),
        carry_out,
        checks=check_rows(verdict),
    )
