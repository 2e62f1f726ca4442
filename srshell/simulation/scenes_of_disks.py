"""Scenes about logs, superblocks, and devices that fail or rot.

Always true: a story ends where its trouble ends; `Stage.play` brings the group back in sync.
"""

from __future__ import annotations

import asyncio
from typing import Final

from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT, decode_superblock
from srshell.model.replica import Superblock
from srshell.replication.source import Phase
from srshell.simulation.cluster import Site
from srshell.simulation.faults import FaultKind, Operation
from srshell.simulation.scenes import Stage

_SLOTS_BYTES: Final = SLOT_BYTES * SLOT_COUNT


async def space(stage: Stage) -> None:
    """Power goes when the ring was written where the superblock on disk still needs it."""
    # What a power cut keeps is chance: one of a few takes what is needed.
    for _ in range(4):
        await stage.in_step()
        await _cut_power_over_needed_space(stage)


async def _cut_power_over_needed_space(stage: Stage) -> None:
    core = stage.replica(stage.a).core

    def overwrites(operation: Operation) -> bool:
        ring = core.ring
        synced = operation.path == stage.a.log_path and operation.name == "sync"
        if not synced or ring.tail_position - ring.durable_head_position <= ring.ring_bytes:
            return False
        return ring.tail_position - _newest_slot(stage.a)[0].head_position > ring.ring_bytes

    struck = stage.strike_after(stage.a, overwrites)
    for number in range(400):
        stage.begin(stage.a, 16 * (number % 4), 16)
        await stage.pause(0.001)
        if struck():
            await stage.boot(stage.a)
            break


async def longer_tail(stage: Stage) -> None:
    """The peer holds a record that the primary's crash lost, and the primary is told to lead."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    held_lsn = stage.replica(stage.b).core.log.durable_lsn
    stage.a.disk.hang()
    stage.begin(stage.a, 8)
    log = stage.replica(stage.b).core.log
    await stage.until(lambda: log.durable_lsn > held_lsn, "the peer to hold the record")
    await stage.pause(0.1)
    stage.cut()
    stage.a.power_cut()
    await stage.boot(stage.a)
    await stage.order("alone")
    await stage.write(stage.a, 24)
    stage.join()
    await stage.in_step()


async def many_openings(stage: Stage) -> None:
    """The log is opened often, with writes of each opening that no checkpoint covers."""
    await stage.in_step()
    for number in range(7):
        stage.b.disk.hang()
        stage.begin(stage.a, 8 * (number % 3))
        await stage.pause(0.004)
        stage.a.power_cut()
        stage.b.power_cut()
        await stage.boot(stage.a)
        await stage.boot(stage.b)
        await stage.in_step()


async def killed_often(stage: Stage) -> None:
    """Processes die with pages that are only in the cache; then the power goes."""
    await stage.in_step()
    for number in range(6):
        site = (stage.a, stage.b)[number % 2]
        begun = [stage.begin(stage.a, 8 * n) for n in range(3)]
        await stage.pause(0.0005 * number)
        site.kill()
        await stage.boot(site)
        await stage.pause(0.004)
        site.power_cut()
        await stage.boot(site)
        await stage.in_step()
        await asyncio.wait(begun)


async def rotten_log(stage: Stage) -> None:
    """A frame in the middle of a log rots: the side fails, and is never shortened silently."""
    await stage.in_step()
    core = stage.replica(stage.b).core
    for number in range(3):
        await stage.write(stage.a, 8 * number)
    held = core.ring.frames[0]
    stage.b.kill()
    offset = core.superblock.ring_offset + held.position % core.ring.ring_bytes
    stage.b.disk.image(stage.b.log_path).flip(offset + held.payload_bytes // 2)
    await stage.boot(stage.b)
    if not stage.b.trouble:
        stage.fail("a damaged log was opened")


async def rotten_slot(stage: Stage) -> None:
    """The newest superblock rots right after the first write alone: the other slots know of it."""
    await stage.in_step()
    stage.cut()
    await stage.write(stage.a, 0)
    stage.a.kill()
    _rot_newest_slot(stage.a)
    await stage.promote(stage.b)
    await stage.write(stage.b, 8)
    await stage.boot(stage.a)
    stage.join()
    await stage.until(stage.knows_split, "the split to be known")


def _newest_slot(site: Site) -> tuple[Superblock, int]:
    """Return the superblock that a recovery would find, and its slot."""
    image = site.disk.image(site.log_path)
    found = []
    for slot in range(SLOT_COUNT):
        data = image.read(slot * SLOT_BYTES, SLOT_BYTES)
        if any(data):
            found.append((decode_superblock(data, slot), slot))
    return max(found, key=lambda entry: entry[0].generation)


def _rot_newest_slot(site: Site) -> None:
    _, slot = _newest_slot(site)
    site.disk.image(site.log_path).flip(slot * SLOT_BYTES + 100)


async def failed_sync(stage: Stage) -> None:
    """A sync of the peer's log fails, and so does writing that down: the cache is not trusted."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.b.disk.fail_at(1, FaultKind.EIO, operation="sync", path="log")
    # A write that fails may have put its beginning down, and that may be all of a superblock.
    stage.b.disk.fail_at(1, FaultKind.EIO, operation="open", path="log", sticky=True)
    waiting = stage.begin(stage.a, 8)
    await stage.until(lambda: bool(stage.b.trouble), "the failure")
    await stage.pause(0.1)
    stage.b.kill()
    stage.b.disk.heal()
    await stage.boot(stage.b)
    if stage.b.trouble:
        stage.fail("the failure was written down all the same")
    await stage.until(waiting.done, "the write to end")
    stage.b.power_cut()
    await stage.boot(stage.b)
    if stage.b.trouble:
        stage.fail("the peer confirmed what only its page cache holds")


async def failed_for_good(stage: Stage) -> None:
    """A sync of the peer's log fails once: the side has failed, also for its next process."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.b.disk.fail_at(1, FaultKind.EIO, operation="sync", path="log")
    stage.begin(stage.a, 8)
    await stage.until(lambda: bool(stage.b.trouble), "the failure")
    await stage.pause(0.1)
    await _stays_failed(stage)


async def failed_volume(stage: Stage) -> None:
    """A sync of the peer's volume fails at a checkpoint: it has failed, the primary goes on."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.b.disk.fail_at(1, FaultKind.EIO, operation="sync", path="volume")
    for number in range(4):
        await stage.write(stage.a, 8 * number)
        await stage.pause(0.06)
    if not stage.b.trouble:
        stage.fail("a failed sync of a volume went unnoticed")
    await _stays_failed(stage)


async def _stays_failed(stage: Stage) -> None:
    """B's disk is well again, its process is another one; what failed has failed."""
    stage.b.kill()
    stage.b.disk.heal()
    await stage.boot(stage.b)
    if not stage.b.trouble:
        stage.fail("a side that failed came back as if nothing had happened")


async def failed_primary(stage: Stage) -> None:
    """The primary's log fails under a write: it takes no more, and the peer has everything."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    stage.a.disk.fail_at(1, FaultKind.EIO, operation="write", path="log")
    await stage.write(stage.a, 8)
    await stage.until(lambda: bool(stage.a.trouble), "the failure")
    if await stage.write(stage.a, 16):
        stage.fail("a side that failed acknowledged a write")
    await stage.promote(stage.b)
    await stage.read(stage.b, 0)


async def rotten_volume(stage: Stage) -> None:
    """A block rots on the peer's volume: verify finds it, and finds nothing else."""
    await stage.in_step()
    await stage.write(stage.a, 8)
    await stage.pause(0.2)
    replica = stage.replica(stage.a)
    stage.b.disk.image(stage.b.volume_path(0)).flip(8 * 512 + 17)
    compared = await stage.a.ask(replica.verify)
    if compared.differing_blocks != 1:
        stage.fail(f"verify found {compared.differing_blocks} blocks, not one")
    # The same write again puts the block right.
    await stage.write(stage.a, 8)
    await stage.pause(0.2)


async def pulled_tail(stage: Stage) -> None:
    """The peer holds a record that the primary's crash lost; the primary takes it back."""
    await stage.lose_what_the_peer_holds()
    await stage.boot(stage.a)
    await stage.until(lambda: stage.phase(stage.a) is Phase.LIVE, "the primary to lead")
    await stage.write(stage.a, 16)
    await stage.in_step()


async def short_writes(stage: Stage) -> None:
    """Devices take only the beginnings of writes, and give only the beginnings of reads."""
    await stage.in_step()
    for number in range(6):
        for site in (stage.a, stage.b):
            for path in ("log", "volume"):
                stage.brief(site, "write", path)
        await stage.write(stage.a, 8 * number, 24)
        await stage.pause(0.06)
    stage.a.power_cut()
    stage.b.power_cut()
    await stage.boot(stage.a)
    await stage.boot(stage.b)
    await stage.in_step()
    await stage.read(stage.a, 0, 48)


async def rotten_bitmap(stage: Stage) -> None:
    """A page of the bitmap rots while the peer is away: its blocks count as changed."""
    await stage.in_step()
    stage.cut()
    for number in range(12):
        await stage.write(stage.a, 24 * (number % 3), 24)
    await stage.pause(0.2)
    core = stage.replica(stage.a).core
    if not core.dirty.any():
        stage.fail("the log was not overrun")
    stage.a.kill()
    stage.a.disk.image(stage.a.log_path).flip(core.superblock.volumes[0].bitmap_offset + 70)
    await stage.boot(stage.a)
    stage.join()
    await stage.in_step()


async def stopped_short(stage: Stage) -> None:
    """A checkpoint is under way on slow disks when the power goes, at many moments."""
    await stage.in_step()
    for number in range(8):
        stage.a.disk.slow_seconds = stage.b.disk.slow_seconds = (0.0, 0.004)
        for place in range(3):
            stage.begin(stage.a, 16 * place + number, 16)
        await stage.pause(0.045 + 0.004 * number)
        stage.a.power_cut()
        if number % 2:
            stage.b.power_cut()
            await stage.boot(stage.b)
        await stage.boot(stage.a)
        stage.a.disk.slow_seconds = stage.b.disk.slow_seconds = (0.0, 0.0)
        await stage.in_step()
        await stage.read(stage.a, 0, 48)


async def killed_before_the_sync(stage: Stage) -> None:
    """The peer is killed between write and sync of a frame, starts again, and loses power."""
    await stage.in_step()
    await stage.write(stage.a, 0)
    for number in range(3):
        struck: list[Operation] = []

        def kill(operation: Operation, struck: list[Operation] = struck) -> None:
            ring = operation.offset >= _SLOTS_BYTES and operation.path == stage.b.log_path
            if not struck and ring and operation.name == "write":
                struck.append(operation)
                stage.b.kill()

        stage.b.disk.after = kill
        waiting = stage.begin(stage.a, 8 * number)
        await stage.until(struck.__len__, "the frame")
        stage.b.disk.after = None
        await stage.boot(stage.b)
        await stage.until(waiting.done, "the write to end")
        stage.b.power_cut()
        await stage.boot(stage.b)
        if stage.b.trouble:
            stage.fail("the peer confirmed what only its page cache held")
        await stage.in_step()
