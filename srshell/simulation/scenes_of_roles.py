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
    stage.oracle.replaced(stage.b)
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
