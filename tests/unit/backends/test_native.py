"""Sites are kept running, or down, and found again, whatever happens to them or to their owner."""

import asyncio
import os
import signal

import pytest

from srshell.backends.base import RpoGuarantee, SitePlan, SiteState
from srshell.model.commits import Commits
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaRole
from srshell.site.api import FaultKind
from srshell.site.process_lock import ProcessMark
from tests.unit.backends.fabric import (
    PARTNERSHIP,
    Fabric,
    add_volumes,
    in_sync,
    pair,
    restarted,
    stands,
)


async def test_a_site_that_is_killed_is_started_again_with_all_it_hosts(fabric: Fabric) -> None:
    """Nobody has to tell the new process anything."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    site = owner.site("A")
    await add_volumes(site, fabric.place, "A")
    await site.write("volA", 0, b"kept")
    await site.export("volA")
    await owner.kill("A")
    second = await restarted(owner, "A")
    assert second.pid != first.pid
    assert await site.read("volA", 0, 4) == b"kept"
    assert (await site.describe()).exports == ("volA",)


async def test_a_new_owner_finds_the_sites_of_the_old_one(fabric: Fabric) -> None:
    """Replication does not depend on owners."""
    old = fabric.owner(term=1)
    first = await old.start(SitePlan("A"))
    await old.close()
    new = fabric.owner(term=2)
    second = await new.start(SitePlan("A"))
    assert (second.pid, second.restarts) == (first.pid, 0)
    assert (await new.site("A").describe()).owner_term == 2


async def test_an_owner_of_a_lower_term_is_refused(fabric: Fabric) -> None:
    """It lost its fabric, and does not know yet."""
    await fabric.owner(term=2).start(SitePlan("A"))
    old = fabric.owner(term=1)
    with pytest.raises(SrError, match="SR9007"):
        await old.start(SitePlan("A"))


async def test_a_stopped_process_is_frozen_and_not_replaced(fabric: Fabric) -> None:
    """A second process beside it would write to the same files."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    os.kill(first.pid, signal.SIGSTOP)
    frozen = await stands(owner, "A", lambda standing: standing.state is SiteState.FROZEN)
    assert (frozen.pid, frozen.restarts) == (first.pid, 0)
    with pytest.raises(SrError, match="SR6018"):
        await owner.evidence("A", str(fabric.place / "log"))
    os.kill(first.pid, signal.SIGCONT)
    thawed = await stands(owner, "A", lambda standing: standing.state is SiteState.RUNNING)
    assert (thawed.pid, thawed.restarts) == (first.pid, 0)


async def test_a_frozen_site_can_be_held(fabric: Fabric) -> None:
    """It does not hear SIGTERM; SIGKILL ends it all the same."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    os.kill(first.pid, signal.SIGSTOP)
    await stands(owner, "A", lambda standing: standing.state is SiteState.FROZEN)
    assert (await owner.hold("A")).state is SiteState.HELD


async def test_a_site_whose_own_disk_died_can_be_held(fabric: Fabric) -> None:
    """An unplanned failover needs that most of all; the site comes back with its disk."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    directory = fabric.place / "sites" / "A"
    mark = ProcessMark.of(first.pid)
    assert mark is not None
    directory.rename(directory.with_name("gone"))
    directory.symlink_to(directory)  # whatever is looked for there is an error now
    assert (await owner.hold("A", kill=True)).state is SiteState.HELD
    assert not mark.alive
    directory.unlink()
    directory.with_name("gone").rename(directory)
    assert (await owner.release("A")).pid != first.pid


async def test_nothing_is_started_where_nobody_can_say_whether_a_site_lives(fabric: Fabric) -> None:
    """The reason is told, and looked at again."""
    directory = fabric.place / "sites" / "A"
    await asyncio.to_thread(directory.parent.mkdir)
    directory.symlink_to(directory)
    owner = fabric.owner()
    with pytest.raises(SrError, match="SR9220"):
        await owner.start(SitePlan("A"))
    waiting = await stands(owner, "A", lambda standing: standing.state is SiteState.WAITING)
    assert "ELOOP" in waiting.problem
    directory.unlink()
    assert (await stands(owner, "A", lambda s: s.state is SiteState.RUNNING)).pid


@pytest.mark.parametrize("kill", [False, True])
async def test_a_held_site_stays_down_until_it_is_released(fabric: Fabric, kill: bool) -> None:
    """An unplanned failover relies on it."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    held = await owner.hold("A", kill=kill)
    assert (held.state, held.pid) == (SiteState.HELD, 0)
    with pytest.raises(SrError, match="SR9302"):
        await owner.site("A").describe()
    assert await owner.hold("A") == held
    await owner.kill("A")
    assert owner.standing("A").state is SiteState.HELD
    released = await owner.release("A")
    assert released.state is SiteState.RUNNING
    assert released.pid not in {0, first.pid}
    assert await owner.release("A") == released


async def test_a_site_that_was_held_is_not_started_by_the_next_owner(fabric: Fabric) -> None:
    """What is wanted is in the catalogue, and outlives owners."""
    owner = fabric.owner()
    standing = await owner.start(SitePlan("A"), held=True)
    assert (standing.state, standing.pid) == (SiteState.HELD, 0)
    assert (await owner.release("A")).state is SiteState.RUNNING


async def test_a_living_site_that_is_to_be_held_is_ended(fabric: Fabric) -> None:
    """An owner was killed between writing down the hold and carrying it out."""
    old = fabric.owner(term=1)
    first = await old.start(SitePlan("A"))
    await old.close()
    new = fabric.owner(term=2)
    await new.start(SitePlan("A"), held=True)
    await stands(new, "A", lambda standing: standing.state is SiteState.HELD)
    await asyncio.to_thread(_is_gone, first.pid)


async def test_a_hold_wins_over_a_start_that_is_under_way(fabric: Fabric) -> None:
    """The process that comes up meanwhile is ended."""
    owner = fabric.owner()
    starting = asyncio.create_task(owner.start(SitePlan("A")))
    await asyncio.sleep(0)
    held = await owner.hold("A")
    assert held.state is SiteState.HELD
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_a_site_that_cannot_start_says_why_and_is_tried_again(fabric: Fabric) -> None:
    """The pause grows; mending the cause is enough."""
    directory = fabric.place / "sites" / "A"
    directory.mkdir(parents=True)
    (directory / "site.json").write_text("{")
    owner = fabric.owner()
    with pytest.raises(SrError, match="SR1101"):
        await owner.start(SitePlan("A"))
    waiting = await stands(owner, "A", lambda standing: standing.restarts >= 1)
    assert "SR1101" in waiting.problem
    with pytest.raises(SrError, match="SR9301") as caught:
        await owner.site("A").describe()
    assert "SR1101" in caught.value.facts
    (directory / "site.json").unlink()
    running = await restarted(owner, "A")
    assert running.problem == ""


async def test_standings_are_told_as_they_change(fabric: Fabric) -> None:
    """The owner's journal and the dashboard live from this."""
    owner = fabric.owner()
    told: list[SiteState] = []
    owner.subscribe(lambda standing: told.append(standing.state))
    await owner.start(SitePlan("A"))
    await owner.kill("A")
    await restarted(owner, "A")
    await owner.hold("A")
    assert told == [
        SiteState.RUNNING,
        SiteState.WAITING,
        SiteState.STARTING,
        SiteState.RUNNING,
        SiteState.HELD,
    ]


async def test_a_site_that_is_forgotten_ends_and_leaves_its_data(fabric: Fabric) -> None:
    """The array was removed from the fabric, or renamed."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    await add_volumes(owner.site("A"), fabric.place, "A")
    await owner.forget("A")
    await asyncio.to_thread(_is_gone, first.pid)
    assert (fabric.place / "PoolA" / "volA").exists()
    with pytest.raises(SrError, match="SR1107"):
        owner.site("A")


async def test_an_owner_that_ends_may_take_its_sites_along(fabric: Fabric) -> None:
    """`srshell stop` does."""
    owner = fabric.owner()
    first = await owner.start(SitePlan("A"))
    await owner.close(stop_sites=True)
    await asyncio.to_thread(_is_gone, first.pid)


async def test_a_sandbox_freezes_on_request(fabric: Fabric) -> None:
    """Labs teach with it what a silent site looks like."""
    owner = fabric.owner()
    await owner.start(SitePlan("A", sandbox=True))
    await owner.site("A").fault(FaultKind.FREEZE, 3.0)
    await stands(owner, "A", lambda standing: standing.state is SiteState.FROZEN)
    await stands(owner, "A", lambda standing: standing.state is SiteState.RUNNING)
    assert owner.standing("A").restarts == 0


@pytest.mark.parametrize("commits", Commits)
async def test_what_a_dead_site_acknowledged_is_known_exactly(
    fabric: Fabric, commits: Commits
) -> None:
    """In sync nothing can be lost, and the files prove it (an unplanned failover needs this)."""
    owner = fabric.owner()
    await pair(owner, fabric.place, commits=commits)
    for number in range(20):
        await owner.site("A").write("volA", number * 4096, b"x" * 4096)
    log_path = str(fabric.place / "PoolA" / "logA")
    with pytest.raises(SrError, match="SR6018"):
        await owner.evidence("A", log_path)
    await owner.hold("A", kill=True)
    evidence = await owner.evidence("A", log_path)
    assert evidence.superblock.role is ReplicaRole.PRIMARY
    assert (evidence.tail_lsn, evidence.alone) == (20, False)
    theirs = await owner.site("B").replica(PARTNERSHIP)
    assert theirs.durable_lsn == 20
    assert evidence.acknowledged_beyond(theirs.durable_lsn) == 0
    assert evidence.acknowledged_beyond(15) == 0
    await owner.hold("B")
    with pytest.raises(SrError, match="SR6002"):
        await owner.evidence("B", log_path)


async def test_both_sites_killed_together_lose_nothing_that_was_acknowledged(
    fabric: Fabric,
) -> None:
    """They find each other again by themselves."""
    owner = fabric.owner()
    await pair(owner, fabric.place)
    site = owner.site("A")
    acknowledged = 0
    for number in range(50):
        await site.write("volA", number * 4096, bytes([number]) * 4096)
        acknowledged = number
    await asyncio.gather(owner.kill("A"), owner.kill("B"))
    await asyncio.gather(restarted(owner, "A"), restarted(owner, "B"))
    await in_sync(owner, "A")
    for number in range(acknowledged + 1):
        assert await site.read("volA", number * 4096, 4096) == bytes([number]) * 4096
    assert (await site.verify(PARTNERSHIP)).differing_blocks == 0


async def test_the_engine_says_what_an_acknowledgement_is_worth(fabric: Fabric) -> None:
    """Nobody shows RPO 0 for an engine that does not promise it."""
    assert fabric.owner().rpo_guarantee is RpoGuarantee.ZERO


def _is_gone(pid: int) -> None:
    """Wait until a process has ended."""
    while ProcessMark.of(pid) is not None:
        os.sched_yield()
