"""A site in another process, with the methods of `SiteApi`.

Always true:

(1) The first call connects and greets; after the connection was lost, the next one does so again.
(2) Nothing is repeated by itself: a call that was under way when the site went down raises, and its
    error says that the outcome is unknown.
(3) Whatever goes wrong is an `SrError`: SR9301 (down), SR1105 (does not answer), SR9002 (another
    version), SR9225 (outcome of a write unknown), or what the site itself raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from srshell.model.copying import CopyPlan
from srshell.model.errors import SrError
from srshell.model.inventory import Candidate
from srshell.model.replica import OnPeerLoss, ReplicaReport, ReplicaSpec
from srshell.model.report import NbdExport
from srshell.model.topology import DiskMeasure, LinkMeasure
from srshell.model.verification import VERIFY_ALL, Compared, VerifyOrder
from srshell.site import rpc
from srshell.site.api import (
    BranchList,
    FaultKind,
    PoolSpec,
    PoolUsage,
    Promotion,
    SiteBranch,
    SiteEvent,
    SiteReport,
    SiteVolume,
)
from srshell.site.connection import Connection, Lost, Silent


class _RemoteSite:
    """Connects when needed, and says in our words what went wrong."""

    def __init__(
        self,
        array: str,
        socket: Path,
        *,
        fabric: str,
        owner_term: int | None,
        silence_seconds: float = 5.0,
        explain_down: Callable[[str], SrError] | None = None,
    ) -> None:
        """Stand for a site; nothing is connected yet.

        Args:
            array: the array that must answer at ``socket``.
            socket: path of the site's Unix socket.
            fabric: identity of the fabric.
            owner_term: term of the owner that asks; None for whoever only looks at the site, or
                reads and writes volumes.
            silence_seconds: how long the site may leave a ping unanswered.
            explain_down: makes the error for a site that is down from what the system said.
        """
        self.array = array
        self.socket = socket
        self.fabric = fabric
        self.owner_term = owner_term
        self.silence_seconds = silence_seconds
        self._explain_down = explain_down or self._down
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether a connection stands."""
        return self._connection is not None and not self._connection.closed

    async def close(self) -> None:
        """Hang up; the site goes on."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def ping(self) -> None:
        """Return when the site has answered: it lives, and its event loop turns.

        Raises:
            SrError: SR9301, SR9302, SR1105, SR9007, as every verb.
        """
        connection = await self._connected()
        try:
            await connection.ping()
        except Lost as lost:
            raise self._explain_down(str(lost)) from lost
        except Silent as silent:
            raise self._silent(str(silent)) from silent

    async def _call(self, name: str, *values: object, **named: object) -> Any:  # noqa: ANN401
        verb = rpc.find_verb(name)
        connection = await self._connected()
        try:
            return await connection.call(verb, *values, **named)
        except Lost as lost:
            raise self._unknown_outcome(name, values, lost) from lost
        except Silent as silent:
            raise self._silent(f"{name}: {silent}") from silent
        except rpc.RpcError as error:
            raise SrError.make("SR9999", problem=f"site {self.array}, {error}") from error

    async def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await self._connect()
            return self._connection

    async def _connect(self) -> Connection:
        try:
            connection = await Connection.open(self.socket, self.silence_seconds)
        except Lost as lost:
            raise self._explain_down(str(lost)) from lost
        except Silent as silent:
            raise self._silent(str(silent)) from silent
        try:
            self._check_welcome(connection.welcome)
            if self.owner_term is not None:
                await connection.call(rpc.find_verb("greet"), self.fabric, self.owner_term)
        except BaseException as error:
            await connection.close()
            if isinstance(error, Lost):
                raise self._explain_down(str(error)) from error
            if isinstance(error, Silent):
                raise self._silent(str(error)) from error
            raise
        return connection

    def _check_welcome(self, welcome: rpc.Welcome) -> None:
        if welcome.protocol != rpc.PROTOCOL:
            facts = f"site {self.array} speaks {welcome.protocol} ({welcome.version}), "
            raise SrError.make("SR9002", facts=f"{facts}this owner {rpc.PROTOCOL}")
        if welcome.array != self.array:
            facts = f"{self.socket} is served by the site of {welcome.array}"
            raise SrError.make("SR1105", facts=facts, array=self.array)

    def _unknown_outcome(self, name: str, values: tuple[object, ...], lost: Lost) -> SrError:
        if name in {"write", "trim"}:
            return SrError.make("SR9225", facts=str(lost), volume=values[0], group=values[0])
        error = self._explain_down(str(lost))
        error.facts = f"{name} was under way, its outcome is unknown: {error.facts}"
        return error

    def _down(self, reason: str) -> SrError:
        return SrError.make("SR9301", facts=reason, array=self.array)

    def _silent(self, reason: str) -> SrError:
        return SrError.make("SR1105", facts=reason, array=self.array)


class SiteClient(_RemoteSite):
    """`SiteApi` over a Unix socket; see there for what each verb does and raises."""

    async def greet(self, fabric: str, owner_term: int) -> SiteReport:
        """See `SiteApi.greet`; later connections greet with this term too."""
        report: SiteReport = await self._call("greet", fabric, owner_term)
        self.fabric, self.owner_term = fabric, owner_term
        return report

    async def describe(self) -> SiteReport:
        """See `SiteApi.describe`."""
        report: SiteReport = await self._call("describe")
        return report

    async def rescan(self) -> SiteReport:
        """See `SiteApi.rescan`."""
        report: SiteReport = await self._call("rescan")
        return report

    async def events(self, after: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        """See `SiteApi.events`."""
        events: tuple[SiteEvent, ...] = await self._call("events", after, wait_seconds)
        return events

    async def inspect(self, where: str) -> Candidate:
        """See `SiteApi.inspect`."""
        candidate: Candidate = await self._call("inspect", where)
        return candidate

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        """See `SiteApi.add_pool`."""
        usage: PoolUsage = await self._call("add_pool", spec)
        return usage

    async def remove_pool(self, name: str) -> None:
        """See `SiteApi.remove_pool`."""
        await self._call("remove_pool", name)

    async def create_volume(self, volume: SiteVolume) -> SiteVolume:
        """See `SiteApi.create_volume`."""
        made: SiteVolume = await self._call("create_volume", volume)
        return made

    async def attach_volume(self, volume: SiteVolume) -> SiteVolume:
        """See `SiteApi.attach_volume`."""
        attached: SiteVolume = await self._call("attach_volume", volume)
        return attached

    async def delete_volume(self, name: str) -> None:
        """See `SiteApi.delete_volume`."""
        await self._call("delete_volume", name)

    async def blank(self, name: str) -> bool:
        """See `SiteApi.blank`."""
        blank: bool = await self._call("blank", name)
        return blank

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport:
        """See `SiteApi.create_replica`."""
        report: ReplicaReport = await self._call("create_replica", spec)
        return report

    async def open_replica(self, log_path: str) -> ReplicaReport:
        """See `SiteApi.open_replica`."""
        report: ReplicaReport = await self._call("open_replica", log_path)
        return report

    async def start_replica(self, partnership: str) -> ReplicaReport:
        """See `SiteApi.start_replica`."""
        report: ReplicaReport = await self._call("start_replica", partnership)
        return report

    async def dismantle_replica(self, partnership: str) -> int | None:
        """See `SiteApi.dismantle_replica`."""
        lsn: int | None = await self._call("dismantle_replica", partnership)
        return lsn

    async def replica(self, partnership: str) -> ReplicaReport:
        """See `SiteApi.replica`."""
        report: ReplicaReport = await self._call("replica", partnership)
        return report

    async def seal(self, partnership: str, operation: str) -> int:
        """See `SiteApi.seal`."""
        lsn: int = await self._call("seal", partnership, operation)
        return lsn

    async def unseal(self, partnership: str, operation: str) -> None:
        """See `SiteApi.unseal`."""
        await self._call("unseal", partnership, operation)

    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int:
        """See `SiteApi.demote`."""
        lsn: int = await self._call("demote", partnership, operation, new_epoch)
        return lsn

    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion:
        """See `SiteApi.promote`."""
        promotion: Promotion = await self._call(
            "promote", partnership, operation, expected_lsn, alone=alone
        )
        return promotion

    async def suspend(self, partnership: str) -> None:
        """See `SiteApi.suspend`."""
        await self._call("suspend", partnership)

    async def resume(self, partnership: str, *, alone: bool = False) -> None:
        """See `SiteApi.resume`."""
        await self._call("resume", partnership, alone=alone)

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        """See `SiteApi.set_policy`."""
        await self._call("set_policy", partnership, on_peer_loss)

    async def set_copy_plan(self, plan: CopyPlan) -> None:
        """See `SiteApi.set_copy_plan`."""
        await self._call("set_copy_plan", plan)

    async def give_up(self, partnership: str, keep_seconds: float) -> SiteBranch:
        """See `SiteApi.give_up`."""
        branch: SiteBranch = await self._call("give_up", partnership, keep_seconds)
        return branch

    async def branches(self) -> BranchList:
        """See `SiteApi.branches`."""
        found: BranchList = await self._call("branches")
        return found

    async def export_branch(self, name: str) -> tuple[NbdExport, ...]:
        """See `SiteApi.export_branch`."""
        exports: tuple[NbdExport, ...] = await self._call("export_branch", name)
        return exports

    async def unexport_branch(self, name: str) -> None:
        """See `SiteApi.unexport_branch`."""
        await self._call("unexport_branch", name)

    async def keep_branch(self, name: str, expires_unix: float) -> SiteBranch:
        """See `SiteApi.keep_branch`."""
        branch: SiteBranch = await self._call("keep_branch", name, expires_unix)
        return branch

    async def remove_branch(self, name: str, *, expired: bool = False) -> None:
        """See `SiteApi.remove_branch`."""
        await self._call("remove_branch", name, expired=expired)

    async def verify(self, partnership: str, order: VerifyOrder = VERIFY_ALL) -> Compared:
        """See `SiteApi.verify`."""
        compared: Compared = await self._call("verify", partnership, order)
        return compared

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """See `SiteApi.read`."""
        data: bytes = await self._call("read", volume, offset, length)
        return data

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        """See `SiteApi.write`."""
        await self._call("write", volume, offset, data)

    async def flush(self, volume: str) -> None:
        """See `SiteApi.flush`."""
        await self._call("flush", volume)

    async def trim(self, volume: str, offset: int, length: int) -> None:
        """See `SiteApi.trim`."""
        await self._call("trim", volume, offset, length)

    async def export(self, volume: str, *, read_only: bool = False) -> NbdExport:
        """See `SiteApi.export`."""
        export: NbdExport = await self._call("export", volume, read_only=read_only)
        return export

    async def unexport(self, volume: str) -> None:
        """See `SiteApi.unexport`."""
        await self._call("unexport", volume)

    async def measure_link(self, address: str, seconds: float) -> LinkMeasure:
        """See `SiteApi.measure_link`."""
        found: LinkMeasure = await self._call("measure_link", address, seconds)
        return found

    async def measure_disk(self, pool: str, seconds: float) -> DiskMeasure:
        """See `SiteApi.measure_disk`."""
        found: DiskMeasure = await self._call("measure_disk", pool, seconds)
        return found

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        """See `SiteApi.fault`."""
        await self._call("fault", kind, seconds)
