"""Bugs planted on purpose: what the simulator is worth is what it catches.

Always true:

(1) Outside of `Mutant.planted` the engine is the shipped one.
(2) Each mutant breaks one rule that a docstring of the engine states, and nothing else.
(3) `hunt` names the seed or the crash point that catches a mutant; a mutant that survives is a hole
    in the simulator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, Final

import attrs

from srshell.codec.messages import Confirm, Frame
from srshell.codec.superblock import SLOT_COUNT, encode_superblock
from srshell.engine import handshake, opening, role_changes
from srshell.engine.applier import Applier
from srshell.engine.copier import Copier
from srshell.engine.core import Core
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.follow import Follow
from srshell.engine.log_file import LogFile
from srshell.engine.overlay import patch
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import SuperblockFile
from srshell.engine.volume_set import VolumeSet
from srshell.model.replica import Segment, Superblock
from srshell.replication import decide, reigns, ring, source
from srshell.replication.destination import Apply, Destination
from srshell.simulation.episode import Failure, run_seed
from srshell.simulation.sweep import SCRIPTS, crash_points, run_point
from srshell.storage import BlockFile, Write
from srshell.storage.raw import RawFile

#: Who is replaced, by what.
_Change = tuple[object, str, object]


@attrs.frozen
class Mutant:
    """One planted bug."""

    name: str
    #: The rule that it breaks, as a sentence.
    breaks: str
    changes: Callable[[], list[_Change]] = attrs.field(repr=False)
    #: Seeds that caught it before, tried first.
    seeds: tuple[int, ...] = ()

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run the block with the bug in the engine."""
        with ExitStack() as stack:
            for owner, name, value in self.changes():
                stack.enter_context(_replaced(owner, name, value))
            yield


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def hunt(mutant: Mutant, *, seeds_max: int = 80, points_max: int = 160) -> str:
    """Return what catches the mutant, with the promise that it broke; empty when nothing does."""
    with mutant.planted():
        for seed in dict.fromkeys((*mutant.seeds, *range(seeds_max))):
            try:
                run_seed(seed)
            except Failure as failure:
                return str(failure).partition("\n")[0]
        for script in SCRIPTS:
            for point in islice(crash_points(script), 0, None, max(1, 1200 // points_max)):
                try:
                    run_point(point)
                except Failure as failure:
                    return str(failure).partition("\n")[0]
    return ""


# --- acknowledgements ---------------------------------------------------------------------------


def _ack_without_the_peer() -> list[_Change]:
    return [(source.Source, "_limit", lambda self: self.flushed_lsn)]


def _log_without_sync() -> list[_Change]:
    async def append(self: LogFile, frames: Any) -> None:  # noqa: ANN401
        writes: list[Write] = []
        for body, extents in frames:
            self._lay_out(body, extents, writes)
        await self.file.write_at(writes, sync=False)
        self.durable_lsn = frames[-1][0].last_lsn

    return [(LogFile, "append", append)]


def _confirm_on_receipt() -> list[_Change]:
    take_frame = Follow._take_frame  # noqa: SLF001

    def confirm_first(self: Follow, message: Frame, payload: Any) -> None:  # noqa: ANN401
        take_frame(self, message, payload)
        self.link.send(Confirm(message.first_lsn + message.record_count - 1, 0, 1 << 20))

    return [(Follow, "_take_frame", confirm_first)]


def _go_alone_in_memory() -> list[_Change]:
    async def part(self: Replica) -> None:
        leader = self.core.source
        if leader is not None and leader.phase is source.Phase.PARTING:
            self.carry_out(leader.handle(source.AloneDurable()))

    return [(Replica, "_part", part)]


def _read_what_is_not_acknowledged() -> list[_Change]:
    async def read(self: Replica, volume: str, offset: int, length: int) -> bytes:
        core, index = self.core, self.access.place(volume, offset, length)
        core.check_usable()
        records = core.overlay.covering(index, offset, length, 1 << 62)
        return patch(await core.volumes.read(index, offset, length), offset, records)

    return [(Replica, "read", read)]


# --- log, superblock and volumes ----------------------------------------------------------------


def _one_salt_for_ever() -> list[_Change]:
    def same_salt(first_lsn: int, position: int, randomness: object) -> Segment:
        return Segment(first_lsn, position, 1, 1)

    return [(opening, "new_segment", same_salt), (handshake, "new_segment", same_salt)]


def _cut_without_a_segment() -> list[_Change]:
    begin_segment = Core.begin_segment

    def go_on(self: Core, segment: Segment) -> None:
        salt, chain = self.log.salt, self.ring.chain
        begin_segment(self, segment)
        self.log.salt, self.ring.chain = salt, chain

    return [(Core, "begin_segment", go_on)]


def _checkpoint_without_sync() -> list[_Change]:
    async def sync(self: VolumeSet) -> None:
        return None

    return [(VolumeSet, "sync", sync)]


def _count_a_write_as_synced_before_it_ended() -> list[_Change]:
    async def store(self: Any, volume: int, offset: int, length: int, data: Any) -> None:  # noqa: ANN401
        self._unsynced.add(volume)
        file = self._files[volume]
        if data is not None:
            await file.write_at([Write(offset, (data,))])
        else:
            await file.punch(offset, length)

    return [(VolumeSet, "store", store)]


def _reuse_space_before_the_superblock() -> list[_Change]:
    def free_bytes(self: ring.Ring) -> int:
        return self.ring_bytes - (self.tail_position - self.head_position)

    return [(ring.Ring, "free_bytes", property(free_bytes))]


def _one_superblock_slot() -> list[_Change]:
    async def write_slot(self: Any, superblock: Superblock) -> None:  # noqa: ANN401
        generation = -(-superblock.generation // SLOT_COUNT) * SLOT_COUNT
        superblock = attrs.evolve(superblock, generation=generation)
        data = encode_superblock(superblock)
        await self._file.write_at([Write(0, (data,))], sync=True)
        self.current = superblock

    return [(SuperblockFile, "_write_slot", write_slot)]


def _retry_a_failed_sync() -> list[_Change]:
    def sync(self: Any) -> None:  # noqa: ANN401
        with self._sync_lock:
            try:
                self._handle.datasync()
            except OSError:
                self._handle.datasync()

    return [(RawFile, "sync", sync)]


def _trust_the_page_cache() -> list[_Change]:
    open_core, sync = opening.open_core, BlockFile.sync
    opening_now: list[bool] = []

    async def open_without_sync(*arguments: Any) -> Core:  # noqa: ANN401
        opening_now.append(True)
        try:
            return await open_core(*arguments)
        finally:
            opening_now.pop()

    async def skip(self: BlockFile) -> None:
        if not opening_now:
            await sync(self)

    from srshell.engine import replica

    return [(replica, "open_core", open_without_sync), (BlockFile, "sync", skip)]


def _forget_the_crash() -> list[_Change]:
    return [(opening, "_has_met_peer", lambda superblock: False)]


# --- the secondary ------------------------------------------------------------------------------


def _apply_what_is_not_committed() -> list[_Change]:
    def apply(self: Destination) -> list[Any]:
        if self.flushed_lsn <= self.applicable_lsn:
            return []
        self.applicable_lsn = self.flushed_lsn
        return [Apply(self.flushed_lsn)]

    return [(Destination, "_apply", apply)]


def _answer_before_it_is_durable() -> list[_Change]:
    persist = Follow._persist  # noqa: SLF001

    async def later(self: Follow, change: Any) -> None:  # noqa: ANN401
        asyncio.ensure_future(persist(self, change))  # noqa: RUF006  (that is the bug)

    return [(Follow, "_persist", later)]


def _forget_that_the_primary_may_be_alone() -> list[_Change]:
    fence_stored = reigns.fence_stored

    def stored(superblock: Superblock, history: Any) -> Superblock:  # noqa: ANN401
        return attrs.evolve(fence_stored(superblock, history), peer_may_ack_alone=False)

    return [(reigns, "fence_stored", stored)]


# --- copies -------------------------------------------------------------------------------------


def _clear_bits_before_the_peer_is_durable() -> list[_Change]:
    send_extent = Copier._send_extent  # noqa: SLF001

    def send_and_clear(self: Any, volume: int, offset: int, length: int, data: Any) -> None:  # noqa: ANN401
        send_extent(self, volume, offset, length, data)
        self._core.dirty.clear(volume, offset, length)

    return [(Copier, "_send_extent", send_and_clear)]


def _copy_without_the_lock() -> list[_Change]:
    async def send(self: Any, volume: int, offset: int, length: int, *, hole: bool) -> None:  # noqa: ANN401
        await self._send_locked(volume, offset, length, hole=hole)

    return [(Copier, "_send", send)]


def _believe_in_old_holes() -> list[_Change]:
    async def holds_data(self: Copier, volume: int, offset: int, length: int) -> bool:
        return False

    return [(Copier, "_holds_data", holds_data)]


def _overrun_without_marks() -> list[_Change]:
    return [(DirtyMap, "mark_extents", lambda self, extents: None)]


def _forget_to_write_marks() -> list[_Change]:
    async def write_pages(self: DirtyMap, file: BlockFile) -> None:
        return None

    return [(DirtyMap, "write_pages", write_pages)]


def _forget_records_that_the_peer_lacks() -> list[_Change]:
    return [(Applier, "_keep_after", lambda self, applied_lsn: applied_lsn)]


# --- people -------------------------------------------------------------------------------------


def _drop_what_was_acknowledged_alone() -> list[_Change]:
    return [(decide, "_wrote_alone", lambda side, common_lsn: False)]


def _change_the_rules_untold() -> list[_Change]:
    async def tell_peer(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
        return None

    return [(role_changes, "_tell_peer", tell_peer)]


def _forget_a_seal() -> list[_Change]:
    return [(role_changes, "unseal", lambda replica, operation: None)]


MUTANTS: Final = (
    Mutant("ack-without-peer", "an acknowledged write is in both logs", _ack_without_the_peer),
    Mutant("log-without-sync", "a write is durable before it is acknowledged", _log_without_sync),
    Mutant("confirm-on-receipt", "nothing is confirmed before it is durable", _confirm_on_receipt),
    Mutant("alone-in-memory", "alone is durable before the first solo ack", _go_alone_in_memory),
    Mutant("dirty-read", "reads show what is acknowledged", _read_what_is_not_acknowledged),
    Mutant("one-salt", "a new segment has a new salt", _one_salt_for_ever),
    Mutant("cut-without-segment", "a cut log goes on in a new segment", _cut_without_a_segment),
    Mutant(
        "checkpoint-unsynced", "volumes are synced before a checkpoint", _checkpoint_without_sync
    ),
    Mutant(
        "synced-too-early",
        "a sync covers only writes that had ended",
        _count_a_write_as_synced_before_it_ended,
    ),
    Mutant(
        "space-too-early",
        "log space is reused after the superblock",
        _reuse_space_before_the_superblock,
    ),
    Mutant("one-slot", "the superblock has more than one slot", _one_superblock_slot),
    Mutant("retried-sync", "a failed sync is never tried again", _retry_a_failed_sync),
    Mutant("trusted-cache", "what a dead process wrote is synced first", _trust_the_page_cache),
    Mutant("forgotten-crash", "a crashed primary asks its peer first", _forget_the_crash),
    Mutant("applied-too-early", "only committed records are applied", _apply_what_is_not_committed),
    Mutant(
        "early-answer", "a fence is durable before it is answered", _answer_before_it_is_durable
    ),
    Mutant(
        "false-evidence",
        "the secondary knows that the primary may be alone",
        _forget_that_the_primary_may_be_alone,
    ),
    Mutant(
        "bits-too-early",
        "a bit is cleared after the peer is durable",
        _clear_bits_before_the_peer_is_durable,
    ),
    Mutant("copy-without-lock", "an extent is copied under its lock", _copy_without_the_lock),
    Mutant("old-holes", "a hole is still one when it is sent", _believe_in_old_holes),
    Mutant("unmarked-overrun", "blocks are marked before their records go", _overrun_without_marks),
    Mutant("unwritten-marks", "marks are durable before records go", _forget_to_write_marks),
    Mutant(
        "forgotten-records",
        "the log keeps what the peer lacks",
        _forget_records_that_the_peer_lacks,
    ),
    Mutant(
        "dropped-writes",
        "writes acknowledged alone are never dropped",
        _drop_what_was_acknowledged_alone,
    ),
    Mutant("untold-policy", "the peer knows the rules first", _change_the_rules_untold),
    Mutant("stuck-seal", "a seal ends", _forget_a_seal),
)
