"""How the replication groups are, and what enabling and refreshing them did.

Always true: a row says as of when it holds; what is not known at that moment is None.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from srshell.model.forecast import Forecast
from srshell.model.health import HealthReason
from srshell.model.meters import Legs, Rates
from srshell.model.report.base import Named, Note, Rows
from srshell.model.states import ReplicationHealth, ReplicationState


@attrs.frozen
class Progress:
    """How far a copy is; ``eta_seconds`` is None until a rate is known."""

    kind: str
    done_bytes: int
    total_bytes: int
    eta_seconds: float | None
    bytes_per_second: float = 0.0


@attrs.frozen
class GroupVolume(Named):
    """A volume as a member of its group; ``role`` is data or log."""

    name: str
    role: str
    size_bytes: int
    block_size: int
    path: str


@attrs.frozen
class VmRow(Named):
    """A virtual machine and where it runs."""

    name: str
    volume: str
    array: str
    group: str
    kind: str = "writer"
    state: str = "running"
    written_records: int = 0


@attrs.frozen
class SplitSide:
    """What one side of a split brain acknowledged beyond the point that both share."""

    array: str
    blocks: int
    bytes: int
    from_lsn: int  # both sides hold the writes up to here
    to_lsn: int
    first_write_unix: float | None  # None: not known
    last_write_unix: float | None


@attrs.frozen
class VerificationStatus:
    """The verifications of a group: the one under way, and what the last one found."""

    running: bool
    done_bytes: int | None  # where one that has not ended goes on; None when there is none
    total_bytes: int
    every_hours: float | None  # the owner begins one so often; None: never
    last_unix: float | None  # when the last one ended
    age_seconds: float | None
    clean: bool | None
    wrong_blocks: int  # that differ, or contradict a checksum, and were not mended
    repaired_blocks: int
    damaged_places: int  # on the log volumes
    overdue_seconds: float = 0.0


@attrs.frozen
class GroupStatus(Named):
    """One side of a replication group at one moment; the first four words are the article's."""

    name: str
    is_primary: bool
    replication_state: ReplicationState
    replication_health: ReplicationHealth
    array: str
    health_reasons: tuple[HealthReason, ...]
    failover_ready: bool
    failover_ready_reason: str
    rpo_seconds: float | None
    peer: str | None
    peer_state: str | None
    epoch: int
    durable_lsn: int
    acked_lsn: int
    applied_lsn: int
    progress: Progress | None
    volumes: tuple[GroupVolume, ...]
    vms: tuple[VmRow, ...]
    as_of: float  #: Unix seconds of the site's word that this row repeats
    role: str = "None"
    data_state: str = ""
    on_peer_loss: str = "continue"
    ack_mode: str = "strict"
    flushed_lsn: int | None = None
    waiting_on: str = ""
    log_bytes: int = 0
    log_bytes_free: int = 0
    bytes_behind: int | None = None
    #: Counted by this side since its process opened the group; rates are their differences.
    writes_total: int = 0
    written_bytes_total: int = 0
    copied_bytes_total: int = 0
    #: Where the time of a write goes, and how much is written: the last ten seconds of this side.
    latency: Legs = attrs.field(factory=Legs)
    rates: Rates = attrs.field(factory=Rates)
    #: For how long the free part of this log takes what is written now; None: nothing is written.
    log_covers_seconds: float | None = None
    #: If the site of the primary were lost now; None where nothing is protected.
    forecast: Forecast | None = None
    #: In a split brain: what this side holds alone, then what the other one does.
    split: tuple[SplitSide, ...] = ()
    verification: VerificationStatus | None = None
    #: What its copies may take, and what one under way may take now; None: anything.
    copy_priority: int | None = None
    copy_bytes_per_second_max: int | None = None
    copy_share_bytes_per_second: float | None = None

    @property
    def state(self) -> ReplicationState:
        """Short for ``replication_state``."""
        return self.replication_state

    @property
    def health(self) -> ReplicationHealth:
        """Short for ``replication_health``."""
        return self.replication_health


@attrs.frozen
class StatusReport(Rows[GroupStatus]):
    """Both sides of every group, or of one."""

    groups: tuple[GroupStatus, ...]
    as_of: float = 0.0
    schema: str = "srshell.status/1"
    ROWS: ClassVar[str] = "groups"


@attrs.frozen
class GroupReport(Named):
    """A replication group as it was created, and its partner."""

    name: str
    array: str
    data: tuple[str, ...]
    log: str
    mode: str
    on_peer_loss: str
    peer: str | None = None
    partnership: str | None = None
    replication_state: ReplicationState = ReplicationState.DISABLED
    is_primary: bool = False
    vms: tuple[str, ...] = ()
    warnings: tuple[Note, ...] = ()
    #: Of the common rate of copies, and of its own; None: it is not protected; it has none.
    copy_priority: int | None = None
    copy_bytes_per_second_max: int | None = None
    schema: str = "srshell.group/1"


@attrs.frozen
class GroupsReport(Rows[GroupReport]):
    """All groups."""

    groups: tuple[GroupReport, ...]
    schema: str = "srshell.groups/1"
    ROWS: ClassVar[str] = "groups"


@attrs.frozen
class CopyRow(Named):
    """A protected group, named as its primary, and its copy if one is under way."""

    name: str
    peer: str
    array: str  # out of which it copies
    priority: int
    bytes_per_second_max: int | None  # of its own; None: it has none
    share_bytes_per_second: float | None  # what its copy may take now; None: it does not copy,
    progress: Progress | None  # or it may take anything


@attrs.frozen
class CopiesReport(Rows[CopyRow]):
    """Who copies, and what all copies out of a site may take together."""

    copies: tuple[CopyRow, ...]
    bytes_per_second_max: int | None = None  # None: as much as they can
    #: Arrays whose sites do not know this yet.
    waiting_for: tuple[str, ...] = ()
    schema: str = "srshell.copies/1"
    ROWS: ClassVar[str] = "copies"


@attrs.frozen
class EnableReport:
    """A partnership that was enabled, and what it waits for."""

    source: str
    destination: str
    partnership: str
    mode: str
    seeded: bool
    waiting_on: tuple[str, ...] = ()
    already: bool = False
    warnings: tuple[Note, ...] = ()
    schema: str = "srshell.enable/1"


@attrs.frozen
class RefreshReport:
    """The arrays that were refreshed, what was found changed, and which groups began to copy."""

    arrays: tuple[str, ...]
    started: tuple[str, ...] = ()
    changes: tuple[Note, ...] = ()
    schema: str = "srshell.refresh/1"
