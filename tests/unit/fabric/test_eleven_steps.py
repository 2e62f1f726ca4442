"""The article's eleven steps through the session, over sites without disks."""

from __future__ import annotations

import pytest

from srshell.fabric.session import FabricSession
from srshell.model.errors import SrError
from srshell.model.report import PlanReport
from srshell.model.states import ReplicationState
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, discover_both, provision_both


async def test_a_group_goes_from_disabled_to_in_sync(fabric: FabricSession, opener: Opener) -> None:
    """The states of steps 5 to 8 come in the article's order."""
    await discover_both(fabric, opener)
    await provision_both(fabric)
    seen = [(await fabric.group("PriRG")).replication_state]
    await fabric.enable("PriRG", "RecRG")
    seen.append((await fabric.group("PriRG")).replication_state)
    await fabric.refresh()
    seen.append((await fabric.group("PriRG")).replication_state)
    assert seen == [
        ReplicationState.DISABLED,
        ReplicationState.READY,
        ReplicationState.SYNCHRONIZING,
    ]


async def test_no_copy_begins_before_both_providers_were_refreshed(
    fabric: FabricSession, opener: Opener
) -> None:
    """Rules 50 and 51: one refresh is not enough."""
    await discover_both(fabric, opener)
    await provision_both(fabric)
    await fabric.enable("PriRG", "RecRG")
    first = await fabric.refresh("A")
    assert first.started == ()
    assert [note.code for note in first.changes] == ["SR5002"]
    assert (await fabric.group("PriRG")).replication_state is ReplicationState.READY
    assert (await fabric.refresh("B")).started == ("PriRG",)


async def test_the_first_copy_is_replicating_and_not_rpo_0(
    fabric: FabricSession, opener: Opener, world: FakeWorld
) -> None:
    """Rules 53 and 55: the copy shows its progress, no recovery point, and no readiness."""
    world.copying = True
    await discover_both(fabric, opener)
    await provision_both(fabric)
    await fabric.enable("PriRG", "RecRG")
    await fabric.refresh(wait_for_copy=False)
    row = (await fabric.status("PriRG")).groups[0]
    assert row.replication_state is ReplicationState.REPLICATING
    assert row.rpo_seconds is None
    assert not row.failover_ready
    assert row.progress is not None
    assert row.progress.eta_seconds is None
    with pytest.raises(SrError) as refused:
        await fabric.failover("PriRG", confirm="RecRG")
    assert refused.value.code == "SR6001"
    world.finish_copy()
    done = (await fabric.wait("PriRG", timeout=5)).groups
    assert [row.rpo_seconds for row in done] == [0.0, 0.0]


async def test_roles_change_and_change_back(protected: FabricSession) -> None:
    """Steps 10 and 11, named by either group, with nothing lost."""
    over = await protected.failover("PriRG", confirm="RecRG")
    assert (over.new_primary, over.lost_bytes, over.epoch) == ("RecRG", 0, 2)
    rows = {row.name: row.is_primary for row in await protected.status()}
    assert rows == {"PriRG": False, "RecRG": True}
    back = await protected.failback("PriRG", confirm="PriRG")
    assert (back.new_primary, back.schema) == ("PriRG", "srshell.failback/1")
    rows = {row.name: row.is_primary for row in await protected.status()}
    assert rows == {"PriRG": True, "RecRG": False}


async def test_teardown_frees_both_sides(protected: FabricSession, world: FakeWorld) -> None:
    """Rules 75 to 77: both leave, and the groups can be enabled again."""
    report = await protected.teardown("PriRG", confirm="PriRG")
    assert report.waiting_for == ()
    assert all(not site.replicas for site in world.sites.values())
    again = await protected.enable("PriRG", "RecRG")
    assert not again.already


async def test_teardown_of_one_side_waits_for_the_other(protected: FabricSession) -> None:
    """The side that stays says what it waits for, and its own tear-down completes it."""
    report = await protected.teardown("RecRG", confirm="RecRG", this_side_only=True)
    assert report.waiting_for == ("PriRG",)
    row = (await protected.status("PriRG")).groups[0]
    assert row.replication_state is ReplicationState.WAITING_FOR_TEAR_DOWN
    rest = await protected.teardown("PriRG", confirm="PriRG")
    assert rest.groups == ("PriRG",)
    assert rest.waiting_for == ()


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("discover", {"where": "EAST", "name": "A"}),
        ("classify", {"pool": "A/PoolA", "classification": "gold"}),
        ("pair", {"array": "A", "peer": "B"}),
        ("create_group", {"name": "PriRG", "data": ["PV"], "log": "PL"}),
        ("enable", {"source": "PriRG", "destination": "RecRG"}),
        ("provision", {"name": "PV", "on": "A/PoolA", "size": "1G"}),
        ("set_policy", {"group": "PriRG", "on_peer_loss": "continue"}),
        ("resume", {"group": "PriRG"}),
    ],
)
async def test_what_is_so_already_makes_no_job(
    protected: FabricSession, opener: Opener, verb: str, arguments: dict[str, object]
) -> None:
    """A notebook that is run again from the top succeeds and changes nothing."""
    if arguments.get("where") == "EAST":
        arguments = {**arguments, "where": opener.east}
    before = len(await protected.jobs())
    await protected.perform(verb, arguments)
    assert len(await protected.jobs()) == before


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("classify", {"pool": "A/PoolA", "classification": "silver"}),
        ("provision", {"name": "New", "on": "A/PoolA", "size": "1G"}),
        ("prepare", {"group": "PriRG"}),
        ("failover", {"group": "PriRG"}),
        ("failover", {"group": "PriRG", "kind": "unplanned"}),
        ("suspend", {"group": "PriRG"}),
        ("teardown", {"group": "PriRG"}),
        ("set_policy", {"group": "PriRG", "on_peer_loss": "suspend-io"}),
        ("add_vm", {"name": "vm", "volume": "PV"}),
        ("nbd", {"volume": "PV"}),
        ("restart", {"array": "A"}),
        ("fault", {"part": "site", "kind": "crash", "array": "A"}),
        ("refresh", {}),
    ],
)
async def test_a_dry_run_changes_nothing(
    protected: FabricSession, world: FakeWorld, verb: str, arguments: dict[str, object]
) -> None:
    """No verb of a site is called, no job made, no event told; the plan says what would be done."""
    world.called.clear()
    before = protected.context.catalogue.snapshot()
    events = len(await protected.events())
    plan = await protected.plan(verb, **arguments)
    assert isinstance(plan, PlanReport)
    assert plan.steps
    assert [call for call in world.called if call[1] != "blank"] == []
    assert protected.context.catalogue.snapshot() == before
    assert len(await protected.events()) == events
