"""Copies out of a site take turns; whoever waits for one keeps nobody else waiting."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from srshell.model.copying import CopyPlan, CopyTerms
from srshell.model.replica import Flow, ReplicaReport, ReplicaVolume
from srshell.replication.turns import SLACK_SECONDS, Turns
from srshell.site.host import Site
from srshell.site.sharing import Sharing
from tests.unit.site.hosting import MIB, PARTNERSHIP, Fabric, log, reported, until, volume

SECOND = "d" * 32
TURN = MIB // 2
#: The first turn is granted at once, the next one after the end of this test.
STANDSTILL = CopyPlan(1)


@attrs.define
class Granted:
    """The turns that were granted: when, to whom, how many bytes."""

    rows: list[tuple[float, str, int]] = attrs.field(factory=list)

    def bytes_of(self, partnership: str) -> int:
        return sum(size_bytes for _, name, size_bytes in self.rows if name == partnership)


@pytest.fixture
def granted(monkeypatch: pytest.MonkeyPatch) -> Granted:
    """Note every turn of every site."""
    found = Granted()
    asked: dict[str, int] = {}
    ask, grant = Turns.ask, Turns.grant

    def noted_ask(self: Turns, partnership: str, size_bytes: int) -> None:
        asked[partnership] = size_bytes
        ask(self, partnership, size_bytes)

    def noted_grant(self: Turns, now: float) -> list[str]:
        names = grant(self, now)
        found.rows += [(now, name, asked[name]) for name in names]
        return names

    monkeypatch.setattr(Turns, "ask", noted_ask)
    monkeypatch.setattr(Turns, "grant", noted_grant)
    return found


def waits(site: Site, partnership: str = PARTNERSHIP) -> bool:
    """Whether the copy of a partnership waits for its turn."""
    return partnership in site._sharing._waiting


async def begin(fabric: Fabric, *, fill_bytes: int = 2 * MIB) -> tuple[Site, Site]:
    """Two sites whose first copy may begin, once both are started."""
    a = await fabric.with_volumes("A")
    b = await fabric.with_volumes("B")
    await a.write("volA", 0, b"x" * fill_bytes)
    await a.create_replica(fabric.spec("A", "B"))
    await b.create_replica(fabric.spec("B", "A"))
    return a, b


async def start(a: Site, b: Site, partnership: str = PARTNERSHIP) -> None:
    await b.start_replica(partnership)
    await a.start_replica(partnership)


def is_live(report: ReplicaReport) -> bool:
    return report.flow is Flow.LIVE


async def test_a_copy_asks_for_what_it_reads_and_keeps_to_the_rate(
    fabric: Fabric, granted: Granted
) -> None:
    a, b = await begin(fabric)
    rate = 32 * MIB
    await a.set_copy_plan(CopyPlan(rate))
    await start(a, b)
    await reported(a, is_live)
    # Holes cost nothing: they are not read.
    assert 2 * MIB <= granted.bytes_of(PARTNERSHIP) < 8 * MIB
    first, last = granted.rows[0][0], granted.rows[-1][0]
    assert rate * (last - first + SLACK_SECONDS) >= 2 * MIB - TURN


async def test_without_a_rate_nobody_asks(fabric: Fabric, granted: Granted) -> None:
    a, b = await begin(fabric)
    await a.set_copy_plan(CopyPlan(0, (CopyTerms(PARTNERSHIP, 30), CopyTerms(SECOND, 1, MIB))))
    await start(a, b)
    await reported(a, is_live)
    assert granted.rows == []


async def test_a_copy_that_waits_keeps_no_writer_waiting(fabric: Fabric) -> None:
    a, b = await begin(fabric)
    await a.set_copy_plan(STANDSTILL)
    await start(a, b)
    await until(lambda: waits(a))
    for offset in range(0, 8 * MIB, MIB):
        await a.write("volA", offset, b"y" * 4096)
    assert not is_live(await a.replica(PARTNERSHIP))
    await a.set_copy_plan(CopyPlan())
    await reported(a, is_live)
    assert (await a.verify(PARTNERSHIP)).differing_blocks == 0


async def test_a_plan_holds_over_a_restart(fabric: Fabric) -> None:
    a, b = await begin(fabric)
    plan = CopyPlan(1, (CopyTerms(PARTNERSHIP, 7, 300_000),))
    await a.set_copy_plan(plan)
    await start(a, b)
    await until(lambda: waits(a))
    a = await fabric.reopen("A")
    assert (await a.describe()).copy_plan == plan
    await until(lambda: waits(a))
    await a.set_copy_plan(CopyPlan())
    await reported(a, is_live)


async def test_a_copy_ends_while_it_waits(fabric: Fabric) -> None:
    """By the peer's end, by a pause, by the end of the site: nobody waits for the rate."""
    a, b = await begin(fabric)
    await a.set_copy_plan(STANDSTILL)
    await start(a, b)
    await until(lambda: waits(a))
    b = await fabric.reopen("B")
    await until(lambda: waits(a))
    await a.suspend(PARTNERSHIP)
    assert not waits(a)
    await a.resume(PARTNERSHIP)
    await until(lambda: waits(a))
    await a.close()
    assert not waits(a)
    assert a._sharing._timer is None


async def test_two_copies_of_a_site_share_the_rate(fabric: Fabric, granted: Granted) -> None:
    a, b = await begin(fabric)
    for site, array, peer in ((a, "A", "B"), (b, "B", "A")):
        await site.create_volume(volume(f"two{array}", pool=f"Pool{array}", size_bytes=8 * MIB))
        await site.create_volume(log(f"log2{array}", pool=f"Pool{array}"))
        pool = fabric.place / f"Pool{array}"
        spec = attrs.evolve(
            fabric.spec(array, peer, SECOND),
            group=f"second{array}",
            peer_group=f"second{peer}",
            log_path=str(pool / f"log2{array}"),
            volumes=(ReplicaVolume(f"two{array}", str(pool / f"two{array}"), 8 * MIB, 4096),),
        )
        if site is a:
            await a.write("twoA", 0, b"z" * 3 * MIB)
        await site.create_replica(spec)
    await a.set_copy_plan(STANDSTILL)
    await start(a, b)
    await start(a, b, SECOND)
    await until(lambda: waits(a) and waits(a, SECOND))
    del granted.rows[:]
    rate = 32 * MIB
    await a.set_copy_plan(CopyPlan(rate, (CopyTerms(PARTNERSHIP, 30), CopyTerms(SECOND, 10))))
    await reported(a, is_live)
    await reported(a, is_live, SECOND)
    assert granted.bytes_of(PARTNERSHIP) + granted.bytes_of(SECOND) >= 4 * MIB
    began = granted.rows[0][0]
    for index, (when, _, _) in enumerate(granted.rows):
        before = sum(size_bytes for _, _, size_bytes in granted.rows[:index])
        assert before <= rate * (when - began + SLACK_SECONDS)


async def test_no_timer_is_left_when_nobody_waits() -> None:
    sharing = Sharing(Turns(CopyPlan(MIB)))
    pace, other = sharing.pace("a"), sharing.pace("b")
    assert pace.claim(TURN) is None
    turn = other.claim(TURN)
    assert turn is not None
    pace.withdraw()
    assert sharing._timer is not None
    other.withdraw()
    await asyncio.wait_for(_all_of(turn), 10)
    assert sharing._timer is None
    sharing.configure(CopyPlan())
    assert other.claim(TURN) is None


async def _all_of(turn: object) -> None:
    await turn  # type: ignore[misc]
