"""What the parts of one replica share: its files, its place in the log, and how it fails.

Always true:

(1) `superblock` is what the disk holds.
(2) After `fail` nothing more is written: the replica is FAILED, waiting writes end as outcome
    unknown.
(3) `committed_lsn` never passes the durable end of the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import attrs

from srshell.codec.errors import FormatError
from srshell.codec.log_frame import FrameBody
from srshell.engine.bell import Signal
from srshell.engine.checksum_map import ChecksumMap
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.log_file import LogFile
from srshell.engine.meters import Meters, RateMeter
from srshell.engine.overlay import Overlay
from srshell.engine.recovery import SEGMENTS_MAX
from srshell.engine.superblock_file import SuperblockFile
from srshell.engine.volume_set import VolumeSet
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData, Segment, Superblock
from srshell.replication.destination import Destination
from srshell.replication.ring import HeldFrame, Ring
from srshell.replication.source import Phase, Source
from srshell.storage import BlockFile, StorageError

#: What a superblock keeps of the reason why a side failed.
FAILURE_CHARACTERS_MAX = 500

T = TypeVar("T")
Change = Callable[[Superblock], Superblock]


@attrs.frozen
class ReplicaEvent:
    """Something that people and journals want to know; ``kind`` is one word."""

    kind: str
    text: str
    facts: dict[str, str] = attrs.field(factory=dict)


def unchanged(superblock: Superblock) -> Superblock:
    """Return the superblock as it is: only the log's pointers are written anew."""
    return superblock


@attrs.define(eq=False)
class Core:
    """One replica's state and files.  The parts of the engine act on it; nothing else does."""

    world: World
    log_path: str
    log_device: BlockFile
    superblocks: SuperblockFile
    log: LogFile
    dirty: DirtyMap
    checksums: ChecksumMap
    overlay: Overlay
    volumes: VolumeSet
    source: Source | None
    destination: Destination | None
    committed_lsn: int
    applied_lsn: int
    #: When the first and the last write were acknowledged alone, Unix seconds; 0: none was.
    alone_first_unix: float = 0.0
    alone_last_unix: float = 0.0
    failure: str = ""
    closing: bool = False
    progress: Signal = attrs.field(factory=Signal)
    failed: asyncio.Event = attrs.field(factory=asyncio.Event)
    #: When the superblock began to say that the peer is away (seconds of the loop's clock), if that
    #: was since the opening; a wall clock may be put back.
    lost_at: float | None = None
    #: Held by whatever changes roles, epochs or the meaning of the link: one at a time.
    transition: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    #: Held while a frame is made: between two frames every assigned LSN is in the log.
    frames: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    listeners: list[Callable[[ReplicaEvent], None]] = attrs.field(factory=list)
    on_failure: list[Callable[[], None]] = attrs.field(factory=list)
    #: Called when space was given back: in the log by a superblock, in memory by the applier.
    on_space: list[Callable[[], None]] = attrs.field(factory=list)
    meters: Meters = attrs.field()

    @meters.default
    def _new_meters(self) -> Meters:
        return Meters(RateMeter(self.world.clock_ns()))

    @property
    def superblock(self) -> Superblock:
        """Return the durable superblock."""
        return self.superblocks.current

    @property
    def ring(self) -> Ring:
        """Return the log's space."""
        return self.log.ring

    @property
    def confirmed_lsn(self) -> int:
        """Return what the peer is known to hold; for a secondary, what its superblock says."""
        return self.source.confirmed_lsn if self.source else self.superblock.confirmed_lsn

    @property
    def log_is_crowded(self) -> bool:
        """Tell whether the superblock lists as many segments as it can.

        The log takes no record then until a checkpoint shortens the list: an opening after the next
        crash must find room for the segment that it begins.
        """
        return len(self.superblock.segments) >= SEGMENTS_MAX

    def can_append(self, total_bytes: int) -> bool:
        """Tell whether the log takes a frame of that size now."""
        return not self.log_is_crowded and self.log.has_room(total_bytes)

    @property
    def credit_bytes(self) -> int:
        """Return how much of the log a primary may fill now; also bounds what waits in memory."""
        spare_bytes = 2 * self.world.limits.unapplied_bytes - self.overlay.held_bytes
        return max(0, min(self.ring.free_bytes, spare_bytes))

    def log_may_overrun(self) -> bool:
        """Tell whether marked blocks may stand in for log records that the peer lacks."""
        return self.source is not None and self.source.phase is Phase.ALONE

    async def persist(self, change: Change = unchanged, *, forget_lsn: int = 0) -> Superblock:
        """Make a change durable together with the log's present pointers.

        ``forget_lsn``: log records up to there are given up by the same write.

        Raises SrError SR9220 after failing the replica when the disk does not take it.
        """

        def changed(current: Superblock) -> Superblock:
            # Whoever waited for another write may find that this side failed meanwhile: what the
            # superblock says of that must not be taken back.
            self.check_usable()
            ring = self.ring
            ring.forget_through(forget_lsn)
            pointed = attrs.evolve(
                current,
                generation=current.generation + 1,
                head_lsn=ring.head_lsn,
                head_position=ring.head_position,
                head_chain=ring.head_chain,
                segments=live_segments(current, ring.head_lsn),
                durable_lsn=self.log.durable_lsn,
                confirmed_lsn=self.confirmed_lsn,
                alone_first_unix=self.alone_first_unix,
                alone_last_unix=self.alone_last_unix,
            )
            return _with_times(change(pointed))

        lost_before = bool(self.superblock.lost_unix)
        try:
            superblock = await uninterrupted(self.superblocks.write(changed))
        except StorageError as error:
            raise self.fail(error) from error
        self._adopt_times(superblock)
        self.ring.durable_head_position = superblock.head_position
        if not superblock.lost_unix:
            self.lost_at = None
        elif not lost_before:
            self.lost_at = asyncio.get_running_loop().time()
        self.wake()
        self.space_given_back()
        return superblock

    def space_given_back(self) -> None:
        """Let whoever waits for space in the log or in memory look again."""
        for look in self.on_space:
            look()

    def wake(self) -> None:
        """Let everything that waits for progress look again."""
        self.progress.wake()

    @property
    def stopped(self) -> bool:
        """Tell whether the replica failed or closes: its tasks end."""
        return self.closing or bool(self.failure)

    def _adopt_times(self, superblock: Superblock) -> None:
        """Forget when writes were acknowledged alone once the disk says that none is left."""
        if superblock.alone:
            self.alone_first_unix = self.alone_first_unix or superblock.alone_first_unix
            self.alone_last_unix = max(self.alone_last_unix, superblock.alone_last_unix)
        else:
            self.alone_first_unix = self.alone_last_unix = 0.0

    def acknowledged_alone(self) -> None:
        """Remember when; the next superblock makes it durable."""
        self.alone_last_unix = self.world.wall_seconds()
        self.alone_first_unix = self.alone_first_unix or self.alone_last_unix

    @property
    def commits_now(self) -> bool:
        """Tell whether `append_now` may be used now: nothing has to be waited for."""
        file, promptness = self.log.file, self.world.promptness
        if promptness is None:
            return file.at_once
        return file.idle and promptness.allows(self)

    async def append(self, frames: Sequence[FrameBody]) -> None:
        """Append frames and sync.  Raises SrError after failing the replica."""
        if self.world.promptness is not None:
            self.world.promptness.committed(self)
        try:
            await self.log.append(frames)
        except StorageError as error:
            raise self.fail(error) from error
        self.wake()

    def append_now(self, frames: Sequence[FrameBody]) -> None:
        """Do what `append` does, without a wait: only if `commits_now`."""
        clock_ns, promptness = self.world.clock_ns, self.world.promptness
        begun_ns = clock_ns()
        try:
            self.log.append_now(frames)
        except StorageError as error:
            raise self.fail(error) from error
        if promptness is not None:
            promptness.committed(self, clock_ns() - begun_ns)
        self.wake()

    async def read_body(self, held: HeldFrame, epoch: int) -> FrameBody:
        """Read a durable frame back.  Raises SrError after failing the replica."""
        try:
            return await self.log.read_body(held, epoch, held.record_count)
        except (StorageError, FormatError) as error:
            raise self.fail(error) from error

    async def write_dirty_pages(self) -> None:
        """Make the dirty map durable.  Raises SrError after failing the replica."""
        try:
            await self.dirty.write_pages(self.log_device)
        except StorageError as error:
            raise self.fail(error) from error

    def cut_log(self, lsn: int) -> None:
        """Forget the records after ``lsn``; the caller makes it durable at once."""
        assert self.applied_lsn <= lsn or lsn < self.ring.head_lsn, (self.applied_lsn, lsn)
        self.ring.cut_after(lsn)
        while self.overlay.records and self.overlay.records[-1].lsn > lsn:
            self.overlay.remove_newest()

    def begin_segment(self, segment: Segment) -> None:
        """Go on in a new segment of the log; the caller makes it durable at once."""
        ring = self.ring
        if not ring.frames:
            ring.head_lsn = segment.first_lsn
        ring.tail_position = segment.position
        ring.chain = segment.seed
        self.log.salt = segment.salt
        self.log.durable_lsn = segment.first_lsn - 1

    def follow(self) -> None:
        """Be secondary from the durable end of the log on."""
        tail_lsn = self.log.durable_lsn
        checkpoint_lsn = self.superblock.checkpoint_lsn
        # Before a copy the log begins anew after the base, which counts as applied.
        self.applied_lsn = max(min(self.applied_lsn, tail_lsn), checkpoint_lsn)
        self.committed_lsn = self.applied_lsn
        self.source = None
        self.destination = Destination(tail_lsn, tail_lsn, self.committed_lsn, self.committed_lsn)

    def lead(self, confirmed_lsn: int, *, alone: bool) -> None:
        """Be primary from the log's durable end on: all of the log counts as committed."""
        tail_lsn = self.log.durable_lsn
        self.destination = None
        self.source = Source(
            on_peer_loss=self.superblock.on_peer_loss,
            phase=Phase.ALONE if alone else Phase.LOST,
            last_lsn=tail_lsn,
            flushed_lsn=tail_lsn,
            confirmed_lsn=confirmed_lsn,
            acked_lsn=tail_lsn,
            alone=alone,
        )

    async def progressed(self) -> None:
        """Wait until something moved; raises SrError when the replica failed or closes."""
        self.check_usable()
        await self.progress.wait()
        self.check_usable()

    def check_usable(self) -> None:
        """Raise SrError SR9220 or SR9224 when the replica failed or is closing."""
        if self.failure:
            raise SrError.make(
                "SR9220", facts=self.failure, operation="replication", file=self.log_path
            )
        if self.closing:
            raise self._closed()

    def _closed(self) -> SrError:
        return SrError.make("SR9224", volume=self.superblock.group, reason="it is being closed")

    def fail(self, error: StorageError | FormatError | str) -> SrError:
        """Stop for good: a device error fails the replica and is never retried.

        Returns the error.
        """
        if self.closing and isinstance(error, StorageError) and error.errno_name == "CLOSED":
            # A file that this side has closed by itself is no device that failed.
            return self._closed()
        first = not self.failure
        if first:
            self.failure = str(error)
            self.failed.set()
            self.wake()
            for stop in self.on_failure:
                stop()
            self.tell("failure", f"this side failed: {self.failure}")
        return SrError.make(
            "SR9220", facts=self.failure, operation="replication", file=self.log_path
        )

    async def record_failure(self) -> None:
        """Try to make the failure durable.

        A disk that does not take it will show it again itself.
        """
        failure = self.failure

        def failed(current: Superblock) -> Superblock:
            return attrs.evolve(
                current,
                generation=current.generation + 1,
                data=ReplicaData.FAILED,
                failure=failure[:FAILURE_CHARACTERS_MAX],
            )

        try:
            await self.superblocks.write(failed)
        except StorageError:
            # It was the log that failed.  Its file is broken for ever, its disk perhaps is not: a
            # sync that succeeds after one that failed must not make this side believe itself again.
            await self._record_anew(failed)

    async def _record_anew(self, failed: Change) -> None:
        try:
            device = await self.world.log_disk.open(self.log_path, lock=False)
            try:
                await SuperblockFile(device, self.superblocks.current).write(failed)
            finally:
                await device.close()
        except StorageError as error:
            self.tell("failure", f"the failure could not be recorded: {error}")

    def tell(self, kind: str, text: str, **facts: object) -> None:
        """Hand an event to every listener."""
        event = ReplicaEvent(kind, text, {name: str(value) for name, value in facts.items()})
        for listener in self.listeners:
            listener(event)


async def uninterrupted(step: Coroutine[Any, Any, T]) -> T:
    """Run a step to its end even when the task is cancelled: what is durable must be remembered."""
    task = asyncio.ensure_future(step)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001  (raised below, from the task itself)
            break
    if cancelled:
        raise asyncio.CancelledError
    return task.result()


def _with_times(superblock: Superblock) -> Superblock:
    """Drop the times of writes alone once both sides hold them."""
    if superblock.alone:
        return superblock
    return attrs.evolve(superblock, alone_first_unix=0.0, alone_last_unix=0.0)


def live_segments(superblock: Superblock, head_lsn: int) -> tuple[Segment, ...]:
    """Return the segments that still hold LSNs from ``head_lsn`` on."""
    segments = superblock.segments
    first = 0
    for index in range(1, len(segments)):
        if segments[index].first_lsn <= head_lsn:
            first = index
    return segments[first:]
