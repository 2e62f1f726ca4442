"""The link of one replica: dial or be dialled, shake hands, lead or follow, notice the loss.

Always true:

(1) There is one link at a time; a new one begins after the old one's tasks have ended.
(2) The machine hears of a loss when the link closes, and of the peer timeout when nothing was
    heard for that long: slow is not lost.
(3) A link whose loss cost the sync counts as back at once; one that flaps must hold first.
(4) Locks are taken in this order: linking, transition, frames.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from srshell.codec.errors import FormatError
from srshell.codec.messages import Hello, Refused
from srshell.engine.applier import Applier
from srshell.engine.committer import Committer
from srshell.engine.copier import Copier
from srshell.engine.core import Core, uninterrupted
from srshell.engine.follow import Follow
from srshell.engine.handshake import Agreement, Handshake
from srshell.engine.lead import Lead
from srshell.engine.rejoining import Incompatible, Parts, Split
from srshell.engine.sender import Sender
from srshell.model.errors import SrError
from srshell.model.replica import Divergence, Flow, LinkState, ReplicaData, ReplicaRole
from srshell.replication import source as machine
from srshell.replication.credible import is_for
from srshell.replication.decide import Amount
from srshell.replication.reigns import RefusedStep
from srshell.transport.link import Link, LinkClosed


class PeerLink:
    """Keeps one replica linked with its peer for as long as that is wanted."""

    def __init__(
        self,
        core: Core,
        parts: Parts,
        applier: Applier,
        committer: Callable[[], Committer],
        carry_out: Callable[[list[machine.Instruction]], None],
    ) -> None:
        """Begin without a link."""
        self._core = core
        self._parts = parts
        self._applier = applier
        self._committer = committer
        self._carry_out = carry_out
        self.linking = asyncio.Lock()
        self.lead: Lead | None = None
        self.follow: Follow | None = None
        self.state = LinkState.OFF
        self.reason = ""
        self.split: Divergence | None = None
        self.peer_split: Divergence | None = None
        self.flow: Flow | None = None
        self._handshake: Handshake | None = None
        self._shaking: Link | None = None
        self._serving: asyncio.Task[None] | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._retry = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None
        self._losses: deque[float] = deque(maxlen=2)
        self.sessions = 0
        self.resyncs_total = 0
        self.resync: Flow | None = None
        self._copied_bytes = 0

    @property
    def wanted(self) -> bool:
        """Tell whether this side wants a link now."""
        core = self._core
        superblock = core.superblock
        usable = not (core.failure or core.closing or superblock.torn_down or superblock.suspended)
        return usable and superblock.started and superblock.data is not ReplicaData.FAILED

    @property
    def copied_bytes_total(self) -> int:
        """Return the bytes that copies over all links have sent."""
        present = self.lead.copier.sent_bytes_total if self.lead and self.lead.copier else 0
        return self._copied_bytes + present

    async def run(self) -> None:
        """Dial the peer again and again; only the side that made the partnership dials."""
        core = self._core
        limits = core.world.limits
        delay_seconds = limits.reconnect_seconds
        while not core.stopped:
            self._retry.clear()
            if core.superblock.initiator and self.wanted and not self.is_open:
                try:
                    await self._dial()
                    delay_seconds = limits.reconnect_seconds
                except LinkClosed as error:
                    self._set_state(LinkState.CONNECTING, error.reason)
                    delay_seconds = min(delay_seconds * 2, limits.reconnect_seconds_max)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_seconds):
                    await self._retry.wait()

    def nudge(self) -> None:
        """Look at once whether a link is wanted."""
        self._retry.set()

    @property
    def is_open(self) -> bool:
        """Tell whether a link is up."""
        end = self.lead or self.follow
        return end is not None and not end.link.closed

    async def _dial(self) -> None:
        link = await self._core.world.network.connect(self._core.superblock.peer_address)
        await self._establish(link, None)

    async def accept(self, link: Link, hello: Hello) -> None:
        """Take a link that the peer dialled; its Hello was read already."""
        if not is_for(self._core.superblock, hello):
            # Somebody else: he is told so, and the link that there is goes on.
            with suppress(LinkClosed):
                link.send(Refused("SR6002", "the partnership or the replica is another one"))
            link.close()
            return
        if not self.wanted:
            with suppress(LinkClosed):
                link.send(Refused("SR8004", f"the other side {self._unwilling()}"))
            link.close()
            return
        try:
            await self._establish(link, hello)
        except LinkClosed as error:
            self._set_state(LinkState.CONNECTING, error.reason)

    def _unwilling(self) -> str:
        """Say why this side wants no link now."""
        superblock = self._core.superblock
        if self._core.failure or superblock.data is ReplicaData.FAILED:
            return "has failed"
        return "is suspended" if superblock.suspended else "is not started"

    async def _establish(self, link: Link, hello: Hello | None) -> None:
        """Shake hands and serve the link until it closes."""
        core = self._core
        async with self.linking:
            await self._end_present_link("a new link was opened")
            if not self.wanted:
                link.close()
                return
            self.sessions += 1
            session = f"{core.superblock.replica[:8]}-{self.sessions}"
            async with core.transition:
                try:
                    handshake = Handshake(core, self._parts, link, session)
                    agreement = await self._timed(link, handshake, hello)
                    serving = self._begin(link, agreement)
                except Incompatible as error:
                    link.close()
                    self._refused(error)
                    return
                except RefusedStep as error:
                    link.close()
                    self._set_state(LinkState.REFUSED, str(error))
                    return
                except SrError:
                    link.close()
                    return
                except FormatError as error:
                    link.close()
                    raise LinkClosed(f"damaged message: {error}") from error
                except LinkClosed:
                    link.close()
                    raise
        # Whoever brought the link may go away: the link's tasks end by themselves, never half-way.
        await asyncio.shield(serving)

    async def _timed(self, link: Link, handshake: Handshake, hello: Hello | None) -> Agreement:
        """Close the link of a handshake that takes too long, sooner if nobody answers.

        The handshake is not cancelled: what it writes to the disk it must also remember.
        """
        loop, limits = asyncio.get_running_loop(), self._core.world.limits
        timers = (
            loop.call_later(limits.handshake_seconds, link.close),
            loop.call_later(limits.peer_timeout_seconds, self._give_up_silence),
        )
        self._handshake, self._shaking = handshake, link
        try:
            return await uninterrupted(handshake.run(hello))
        finally:
            self._handshake = self._shaking = None
            for timer in timers:
                timer.cancel()

    def _give_up_silence(self) -> None:
        """End a handshake that nobody answers: others wait for what it holds."""
        if self._handshake is not None and not self._handshake.answered:
            self.give_up_handshake()

    def give_up_handshake(self) -> None:
        """End a handshake under way, as if its link broke; it may wait for a silent peer."""
        if self._shaking is not None:
            self._shaking.close()

    def _begin(self, link: Link, agreement: Agreement) -> asyncio.Task[None]:
        """Start serving; the caller holds ``transition``: nothing happened since the agreement."""
        self.split = self.peer_split = None
        self.flow = agreement.copy
        if agreement.role is ReplicaRole.PRIMARY:
            self._serving = asyncio.ensure_future(self._serve_lead(link, agreement))
        else:
            self._serving = asyncio.ensure_future(self._serve_follow(link))
        self._set_state(LinkState.CONNECTED, "")
        return self._serving

    async def _serve_lead(self, link: Link, agreement: Agreement) -> None:
        core = self._core
        start_lsn = agreement.start_lsn
        sender = Sender(core, link, start_lsn + 1, agreement.peer_bytes_free)
        copier = None
        if agreement.copy is not None:
            copier = Copier(core, link, self._committer(), agreement.copy, agreement.compare)
        lead = self.lead = Lead(core, link, sender, copier, self._carry_out)
        self._cancel_timeout()
        assert core.source is not None
        settled = not (core.superblock.lost_unix and self._flaps())
        if not settled:
            self._settle_later(lead)
        lag_bytes = core.ring.bytes_after(start_lsn)
        event = machine.LinkUp(start_lsn, copier is not None, lag_bytes, settled=settled)
        if agreement.decision.amount is Amount.LOG and lag_bytes and core.source.alone:
            self.flow = Flow.LOG_REPLAY
        if self.flow is not None:
            self.resyncs_total, self.resync = self.resyncs_total + 1, self.flow
        self._carry_out(core.source.handle(event))
        self._committer().poke()
        try:
            await lead.run()
        finally:
            self._copied_bytes = self.copied_bytes_total
            self.lead = None
            self._lost(stuck=lead.stuck)

    async def _serve_follow(self, link: Link) -> None:
        follow = self.follow = Follow(self._core, link, self._applier)
        try:
            await follow.run()
        finally:
            self.follow = None
            if self.state is LinkState.CONNECTED:
                self._set_state(LinkState.CONNECTING, "the link closed")
            self.nudge()

    def _flaps(self) -> bool:
        """Tell whether the link was lost twice lately, and not because somebody wanted that."""
        if len(self._losses) < (self._losses.maxlen or 0):
            return False
        since = asyncio.get_running_loop().time() - self._losses[0]
        return since < self._core.world.limits.flapping_seconds

    def _settle_later(self, lead: Lead) -> None:
        """Count a flapping link as back only after it held for a while."""

        def settle() -> None:
            if self.lead is lead and self._core.source is not None:
                self._carry_out(self._core.source.handle(machine.LinkSettled()))

        delay_seconds = self._core.world.limits.stable_link_seconds
        self._settling = asyncio.get_running_loop().call_later(delay_seconds, settle)

    def _lost(self, *, stuck: bool) -> None:
        core = self._core
        if self._settling is not None:
            self._settling.cancel()
        if self.wanted:
            self._losses.append(asyncio.get_running_loop().time())
        if self.state is LinkState.CONNECTED:
            reason = "the peer answers, and its log stands still" if stuck else "the link closed"
            self._set_state(LinkState.CONNECTING, reason)
        if core.source is not None:
            self._carry_out(core.source.handle(machine.LinkDown()))
            self.watch_for_timeout()
            if stuck:
                # It has had its time, and would be back at once and hold the same writes again.
                self._timed_out()
        self.nudge()

    def watch_for_timeout(self) -> None:
        """Let the machine hear of the peer timeout unless a link comes up before."""
        self._cancel_timeout()
        loop = asyncio.get_running_loop()
        delay_seconds = self._core.world.limits.peer_timeout_seconds
        self._timeout = loop.call_later(delay_seconds, self._timed_out)

    def _timed_out(self) -> None:
        self._timeout = None
        source = self._core.source
        if source is not None and self.lead is None:
            self._give_up_silence()
            self._carry_out(source.handle(machine.PeerTimeout()))

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _refused(self, error: Incompatible) -> None:
        if isinstance(error, Split):
            first = self.split is None
            self.split, self.peer_split = error.mine, error.peer or self.peer_split
            if first:
                self._tell_split(error.mine, error.peer)
        self._set_state(LinkState.REFUSED, f"{error.relation}: {error.reason}")

    def _tell_split(self, mine: Divergence, peer: Divergence | None) -> None:
        theirs = peer or Divergence(mine.from_lsn, mine.from_lsn, 0, 0)
        beyond = f"{mine.bytes} bytes here, {theirs.bytes if peer else 'unknown'} there"
        self._core.tell(
            "split",
            f"both sides wrote alone after LSN {mine.from_lsn}: {beyond}",
            common_lsn=mine.from_lsn,
            my_lsn=mine.to_lsn,
            their_lsn=theirs.to_lsn,
            my_bytes=mine.bytes,
            their_bytes=theirs.bytes,
        )

    def _set_state(self, state: LinkState, reason: str) -> None:
        if (state, reason) == (self.state, self.reason):
            return
        changed = state is not self.state
        self.state, self.reason = state, reason
        if changed:
            self._core.tell("link", f"link {state.value}{': ' + reason if reason else ''}")
        self._core.wake()

    async def _end_present_link(self, reason: str) -> None:
        end = self.lead or self.follow
        if end is not None:
            end.close(reason)
        serving = self._serving
        if serving is not None:
            # Only waited for: it is not cancelled with whoever waits, and what it meets is heard by
            # whoever brought the link.
            await asyncio.wait((serving,))

    async def close(self, reason: str) -> None:
        """End the link, if there is one; the caller holds ``linking``."""
        await self._end_present_link(reason)
        if not self.wanted:
            self._set_state(LinkState.OFF, reason)

    def stop(self) -> None:
        """Let `run` end: the replica closes or failed."""
        self._cancel_timeout()
        if self._settling is not None:
            self._settling.cancel()
        end = self.lead or self.follow
        if end is not None:
            end.close("this side closes")
        self._retry.set()
