"""What happens to a running group: exports, verification, role changes, machines, jobs, plans.

Always true: a loss that is not known is None, never zero.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from srshell.model.inventory import Event, Job, StepState
from srshell.model.report.base import Named, Note, Rows
from srshell.model.report.groups import VmRow
from srshell.model.verification import WrongRange


@attrs.frozen
class Verification:
    """What a comparison of both sides found, as of one LSN."""

    equal: bool
    blocks_compared: int
    differing_blocks: int
    log_records_compared: int
    log_differences: int
    lsn: int
    group: str = ""
    #: The first ranges that differ, as (volume, offset, length) in bytes.
    differing_ranges: tuple[tuple[str, int, int], ...] = ()
    seconds: float = 0.0
    clean: bool = True  # equal, and everything is what was recorded of it
    wrong_source_blocks: int = 0
    wrong_destination_blocks: int = 0
    undecided_blocks: int = 0  # differ or contradict a checksum, and nothing says who is right
    repaired_blocks: int = 0
    #: The same ranges, with what is wrong there and whether it was mended.
    ranges: tuple[WrongRange, ...] = ()
    #: What is damaged on the log volumes, a sentence each.
    damage: tuple[str, ...] = ()
    past_cache: bool = False  # every read surely came from the devices
    schema: str = "srshell.verify/1"


@attrs.frozen
class StepRow:
    """One step of a plan, a job or a role change."""

    name: str
    text: str
    state: StepState = StepState.PLANNED
    seconds: float | None = None


@attrs.frozen
class RoleChange:
    """What a failover or failback did; a loss that is not known is None."""

    operation: str
    new_primary: str
    epoch: int
    lost_writes: int | None
    lost_bytes: int | None
    seconds: float
    steps: tuple[StepRow, ...]
    planned: bool = True
    old_primary: str = ""
    write_outage_seconds: float | None = None
    schema: str = "srshell.failover/1"

    def __str__(self) -> str:
        return self.new_primary


@attrs.frozen
class TeardownReport:
    """A group that was torn down; ``lsn`` says where its copy stands."""

    groups: tuple[str, ...]
    lsn: int | None
    waiting_for: tuple[str, ...] = ()
    freed_logs: tuple[str, ...] = ()
    warnings: tuple[Note, ...] = ()
    schema: str = "srshell.teardown/1"


@attrs.frozen
class ResolveReport:
    """A split brain that was resolved, and the branch that the losing side was saved as."""

    group: str
    kept: str
    lost: str
    branch: str
    branch_bytes: int  # that only the loser had written
    directory: str = ""
    used_bytes: int = 0
    expires_unix: float | None = None
    schema: str = "srshell.resolve/1"


@attrs.frozen
class VmReport(Named):
    """A virtual machine that was added or removed."""

    name: str
    volume: str
    array: str
    group: str
    kind: str
    state: str
    disk: str = ""
    warnings: tuple[Note, ...] = ()
    console: str = ""  # where a guest's serial port is written down
    schema: str = "srshell.vm/1"


@attrs.frozen
class VmsReport(Rows[VmRow]):
    """All virtual machines."""

    vms: tuple[VmRow, ...]
    schema: str = "srshell.vms/1"
    ROWS: ClassVar[str] = "vms"


@attrs.frozen
class EventsReport(Rows[Event]):
    """Events in the order in which they happened."""

    events: tuple[Event, ...]
    schema: str = "srshell.events/1"
    ROWS: ClassVar[str] = "events"


@attrs.frozen
class JobReport:
    """One job."""

    job: Job
    schema: str = "srshell.job/1"


@attrs.frozen
class JobsReport(Rows[Job]):
    """Jobs, the newest first."""

    jobs: tuple[Job, ...]
    schema: str = "srshell.jobs/1"
    ROWS: ClassVar[str] = "jobs"


@attrs.frozen
class CheckRow:
    """One check of a plan: a rule that holds, is broken, or calls for attention."""

    code: str
    verdict: str  #: holds, refused, warning
    text: str
    article_rule: int | None = None


@attrs.frozen
class PlanReport:
    """What a command would do; nothing has been changed."""

    command: str
    steps: tuple[StepRow, ...]
    checks: tuple[CheckRow, ...] = ()
    #: What to type after --confirm; None when nothing has to be confirmed.
    confirm: str | None = None
    lost_bytes: int | None = 0
    about_seconds: float | None = None
    #: What it takes to carry it out later: the verb, its arguments, and a digest of the fabric
    #: that it was made for.
    verb: str = ""
    arguments: dict[str, Any] = attrs.Factory(dict)
    world: str = ""
    #: What it does on a copy of the fabric: bytes of pools that are taken (given back: negative),
    #: and bytes that one site copies to the other, at most.
    taken_bytes: int = 0
    copied_bytes: int = 0
    unavailable: tuple[str, ...] = ()
    #: What the rules looked at, as it was measured.
    measured: tuple[CheckRow, ...] = ()
    #: The command lines that undo it, in the order in which they are typed; None: nothing does.
    inverse: tuple[str, ...] | None = None
    #: Groups that are in step afterwards, each by the name of its primary.
    in_step: tuple[str, ...] = ()
    #: The plans of several commands, each made where those before it were carried out.
    parts: tuple[PlanReport, ...] = ()
    #: Commands that change nothing and are no part of the plan.
    left_out: tuple[str, ...] = ()
    schema: str = "srshell.plan/1"


@attrs.frozen
class PlanRunReport(Rows[StepRow]):
    """A plan of several commands that was carried out; a step is a command."""

    steps: tuple[StepRow, ...]
    seconds: float
    schema: str = "srshell.plan-run/1"
    ROWS: ClassVar[str] = "steps"
