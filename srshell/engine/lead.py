"""One link as seen by the primary: frames and extents go out, confirmations come in.

Always true:

(1) The tasks of a link end by themselves when the link closes; none is cancelled.
(2) What the machine decides on a confirmation is carried out before the next message is read.
(3) A peer that answers and takes nothing into its log is lost in the end, as a silent one is.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from srshell.codec.checksum import crc32
from srshell.codec.messages import (
    Bye,
    Compared,
    Confirm,
    ExtentStored,
    Fence,
    FenceClosed,
    Fenced,
    Message,
    Ping,
    Policy,
    PolicyStored,
    Pong,
)
from srshell.codec.verify_messages import (
    DigestReply,
    Fetched,
    LogDigestReply,
    Mended,
)
from srshell.engine.copier import Copier
from srshell.engine.core import Core
from srshell.engine.sender import Sender
from srshell.model.errors import SrError
from srshell.model.replica import Era, OnPeerLoss
from srshell.replication import source as machine
from srshell.transport.link import Link, LinkClosed


class Lead:
    """The primary's end of one link, from the handshake to the close."""

    def __init__(
        self,
        core: Core,
        link: Link,
        sender: Sender,
        copier: Copier | None,
        carry_out: Callable[[list[machine.Instruction]], None],
    ) -> None:
        """Take over a link on which the handshake is over."""
        self._core = core
        self.link = link
        self.sender = sender
        self.copier = copier
        self._carry_out = carry_out
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        #: What broke in a callback, where nobody could raise it.
        self._bug: Exception | None = None
        #: Whether the peer was given up because its log stood still.
        self.stuck = False
        self._confirmed_lsn = -1
        self._moved_at = self._heard_at
        #: Questions without an answer yet, the oldest first: answers come in that order.
        self._answers: defaultdict[object, deque[asyncio.Future[object]]] = defaultdict(deque)
        self._asked = 0
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Serve the link until it closes."""
        tasks: list[Coroutine[None, None, None]] = [self._read(), self.sender.run(), self._beat()]
        if self.copier is not None:
            tasks.append(self._copy(self.copier))
        await asyncio.gather(*(self._until_closed(task) for task in tasks))

    async def _until_closed(self, task: Coroutine[None, None, None]) -> None:
        try:
            await task
        except (LinkClosed, SrError):
            self.close("the link ended")
        except BaseException:
            # Whoever waits at the other end must not take this side for alive.
            self.close("an internal error")
            raise

    def close(self, reason: str) -> None:
        """Close the link and wake everything that waits for it."""
        with suppress(LinkClosed):
            self.link.send(Bye(reason))
        self.link.close()
        self.sender.close()
        if self.copier is not None:
            self.copier.close()
        for answers in self._answers.values():
            for answer in answers:
                if not answer.done():
                    answer.set_exception(LinkClosed(reason))
        self._answers.clear()
        self._stopped.set()

    async def _read(self) -> None:
        """Take what came before anybody listened, then wait for the end."""
        self.link.hear_by(self._hear)
        try:
            while True:
                message, payload = await self.link.receive()
                self._heard_at = self._loop.time()
                self._take(message, payload)
        except LinkClosed:
            if self._bug is not None:
                raise self._bug from None
            raise

    def _hear(self, message: Message, payload: bytes | memoryview) -> bool:
        """Take a message in the moment in which it comes; what goes wrong ends the link."""
        self._heard_at = self._loop.time()
        try:
            self._take(message, payload)
        except (LinkClosed, SrError):
            self.close("the link ended")
        except Exception as error:  # noqa: BLE001  (`_read` raises it)
            self._bug = error
            self.close("an internal error")
        return True

    def _take(self, message: Message, payload: bytes | memoryview) -> None:
        match message:
            case Confirm():
                self._confirmed(message.durable_lsn, message.log_bytes_free)
            case Pong():
                now_ns = self._core.world.clock_ns()
                # The peer sends back what we sent, or anything else.
                elapsed_ns = max(0, now_ns - message.sent_ns)
                self._core.meters.round_trip.record(now_ns, elapsed_ns)
                self._confirmed(message.durable_lsn, message.log_bytes_free)
            case ExtentStored() if self.copier is not None:
                self.copier.stored(message.sequence)
            case Compared() if self.copier is not None:
                self.copier.compared(message.sequence, equal=message.equal)
            case Fenced():
                self._decide(machine.Fenced(message.lsn))
            case PolicyStored():
                self._answer("policy", message)
            case DigestReply() | Mended():
                self._answer(message.sequence, message)
            case Fetched():
                if crc32(payload) != message.crc:
                    raise LinkClosed("a fetched block is damaged")
                self._answer(message.sequence, bytes(payload))
            case LogDigestReply():
                self._answer("log", message)
            case Bye():
                raise LinkClosed(message.reason)
            case _:
                raise LinkClosed(f"unexpected {type(message).__name__}")

    def _decide(self, event: machine.SourceEvent) -> None:
        source = self._core.source
        if source is not None:
            self._carry_out(source.handle(event))
            self._core.wake()

    def _confirmed(self, lsn: int, peer_bytes_free: int) -> None:
        source = self._core.source
        if source is None:
            return
        if lsn >= self.sender.next_lsn:
            raise LinkClosed(f"the peer confirms LSN {lsn}, which it was never sent")
        self.sender.confirmed(lsn, peer_bytes_free)
        self._decide(machine.PeerConfirmed(lsn, self._core.ring.bytes_after(lsn)))

    async def _copy(self, copier: Copier) -> None:
        if await copier.run():
            self._decide(
                machine.CopyFinished(self._core.ring.bytes_after(self._core.confirmed_lsn))
            )

    async def _beat(self) -> None:
        limits = self._core.world.limits
        loop = asyncio.get_running_loop()
        while not self.link.closed:
            source = self._core.source
            commit_lsn = source.acked_lsn if source else 0
            self.link.send(Ping(self._core.world.clock_ns(), commit_lsn))
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.heartbeat_seconds):
                    await self._stopped.wait()
            if loop.time() - self._heard_at > limits.peer_timeout_seconds:
                raise LinkClosed("the peer is silent")
            self._watch_progress(loop.time())

    def _watch_progress(self, now: float) -> None:
        """Give the peer up when writes wait for its log, and it has not moved for long."""
        core, source = self._core, self._core.source
        held = source is not None and not source.alone
        waiting = held and core.confirmed_lsn < core.log.durable_lsn
        if not waiting or core.confirmed_lsn != self._confirmed_lsn:
            self._confirmed_lsn, self._moved_at = core.confirmed_lsn, now
        elif now - self._moved_at > core.world.limits.stuck_seconds:
            self.stuck = True
            raise LinkClosed("the peer's log stands still")

    async def ask(
        self, message: Message, key: object, payload_buffers: Sequence[bytes] = ()
    ) -> object:
        """Send a question and return its answer.  Raises LinkClosed."""
        answer = asyncio.get_running_loop().create_future()
        self.link.send(message, payload_buffers)
        self._answers[key].append(answer)
        return await answer

    def send_fence(
        self, instruction: machine.SendFence | machine.CloseFence, history: tuple[Era, ...]
    ) -> None:
        """Pass a step of the fence on to the peer; a closed link takes it back by itself."""
        message: Message = FenceClosed(instruction.lsn)
        if isinstance(instruction, machine.SendFence):
            message = Fence(instruction.lsn, history)
        with suppress(LinkClosed):
            self.link.send(message)

    def next_question(self) -> int:
        """Return a number for a question that is answered by sequence."""
        self._asked += 1
        return self._asked

    async def tell_policy(self, on_peer_loss: OnPeerLoss, *, may_ack_alone: bool) -> None:
        """Make durable at the peer what this side is about to allow itself.  Raises LinkClosed."""
        await self.ask(Policy(on_peer_loss, may_ack_alone), "policy")

    def _answer(self, key: object, message: object) -> None:
        answers = self._answers[key]
        if answers and not (answer := answers.popleft()).done():
            answer.set_result(message)
        if not answers:
            del self._answers[key]
