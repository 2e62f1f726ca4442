"""Frames on their way to the peer: the newest straight from memory, missed ones from the log.

Always true:

(1) Frames are sent in LSN order without gaps, each once for one link.
(2) A frame is read from the log only when it is durable there.
(3) No more is sent than the peer has log space for, nor more than a link holds at once: a slow
    network delays frames, it does not lose the link.
"""

from __future__ import annotations

import asyncio
from collections import deque

from srshell.codec.errors import FormatError
from srshell.codec.log_frame import FrameBody
from srshell.codec.messages import Commit, Frame
from srshell.engine.bell import Bell
from srshell.engine.core import Core
from srshell.model.replica import Era
from srshell.replication.ring import HeldFrame
from srshell.storage import StorageError
from srshell.transport.link import Link, LinkClosed


class Sender:
    """Sends the log from ``next_lsn`` on over one link."""

    def __init__(self, core: Core, link: Link, next_lsn: int, peer_bytes_free: int) -> None:
        """Begin at ``next_lsn``, with the log space that the peer reported."""
        self._core = core
        self._link = link
        self._wake = Bell()
        #: Last LSN, bytes, records, when it was sent.
        self._in_flight: deque[tuple[int, int, int, int]] = deque()
        self._in_flight_bytes = 0
        self._largest_bytes = 0
        self._peer_bytes_free = peer_bytes_free
        self._noticed_lsn = 0
        self._notice: asyncio.TimerHandle | None = None
        self.next_lsn = next_lsn
        self.sent_bytes_total = 0

    def offer(self, body: FrameBody) -> None:
        """Send a frame that was just built, if it is next and the peer has room; else leave it."""
        if body.first_lsn != self.next_lsn or not self._has_credit(body.total_bytes):
            self._wake.ring()
            return
        try:
            self._send(body)
        except LinkClosed:
            self._wake.ring()

    def flushed(self) -> None:
        """The own log holds more than before: what `offer` left can be read back."""
        if self.next_lsn <= self._core.log.durable_lsn:
            self._wake.ring()

    def confirmed(self, lsn: int, peer_bytes_free: int) -> None:
        """The peer's log holds everything up to ``lsn`` and has this much space left."""
        now_ns = self._core.world.clock_ns()
        while self._in_flight and self._in_flight[0][0] <= lsn:
            _, size_bytes, count, sent_ns = self._in_flight.popleft()
            self._in_flight_bytes -= size_bytes
            self._core.meters.remote_log.record(now_ns, now_ns - sent_ns, count)
        self._peer_bytes_free = peer_bytes_free
        if self.next_lsn <= self._core.ring.tail_lsn:
            self._wake.ring()  # `offer` left something for which there may be room now

    def committed(self, lsn: int) -> None:
        """Let the peer know soon that it may apply up to ``lsn``; the next frame may carry it."""
        if lsn <= self._noticed_lsn or self._notice is not None:
            return
        loop = asyncio.get_running_loop()
        delay_seconds = self._core.world.limits.commit_notice_seconds
        self._notice = loop.call_later(delay_seconds, self.notice)

    def notice(self) -> None:
        """Send the commit notice now, if there is anything new."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        source = self._core.source
        if source is None or source.acked_lsn <= self._noticed_lsn or self._link.closed:
            return
        self._noticed_lsn = source.acked_lsn
        try:
            self._link.send(Commit(source.acked_lsn))
        except LinkClosed:
            return

    def close(self) -> None:
        """Send nothing more."""
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        self._wake.ring()

    async def run(self) -> None:
        """Send what `offer` left, until the link closes.  Raises LinkClosed."""
        core = self._core
        while not self._link.closed and not core.failure:
            held = core.ring.find(self.next_lsn)
            if held is None and self.next_lsn < core.ring.head_lsn:
                raise LinkClosed("the log no longer holds what the peer needs")
            durable = held is not None and held.last_lsn <= core.log.durable_lsn
            if held is None or not durable or not self._has_credit(held.total_bytes):
                if held is not None and durable:
                    self.notice()  # the peer can give log space back once it may apply
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._send_from_log(held)

    async def _send_from_log(self, held: HeldFrame) -> None:
        core = self._core
        epoch = epoch_at(core.superblock.history, held.first_lsn)
        try:
            body = await core.log.read_body(held, epoch, held.record_count)
        except (StorageError, FormatError) as error:
            raise core.fail(error) from error
        if held.first_lsn == self.next_lsn:  # `offer` may not have overtaken: it sends in order too
            self._send(body)
            await self._link.drain()

    def _has_credit(self, total_bytes: int) -> bool:
        # The peer may lose up to one frame at its ring's end, where the next lap begins.
        largest_bytes = max(total_bytes, self._largest_bytes)
        free_bytes = min(self._peer_bytes_free, self._core.world.limits.in_flight_bytes)
        return free_bytes - self._in_flight_bytes - largest_bytes >= total_bytes

    def _send(self, body: FrameBody) -> None:
        source = self._core.source
        commit_lsn = source.acked_lsn if source else 0
        self._noticed_lsn = max(self._noticed_lsn, commit_lsn)
        message = Frame(body.epoch, body.first_lsn, body.record_count, body.body_crc, commit_lsn)
        self._link.send(message, body.buffers)
        sent_ns = self._core.world.clock_ns()
        self._in_flight.append((body.last_lsn, body.total_bytes, body.record_count, sent_ns))
        self._in_flight_bytes += body.total_bytes
        self._largest_bytes = max(self._largest_bytes, body.total_bytes)
        self.next_lsn = body.last_lsn + 1
        self.sent_bytes_total += body.body_bytes


def epoch_at(history: tuple[Era, ...], lsn: int) -> int:
    """Return the number of the epoch in which ``lsn`` was given out."""
    number = history[0].epoch.number if history else 0
    for era in history:
        if era.start_lsn < lsn:
            number = era.epoch.number
    return number
