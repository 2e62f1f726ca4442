"""From a log volume on disk to a replica in memory.

Always true:

(1) Log and volumes are locked, then synced, then read from the device, not from the cache; the
    volumes are, while the log is read.
(2) Nothing is written before all was verified that the volumes may lack, and that they are there.
(3) The first write is one superblock: the new segment, and `unclean` for a primary.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import attrs

from srshell.engine.checksum_map import ChecksumMap
from srshell.engine.core import Core, live_segments
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.log_file import LogFile
from srshell.engine.overlay import Overlay
from srshell.engine.recovery import (
    RecoveredLog,
    new_segment,
    recovered_ring,
    scan_log,
    with_segment,
)
from srshell.engine.superblock_file import SuperblockFile, read_superblock
from srshell.engine.volume_set import VolumeSet
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData, ReplicaRole, Superblock
from srshell.replication.destination import Destination
from srshell.replication.source import Phase, Source
from srshell.storage import BlockFile, StorageError


async def open_core(log_path: str, world: World, partnership: str = "", array: str = "") -> Core:
    """Recover everything of one replica; see `Replica.open` for what is given and raised."""
    device = await world.log_disk.open(log_path)
    try:
        # What a killed process left in the page cache counts only once it is on the device.  What
        # a failed sync of that process lost is clean in the cache, and is read from the device.
        await device.sync()
        await device.drop_cache(0, device.size())
        found = await read_superblock(device)
        if found is not None:
            _check_identity(found, log_path, partnership, array)
        log, volumes = await _read_side_by_side(device, found, world)
    except BaseException:
        await device.close()
        raise
    try:
        return await _assemble(device, volumes, log, world)
    except BaseException:
        await volumes.close()
        await device.close()
        raise


async def _read_side_by_side(
    device: BlockFile, superblock: Superblock | None, world: World
) -> tuple[RecoveredLog, VolumeSet]:
    """Scan the log while the volumes are locked and synced; what the log lacks is told first."""
    layouts = superblock.volumes if superblock is not None else ()
    opening = asyncio.create_task(VolumeSet.open(layouts, world.data_disk))
    try:
        return await scan_log(device, unapplied=True), await opening
    except BaseException:
        opening.cancel()
        with suppress(SrError, StorageError, asyncio.CancelledError):
            await (await opening).close()
        raise


def _check_identity(superblock: Superblock, log_path: str, partnership: str, array: str) -> None:
    """Refuse a log that was put in the place of another one."""
    found = (superblock.partnership, superblock.array)
    if found == (partnership or found[0], array or found[1]):
        return
    facts = f"{log_path} belongs to {superblock.group} of {found[1]}, partnership {found[0]}"
    raise SrError.make(
        "SR9210", facts=facts, mend="srshell status", group=log_path, array=array or "this site"
    )


async def _assemble(device: BlockFile, volumes: VolumeSet, log: RecoveredLog, world: World) -> Core:
    found = log.superblock
    segment = new_segment(log.tail_lsn + 1, log.tail_position, world.randomness)
    superblock = _opened(found, log)
    superblocks = SuperblockFile(device, found)
    if superblock.data is not ReplicaData.FAILED:
        superblock = await superblocks.write(lambda _: with_segment(superblock, segment))
    dirty = DirtyMap(superblock.partnership, superblock.volumes)
    damage = await dirty.load(device)
    checksums = ChecksumMap(superblock.partnership, superblock.volumes, device)
    checksums.on_damage = damage.append
    overlay = Overlay()
    overlay.add_all(log.records)
    # A block may hold its records already or not: what it holds is known once they are applied.
    await checksums.forget_all((one.volume, one.offset, one.length) for one in log.records)
    ring = recovered_ring(log, segment)
    core = Core(
        world=world,
        log_path=device.path,
        log_device=device,
        superblocks=superblocks,
        log=LogFile(device, superblock.ring_offset, superblock.partnership, ring, segment.salt),
        dirty=dirty,
        checksums=checksums,
        overlay=overlay,
        volumes=volumes,
        source=None,
        destination=None,
        committed_lsn=superblock.checkpoint_lsn,
        applied_lsn=superblock.checkpoint_lsn,
        alone_first_unix=superblock.alone_first_unix,
        alone_last_unix=superblock.alone_last_unix,
        failure=superblock.failure,
    )
    _give_role(core)
    for text in damage:
        core.tell("failure", f"{text}; its blocks count as changed")
    checksums.on_damage = lambda text: core.tell("failure", f"{text}; its blocks are unknown")
    return core


def _opened(found: Superblock, log: RecoveredLog) -> Superblock:
    primary = found.role is ReplicaRole.PRIMARY
    # A primary that never met its peer has nobody to ask: it goes on alone, as it was.
    unclean = primary and (found.unclean or _has_met_peer(found))
    return attrs.evolve(
        found,
        generation=found.generation + 1,
        unclean=unclean,
        segments=live_segments(found, found.head_lsn),
        durable_lsn=log.tail_lsn,
    )


def _has_met_peer(superblock: Superblock) -> bool:
    first_reign = len(superblock.history) == 1 and superblock.full_copy and not superblock.copy_id
    return not (first_reign and superblock.alone)


def _give_role(core: Core) -> None:
    superblock, tail_lsn = core.superblock, core.log.durable_lsn
    if superblock.role is ReplicaRole.SECONDARY:
        applied_lsn = core.applied_lsn
        core.destination = Destination(tail_lsn, tail_lsn, applied_lsn, applied_lsn)
        return
    alone = superblock.alone
    # What was logged alone may have been acknowledged, also before a crash.
    acked_lsn = tail_lsn if alone else core.applied_lsn
    core.source = Source(
        on_peer_loss=superblock.on_peer_loss,
        phase=Phase.READ_ONLY if superblock.unclean else Phase.ALONE,
        last_lsn=tail_lsn,
        flushed_lsn=tail_lsn,
        confirmed_lsn=superblock.confirmed_lsn,
        acked_lsn=acked_lsn,
        alone=alone,
    )
    core.committed_lsn = acked_lsn
