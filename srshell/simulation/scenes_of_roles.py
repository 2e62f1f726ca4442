"""Scenes about roles, epochs, and two sides that meet.

Always true: a story ends where its trouble ends; `Stage.play` brings the group back in sync.
"""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT
from srshell.engine.formatting import format_log
from srshell.model.errors import SrError
from srshell.model.replica import OnPeerLoss, ReplicaData, ReplicaRole
from srshell.replication.source import Phase
from srshell.simulation.cluster import Site, SiteDown
from srshell.simulation.plan import Step
from srshell.simulation.scenes import Stage

_SLOTS_BYTES: Final = SLOT_BYTES * SLOT_COUNT


async def handover(stage: Stage) -> None:
    """Planned failover and back under load, each order given twice."""
    await stage.in_step()
    for side in ("A", "B"):
        site = stage.cluster.sites[side]
        begun = [stage.begin(site, 5 * n) for n in range(6)]
        await stage.order("planned", side)
        await asyncio.wait(begun)
        await _repeat_promotion(stage, site.peer)
        await stage.in_step()
        await stage.burst(3)


async def _repeat_promotion(stage: Stage, site: Site) -> None:
    replica = stage.replica(site)
    superblock, lsn = replica.core.superblock, replica.core.log.durable_lsn
    again = await site.ask(lambda: replica.promote(superblock.operation, lsn, alone=False))
    if again.epoch != superblock.history[-1].epoch.number:
        stage.fail("an order that was repeated did something else")


async def sealed(stage: Stage) -> None:
    """A sealed group takes no write until the seal is taken away, or ends by itself."""
    await stage.in_step()
    replica = stage.replica(stage.a)
    await stage.a.ask(lambda: replica.seal("first"))
    waiting = stage.begin(stage.a, 0)
    await stage.pause(0.1)
    await stage.refused(stage.a, "a second seal", replica.seal("second"))
    replica.unseal("second")
    await stage.pause(0.1)
    if waiting.done():
        stage.fail("a sealed group acknowledged a write")
    await stage.until(waiting.done, "the seal to end")


async def left_half_way(stage: Stage) -> None:
    """A planned failover is left between demotion and promotion; either side may lead then."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    replica = stage.replica(stage.a)
    await stage.a.ask(lambda: replica.seal("half"))
    epoch = replica.core.superblock.history[-1].epoch.number + 1
    await stage.a.ask(lambda: replica.demote("half", epoch))
    stage.cut()
    stage.b.kill()
    await stage.promote(stage.a)
    await stage.write(stage.a, 8)
    stage.a.power_cut()
    await stage.boot(stage.b)
    evidence = stage.oracle.check_evidence(stage.b)
    if evidence and stage.b.role is ReplicaRole.SECONDARY:
        stage.fail("the secondary excludes a loss that it cannot know of")
    await stage.boot(stage.a)
    stage.join()
    await stage.in_step()


async def superseded(stage: Stage) -> None:
    """The old primary does not know that it was superseded, and goes on trying."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    late = [stage.begin(stage.a, 8 * n) for n in range(4)]
    await stage.promote(stage.b)
    await stage.write(stage.b, 0)
    late.append(stage.begin(stage.a, 32))
    await stage.pause(0.4)
    await stage.write(stage.b, 8)
    await stage.in_step()
    await asyncio.wait(late)


async def paused(stage: Stage) -> None:
    """The primary stands still while the other side takes over, then wakes up."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.a.disk.hang()
    stage.cut()
    stage.begin(stage.a, 8)
    await stage.pause(0.1)
    await stage.promote(stage.b)
    await stage.write(stage.b, 8)
    stage.a.disk.resume()
    stage.join()
    await stage.pause(0.5)


async def split(stage: Stage) -> None:
    """Both sides lead and write; both learn of it, nothing is merged, one is given up."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.cut()
    await stage.promote(stage.b)
    for number in range(3):
        await stage.write(stage.a, 8 * number)
        await stage.write(stage.b, 8 * number + 4)
    stage.join()
    await stage.until(stage.knows_split, "the split to be known to both")
    await stage.pause(0.3)
    if not stage.knows_split():
        stage.fail("the split was forgotten")
    await stage.read(stage.a, 0, 24)
    await stage.read(stage.b, 0, 24)
    await stage.order("give up", "A")
    await stage.in_step()
    await stage.read(stage.b, 0, 24)


async def crashed_primary(stage: Stage) -> None:
    """A primary that crashed neither writes nor reads before it met its peer; crashed twice."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.cut()
    for _ in range(2):
        stage.a.power_cut()
        await stage.boot(stage.a)
        await stage.pause(0.4)
        if stage.phase(stage.a) is not Phase.READ_ONLY or await stage.write(stage.a, 8):
            stage.fail("a crashed primary leads without having asked")
        replica = stage.replica(stage.a)
        await stage.refused(stage.a, "a read", replica.read("v0", 0, 512))
    await stage.promote(stage.b)
    await stage.write(stage.b, 8)
    stage.join()
    await stage.in_step()


async def alone_twice(stage: Stage) -> None:
    """Writes alone, a crash, and a second crash right after the handshake that counts them."""
    await stage.in_step()
    stage.cut()
    await stage.write(stage.a, 0)
    await stage.pause(0.1)
    stage.a.power_cut()
    await stage.boot(stage.a)
    stage.join()
    await stage.until(lambda: stage.phase(stage.a) is not Phase.READ_ONLY, "the handshake")
    stage.a.power_cut()
    stage.cut()
    await stage.promote(stage.b)
    await stage.write(stage.b, 16)
    await stage.boot(stage.a)
    stage.join()
    await stage.pause(0.5)


async def stranger(stage: Stage) -> None:
    """A side of another partnership is at the peer's address: it is not let in."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.b.kill()
    stage.b.disks += 1
    spec = attrs.evolve(stage.b.spec(ReplicaRole.SECONDARY), partnership="d1" * 16)
    stage.b._start_process()  # noqa: SLF001  (nobody else makes a stranger)

    async def provide() -> None:
        world = stage.b._world()  # noqa: SLF001
        await world.log_disk.create(spec.log_path, spec.log_bytes, zeroed=True)
        for volume in spec.volumes:
            await world.data_disk.create(volume.path, volume.size_bytes)
        await format_log(spec, world)

    await stage.b.ask(provide)
    stage.b.kill()
    stage.oracle.replaced(stage.b)
    await stage.b.boot()
    stranger = stage.replica(stage.b)
    await stage.b.ask(stranger.start)
    await stage.pause(0.5)
    if stranger.peer_link.is_open or stranger.core.superblock.data is not ReplicaData.BLANK:
        stage.fail("a stranger was let in")
    await stage.b.replace()
    await stage.b.boot()
    await stage.b.ask(stage.replica(stage.b).start)


async def policies(stage: Stage) -> None:
    """The policy changes there and back around losses of the link; the peer is never wrong."""
    await stage.in_step()
    replica = stage.replica(stage.a)
    for policy in (OnPeerLoss.CONTINUE, OnPeerLoss.SUSPEND_IO, OnPeerLoss.CONTINUE):
        await stage.a.ask(lambda policy=policy: replica.set_policy(policy))  # type: ignore[misc]
        await stage.write(stage.a, 0)
    stage.cut()
    begun = stage.begin(stage.a, 8)
    await stage.pause(0.6)
    if not begun.done():
        stage.fail("a write waits although the policy is continue")
    with_evidence = stage.oracle.check_evidence(stage.b)
    if with_evidence:
        stage.fail("the secondary excludes a loss under continue")
    try:
        await stage.a.ask(lambda: replica.set_policy(OnPeerLoss.SUSPEND_IO))
    except (SrError, SiteDown):
        stage.loop.record("scene", "the stricter policy was refused")
    stage.join()
    await stage.in_step()


async def predecessor(stage: Stage) -> None:
    """A side was demoted, its successor led alone and died: the demoted side promises nothing."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    replica = stage.replica(stage.a)
    await stage.a.ask(lambda: replica.seal("half"))
    epoch = replica.core.superblock.history[-1].epoch.number + 1
    await stage.a.ask(lambda: replica.demote("half", epoch))
    stage.cut()
    # The person was told that the loss is unknown; the other side must say so, too.
    successor = stage.replica(stage.b)
    await stage.b.ask(lambda: successor.promote("by force", None, alone=True))
    stage.oracle.look()
    await stage.write(stage.b, 8)
    stage.b.kill()
    stage.oracle.check_evidence(stage.a)
    await stage.boot(stage.b)
    stage.join()
    await stage.in_step()


async def promotion(stage: Stage) -> None:
    """A side was promoted and wrote nothing; the other one did: a person must say who leads."""
    await stage.in_step()
    stage.cut()
    await stage.write(stage.a, 0)
    await stage.promote(stage.b)
    stage.join()
    await stage.until(stage.knows_split, "the split to be known")
    await stage.order("give up", "A")
    await stage.in_step()


async def ghosts(stage: Stage) -> None:
    """Writes are on their way through slow disks while the side that took them loses its role."""
    await stage.in_step()
    for number in range(3):
        old, new = (stage.a, stage.b) if number % 2 == 0 else (stage.b, stage.a)
        await stage.write(old, 0)
        stage.cut()
        await stage.promote(new)
        old.disk.slow_seconds = (0.0, 0.02)
        stage.join()
        for place in range(40):
            if old.role is ReplicaRole.PRIMARY:
                stage.begin(old, 8 * (place % 6), (8, 40)[place % 2])
            await stage.pause(0.002)
        old.disk.slow_seconds = (0.0, 0.0)
        await stage.in_step()


async def interrupted_orders(stage: Stage) -> None:
    """A person loses patience in the middle of orders, sooner and later."""
    await stage.in_step()
    stage.person.start()
    for number in range(12):
        primary = stage.person.primary()
        action = ("planned", "suspend", "planned", "policy")[number % 4]
        kind = ("continue", "suspend-io")[number % 2]
        patience_seconds = 0.0007 * (1 + number % 7)
        side = primary.name if primary is not None else "A"
        stage.person.do(Step(0.0, action, side, kind=kind, patience_seconds=patience_seconds))
        await stage.burst(2)
        await stage.until(lambda: stage.person.done, "the order to end")
        while not stage.mender.in_step():
            await stage.mender.mend()
            await stage.pause(0.02)


async def two_questions(stage: Stage) -> None:
    """Two people ask for a comparison at once; each of them gets an answer."""
    await stage.in_step()
    await stage.burst(3)
    replica = stage.replica(stage.a)
    questions = [
        asyncio.ensure_future(stage.a.ask(replica.verify)),
        asyncio.ensure_future(stage.a.ask(replica.verify)),
    ]
    await stage.until(lambda: all(question.done() for question in questions), "the answers")
    for question in questions:
        if question.result().differing_blocks:
            stage.fail("verify found a difference in sync")


async def told_in_the_handshake(stage: Stage) -> None:
    """A crashed primary is told to lead alone while it shakes hands with a longer log."""
    await stage.lose_what_the_peer_holds()
    stage.cluster.set_delay(0.02, 0.021)
    await stage.boot(stage.a)
    core = stage.replica(stage.a).core
    await stage.until(core.transition.locked, "the handshake")
    stage.oracle.overridden = True
    stage.person.do(Step(0.0, "alone", "A"))
    for number in range(20):
        stage.begin(stage.a, 16 + number)
        await stage.pause(0.005)
    stage.cluster.set_delay(*stage.cluster.delay_seconds)
    await stage.until(lambda: stage.person.done, "the order to end")
    await stage.in_step()


async def cut_fence(stage: Stage) -> None:
    """The link breaks when the peer has stored the fence and the primary has not heard of it.

    What the primary acknowledges then, the peer cannot know of, and may not exclude.
    """
    await stage.in_step()
    await stage.order("suspend")
    await stage.write(stage.a, 0)
    network = stage.cluster.network
    network.set_delay("A", "B", 0.01, 0.011)
    network.set_delay("B", "A", 0.05, 0.051)
    fenced = stage.loop.probes["wire: Fenced"]
    await stage.order("resume")
    await stage.until(lambda: stage.loop.probes["wire: Fenced"] > fenced, "the peer to store it")
    if stage.phase(stage.a) is not Phase.FENCING:
        stage.fail("the primary did not wait for the answer to its fence")
    stage.cut()
    await stage.until(lambda: stage.phase(stage.a) is Phase.ALONE, "the loss of the link")
    if not await stage.write(stage.a, 8):
        stage.fail("a fence that was cut short keeps a primary from going on alone")
    if stage.oracle.check_evidence(stage.b):
        stage.fail("the secondary excludes a loss while the primary acknowledges alone")
    stage.cluster.set_delay(*stage.cluster.delay_seconds)
    stage.join()
    await stage.in_step()


async def dark_fence(stage: Stage) -> None:
    """The peer loses power as soon as the primary counts on it: it knows that it is consistent."""
    await stage.boot(stage.a)
    for number in range(4):
        await stage.write(stage.a, 16 * number, 16)
    await stage.boot(stage.b)
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    stage.b.disk.slow_seconds = (0.02, 0.03)
    await stage.until(lambda: stage.phase(stage.a) is Phase.LIVE, "the end of the fence")
    stage.b.power_cut()
    stage.b.disk.slow_seconds = (0.0, 0.0)
    await stage.boot(stage.b)
    if stage.replica(stage.b).core.superblock.data is not ReplicaData.CONSISTENT:
        stage.fail("the primary counts on a peer that its fence has not reached")
    await stage.in_step()


async def slow_return(stage: Stage) -> None:
    """The peer comes back with slow disks while the primary goes on writing alone."""
    await stage.in_step()
    for _ in range(2):
        stage.cut()
        for number in range(4):
            await stage.write(stage.a, 8 * number)
        stage.b.disk.slow_seconds = (0.0, 0.03)
        stage.join()
        for number in range(120):
            stage.begin(stage.a, 8 * (number % 5))
            await stage.pause(0.003)
        stage.b.disk.slow_seconds = (0.0, 0.0)
        await stage.in_step()
