"""Compare both sides of a group while writers run.

Always true:

(1) An extent is compared under the copier's lock: no write touches it between the two digests,
    and the peer answers after it applied everything up to the LSN that the primary names.
(2) A difference is reported only after it was seen block by block.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

from srshell.codec.messages import Digest, DigestReply, LogDigest, LogDigestReply
from srshell.engine.copier import digest
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.lead import Lead
from srshell.engine.overlay import patch
from srshell.model.errors import SrError
from srshell.replication.source import Phase
from srshell.storage import StorageError
from srshell.transport.link import LinkClosed

if TYPE_CHECKING:
    from srshell.engine.replica import Replica

_EXTENT_BYTES = 1 << 20
_RANGES_MAX = 10


@attrs.define
class Compared:
    """What a verification found so far.  Ranges are (volume name, offset, length) in bytes."""

    lsn: int = 0
    blocks_compared: int = 0
    differing_blocks: int = 0
    differing_ranges: list[tuple[str, int, int]] = attrs.field(factory=list)
    log_records_compared: int = 0
    log_differences: int = 0


async def verify(replica: Replica) -> Compared:
    """Compare every block and every log record that both sides hold.

    Raises SrError SR7703 unless the group is in sync from begin to end.
    """
    lead = _lead(replica)
    result = Compared()
    try:
        for volume, layout in enumerate(replica.volumes):
            for offset in range(0, layout.size_bytes, _EXTENT_BYTES):
                length = min(_EXTENT_BYTES, layout.size_bytes - offset)
                await _compare_extent(replica, lead, result, volume, offset, length)
        await _compare_logs(replica, lead, result)
    except LinkClosed as error:
        group = replica.core.superblock.group
        raise SrError.make("SR7703", facts=error.reason, group=group, state="offline") from error
    assert replica.core.source is not None
    result.lsn = replica.core.source.acked_lsn
    return result


def _lead(replica: Replica) -> Lead:
    source, lead = replica.core.source, replica.peer_link.lead
    if source is None or lead is None or source.phase is not Phase.LIVE:
        state = source.phase.name.lower() if source else "secondary"
        raise SrError.make("SR7703", group=replica.core.superblock.group, state=state)
    return lead


async def _compare_extent(
    replica: Replica, lead: Lead, result: Compared, volume: int, offset: int, length: int
) -> None:
    core, committer = replica.core, replica.committer
    lock = (volume, offset, length)
    committer.locked.append(lock)
    try:
        async with core.frames:
            last_lsn = core.log.durable_lsn
        while core.source is not None and core.source.acked_lsn < last_lsn:
            if lead.link.closed:
                raise LinkClosed("the link closed")
            await core.progressed()
        result.blocks_compared += -(-length // BLOCK_BYTES)
        if await _equal(replica, lead, lock, last_lsn):
            return
        for start in range(offset, offset + length, BLOCK_BYTES):
            block = (volume, start, min(BLOCK_BYTES, offset + length - start))
            if not await _equal(replica, lead, block, last_lsn):
                result.differing_blocks += 1
                if len(result.differing_ranges) < _RANGES_MAX:
                    name = replica.volumes[volume].name
                    result.differing_ranges.append((name, block[1], block[2]))
    finally:
        committer.locked.remove(lock)
        committer.poke()


async def _equal(replica: Replica, lead: Lead, extent: tuple[int, int, int], lsn: int) -> bool:
    core = replica.core
    volume, offset, length = extent
    records = core.overlay.covering(volume, offset, length, lsn)
    try:
        data = patch(await core.volumes.read(volume, offset, length), offset, records)
    except StorageError as error:
        raise core.fail(error) from error
    question = lead.next_question()
    answer = await lead.ask(Digest(question, volume, offset, length, lsn), question)
    assert isinstance(answer, DigestReply)
    return answer.digest == digest(data)


async def _compare_logs(replica: Replica, lead: Lead, result: Compared) -> None:
    """Compare the records that both logs still hold, frame by frame."""
    core = replica.core
    answer = await lead.ask(LogDigest(core.ring.head_lsn), "log")
    assert isinstance(answer, LogDigestReply)
    ours = {(f.first_lsn, f.last_lsn): f.crc for f in core.ring.frames}
    for first_lsn, last_lsn, crc in answer.rows:
        found = ours.get((first_lsn, last_lsn))
        if found is None:
            continue
        result.log_records_compared += last_lsn - first_lsn + 1
        result.log_differences += found != crc
    await asyncio.sleep(0)
