"""Verification through the fabric: part by part, resumed, scheduled, told in status and health."""

from __future__ import annotations

import asyncio
import json

import attrs
import pytest

from srshell.fabric.context import Context
from srshell.fabric.pages import page_of
from srshell.fabric.session import FabricSession
from srshell.fabric.verbs.verifying import due, remember, state_of
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell.model.states import ReplicationHealth
from srshell.model.verification import Compared, VerifyState, WrongRange, joined
from tests.unit.fabric.fake_world import VERIFIED_BYTES, FakeWorld
from tests.unit.fabric.setting import Opener, protect

PART_BYTES = 64 << 20
PARTS = VERIFIED_BYTES // PART_BYTES


def partnership(context: Context) -> str:
    found = context.snapshot.partnership_of("PriRG")
    assert found is not None
    return found.partnership


def state(session: FabricSession) -> VerifyState:
    return state_of(session.context, partnership(session.context))


def told(session: FabricSession, code: str) -> list[str]:
    return [e.text for e in session.context.catalogue.events() if e.code == code]


async def test_a_verification_goes_part_by_part_to_the_end(
    protected: FabricSession, world: FakeWorld
) -> None:
    """Either group's name is accepted; the source's site compares."""
    found = await protected.verify("RecRG")
    assert (found.equal, found.clean, found.group) == (True, True, "PriRG")
    assert found.blocks_compared == VERIFIED_BYTES // 4096
    assert [order.offset for order in world.verified] == [n * PART_BYTES for n in range(PARTS)]
    assert state(protected).found is None
    assert told(protected, "SR7701")


async def test_its_result_has_every_field_that_others_rely_on(protected: FabricSession) -> None:
    fields = set(json.loads(encode(await protected.verify("PriRG"))))
    contract = {"equal", "blocks_compared", "differing_blocks", "log_records_compared"}
    contract |= {"log_differences", "lsn", "wrong_source_blocks", "wrong_destination_blocks"}
    assert contract | {"undecided_blocks", "repaired_blocks", "ranges"} <= fields


async def test_one_that_was_cancelled_goes_on_where_it_stopped(
    protected: FabricSession, world: FakeWorld
) -> None:
    """Ctrl-C leaves the job, `job --cancel` ends it; neither costs more than a part."""
    world.verify_gate = asyncio.Event()
    report = await protected.perform("verify", {"group": "PriRG", "wait": False})
    await world.verify_asked.wait()
    protected.context.jobs.cancel(report.job.id)
    world.verify_gate.set()
    job = await protected.context.jobs.ended(report.job.id, 10.0)
    assert job.state.value == "cancelled"
    kept = state(protected).found
    assert kept is not None
    assert 0 < kept.next_offset < VERIFIED_BYTES
    row = (await protected.status("PriRG")).groups[0].verification
    assert row is not None
    assert (row.running, row.done_bytes, row.last_unix) == (False, kept.next_offset, None)
    first = len(world.verified)
    found = await protected.verify("PriRG")
    assert world.verified[first].offset == kept.next_offset
    assert found.blocks_compared == VERIFIED_BYTES // 4096


async def test_the_next_owner_goes_on_too(opener: Opener, world: FakeWorld) -> None:
    async with opener.open() as session:
        await protect(session, opener)
        half = Compared(blocks_compared=5, next_offset=VERIFIED_BYTES // 2)
        remember(session.context, attrs.evolve(state(session), found=half))
    async with opener.open() as session:
        found = await session.verify("PriRG")
        assert world.verified[0].offset == VERIFIED_BYTES // 2
        assert found.blocks_compared == 5 + VERIFIED_BYTES // 2 // 4096


async def test_a_site_that_ends_costs_one_part(protected: FabricSession, world: FakeWorld) -> None:
    half = Compared(next_offset=VERIFIED_BYTES // 2)
    remember(protected.context, attrs.evolve(state(protected), found=half))
    world.plan = [("A", "verify", "before")]
    with pytest.raises(SrError, match="SR9301"):
        await protected.verify("PriRG")
    kept = state(protected).found
    assert kept is not None
    assert kept.next_offset == VERIFIED_BYTES // 2
    world.start("A")
    await protected.verify("PriRG")
    assert world.verified[0].offset == VERIFIED_BYTES // 2


async def test_restart_and_another_purpose_begin_anew(
    protected: FabricSession, world: FakeWorld
) -> None:
    """What was compared without mending is not mended by going on."""
    half = Compared(next_offset=VERIFIED_BYTES // 2)
    remember(protected.context, attrs.evolve(state(protected), found=half))
    await protected.verify("PriRG", restart=True)
    assert world.verified[0].offset == 0
    remember(protected.context, attrs.evolve(state(protected), found=half))
    world.verified.clear()
    await protected.verify("PriRG", repair=True)
    assert (world.verified[0].offset, world.verified[0].repair) == (0, True)


async def test_a_rate_is_handed_down_and_makes_parts_small(
    protected: FabricSession, world: FakeWorld
) -> None:
    """So that a cancelled one does not sleep for long."""
    await protected.verify("PriRG", rate="8M")
    assert world.verified[0].bytes_per_second == 8 << 20
    assert world.verified[0].limit_bytes == 16 << 20


async def test_a_plan_says_from_where_and_changes_nothing(
    protected: FabricSession, world: FakeWorld
) -> None:
    remember(protected.context, attrs.evolve(state(protected), found=Compared(next_offset=1 << 29)))
    plan = await protected.plan("verify", group="PriRG")
    assert "from 512 MiB on" in plan.steps[0].text
    assert world.verified == []


async def test_a_role_change_does_not_wait_for_a_verification(
    protected: FabricSession, world: FakeWorld
) -> None:
    """And a second verification of the same group is refused with the job's number."""
    world.verify_gate = asyncio.Event()
    report = await protected.perform("verify", {"group": "PriRG", "wait": False})
    with pytest.raises(SrError, match="SR6009") as busy:
        await protected.verify("RecRG")
    assert f"job {report.job.id}" in busy.value.facts
    await protected.suspend("PriRG")
    await protected.resume("PriRG")
    world.verify_gate.set()
    await protected.context.jobs.ended(report.job.id, 10.0)


async def test_wrong_blocks_are_told_until_a_verification_is_clean(
    protected: FabricSession, world: FakeWorld
) -> None:
    world.differing_blocks = 3
    found = await protected.verify("PriRG")
    assert (found.equal, found.clean) == (False, False)
    assert "wrong blocks: 3" in told(protected, "SR7702")[0]
    for name in ("PriRG", "RecRG"):
        row = (await protected.status(name)).groups[0]
        assert row.replication_health is ReplicationHealth.CRITICAL
        assert row.health_reasons[0].code == "blocks-differ"
        assert row.verification is not None
        assert (row.verification.clean, row.verification.wrong_blocks) == (False, 3)
    world.differing_blocks = 0
    await protected.verify("PriRG")
    row = (await protected.status("PriRG")).groups[0]
    assert row.replication_health is ReplicationHealth.NORMAL
    assert row.verification is not None
    assert row.verification.age_seconds is not None
    assert row.verification.age_seconds < 60


async def test_damage_on_a_log_volume_is_a_warning(
    protected: FabricSession, world: FakeWorld
) -> None:
    world.damage = [("source", "superblock slot 2: checksum")]
    found = await protected.verify("PriRG")
    assert (found.equal, found.clean) == (True, False)
    assert found.damage == ("source: superblock slot 2: checksum",)
    assert told(protected, "SR7704")
    row = (await protected.status("PriRG")).groups[0]
    assert [reason.code for reason in row.health_reasons] == ["log-damaged"]


# --- by itself -----------------------------------------------------------------------------------


async def test_a_schedule_is_set_shown_and_taken_back(protected: FabricSession) -> None:
    await protected.set_policy("PriRG", verify_every_hours=24)
    row = (await protected.status("PriRG")).groups[0].verification
    assert row is not None
    assert row.every_hours == 24
    await protected.set_policy("RecRG", "suspend-io", verify_every_hours=12)
    row = (await protected.status("PriRG")).groups[0].verification
    assert row is not None
    assert row.every_hours == 12
    await protected.set_policy("PriRG", verify_every_hours=0)
    row = (await protected.status("PriRG")).groups[0].verification
    assert row is not None
    assert row.every_hours is None


async def test_a_schedule_that_nobody_means_is_refused(fabric: FabricSession) -> None:
    with pytest.raises(SrError, match="SR0001"):
        await fabric.set_policy("NoRG")
    with pytest.raises(SrError, match="SR0105"):
        await fabric.set_policy("NoRG", verify_every_hours=1)


async def test_a_schedule_needs_protection_and_hours_of_this_year(
    protected: FabricSession,
) -> None:
    with pytest.raises(SrError, match="SR0001"):
        await protected.set_policy("PriRG", verify_every_hours=9000)
    await protected.provision("D2", "A/PoolA", "8M")
    await protected.provision("L2", "A/PoolA", "16M", log=True)
    await protected.create_group("G2", ["D2"], "L2")
    with pytest.raises(SrError, match="SR5310"):
        await protected.set_policy("G2", verify_every_hours=1)


async def test_the_owner_begins_what_is_due(protected: FabricSession, world: FakeWorld) -> None:
    """When the period is over, in sync, and not again while an attempt is fresh."""
    context = protected.context
    await protected.set_policy("PriRG", verify_every_hours=1)
    assert due(context) == []
    old = attrs.evolve(state(protected), last=Compared(), last_unix=context.clock.unix() - 3700)
    remember(context, old)
    assert due(context) == ["PriRG"]
    assert due(context) == []
    remember(context, old)
    world.linked = False
    for side in ("A", "B"):
        for each in world.sites[side].replicas:
            world.settle(each)
    await context.look_at("A", "B")
    assert due(context) == []


async def test_the_owner_goes_on_with_what_it_had_begun(protected: FabricSession) -> None:
    context = protected.context
    await protected.set_policy("PriRG", verify_every_hours=1)
    begun = attrs.evolve(state(protected), found=Compared(next_offset=4096))
    remember(context, begun)
    assert due(context) == []  # somebody's own, and a schedule that has time
    remember(context, attrs.evolve(begun, last_unix=context.clock.unix() - 4000))
    assert due(context) == ["PriRG"]


async def test_a_verification_that_does_not_come_is_a_warning(protected: FabricSession) -> None:
    context = protected.context
    await protected.set_policy("PriRG", verify_every_hours=1)
    long_ago = context.clock.unix() - 4 * 3600
    remember(
        context,
        attrs.evolve(
            state(protected), last=Compared(), last_unix=long_ago, tried_unix=context.clock.unix()
        ),
    )
    row = (await protected.status("PriRG")).groups[0]
    assert [reason.code for reason in row.health_reasons] == ["verify-overdue"]


async def test_teardown_forgets_the_verifications(protected: FabricSession) -> None:
    await protected.verify("PriRG")
    await protected.teardown("PriRG", confirm="PriRG")
    assert protected.context.catalogue.all(VerifyState) == ()
    assert protected.context.verifications == {}


# --- words ---------------------------------------------------------------------------------------


def test_parts_are_joined_without_losing_a_count() -> None:
    """Every counter of the second part is added, and its place is where to go on."""
    one = Compared(1, 2, 3, 4, 5, 6, 7, 8, [], 9, 10, [("source", "x")], 1, True, 0, 4096, False)
    two = attrs.evolve(one, past_cache=False, next_volume=1, done=True)
    both = joined(one, two)
    for field in attrs.fields(Compared):
        before, after = getattr(one, field.name), getattr(both, field.name)
        if field.name in {"lsn", "next_offset"}:
            assert after == before, field.name
        elif field.name not in {"past_cache", "next_volume", "done", "ranges", "damage"}:
            assert after == 2 * before, field.name
    assert (both.past_cache, both.next_volume, both.done) == (False, 1, True)
    assert len(both.damage) == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (WrongRange("PV", 8192, 4096, "source", True, True), "the source is wrong; repaired"),
        (WrongRange("PV", 8192, 4096, "destination", True), "--repair can put it right"),
        (WrongRange("PV", 8192, 4096, "both"), "cannot be repaired: no copy is what was written"),
        (WrongRange("PV", 8192, 4096, "unknown"), "no checksum says which one is right"),
        (WrongRange("PV", 8192, 4096, "checksum"), "equal, and not what was recorded"),
    ],
)
async def test_a_page_says_which_side_is_wrong_and_what_becomes_of_it(
    protected: FabricSession, row: WrongRange, words: str
) -> None:
    found = attrs.evolve(await protected.verify("PriRG"), ranges=(row,), differing_blocks=1)
    page = page_of(json.loads(encode(found)))
    assert any(words in line for line in page.lines), page.lines
    assert "1 of" in page.headline


async def test_status_says_when_it_was_verified(protected: FabricSession) -> None:
    await protected.verify("PriRG")
    page = page_of(json.loads(encode(await protected.status("PriRG"))))
    assert any("PriRG: verified" in line and "clean" in line for line in page.lines)
