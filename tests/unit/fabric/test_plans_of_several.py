"""Several commands are planned as one: on a copy, each where those before it were carried out."""

from __future__ import annotations

from typing import Any

import pytest

from srshell.fabric.applying import call_of, plan_of_lines
from srshell.fabric.calls import parse_line
from srshell.fabric.command_spec import Role
from srshell.fabric.planning import several
from srshell.fabric.planning.copying import copied
from srshell.fabric.planning.site import CopiedSite
from srshell.fabric.roles import needed_role
from srshell.fabric.session import HANDLERS, FabricSession
from srshell.fabric.verb import VERBS
from srshell.model.errors import SrError
from srshell.model.inventory import JobState
from srshell.model.report import PlanReport, PlanRunReport, decode, encode
from srshell.site.api import SiteApi
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, discover_both

PAIR_TO_SYNC = """
srshell provision PV RV --size 1G --logs PL RL --log-size 64M
srshell group create PriRG --data PV --log PL
srshell group create RecRG --data RV --log RL
srshell enable PriRG RecRG
srshell refresh --all
"""
AND_OVER = """
srshell wait PriRG --until Synchronizing
srshell vm add DemoVM --volume PV
srshell vm rm DemoVM
srshell failover PriRG --planned
srshell failback RecRG
srshell suspend PriRG
srshell resume PriRG
srshell teardown PriRG
"""
BIG = "srshell provision V --on A/PoolA --size 80G"
#: Every verb that changes something, with a fabric in which it can be tried.
SETUP_LINES = PAIR_TO_SYNC + AND_OVER


async def plan_of(fabric: FabricSession, text: str) -> PlanReport:
    """The plan of several commands, as one that was kept would be read back."""
    call = plan_of_lines(text.splitlines())
    plan = await fabric.perform(call.method, call.arguments)
    again = decode(encode(plan))
    assert again == decode(encode(again))
    assert isinstance(again, PlanReport)
    return again


async def apply(fabric: FabricSession, plan: PlanReport, confirm: str | None = None) -> Any:  # noqa: ANN401
    call = call_of(plan, confirm)
    return await fabric.perform(call.method, call.arguments)


@pytest.fixture
async def paired(fabric: FabricSession, opener: Opener) -> FabricSession:
    """A fabric with two paired arrays."""
    await discover_both(fabric, opener)
    return fabric


async def test_the_whole_way_is_planned_before_anything_is_there(
    paired: FabricSession, world: FakeWorld
) -> None:
    """Later commands name what earlier ones make; the fabric itself does not move."""
    world.called.clear()
    before = paired.context.catalogue.snapshot()
    events, jobs = len(await paired.events()), len(await paired.jobs())
    plan = await plan_of(paired, SETUP_LINES)
    assert [part.command.split()[0] for part in plan.parts] == [
        "provision", "group", "group", "enable", "refresh", "wait", "vm", "vm", "failover",
        "failback", "suspend", "resume", "teardown",
    ]  # fmt: skip
    assert [row.text for row in plan.steps] == [part.command for part in plan.parts]
    assert paired.context.catalogue.snapshot() == before
    assert (len(await paired.events()), len(await paired.jobs())) == (events, jobs)
    assert [call for call in world.called if call[1] != "blank"] == []


async def test_a_plan_says_what_it_costs_and_what_is_not_to_be_had(paired: FabricSession) -> None:
    gib, mib = 1024**3, 1024**2
    plan = await plan_of(paired, SETUP_LINES)
    assert plan.taken_bytes == 2 * gib + 128 * mib
    assert plan.copied_bytes == gib
    failover = plan.parts[8]
    assert failover.unavailable[0].startswith("no writes to PriRG while the roles change")
    assert "PV at A takes no writes" in failover.unavailable
    assert any("PriRG leads and is Synchronizing" in row.text for row in failover.measured)
    assert "PriRG is protected no longer" in plan.parts[10].unavailable
    assert "machine DemoVM is stopped" in plan.parts[7].unavailable
    assert "9: PV at A takes no writes" in plan.unavailable
    assert plan.confirm == "RecRG,PriRG"
    assert plan.lost_bytes == 0


async def test_the_way_back_can_be_typed(protected: FabricSession) -> None:
    """What a plan names as its inverse brings the fabric back to where it was."""
    for text in (
        "srshell failover PriRG --planned",
        "srshell suspend PriRG",
        "srshell prepare PriRG",
        "srshell group set PriRG --on-peer-loss suspend-io",
        "srshell vm add DemoVM --volume PV",
        "srshell teardown PriRG",
    ):
        plan = await plan_of(protected, text)
        assert plan.inverse, text
        before = protected.context.view()
        await apply(protected, plan, plan.confirm)
        for line in plan.inverse:
            call = parse_line(line)
            await protected.perform(call.method, call.arguments)
        after = protected.context.view()
        assert after.primary_of("PriRG") == before.primary_of("PriRG"), text
        assert after.state("PriRG") == before.state("PriRG"), text
        assert after.snapshot.groups == before.snapshot.groups
        assert after.snapshot.vms == before.snapshot.vms


async def test_what_cannot_be_undone_says_so(protected: FabricSession) -> None:
    await protected.provision("Spare", "A/PoolA", "1G")
    plan = await plan_of(protected, "srshell volume rm Spare")
    assert plan.inverse is None
    assert plan.taken_bytes == -(1024**3)
    assert plan.unavailable == ("1: volume Spare is removed with its data",)


async def test_a_plan_is_carried_out_as_it_was_made(paired: FabricSession) -> None:
    """One job for the whole, one for each command; what comes of it is what the copy said."""
    plan = await plan_of(paired, PAIR_TO_SYNC + "srshell failover PriRG --planned")
    with pytest.raises(SrError) as unconfirmed:
        await apply(paired, plan)
    assert unconfirmed.value.code == "SR0101"
    done = await apply(paired, plan, "RecRG")
    assert isinstance(done, PlanRunReport)
    assert len(done) == 6
    assert (await paired.group("RecRG")).is_primary
    whole = next(job for job in await paired.jobs() if job.command.startswith("plan of"))
    assert whole.state is JobState.DONE
    with pytest.raises(SrError) as moved:
        await apply(paired, plan, "RecRG")
    assert moved.value.code in {"SR6010", "SR4001", "SR3002"}


async def test_a_plan_is_refused_once_the_world_has_moved(protected: FabricSession) -> None:
    plan = await plan_of(protected, "srshell suspend PriRG\nsrshell resume PriRG")
    await protected.provision("Spare", "A/PoolA", "1G")
    jobs = len(await protected.jobs())
    with pytest.raises(SrError) as moved:
        await apply(protected, plan)
    assert moved.value.code == "SR6010"
    assert len(await protected.jobs()) == jobs


async def test_a_plan_stops_where_the_world_moves_under_it(
    protected: FabricSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else acts between two commands: the next one is not carried out."""
    plan = await plan_of(protected, "srshell suspend PriRG\nsrshell failover PriRG --unplanned")
    assert plan.parts[1].confirm == "RecRG"
    changed = plan.parts[1].steps[:1]
    real = several._change

    async def other(*args: Any) -> Any:  # noqa: ANN401
        change = await real(*args)
        if change.command.startswith("failover") and not args[0].copied:
            object.__setattr__(change, "steps", changed)
        return change

    monkeypatch.setattr(several, "_change", other)
    with pytest.raises(SrError) as moved:
        await apply(protected, plan, "RecRG")
    assert moved.value.code == "SR6010"
    assert moved.value.facts.startswith("command 2 of the plan (failover)")
    assert (await protected.group("PriRG")).is_primary


REFUSED: tuple[tuple[str, int, str], ...] = (
    ("srshell pair A B\nsrshell failover PriRG --planned", 2, "SR0105"),
    (f"{PAIR_TO_SYNC}srshell group rm PriRG", 6, "SR3013"),
    (f"{BIG}\n{BIG.replace(' V ', ' W ')}", 2, "SR2005"),
    ("srshell suspend PriRG", 1, "SR0105"),
)


async def test_a_plan_that_would_be_refused_names_the_command(paired: FabricSession) -> None:
    """By the rules of that command, where those before it were carried out."""
    for text, number, code in REFUSED:
        with pytest.raises(SrError) as refused:
            await plan_of(paired, text)
        assert refused.value.facts.startswith(f"command {number} of the plan"), text
        assert refused.value.code == code


async def test_what_is_so_already_needs_no_way_back(paired: FabricSession) -> None:
    plan = await plan_of(paired, f"{BIG}\n{BIG}")
    assert [part.inverse for part in plan.parts] == [
        ("srshell volume rm V --confirm V",),
        (),
    ]


NO_PLANS: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"verb": "status", "arguments": {}}],
    [{"verb": "nothing", "arguments": {}}],
    [{"arguments": {}}],
    [{"verb": "pair", "arguments": 3}],
    [{"verb": "pair", "arguments": {"array": 3}}],
    [{"verb": "fault", "arguments": {"part": "owner", "kind": "crash"}}],
    [{"verb": "run_plan", "arguments": {"lines": []}}],
    [{"verb": "suspend", "arguments": {"group": "PriRG"}}] * 201,
)


async def test_what_is_no_plan_is_refused(fabric: FabricSession) -> None:
    for lines in NO_PLANS:
        with pytest.raises(SrError) as refused:
            await fabric.plan("run_plan", lines=lines)
        assert refused.value.code in {"SR0001", "SR0108"}


async def test_looking_is_left_out_of_a_plan(protected: FabricSession) -> None:
    plan = await plan_of(protected, "srshell status\nsrshell suspend PriRG\nsrshell groups")
    assert [part.command for part in plan.parts] == ["suspend PriRG"]
    assert plan.left_out == ("status", "groups")


async def test_a_cancelled_plan_stops_after_its_command(protected: FabricSession) -> None:
    plan = await plan_of(protected, "srshell suspend PriRG\nsrshell resume PriRG")
    call = call_of(plan, None)
    report = await protected.perform(call.method, {**call.arguments, "wait": False})
    await protected.job(report.job.id, cancel=True)
    ended = await protected.job(report.job.id, ended=True)
    assert ended.job.state is JobState.CANCELLED
    state = protected.context.view().state("PriRG").value
    assert state in {"Synchronizing", "Suspended"}


def test_every_verb_that_changes_something_can_be_copied_or_is_known_not_to() -> None:
    """A new verb is planned on a copy, too; one that cannot be is named."""
    changing = {name for name, verb in VERBS.items() if "dry_run" in verb.signature.parameters}
    assert changing - set(HANDLERS) == {"run_plan"}
    assert changing >= several._NOT_COPIED


async def test_a_copy_leaves_its_original_alone(protected: FabricSession) -> None:
    """Its catalogue, its sites and its watchers end with it."""
    before = protected.context.view()
    async with copied(protected.context) as copy:
        for partnership in copy.context.snapshot.partnerships:
            await copy.context.site("A").suspend(partnership.partnership)
        copy.context.put(*copy.context.snapshot.pools)
        assert copy.context.view().state("PriRG").value == "Suspended"
    after = protected.context.view()
    assert after.state("PriRG").value == "Synchronizing"
    assert after.snapshot == before.snapshot


async def test_a_single_plan_says_the_same_of_itself(protected: FabricSession) -> None:
    alone = await protected.plan("failover", group="PriRG", kind="planned")
    part = (await plan_of(protected, "srshell failover PriRG --planned")).parts[0]
    for field in ("steps", "checks", "unavailable", "inverse", "copied_bytes", "confirm"):
        assert getattr(alone, field) == getattr(part, field), field
    assert alone.inverse == ("srshell failback RecRG --confirm PriRG",)
    await protected.failover("PriRG", confirm="RecRG")
    again = await protected.plan("failover", group="RecRG", kind="planned")
    assert again.about_seconds is not None


def test_a_plan_of_several_needs_the_highest_of_their_roles() -> None:
    look = {"verb": "status", "arguments": {}}
    operate = {"verb": "suspend", "arguments": {"group": "PriRG"}}
    destroy = {"verb": "teardown", "arguments": {"group": "PriRG"}}
    for lines, role in (
        ([look], Role.VIEWER),
        ([look, operate], Role.OPERATOR),
        ([look, operate, destroy], Role.ADMIN),
        ([], Role.ADMIN),
        (["x"], Role.ADMIN),
        ([{"verb": "run_plan", "arguments": {"lines": [look]}}], Role.ADMIN),
        ("status", Role.ADMIN),
    ):
        assert needed_role("run_plan", {"lines": lines}) is role
    assert needed_role("run_plan", {}) is Role.ADMIN


def test_a_copied_site_knows_every_verb_of_a_site() -> None:
    """One that is added to sites must not be missing where plans are tried."""
    verbs = {name for name in vars(SiteApi) if not name.startswith("_")}
    assert verbs <= set(dir(CopiedSite))
