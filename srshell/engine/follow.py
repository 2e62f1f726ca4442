"""One link as seen by the secondary: frames logged and confirmed, extents stored, fences kept.

Always true:

(1) A frame is confirmed only after it is durable in this side's log.
(2) Extents and records reach the volumes in the order in which the link brought them (see
    `Applier`).
(3) Every step of a fence is durable here before it is answered.
(4) What the peer says is held against `srshell.replication.credible` before it is acted on, and no
    more of it waits in memory than a primary of ours would send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import assert_never

import attrs

from srshell.codec.copy_messages import Runs
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import open_body
from srshell.codec.messages import (
    Bye,
    Commit,
    Compare,
    Compared,
    Confirm,
    Extent,
    Fence,
    FenceClosed,
    Fenced,
    Frame,
    Message,
    Ping,
    Policy,
    PolicyStored,
    Pong,
    check_extent,
)
from srshell.codec.verify_messages import (
    Agreed,
    Digest,
    Fetch,
    LogDigest,
    Mend,
)
from srshell.engine import destage
from srshell.engine.applier import Applier
from srshell.engine.arrivals import Arrivals
from srshell.engine.core import Core
from srshell.engine.intake import Intake
from srshell.engine.looking import digest
from srshell.engine.witness import Witness
from srshell.model.errors import SrError
from srshell.model.replica import Superblock
from srshell.replication import credible, reigns
from srshell.replication import destination as machine
from srshell.transport.link import Link, LinkClosed

# Copies and comparisons that may wait, and their bytes: many times what a primary has in flight.
_JOBS_MAX = 4096
_JOB_BYTES_MAX = 128 << 20


class Follow:
    """The secondary's end of one link, from the handshake to the close."""

    def __init__(self, core: Core, link: Link, applier: Applier) -> None:
        """Take over a link on which the handshake is over."""
        self._core = core
        self._applier = applier
        self.link = link
        self.intake = Intake(core, applier, link, self._logged, self._broke)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        #: Whether `_read` is taking a message, which may wait; those after it wait, too.
        self._taking = False
        #: What broke in a callback, where nobody could raise it.
        self._bug: Exception | None = None
        self._stopped = asyncio.Event()
        self._jobs_waiting = 0
        self._job_bytes_waiting = 0
        self._layouts = core.volumes.layouts
        self._told_bytes_free = core.credit_bytes
        self._witness = Witness(core, link, applier)
        self._arrivals = Arrivals(core, link, self._submit)

    async def run(self) -> None:
        """Serve the link until it closes.

        Every frame that was taken is durable when this returns, as far as the log had room.
        """
        self._core.on_space.append(self._report_space)
        try:
            await asyncio.gather(
                self._until_closed(self._read()),
                self._until_closed(self.intake.run()),
                self._until_closed(self._watch()),
                self._until_closed(self._witness.run()),
                self._until_closed(self._arrivals.run()),
            )
        finally:
            self._core.on_space.remove(self._report_space)

    async def _until_closed(self, task: Awaitable[None]) -> None:
        try:
            await task
        except (LinkClosed, SrError):
            self.close("the link ended")
        except BaseException:
            # Whoever waits at the other end must not take this side for alive.
            self.close("an internal error")
            raise

    def close(self, reason: str) -> None:
        """Close the link; frames already taken are still made durable."""
        with suppress(LinkClosed):
            self.link.send(Bye(reason))
        self.link.close()
        self._stopped.set()
        self.intake.wake()
        self._witness.close()
        self._arrivals.close()
        self._core.wake()

    async def _read(self) -> None:
        self.link.hear_by(self._hear, self._told)
        try:
            while True:
                message, payload = await self.link.receive()
                self._heard_at = self._loop.time()
                self._taking = True
                if not self._take_now(message, payload):
                    await self._take(message, payload)
                self._taking = False
        except (FormatError, reigns.RefusedStep) as error:
            raise LinkClosed(f"damaged message: {error}") from error
        except LinkClosed:
            if self._bug is not None:
                raise self._bug from None
            raise

    def _hear(self, message: Message, payload: bytes | memoryview) -> bool:
        """Take a message in the moment in which it comes, unless another one is being taken.

        What goes wrong ends the link.
        """
        if self._taking:
            return False
        self._heard_at = self._loop.time()
        self.intake.more_to_come = True
        try:
            taken = self._take_now(message, payload)
        except Exception as error:  # noqa: BLE001  (`_read` raises it)
            self._broke(error)
            return True
        if not taken:
            self._told()  # nothing that came before waits for it
        return taken

    def _told(self) -> None:
        """Append the frames that came together."""
        self.intake.more_to_come = False
        self.intake.append_now()

    def _broke(self, error: Exception) -> None:
        """End the link as a task would that met this error."""
        if isinstance(error, (LinkClosed, SrError, FormatError, reigns.RefusedStep)):
            self.close("the link ended")
            return
        self._bug = error
        self.close("an internal error")

    async def _watch(self) -> None:
        limits = self._core.world.limits
        loop = asyncio.get_running_loop()
        while not self.link.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.heartbeat_seconds):
                    await self._stopped.wait()
            if loop.time() - self._heard_at > limits.peer_timeout_seconds:
                raise LinkClosed("the primary is silent")

    def _report_space(self) -> None:
        """Tell the primary that a checkpoint gave log space back: it may wait for that."""
        core = self._core
        most_bytes = min(core.ring.ring_bytes, 2 * core.world.limits.unapplied_bytes)
        if core.credit_bytes > self._told_bytes_free + most_bytes // 8:
            self._confirm(core.log.durable_lsn)

    def _take_now(self, message: Message, payload: bytes | memoryview) -> bool:
        """Take what comes with every write and needs no waiting; False if it is something else."""
        match message:
            case Frame():
                self._take_frame(message, payload)
            case Commit():
                self._committed(message.commit_lsn)
            case Ping():
                self._committed(message.commit_lsn)
                self._told_bytes_free = self._core.credit_bytes
                self.link.send(
                    Pong(message.sent_ns, self._core.log.durable_lsn, self._told_bytes_free)
                )
            case _:
                return False
        return True

    async def _take(self, message: Message, payload: bytes | memoryview) -> None:
        match message:
            case Extent() | Runs():
                self._arrivals.take(message, payload)
            case Compare():
                credible.check_range(self._layouts, message.volume, message.offset, message.length)
                self._submit(0, lambda: self._compare(message))
            case Digest():
                credible.check_range(self._layouts, message.volume, message.offset, message.length)
                self._committed(message.as_of_lsn)
                self._witness.check_room()
                self._submit(0, lambda: self._witness.hear(message))
            case Fetch():
                credible.check_range(self._layouts, message.volume, message.offset, message.length)
                self._witness.check_room()
                await self._witness.hear(message)
            case LogDigest() | Agreed():
                self._witness.check_room()
                await self._witness.hear(message)
            case Mend():
                self._take_mend(message, payload)
            case Fence():
                credible.check_fence(message.history, self._core.superblock.history)
                await self._persist(lambda sb: reigns.fence_stored(sb, message.history))
                self._core.dirty.clear_all()
                self.link.send(Fenced(message.lsn))
            case FenceClosed():
                await self._persist(reigns.fence_closed)
            case Policy():
                await self._store_policy(message)
            case Bye():
                raise LinkClosed(message.reason)
            case _:
                raise LinkClosed(f"unexpected {type(message).__name__}")

    def _machine(self) -> machine.Destination:
        destination = self._core.destination
        if destination is None:
            raise LinkClosed("this side is secondary no more")
        return destination

    async def _persist(self, change: Callable[[Superblock], Superblock]) -> None:
        async with self._core.transition:
            if self.link.closed:
                raise LinkClosed("the link closed")
            await self._core.persist(change)

    async def _store_policy(self, message: Policy) -> None:
        await self._persist(
            lambda sb: attrs.evolve(
                sb, on_peer_loss=message.on_peer_loss, peer_may_ack_alone=message.may_ack_alone
            )
        )
        self.link.send(PolicyStored(message.on_peer_loss, message.may_ack_alone))

    def _take_frame(self, message: Frame, payload: bytes | memoryview) -> None:
        body, records = open_body(
            message.epoch, message.first_lsn, message.record_count, payload, message.body_crc
        )
        for instruction in self._machine().handle(
            machine.FrameArrived(body.first_lsn, body.last_lsn)
        ):
            match instruction:
                case machine.Append():
                    credible.check_records(self._layouts, records)
                    credible.check_epoch(body.epoch, self._core.superblock.history)
                    self.intake.put(body, records)
                case machine.Drop():
                    self._confirm(self._core.log.durable_lsn)
                case machine.RefuseFrame():
                    raise LinkClosed(instruction.reason)
                case machine.Confirm() | machine.Apply():
                    raise AssertionError(instruction)
                case _:
                    assert_never(instruction)
        self._committed(message.commit_lsn)

    def _logged(self, lsn: int) -> None:
        """The own log holds everything up to ``lsn`` durably."""
        for instruction in self._machine().handle(machine.FramesFlushed(lsn)):
            if isinstance(instruction, machine.Confirm):
                self._confirm(instruction.lsn)
            elif isinstance(instruction, machine.Apply):
                self._applier.commit(instruction.lsn)

    def _confirm(self, lsn: int) -> None:
        if not self.link.closed:
            self._told_bytes_free = self._core.credit_bytes
            self.link.send(Confirm(lsn, self._core.applied_lsn, self._told_bytes_free))

    def _committed(self, lsn: int) -> None:
        for instruction in self._machine().handle(machine.Committed(lsn)):
            if isinstance(instruction, machine.Apply):
                self._applier.commit(instruction.lsn)

    def _submit(self, size_bytes: int, job: Callable[[], Awaitable[None]]) -> None:
        """Hand in an ordered job; a peer that asks for more than there is memory loses the link."""
        self._jobs_waiting += 1
        self._job_bytes_waiting += size_bytes
        if self._jobs_waiting > _JOBS_MAX or self._job_bytes_waiting > _JOB_BYTES_MAX:
            raise LinkClosed("the peer sends more than was agreed")

        async def run() -> None:
            try:
                await job()
            finally:
                self._jobs_waiting -= 1
                self._job_bytes_waiting -= size_bytes

        self._applier.submit(run)

    def _take_mend(self, message: Mend, payload: bytes | memoryview) -> None:
        check_extent(message, payload)
        credible.check_range(self._layouts, message.volume, message.offset, message.length)
        self._submit(len(payload), lambda: self._witness.mend(message, payload))

    async def _compare(self, message: Compare) -> None:
        core = self._core
        data = await core.volumes.read(message.volume, message.offset, message.length)
        equal = digest(data) == message.digest
        # What the map says may be older than the content: an extent that came before a crash.
        # The primary will not ask again, so that must not come back.
        if equal and await destage.know(core, message.volume, message.offset, data):
            await core.checksums.write_synced(core.volumes.sync)
        if not self.link.closed:
            self.link.send(Compared(message.sequence, equal))
