"""What the sites said of themselves while everything around them died, and whether it held.

Always true:

(1) What a live source says when it says "RPO 0", its peer holds: every report of the peer from then
    on reaches at least as far as the acknowledgements did.
(2) Nobody goes on saying "in sync" or "ready for failover" beside a peer that has been dead for
    longer than `GRACE_SECONDS`.
(3) Epochs of sides that take writes never go back in time, and no two sides share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import attrs

from srshell.model.health import FRESH_SECONDS, derive_readiness, derive_rpo_seconds
from srshell.model.replica import ReplicaData, ReplicaReport, ReplicaRole
from srshell.model.states import ReplicationState, Surroundings, derive_state

GRACE_SECONDS = FRESH_SECONDS

_LOOK_SECONDS = 0.1
_IN_SYNC = frozenset({ReplicationState.SYNCHRONIZING, ReplicationState.PREPARED_FOR_FAILOVER})


@attrs.frozen
class Absence:
    """A stretch of time (Unix seconds) in which no process of an array lived."""

    array: str
    since: float
    until: float


@attrs.frozen
class Claim:
    """One report, and what the fabric would derive from it."""

    array: str
    report: ReplicaReport
    in_sync: bool
    ready: bool
    nothing_to_lose: bool

    @property
    def as_of(self) -> float:
        """The moment it speaks of, in Unix seconds."""
        return self.report.as_of

    @property
    def takes_writes(self) -> bool:
        """Whether this side said that it leads and takes writes."""
        return self.report.role is ReplicaRole.PRIMARY and self.report.writable


class Reporting(Protocol):
    """What is watched."""

    arrays: tuple[str, str]
    absences: list[Absence]

    async def report(self, array: str) -> ReplicaReport | None:
        """Return what a site says of its replica now, if it answers."""


class Watch:
    """Asks both sides again and again for as long as the block lasts; then judges."""

    def __init__(self, pair: Reporting) -> None:
        """Watch a pair."""
        self._pair = pair
        self._data: dict[str, ReplicaData] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._superseded = ""
        self.claims: list[Claim] = []

    def expect_superseded(self, array: str) -> None:
        """Do not hold against a frozen side what it says of itself until it follows.

        It cannot know that it was replaced; what it acknowledges counts all the same.
        """
        self._superseded = array

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._look(array)) for array in self._pair.arrays]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if kind is None:
            assert not (found := self.problems()), found

    def problems(self) -> list[str]:
        """Every claim that did not hold."""
        claims = sorted(self.claims, key=lambda claim: claim.as_of)
        return [
            *_unheld_promises(claims),
            *_claims_beside_the_dead(claims, self._pair.absences),
            *_rival_reigns(claims),
        ]

    async def _look(self, array: str) -> None:
        while True:
            report = await self._pair.report(array)
            if report is not None:
                self._data[array] = report.data
                if report.role is ReplicaRole.SECONDARY and array == self._superseded:
                    self._superseded = ""
                if array != self._superseded:
                    self.claims.append(self._claim(array, report))
            await asyncio.sleep(_LOOK_SECONDS)

    def _claim(self, array: str, report: ReplicaReport) -> Claim:
        first, second = self._pair.arrays
        peer = second if array == first else first
        around = Surroundings(destination_data=self._data.get(peer))
        state = derive_state(report, around)
        source = report.role is ReplicaRole.PRIMARY
        return Claim(
            array,
            report,
            in_sync=state in _IN_SYNC,
            ready=source and derive_readiness(state, report, around).ready,
            nothing_to_lose=source and derive_rpo_seconds(state, report, around) == 0.0,
        )


def _unheld_promises(claims: list[Claim]) -> Iterator[str]:
    promised: dict[str, int] = {}
    for claim in claims:
        report = claim.report
        reached = max((lsn for array, lsn in promised.items() if array != claim.array), default=0)
        if report.durable_lsn < reached:
            yield f"{claim.array} ends at {report.durable_lsn}, RPO 0 was said at {reached}"
        if claim.nothing_to_lose or claim.ready:
            promised[claim.array] = max(promised.get(claim.array, 0), report.acked_lsn)


def _claims_beside_the_dead(claims: list[Claim], absences: list[Absence]) -> Iterator[str]:
    for claim in claims:
        for absence in absences:
            late = absence.since + GRACE_SECONDS < claim.as_of < absence.until
            if absence.array != claim.array and late and (claim.in_sync or claim.ready):
                after = claim.as_of - absence.since
                yield f"{claim.array} is {claim.report.flow} {after:.1f} s after its peer died"


def _rival_reigns(claims: list[Claim]) -> Iterator[str]:
    reigns: dict[int, str] = {}
    newest = 0
    for claim in claims:
        if not claim.takes_writes:
            continue
        epoch = claim.report.epoch
        if epoch < newest:
            yield f"{claim.array} takes writes in epoch {epoch} after epoch {newest}"
        if reigns.setdefault(epoch, claim.array) != claim.array:
            yield f"{claim.array} and {reigns[epoch]} both take writes in epoch {epoch}"
        newest = max(newest, epoch)
