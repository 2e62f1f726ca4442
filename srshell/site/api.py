"""What a site can be asked: one protocol, spoken in process by `Site` and over a socket by `SiteClient`.

A site hosts everything of one array on one machine: pools, volumes, replicas, exports.  All arguments and
results are values that msgspec encodes; every refusal is an `SrError`.  A site never decides who leads: it
carries out the role changes that the fabric owner asks for, and refuses owners of a lower term.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import attrs

from srshell.model.replica import OnPeerLoss, ReplicaReport, ReplicaSpec


class PoolKind(StrEnum):
    """What a pool's volumes are."""

    FILE = "file"  # regular files in a directory
    VOLUME = "volume"  # block devices (or loop devices) named one by one


@attrs.frozen
class PoolSpec:
    """A pool that a site takes under its management: a directory, or one block device."""

    name: str
    path: str
    kind: PoolKind
    fabric: str  # identity of the fabric, written into the pool's label


@attrs.frozen
class PoolUsage:
    """How full a pool is, in bytes."""

    name: str
    path: str
    kind: PoolKind
    size_bytes: int
    free_bytes: int


@attrs.frozen
class SiteVolume:
    """A volume that a site hosts; ``path`` is a regular file or a block device."""

    name: str
    path: str
    size_bytes: int
    block_bytes: int
    log: bool  # a log volume carries no data of its own


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


@attrs.frozen
class Promotion:
    """What a promotion did."""

    epoch: int
    tail_lsn: int
    applied_records: int


@attrs.frozen
class Comparison:
    """What a verification found.  Ranges are (volume name, offset, length) in bytes, the first few only."""

    lsn: int
    blocks_compared: int
    differing_blocks: int
    differing_ranges: tuple[tuple[str, int, int], ...]
    log_records_compared: int
    log_differences: int


class SiteApi(Protocol):
    """The verbs of a site.  Volumes are named, partnerships are their 32 hexadecimal digits."""

    async def greet(self, fabric: str, owner_term: int) -> SiteReport: ...
    async def describe(self) -> SiteReport: ...
    async def add_pool(self, spec: PoolSpec) -> PoolUsage: ...
    async def remove_pool(self, name: str) -> None: ...
    async def create_volume(self, volume: SiteVolume) -> SiteVolume: ...
    async def attach_volume(self, volume: SiteVolume) -> SiteVolume: ...
    async def delete_volume(self, name: str) -> None: ...
    async def blank(self, name: str) -> bool: ...  # True: nothing but zeros and holes

    async def create_replica(self, spec: ReplicaSpec) -> ReplicaReport: ...
    async def open_replica(self, log_path: str) -> ReplicaReport: ...
    async def start_replica(self, partnership: str) -> ReplicaReport: ...
    async def dismantle_replica(self, partnership: str) -> ReplicaReport: ...
    async def replica(self, partnership: str) -> ReplicaReport: ...

    async def seal(self, partnership: str, operation: str) -> int: ...
    async def unseal(self, partnership: str, operation: str) -> None: ...
    async def demote(self, partnership: str, operation: str, new_epoch: int) -> int: ...
    async def promote(
        self, partnership: str, operation: str, expected_lsn: int | None, *, alone: bool
    ) -> Promotion: ...
    async def suspend(self, partnership: str) -> None: ...
    async def resume(self, partnership: str, *, alone: bool = False) -> None: ...
    async def set_policy(self, partnership: str, on_peer_loss: OnPeerLoss) -> None: ...
    async def give_up(self, partnership: str, branch_directory: str) -> str: ...  # loser of a split brain
    async def verify(self, partnership: str) -> Comparison: ...

    async def read(self, volume: str, offset: int, length: int) -> bytes: ...
    async def write(self, volume: str, offset: int, data: bytes) -> None: ...
    async def flush(self, volume: str) -> None: ...
    async def trim(self, volume: str, offset: int, length: int) -> None: ...
    async def export(self, volume: str) -> str: ...  # the NBD URI
    async def unexport(self, volume: str) -> None: ...
    async def fault(self, kind: str, seconds: float) -> None: ...  # sandboxes only
    async def close(self) -> None: ...
