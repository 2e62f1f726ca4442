"""The verbs of protected groups: steps 6 to 11 of the article, and looking after them.

Always true: `srshell.fabric.api` says what holds for every verb.
"""
# mypy: disable-error-code="empty-body"
# The decorator performs the verb; there is nothing left for a body to do.

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from srshell.fabric.reports import VmCheckReport
from srshell.fabric.verb import Name, Place, Size, verb
from srshell.model.branch import KEEP_DAYS
from srshell.model.report import (
    CopiesReport,
    EnableReport,
    EventsReport,
    ExplainReport,
    InfoReport,
    JobReport,
    JobsReport,
    NbdExport,
    PlanRunReport,
    RefreshReport,
    ResolveReport,
    RoleChange,
    StatusReport,
    TeardownReport,
    Verification,
    VmReport,
    VmsReport,
    WhyReport,
)
from srshell.model.topology import TopologyReport


class RunningVerbs:
    """Verbs that protect, run, switch and watch groups."""

    # --- steps 6 to 8: protection -------------------------------------------------------------

    @verb
    async def enable(
        self,
        source: Name,
        destination: Name | None = None,
        *,
        mode: str = "sync",
        seeded: bool = False,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> EnableReport:
        """Protect a group by another; ``confirm`` permits to overwrite a destination with data."""

    @verb
    async def refresh(
        self,
        *arrays: Name,
        wait_for_copy: bool = True,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> RefreshReport:
        """Read arrays again, all when none is named; begins the first copies that wait for it."""

    @verb
    async def wait(
        self, group: Name, until: str = "Synchronizing", *, timeout: float | None = None
    ) -> StatusReport:
        """Return when a group is in a state."""

    @verb
    async def status(self, group: Name | None = None) -> StatusReport:
        """State, health and recovery point of both sides of every group, or of one."""

    @verb
    async def verify(
        self,
        group: Name,
        *,
        repair: bool = False,
        rate: Size | None = None,
        restart: bool = False,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> Verification:
        """Compare both sides, block by block and record by record; goes on where the last ended."""

    @verb
    async def copies(self) -> CopiesReport:
        """Who copies, how the copies share the rate, and how far they are."""

    @verb
    async def set_copy_rate(
        self, rate: Size, *, dry_run: bool = False, wait: bool = True
    ) -> CopiesReport:
        """Say what all copies out of a site may take together; "unlimited": all they can."""

    # --- step 9: machines and exports ---------------------------------------------------------

    @verb
    async def add_vm(
        self,
        name: str,
        volume: Name,
        *,
        kind: str | None = None,
        rate: int = 100,
        memory: Size | None = None,
        template: Place | None = None,
        kernel: Place | None = None,
        initrd: Place | None = None,
        append: str | None = None,
        accelerator: str | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> VmReport:
        """Run a machine on a volume of a primary group; ``rate`` is records a second."""

    @verb
    async def remove_vm(self, name: Name, *, dry_run: bool = False, wait: bool = True) -> VmReport:
        """Stop a machine and remove it; its data and its ledger stay."""

    @verb
    async def check_vm(self, name: Name, *, volume: Name | None = None) -> VmCheckReport:
        """Read back every record that a machine had acknowledged."""

    @verb
    async def vms(self) -> VmsReport:
        """All machines."""

    @verb
    async def nbd(
        self,
        volume: Name,
        *,
        on: bool = True,
        read_only: bool = False,
        dry_run: bool = False,
        wait: bool = True,
    ) -> NbdExport:
        """Serve a volume over NBD, or with ``on=False`` no longer.

        With ``read_only`` the secondary's volume is shown, too.
        """

    # --- steps 10 and 11: roles ---------------------------------------------------------------

    @verb
    async def prepare(
        self, group: Name, *, dry_run: bool = False, wait: bool = True
    ) -> StatusReport:
        """Drain and seal the primary; `failover` goes on from there, `resume` takes it back."""

    @verb
    async def failover(
        self,
        group: Name,
        kind: str = "planned",
        confirm: Name | None = None,
        *,
        accept_loss: Size | None = None,
        reprotect: bool = True,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> RoleChange:
        """Make the other side primary; ``kind`` is planned or unplanned, ``accept_loss`` bytes."""

    @verb
    async def failback(
        self,
        group: Name,
        confirm: Name | None = None,
        *,
        target: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> RoleChange:
        """Bring the first primary in step and make it primary again."""

    @verb
    async def suspend(
        self, group: Name, *, dry_run: bool = False, wait: bool = True
    ) -> StatusReport:
        """Pause replication; the source goes on alone and logs what it writes."""

    @verb
    async def resume(
        self,
        group: Name,
        *,
        alone: bool = False,
        accept_loss: str | None = None,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> StatusReport:
        """Go on after `suspend` or `prepare`; with ``alone`` take writes without the peer."""

    @verb
    async def resolve(
        self,
        group: Name,
        keep: Name,
        *,
        keep_days: int = KEEP_DAYS,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> ResolveReport:
        """End a split brain: ``keep`` names the array whose writes stay, the other's are saved."""

    @verb
    async def teardown(
        self,
        group: Name,
        *,
        confirm: Name | None = None,
        this_side_only: bool = False,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> TeardownReport:
        """Stop replication; the data stays on both sides."""

    @verb
    async def run_plan(
        self,
        lines: Iterable[dict[str, Any]],
        *,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> PlanRunReport:
        """Carry several commands out, each a ``verb`` with its ``arguments``, one after another."""

    @verb
    async def restart(self, array: Name, *, dry_run: bool = False, wait: bool = True) -> InfoReport:
        """Start the site of an array again, and release it if it is held."""

    # --- looking after it ---------------------------------------------------------------------

    @verb
    async def info(self) -> InfoReport:
        """The fabric, its owner and its sites."""

    @verb
    async def events(
        self,
        *,
        since: float | None = None,
        level: str | None = None,
        about: Name | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> EventsReport:
        """What happened, oldest first: the newest ``limit``, at most ``since`` seconds old."""

    @verb
    async def jobs(self) -> JobsReport:
        """Jobs, the newest first."""

    @verb
    async def job(
        self,
        number: int,
        *,
        ended: bool = False,
        cancel: bool = False,
        timeout: float | None = None,
    ) -> JobReport:
        """One job; with ``ended`` once it has ended, with ``cancel`` after asking it to stop."""

    @verb
    async def why(self, name: Name) -> WhyReport:
        """What led to the state of a group, array, volume or machine."""

    @verb
    async def explain(self, code: str) -> ExplainReport:
        """The long text of a code."""

    @verb
    async def topology(
        self, source: Name, destination: Name, *, duration: float | None = None
    ) -> TopologyReport:
        """Test whether two arrays are fit to replicate; ``duration`` is in seconds."""

    @verb
    async def fault(
        self,
        part: str,
        kind: str,
        array: Name | None = None,
        *,
        seconds: float | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> EventsReport:
        """Break something on purpose; sandboxes only."""
