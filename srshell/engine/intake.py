"""Frames that came over a link, on their way into the log of a secondary.

Always true:

(1) Frames are appended in the order in which they came, as many as there are with one sync.
(2) A record is in the overlay before it is in the log; ``written`` is called after the sync.
(3) Where the loop commits, the log is written as soon as everything is here that came with a
    frame, without a task's wake-up; whatever has to wait is left to `run`.
(4) Every frame that was put is durable when `run` returns, as far as the log had room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from srshell.codec.log_frame import FrameBody, Record
from srshell.engine.applier import Applier
from srshell.engine.bell import Bell
from srshell.engine.core import Core
from srshell.transport.link import Link, LinkClosed

_APPEND_BYTES = 4 << 20

Arrived = tuple[FrameBody, tuple[Record, ...]]


class Intake:
    """The frames of one link that are not in the log yet."""

    def __init__(
        self,
        core: Core,
        applier: Applier,
        link: Link,
        written: Callable[[int], None],
        broke: Callable[[Exception], None],
    ) -> None:
        """Begin empty.

        ``written`` gets the last LSN that became durable; ``broke`` what ended the link.
        """
        self._core = core
        self._applier = applier
        self._link = link
        self._written = written
        self._broke = broke
        self._loop = asyncio.get_running_loop()
        self._arrived = Bell()
        #: Whether `run` is writing, and whether `append_now` will be called.
        self._appending = self._appending_soon = False
        #: Whether more may have come in this moment: `append_now` will be called.
        self.more_to_come = False
        self.frames: deque[Arrived] = deque()
        self.bytes_waiting = 0

    def put(self, body: FrameBody, records: tuple[Record, ...]) -> None:
        """Append a frame soon.  Raises LinkClosed if it lies beyond the credit that was given."""
        self.bytes_waiting += body.total_bytes
        if self.bytes_waiting > self._core.ring.ring_bytes:
            raise LinkClosed("the peer sends more than the log holds")  # it would wait for ever
        self.frames.append((body, records))
        if self.more_to_come or self._appending_soon:
            return
        if self._core.commits_now:
            self._appending_soon = True
            self._loop.call_soon(self.append_now)
        else:
            self._arrived.ring()

    def wake(self) -> None:
        """Let `run` see that the link closed."""
        self._arrived.ring()

    async def run(self) -> None:
        """Append what comes until the link closes.  Raises SrError, or LinkClosed without room."""
        while self.frames or not self._link.closed:
            self._arrived.clear()
            if not self.frames:
                await self._arrived.wait()
                continue
            batch, size_bytes = self._next_batch()
            self._appending = True
            await self._append(batch)
            self._appending = False
            self.bytes_waiting -= size_bytes
        self._core.wake()

    def append_now(self) -> None:
        """Append what came, or let `run` do it where something has to be waited for."""
        self._appending_soon = False
        if not self.frames or self._appending:
            return
        if not self._core.commits_now:
            self._arrived.ring()
            return
        try:
            while self.frames:
                batch, size_bytes = self._next_batch()
                if not self._fits(batch):
                    self.frames.extendleft(reversed(batch))
                    self._arrived.ring()
                    return
                begun_ns, frames = self._begin(batch)
                self._core.append_now(frames)
                self._end(begun_ns, frames)
                self.bytes_waiting -= size_bytes
        except Exception as error:  # noqa: BLE001  (whoever serves the link raises it)
            self._broke(error)

    def _next_batch(self) -> tuple[list[Arrived], int]:
        """Take as many frames as one write holds; return them and their bytes."""
        frames = self.frames
        batch = [frames.popleft()]
        size_bytes = batch[0][0].total_bytes
        while frames and size_bytes + frames[0][0].total_bytes <= _APPEND_BYTES:
            batch.append(frames.popleft())
            size_bytes += batch[-1][0].total_bytes
        return batch, size_bytes

    def _fits(self, batch: list[Arrived]) -> bool:
        """Tell whether the log has room; at the ring's end up to one frame is lost to the wrap."""
        sizes_bytes = [body.total_bytes for body, _ in batch]
        return self._core.can_append(sum(sizes_bytes) + max(sizes_bytes))

    async def _append(self, batch: list[Arrived]) -> None:
        core = self._core
        if self._fits(batch):
            await self._write(batch)
            return
        for frame in batch:
            while not core.can_append(frame[0].total_bytes):
                if self._link.closed:
                    raise LinkClosed("no room came before the link closed")
                self._applier.want_space()
                await core.progressed()
            await self._write([frame])

    async def _write(self, batch: list[Arrived]) -> None:
        begun_ns, frames = self._begin(batch)
        await self._core.append(frames)
        self._end(begun_ns, frames)

    def _begin(self, batch: list[Arrived]) -> tuple[int, list[FrameBody]]:
        """Let readers find the records, and return when and what is to be appended."""
        core = self._core
        for _, records in batch:
            core.overlay.add_all(records)
        return core.world.clock_ns(), [body for body, _ in batch]

    def _end(self, begun_ns: int, frames: list[FrameBody]) -> None:
        core = self._core
        now_ns = core.world.clock_ns()
        self._written(frames[-1].last_lsn)  # first: the primary waits for that
        count = size_bytes = 0
        for body in frames:
            count += body.record_count
            size_bytes += body.body_bytes
        core.meters.local_log.record(now_ns, now_ns - begun_ns, count)
        core.meters.rate.add(now_ns, count, size_bytes)
