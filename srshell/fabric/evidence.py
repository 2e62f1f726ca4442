"""What an unplanned failover would lose: the files of the old primary tell, or its peer does.

Always true:

(1) A loss of zero is claimed only on proof: the old primary's own files, or the new one's durable
    word that nothing could be acknowledged without it.
(2) What cannot be proven is unknown, never zero.
"""

from __future__ import annotations

from srshell.backends.base import Evidence
from srshell.engine.recovery import read_log
from srshell.fabric.checks import Direction, Loss
from srshell.fabric.context import Context
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaReport
from srshell.storage import DeviceExecutor, Disk, OsDisk


async def take_evidence(context: Context, way: Direction) -> Loss:
    """What the target lacks of what the old primary acknowledged; the primary must be held."""
    target = await context.site(way.to_array).replica(way.partnership.partnership)
    log = context.snapshot.volume(context.snapshot.group(way.primary).log)
    try:
        evidence = await context.backend.evidence(way.from_array, log.path)
    except SrError as error:
        return from_target(target, f"{way.from_array} cannot be read ({error.facts or error})")
    writes = evidence.acknowledged_beyond(target.durable_lsn)
    if not writes:
        text = f"the files of {way.from_array} prove that nothing more was acknowledged"
        return Loss(0, 0, text)
    size_bytes = await _bytes_beyond(evidence, target.durable_lsn)
    text = f"only {way.from_array} holds LSN {target.durable_lsn + 1} to {evidence.tail_lsn}"
    return Loss(size_bytes, writes, text)


def from_target(target: ReplicaReport, why: str) -> Loss:
    """What the target alone can vouch for."""
    if not target.peer_may_ack_alone and target.on_peer_loss is not OnPeerLoss.CONTINUE:
        return Loss(0, 0, "without this side nothing could be acknowledged")
    return Loss(None, None, why)


def from_living_source(source: ReplicaReport) -> Loss:
    """What a source that answers says that its peer lacks."""
    if not source.alone:
        return Loss(0, 0, "the source acknowledges nothing without its peer")
    text = f"{source.array} says that {source.peer_array} lacks them"
    return Loss(source.unconfirmed_bytes, source.unconfirmed_writes, text)


async def _bytes_beyond(evidence: Evidence, lsn: int) -> int | None:
    """The bytes of the records after an LSN; None if the log no longer holds them all."""
    executor = DeviceExecutor(1, "evidence")
    try:
        log = await read_log(evidence.log_path, Disk(OsDisk(), executor))
    finally:
        executor.shutdown(wait=False)
    beyond = [record for record in log.records if record.lsn > lsn]
    if not beyond or beyond[0].lsn != lsn + 1:
        return None
    return sum(record.length for record in beyond)
