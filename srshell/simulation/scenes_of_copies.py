"""Scenes about copies of blocks.

Always true: a story ends where its trouble ends; `Stage.play` brings the group back in sync.
"""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT
from srshell.engine.peer_link import PeerLink
from srshell.model.replica import Flow, ReplicaData
from srshell.simulation.cluster import SMALL_LIMITS, Shape
from srshell.simulation.faults import Operation
from srshell.simulation.scenes import Stage

_SLOTS_BYTES: Final = SLOT_BYTES * SLOT_COUNT


LARGE: Final = Shape(
    volumes=((1 << 20) + 1536,), ring_bytes=256 << 10, limits=attrs.evolve(SMALL_LIMITS)
)


async def into_a_hole(stage: Stage) -> None:
    """A write goes into a hole that the copy has seen, but not sent yet."""
    await stage.a.boot()
    replica = stage.replica(stage.a)
    for number in range(22):
        await stage.write(stage.a, 24 * number, 24)
    await stage.pause(0.3)
    stage.cluster.set_delay(0.04, 0.041)
    await stage.b.boot()
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    link = replica.peer_link
    await stage.until(lambda: link.lead is not None and link.lead.copier is not None, "the copy")
    for number in range(8):
        await stage.write(stage.a, 1500 + 16 * number)
        await stage.pause(0.01)
    core = replica.core
    await stage.until(lambda: core.applied_lsn == core.log.durable_lsn, "the writes to be applied")
    await stage.in_step()
    await stage.pause(0.2)


async def cut_copies(stage: Stage) -> None:
    """Copies under writes, cut again and again; the last, odd blocks are written, too."""
    await stage.in_step()
    odd = stage.plan.shape.volumes[1] // 512 - 1
    for number in range(5):
        stage.cut()
        for place in (0, 31 * number % 60):
            await stage.write(stage.a, place, 24)
        await stage.write(stage.a, odd, 1, volume=1)
        for _ in range(3):
            await asyncio.gather(*(stage.begin(stage.a, 24 * n, 24) for n in range(3)))
            await stage.pause(0.02)
        stage.join()
        await stage.pause(0.01 + 0.05 * number)
        stage.begin(stage.a, 40 + number)
        if number == 2:
            stage.b.power_cut()
            await stage.boot(stage.b)
        if number == 3:
            stage.a.power_cut()
            await stage.boot(stage.a)
    await stage.in_step()


async def half_copied(stage: Stage) -> None:
    """A peer that is copied to is never promoted, and says itself that it is inconsistent."""
    await stage.a.boot()
    for number in range(20):
        await stage.write(stage.a, 24 * number, 24)
    stage.cluster.set_delay(0.02, 0.021)
    await stage.b.boot()
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    replica = stage.replica(stage.a)
    await stage.until(lambda: replica.peer_link.copied_bytes_total > 0, "the copy to begin")
    await stage.pause(0.06)
    if stage.replica(stage.b).report().data is ReplicaData.CONSISTENT:
        stage.fail("a peer that is being copied to says that it is consistent")
    if replica.report().flow is Flow.LIVE:
        stage.fail("the group says that it is in sync while it is being copied")
    stage.cut()
    target = stage.replica(stage.b)
    await stage.refused(
        stage.b, "to lead with half a copy", target.promote("too-early", None, alone=True)
    )
    stage.b.power_cut()
    await stage.boot(stage.b)
    if stage.replica(stage.b).report().data is ReplicaData.CONSISTENT:
        stage.fail("half a copy came back as consistent")


async def under_the_copy(stage: Stage) -> None:
    """Writes go again and again where the copy reads, on slow disks."""
    await stage.a.boot()
    for number in range(8):
        await stage.write(stage.a, 24 * number, 24)
    await stage.b.boot()
    stage.a.disk.slow_seconds = (0.0, 0.006)
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    for number in range(40):
        stage.begin(stage.a, 5 * number % 180, 3)
        await stage.pause(0.002)
    stage.a.disk.slow_seconds = (0.0, 0.0)
    await stage.in_step()


async def dark_copies(stage: Stage) -> None:
    """The power goes in the middle of copies, after the log was overrun."""
    await stage.in_step()
    for number in range(10):
        stage.cut()
        for _ in range(3):
            await asyncio.gather(*(stage.begin(stage.a, 24 * n, 24) for n in range(3)))
            await stage.pause(0.02)
        stage.join()
        await stage.pause(0.02 + 0.007 * number)
        site = (stage.a, stage.b)[number % 2]
        site.power_cut()
        await stage.boot(site)
        await stage.in_step()


async def behind_the_reader(stage: Stage) -> None:
    """The copy reads slowly; writes overtake what it has read."""
    await stage.a.boot()
    for number in range(6):
        await stage.write(stage.a, 24 * number, 24)
    await stage.pause(0.3)
    await stage.b.boot()
    disk = stage.a.disk

    def slow_reads(operation: Operation) -> None:
        slow = operation.name == "read" and "volume" in operation.path
        disk.slow_seconds = (0.03, 0.03) if slow else (0.0, 0.0)

    disk.before = slow_reads
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    for number in range(40):  # once each: what is written again would hide what was lost
        stage.begin(stage.a, 3 * number, 3)
        await stage.pause(0.004)
    disk.before = None
    disk.slow_seconds = (0.0, 0.0)
    await stage.in_step()


async def dark_at_the_end(stage: Stage) -> None:
    """The peer loses power in the moment in which a copy to its slow disks has ended."""
    await stage.in_step()
    for number in range(6):
        stage.cut()
        for place in range(6):
            await stage.write(stage.a, 300 * place + 24 * number, 24)
        for _ in range(8):
            await asyncio.gather(*(stage.begin(stage.a, 24 * n, 24) for n in range(4)))
            await stage.pause(0.02)
        stage.b.disk.slow_seconds = (0.0, 0.02)
        stage.join()
        await stage.in_step()
        stage.b.power_cut()
        stage.b.disk.slow_seconds = (0.0, 0.0)
        await stage.boot(stage.b)
        await stage.in_step()


async def scattered_copies(stage: Stage) -> None:
    """Single blocks here and there, more than the log keeps; writers and power cuts meet them."""
    await stage.in_step()
    for number in range(6):
        stage.cut()
        for turn in range(3):
            places = range(16 * (turn % 2), 2000, 48)
            await asyncio.gather(*(stage.begin(stage.a, place, 8) for place in places))
            await stage.pause(0.02)
        stage.b.disk.slow_seconds = (0.0, 0.006)
        stage.join()
        for place in range(0, 900, 48):
            stage.begin(stage.a, place + number % 8, 2)
            await stage.pause(0.002)
        if number % 3:
            site = (stage.a, stage.b)[number % 2]
            site.power_cut()
            await stage.boot(site)
        stage.b.disk.slow_seconds = (0.0, 0.0)
        await stage.in_step()


async def dark_peer(stage: Stage) -> None:
    """The peer loses power in the middle of the first copy, again and again."""
    await stage.a.boot()
    for number in range(30):
        await stage.write(stage.a, 60 * number, 24)
    await stage.b.boot()
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    link = stage.replica(stage.a).peer_link
    for number in range(6):
        copied = link.copied_bytes_total
        stage.b.disk.slow_seconds = (0.0, 0.02)
        await _copied_more(stage, link, copied)
        await stage.pause(0.002 * number)
        stage.b.power_cut()
        stage.b.disk.slow_seconds = (0.0, 0.0)
        await stage.boot(stage.b)
    await stage.in_step()


async def dark_primary(stage: Stage) -> None:
    """The primary loses power alone, after its log was overrun, and right after a copy began."""
    await stage.in_step()
    for number in range(4):
        stage.cut()
        for _ in range(4):
            await asyncio.gather(*(stage.begin(stage.a, 24 * n, 24) for n in range(3)))
            await stage.pause(0.02)
        if number % 2 == 0:
            stage.a.power_cut()
            await stage.boot(stage.a)
        # These blocks are not marked yet: only the log names them, until the copy begins.
        await stage.write(stage.a, 72, 24)
        await stage.write(stage.a, 8 * number, 8, volume=1)
        replica = stage.replica(stage.a)
        stage.join()
        await _copying(stage, replica.peer_link)
        stage.a.power_cut()
        await stage.boot(stage.a)
        await stage.in_step()


async def _copied_more(stage: Stage, link: PeerLink, before_bytes: int) -> None:
    def reached() -> bool:
        return link.copied_bytes_total > before_bytes or stage.mender.in_step()

    await stage.until(reached, "the copy to go on")


async def _copying(stage: Stage, link: PeerLink) -> None:
    await stage.until(lambda: link.lead is not None and link.lead.copier is not None, "the copy")


async def killed_while_comparing(stage: Stage) -> None:
    """The peer is killed with stored blocks in its cache; then they are compared, and equal."""
    await stage.a.boot()
    for number in range(5):
        await stage.write(stage.a, 100 * number, 24)
    await stage.pause(0.2)
    await stage.b.boot()
    struck: list[Operation] = []

    def kill(operation: Operation) -> None:
        if operation.name == "write" and "volume" in operation.path:
            struck.append(operation)
            if len(struck) in {1, 3, 5}:
                stage.b.kill()

    stage.b.disk.after = kill
    for site in (stage.a, stage.b):
        await site.ask(stage.replica(site).start)
    for _ in range(3):
        await stage.until(lambda: not stage.b.up, "the stored block")
        await stage.boot(stage.b)
    stage.b.disk.after = None
    await stage.in_step()
    stage.b.power_cut()
    await stage.boot(stage.b)
    await stage.in_step()
