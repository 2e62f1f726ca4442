"""Rates and priorities of copies: set, refused, kept, shown, and told to the sites."""

from __future__ import annotations

import json

import pytest

from srshell.fabric.calls import parse_line
from srshell.fabric.checks_copies import read_rate
from srshell.fabric.pages import page_of
from srshell.fabric.session import FabricSession
from srshell.model.copying import CopyPlan, CopyTerms
from srshell.model.errors import SrError
from srshell.model.report import CopiesReport, PlanReport, encode
from tests.unit.fabric.fake_world import FakeWorld
from tests.unit.fabric.setting import Opener, protect, protected_fabric

MIB = 1 << 20


def partnership(session: FabricSession) -> str:
    found = session.context.snapshot.partnership_of("PriRG")
    assert found is not None
    return found.partnership


def plans(world: FakeWorld) -> list[CopyPlan]:
    return [world.sites[array].copy_plan for array in ("A", "B")]


async def copying(session: FabricSession, world: FakeWorld) -> None:
    """Let the group copy, and not end."""
    world.copying = True
    world.settle(partnership(session))
    await session.context.look_at("A", "B")


# --- what may be asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "bytes_per_second"),
    [
        ("50M", 50 * MIB), ("1.5G/s", 1536 * MIB), (" 256K ", 256 << 10), (MIB, MIB),
        ("unlimited", 0), ("0", 0), (0, 0),
    ],
)  # fmt: skip
def test_a_rate_is_a_size_a_second(typed: str | int, bytes_per_second: int) -> None:
    assert read_rate(typed) == bytes_per_second


@pytest.mark.parametrize("typed", ["", "fast", "-1", -1, "255K", 1, "50M/h", "9P" * 40, "1e9"])
def test_what_is_no_rate_is_refused(typed: str | int) -> None:
    with pytest.raises(SrError, match="SR0005") as refused:
        read_rate(typed)
    assert "unlimited" in refused.value.facts


async def test_refusals_name_the_command_that_mends_them(protected: FabricSession) -> None:
    for line, code, mend in (
        ("copies set fast", "SR0005", "srshell copies set 100M"),
        ("group set PriRG --copy-rate 1K", "SR0005", "srshell group set PriRG --copy-rate 50M"),
        ("group set PriRG --copy-priority 0", "SR0005", "srshell group set PriRG --copy-priority"),
        ("group set PriRG --copy-priority 101", "SR0005", "srshell group set PriRG"),
        ("group set NoRG --copy-rate 50M", "SR0105", ""),
        ("group set PriRG", "SR0001", "srshell group set --help"),
    ):
        call = parse_line(line)
        with pytest.raises(SrError) as refused:
            await protected.perform(call.method, call.arguments)
        assert refused.value.code == code, line
        assert refused.value.mend.startswith(mend), line
        if mend and "--help" not in mend and "--copy-priority" not in mend:
            mending = parse_line(refused.value.mend)
            await protected.perform(mending.method, mending.arguments)


async def test_a_group_without_protection_copies_nothing(
    fabric: FabricSession, opener: Opener
) -> None:
    await protect(fabric, opener)
    await fabric.provision("D2", "A/PoolA", "8M")
    await fabric.provision("L2", "A/PoolA", "16M", log=True)
    await fabric.create_group("G2", ["D2"], "L2")
    with pytest.raises(SrError, match="SR5310"):
        await fabric.set_policy("G2", copy_rate="50M")
    assert (await fabric.group("G2")).copy_priority is None


async def test_nothing_is_set_when_one_of_several_is_refused(
    protected: FabricSession, world: FakeWorld
) -> None:
    with pytest.raises(SrError, match="SR0001"):
        await protected.set_policy("PriRG", "io-error", copy_rate="50M", verify_every_hours=9000)
    found = await protected.group("PriRG")
    assert (found.on_peer_loss, found.copy_bytes_per_second_max) == ("continue", None)
    assert plans(world) == [CopyPlan(), CopyPlan()]


# --- what is set ---------------------------------------------------------------------------------


async def test_the_common_rate_is_told_to_every_site(
    protected: FabricSession, world: FakeWorld
) -> None:
    found = await protected.set_copy_rate("100M")
    assert isinstance(found, CopiesReport)
    assert (found.bytes_per_second_max, found.waiting_for) == (100 * MIB, ())
    assert plans(world) == [CopyPlan(100 * MIB)] * 2
    again = await protected.start("set_copy_rate", rate=100 * MIB)
    assert isinstance(again, CopiesReport), "nothing was left to do"
    assert (await protected.set_copy_rate("unlimited")).bytes_per_second_max is None
    assert plans(world) == [CopyPlan(), CopyPlan()]


async def test_a_plan_changes_nothing(protected: FabricSession, world: FakeWorld) -> None:
    plan = await protected.plan("set_copy_rate", rate="100M")
    assert isinstance(plan, PlanReport)
    assert plan.command == "copies set 100M"
    assert "at most 100 MiB/s" in plan.steps[0].text
    plan = await protected.plan("set_policy", group="RecRG", copy_rate="0", copy_priority=3)
    assert plan.command == "group set RecRG --copy-rate unlimited --copy-priority 3"
    assert "as much as they can and have priority 3" in plan.steps[0].text
    assert plans(world) == [CopyPlan(), CopyPlan()]


async def test_a_plan_names_the_way_back(protected: FabricSession) -> None:
    plan = await protected.plan("set_copy_rate", rate="100M")
    assert plan.inverse == ("srshell copies set unlimited",)
    await protected.set_copy_rate("100M")
    plan = await protected.plan("set_copy_rate", rate="unlimited")
    assert plan.inverse == ("srshell copies set 100M",)
    await protected.set_policy("PriRG", copy_rate="50M")
    wanted = {"group": "PriRG", "on_peer_loss": "io-error", "copy_rate": "1G", "copy_priority": 3}
    plan = await protected.plan("set_policy", **wanted)
    back = "--on-peer-loss continue --copy-rate 50M --copy-priority 10"
    assert plan.inverse == (f"srshell group set PriRG {back}",)
    plan = await protected.plan("set_policy", group="PriRG", copy_rate="1G", verify_every_hours=1)
    assert plan.inverse is None


async def test_terms_hold_for_both_sides_of_a_group(
    protected: FabricSession, world: FakeWorld
) -> None:
    await protected.set_policy("RecRG", copy_rate="50M", copy_priority=30)
    terms = CopyTerms(partnership(protected), 30, 50 * MIB)
    assert plans(world) == [CopyPlan(0, (terms,))] * 2
    for name in ("PriRG", "RecRG"):
        found = await protected.group(name)
        assert (found.copy_priority, found.copy_bytes_per_second_max) == (30, 50 * MIB)
    await protected.set_policy("PriRG", "suspend-io", copy_rate="unlimited", verify_every_hours=5)
    found = await protected.group("RecRG")
    assert (found.copy_priority, found.copy_bytes_per_second_max) == (30, None)
    assert found.on_peer_loss == "suspend-io"
    row = (await protected.status("PriRG")).groups[0]
    assert row.verification is not None
    assert row.verification.every_hours == 5
    await protected.set_policy("PriRG", copy_priority=10)
    assert plans(world) == [CopyPlan(), CopyPlan()], "the usual terms are not named"


async def test_the_next_owner_knows_them_and_tells_a_site_that_forgot(
    opener: Opener, world: FakeWorld
) -> None:
    async with protected_fabric(opener) as first:
        await first.set_copy_rate("100M")
        await first.set_policy("PriRG", copy_priority=30)
        terms = CopyTerms(partnership(first), 30)
    world.sites["B"].copy_plan = CopyPlan()
    async with opener.open() as second:
        expected = CopyPlan(100 * MIB, (terms,))
        told = await second.context.wait_until(
            lambda: plans(world) == [expected, expected] or None, 120.0
        )
        assert told
        assert (await second.copies()).bytes_per_second_max == 100 * MIB


async def test_a_site_that_is_down_hears_of_it_later(
    protected: FabricSession, world: FakeWorld
) -> None:
    world.down("B")
    found = await protected.set_copy_rate("100M")
    assert found.waiting_for == ("B",)
    assert "B" in page_of(json.loads(encode(found))).lines[0]
    assert plans(world) == [CopyPlan(100 * MIB), CopyPlan()]
    world.start("B")
    context = protected.context
    assert await context.wait_until(lambda: plans(world)[1] == CopyPlan(100 * MIB) or None, 120.0)


# --- what is shown -------------------------------------------------------------------------------


async def test_what_a_copy_may_take_is_shown_while_it_copies(
    protected: FabricSession, world: FakeWorld
) -> None:
    await protected.set_copy_rate("100M")
    await protected.set_policy("PriRG", copy_rate="50M", copy_priority=30)
    row = (await protected.copies()).copies[0]
    assert (row.name, row.peer, row.array) == ("PriRG", "RecRG", "A")
    assert (row.share_bytes_per_second, row.progress) == (None, None)
    await copying(protected, world)
    found = await protected.copies()
    row = found.copies[0]
    assert (row.priority, row.bytes_per_second_max) == (30, 50 * MIB)
    assert row.share_bytes_per_second == 50 * MIB
    assert row.progress is not None
    page = page_of(json.loads(encode(found)))
    assert page.headline == "copies out of a site together take at most 100 MiB/s"
    assert page.rows[0][:4] == ("PriRG > RecRG", "30", "50 MiB/s", "50 MiB/s")
    assert page.rows[0][4].startswith("40 % 40 B of 100 B")
    status = await protected.status("PriRG")
    assert status.groups[0].copy_share_bytes_per_second == 50 * MIB
    lines = page_of(json.loads(encode(status))).lines
    assert any(line.endswith(", at most 50 MiB/s") for line in lines)
    shown = page_of(json.loads(encode(await protected.group("PriRG"))))
    assert ("copies", "priority 30, at most 50 MiB/s") in shown.rows


async def test_without_a_rate_there_is_nothing_to_share(
    protected: FabricSession, world: FakeWorld
) -> None:
    await copying(protected, world)
    found = await protected.copies()
    assert found.copies[0].share_bytes_per_second is None
    page = page_of(json.loads(encode(found)))
    assert page.headline == "copies take as much as they can"
    assert page.rows[0][1:4] == ("10", "—", "—")
    status = await protected.status("PriRG")
    assert status.groups[0].copy_priority == 10
    assert status.groups[0].copy_share_bytes_per_second is None


async def test_where_nothing_is_protected_the_page_says_so(fabric: FabricSession) -> None:
    page = page_of(json.loads(encode(await fabric.copies())))
    assert page.lines == ("no protected group: srshell enable SOURCE DESTINATION",)
