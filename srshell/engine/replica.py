"""One side of one replicated group: opened from its log, linked with its peer, read and written.

Always true:

(1) The superblock on disk says who this side is; the machine in `Core` is made from it and from the
    log.
(2) A primary that was opened from disk is READ_ONLY until a handshake or an operator says that it
    leads.
(3) Writes are admitted only by a primary whose machine admits them; a secondary refuses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import attrs

from srshell.codec.log_frame import RecordKind
from srshell.codec.messages import Hello
from srshell.engine import role_changes
from srshell.engine.applier import Applier
from srshell.engine.committer import Committer
from srshell.engine.core import Core, ReplicaEvent, uninterrupted
from srshell.engine.opening import open_core
from srshell.engine.peer_link import PeerLink
from srshell.engine.reporting import report_of
from srshell.engine.resolving import KEEP_SECONDS, give_up
from srshell.engine.verifier import verify
from srshell.engine.volume_access import VolumeAccess
from srshell.engine.world import World
from srshell.model.branch import Branch
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaReport, Superblock, VolumeLayout
from srshell.model.verification import Compared, VerifyOrder
from srshell.replication import reigns
from srshell.replication import source as machine
from srshell.replication.source import ACKS_ALONE, Phase
from srshell.storage import StorageError
from srshell.transport.link import Link, LinkClosed


class Replica:
    """One side of a group.  Make it with `open`; `format_log` prepares the log volume before."""

    def __init__(self, core: Core) -> None:
        """Take over an opened core; nothing runs yet."""
        self.core = core
        self.applier = Applier(core)
        self.committer = self._new_committer()
        self.access = VolumeAccess(core, lambda: self.committer)
        self.peer_link = PeerLink(core, self, self.applier, lambda: self.committer, self.carry_out)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        #: When an owner was heard last, by the loop's clock, and the end of a seal if none is.
        self.owner_heard_at = 0.0
        self.seal_timer: asyncio.TimerHandle | None = None
        core.on_failure.append(self._failed)
        core.on_space.append(self._poke_committer)

    def _poke_committer(self) -> None:
        self.committer.poke()

    @classmethod
    async def open(
        cls, log_path: str, world: World, partnership: str = "", array: str = ""
    ) -> Replica:
        """Recover a replica from its log volume and start it.

        ``partnership`` and ``array``: whose it has to be; empty for whosever it is.
        Raises SrError SR9210-SR9212 and SR9222, StorageError (AlreadyLocked when another process
        has it).
        """
        replica = cls(await open_core(log_path, world, partnership, array))
        replica._start_tasks()
        return replica

    @property
    def partnership(self) -> str:
        """Return the 32 hexadecimal digits that both sides share."""
        return self.core.superblock.partnership

    @property
    def volumes(self) -> tuple[VolumeLayout, ...]:
        """Return the group's data volumes, in index order."""
        return self.core.volumes.layouts

    def report(self) -> ReplicaReport:
        """Return what this side is and does now."""
        return report_of(self)

    def subscribe(self, listener: Callable[[ReplicaEvent], None]) -> None:
        """Call ``listener`` with every event from now on; it must not raise."""
        self.core.listeners.append(listener)

    def _new_committer(self) -> Committer:
        return Committer(self.core, self.applier, self.carry_out, self._offer, self._flushed)

    def _start_tasks(self) -> None:
        self.spawn(self.applier.run())
        self.spawn(self.applier.run_checkpoints())
        self.spawn(self.peer_link.run())
        if self.core.source is not None:
            self.lead_from_here()

    def lead_from_here(self) -> None:
        """Start giving out LSNs: the machine in the core is a source."""
        self.committer = self._new_committer()
        self.spawn(self.committer.run())
        assert self.core.source is not None
        if self.core.source.phase is Phase.LOST:
            self.peer_link.watch_for_timeout()

    def spawn(self, step: object) -> asyncio.Task[None]:
        """Run a coroutine beside.

        An SrError of it was told already, anything else fails the replica.
        """
        task: asyncio.Task[None] = asyncio.ensure_future(self._guard(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guard(self, step: object) -> None:
        try:
            await step  # type: ignore[misc]
        except SrError:
            return
        except StorageError as error:
            self.core.fail(error)
        except Exception as error:
            # One of our own invariants broke: what memory says is worth nothing any more.
            self.core.fail(f"internal error: {error!r}")
            raise

    def _offer(self, body: object) -> None:
        lead = self.peer_link.lead
        if lead is not None and not lead.link.closed:
            lead.sender.offer(body)  # type: ignore[arg-type]

    def _flushed(self) -> None:
        lead = self.peer_link.lead
        if lead is not None:
            lead.sender.flushed()

    def carry_out(self, instructions: list[machine.Instruction]) -> None:
        """Do what the source machine decided, in order."""
        for instruction in instructions:
            match instruction:
                case machine.Acknowledge():
                    if self.core.source is not None and self.core.source.phase in ACKS_ALONE:
                        self.core.acknowledged_alone()
                    self.committer.acknowledge(instruction.lsn)
                    self.applier.commit(instruction.lsn)
                    self._notice(instruction.lsn)
                case machine.GoAlone():
                    self.spawn(self._part())
                case machine.PersistInSync():
                    self.spawn(self._persist_in_sync(instruction.lsn))
                case machine.SendFence() | machine.CloseFence():
                    self._send_fence(instruction)
                case machine.FailWaiting():
                    self.committer.fail_waiting(self._unavailable)
        self.committer.progressed()

    def _notice(self, lsn: int) -> None:
        if self.peer_link.lead is not None:
            self.peer_link.lead.sender.committed(lsn)

    def _send_fence(self, instruction: machine.SendFence | machine.CloseFence) -> None:
        lead = self.peer_link.lead
        if lead is None or lead.link.closed:
            return
        lead.send_fence(instruction, reigns.shortened(self.core.superblock.history))

    async def _part(self) -> None:
        """Go alone: a new epoch and the flag, durable between two frames."""
        core = self.core
        async with core.transition, core.frames:
            source = core.source
            if source is None or source.phase is not Phase.PARTING:
                return
            epoch = reigns.next_epoch(core.superblock, core.world.randomness.getrandbits(63))
            tail_lsn, now_unix = core.log.durable_lsn, core.world.wall_seconds()
            # The write that waits is acknowledged as soon as this is durable.
            written_unix = now_unix if source.flushed_lsn > source.acked_lsn else 0.0

            def alone(superblock: Superblock) -> Superblock:
                return attrs.evolve(
                    reigns.go_alone(superblock, epoch, tail_lsn, now_unix),
                    alone_first_unix=written_unix,
                    alone_last_unix=written_unix,
                )

            try:
                await core.persist(alone)
            except reigns.RefusedStep as error:
                core.tell("epoch", f"cannot go alone: {error}; writes wait for the peer")
                self.carry_out(source.handle(machine.PartRefused(core.superblock.unclean)))
                core.wake()
                return
            core.tell("epoch", f"alone in epoch {epoch.number}", epoch=epoch.number)
            self.carry_out(source.handle(machine.AloneDurable()))

    async def _persist_in_sync(self, lsn: int) -> None:
        core = self.core
        async with core.transition:
            source = core.source
            if source is None or source.phase is not Phase.FENCING or source.alone:
                return
            history = reigns.shortened(core.superblock.history)
            confirmed_lsn = source.confirmed_lsn
            await core.persist(lambda sb: reigns.in_sync(sb, history, confirmed_lsn))
            # The peer holds all that was acknowledged; marks that are left say nothing any more.
            core.dirty.clear_all()
            self.peer_link.flow = None
            core.tell("state", "in sync: each acknowledged write is in both logs", lsn=lsn)
            self.carry_out(source.handle(machine.InSyncDurable()))

    def _unavailable(self, in_log: bool) -> SrError:
        group = self.core.superblock.group
        if in_log:
            return SrError.make(
                "SR9225", facts=self.core.failure or "the peer is away", volume=group
            )
        return SrError.make(
            "SR9224", volume=group, reason=self.access.refusal() or "the peer is away"
        )

    # What a handshake needs (see `handshake.Parts`).

    @property
    def checkpointing(self) -> asyncio.Lock:
        """The lock that a checkpoint holds."""
        return self.applier.checkpointing

    async def apply_through(self, lsn: int) -> None:
        """Bring every record up to ``lsn`` durably into the volumes."""
        if lsn > self.core.applied_lsn:
            self.applier.commit(min(lsn, self.core.log.durable_lsn))
        await self.applier.settle()
        await self.applier.checkpoint()

    async def step_down(self, common_lsn: int | None = None) -> None:
        """Stop giving out LSNs; writes that wait end as outcome unknown.

        Raises LinkClosed when writes after ``common_lsn`` were acknowledged alone since the two
        sides compared their standings: they must be counted, so the handshake begins again.
        """
        core = self.core
        if core.source is None:
            return
        async with core.frames:
            source = core.source
            counts = source.alone and not core.superblock.yields
            if common_lsn is not None and counts and source.acked_lsn > common_lsn:
                raise LinkClosed("this side acknowledged alone since the standings were compared")
            core.source = None
        self.committer.fail_waiting(self._unavailable)
        self.committer.poke()
        core.tell("state", "this side is secondary now")

    async def step_down_after_demotion(self, committed_lsn: int) -> None:
        """Follow from the seal on: everything up to it is in both logs."""
        self.committer.fail_waiting(self._unavailable)
        self.committer.poke()
        self.core.follow()
        self.applier.commit(committed_lsn)

    # Reading and writing (see `VolumeAccess`).

    async def write(self, volume: str, offset: int, data: bytes) -> int:
        """Write and return the LSN once it is acknowledged; see `VolumeAccess.write`."""
        return await self.access.write(volume, offset, data)

    async def zero(self, volume: str, offset: int, length: int) -> int:
        """Make a range read as zeros; it stays allocated where the file system allows."""
        return await self.access.clear(RecordKind.ZERO, volume, offset, length)

    async def trim(self, volume: str, offset: int, length: int) -> int:
        """Make a range read as zeros and give its space back."""
        return await self.access.clear(RecordKind.TRIM, volume, offset, length)

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """Return the newest acknowledged bytes; see `VolumeAccess.read`."""
        return await self.access.read(volume, offset, length)

    async def flush(self, volume: str) -> None:
        """Return at once: a write is durable on both sides before it is acknowledged."""
        self.access.place(volume, 0, 1)
        self.core.check_usable()

    @property
    def writable(self) -> bool:
        """Tell whether a write sent now would be admitted."""
        core = self.core
        return not (core.stopped or self.access.refusal() or self.committer.sealed_by)

    async def start(self) -> None:
        """Both providers were refreshed: the link is wanted from now on (rule R50)."""
        async with self.core.transition:
            if not self.core.superblock.started:
                await self.core.persist(lambda sb: attrs.evolve(sb, started=True))
        self.peer_link.nudge()

    async def seal(self, operation: str) -> int:
        """Admit no more writes and drain; see `role_changes.seal`."""
        return await role_changes.seal(self, operation)

    def owner_heard(self) -> None:
        """Note that an owner lives; see `role_changes.owner_heard`."""
        role_changes.owner_heard(self)

    def unseal(self, operation: str) -> None:
        """Admit writes again; see `role_changes.unseal`."""
        role_changes.unseal(self, operation)

    async def demote(self, operation: str, new_epoch: int) -> int:
        """End this side's reign; see `role_changes.demote`."""
        return await uninterrupted(role_changes.demote(self, operation, new_epoch))

    async def promote(
        self, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> role_changes.Promoted:
        """Begin this side's reign; see `role_changes.promote`."""
        return await uninterrupted(role_changes.promote(self, operation, expected_lsn, alone=alone))

    async def suspend(self) -> None:
        """Stop replicating until `resume`; see `role_changes.suspend`."""
        await uninterrupted(role_changes.suspend(self))

    async def resume(self, *, alone: bool = False) -> None:
        """Replicate again, or lead alone; see `role_changes.resume`."""
        await uninterrupted(role_changes.resume(self, alone=alone))

    async def set_policy(self, policy: OnPeerLoss) -> None:
        """Change what happens when the peer is lost; see `role_changes.set_policy`."""
        await uninterrupted(role_changes.set_policy(self, policy))

    async def give_up(self, branch_directory: str, keep_seconds: float = KEEP_SECONDS) -> Branch:
        """Lose a split brain, keeping a branch; see `resolving.give_up`."""
        return await uninterrupted(give_up(self, branch_directory, keep_seconds))

    async def verify(self, order: VerifyOrder | None = None) -> Compared:
        """Compare both sides while writers run; see `verifier.verify`."""
        return await verify(self, order or VerifyOrder())

    async def dismantle(self) -> int:
        """Tear this side down and close it; see `role_changes.dismantle`."""
        return await uninterrupted(self._dismantle())

    async def _dismantle(self) -> int:
        if self._closing is None:
            lsn = await role_changes.dismantle(self)
        else:
            lsn = self.core.applied_lsn
        await self.close()
        return lsn

    async def accept(self, link: Link, hello: Hello) -> None:
        """Serve a link that the peer dialled, until it closes."""
        await self._guard(self.peer_link.accept(link, hello))

    def _failed(self) -> None:
        self.committer.fail_waiting(self._unavailable)
        self.committer.poke()
        self.applier.stop()
        self.peer_link.stop()
        self._tasks.add(asyncio.ensure_future(self.core.record_failure()))

    async def close(self) -> None:
        """End the link, finish what runs, take a last checkpoint, release the files.

        Once begun it goes to its end, whatever becomes of the caller; a second call waits for it.
        """
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        core = self.core
        if self.seal_timer is not None:
            self.seal_timer.cancel()
        self.peer_link.give_up_handshake()
        async with self.peer_link.linking:
            await self.peer_link.close("this side closes")
            with suppress(SrError):
                await self.applier.checkpoint()
            core.closing = True
        self.committer.fail_waiting(self._unavailable)
        self.committer.poke()
        self.applier.stop()
        self.peer_link.stop()
        core.wake()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await core.volumes.close()
        await core.log_device.close()
