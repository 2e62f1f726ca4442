"""Every order in which things can happen to a group.

    handshake   AGREED -> READY (Rejoin is sent) -> JOINED (the secondary is durable) -> SERVING
    fence       SENT -> STORED -> CLOSING: three durable steps, with crashes and losses between them

Always true:

(1) A crash, a loss of the link, a flush or a write can happen between any two steps.
(2) From the agreement until the handshake is over, a side makes no other change of role or epoch
    (the engine holds its ``transition`` lock).
(3) What people may do, they may do at the worst moment: unplanned failover at any time, a primary
    made to lead alone, a planned failover left half done, either side of a split given up.
"""

from __future__ import annotations

from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication import source
from srshell.replication.decide import Amount, Relation
from tests.model import local, roles, witness
from tests.model.contact import Pair
from tests.model.group import NAMES, Fence, Group, Known, LinkState, Stage, bits, copies
from tests.model.local import Side, Step

_OTHER = {
    OnPeerLoss.CONTINUE: OnPeerLoss.SUSPEND_IO,
    OnPeerLoss.SUSPEND_IO: OnPeerLoss.CONTINUE,
    OnPeerLoss.IO_ERROR: OnPeerLoss.CONTINUE,
}


class Broken(Exception):
    """A promise was broken by a step; the message says which one."""


class Steps:
    """The steps that can follow one state, with the states that they lead to."""

    def __init__(self, group: Group, state: int) -> None:
        """Collect them at once."""
        self._group = group
        self._sides = group.sides
        self._pair, self._link, self._known = group.unpack(state)
        self.found: list[tuple[str, int]] = []
        for index in (0, 1):
            self._by_itself(index)
        match self._link.stage:
            case Stage.NONE:
                self._by_people(0)
                self._by_people(1)
                self._meet()
            case Stage.AGREED | Stage.READY | Stage.JOINED:
                self._shake_hands()
                self._lose_the_link()
            case Stage.SERVING:
                self._serve()
                self._lose_the_link()

    # Helpers.

    def _side(self, index: int) -> Side:
        return self._sides.values[self._pair[index]]

    def _with(self, index: int, number: int) -> Pair:
        return (self._pair[0], number) if index else (number, self._pair[1])

    def _add(
        self,
        verb: str,
        index: int,
        pair: Pair,
        link: LinkState | None = None,
        known: Known | None = None,
    ) -> None:
        """Note a step; writes that are durable on both sides by it count as joint from now on."""
        known = self._known if known is None else known
        joint = known.acked & self._group.held(pair[0]) & self._group.held(pair[1])
        if joint & ~known.joint:
            known = known._replace(joint=known.joint | joint)
        state = self._group.pack(pair, self._link if link is None else link, known)
        self.found.append((f"{NAMES[index]} {verb}", state))

    def _take(
        self,
        verb: str,
        index: int,
        step: Step | None,
        link: LinkState | None = None,
        known: Known | None = None,
    ) -> None:
        """Note what a step of one side does to everything else."""
        if step is None:
            return
        link = self._link if link is None else link
        known = self._known if known is None else known
        pair = self._with(index, step.side)
        if step.sends_fence:
            link = link._replace(fence=Fence.SENT)
        if step.closes_fence:
            link = link._replace(fence=Fence.CLOSING)
        if step.acked_lsn:
            known = self._acknowledged(index, pair, step.acked_lsn, known)
            if link.stage is Stage.SERVING:
                # The secondary hears at once what is committed: it applies as early as it ever can.
                peer = self._sides.step(local.apply_committed, pair[1 - index], step.acked_lsn)
                pair = (peer, pair[1]) if index else (pair[0], peer)
        self._add(verb, index, pair, link, known)

    def _acknowledged(self, index: int, pair: Pair, lsn: int, known: Known) -> Known:
        primary = self._sides.values[pair[index]]
        new = bits(primary.log[:lsn])
        if new & ~self._group.held(pair[index]):
            raise Broken(f"{NAMES[index]} acknowledged what its own log does not hold")
        new &= ~known.acked
        if new & ~self._group.held(pair[1 - index]) and not primary.superblock.alone:
            raise Broken(f"{NAMES[index]} acknowledged without its peer and is not alone")
        return known._replace(acked=known.acked | new) if new else known

    # What a side does by itself, and what happens to it.

    def _by_itself(self, index: int) -> None:
        sides, number, link = self._sides, self._pair[index], self._link
        primary = sides.values[number]
        if primary.machine is None:
            return
        if len(primary.log) < self._group.scope.writes_max:
            write_number = self._group.free_write(self._pair)
            self._take("writes", index, sides.step(local.write, number, write_number))
        self._take("makes its log durable", index, sides.step(local.flush, number))
        if primary.pending and link.stage in {Stage.NONE, Stage.SERVING}:
            self._persist(index, primary.pending[0])
        if link.stage is not Stage.SERVING:
            timeout = sides.step(local.handle, number, source.PeerTimeout())
            self._take("waits for the peer timeout", index, timeout)
        if self._group.scope.copies:
            reclaimed = sides.step(roles.reclaim, number)
            if reclaimed is not None:
                self._add("reuses its log", index, self._with(index, reclaimed))
        crashed = sides.step(local.crash, number)
        self._take("crashes and restarts", index, crashed, LinkState())

    def _persist(self, index: int, kind: str) -> None:
        machine = local.machine_of(self._side(index))
        parting = machine is not None and machine.phase is source.Phase.PARTING
        if kind == local.PENDING_ALONE and parting and not self._may_lead_alone(index):
            return
        step = self._sides.step(local.persist, self._pair[index])
        if step is None:
            return
        known = self._known
        machine = local.machine_of(self._sides.values[step.side])
        assert machine is not None, self._side(index)
        if machine.phase is source.Phase.LIVE:
            # The group is in step, whatever people did before.
            known = known._replace(forced=False, untold=False, planned=None)
        refused = machine.phase in {source.Phase.HELD, source.Phase.READ_ONLY}
        verb = "cannot begin an epoch" if refused else f"makes {kind} durable"
        self._take(verb, index, step, known=known)

    # What a witness grants.

    def _may_lead_alone(self, index: int) -> bool:
        """Tell whether the witness, if there is one, granted it; ask it otherwise."""
        grant = self._known.grant
        if grant is None or grant == witness.only(index):
            return True
        self._grant("is granted to lead alone", index, witness.solo(grant, index))
        return False

    def _may_take_over(self, index: int) -> bool:
        """Tell the same of an unplanned promotion: only a consistent secondary asks."""
        grant, superblock = self._known.grant, self._side(index).superblock
        if grant is None or grant == witness.only(index):
            return True
        consistent = superblock.data is ReplicaData.CONSISTENT
        if superblock.role is ReplicaRole.SECONDARY and consistent:
            self._grant("is granted the lead", index, witness.lead(grant, index))
        return False

    def _may_succeed(self, index: int) -> bool:
        """Tell the same of the second half of a planned failover."""
        grant = self._known.grant
        if grant is None or grant.holder == index:
            return True
        self._grant("is granted the switch", index, witness.switch(grant, 1 - index))
        return False

    def _grant(self, verb: str, index: int, grant: witness.Grant | None) -> None:
        if grant is not None:
            self._add(verb, index, self._pair, known=self._known._replace(grant=grant))

    def _lose_the_link(self) -> None:
        primary = self._link.primary
        step = Step(self._pair[primary])
        if self._link.stage is Stage.SERVING:
            lost = self._sides.step(local.handle, self._pair[primary], source.LinkDown())
            step = step if lost is None else lost
        self._take("loses the link", primary, step, LinkState())

    # What people do.

    def _by_people(self, index: int) -> None:
        known, sides = self._known, self._sides
        mine, peer = self._side(index).superblock, self._side(1 - index).superblock
        promoted = sides.step(roles.promote_by_force, self._pair[index])
        if promoted is not None and self._may_take_over(index):
            forced = known._replace(forced=known.grant is None, planned=None)
            pair = self._with(index, promoted)
            self._add("is promoted unplanned", index, pair, known=forced)
        if known.planned is not None and known.planned[0] != index:
            promoted = sides.step(roles.promote_as_planned, self._pair[index], known.planned[1])
            if promoted is not None and self._may_succeed(index):
                done = known._replace(planned=None)
                self._add("is promoted as planned", index, self._with(index, promoted), known=done)
        if local.PENDING_ALONE not in self._side(index).pending:
            told = peer.peer_may_ack_alone or mine.on_peer_loss is OnPeerLoss.CONTINUE
            known = known if told else known._replace(untold=True)
            step = sides.step(local.handle, self._pair[index], source.Part())
            self._take("is told to lead alone", index, step, known=known)

    # The two sides meet.

    def _meet(self) -> None:
        contact = self._group.contact(self._pair)
        if contact.relation is Relation.SPLIT:
            self._resolve()
        if contact.primary < 0:
            return
        primary = contact.primary
        if contact.pulls:
            number = self._sides.step(roles.pull, self._pair[primary], self._pair[1 - primary])
            self._add("takes the peer's longer tail", primary, self._with(primary, number))
            return
        common_lsn = contact.common_lsn
        link = LinkState(Stage.AGREED, primary, common_lsn, common_lsn, contact.amount)
        self._add("and its peer agree that it leads", primary, self._pair, link)

    def _resolve(self) -> None:
        for loser in (0, 1):
            number = self._sides.step(roles.give_up, self._pair[loser])
            pair = self._with(loser, number)
            kept = self._known.acked & self._group.held(pair[1 - loser])
            known = self._known._replace(acked=kept, joint=self._known.joint & kept)
            self._add("is given up", loser, pair, known=known)

    def _shake_hands(self) -> None:
        link, sides = self._link, self._sides
        primary, secondary = link.primary, 1 - link.primary
        copying = copies(link.amount)
        fresh = copying and link.amount is not Amount.RESUME
        alone = self._side(primary).superblock.alone
        goes_alone = link.stage is Stage.AGREED and copying and not alone
        if goes_alone and not self._may_lead_alone(primary):
            return
        if link.stage is Stage.AGREED:
            number = sides.step(roles.make_ready, self._pair[primary], copying, fresh)
            if number is not None:
                truncate_lsn = sides.values[number].flushed if fresh else link.common_lsn
                ready = link._replace(stage=Stage.READY, truncate_lsn=truncate_lsn)
                self._add("is ready to lead", primary, self._with(primary, number), ready)
        elif link.stage is Stage.READY:
            peer, lsns = self._pair[primary], (link.common_lsn, link.truncate_lsn)
            number = sides.step(roles.rejoin, self._pair[secondary], peer, *lsns, fresh)
            if number is not None:
                joined = link._replace(stage=Stage.JOINED)
                self._add("follows", secondary, self._with(secondary, number), joined)
        else:
            self._link_up(copying)

    def _link_up(self, copying: bool) -> None:
        link, index = self._link, self._link.primary
        primary = self._side(index)
        lag_bytes = (len(primary.log) - link.truncate_lsn) * source.FENCE_LAG_BYTES
        settled = not primary.superblock.alone
        event = source.LinkUp(link.truncate_lsn, copying, lag_bytes, settled=settled)
        step = self._sides.step(local.handle, self._pair[index], event)
        up = LinkState(Stage.SERVING, index)
        self._take("leads", index, Step(self._pair[index]) if step is None else step, up)

    # The link serves.

    def _serve(self) -> None:
        primary, secondary = self._link.primary, 1 - self._link.primary
        leader, follower = self._side(primary), self._side(secondary)
        machine = local.machine_of(leader)
        assert machine is not None, leader
        assert follower.machine is None, follower
        received = len(follower.log)
        if received < len(leader.log):
            frame = (leader.log[received], machine.acked_lsn)
            number = self._sides.step(local.receive, self._pair[secondary], *frame)
            self._add("makes a frame durable", secondary, self._with(secondary, number))
        lag_bytes = (len(leader.log) - received) * source.FENCE_LAG_BYTES
        self._hear("hears a confirmation", source.PeerConfirmed(received, lag_bytes))
        if machine.copying:
            self._hear("ends the copy", source.CopyFinished(lag_bytes))
        if not machine.settled:
            self._hear("sees a stable link", source.LinkSettled())
        if self._link.fence is not Fence.NONE:
            self._fence(primary, secondary)
        elif machine.phase is source.Phase.LIVE:
            grant = self._known.grant
            if grant == witness.only(primary):
                self._grant("is in step again", primary, witness.rejoin(grant, primary))
            self._tell_the_peer(primary, secondary)
            self._demote(primary, secondary)

    def _hear(self, verb: str, event: source.SourceEvent) -> None:
        primary = self._link.primary
        step = self._sides.step(local.handle, self._pair[primary], event)
        self._take(verb, primary, step)

    def _fence(self, primary: int, secondary: int) -> None:
        link, sides = self._link, self._sides
        if link.fence is Fence.STORED:
            machine = local.machine_of(self._side(primary))
            assert machine is not None, self._side(primary)
            step = sides.step(local.handle, self._pair[primary], source.Fenced(machine.acked_lsn))
            heard = link._replace(fence=Fence.NONE)
            self._take("hears that the fence is stored", primary, step, heard)
            return
        sent = link.fence is Fence.SENT
        leading = local.machine_of(self._side(primary))
        if sent and leading is not None and leading.copying:
            raise Broken(f"{NAMES[secondary]} is called consistent before the copy has ended")
        write, verb = (
            (roles.store_fence, "stores the fence")
            if sent
            else (roles.close_fence, "closes the fence")
        )
        after = link._replace(fence=Fence.STORED if sent else Fence.NONE)
        number = sides.step(write, self._pair[secondary])
        self._add(verb, secondary, self._with(secondary, number), after)

    def _tell_the_peer(self, primary: int, secondary: int) -> None:
        """What lets the primary acknowledge alone is durable at the secondary before, and after."""
        leader, follower = self._side(primary).superblock, self._side(secondary).superblock
        mine, theirs = leader.on_peer_loss, follower.on_peer_loss
        stores: list[tuple[OnPeerLoss, bool]] = []
        if not follower.peer_may_ack_alone:
            stores.append((mine, True))
        if self._group.scope.policy_changes:
            if mine is not theirs:
                # Half of a change: the other half, or the way back.
                stores.append((mine, False))
                if theirs is OnPeerLoss.CONTINUE:
                    self._go_by(primary, theirs)
            elif peer_goes_first(mine):
                stores.append((_OTHER[mine], False))
            else:
                self._go_by(primary, _OTHER[mine])
        for policy, may_ack_alone in stores:
            number = self._sides.step(
                roles.store_policy, self._pair[secondary], policy, may_ack_alone
            )
            pair = self._with(secondary, number)
            self._add(f"stores {policy.value}, {may_ack_alone}", secondary, pair)

    def _go_by(self, primary: int, policy: OnPeerLoss) -> None:
        step = self._sides.step(roles.adopt_policy, self._pair[primary], policy)
        self._take(f"goes by {policy.value}", primary, step)

    def _demote(self, primary: int, secondary: int) -> None:
        leader, follower = self._side(primary), self._side(secondary)
        machine = local.machine_of(leader)
        assert machine is not None, leader
        tail = len(leader.log)
        drained = machine.acked_lsn == tail == len(follower.log)
        if not drained or not roles.is_told(follower):
            return
        number = self._sides.step(roles.demote, self._pair[primary])
        if number is not None:
            known = self._known._replace(planned=(primary, tail))
            pair = self._with(primary, number)
            self._add("is demoted as planned", primary, pair, LinkState(), known)


def peer_goes_first(policy: OnPeerLoss) -> bool:
    """Tell which side leaves ``policy`` first: the one that would claim too much by staying."""
    return policy is not OnPeerLoss.CONTINUE


def successors(group: Group, state: int) -> list[tuple[str, int]]:
    """Return each step that can happen now, with the state that it leads to."""
    return Steps(group, state).found
