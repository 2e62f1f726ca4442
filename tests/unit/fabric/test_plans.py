"""A plan can be kept and carried out later, in the world that it was made for and in no other."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from srshell.fabric.applying import call_of, read_plan
from srshell.fabric.change import Change
from srshell.fabric.jobs import JobHandle
from srshell.fabric.session import FabricSession
from srshell.fabric.worlds import world_of
from srshell.model.errors import SrError
from srshell.model.report import PlanReport, encode
from tests.unit.fabric.setting import Opener, discover_both, provision_both


async def apply(fabric: FabricSession, plan: PlanReport, confirm: str | None = None) -> object:
    """Carry out a plan as the command line and the magics do."""
    call = call_of(plan, confirm)
    return await fabric.perform(call.method, call.arguments)


async def test_a_plan_that_was_kept_is_carried_out_once(
    protected: FabricSession, tmp_path: Path
) -> None:
    """Through a file; the second time the roles are other ones, and nothing is done."""
    planned = await protected.plan("failover", group="PriRG", kind="planned")
    file = tmp_path / "plan.json"
    file.write_bytes(encode(planned))
    plan = read_plan(str(file))
    assert plan == planned
    with pytest.raises(SrError) as unconfirmed:
        await apply(protected, plan)
    assert unconfirmed.value.code == "SR0101"
    await apply(protected, plan, "RecRG")
    for confirm in (None, "RecRG", "PriRG"):
        with pytest.raises(SrError) as moved:
            await apply(protected, plan, confirm)
        assert moved.value.code in {"SR6010", "SR6013"}
    assert (await protected.group("RecRG")).is_primary


async def test_a_plan_is_refused_when_the_world_has_moved(
    protected: FabricSession,
) -> None:
    """Anything that a person did to the fabric counts, also elsewhere."""
    plan = await protected.plan("set_policy", group="PriRG", on_peer_loss="suspend-io")
    other = await protected.plan("suspend", group="PriRG")
    await protected.suspend("PriRG")
    for stale in (plan, other):
        with pytest.raises(SrError) as moved:
            await apply(protected, stale)
        assert moved.value.code == "SR6010"
        assert moved.value.mend.startswith("srshell plan ")
    # Back in the same world, the plan holds again.
    await protected.resume("PriRG")


async def test_the_world_is_the_same_when_the_fabric_notes_something_by_itself(
    protected: FabricSession,
) -> None:
    """That the sides are in step again after a role change is noted some time after they are."""

    async def nothing(_handle: JobHandle) -> None:
        return

    context, change = protected.context, Change("failback RecRG", "PriRG", (), nothing)
    [partnership] = context.snapshot.partnerships
    worlds = set()
    for failed_over in (True, False):
        context.put(attrs.evolve(partnership, failed_over=failed_over))
        worlds.add(world_of(context, change))
    context.put(attrs.evolve(partnership, copy_priority=30))
    assert len(worlds) == 1
    assert world_of(context, change) not in worlds


async def test_every_plan_of_the_setup_can_be_kept(fabric: FabricSession, opener: Opener) -> None:
    """Verbs with many arguments, too."""
    await discover_both(fabric, opener)
    plan = await fabric.plan("classify", pool="A/PoolA", classification="bronze")
    await apply(fabric, plan)
    assert (await fabric.pools())[0].classification == "bronze"
    await provision_both(fabric)
    with pytest.raises(SrError) as moved:
        await apply(fabric, plan)
    assert moved.value.code == "SR6010"


def test_what_is_no_plan_is_not_carried_out(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    with pytest.raises(SrError) as absent:
        read_plan(str(file))
    assert absent.value.code == "SR0105"
    for text in ("", "{", '{"schema": "srshell.jobs/1", "jobs": []}'):
        file.write_text(text)
        with pytest.raises(SrError) as refused:
            read_plan(str(file))
        assert refused.value.code == "SR0005"
    for plan in (PlanReport("x", ()), PlanReport("x", (), verb="nothing", world="w")):
        with pytest.raises(SrError):
            call_of(plan, None)
