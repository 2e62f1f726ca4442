"""What a replica says of itself, at one moment, from memory alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from srshell.engine.core import Core
from srshell.model.replica import (
    CopyProgress,
    Flow,
    LinkState,
    OnPeerLoss,
    ReplicaData,
    ReplicaReport,
)
from srshell.replication.source import Phase

if TYPE_CHECKING:
    from srshell.engine.replica import Replica

_WAITING_ON = {
    Phase.READ_ONLY: "a handshake with the peer, or resume --alone",
    Phase.LOST: "the peer, within the peer timeout",
    Phase.HELD: "the peer (suspend-io)",
    Phase.REFUSING: "the peer (io-error)",
    Phase.LONELY: "the peer",
    Phase.PARTING: "the new epoch on disk",
    Phase.ALONE: "the peer",
}


def report_of(replica: Replica) -> ReplicaReport:
    """Return the report of a replica."""
    core, superblock = replica.core, replica.core.superblock
    source, link = core.source, replica.peer_link
    now_ns = core.world.clock_ns()
    acked_lsn = source.acked_lsn if source else core.committed_lsn
    confirmed_lsn = core.confirmed_lsn
    unconfirmed = max(0, acked_lsn - confirmed_lsn) if source is not None else 0
    return ReplicaReport(
        partnership=superblock.partnership,
        group=superblock.group,
        peer_group=superblock.peer_group,
        array=superblock.array,
        peer_array=superblock.peer_array,
        as_of=core.world.wall_seconds(),
        role=superblock.role,
        data=ReplicaData.FAILED if core.failure else superblock.data,
        link=link.state,
        link_reason=link.reason,
        flow=_flow(replica),
        epoch=superblock.history[-1].epoch.number if superblock.history else 0,
        last_lsn=source.last_lsn if source else core.log.durable_lsn,
        durable_lsn=core.log.durable_lsn,
        acked_lsn=acked_lsn,
        confirmed_lsn=confirmed_lsn,
        applied_lsn=core.applied_lsn,
        checkpoint_lsn=superblock.checkpoint_lsn,
        log_bytes=superblock.ring_bytes,
        log_bytes_free=core.ring.free_bytes,
        log_path=core.log_path,
        on_peer_loss=superblock.on_peer_loss,
        alone=source.alone if source else superblock.alone,
        peer_may_ack_alone=superblock.peer_may_ack_alone,
        unclean=superblock.unclean,
        started=superblock.started,
        suspended=superblock.suspended,
        torn_down=superblock.torn_down,
        sealed=bool(replica.committer.sealed_by),
        writable=replica.writable,
        volumes=superblock.volumes,
        failure=core.failure,
        waiting_on=_waiting_on(replica),
        split=link.split,
        peer_split=link.peer_split,
        progress=_progress(replica),
        lost_unix=_lost_unix(core),
        unconfirmed_writes=unconfirmed,
        unconfirmed_bytes=core.ring.bytes_after(confirmed_lsn) if unconfirmed else 0,
        writes_total=replica.committer.writes_total,
        written_bytes_total=replica.committer.written_bytes_total,
        copied_bytes_total=link.copied_bytes_total,
        log_frames_total=replica.committer.frames_total,
        resyncs_total=link.resyncs_total,
        resync=link.resync,
        latency=core.meters.legs(now_ns),
        rates=core.meters.rate.rates(now_ns),
    )


def _lost_unix(core: Core) -> float | None:
    """Return since when the peer is away, by the present wall clock and never too late."""
    lost_unix = core.superblock.lost_unix
    if not lost_unix:
        return None
    if core.lost_at is None:
        return lost_unix
    elapsed_seconds = asyncio.get_running_loop().time() - core.lost_at
    return min(lost_unix, core.world.wall_seconds() - elapsed_seconds)


def _flow(replica: Replica) -> Flow:
    source, link = replica.core.source, replica.peer_link
    if link.state is not LinkState.CONNECTED or replica.core.failure:
        return Flow.IDLE
    if source is not None:
        if replica.committer.sealed_by and source.phase is Phase.LIVE:
            return Flow.SEALED
        if source.phase is Phase.LIVE:
            return Flow.LIVE
        if link.flow is not None:
            return link.flow
        return Flow.LOG_REPLAY if source.phase is Phase.CATCHING_UP else Flow.IDLE
    superblock = replica.core.superblock
    if superblock.data is ReplicaData.INCONSISTENT:
        return link.flow or Flow.BITMAP_COPY
    return Flow.LOG_REPLAY if superblock.peer_may_ack_alone else Flow.LIVE


def _waiting_on(replica: Replica) -> str:
    source = replica.core.source
    if source is None:
        return "" if replica.peer_link.is_open else "the primary"
    if source.phase is Phase.HELD and source.on_peer_loss is OnPeerLoss.CONTINUE:
        return "the peer: the history of epochs is full, no new one can begin (SR6025)"
    return _WAITING_ON.get(source.phase, "")


def _progress(replica: Replica) -> CopyProgress | None:
    lead, core = replica.peer_link.lead, replica.core
    if lead is not None and lead.copier is not None and not lead.copier.finished:
        return lead.copier.progress
    source = core.source
    if lead is not None and source is not None and source.phase is Phase.CATCHING_UP:
        behind = core.ring.bytes_after(source.confirmed_lsn)
        sent = lead.sender.sent_bytes_total
        return CopyProgress(Flow.LOG_REPLAY, sent, sent + behind, 0.0)
    return None
