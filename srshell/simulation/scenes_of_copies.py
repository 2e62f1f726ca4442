"""Scenes about copies of blocks.

Always true: a story ends where its trouble ends; `Stage.play` brings the group back in sync.
"""

from __future__ import annotations

import asyncio
from typing import Final

import attrs

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT
from srshell.model.replica import Flow, ReplicaData
from srshell.simulation.cluster import SMALL_LIMITS, Shape
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
    for number in range(3):
        await stage.write(stage.a, 1500 + 16 * number)
    core = replica.core
    await stage.until(lambda: core.applied_lsn == core.log.durable_lsn, "the writes to be applied")
    await stage.in_step()
    await stage.pause(0.2)


async def cut_copies(stage: Stage) -> None:
    """Copies under writes, cut again and again; the last, odd blocks are written, too."""
    await stage.in_step()
    sectors = stage.plan.shape.volumes[0] // 512
    for number in range(5):
        stage.cut()
        for place in (0, 31 * number % 60, sectors - 3):
            await stage.write(stage.a, place, 3 if place == sectors - 3 else 24)
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
