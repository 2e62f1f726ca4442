"""The replicas of a site: made, found again after a restart, and given up.

Always true:

(1) While a replica is open, its volumes are carried by it; when it cannot be opened, they refuse.
(2) The labels of a replica's volumes name its partnership from its making to its end.
(3) A peer that asks for a partnership which is not here is told so, and the link closes.
(4) A partnership is left although its disk, pool or files are lost.  What comes back of it later is
    torn down then, if it is all there; it never leads or follows again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AsyncExitStack, suppress
from typing import Final

import attrs

from srshell.codec.messages import Hello, Ping, Refused
from srshell.engine.core import ReplicaEvent
from srshell.engine.formatting import format_log, wipe_log
from srshell.engine.replica import Replica
from srshell.engine.superblock_file import read_superblock
from srshell.engine.world import World
from srshell.model.commits import Commits
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaReport, ReplicaSpec, Superblock
from srshell.site.backing import NoBacking, ReplicaBacking
from srshell.site.errors import readable_errors
from srshell.site.journal import Journal
from srshell.site.measuring import answer_probe
from srshell.site.promptness import Promptness
from srshell.site.sharing import Sharing
from srshell.site.store import Store
from srshell.site.volumes import HostedVolume, Loan, in_use
from srshell.storage import DeviceExecutor, DirectExecutor, Disk, StorageError
from srshell.transport.link import Link, LinkClosed, Network

#: What no later attempt will open: superblock or log are damaged.
_DAMAGED: Final = frozenset({"SR9210", "SR9211"})
#: Files that are lost: there is nothing, or less than the volume had.
_LOST: Final = frozenset({"SR1103", "SR5006"})

#: A peer that opens a link and says nothing is hung up on after this time.
_HELLO_SECONDS: Final = 10.0


@attrs.define(eq=False)
class HostedReplica:
    """An open replica, and what it lives on."""

    replica: Replica
    log: HostedVolume
    data: tuple[HostedVolume, ...]
    executor: Executor

    @property
    def serves(self) -> bool:
        """Whether clients can use its volumes now."""
        return all(volume.serves for volume in self.data)


@attrs.define(eq=False)
class Replicas:
    """All replicas of a site, by partnership."""

    store: Store
    network: Network
    journal: Journal
    #: Called when volumes of a replica may have begun or ceased to serve clients.
    on_change: Callable[[HostedReplica], None]
    sharing: Sharing = attrs.field(factory=Sharing)
    #: Shared by all of them; None where the loop never commits, or is somebody else's, too.
    promptness: Promptness | None = attrs.field(init=False)
    hosted: dict[str, HostedReplica] = attrs.field(factory=dict, init=False)

    @promptness.default
    def _new_promptness(self) -> Promptness | None:
        settings = self.store.settings
        # A sandbox has disks that are made to hang: what is learnt there is what a thread shows.
        own = settings.own_process and not settings.sandbox
        asks = own and settings.commits is Commits.AUTO
        return Promptness(time.monotonic_ns) if asks else None

    def get(self, partnership: str) -> HostedReplica:
        """Return an open replica.

        Raises:
            SrError: SR5310, there is none; or why it could not be opened.
        """
        hosted = self.hosted.get(partnership)
        if hosted is None:
            for problem in self.store.problems.values():
                if problem.noun == "replica" and problem.partnership == partnership:
                    raise SrError(problem.code, problem.message, facts=problem.facts)
            facts = f"the site of {self.store.settings.array} hosts no partnership {partnership}"
            raise SrError.make("SR5310", facts=facts, group=partnership, peer="GROUP")
        return hosted

    async def open_known(self) -> None:
        """Open every replica that the labels name and that is not open; failures are problems."""
        async with self.store.changing:
            for volume in list(self.store.volumes.values()):
                known = volume.facts.log and volume.partnership
                if known and volume.partnership not in self.hosted:
                    with suppress(SrError):
                        hosted = await self._open(volume)
                        if volume.partnership in self.store.record.departed:
                            await self._end(hosted)

    async def open(self, log_path: str) -> HostedReplica:
        """Open the replica of a log volume, unless it is open.

        Raises:
            SrError: SR0105, no log volume of this site lies there; SR9210-SR9212, SR9220-SR9222.
        """
        async with self.store.changing:
            log = self._log_at(log_path)
            if log.partnership and log.partnership in self.hosted:
                return self.hosted[log.partnership]
            return await self._open(log)

    async def create(self, spec: ReplicaSpec) -> HostedReplica:
        """Make this side of a partnership, or complete it.

        Raises:
            SrError: SR0105, SR2001, SR3008, SR2004, SR2014, and as `open`.
        """
        async with self.store.changing:
            if spec.partnership in self.hosted:
                return self.hosted[spec.partnership]
            log = self._log_at(spec.log_path)
            data = self._data_of(spec)
            for volume in (log, *data):
                if volume.partnership not in {"", spec.partnership}:
                    raise in_use(volume)
            async with AsyncExitStack() as stack:
                loans = await _borrow(stack, log, data)
                executor = self._executor(log.name)
                try:
                    with readable_errors():
                        await format_log(spec, self._world(log, data, executor))
                finally:
                    executor.shutdown(wait=False)
                for volume in (*data, log):
                    await self.store.assign(volume, spec.partnership)
                return await self._open_lent(log, data, loans)

    async def dismantle(self, partnership: str) -> int | None:
        """Leave a partnership; return the LSN at which the data stands.

        None if it was left before, or if the replica had failed or was lost: what stands is not
        known then.
        """
        async with self.store.changing:
            hosted = self.hosted.get(partnership)
            if hosted is not None:
                return await self._end(hosted)
            await self._leave(partnership, by_force=await self._is_beyond_repair(partnership))
            return None

    async def accept(self, link: Link) -> None:
        """Read who calls, and hand the link to his replica."""
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                message, _ = await link.receive()
        except (TimeoutError, LinkClosed):
            link.close()
            return
        if isinstance(message, Ping):
            await answer_probe(link, message)
            return
        if not isinstance(message, Hello):
            self._refuse(link, "SR9002", f"a {type(message).__name__} came before any Hello")
            return
        hosted = self.hosted.get(message.partnership)
        if hosted is not None:
            await hosted.replica.accept(link, message)
        elif message.partnership in self.store.record.departed:
            self._refuse(link, "SR7001", "the other side has left the partnership")
        else:
            self._refuse(link, "SR5310", "the other side does not host this partnership now")

    async def close(self) -> None:
        """Close all replicas; each takes a last checkpoint, and keeps its failure if that fails."""
        for hosted in self.hosted.values():
            with suppress(SrError, StorageError):
                await hosted.replica.close()
            hosted.executor.shutdown(wait=False)
        self.hosted.clear()

    def owner_heard(self) -> None:
        """Let every replica know that an owner lives: a seal stays for it."""
        for hosted in self.hosted.values():
            hosted.replica.owner_heard()

    def reports(self) -> tuple[ReplicaReport, ...]:
        """Tell how all replicas are."""
        return tuple(hosted.replica.report() for hosted in self.hosted.values())

    def _refuse(self, link: Link, code: str, text: str) -> None:
        with suppress(LinkClosed):
            link.send(Refused(code, text))
        link.close()

    def _log_at(self, log_path: str) -> HostedVolume:
        path = os.path.normpath(log_path)
        for volume in self.store.volumes.values():
            if volume.facts.log and volume.path == path:
                return volume
        raise SrError.make("SR0105", facts=f"no log lies at {path}", noun="log volume", name=path)

    def _data_of(self, spec: ReplicaSpec) -> tuple[HostedVolume, ...]:
        found = []
        for wanted in spec.volumes:
            volume = self.store.volume(wanted.name)
            facts = volume.facts
            if facts.log:
                text = "it is a log volume"
                raise SrError.make("SR3009", facts=f"{wanted.name}: {text}", group=spec.group)
            if (wanted.path, wanted.size_bytes) != (volume.path, facts.size_bytes):
                text = f"{volume.path} has {facts.size_bytes} bytes"
                raise SrError.make("SR0103", facts=text, noun="volume", name=wanted.name)
            found.append(volume)
        return tuple(found)

    async def _open(self, log: HostedVolume) -> HostedReplica:
        """Open a replica and let it carry its volumes; ``changing`` is held."""
        partnership = log.partnership
        if not partnership:
            facts = f"{log.path} belongs to no replica"
            raise SrError.make("SR5310", facts=facts, group=log.name, peer="GROUP")
        mine = [v for v in self.store.volumes.values() if v.partnership == partnership]
        data = tuple(volume for volume in mine if volume is not log)
        async with AsyncExitStack() as stack:
            return await self._open_lent(log, data, await _borrow(stack, log, data))

    async def _open_lent(
        self, log: HostedVolume, data: tuple[HostedVolume, ...], loans: list[Loan]
    ) -> HostedReplica:
        """Open a replica on volumes that nobody uses; they refuse if that fails."""
        executor = self._executor(log.name)
        world = self._world(log, data, executor)
        array = self.store.settings.array
        try:
            with readable_errors():
                if log.partnership in self.store.record.departed:
                    await self._check_all_there(log, data)
                replica = await Replica.open(log.path, world, log.partnership, array)
        except BaseException as error:
            executor.shutdown(wait=False)
            if isinstance(error, SrError):
                self.store.note_problem("replica", log.path, error, log.partnership)
                for loan in loans:
                    loan.backing = NoBacking(error)
            raise
        hosted = HostedReplica(replica, log, data, executor)
        replica.subscribe(lambda event: self._heard(hosted, event))
        loans[0].backing = NoBacking(in_use(log))
        for loan, volume in zip(loans[1:], data, strict=True):
            loan.backing = ReplicaBacking(replica, volume.name)
        self.store.problems.pop(("replica", log.path), None)
        self.hosted[log.partnership] = hosted
        asyncio.get_running_loop().call_soon(self.on_change, hosted)
        return hosted

    async def _end(self, hosted: HostedReplica) -> int | None:
        """Tear an open replica down; ``changing`` is held."""
        partnership = hosted.log.partnership
        lsn: int | None = None
        try:
            with readable_errors():
                lsn = await hosted.replica.dismantle()
        except SrError:
            if not hosted.replica.report().failure:
                raise
            await hosted.replica.close()
        del self.hosted[partnership]
        hosted.executor.shutdown(wait=False)
        try:
            await self._leave(partnership, by_force=lsn is None)
        except SrError as error:
            self.store.note_problem("replica", hosted.log.path, error, partnership)
            raise
        finally:
            self.on_change(hosted)
        return lsn

    async def _is_beyond_repair(self, partnership: str) -> bool:
        """Whether a replica could not be opened, and never can be."""
        await self.store.look_again()
        codes = {"replica": _DAMAGED, "volume": _LOST}
        return any(
            problem.partnership == partnership and problem.code in codes.get(problem.noun, ())
            for problem in self.store.problems.values()
        )

    async def _check_all_there(self, log: HostedVolume, data: tuple[HostedVolume, ...]) -> None:
        """Refuse a replica that was left, and of which not everything came back together.

        Its log would be applied to volumes that may serve somebody else by now.
        """
        file = await Disk(self.store.raw, log.pool.executor).open(log.path)
        try:
            found = await read_superblock(file)
        finally:
            await file.close()
        names = {volume.name for volume in data}
        missing = {each.name for each in found.volumes} - names if found is not None else set()
        if found is not None and missing:
            facts = f"{log.path} was torn down without {', '.join(sorted(missing))}"
            raise SrError.make("SR9210", facts=facts, group=found.group, array=found.array)

    async def _leave(self, partnership: str, *, by_force: bool) -> None:
        """Free log and volumes of a partnership that was torn down, now or before a kill.

        ``by_force``: or that failed, and cannot be torn down in good order.
        """
        mine = [v for v in self.store.volumes.values() if v.partnership == partnership]
        for log in (volume for volume in mine if volume.facts.log):
            with readable_errors():
                await self._free_log(log, by_force=by_force)
        await self._release(partnership)

    async def _free_log(self, log: HostedVolume, *, by_force: bool) -> None:
        """Wipe a log whose replica was torn down; one that is wiped already is fine."""
        async with log.lent():
            disk = Disk(self.store.raw, log.pool.executor)
            if by_force and not await disk.exists(log.path):
                return
            file = await disk.open(log.path)
            try:
                found = None if by_force else await read_superblock(file)
                if found is not None and not found.torn_down and self._has_lost_a_volume(found):
                    return  # its pool is away: what the log holds for it is kept
                if found is not None and not found.torn_down:
                    use = f"its replica of {found.group} was not torn down"
                    facts = f"partnership {found.partnership}"
                    mend = f"srshell restart {self.store.settings.array}"
                    raise SrError.make("SR3008", facts, mend, log=log.name, use=use)
                if found is not None or by_force:
                    await wipe_log(file)
            finally:
                await file.close()

    def _has_lost_a_volume(self, superblock: Superblock) -> bool:
        """Whether a data volume of a replica is in no pool that this site could open."""
        return any(layout.name not in self.store.volumes for layout in superblock.volumes)

    async def _release(self, partnership: str) -> None:
        """Make the volumes of a partnership ordinary again."""
        departed = (*self.store.record.departed, partnership)
        await self.store.keep(
            lambda record: attrs.evolve(record, departed=tuple(dict.fromkeys(departed)))
        )
        for volume in list(self.store.volumes.values()):
            if volume.partnership == partnership:
                await self.store.assign(volume, "")
                await volume.hand_over(None)
                self.store.problems.pop(("replica", volume.path), None)
        await self.store.look_again()

    def _world(
        self, log: HostedVolume, data: tuple[HostedVolume, ...], executor: Executor
    ) -> World:
        first = data[0] if data else log
        return World(
            log_disk=Disk(self.store.raw, executor),
            data_disk=Disk(self.store.raw, first.pool.executor),
            network=self.network,
            limits=self.store.settings.limits,
            pace=self.sharing.pace(log.partnership),
            promptness=self.promptness,
        )

    def _executor(self, name: str) -> Executor:
        """Return the thread of one log: its syncs wait for nobody else's."""
        if self.store.settings.commits is Commits.DIRECT:
            return DirectExecutor(f"{name}-log")
        return DeviceExecutor(1, f"{name}-log")

    def _heard(self, hosted: HostedReplica, event: ReplicaEvent) -> None:
        partnership = hosted.replica.partnership
        self.journal.add(event.kind, event.text, partnership, event.facts)
        self.on_change(hosted)


async def _borrow(
    stack: AsyncExitStack, log: HostedVolume, data: tuple[HostedVolume, ...]
) -> list[Loan]:
    """Have the volumes for as long as the stack lasts, the log first."""
    return [await stack.enter_async_context(volume.lent()) for volume in (log, *data)]
