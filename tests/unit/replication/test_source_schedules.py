"""A primary, its disk, its peer and a link in random orders; each ack is checked from outside."""

from collections.abc import Callable

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from srshell.model.replica import OnPeerLoss
from srshell.replication import source
from srshell.replication.source import Phase, Source
from tests.unit.replication.sources import in_phase


@attrs.define
class World:
    """What is true outside the machine: what each log holds, what the superblock says."""

    primary: Source
    own_durable: int = 10
    peer_durable: int = 10
    alone_on_disk: bool = False
    linked: bool = True
    parting: bool = False
    fence: int = 0  # 1 sent, 2 stored at the peer, 3 in-sync being made durable
    acked: list[int] = attrs.field(factory=list)
    fences_closed: int = 0

    def tell(self, event: source.SourceEvent) -> None:
        """Give the machine an event and carry out what it says; check each acknowledgement."""
        for instruction in self.primary.handle(event):
            match instruction:
                case source.Acknowledge():
                    self._check_ack(instruction.lsn)
                case source.GoAlone():
                    self.parting = True
                case source.SendFence():
                    assert instruction.lsn <= self.peer_durable, "a fence beyond the peer's log"
                    self.fence = 1
                case source.PersistInSync():
                    self.fence = 3
                case source.CloseFence():
                    assert not self.alone_on_disk, "closed before alone is off the disk"
                    self.fences_closed += 1
                case source.FailWaiting():
                    assert self.primary.on_peer_loss is OnPeerLoss.IO_ERROR

    def _check_ack(self, lsn: int) -> None:
        assert lsn <= self.own_durable, "acknowledged before the own log holds it"
        assert self.alone_on_disk or lsn <= self.peer_durable, "acknowledged without the peer"
        assert not self.acked or lsn > self.acked[-1], "acknowledged twice or out of order"
        self.acked.append(lsn)

    # What can happen.  Each action does nothing when it cannot happen now.

    def write(self) -> None:
        """Build a frame."""
        if self.primary.phase in source.ADMITS_WRITES:
            self.tell(source.FrameBuilt(self.primary.last_lsn + 1))

    def sync(self) -> None:
        """The own disk catches up."""
        if self.own_durable < self.primary.last_lsn:
            self.own_durable = self.primary.last_lsn
            self.tell(source.LogFlushed(self.own_durable))

    def deliver(self) -> None:
        """The peer makes one more frame durable; its confirmation may come later, or never."""
        if self.linked and self.peer_durable < self.primary.last_lsn:
            self.peer_durable += 1

    def confirm(self) -> None:
        """The primary hears what the peer holds."""
        if self.linked:
            lag_bytes = (self.primary.last_lsn - self.peer_durable) << 19
            self.tell(source.PeerConfirmed(self.peer_durable, lag_bytes))

    def break_link(self) -> None:
        """Both ends notice; what the fence had under way is lost."""
        if self.linked:
            self.linked = False
            self.fence = 3 if self.fence == 3 else 0
            self.tell(source.LinkDown())

    def connect(self) -> None:
        """A handshake in the primary's favour; nothing is being made durable meanwhile."""
        if not self.linked and not self.parting:
            self.linked = True
            lag_bytes = (self.primary.last_lsn - self.peer_durable) << 19
            self.tell(source.LinkUp(self.peer_durable, copying=False, lag_bytes=lag_bytes))

    def time_out(self) -> None:
        """The peer timeout passes."""
        if not self.linked:
            self.tell(source.PeerTimeout())

    def order_alone(self) -> None:
        """A person suspends the group or resumes it alone."""
        if not self.linked:
            self.tell(source.Part())

    def make_alone_durable(self) -> None:
        """The superblock with the new epoch is written."""
        if self.parting:
            self.parting = False
            if self.primary.phase is Phase.PARTING:
                self.alone_on_disk = True
                self.tell(source.AloneDurable())

    def store_fence(self) -> None:
        """The peer stores the fence and says so."""
        if self.linked and self.fence == 1:
            self.fence = 2
            self.tell(source.Fenced(self.primary.acked_lsn))

    def make_in_sync_durable(self) -> None:
        """The superblock without ``alone`` is written, unless the reason for it is gone."""
        if self.fence == 3:
            self.fence = 0
            if self.primary.phase is Phase.FENCING and not self.primary.alone:
                self.alone_on_disk = False
                self.tell(source.InSyncDurable())


ACTIONS: list[Callable[[World], None]] = [
    World.write,
    World.sync,
    World.deliver,
    World.confirm,
    World.break_link,
    World.connect,
    World.time_out,
    World.order_alone,
    World.make_alone_durable,
    World.store_fence,
    World.make_in_sync_durable,
]
SCHEDULES = st.lists(st.sampled_from(ACTIONS), min_size=20, max_size=80)
CALM = [
    World.make_alone_durable,
    World.connect,
    World.sync,
    *[World.deliver] * 80,
    World.confirm,
    World.store_fence,
    World.make_in_sync_durable,
]


@given(SCHEDULES, st.sampled_from(OnPeerLoss))
@settings(max_examples=300)
def test_no_order_of_events_acknowledges_early(
    schedule: list[Callable[[World], None]], policy: OnPeerLoss
) -> None:
    """Own log always; peer's log, or ``alone`` on disk; in LSN order; each LSN once."""
    world = World(in_phase(on_peer_loss=policy))
    for action in schedule:
        action(world)
        assert world.primary.alone <= world.alone_on_disk, "believes to be alone, disk says no"


@given(SCHEDULES, st.sampled_from(OnPeerLoss))
@settings(max_examples=300)
def test_after_any_order_of_events_every_write_is_acknowledged_in_the_end(
    schedule: list[Callable[[World], None]], policy: OnPeerLoss
) -> None:
    """When the peer is back and stays, the fence closes and nobody waits."""
    world = World(in_phase(on_peer_loss=policy))
    for action in [*schedule, *CALM]:
        action(world)
    assert world.primary.phase is Phase.LIVE
    assert world.primary.acked_lsn == world.primary.last_lsn == world.peer_durable


@given(SCHEDULES)
def test_under_suspend_io_nothing_is_ever_acknowledged_without_the_peer(
    schedule: list[Callable[[World], None]],
) -> None:
    """Without a person's order there is no ``alone``, whatever breaks."""
    world = World(in_phase(on_peer_loss=OnPeerLoss.SUSPEND_IO))
    for action in schedule:
        if action is not World.order_alone:
            action(world)
    assert not world.alone_on_disk
    assert all(lsn <= world.peer_durable for lsn in world.acked)
