"""The verbs from discovery to replication groups: steps 1 to 5 of the article.

Always true: `srshell.fabric.api` says what holds for every verb.
"""
# mypy: disable-error-code="empty-body"
# The decorator performs the verb; there is nothing left for a body to do.

from __future__ import annotations

from collections.abc import Iterable

from srshell.fabric.verb import Name, Place, Size, verb
from srshell.model.report import (
    ArrayReport,
    ArraysReport,
    CandidatesReport,
    GroupReport,
    GroupsReport,
    PairReport,
    PairsReport,
    PoolsReport,
    ProvisionReport,
    VolumesReport,
)


class SetupVerbs:
    """Verbs that set storage up."""

    # --- steps 1 to 3: storage and pairs ------------------------------------------------------

    @verb
    async def identify(self, *where: Place) -> CandidatesReport:
        """Look at directories and block devices that could hold storage."""

    @verb
    async def discover(
        self,
        where: Place,
        name: str,
        *,
        site: str | None = None,
        pool: str | None = None,
        engine: str = "native",
        dry_run: bool = False,
        wait: bool = True,
    ) -> ArrayReport:
        """Take a place into the fabric as an array with one pool."""

    @verb
    async def manage_pool(
        self, pool: Name, where: Place | None = None, *, dry_run: bool = False, wait: bool = True
    ) -> ArrayReport:
        """Take one more place under management; ``pool`` is ARRAY/POOL."""

    @verb
    async def classify(
        self,
        pool: Name,
        classification: str,
        *,
        size: Size | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> ArrayReport:
        """Say what a pool is good for; ``size`` limits what volumes may take of it."""

    @verb
    async def pair(
        self, array: Name, peer: Name, *, dry_run: bool = False, wait: bool = True
    ) -> PairReport:
        """Pair two arrays, the source first."""

    @verb
    async def unpair(self, array: Name, *, dry_run: bool = False, wait: bool = True) -> PairReport:
        """Undo a pairing that no group uses."""

    @verb
    async def rename(
        self, array: Name, name: str, *, dry_run: bool = False, wait: bool = True
    ) -> ArrayReport:
        """Give an array that is not paired another name."""

    @verb
    async def arrays(self) -> ArraysReport:
        """All arrays with their pools."""

    @verb
    async def pools(self) -> PoolsReport:
        """All pools."""

    @verb
    async def volumes(self) -> VolumesReport:
        """All volumes."""

    @verb
    async def pairs(self) -> PairsReport:
        """All pairs."""

    # --- steps 4 and 5: volumes and groups ----------------------------------------------------

    @verb
    async def provision(
        self,
        name: str,
        on: Name | None = None,
        size: Size | None = None,
        *,
        log: bool = False,
        like: Name | None = None,
        block_size: int | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> ProvisionReport:
        """Make one volume in a pool (ARRAY/POOL); ``like`` names a volume to take the size from."""

    @verb
    async def provision_pair(
        self,
        source: str,
        destination: str,
        size: Size,
        *,
        logs: tuple[str, str] | None = None,
        log_size: Size | None = None,
        on: tuple[str, ...] | None = None,
        block_size: int | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> ProvisionReport:
        """Make equal volumes on both arrays of a pair, all of them or none."""

    @verb
    async def remove_volume(
        self,
        volume: Name,
        *,
        confirm: Name | None = None,
        dry_run: bool = False,
        wait: bool = True,
        timeout: float | None = None,
    ) -> VolumesReport:
        """Remove a volume that nothing uses, with its data; returns the volumes that are left."""

    @verb
    async def create_group(
        self,
        name: str,
        data: Name | Iterable[Name],
        log: Name,
        *,
        on_peer_loss: str = "continue",
        dry_run: bool = False,
        wait: bool = True,
    ) -> GroupReport:
        """Make a replication group of data volumes and a log volume of one array."""

    @verb
    async def remove_group(
        self, group: Name, *, dry_run: bool = False, wait: bool = True
    ) -> GroupsReport:
        """Remove a group that is not replicated; returns the groups that are left."""

    @verb
    async def group(self, name: Name) -> GroupReport:
        """One group."""

    @verb
    async def groups(self) -> GroupsReport:
        """All groups."""

    @verb
    async def set_policy(
        self,
        group: Name,
        on_peer_loss: str | None = None,
        *,
        verify_every_hours: int | None = None,
        copy_rate: Size | None = None,
        copy_priority: int | None = None,
        dry_run: bool = False,
        wait: bool = True,
    ) -> GroupReport:
        """Change the policy for a lost peer, the terms of copies, the schedule of verifications."""
