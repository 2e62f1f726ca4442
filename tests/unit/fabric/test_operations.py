"""Role changes that are interrupted anywhere: by a site that dies, by an owner that ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import attrs
import pytest

from srshell.backends.base import SiteStanding, SiteState
from srshell.fabric.catalogue import Catalogue
from srshell.fabric.checks import resolve_direction
from srshell.fabric.holding import desired_state, hold_site, release_site
from srshell.fabric.operations import PLANNED, PREPARE, UNPLANNED, new_operation
from srshell.fabric.session import FabricSession
from srshell.model.errors import SrError
from srshell.model.inventory import DesiredState, JobState, Operation, StepState
from srshell.model.replica import ReplicaRole
from tests.unit.fabric.fakes import FakeWorld
from tests.unit.fabric.setting import Opener, protected_fabric

_PLANNED_CRASHES = [
    ("A", "seal", "before"),
    ("A", "seal", "after"),
    ("A", "demote", "before"),
    ("A", "demote", "after"),
    ("B", "promote", "before"),
    ("B", "promote", "after"),
]


def primaries(world: FakeWorld) -> list[str]:
    """Arrays whose side is primary, as their disks say."""
    return [
        array
        for array, site in world.sites.items()
        if any(r.role is ReplicaRole.PRIMARY for r in site.replicas.values())
    ]


async def in_the_end(fabric: FabricSession) -> None:
    """Wait until no role change is under way or left over."""

    def look() -> bool | None:
        left = fabric.context.catalogue.unfinished_operations()
        return None if left or fabric.context.busy else True

    assert await fabric.context.wait_until(look, 10.0), "the operation never ended"


def restart_all(fabric: FabricSession, world: FakeWorld) -> None:
    """Sites that died run again, as their supervisor would see to."""
    for array in world.sites:
        if desired_state(fabric.context, array) is DesiredState.RUN:
            world.start(array)
    fabric.context.pulse.beat()


async def test_a_planned_failover_waits_for_a_site_that_is_late(
    opener: Opener, world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives: a busy machine is slow, not lost, and a moment later the answer is there."""
    async with protected_fabric(opener) as fabric:
        standing = fabric.context.backend.standing

        def frozen(array: str) -> SiteStanding:
            found = standing(array)
            late = not world.sites[array].up
            return attrs.evolve(found, state=SiteState.FROZEN) if late else found

        monkeypatch.setattr(fabric.context.backend, "standing", frozen)
        world.sites["B"].up = False
        await fabric.context.look_at("B")
        assert not fabric.context.sites.facts("B").reachable

        def answer() -> None:
            world.sites["B"].up = True
            fabric.context.pulse.beat()

        asyncio.get_running_loop().call_later(0.2, answer)
        assert (await fabric.failover("PriRG", confirm="RecRG")).new_primary == "RecRG"


@pytest.mark.parametrize("crash", _PLANNED_CRASHES, ids="-".join)
async def test_a_site_that_dies_during_a_planned_failover(
    opener: Opener, world: FakeWorld, crash: tuple[str, str, str]
) -> None:
    """The old roles or the new ones come of it, never two primaries and never none for ever."""
    async with protected_fabric(opener) as fabric:
        world.plan.append(crash)
        try:
            await fabric.failover("PriRG", confirm="RecRG")
        except SrError as error:
            assert error.code.startswith("SR")  # noqa: PT017 - either outcome is right
        restart_all(fabric, world)
        await in_the_end(fabric)
        assert len(primaries(world)) == 1
        gave_up = crash[1] == "promote" or crash == ("A", "demote", "after")
        assert primaries(world) == (["B"] if gave_up else ["A"])
        await fabric.wait("PriRG", timeout=5)


@pytest.mark.parametrize("crash", _PLANNED_CRASHES, ids="-".join)
async def test_an_owner_that_ends_during_a_planned_failover(
    opener: Opener, world: FakeWorld, crash: tuple[str, str, str]
) -> None:
    """A new owner rolls forward once the demotion is durable, otherwise it unseals."""
    async with protected_fabric(opener) as fabric:
        await _run_until(fabric, world, crash)
    async with opener.open() as fabric:
        restart_all(fabric, world)
        await in_the_end(fabric)
        gave_up = crash[1] == "promote" or crash == ("A", "demote", "after")
        assert primaries(world) == (["B"] if gave_up else ["A"])
        report = next(iter(world.sites[primaries(world)[0]].replicas.values()))
        assert report.writable
        assert not report.sealed


async def _run_until(fabric: FabricSession, world: FakeWorld, crash: tuple[str, str, str]) -> None:
    """Leave the journal and the sites as an owner does that is killed at that moment."""
    context = fabric.context
    _, verb, when = crash
    way = resolve_direction(context.view(), "PriRG")
    operation = new_operation(context, PLANNED, way, None)
    partnership = operation.partnership
    for task in fabric.tasks:
        task.cancel()
    names = ["seal", "demote", "promote"]
    done = names.index(verb)
    sites = {name: context.site("A" if name != "promote" else "B") for name in names}
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "seal": lambda: sites["seal"].seal(partnership, operation.id),
        "demote": lambda: sites["demote"].demote(partnership, operation.id, operation.new_epoch),
        "promote": lambda: sites["promote"].promote(
            partnership, operation.id, world.lsn, alone=False
        ),
    }
    states = dict.fromkeys(names[:done], StepState.DONE) | {verb: StepState.BEGUN}
    for name in names[:done]:
        await calls[name]()
    if when == "after":
        await calls[verb]()
    _store(context.catalogue, operation, states, f"sealed at LSN {world.lsn}")


def _store(
    catalogue: Catalogue, operation: Operation, states: dict[str, StepState], outcome: str
) -> None:
    steps = tuple(
        attrs.evolve(step, state=states.get(step.name, StepState.PLANNED), ended_unix=1.0)
        for step in operation.steps
    )
    catalogue.put(attrs.evolve(operation, steps=steps, outcome=outcome))


async def test_two_changes_of_one_partnership_exclude_each_other(
    protected: FabricSession,
) -> None:
    """The second one is told who is at it, and changes nothing."""
    results = await asyncio.gather(
        protected.failover("PriRG", confirm="RecRG"),
        protected.failover("PriRG", confirm="RecRG"),
        return_exceptions=True,
    )
    errors = [result for result in results if isinstance(result, SrError)]
    assert [error.code for error in errors] == ["SR6009"]
    assert "job" in errors[0].facts


async def test_a_prepared_group_fails_over_with_the_seal_it_has(
    protected: FabricSession, world: FakeWorld
) -> None:
    """PrepareForFailover, then Failover: the article's two commands."""
    await protected.prepare("PriRG")
    assert (await protected.status("PriRG")).groups[0].replication_state == "PreparedForFailover"
    result = await protected.failover("RecRG", confirm="RecRG")
    assert result.new_primary == "RecRG"
    assert protected.context.catalogue.unfinished_operations() == ()


async def test_a_prepared_group_can_be_resumed(protected: FabricSession, world: FakeWorld) -> None:
    """The seal is taken away, and writes go on."""
    await protected.prepare("PriRG")
    with pytest.raises(SrError, match="SR9224"):
        await protected.volume("PV").write(0, b"x")
    await protected.resume("PriRG")
    await protected.volume("PV").write(0, b"x")
    assert protected.context.catalogue.unfinished_operations() == ()


async def test_a_seal_that_its_site_took_away_is_forgotten(
    protected: FabricSession, world: FakeWorld
) -> None:
    """A source unseals itself when it hears from no owner; the preparation is void then."""
    await protected.prepare("PriRG")
    operation = protected.context.catalogue.unfinished_operations()[0]
    assert operation.kind == PREPARE
    await protected.context.site("A").unseal(operation.partnership, operation.id)
    await in_the_end(protected)


# --- unplanned ----------------------------------------------------------------------------------


async def test_an_unplanned_failover_proves_that_nothing_is_lost(
    protected: FabricSession, world: FakeWorld
) -> None:
    """The source's files are read once it is held: the loss is exact."""
    await protected.volume("PV").write(0, b"kept")
    world.down("A")
    result = await protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert (result.lost_bytes, result.lost_writes, result.planned) == (0, 0, False)
    assert desired_state(protected.context, "A") is DesiredState.HELD
    assert await protected.volume("RV").read(0, 4) == b"kept"
    rows = {row.name: row for row in await protected.status()}
    assert rows["RecRG"].is_primary
    assert not rows["PriRG"].is_primary
    assert rows["PriRG"].replication_state == "Error"
    assert rows["PriRG"].rpo_seconds is None


async def test_a_living_primary_is_fenced_first(protected: FabricSession, world: FakeWorld) -> None:
    """Rule 63 in profile native: the owner stops the process, and says that it was alive."""
    plan = await protected.plan("failover", group="PriRG", kind="unplanned")
    assert "SR6018" in [check.code for check in plan.checks]
    await protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert not world.sites["A"].up


async def test_an_unknown_loss_has_to_be_accepted(
    protected: FabricSession, world: FakeWorld
) -> None:
    """Neither side can prove that nothing was acknowledged alone: the word is unknown."""
    world.down("A")
    world.files_lost = True
    with pytest.raises(SrError) as refused:
        await protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert refused.value.code == "SR6004"
    assert "--accept-loss unknown" in refused.value.mend
    assert primaries(world) == ["A"]
    assert desired_state(protected.context, "A") is DesiredState.RUN
    result = await protected.failover("PriRG", "unplanned", confirm="RecRG", accept_loss="unknown")
    assert result.lost_bytes is None


async def test_a_policy_that_waits_proves_that_nothing_is_lost(
    protected: FabricSession, world: FakeWorld
) -> None:
    """Without `continue` the source could not acknowledge alone: its files are not needed."""
    await protected.set_policy("PriRG", "suspend-io")
    for site in world.sites.values():
        for partnership in site.replicas:
            site.change(partnership, on_peer_loss="suspend-io")
    world.down("A")
    world.files_lost = True
    result = await protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert result.lost_bytes == 0


async def test_a_source_that_says_what_would_be_lost_is_not_stopped(
    protected: FabricSession, world: FakeWorld
) -> None:
    """The refusal comes before the fence: a refused command changes nothing."""
    world.linked = False
    for site in world.sites.values():
        for partnership in site.replicas:
            world.settle(partnership)
    for partnership in world.sites["A"].replicas:
        world.sites["A"].change(
            partnership, alone=True, unconfirmed_bytes=8192, unconfirmed_writes=2
        )
    with pytest.raises(SrError) as refused:
        await protected.failover("PriRG", "unplanned", confirm="RecRG")
    assert refused.value.code == "SR6004"
    assert "8 192 B in 2 writes" in refused.value.facts
    assert world.sites["A"].up


@pytest.mark.parametrize(
    ("step", "state"),
    list(itertools.product(["hold", "evidence", "promote"], [StepState.BEGUN, StepState.DONE])),
)
async def test_an_owner_that_ends_during_an_unplanned_failover(
    opener: Opener, world: FakeWorld, step: str, state: StepState
) -> None:
    """Completed once the loss was accepted; before that the source is let go."""
    async with protected_fabric(opener) as fabric:
        for task in fabric.tasks:
            task.cancel()
        context = fabric.context
        way = resolve_direction(context.view(), "PriRG")
        operation = new_operation(context, UNPLANNED, way, None)
        names = ["hold", "evidence", "promote"]
        states = dict.fromkeys(names[: names.index(step)], StepState.DONE) | {step: state}
        await hold_site(context, "A", "unplanned failover")
        if (step, state) == ("promote", StepState.DONE):
            await context.site("B").promote(operation.partnership, operation.id, None, alone=True)
        _store(context.catalogue, operation, states, "loss accepted: 0")
    async with opener.open() as fabric:
        await in_the_end(fabric)
        accepted = step == "promote" or (step, state) == ("evidence", StepState.DONE)
        restart_all(fabric, world)
        newest = max(world.sites.values(), key=lambda s: next(iter(s.replicas.values())).epoch)
        assert newest.array == ("B" if accepted else "A")


async def test_jobs_of_a_dead_owner_are_not_left_running(opener: Opener, world: FakeWorld) -> None:
    """A job that nobody carries on says so."""
    async with protected_fabric(opener) as fabric:
        job = fabric.context.catalogue.new_job("refresh --all", "", 1.0)
    async with opener.open() as fabric:
        found = (await fabric.job(job.id)).job
        assert found.state is JobState.CANCELLED
        assert "owner ended" in found.error


async def test_a_source_that_runs_again_is_not_superseded_later(
    opener: Opener, world: FakeWorld
) -> None:
    """What was known of the loss does not hold for a source that a person has started again."""
    async with protected_fabric(opener) as fabric:
        for task in fabric.tasks:
            task.cancel()
        context = fabric.context
        way = resolve_direction(context.view(), "PriRG")
        operation = new_operation(context, UNPLANNED, way, None)
        await hold_site(context, "A", "unplanned failover")
        states = {"hold": StepState.DONE, "evidence": StepState.DONE, "promote": StepState.BEGUN}
        _store(context.catalogue, operation, states, "loss accepted: 0")
        await release_site(context, "A")
    async with opener.open() as fabric:
        await in_the_end(fabric)
        assert primaries(world) == ["A"]
