"""What each planted bug replaces in the engine.

Always true: a function here returns who is replaced, which name of it, and by what; it changes
nothing itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import attrs

from srshell.codec.messages import Confirm, Frame
from srshell.codec.superblock import SLOT_COUNT, encode_superblock
from srshell.engine import opening, role_changes, volume_access
from srshell.engine import replica as replica_module
from srshell.engine.applier import Applier
from srshell.engine.committer import Committer
from srshell.engine.copier import Copier
from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES, DirtyMap
from srshell.engine.follow import Follow
from srshell.engine.lead import Lead
from srshell.engine.log_file import LogFile
from srshell.engine.overlay import patch
from srshell.engine.pieces import Piece
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import SuperblockFile
from srshell.engine.volume_set import VolumeSet
from srshell.model.replica import Segment, Superblock
from srshell.replication import decide, reigns, ring, source
from srshell.replication.destination import Apply, Destination
from srshell.simulation.planting import Change, plants
from srshell.storage import Write
from srshell.storage.raw import RawFile

# --- acknowledgements ---------------------------------------------------------------------------


@plants("ack-without-peer", "P1", "an acknowledged write is in both logs")
def ack_without_the_peer() -> list[Change]:
    return [(source.Source, "_limit", lambda self: self.flushed_lsn)]


@plants("log-without-sync", "P2", "a write is durable before it is acknowledged")
def log_without_sync() -> list[Change]:
    async def append(self: LogFile, frames: Any) -> None:  # noqa: ANN401
        writes: list[Write] = []
        for body in frames:
            self._lay_out(body, writes)
        await self.file.write_at(writes, sync=False)
        self.durable_lsn = frames[-1].last_lsn

    return [(LogFile, "append", append)]


@plants("confirm-on-receipt", "P1", "nothing is confirmed before it is durable")
def confirm_on_receipt() -> list[Change]:
    take_frame = Follow._take_frame

    def confirm_first(self: Follow, message: Frame, payload: Any) -> None:  # noqa: ANN401
        take_frame(self, message, payload)
        self.link.send(Confirm(message.first_lsn + message.record_count - 1, 0, 1 << 20))

    return [(Follow, "_take_frame", confirm_first)]


@plants("alone-in-memory", "P13", "alone is durable before the first solo ack")
def go_alone_in_memory() -> list[Change]:
    async def part(self: Replica) -> None:
        leader = self.core.source
        if leader is not None and leader.phase is source.Phase.PARTING:
            self.carry_out(leader.handle(source.AloneDurable()))

    return [(Replica, "_part", part)]


@plants("dirty-read", "P15", "reads show what is acknowledged")
def read_what_is_not_acknowledged() -> list[Change]:
    async def read(self: Replica, volume: str, offset: int, length: int) -> bytes:
        core, index = self.core, self.access.place(volume, offset, length)
        core.check_usable()
        records = core.overlay.covering(index, offset, length, 1 << 62)
        return patch(await core.volumes.read(index, offset, length), offset, records)

    return [(Replica, "read", read)]


# --- log, superblock and volumes ----------------------------------------------------------------


@plants("cut-without-segment", "P8", "a cut log goes on in a new segment")
def cut_without_a_segment() -> list[Change]:
    begin_segment = Core.begin_segment

    def go_on(self: Core, segment: Segment) -> None:
        salt, chain = self.log.salt, self.ring.chain
        begin_segment(self, segment)
        self.log.salt, self.ring.chain = salt, chain

    return [(Core, "begin_segment", go_on)]


@plants("checkpoint-unsynced", "P2", "volumes are synced before a checkpoint")
def checkpoint_without_sync() -> list[Change]:
    async def sync(self: VolumeSet) -> None:
        return None

    return [(VolumeSet, "sync", sync)]


@plants("space-too-early", "P8", "log space is reused after the superblock")
def reuse_space_before_the_superblock() -> list[Change]:
    def free_bytes(self: ring.Ring) -> int:
        return self.ring_bytes - (self.tail_position - self.head_position)

    return [(ring.Ring, "free_bytes", property(free_bytes))]


@plants("one-slot", "P9", "the superblock has more than one slot")
def one_superblock_slot() -> list[Change]:
    async def write_slot(self: Any, superblock: Superblock) -> None:  # noqa: ANN401
        generation = -(-superblock.generation // SLOT_COUNT) * SLOT_COUNT
        superblock = attrs.evolve(superblock, generation=generation)
        data = encode_superblock(superblock)
        await self._file.write_at([Write(0, (data,))], sync=True)
        self.current = superblock

    return [(SuperblockFile, "_write_slot", write_slot)]


@plants("retried-sync", "P7", "a failed sync is never tried again")
def retry_a_failed_sync() -> list[Change]:
    def sync(self: Any) -> None:  # noqa: ANN401
        with self._sync_lock:
            try:
                self._handle.datasync()
            except OSError:
                self._handle.datasync()

    return [(RawFile, "sync", sync)]


@plants("forgotten-crash", "P4", "a crashed primary asks its peer first")
def forget_the_crash() -> list[Change]:
    return [(opening, "_has_met_peer", lambda superblock: False)]


# --- the secondary ------------------------------------------------------------------------------


@plants("applied-too-early", "P3", "only committed records are applied")
def apply_what_is_not_committed() -> list[Change]:
    def apply(self: Destination) -> list[Any]:
        if self.flushed_lsn <= self.applicable_lsn:
            return []
        self.applicable_lsn = self.flushed_lsn
        return [Apply(self.flushed_lsn)]

    return [(Destination, "_apply", apply)]


@plants("early-answer", "P1", "a fence is durable before it is answered")
def answer_before_it_is_durable() -> list[Change]:
    persist = Follow._persist

    async def later(self: Follow, change: Any) -> None:  # noqa: ANN401
        asyncio.ensure_future(persist(self, change))  # noqa: RUF006  (that is the bug)

    return [(Follow, "_persist", later)]


@plants("false-evidence", "P1", "the secondary knows that the primary may be alone")
def forget_that_the_primary_may_be_alone() -> list[Change]:
    fence_stored = reigns.fence_stored

    def stored(superblock: Superblock, history: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(fence_stored(superblock, history), peer_may_ack_alone=False)

    return [(reigns, "fence_stored", stored)]


# --- copies -------------------------------------------------------------------------------------


@plants("bits-too-early", "P11", "a bit is cleared after the peer is durable")
def clear_bits_before_the_peer_is_durable() -> list[Change]:
    send_extent = Copier._send_extent

    def send_and_clear(self: Any, volume: int, ranges: Any, parts: Any) -> None:  # noqa: ANN401
        send_extent(self, volume, ranges, parts)
        for offset, length in ranges:
            self._core.dirty.clear(volume, offset, length)

    return [(Copier, "_send_extent", send_and_clear)]


@plants("copy-without-lock", "P11", "an extent is copied under its lock")
def copy_without_the_lock() -> list[Change]:
    async def send(self: Any, piece: Piece) -> None:  # noqa: ANN401
        await self._send_locked(piece)

    return [(Copier, "_send", send)]


@plants("old-holes", "P11", "a hole is still one when it is sent")
def believe_in_old_holes() -> list[Change]:
    async def holds_data(self: Copier, volume: int, offset: int, length: int) -> bool:
        return False

    return [(Copier, "_holds_data", holds_data)]


@plants("unmarked-overrun", "P11", "blocks are marked before their records go")
def overrun_without_marks() -> list[Change]:
    return [(DirtyMap, "mark_extents", lambda self, extents: None)]


@plants("unwritten-marks", "P11", "marks are durable before records go")
def mark_in_memory() -> list[Change]:
    def mark(self: Any, volume: int, offset: int, length: int) -> None:  # noqa: ANN401
        first, end = offset // BLOCK_BYTES, -(-(offset + length) // BLOCK_BYTES)
        self.bits[volume][first:end] = 1

    return [(DirtyMap, "mark", mark)]


@plants("forgotten-records", "P11", "the log keeps what the peer lacks")
def forget_records_that_the_peer_lacks() -> list[Change]:
    return [(Applier, "_keep_after", lambda self, applied_lsn: applied_lsn)]


# --- people -------------------------------------------------------------------------------------


@plants("dropped-writes", "P13", "writes acknowledged alone are never dropped")
def drop_what_was_acknowledged_alone() -> list[Change]:
    return [(decide, "_wrote_alone", lambda side, common_lsn: False)]


@plants("untold-policy", "P1", "the peer knows the rules first")
def change_the_rules_untold() -> list[Change]:
    async def tell_peer(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        return None

    return [(role_changes, "_tell_peer", tell_peer)]


@plants("stuck-seal", "P14", "a seal ends")
def forget_a_seal() -> list[Change]:
    return [(role_changes, "unseal", lambda replica, operation: None)]


@plants("half-way", "P20", "a role change goes to its end")
def stop_a_role_change_half_way() -> list[Change]:
    async def interruptible(step: Any) -> Any:  # noqa: ANN401
        return await step

    return [(replica_module, "uninterrupted", interruptible)]


@plants("lost-question", "P17", "every question is answered")
def forget_the_first_of_two_questions() -> list[Change]:
    async def ask(self: Any, message: Any, key: object) -> object:  # noqa: ANN401
        answer = asyncio.get_running_loop().create_future()
        self.link.send(message)
        self._answers[key] = deque([answer])
        return await answer

    return [(Lead, "ask", ask)]


@plants("lost-write", "P17", "no write is silently dropped")
def forget_writes_on_their_way() -> list[Change]:
    fail_waiting = Committer.fail_waiting

    def forget(self: Any, error: Any) -> None:  # noqa: ANN401
        taken, self._taken = self._taken, []
        fail_waiting(self, error)
        self._taken = taken

    return [(Committer, "fail_waiting", forget)]


@plants("asleep", "P18", "who waits for memory is woken")
def wait_for_memory_for_ever() -> list[Change]:
    return [(Core, "space_given_back", lambda self: None)]


@plants("half-refused", "P15", "a refused write did not happen")
def refuse_a_half_made_write() -> list[Change]:
    async def last_of(parts: list[asyncio.Future[int]], volume: str) -> int:
        results = await asyncio.gather(*parts, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return max(result for result in results if isinstance(result, int))

    return [(volume_access, "_last_of", last_of)]
