"""What this side would say of itself at a handshake, and what it holds beyond a common point."""

from __future__ import annotations

from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.model.replica import Divergence, ReplicaData, Standing
from srshell.replication.decide import UNKNOWN_LSN


def standing(core: Core) -> Standing:
    """Return what this side says of itself now; the caller holds ``transition``."""
    superblock, ring = core.superblock, core.ring
    source = core.source
    tail_lsn = source.last_lsn if source is not None else core.log.durable_lsn
    alone_lsn = 0
    if superblock.alone:
        alone_lsn = source.acked_lsn if source is not None else tail_lsn
    last = ring.frames[-1] if ring.frames else None
    return Standing(
        replica=superblock.replica,
        role=superblock.role,
        data=ReplicaData.FAILED if core.failure else superblock.data,
        history=superblock.history,
        tail_lsn=tail_lsn,
        tail_crc=last.crc if last is not None and last.last_lsn == tail_lsn else 0,
        log_first_lsn=ring.head_lsn,
        acked_alone_lsn=alone_lsn,
        marked_from_lsn=core.confirmed_lsn
        if source is not None or superblock.yields
        else UNKNOWN_LSN,
        alone=superblock.alone,
        unclean=superblock.unclean,
        yields=superblock.yields,
        base_lsn=superblock.base_lsn,
        copy_id=superblock.copy_id,
    )


def divergence(core: Core, from_lsn: int) -> Divergence:
    """Return what this side holds beyond ``from_lsn``: marked blocks and logged extents."""
    blocks = [bits.copy() for bits in core.dirty.bits]
    for frame in core.ring.frames:
        if frame.last_lsn > from_lsn:
            for volume, offset, length in frame.extents:
                first, end = offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)
                blocks[volume][first:end] = 1
    count = sum(bits.count() for bits in blocks)
    first_unix, last_unix = core.alone_first_unix or None, core.alone_last_unix or None
    return Divergence(
        from_lsn, core.ring.tail_lsn, count, count * BLOCK_BYTES, first_unix, last_unix
    )
