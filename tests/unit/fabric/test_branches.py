"""Branches through the fabric: made by resolve, listed, served, kept, removed, and let go."""

from __future__ import annotations

import json

import attrs
import pytest

from srshell.fabric.context import Context
from srshell.fabric.pages import page_of
from srshell.fabric.session import FabricSession
from srshell.fabric.verbs.branches import GRACE_SECONDS, remove_expired
from srshell.model.branch import DAY_SECONDS, KEEP_DAYS
from srshell.model.errors import SrError
from srshell.model.replica import Divergence, ReplicaRole
from srshell.model.report import BranchesReport, BranchRow, encode
from tests.unit.fabric.fake_world import FakeWorld


def split(world: FakeWorld) -> None:
    """Both sides wrote alone and have met."""
    world.linked = False
    for site, blocks in ((world.sites["A"], 3), (world.sites["B"], 5)):
        for partnership in site.replicas:
            delta = Divergence(10, 10 + blocks, blocks, blocks * 4096, 1.0e9, 1.0e9 + blocks)
            site.change(
                partnership, split=delta, role=ReplicaRole.PRIMARY, writable=True, alone=True
            )


async def resolved(session: FabricSession, world: FakeWorld, keep_days: int = 30) -> BranchRow:
    """Resolve in favour of B; return the branch of A."""
    split(world)
    report = await session.resolve("PriRG", "B", confirm="A", keep_days=keep_days)
    (row,) = (await session.branches()).branches
    assert (report.branch, report.lost, report.kept) == (row.name, "A", "B")
    assert report.branch_bytes == 3 * 4096
    return row


def told(session: FabricSession, code: str) -> list[str]:
    return [e.text for e in session.context.catalogue.events() if e.code == code]


async def test_resolve_makes_a_branch_that_is_listed(
    protected: FabricSession, world: FakeWorld
) -> None:
    """With its owner's group or its partner's, and what only the loser had."""
    row = await resolved(protected, world)
    assert row.expires_unix == pytest.approx(row.saved_unix + KEEP_DAYS * DAY_SECONDS)
    assert (row.from_lsn, row.to_lsn, row.first_write_unix) == (10, 13, 1.0e9)
    for group in ("PriRG", "RecRG"):
        assert (await protected.branches(group)).branches == (row,)
    assert (await protected.branch(row.name)).branch == row
    assert row.name in told(protected, "SR6301")[0]
    with pytest.raises(SrError, match="SR0105"):
        await protected.branches("NoRG")


async def test_a_plan_of_resolve_names_the_steps_and_changes_nothing(
    protected: FabricSession, world: FakeWorld
) -> None:
    """What would be saved is said; the array that loses has to be typed."""
    split(world)
    plan = await protected.plan("resolve", group="PriRG", keep="B")
    assert [step.name for step in plan.steps] == ["save", "follow"]
    assert plan.confirm == "A"
    assert plan.lost_bytes == 3 * 4096
    assert (await protected.branches()).branches == ()
    with pytest.raises(SrError, match="SR0101"):
        await protected.resolve("PriRG", "B")


async def test_a_branch_is_served_read_only_and_no_longer(
    protected: FabricSession, world: FakeWorld
) -> None:
    row = await resolved(protected, world)
    export = await protected.export_branch(row.name)
    assert [each.read_only for each in export.exports] == [True]
    assert str(export) == export.exports[0].uri
    assert (await protected.branch(row.name)).branch.exports == export.exports
    gone = await protected.export_branch(row.name, on=False)
    assert not gone.serving
    assert (await protected.branch(row.name)).branch.exports == ()


async def test_a_branch_is_removed_by_name_alone(
    protected: FabricSession, world: FakeWorld
) -> None:
    """Not under its readers, and not by mistake."""
    row = await resolved(protected, world)
    with pytest.raises(SrError, match="SR0101"):
        await protected.remove_branch(row.name, confirm="PriRG")
    await protected.export_branch(row.name)
    with pytest.raises(SrError, match="SR6028"):
        await protected.remove_branch(row.name, confirm=row.name)
    await protected.export_branch(row.name, on=False)
    assert (await protected.remove_branch(row.name, confirm=row.name)).removed
    assert (await protected.branches()).branches == ()
    assert row.name in told(protected, "SR6302")[0]
    with pytest.raises(SrError, match="SR0105"):
        await protected.branch(row.name)


async def test_a_branch_is_kept_as_long_as_a_person_says(
    protected: FabricSession, world: FakeWorld
) -> None:
    """When it is made, and later."""
    row = await resolved(protected, world, keep_days=2)
    assert row.expires_unix == pytest.approx(row.saved_unix + 2 * DAY_SECONDS)
    later = (await protected.keep_branch(row.name, 90)).branch
    assert later.expires_unix > row.expires_unix + 80 * DAY_SECONDS
    for days in (0, 10**6):
        with pytest.raises(SrError, match="SR0005"):
            await protected.keep_branch(row.name, days)


@attrs.define
class _Clock:
    """A clock that is set by hand."""

    now: float
    ticks: float = 0.0

    def unix(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.ticks


async def look(context: Context, clock: _Clock, seen: dict[str, float]) -> None:
    """Look for expired branches by another clock."""
    real, context.clock = context.clock, clock  # type: ignore[assignment]
    try:
        await remove_expired(context, seen)
    finally:
        context.clock = real


async def test_a_branch_goes_after_its_day_and_never_before(
    protected: FabricSession, world: FakeWorld
) -> None:
    """And not for a clock that was set wrong for a moment."""
    row = await resolved(protected, world)
    clock, seen = _Clock(row.expires_unix - 1), {}  # type: ignore[var-annotated]
    await look(protected.context, clock, seen)
    clock.now, clock.ticks = row.expires_unix + 10, 2 * GRACE_SECONDS
    await look(protected.context, clock, seen)
    clock.now = row.saved_unix  # it was set right again
    await look(protected.context, clock, seen)
    clock.now, clock.ticks = row.expires_unix + 10, 4 * GRACE_SECONDS
    await look(protected.context, clock, seen)
    assert len((await protected.branches()).branches) == 1
    assert told(protected, "SR6303") == []
    clock.ticks += GRACE_SECONDS
    await look(protected.context, clock, seen)
    assert (await protected.branches()).branches == ()
    assert row.name in told(protected, "SR6303")[0]


async def test_an_expired_branch_that_is_read_stays(
    protected: FabricSession, world: FakeWorld
) -> None:
    """It goes at a later look."""
    row = await resolved(protected, world)
    await protected.export_branch(row.name)
    clock, seen = _Clock(row.expires_unix + 1), {row.name: -GRACE_SECONDS}
    await look(protected.context, clock, seen)
    assert len((await protected.branches()).branches) == 1
    await protected.export_branch(row.name, on=False)
    await look(protected.context, clock, seen)
    assert (await protected.branches()).branches == ()


async def test_a_site_that_does_not_answer_is_said_to_be_missing(
    protected: FabricSession, world: FakeWorld
) -> None:
    """An empty list would look as if nothing had been kept."""
    row = await resolved(protected, world)
    world.down("A")
    report = await protected.branches()
    assert (report.branches, report.unreachable) == ((), ("A",))
    with pytest.raises(SrError, match="SR0105") as refused:
        await protected.branch(row.name)
    assert "A did not answer" in refused.value.facts


async def test_a_split_brain_is_shown_with_both_deltas(
    protected: FabricSession, world: FakeWorld
) -> None:
    """In the rows of status, on the page, as facts of a refusal, in why and in the event."""
    split(world)
    for site, other in (("A", "B"), ("B", "A")):
        for partnership, report in world.sites[other].replicas.items():
            world.sites[site].change(partnership, peer_split=report.split)
    await protected.context.look_at("A", "B")
    status = await protected.status("PriRG")
    sides = next(row.split for row in status.groups if row.name == "PriRG")
    assert [(side.array, side.blocks, side.to_lsn) for side in sides] == [
        ("A", 3, 13),
        ("B", 5, 15),
    ]
    assert sides[1].last_write_unix == 1.0e9 + 5
    page = page_of(json.loads(encode(status)))
    assert any("B: 5 blocks, 20 KiB, LSN 11 to 15, written" in line for line in page.lines)
    assert any("srshell resolve PriRG --keep A --confirm B" in line for line in page.lines)
    with pytest.raises(SrError, match="SR6005") as refused:
        await protected.failover("PriRG", confirm="RecRG")
    assert "A wrote 3 blocks (12 KiB), LSN 11 to 13, written" in refused.value.facts
    assert "B wrote 5 blocks (20 KiB)" in refused.value.facts
    why = await protected.why("RecRG")
    assert any(line.startswith("B wrote 5 blocks") for line in why.chain)
    assert why.mend == "srshell resolve RecRG --keep B --confirm A"
    heard = await protected.context.wait_until(lambda: told(protected, "SR6005") or None, 10.0)
    assert heard
    assert "A wrote 3 blocks" in told(protected, "SR6005")[0]


async def test_a_delta_that_is_not_known_is_not_made_up(
    protected: FabricSession, world: FakeWorld
) -> None:
    """The other side has not said it yet."""
    split(world)
    await protected.context.look_at("A", "B")
    status = await protected.status("PriRG")
    (sides,) = [row.split for row in status.groups if row.name == "PriRG"]
    assert [side.array for side in sides] == ["A"]
    page = page_of(json.loads(encode(status)))
    assert not any("srshell resolve" in line for line in page.lines)


async def test_pages_say_what_a_person_needs(protected: FabricSession, world: FakeWorld) -> None:
    """What is kept, until when, where to read it; and what is missing from the list."""

    def page(report: object) -> str:
        made = page_of(json.loads(encode(report)))
        rows = [" ".join(row) for row in made.rows]
        return "\n".join((made.headline, " ".join(made.columns), *rows, *made.lines))

    assert page(await protected.branches()).startswith("no branches")
    row = await resolved(protected, world)
    listed = page(await protected.branches())
    assert f"{row.name} A 12 KiB 8 KiB" in listed
    assert listed.rstrip().endswith("no")
    shown = page(await protected.branch(row.name))
    assert "lost by A, B was kept" in shown
    assert "3 blocks, 12 KiB, LSN 11 to 13" in shown
    export = await protected.export_branch(row.name)
    assert page(export).startswith(f"{export.uri} (read-only)")
    assert export.uri in page(await protected.branch(row.name))
    gone = page(await protected.export_branch(row.name, on=False))
    assert gone.startswith(f"{row.name} is served no longer")
    removed = page(await protected.remove_branch(row.name, confirm=row.name))
    assert removed.startswith(f"branch {row.name} was removed")
    missing = BranchesReport((), ("A",), ("SR6027 /pool/x: it is damaged",))
    assert "A does not answer: its branches are not listed" in page(missing)
    assert "cannot be read: SR6027 /pool/x" in page(missing)
