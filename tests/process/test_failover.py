"""A site is lost, frozen or away: the status says what holds, and the failover loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import attrs
import pytest

from srshell.model.errors import SrError
from srshell.model.health import FRESH_SECONDS
from srshell.model.report import GroupStatus
from srshell.site.client import SiteClient
from tests.process.claims import Watch
from tests.process.deadlines import until
from tests.process.fabric_pair import FabricPair, fail_over, open_fabric_pair
from tests.process.load import Load
from tests.process.scenes import Scene


@attrs.frozen
class Said:
    """One row of the status, and when it was asked for and heard (Unix seconds)."""

    asked: float
    heard: float
    row: GroupStatus


class StatusWatch:
    """Asks for the status again and again; then judges it by what really happened.

    A row may say "ready" or "RPO 0" beside a site that is away for as long as a report stays fresh,
    and not longer; with the owner's own time to look and to answer.
    """

    GRACE_SECONDS: Final = 2 * FRESH_SECONDS

    def __init__(self, pair: FabricPair) -> None:
        """Watch a fabric."""
        self._pair = pair
        self._task: asyncio.Task[None] | None = None
        self.said: list[Said] = []

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if kind is None:
            assert len(self.said) > 20
            assert not (found := self.problems()), found[:5]

    async def _look(self) -> None:
        while True:
            asked = time.time()
            rows = (await self._pair.client.status("groupA")).groups
            heard = time.time()
            self.said += [Said(asked, heard, row) for row in rows]
            await asyncio.sleep(0.1)

    def problems(self) -> list[str]:
        """Every row that claimed more than held."""
        found = []
        for said in self.said:
            row = said.row
            away = [
                absence.array
                for absence in self._pair.absences
                if absence.since + self.GRACE_SECONDS < said.asked and said.heard < absence.until
            ]
            if away and row.failover_ready:
                found.append(f"{row.name} is ready for a failover while {away} is away")
            if row.array in away and row.rpo_seconds == 0 and row.is_primary:
                found.append(f"{row.name} promises RPO 0 while it is away")
            if row.failover_ready and row.rpo_seconds != 0:
                found.append(f"{row.name} is ready, at RPO {row.rpo_seconds}")
        return found


async def losing_the_source(folder: Path) -> None:
    """Kill the source under load, fail over, bring it back, fail back; then freeze it instead."""
    async with open_fabric_pair(folder) as pair, Watch(pair), StatusWatch(pair):
        await lose_source(pair, frozen=False)
        await pair.client.failback("groupB", confirm="groupA")
        await lose_source(pair, frozen=True)
        await pair.check()


async def lose_source(pair: FabricPair, *, frozen: bool) -> None:
    """Lose the site of A in the middle of writes; the site of B takes over and loses nothing."""
    # A client that waits for a frozen site as long as it takes.
    site = pair.sites["A"]
    patient = SiteClient("A", site.socket, fabric=site.fabric, owner_term=None, silence_seconds=300)
    places = pair.places()
    async with Load(pair.ledger, lambda: (patient, "volA"), places[:1]) as load:
        await load.more(20)
        old = pair.site("A")
        await (pair.freeze("A") if frozen else pair.take_down("A"))
        change = await fail_over(pair, "B")
        # The evidence is exact: the old source's own files were read.
        assert (change.lost_writes, change.lost_bytes) == (0, 0)
        assert not old.alive
    async with Load(pair.ledger, pair.target, places[1:], seed=8) as load:
        await load.more(20)
        await pair.bring_back("A")
        assert await pair.in_sync() == "B"
        await load.more(10)
    await patient.close()


async def without_the_destination(folder: Path) -> None:
    """The source goes on alone, says so, and protects again when its peer is back."""
    async with open_fabric_pair(folder) as pair, Watch(pair), StatusWatch(pair):
        async with Load(pair.ledger, pair.target, pair.places()) as load:
            await load.more(20)
            await pair.take_down("B")

            async def tells() -> bool:
                row = await pair.row("A")
                return not row.failover_ready and (row.rpo_seconds or 0) > 0

            await until(tells, "the status tells that the source is alone")
            await load.more(20)
            with pytest.raises(SrError) as refused:
                await pair.client.failover("groupB", "planned", confirm="groupB")
            assert refused.value.code == "SR6003"
            await pair.bring_back("B")
            assert await pair.in_sync() == "A"
            await load.more(10)
        await pair.check()


SCENES: Final[dict[str, Scene]] = {
    "the source is killed, then frozen": losing_the_source,
    "the destination is away": without_the_destination,
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_lost_and_nothing_is_claimed_when(
    scene: str, played: Callable[[str], None]
) -> None:
    """RPO 0 and "ready" are said when they hold, and only then."""
    played(scene)
