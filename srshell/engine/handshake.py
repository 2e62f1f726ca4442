"""Two replicas meet: they exchange standings, reach the same verdict, and one follows the other.

    both:       Hello, Hello;  decide() on each side;  Verdict, Verdict;  split: Diverged, Diverged
    primary:    [Pull .. Frames .. Pulled, then again]  [DirtyRequest .. Dirty]  Rejoin
    secondary:  cuts its tail, makes history (and, before a copy, Inconsistent) durable;  Rejoined

Always true:

(1) Both sides hold their ``transition`` lock from Hello to Rejoined: no standing changes on the
    way.
(2) Nothing is cut, copied or promised unless both sides computed the same verdict.
(3) Before a copy begins the primary acknowledges alone, durably: an inconsistent peer protects
    nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

import attrs
from bitarray import bitarray

from srshell.codec.bitmap_page import BITS_PER_PAGE
from srshell.codec.log_frame import open_body
from srshell.codec.messages import (
    PROTOCOL,
    Bye,
    Dirty,
    DirtyRequest,
    Diverged,
    Frame,
    Hello,
    Message,
    Pull,
    Pulled,
    Refused,
    Rejoin,
    Rejoined,
    Verdict,
)
from srshell.engine.core import Core
from srshell.engine.rejoining import Incompatible, Parts, Split, rejoin_source
from srshell.engine.sender import epoch_at
from srshell.engine.standing import divergence, standing
from srshell.model.replica import (
    Divergence,
    Era,
    Flow,
    ReplicaRole,
    Standing,
    Superblock,
)
from srshell.replication import credible, reigns
from srshell.replication import source as machine
from srshell.replication.decide import Amount, Decision, Relation, decide, roles_after
from srshell.transport.link import Link, LinkClosed

M = TypeVar("M", bound=Message)
_COPIES = frozenset({Amount.RESUME, Amount.BITMAP, Amount.CHECKSUM, Amount.FULL})
_DIRTY_BYTES = 1 << 20


@attrs.frozen
class Agreement:
    """How a handshake ended."""

    role: ReplicaRole
    decision: Decision
    theirs: Standing
    start_lsn: int  # primary: the peer follows from here
    peer_bytes_free: int
    copy: Flow | None
    compare: bool


class Handshake:
    """One handshake over one link."""

    def __init__(self, core: Core, parts: Parts, link: Link, session: str) -> None:
        """Begin; ``session`` names the link in both journals."""
        self._core = core
        self._parts = parts
        self._link = link
        self._session = session
        #: The peer has answered: from then on it may be busy, not only silent.
        self.answered = False

    async def run(self, hello: Hello | None) -> Agreement:
        """Reach an agreement; ``hello`` was already read when the peer dialled.

        Raises Incompatible, LinkClosed, SrError (device failure), TimeoutError.
        """
        while True:
            mine = standing(self._core)
            self._say_hello(mine)
            if hello is None:
                hello = await self._expect(Hello)
            theirs = self._checked(hello)
            hello = None
            decision = await self._agree(mine, theirs)
            if decision.relation is Relation.SPLIT:
                raise await self._compare_deltas(decision, theirs)
            roles = roles_after(mine, theirs, decision)
            if roles is None:
                raise Incompatible(decision.relation.value, _reason(decision, mine, theirs), theirs)
            if roles == (ReplicaRole.SECONDARY, ReplicaRole.SECONDARY):
                raise Incompatible("no-primary", "neither side is primary", theirs)
            role = roles[0]
            if role is ReplicaRole.PRIMARY and decision.relation is Relation.TARGET:
                await self._pull_tail(decision.common_lsn)
            elif role is ReplicaRole.SECONDARY and decision.relation is Relation.SOURCE:
                await self._serve_pull()
            elif role is ReplicaRole.PRIMARY:
                return await self._lead(decision, mine, theirs)
            else:
                return await self._follow(decision, theirs)

    def _say_hello(self, mine: Standing) -> None:
        superblock = self._core.superblock
        self._link.send(
            Hello(
                PROTOCOL,
                superblock.partnership,
                superblock.replica,
                superblock.peer,
                mine,
                self._session,
            )
        )

    def _checked(self, hello: Hello) -> Standing:
        superblock = self._core.superblock
        if hello.protocol != PROTOCOL:
            self._refuse("SR9002", f"protocol {hello.protocol}, here {PROTOCOL}")
        if not credible.is_for(superblock, hello):
            self._refuse("SR6002", "the partnership or the replica is another one")
        credible.check_hello(superblock, hello)
        return hello.standing

    def _refuse(self, code: str, text: str) -> None:
        self._link.send(Refused(code, text))
        raise Incompatible("refused", text)

    async def _expect(self, kind: type[M]) -> M:
        message, _ = await self._link.receive()
        if isinstance(message, kind):
            return message
        if isinstance(message, Refused):
            raise Incompatible("refused", message.text)
        if isinstance(message, Bye):
            raise LinkClosed(message.reason)
        raise LinkClosed(f"expected {kind.__name__}, received {type(message).__name__}")

    async def _agree(self, mine: Standing, theirs: Standing) -> Decision:
        decision = decide(mine, theirs)
        verdict = Verdict(decision.relation.value, decision.amount.value, decision.common_lsn)
        self._link.send(verdict)
        theirs_verdict = await self._expect(Verdict)
        mirrored = decision.mirrored()
        expected = (mirrored.relation.value, mirrored.amount.value, mirrored.common_lsn)
        said = (theirs_verdict.relation, theirs_verdict.amount, theirs_verdict.common_lsn)
        self.answered = True
        if said != expected:
            raise Incompatible("disagree", f"this side expects {expected}, the peer says {said}")
        return decision

    async def _compare_deltas(self, decision: Decision, theirs: Standing) -> Split:
        """Tell the other side what only this side holds, and hear the same from there."""
        mine = divergence(self._core, decision.common_lsn)
        peer: Divergence | None = None
        with suppress(LinkClosed):
            self._link.send(
                Diverged(
                    mine.from_lsn,
                    max(mine.from_lsn, mine.to_lsn),
                    mine.blocks,
                    mine.bytes,
                    int((mine.first_unix or 0) * 1000),
                    int((mine.last_unix or 0) * 1000),
                )
            )
            said = await self._expect(Diverged)
            first, last = said.first_unix_ms / 1000 or None, said.last_unix_ms / 1000 or None
            peer = Divergence(said.from_lsn, said.to_lsn, said.blocks, said.bytes, first, last)
        return Split(decision.reason, theirs, mine, peer)

    # The primary's part.

    async def _pull_tail(self, common_lsn: int) -> None:
        """Take the peer's longer tail: it was never acknowledged, but nothing speaks against it."""
        core = self._core
        self._link.send(Pull(common_lsn + 1))
        while True:
            message, payload = await self._link.receive()
            if isinstance(message, Pulled):
                break
            if not isinstance(message, Frame) or message.first_lsn != core.log.durable_lsn + 1:
                raise LinkClosed("the pulled records do not follow")
            body, records = open_body(
                message.epoch, message.first_lsn, message.record_count, payload, message.body_crc
            )
            credible.check_records(core.volumes.layouts, records)
            credible.check_epoch(body.epoch, core.superblock.history)
            if not core.can_append(body.total_bytes):
                await self._make_room(common_lsn)
            if not core.can_append(body.total_bytes):
                raise LinkClosed("no room for the pulled records")
            for record in records:
                core.overlay.add(record)
            await core.append([body])
        if core.source is not None:
            core.source.adopt_tail(core.log.durable_lsn)

    async def _make_room(self, common_lsn: int) -> None:
        """Give up log records that both sides hold, once the own volumes hold them, too."""
        source = self._core.source
        assert source is not None
        source.confirmed_lsn = max(source.confirmed_lsn, common_lsn)
        await self._parts.apply_through(common_lsn)

    async def _lead(self, decision: Decision, mine: Standing, theirs: Standing) -> Agreement:
        core = self._core
        copying = decision.amount in _COPIES
        theirs_dirty = decision.amount is Amount.BITMAP and theirs.yields
        if theirs_dirty:
            await self._fetch_dirty()
        async with core.frames:
            await self._become_ready(theirs.history, copying=copying)
            base_lsn = core.log.durable_lsn
            if copying and decision.amount is not Amount.RESUME:
                await self._mark(decision)
            superblock = core.superblock
            truncate_lsn = decision.common_lsn
            fresh = copying and decision.amount is not Amount.RESUME
            if fresh:
                truncate_lsn = base_lsn
            self._link.send(
                Rejoin(
                    superblock.history,
                    base_lsn if fresh else superblock.base_lsn,
                    truncate_lsn,
                    fresh,
                    superblock.compare,
                    superblock.copy_id,
                    superblock.on_peer_loss,
                )
            )
        rejoined = await self._expect(Rejoined)
        if rejoined.durable_lsn != truncate_lsn:
            raise LinkClosed(f"the peer stands at {rejoined.durable_lsn}, not at {truncate_lsn}")
        return Agreement(
            ReplicaRole.PRIMARY,
            decision,
            theirs,
            truncate_lsn,
            rejoined.log_bytes_free,
            _flow(core, decision),
            core.superblock.compare,
        )

    async def _become_ready(self, theirs: tuple[Era, ...], *, copying: bool) -> None:
        """Begin a new epoch after a crash; go alone before a copy.  The caller holds ``frames``."""
        core = self._core
        tail_lsn = core.log.durable_lsn
        if core.superblock.unclean:
            epoch = reigns.next_epoch(core.superblock, core.world.randomness.getrandbits(63))

            def resumed(superblock: Superblock) -> Superblock:
                return reigns.resume_reign(
                    reigns.without_older(superblock, theirs), epoch, tail_lsn
                )

            await core.persist(resumed)
        if copying and not core.superblock.alone:
            epoch = reigns.next_epoch(core.superblock, core.world.randomness.getrandbits(63))
            now_unix = core.world.wall_seconds()

            def alone(superblock: Superblock) -> Superblock:
                known = reigns.without_older(superblock, theirs)
                return reigns.go_alone(known, epoch, tail_lsn, now_unix)

            await core.persist(alone)
            if core.source is not None:
                self._parts.carry_out(core.source.handle(machine.AloneDurable()))

    async def _mark(self, decision: Decision) -> None:
        """Mark every block that the peer may lack up to now, durably, under a new copy."""
        core = self._core
        if decision.amount in (Amount.FULL, Amount.CHECKSUM):
            core.dirty.mark_all()
        for frame in core.ring.frames:
            if frame.last_lsn > decision.common_lsn:
                core.dirty.mark_extents(frame.extents)
        await core.write_dirty_pages()
        copy_id = f"{core.world.randomness.getrandbits(64):016x}"
        compare = decision.amount is Amount.CHECKSUM or core.superblock.compare

        def marked(superblock: Superblock) -> Superblock:
            return attrs.evolve(superblock, copy_id=copy_id, compare=compare)

        await core.persist(marked)

    async def _fetch_dirty(self) -> None:
        """Add the blocks that the loser of a split brain wrote: they are copied over, too."""
        core = self._core
        self._link.send(DirtyRequest())
        while True:
            message, payload = await self._link.receive()
            if not isinstance(message, Dirty) or message.volume >= len(core.dirty.bits):
                raise LinkClosed("expected dirty bits")
            bits = bitarray(endian="little")
            bits.frombytes(bytes(payload))
            first_bit = message.first_page * BITS_PER_PAGE
            if first_bit >= len(core.dirty.bits[message.volume]):
                raise LinkClosed("dirty bits beyond the end of a volume")
            core.dirty.merge(message.volume, first_bit, bits)
            if message.last:
                return

    # The secondary's part.

    async def _serve_pull(self) -> None:
        core = self._core
        pull = await self._expect(Pull)
        for held in list(core.ring.frames):
            if held.last_lsn >= pull.first_lsn:
                epoch = epoch_at(core.superblock.history, held.first_lsn)
                body = await core.read_body(held, epoch)
                message = Frame(epoch, body.first_lsn, body.record_count, body.body_crc, 0)
                self._link.send(message, body.buffers)
                await self._link.drain()
        self._link.send(Pulled(core.log.durable_lsn))

    async def _follow(self, decision: Decision, theirs: Standing) -> Agreement:
        core = self._core
        message, _ = await self._link.receive()
        if isinstance(message, DirtyRequest):
            await self._send_dirty(decision.common_lsn)
            rejoin = await self._expect(Rejoin)
        elif isinstance(message, Rejoin):
            rejoin = message
        elif isinstance(message, (Refused, Bye)):
            raise LinkClosed(message.text if isinstance(message, Refused) else message.reason)
        else:
            raise LinkClosed(f"expected Rejoin, received {type(message).__name__}")
        newest = max((era.epoch.number for era in rejoin.history), default=0)
        if newest < core.superblock.promised_epoch and not core.superblock.yields:
            self._refuse("SR6002", f"epoch {newest} is older than {core.superblock.promised_epoch}")
        credible.check_rejoin(rejoin, theirs, decision)
        await rejoin_source(core, self._parts, rejoin, decision)
        self._link.send(Rejoined(core.log.durable_lsn, core.credit_bytes))
        return Agreement(
            ReplicaRole.SECONDARY,
            decision,
            theirs,
            core.log.durable_lsn,
            0,
            _flow(core, decision),
            False,
        )

    async def _send_dirty(self, common_lsn: int) -> None:
        core = self._core
        for frame in core.ring.frames:
            if frame.last_lsn > common_lsn:
                core.dirty.mark_extents(frame.extents)
        pages = _DIRTY_BYTES * 8 // BITS_PER_PAGE
        for volume, bits in enumerate(core.dirty.bits):
            for first_page in range(0, -(-len(bits) // BITS_PER_PAGE), pages):
                first = first_page * BITS_PER_PAGE
                piece = bits[first : first + pages * BITS_PER_PAGE]
                end = first + len(piece) == len(bits) and volume == len(core.dirty.bits) - 1
                self._link.send(Dirty(volume, first_page, end), [piece.tobytes()])
                await self._link.drain()


def _flow(core: Core, decision: Decision) -> Flow | None:
    if decision.amount not in _COPIES:
        return None
    if core.superblock.full_copy or decision.amount is Amount.FULL:
        return Flow.INITIAL_COPY
    return Flow.CHECKSUM_COPY if core.superblock.compare else Flow.BITMAP_COPY


def _reason(decision: Decision, mine: Standing, theirs: Standing) -> str:
    if decision.reason:
        return decision.reason
    if decision.relation is Relation.EQUAL:
        return f"equal: this side is {mine.role.value}, the peer {theirs.role.value}"
    # As after a power cut when the primary's disk had not kept what it said was durable.
    leads = decision.relation is Relation.SOURCE
    ahead, behind = ("this side", "its peer") if leads else ("the peer", "this side")
    return f"{ahead} is secondary and has what {behind} lacks: fail over to {ahead}"
