"""What a site can be asked: in process by calling `Site`, over a socket through `SiteClient`.

A site hosts everything of one array on one machine: pools, volumes, replicas, exports.

Always true:

(1) All arguments and results are values that msgspec encodes; every refusal is an `SrError`.
(2) A site never decides who leads: it carries out the role changes that the fabric owner asks for,
    and refuses owners of a lower term.
(3) A site remembers its pools, volumes, replicas and exports in its own files: started again, it
    serves them again without being told.  Adding what is there already changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import attrs

from srshell.model.branch import Branch
from srshell.model.copying import CopyPlan
from srshell.model.inventory import Candidate, PoolKind
from srshell.model.replica import OnPeerLoss, ReplicaReport, ReplicaSpec
from srshell.model.report import NbdExport
from srshell.model.topology import DiskMeasure, LinkMeasure
from srshell.model.verification import VERIFY_ALL, Compared, VerifyOrder


@attrs.frozen
class PoolSpec:
    """A pool that a site takes under its management: a directory, or one block device."""

    name: str
    path: str
    kind: PoolKind
    fabric: str  # identity of the fabric, written into the pool's label
    classification: str = ""  # kept in the label, so that a lost catalogue can be rebuilt
    renamed_from: str = ""  # the label may carry this name of the array, which it had before


@attrs.frozen
class PoolUsage:
    """How full a pool is, in bytes."""

    name: str
    path: str
    kind: PoolKind
    size_bytes: int
    free_bytes: int
    classification: str = ""
    block_bytes: int = 4096
    device: str = ""  # the disk below it, as major:minor


@attrs.frozen
class SiteVolume:
    """A volume that a site hosts; ``path`` is a regular file or a block device.

    To create a volume, name its pool; ``path`` may be empty then, and is the pool's path and the
    volume's name.  A volume on a block device is its first ``size_bytes``.
    """

    name: str
    path: str
    size_bytes: int
    block_bytes: int
    log: bool  # a log volume carries no data of its own
    pool: str = ""
    partnership: str = ""  # the replica that uses it; empty for a volume of its own
    backing: str = ""  # what the path leads to, as device:inode; equal for two names of one file


@attrs.frozen
class SiteProblem:
    """Something of this site that cannot be used, in the words of an `SrError`."""

    noun: str  # "pool", "volume", "replica"
    name: str  # for a replica the path of its log
    code: str
    message: str
    facts: str
    partnership: str = ""


@attrs.frozen
class SiteEvent:
    """Something that happened at a site.  Ids grow for ever, over restarts too, with gaps."""

    id: int
    unix: float  # Unix seconds
    kind: str  # of a replica: state, link, flow, epoch, failure, split; of the site: export, fault
    text: str
    partnership: str = ""
    facts: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class SiteReport:
    """What a site is and hosts at one moment."""

    array: str
    pid: int
    as_of: float  # Unix seconds
    started_unix: float
    owner_term: int
    link_address: str
    nbd_socket: str
    pools: tuple[PoolUsage, ...]
    volumes: tuple[SiteVolume, ...]
    replicas: tuple[ReplicaReport, ...]
    exports: tuple[str, ...]
    problems: tuple[SiteProblem, ...] = ()
    sandbox: bool = False
    last_event: int = 0  # id of the newest event
    copy_plan: CopyPlan = attrs.field(factory=CopyPlan)


@attrs.frozen
class Promotion:
    """What a promotion did."""

    epoch: int
    tail_lsn: int
    applied_records: int


@attrs.frozen
class SiteBranch:
    """A branch at a site, and what it takes there."""

    branch: Branch
    directory: str
    used_bytes: int
    exports: tuple[NbdExport, ...] = ()


@attrs.frozen
class BranchList:
    """The branches of a site, the oldest first; ``damaged`` says what cannot be read, and why."""

    branches: tuple[SiteBranch, ...] = ()
    damaged: tuple[str, ...] = ()


class FaultKind(StrEnum):
    """What a sandbox can be made to suffer from, for some seconds."""

    LINK_DOWN = "link-down"  # links are cut and no new one is made or taken
    LINK_SLOW = "link-slow"  # each message takes 5 ms longer
    SLOW_DISK = "slow-disk"  # each write and sync takes 0.1 s longer
    FREEZE = "freeze"  # the site does nothing at all


class SiteApi(Protocol):
    """The verbs of a site.  Volumes are named, partnerships are their 32 hexadecimal digits."""

    async def greet(self, fabric: str, owner_term: int) -> SiteReport:
        """Name the fabric and the owner's term; a higher term than ever before is kept.

        Raises:
            SrError: SR1001, the site belongs to another fabric; SR9007, it follows a later term.
        """

    async def describe(self) -> SiteReport:
        """Tell what the site hosts; cheap enough for once a second."""

    async def rescan(self) -> SiteReport:
        """Look at pools and volumes again, and try once more what could not be opened."""

    async def events(self, after: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        """Return the events after an id, oldest first; while there are none, wait that long."""

    async def inspect(self, where: str) -> Candidate:
        """Look at a place of this machine without changing it."""

    async def add_pool(self, spec: PoolSpec) -> PoolUsage:
        """Take a directory, or one block device as one volume, under management: label and lock it.

        Raises:
            SrError: SR1103, it can hold no pool; SR1101, it cannot be opened; SR1001, it belongs to
                another fabric; SR9221, another site has it; SR0103, a pool of this name differs.
        """

    async def remove_pool(self, name: str) -> None:
        """Give an empty pool back, and take its label away."""

    async def create_volume(self, volume: SiteVolume) -> SiteVolume:
        """Make a volume that reads as zeros; again with the same facts changes nothing.

        Raises:
            SrError: SR0003, SR1108, SR2005, SR2007, SR2008; SR4002, a block device holds data.
        """

    async def attach_volume(self, volume: SiteVolume) -> SiteVolume:
        """Take an existing file of a pool, or a block device with its data, as a volume."""

    async def delete_volume(self, name: str) -> None:
        """Remove a volume that nothing uses; a block device is released, its data stays."""

    async def blank(self, name: str) -> bool:
        """Say whether a volume holds nothing but zeros and holes."""

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport:
        """Make this side of a partnership on volumes of this site; its link is not wanted yet."""

    async def open_replica(self, log_path: str) -> ReplicaReport:
        """Open the replica of a log volume, unless it is open already."""

    async def start_replica(self, partnership: str) -> ReplicaReport:
        """Both providers were refreshed: look for the peer from now on."""

    async def dismantle_replica(self, partnership: str) -> int | None:
        """Leave the partnership; the volumes are ordinary again, and their data stays.

        Returns the LSN at which the data stands; None if this was done before, or if the replica
        had failed or was lost and what stands is not known: then its exports end, too.
        """

    async def replica(self, partnership: str) -> ReplicaReport:
        """Tell how one replica is."""

    async def seal(self, partnership: str, operation: str) -> int:
        """Take no more writes and wait until both logs are equal; return the last LSN."""

    async def unseal(self, partnership: str, operation: str) -> None:
        """Take writes again, unless the demotion was carried out before or is under way."""

    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int:
        """Become secondary; clients of the group's volumes are disconnected."""

    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion:
        """Become primary; ``expected_lsn`` is where the sealed source ended, None if unplanned."""

    async def suspend(self, partnership: str) -> None:
        """Pause replication."""

    async def resume(self, partnership: str, *, alone: bool = False) -> None:
        """Go on with replication, or ``alone``: take writes without the peer."""

    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None:
        """Say what happens to writes when the peer is lost."""

    async def set_copy_plan(self, plan: CopyPlan) -> None:
        """Say what the copies out of this site may take; it holds over restarts of the site."""

    async def give_up(self, partnership: str, keep_seconds: float) -> SiteBranch:
        """Lose a split brain: save the own volumes as a branch, then follow the other side.

        Raises:
            SrError: SR6023, it is not split; SR6024, the branch does not fit: nothing has changed.
        """

    async def branches(self) -> BranchList:
        """List the branches that lie in the pools of this site."""

    async def export_branch(self, name: str) -> tuple[NbdExport, ...]:
        """Serve the volumes of a branch to NBD clients, read-only."""

    async def unexport_branch(self, name: str) -> None:
        """Disconnect the clients of a branch and serve it no more."""

    async def keep_branch(self, name: str, expires_unix: float) -> SiteBranch:
        """Keep a branch until another day, in Unix seconds."""

    async def remove_branch(self, name: str, *, expired: bool = False) -> None:
        """Remove a branch that nobody reads; ``expired``: only if its day is over here, too.

        Raises:
            SrError: SR0105, there is none of that name; SR6028, a client is reading it.
        """

    async def verify(self, partnership: str, order: VerifyOrder = VERIFY_ALL) -> Compared:
        """Compare blocks and log records of the two sides, all or as far as the order says."""

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes, at most 32 MiB."""

    async def write(self, volume: str, offset: int, data: bytes) -> None:
        """Store at most 32 MiB; durable, in both logs where there are two, when this returns."""

    async def flush(self, volume: str) -> None:
        """Make durable what was answered; nothing to wait for in ack mode strict."""

    async def trim(self, volume: str, offset: int, length: int) -> None:
        """Give the space of a range back; it reads as zeros."""

    async def export(self, volume: str, *, read_only: bool = False) -> NbdExport:
        """Serve a volume to NBD clients; a secondary one is read-only."""

    async def unexport(self, volume: str) -> None:
        """Disconnect the clients of a volume and serve it no more."""

    async def measure_link(self, address: str, seconds: float) -> LinkMeasure:
        """Measure round trips and bandwidth to another site; what is sent is dropped there."""

    async def measure_disk(self, pool: str, seconds: float) -> DiskMeasure:
        """Measure how fast a pool makes writes durable, by a scratch file without a name."""

    async def fault(self, kind: FaultKind, seconds: float) -> None:
        """Suffer from a fault for some seconds; ends a fault of that kind with 0.

        Raises:
            SrError: SR9901, the site is no sandbox.
        """

    async def close(self) -> None:
        """End: a `Site` drains and closes all it hosts, a `SiteClient` hangs up."""
