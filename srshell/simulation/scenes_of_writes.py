"""Scenes about acknowledgements, reads and what an acknowledgement needs.

Always true: a story ends where its trouble ends; `Stage.play` brings the group back in sync.
"""

from __future__ import annotations

import asyncio
from typing import Final

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT
from srshell.model.replica import Flow, ReplicaRole
from srshell.simulation.scenes import Stage

_SLOTS_BYTES: Final = SLOT_BYTES * SLOT_COUNT


async def everyday(stage: Stage) -> None:
    """Writes in sync that overlap, reads of each, checkpoints."""
    await stage.in_step()
    for number in range(6):
        await stage.burst(4)
        await stage.read(stage.a, number, 24)
        if number % 2:
            await stage.pause(0.06)


async def promoted_while_written(stage: Stage) -> None:
    """A side is promoted, on a slow disk, while the other one sends it frames; then both write."""
    await stage.in_step()
    for new in (stage.b, stage.a):
        writing = asyncio.ensure_future(_write_to_who_leads(stage))
        await stage.pause(0.004)
        new.disk.slow_seconds = (0.0, 0.01)
        await stage.promote(new)
        new.disk.slow_seconds = (0.0, 0.0)
        await writing
        await stage.in_step()


async def _write_to_who_leads(stage: Stage) -> None:
    for place in range(60):
        for site in (stage.a, stage.b):
            if site.role is ReplicaRole.PRIMARY:
                stage.begin(site, 5 * (place % 6))
        await stage.pause(0.0007)


async def silent_peer(stage: Stage) -> None:
    """The peer's disk hangs under a write: it is neither acknowledged nor read, and not lost."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.b.disk.hang()
    waiting = stage.begin(stage.a, 0)
    await stage.pause(0.05)
    await stage.read(stage.a, 0)
    await stage.pause(0.05)
    if waiting.done():
        stage.fail("a write was acknowledged that the peer's disk does not hold")
    stage.b.power_cut()
    await stage.boot(stage.b)
    await waiting


async def dark_at_the_ack(stage: Stage) -> None:
    """Both sides lose power in the moment of an acknowledgement, again and again."""
    await stage.in_step()
    stage.person.start()
    for number in range(4):
        await stage.write(stage.a, 8 * number)
        stage.a.power_cut()
        stage.b.power_cut()
        await stage.until(lambda: stage.a.up and stage.b.up, "both sides to start")
        await stage.in_step()
        await stage.read(stage.a, 8 * number)


async def suspended_io(stage: Stage) -> None:
    """The link is cut under suspend-io: writes wait, and a failover loses nothing."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.cut()
    waiting = stage.begin(stage.a, 8)
    await stage.pause(0.6)
    if waiting.done() or stage.replica(stage.a).report().alone:
        stage.fail("a write was acknowledged alone under suspend-io")
    await stage.promote(stage.b)
    await stage.write(stage.b, 16)
    stage.join()
    await stage.in_step()


async def io_error(stage: Stage) -> None:
    """The link is cut under io-error: writes fail, and say that their outcome is unknown."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.cut()
    waiting = stage.begin(stage.a, 8)
    await stage.pause(0.6)
    if not waiting.done():
        stage.fail("a write waits for ever under io-error")
    stage.join()
    await stage.in_step()


async def alone(stage: Stage) -> None:
    """The primary goes on alone and says so; its peer says that it cannot know."""
    await stage.in_step()
    stage.cut()
    await stage.write(stage.a, 8)
    report = stage.replica(stage.a).report()
    if not report.alone or report.flow is Flow.LIVE or not report.lost_unix:
        stage.fail("a primary that is alone does not say so")
    await stage.pause(0.5)
    if stage.replica(stage.b).report().flow is Flow.LIVE:
        stage.fail("a secondary without a link says that it is in sync")
    stage.a.power_cut()
    await stage.boot(stage.a)
    stage.join()
    await stage.in_step()
    await stage.read(stage.a, 8)


async def told_to_suspend(stage: Stage) -> None:
    """A person suspends the group: the peer knows it before a write is acknowledged alone."""
    await stage.in_step()
    await stage.order("suspend")
    await stage.write(stage.a, 8)
    await stage.pause(0.2)
    await stage.order("resume")
    await stage.in_step()


async def back_pressure(stage: Stage) -> None:
    """The peer's disk stands still under many writes: log and memory stay bounded."""
    await stage.in_step()
    core = stage.replica(stage.a).core
    stage.b.disk.hang()
    begun = [stage.begin(stage.a, 24 * (n % 3), 24) for n in range(30)]
    await stage.pause(0.1)
    waiting_bytes = core.ring.bytes_after(core.source.acked_lsn if core.source else 0)
    limits = core.world.limits
    if waiting_bytes > core.ring.ring_bytes // 2 + limits.write_bytes + 512:
        stage.fail(f"{waiting_bytes} bytes of the log wait for the peer")
    if core.overlay.payload_bytes > limits.unapplied_bytes + limits.frame_bytes:
        stage.fail(f"{core.overlay.payload_bytes} bytes wait in memory")
    stage.b.disk.resume()
    await asyncio.wait(begun)


async def torn_writes(stage: Stage) -> None:
    """Large writes of several records are under way when their side loses its role."""
    await stage.in_step()
    for number in range(4):
        leader = stage.person.primary()
        if leader is None:
            stage.fail("nobody leads")
            return
        late = [stage.begin(leader, 8 * n, 40) for n in range(4)]
        await stage.pause(0.0004 * number)
        await stage.order("planned", leader.name)
        await asyncio.wait(late)
        await stage.in_step()
        await stage.read(leader.peer, 0, 64)
