"""Planted bugs in acknowledgements, reads, flow and status: what each replaces in the engine.

Always true: a function here returns who is replaced, which name of it, and by what; it changes
nothing itself.
"""

from __future__ import annotations

from typing import Any

from srshell.codec.copy_messages import Runs
from srshell.codec.messages import Extent, ExtentStored
from srshell.engine import reporting, verifier, volume_access
from srshell.engine.arrivals import Arrivals
from srshell.engine.committer import Committer
from srshell.engine.follow import Follow
from srshell.engine.overlay import patch
from srshell.engine.replica import Replica
from srshell.engine.sender import Sender
from srshell.engine.volume_access import VolumeAccess
from srshell.model.errors import SrError
from srshell.model.replica import Flow, LinkState, OnPeerLoss
from srshell.replication import source
from srshell.replication.judge import Judgement, Wrong
from srshell.replication.source import Phase, Source
from srshell.simulation.planting import Change, plants

# --- acknowledgements ---------------------------------------------------------------------------


@plants("ack-before-own-log", "P2", "an acknowledged write is in the own log, too")
def ack_before_the_own_log() -> list[Change]:
    def limit(self: Source) -> int:
        return self.flushed_lsn if self.phase in source.ACKS_ALONE else self.confirmed_lsn

    return [(Source, "_limit", limit)]


@plants("alone-under-suspend-io", "P1", "suspend-io acknowledges nothing alone")
def ack_alone_under_suspend_io() -> list[Change]:
    apply_policy = Source._apply_policy

    def apply(self: Any) -> list[Any]:  # noqa: ANN401
        policy = self.on_peer_loss
        if policy is OnPeerLoss.SUSPEND_IO:
            self.on_peer_loss = OnPeerLoss.CONTINUE
        try:
            return apply_policy(self)
        finally:
            self.on_peer_loss = policy

    return [(Source, "_apply_policy", apply)]


@plants("waits-under-io-error", "P17", "io-error fails what waits")
def wait_under_io_error() -> list[Change]:
    return [(Committer, "fail_waiting", lambda self, error: None)]


@plants("alone-through-fence", "P1", "who may be called in sync is alone no more")
def stay_alone_through_the_fence() -> list[Change]:
    def progressed(self: Any, event: object) -> list[Any]:  # noqa: ANN401
        if self.phase is not Phase.FENCING:
            return []
        if isinstance(event, source.Fenced):
            return [source.PersistInSync(event.lsn)]
        self.phase = Phase.LIVE
        return [source.CloseFence(self.acked_lsn), *self._acknowledge()]

    return [(Source, "_fence_progressed", progressed)]


@plants("fence-amid-copy", "P10", "no fence before the copy has ended")
def fence_before_the_copy_ends() -> list[Change]:
    try_fence = Source._try_fence

    def at_once(self: Any) -> list[Any]:  # noqa: ANN401
        copying, self.copying = self.copying, False
        try:
            return try_fence(self)
        finally:
            self.copying = copying

    return [(Source, "_try_fence", at_once)]


# --- reads --------------------------------------------------------------------------------------


@plants("read-of-the-volume", "P15", "reads show the log over the volume")
def read_the_volume_alone() -> list[Change]:
    return [(volume_access, "patch", lambda data, offset, records: data)]


@plants("cached-read-alone", "P15", "a read from memory shows what is not applied yet")
def read_the_cache_alone() -> list[Change]:
    def read_cached(self: VolumeAccess, volume: str, offset: int, length: int) -> bytearray | None:
        core = self._core
        return core.volumes.read_cached(self.place(volume, offset, length), offset, length)

    return [(VolumeAccess, "read_cached", read_cached)]


@plants("cached-dirty-read", "P15", "a read from memory shows what is acknowledged")
def read_the_cache_and_what_is_not_acknowledged() -> list[Change]:
    def read_cached(self: VolumeAccess, volume: str, offset: int, length: int) -> bytes | None:
        core, index = self._core, self.place(volume, offset, length)
        data = core.volumes.read_cached(index, offset, length)
        records = core.overlay.covering(index, offset, length, 1 << 62)
        return None if data is None else patch(bytes(data), offset, records)

    return [(VolumeAccess, "read_cached", read_cached)]


@plants("read-after-a-crash", "P15", "a crashed primary is not read")
def read_from_a_crashed_primary() -> list[Change]:
    async def read(self: Replica, volume: str, offset: int, length: int) -> bytes:
        core, index = self.core, self.access.place(volume, offset, length)
        core.check_usable()
        if core.source is None:
            raise SrError.make("SR9224", volume=volume, reason=self.access.refusal())
        records = core.overlay.covering(index, offset, length, core.committed_lsn)
        return patch(await core.volumes.read(index, offset, length), offset, records)

    return [(Replica, "read", read)]


# --- flow ---------------------------------------------------------------------------------------


@plants("skipped-frame", "P3", "frames are sent without gaps")
def skip_a_frame() -> list[Change]:
    offer = Sender.offer

    def skip(self: Sender, body: Any) -> None:  # noqa: ANN401
        if body.first_lsn % 7 == 0:
            self.next_lsn = body.first_lsn + body.record_count
        offer(self, body)

    return [(Sender, "offer", skip)]


@plants("nothing-held-back", "P18", "what waits is bounded")
def hold_nothing_back() -> list[Change]:
    return [(Committer, "_must_hold_back", lambda self: False)]


@plants("silent-commits", "P18", "the peer may give log space back")
def commit_in_silence() -> list[Change]:
    return [(Follow, "_committed", lambda self, lsn: None)]


@plants("extents-too-early", "P10", "an extent is durable before it is confirmed")
def confirm_extents_before_their_sync() -> list[Change]:
    store = Arrivals._store

    async def confirm_first(self: Any, message: Extent | Runs, parts: Any) -> None:  # noqa: ANN401
        self._link.send(ExtentStored(message.sequence))
        await store(self, message, parts)

    return [(Arrivals, "_store", confirm_first)]


# --- status -------------------------------------------------------------------------------------


@plants("linked-is-in-sync", "P23", "a linked group need not be in sync")
def call_a_linked_group_in_sync() -> list[Change]:
    def flow(replica: Replica) -> Flow:
        linked = replica.peer_link.state is LinkState.CONNECTED
        return Flow.LIVE if linked else Flow.IDLE

    return [(reporting, "_flow", flow)]


@plants("lonely-is-in-sync", "P23", "a primary that is alone says so")
def call_a_lonely_group_in_sync() -> list[Change]:
    right = reporting._flow

    def flow(replica: Replica) -> Flow:
        source = replica.core.source
        return Flow.LIVE if source is None or source.alone else right(replica)

    return [(reporting, "_flow", flow)]


@plants("blind-verify", "P12", "verify finds rotten blocks")
def verify_with_closed_eyes() -> list[Change]:
    def judged(*arguments: object) -> Judgement:
        return Judgement(Wrong.NONE)

    return [(verifier, "_judged", judged)]
