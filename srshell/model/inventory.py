"""What a fabric holds: the article's objects, as the catalogue keeps them.

Always true:

(1) Every object is frozen and is known by its name; names are unique among their kind in a fabric.
(2) An object refers to another by its name; a partnership by its identity.
(3) The role, epoch and data state of a group are not here: the sites' superblocks hold them.
(4) Sizes are bytes, times are Unix seconds.
(5) Fields are only ever added, with a default: an older catalogue decodes.
"""

from __future__ import annotations

from enum import StrEnum

import attrs

from srshell.model.copying import PRIORITY_DEFAULT
from srshell.model.replica import OnPeerLoss


class PoolKind(StrEnum):
    """What the volumes of a pool are: the article's two types of storage."""

    FILE = "file"  # regular files in a directory
    VOLUME = "volume"  # block devices


class VolumeKind(StrEnum):
    """What a volume is provisioned for."""

    DATA = "data"
    LOG = "log"


class Mode(StrEnum):
    """When a write is acknowledged."""

    SYNC = "sync"
    ASYNC = "async"


class Profile(StrEnum):
    """Which rules a fabric enforces."""

    NATIVE = "native"  # what the engine needs
    SEED_STRICT = "seed-strict"  # also what the original product refuses


class DesiredState(StrEnum):
    """What the owner does with the process of a site."""

    RUN = "run"  # starts it, and again when it ends
    HELD = "held"  # leaves it alone until somebody restarts it


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    """How far a step of an operation is."""

    PLANNED = "planned"
    BEGUN = "begun"  # may or may not have had its effect
    DONE = "done"
    SKIPPED = "skipped"
    UNDONE = "undone"


@attrs.frozen
class Provider:
    """Through what an array is reached; refreshing it reads array, pools and volumes again."""

    name: str
    array: str
    engine: str = "native"
    refreshed_unix: float | None = None


@attrs.frozen
class Site:
    """Where an array stands, and what its process is meant to do."""

    array: str
    name: str
    desired: DesiredState = DesiredState.RUN
    held_because: str = ""


@attrs.frozen
class Array:
    """A set of storage at one site, under one name."""

    name: str
    site: str
    provider: str
    #: The name of the cluster that the storage was labelled with; None when it carries none.
    cluster: str | None = None
    engine: str = "native"
    fabric: str = ""
    hardware: str = ""
    discovered_unix: float = 0.0


@attrs.frozen
class Pool:
    """A directory or a block device that volumes are made in."""

    name: str
    array: str
    kind: PoolKind
    path: str
    size_bytes: int
    free_bytes: int
    block_bytes: int
    #: The disk below it, as major:minor; equal for pools that die together.
    device: str = ""
    managed: bool = False
    classification: str | None = None
    #: Most that volumes may take, when less than the whole was taken under management.
    limit_bytes: int | None = None
    honours_flush: bool = True

    @property
    def location(self) -> str:
        """ARRAY/POOL, as commands name it."""
        return f"{self.array}/{self.name}"


@attrs.frozen
class Classification:
    """A name for what storage is good for."""

    name: str
    description: str = ""


@attrs.frozen
class Volume:
    """A data or log volume in a pool."""

    name: str
    array: str
    pool: str
    kind: VolumeKind
    size_bytes: int
    block_bytes: int
    path: str = ""
    #: What the path leads to, as device:inode; equal for two names of one file.
    backing: str = ""
    #: The job that is still making it; None once it is complete.
    job: int | None = None
    created_unix: float = 0.0


@attrs.frozen
class Pair:
    """Two arrays that may hold each other's copies."""

    array: str
    peer: str
    paired_unix: float = 0.0

    def other(self, array: str) -> str:
        """The array at the other end."""
        return self.peer if array == self.array else self.array


@attrs.frozen
class Group:
    """A replication group: volumes of one array whose writes have one order, and their log."""

    name: str
    array: str
    data: tuple[str, ...]
    log: str
    mode: Mode = Mode.SYNC
    on_peer_loss: OnPeerLoss = OnPeerLoss.CONTINUE
    created_on_array: bool = True
    created_unix: float = 0.0


@attrs.frozen
class Partnership:
    """Two groups of which one is the copy of the other."""

    partnership: str
    source: str  #: group that was primary when protection was enabled
    destination: str
    mode: Mode = Mode.SYNC
    seeded: bool = False
    enabled_unix: float = 0.0
    #: Arrays that were refreshed since protection was enabled.
    refreshed: tuple[str, ...] = ()
    #: Groups that were torn down already.
    torn_down: tuple[str, ...] = ()
    #: The roles changed, and the sides have not been in sync since.
    failed_over: bool = False
    reprotect: bool = True
    #: What its copies may take, from whichever side: see `srshell.model.copying.CopyTerms`.
    copy_priority: int = PRIORITY_DEFAULT
    copy_bytes_per_second: int = 0

    def other(self, group: str) -> str:
        """The group at the other end."""
        return self.destination if group == self.source else self.source


@attrs.frozen
class Vm:
    """A virtual machine whose disk is a volume."""

    name: str
    volume: str
    group: str
    array: str
    kind: str = "writer"
    created_unix: float = 0.0


@attrs.frozen
class Step:
    """One step of a job or operation."""

    name: str
    text: str
    state: StepState = StepState.PLANNED
    began_unix: float | None = None
    ended_unix: float | None = None


@attrs.frozen
class Job:
    """Work that goes on in the owner after its command has returned."""

    id: int
    command: str
    object: str
    state: JobState = JobState.QUEUED
    began_unix: float = 0.0
    ended_unix: float | None = None
    done_bytes: int | None = None
    total_bytes: int | None = None
    steps: tuple[Step, ...] = ()
    #: The error object of a job that failed, as JSON.
    error: str = ""
    #: The result of a job that is done, as JSON.
    result: str = ""


@attrs.frozen
class Operation:
    """A role change in the journal: enough to be carried on, or taken back, by another owner."""

    id: str
    kind: str
    partnership: str
    from_array: str
    to_array: str
    expected_epoch: int
    new_epoch: int
    steps: tuple[Step, ...]
    job: int | None = None
    finished: bool = False
    outcome: str = ""

    @property
    def ended_unix(self) -> float:
        """When its last step ended; 0 while none has."""
        return max((step.ended_unix or 0.0 for step in self.steps), default=0.0)

    @property
    def outage_seconds(self) -> float | None:
        """From the moment the old primary took no more writes until the new one took them."""
        # From here on nobody writes: the primary was sealed, or held.
        first = next((s.began_unix for s in self.steps if s.name in {"seal", "hold"}), None)
        last = next((s.ended_unix for s in self.steps if s.name == "promote"), None)
        return None if first is None or last is None else max(last - first, 0.0)


@attrs.frozen
class Event:
    """Something that happened, in the journal of the fabric."""

    id: int
    unix: float
    level: str  #: info, warning or error
    object: str
    code: str
    text: str
    actor: str = ""


@attrs.frozen
class Candidate:
    """A place that was looked at and could hold a pool; looking changed nothing."""

    where: str
    kind: PoolKind | None
    size_bytes: int
    free_bytes: int
    block_bytes: int
    device: str
    writable: bool
    honours_flush: bool
    blank: bool
    #: Identity of the fabric that already manages it, and the array it is labelled as.
    fabric: str = ""
    array: str = ""
    pool: str = ""
    #: Why it does not fit; empty when it fits.
    problems: tuple[str, ...] = ()
