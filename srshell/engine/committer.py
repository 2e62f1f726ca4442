"""Group commit: writes that wait together become one frame, one log write, one sync, one message.

Always true:

(1) LSNs are given out here alone, in the order in which writes were handed in.
(2) While the log writes one frame, the next one collects; at queue depth 1 nothing is delayed:
    where the loop commits, a write that comes alone is committed in the call that hands it in, and
    of two frames at a time the second one waits for an acknowledgement that is near.
(3) A write's future is resolved by an acknowledgement of the source machine, or by an error that
    says whether the outcome is unknown; never silently dropped.
(4) A frame is made under ``core.frames``: whoever holds it finds every assigned LSN in the log.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from srshell.codec.log_frame import (
    HEADER_BYTES,
    ROW_BYTES,
    FrameBody,
    Record,
    RecordKind,
    pack_body,
)
from srshell.engine.applier import Applier
from srshell.engine.bell import Bell
from srshell.engine.core import Core
from srshell.engine.meters import LatencyMeter
from srshell.model.errors import SrError
from srshell.replication.ring import SECTOR_BYTES
from srshell.replication.source import (
    ACKS_ALONE,
    ADMITS_WRITES,
    FrameBuilt,
    Instruction,
    LogFlushed,
    Source,
)

_RECORDS_MAX = 4096
#: An acknowledgement is near that takes less than this, or than so many times the own log.
_NEAR_NS = 500_000
_NEAR_LOGS = 3
#: Of one frame, about so many writes are looked at by the meters.
_MEASURED_MAX = 4


class _Waiting(msgspec.Struct, eq=False):
    """A write that was handed in."""

    kind: RecordKind
    volume: int
    offset: int
    length: int
    payload: bytes | memoryview
    done: asyncio.Future[int]
    submitted_ns: int
    lsn: int = 0


class _Begun(NamedTuple):
    """A frame that was sent and is being written to the own log."""

    source: Source
    body: FrameBody
    built_ns: int


class Committer:
    """Takes writes, makes frames, resolves acknowledged writes; one per primary."""

    def __init__(
        self,
        core: Core,
        applier: Applier,
        carry_out: Callable[[list[Instruction]], None],
        offer: Callable[[FrameBody], None],
        flushed: Callable[[], None],
    ) -> None:
        """``carry_out`` gets the machine's instructions; ``offer`` hands a new frame to the link.

        ``flushed`` is called when the log holds more than before.
        """
        self._core = core
        self._applier = applier
        self._carry_out = carry_out
        self._offer = offer
        self._flushed = flushed
        self._queue: deque[_Waiting] = deque()
        #: Taken from the queue, on its way into a frame, without an LSN yet; and how long that is.
        self._taken: list[_Waiting] = []
        self._taken_bytes = 0
        self._unacked: deque[_Waiting] = deque()
        self._wake = Bell()
        self._loop = asyncio.get_running_loop()
        #: The machine of this reign, once `run` has begun.
        self._source: Source | None = None
        #: Whether `run` is between taking writes and having committed them.
        self._busy = False
        #: Of the newest frame: when it was built, how long the own log took, how long both took.
        self._built_ns = self._local_ns = self._round_ns = 0
        #: How many writes the last frame had.
        self._last_count = 0
        #: Whether `_commit_now` will be called.
        self._committing_soon = False
        self.sealed_by = ""
        self.locked: list[tuple[int, int, int]] = []
        #: When the newest write was handed in, by the world's clock; 0: none was.
        self.last_submitted_ns = 0
        self.writes_total = 0
        self.written_bytes_total = 0
        self.frames_total = 0

    def submit(
        self,
        kind: RecordKind,
        volume: int,
        offset: int,
        length: int,
        payload: bytes | memoryview,
    ) -> asyncio.Future[int]:
        """Hand in a write; the future gives its LSN once it is acknowledged.

        Nobody may change the payload any more.
        """
        done: asyncio.Future[int] = self._loop.create_future()
        now_ns = self.last_submitted_ns = self._core.world.clock_ns()
        self._queue.append(_Waiting(kind, volume, offset, length, payload, done, now_ns))
        self._go_on(in_call=True)
        return done

    def _go_on(self, *, in_call: bool) -> None:
        """See to it that what waits is committed; ``in_call``: a writer stands behind this."""
        if self._committing_soon:
            return
        if not self._core.commits_now:
            self._wake.ring()
        elif self._unacked and self._round_ns < max(_NEAR_NS, _NEAR_LOGS * self._local_ns):
            # The loop would be at the log when the acknowledgement comes that is near; with it come
            # more writes, which then share a frame.
            return
        elif in_call and self._comes_alone():
            self._commit_now()
        else:
            # With what else is handed in at this moment.
            self._committing_soon = True
            self._loop.call_soon(self._commit_now)

    def _comes_alone(self) -> bool:
        """Tell whether writes come one after the other: no company is worth waiting for.

        Nor is a writer acknowledged in the very moment of its call: one that never waits would
        leave the loop no turn.
        """
        source = self._source
        needs_peer = source is not None and source.phase not in ACKS_ALONE
        return needs_peer and self._last_count == 1 and not self._unacked

    def poke(self) -> None:
        """Look again: a lock, the log space, the phase or the role changed."""
        self._wake.ring()

    def progressed(self) -> None:
        """Look again if a write waits: the machine moved on."""
        if self._queue:
            self._go_on(in_call=False)

    def acknowledge(self, lsn: int) -> None:
        """Resolve every write up to ``lsn``."""
        unacked = self._unacked
        acknowledged: list[_Waiting] = []
        size_bytes = 0
        while unacked and unacked[0].lsn <= lsn:
            waiting = unacked.popleft()
            acknowledged.append(waiting)
            size_bytes += waiting.length
            if not waiting.done.done():
                waiting.done.set_result(waiting.lsn)
        self.writes_total += len(acknowledged)
        self.written_bytes_total += size_bytes
        now_ns, meters = self._core.world.clock_ns(), self._core.meters
        if not unacked:
            self._round_ns = now_ns - self._built_ns
        meters.rate.add(now_ns, len(acknowledged), size_bytes)
        _measure(meters.write, now_ns, acknowledged)

    def fail_waiting(self, error: Callable[[bool], SrError]) -> None:
        """Fail all writes: ``error(True)`` for those in the log, whose outcome is unknown."""
        for waiting in self._unacked:
            if not waiting.done.done():
                waiting.done.set_exception(error(True))
        for waiting in (*self._taken, *self._queue):
            if not waiting.done.done():
                waiting.done.set_exception(error(False))
        self._queue.clear()

    async def run(self) -> None:
        """Make frames until the replica closes, fails or loses its role."""
        core = self._core
        source = self._source = core.source
        while core.source is source and not core.stopped:
            self._wake.clear()
            self._taken = self._take()
            if not self._taken:
                await self._wake.wait()
                continue
            self._busy = True
            try:
                if not core.can_append(self._taken_bytes):
                    await self._wait_for_room(self._taken_bytes)
                async with core.frames:
                    await self._commit()
            except SrError:
                return
            finally:
                self._busy = False

    def _commit_now(self) -> None:
        """Commit as `run` does, without a task's wake-up; leave to it what has to wait."""
        self._committing_soon = False
        core, source = self._core, self._source
        if not core.commits_now:
            self._wake.ring()
            return
        if self._busy or source is None or core.source is not source or core.stopped:
            return  # `run` looks again before it waits
        try:
            while not core.frames.locked() and (batch := self._take()):
                if not core.can_append(self._taken_bytes):
                    self._queue.extendleft(reversed(batch))
                    break
                self._taken = batch
                begun = self._begin()
                if begun is not None:
                    core.append_now([begun.body])
                    self._end(begun)
        except SrError:
            return
        except Exception as error:  # noqa: BLE001  (told below)
            # One of our own invariants broke: what memory says is worth nothing any more.
            core.fail(f"internal error: {error!r}")
            self._loop.call_exception_handler(
                {"message": "a frame could not be committed", "exception": error}
            )
            return
        if self._queue:
            self._wake.ring()

    def _take(self) -> list[_Waiting]:
        source = self._core.source
        admitted = source is not None and source.phase in ADMITS_WRITES and not self.sealed_by
        if not admitted or not self._queue or self._must_hold_back():
            return []
        limit_bytes = self._core.world.limits.frame_bytes
        batch: list[_Waiting] = []
        body_bytes = HEADER_BYTES
        while self._queue and len(batch) < _RECORDS_MAX:
            waiting = self._queue[0]
            body_bytes += ROW_BYTES + len(waiting.payload)
            if (batch and body_bytes > limit_bytes) or (self.locked and self._is_locked(waiting)):
                body_bytes -= ROW_BYTES + len(waiting.payload)
                break
            batch.append(self._queue.popleft())
        self._taken_bytes = -(-body_bytes // SECTOR_BYTES) * SECTOR_BYTES
        return batch

    def _must_hold_back(self) -> bool:
        """Keep what waits for the peer below half of the log, and memory bounded."""
        core = self._core
        assert core.source is not None
        if core.overlay.held_bytes > core.world.limits.unapplied_bytes:
            return True
        if core.source.phase in ACKS_ALONE:
            return False
        return core.ring.bytes_after(core.source.acked_lsn) > core.ring.ring_bytes // 2

    def _is_locked(self, waiting: _Waiting) -> bool:
        end = waiting.offset + waiting.length
        return any(
            volume == waiting.volume and offset < end and waiting.offset < offset + length
            for volume, offset, length in self.locked
        )

    async def _wait_for_room(self, total_bytes: int) -> None:
        while not self._core.can_append(total_bytes):
            self._applier.want_space()
            await self._core.progressed()

    async def _commit(self) -> None:
        begun = self._begin()
        if begun is not None:
            await self._core.append([begun.body])
            self._end(begun)

    def _begin(self) -> _Begun | None:
        """Make a frame of what was taken and send it; None if there is nothing to commit now."""
        core = self._core
        source = core.source
        # Writes that were failed or cancelled meanwhile are not made after all.
        batch = [waiting for waiting in self._taken if not waiting.done.done()]
        self._taken = []
        if not batch:
            return None
        admitted = source is not None and source.phase in ADMITS_WRITES and not self.sealed_by
        locked = self.locked and any(map(self._is_locked, batch))
        if source is None or not admitted or locked:
            # The role, the seal or a lock changed while this waited: decide again.
            self._queue.extendleft(reversed(batch))
            return None
        first_lsn = source.last_lsn + 1
        for lsn, waiting in enumerate(batch, first_lsn):
            waiting.lsn = lsn
        records = [
            Record(one.lsn, one.kind, one.volume, one.offset, one.length, one.payload)
            for one in batch
        ]
        body = pack_body(core.superblock.history[-1].epoch.number, first_lsn, records)
        source.handle(FrameBuilt(body.last_lsn))
        self._unacked.extend(batch)
        self._last_count = len(batch)
        # The peer begins first: what else there is to do is done while it works.
        self._offer(body)
        built_ns = self._built_ns = core.world.clock_ns()
        _measure(core.meters.queue, built_ns, batch)
        core.overlay.add_all(records)
        return _Begun(source, body, built_ns)

    def _end(self, begun: _Begun) -> None:
        """The own log holds the frame durably."""
        core, last_lsn = self._core, begun.body.last_lsn
        self.frames_total += 1
        now_ns = core.world.clock_ns()
        local_ns = self._local_ns = now_ns - begun.built_ns
        core.meters.local_log.record(now_ns, local_ns, begun.body.record_count)
        if core.source is begun.source:
            self._carry_out(begun.source.handle(LogFlushed(last_lsn)))
        self._flushed()


def _measure(meter: LatencyMeter, now_ns: int, batch: list[_Waiting]) -> None:
    """Note how long ago writes were handed in; of many, some stand for their neighbours.

    The first was handed in before the others, so the largest is never missed.
    """
    stride = 1 + len(batch) // _MEASURED_MAX
    for start in range(0, len(batch), stride):
        count = min(stride, len(batch) - start)
        meter.record(now_ns, now_ns - batch[start].submitted_ns, count)
