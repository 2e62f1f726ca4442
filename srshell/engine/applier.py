"""Destage: committed records go from the log to the volumes; checkpoints give log space back.

Always true:

(1) Records reach the volumes only when committed, in batches that follow each other in LSN order.
(2) An ordered job (a copied extent, a digest) runs after the records that were committed when it
    was handed in, and before any that were committed later.
(3) A checkpoint goes: sync volumes, then checksum pages, then bitmap pages, then superblock; only
    then is log space reused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import islice

import attrs

from srshell.codec.log_frame import Record, RecordKind
from srshell.engine import destage
from srshell.engine.bell import Bell
from srshell.engine.core import Core
from srshell.engine.recovery import SEGMENTS_MAX
from srshell.model.errors import SrError
from srshell.model.replica import Superblock
from srshell.storage import StorageError

_BATCH_BYTES = 8 << 20
# What was in the log when it was opened goes together: nobody waits for its space, and the more
# there is, the more blocks are written again, or touch.
_REPLAY_FACTOR = 32
# Each looks at the blocks that the batch has so far.
_BATCH_CLEARS = 256
_JOBS_AT_ONCE = 16
# Without a peer, the log keeps at most this share of the ring for a replay; the rest is marked
# blocks.
_KEEP_SHARE = 0.5
# Openings that the log may look back on: half of what a superblock can list.
_SEGMENTS_KEPT = SEGMENTS_MAX // 2
# Below this share of free space a checkpoint is taken at once.
_SPACE_SHARE = 0.6


@attrs.frozen
class _OrderedJob:
    after_lsn: int
    run: Callable[[], Awaitable[None]]


class Applier:
    """The only writer of the volumes of one replica."""

    def __init__(self, core: Core) -> None:
        """Begin idle; `run` and `run_checkpoints` are the tasks."""
        self._core = core
        self._opened_lsn = core.log.durable_lsn
        self._jobs: deque[_OrderedJob] = deque()
        self._wake = Bell()
        #: Held from the first look at what is applied until the superblock says so.
        self.checkpointing = asyncio.Lock()
        self._space_wanted = asyncio.Event()
        self._urgent = asyncio.Event()
        self._settling = 0
        self._running = 0

    def commit(self, lsn: int) -> None:
        """Let records up to ``lsn`` be applied."""
        if lsn > self._core.committed_lsn:
            assert lsn <= self._core.log.durable_lsn, (lsn, self._core.log.durable_lsn)
            self._core.committed_lsn = lsn
            self._wake.ring()
            if self._is_urgent(4):
                self._urgent.set()

    def submit(self, run: Callable[[], Awaitable[None]]) -> None:
        """Hand in an ordered job; it must not raise anything but StorageError."""
        self._jobs.append(_OrderedJob(self._core.committed_lsn, run))
        self._hurry()

    def _hurry(self) -> None:
        self._wake.ring()
        self._urgent.set()

    def stop(self) -> None:
        """Wake the tasks so that they see that the replica closes."""
        self._hurry()
        self._space_wanted.set()

    async def run(self) -> None:
        """Apply until the replica closes or fails."""
        core = self._core
        try:
            while not core.stopped:
                self._wake.clear()
                if self._should_wait():
                    await self._linger()
                # Those that have waited are applied, however many batches that takes.
                due_lsn, worked = core.committed_lsn, True
                while worked and not core.stopped:
                    worked = await self._step()
                    if core.applied_lsn >= due_lsn:
                        break
                if not worked:
                    await self._wake.wait()
        except StorageError as error:
            core.fail(error)

    def _should_wait(self) -> bool:
        """Tell whether more records are worth waiting for: nobody needs the volumes yet."""
        return not (self._jobs or self._settling or self._is_urgent(2))

    def _is_urgent(self, part: int) -> bool:
        """Tell whether memory fills, or less than that part of the log is free.

        Who writes, here or at the peer, would wait soon.
        """
        core = self._core
        full = core.ring.free_bytes * part < core.ring.ring_bytes
        return full or core.overlay.payload_bytes >= core.world.limits.linger_bytes

    async def _linger(self) -> None:
        """Collect records for a moment: one hop then serves many writes."""
        self._urgent.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._core.world.limits.linger_seconds):
                await self._urgent.wait()

    async def _step(self) -> bool:
        core = self._core
        if self._jobs and self._jobs[0].after_lsn <= core.applied_lsn:
            await self._run_jobs()
            return True
        limit_lsn = (
            min(core.committed_lsn, self._jobs[0].after_lsn) if self._jobs else core.committed_lsn
        )
        batch = self._take(limit_lsn)
        if not batch:
            return False
        begun_ns = core.world.clock_ns()
        await destage.apply(core, batch)
        now_ns = core.world.clock_ns()
        core.meters.apply.record(now_ns, now_ns - begun_ns, len(batch))
        async for portion in destage.portions(batch):
            core.overlay.remove_oldest(len(portion))
            core.applied_lsn = portion[-1].lsn
        if core.log_is_crowded or core.ring.free_bytes < core.ring.ring_bytes * _SPACE_SHARE:
            self.want_space()  # before anybody has to wait for it, here or at the peer
        core.wake()
        core.space_given_back()
        return True

    async def _run_jobs(self) -> None:
        batch: list[_OrderedJob] = []
        while (
            self._jobs
            and self._jobs[0].after_lsn <= self._core.applied_lsn
            and len(batch) < _JOBS_AT_ONCE
        ):
            batch.append(self._jobs.popleft())
        self._running = len(batch)
        results = await asyncio.gather(*(job.run() for job in batch), return_exceptions=True)
        self._running = 0
        self._core.wake()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _take(self, limit_lsn: int) -> list[Record]:
        records = self._core.overlay.records
        if not records or records[0].lsn > limit_lsn:
            return []
        most, most_bytes = self._core.world.limits.batch_records, _BATCH_BYTES
        if records[0].lsn + most <= self._opened_lsn:
            limit_lsn = min(limit_lsn, self._opened_lsn)
            most, most_bytes = most * _REPLAY_FACTOR, most_bytes * _REPLAY_FACTOR
        # LSNs are dense, so it is known how many there may be.
        count = min(limit_lsn - records[0].lsn + 1, most)
        batch: list[Record] = []
        size_bytes = clears = 0
        for record in islice(records, count):
            if size_bytes >= most_bytes or clears == _BATCH_CLEARS:
                break
            batch.append(record)
            size_bytes += len(record.payload)
            clears += record.kind is not RecordKind.WRITE
        return batch

    async def settle(self) -> None:
        """Wait until everything committed is applied and no ordered job waits."""
        core = self._core
        self._settling += 1
        try:
            self._hurry()
            while core.applied_lsn < core.committed_lsn or self._jobs or self._running:
                await core.progressed()
        finally:
            self._settling -= 1

    async def reach(self, lsn: int) -> None:
        """Wait until the volumes hold everything up to an LSN that is committed."""
        self._settling += 1
        try:
            self._hurry()
            while self._core.applied_lsn < lsn:
                await self._core.progressed()
        finally:
            self._settling -= 1

    async def run_checkpoints(self) -> None:
        """Take a checkpoint now and then, and whenever log space is wanted.

        One looks at the files, too; where none is worth it for long, they are looked at alone.
        """
        core, limits, idle_seconds = self._core, self._core.world.limits, 0.0
        while not core.stopped:
            try:
                async with asyncio.timeout(limits.checkpoint_seconds):
                    await self._space_wanted.wait()
            except TimeoutError:
                idle_seconds += limits.checkpoint_seconds
            self._space_wanted.clear()
            if core.stopped:
                return
            try:
                if self._is_worth_it():
                    await self.checkpoint()
                elif idle_seconds >= limits.look_seconds:
                    await self._look()
                else:
                    continue
            except SrError:
                return
            idle_seconds = 0.0

    async def _look(self) -> None:
        """Look whether nobody else harmed the files.  Raises SrError as `checkpoint` does."""
        core = self._core
        try:
            await core.volumes.check_kept()
            await core.log.file.check_kept()
        except StorageError as error:
            raise core.fail(error) from error

    def want_space(self) -> None:
        """Ask for a checkpoint soon: the log is filling."""
        self._space_wanted.set()
        self._urgent.set()

    def _is_worth_it(self) -> bool:
        """Tell whether a checkpoint would move anything: whoever waits for space asks often."""
        core = self._core
        frames = core.ring.frames
        if core.applied_lsn > core.superblock.checkpoint_lsn:
            return True
        if not frames or frames[0].last_lsn > core.applied_lsn:
            return False
        if frames[0].last_lsn <= self._keep_after(core.applied_lsn):
            return True
        crowded = frames[0].first_lsn <= self._crowded_lsn()
        return core.log_may_overrun() and (crowded or self._short_of_space())

    def _short_of_space(self) -> bool:
        return self._core.ring.free_bytes < self._core.ring.ring_bytes * (1 - _KEEP_SHARE)

    def _crowded_lsn(self) -> int:
        """Return the last LSN of the segments that have to go; 0 when the list is short enough.

        Each opening adds a segment, and a full list could not be opened again.
        """
        segments = self._core.superblock.segments
        if len(segments) <= _SEGMENTS_KEPT:
            return 0
        return segments[-_SEGMENTS_KEPT].first_lsn - 1

    def _keep_after(self, applied_lsn: int) -> int:
        """Return the LSN up to which the log is needed by nobody."""
        if self._core.source is None:
            return applied_lsn
        return min(applied_lsn, self._core.source.confirmed_lsn)

    async def checkpoint(self) -> None:
        """Make the applied records durable in the volumes and give their log space back.

        Raises SrError SR9220 after failing the replica on a device error.
        """
        core = self._core
        async with self.checkpointing:
            core.check_usable()
            applied_lsn = core.applied_lsn
            try:
                await core.checksums.write_synced(core.volumes.sync)
                forget_lsn = max(self._keep_after(applied_lsn), self._overrun(applied_lsn))
                await core.dirty.write_pages(core.log_device)
            except StorageError as error:
                raise core.fail(error) from error

            def checkpointed(current: Superblock) -> Superblock:
                reached = max(current.checkpoint_lsn, applied_lsn)
                return attrs.evolve(current, checkpoint_lsn=reached)

            await core.persist(checkpointed, forget_lsn=forget_lsn)

    def _overrun(self, applied_lsn: int) -> int:
        """Mark the blocks of the oldest frames that must go although the peer lacks them.

        Only while this side acknowledges alone with no peer in step: then the bitmap takes over.
        """
        core = self._core
        source = core.source
        if source is None or not core.log_may_overrun():
            return 0
        forget_lsn = 0
        crowded_lsn = self._crowded_lsn()
        excess_bytes = core.ring.ring_bytes * _KEEP_SHARE - core.ring.free_bytes
        for frame in core.ring.frames:
            wanted = excess_bytes > 0 or frame.first_lsn <= crowded_lsn
            if not wanted or frame.last_lsn > applied_lsn:
                break
            if frame.last_lsn > source.confirmed_lsn:
                core.dirty.mark_extents(frame.extents)
            forget_lsn = frame.last_lsn
            excess_bytes -= frame.total_bytes
        return forget_lsn
