"""Planted bugs in logs, superblocks, volumes and devices: what each replaces in the engine.

Always true: a function here returns who is replaced, which name of it, and by what; it changes
nothing itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from srshell.codec.checksum import crc32
from srshell.codec.errors import FormatError
from srshell.codec.log_frame import open_body
from srshell.codec.superblock import SLOT_BYTES, SLOT_COUNT, decode_superblock, encode_superblock
from srshell.engine import destage, dirty_map, opening, recovery, superblock_file
from srshell.engine.batch import Batch
from srshell.engine.core import Core
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.recovery import RecoveredLog, scan_log
from srshell.engine.superblock_file import SuperblockFile
from srshell.engine.volume_set import VolumeSet
from srshell.model.errors import SrError
from srshell.model.replica import Segment, Superblock
from srshell.replication import scan
from srshell.simulation.planting import Change, plants
from srshell.storage import BlockFile, Write
from srshell.storage.raw import RawFile

# --- reading a log ------------------------------------------------------------------------------


@plants("no-body-checksum", "P8", "a torn frame does not count")
def believe_any_body() -> list[Change]:
    def open_any(epoch: int, lsn: int, count: int, data: bytes, crc: int) -> Any:  # noqa: ANN401
        return open_body(epoch, lsn, count, data, crc32(data))

    return [(scan, "open_body", open_any)]


@plants("damage-is-a-tear", "P8", "a log is never shortened silently")
def call_damage_a_tear() -> list[Change]:
    def stop(self: Any) -> None:  # noqa: ANN401
        self._end(scan.Ending.TEAR)

    return [(scan.LogScan, "_stop", stop)]


@plants("tear-is-damage", "P2", "a tear at the end of a log is no damage")
def call_a_tear_damage() -> list[Change]:
    def stop(self: Any) -> None:  # noqa: ANN401
        self._end(scan.Ending.DAMAGE)

    return [(scan.LogScan, "_stop", stop)]


@plants("forgotten-segments", "P9", "an opening keeps the segments before it")
def forget_the_segments_before() -> list[Change]:
    def only_the_new_one(superblock: Superblock, segment: Segment) -> Superblock:
        return attrs.evolve(superblock, segments=(segment,))

    return [(opening, "with_segment", only_the_new_one)]


@plants("forgotten-overlay", "P9", "what was logged is read after a restart")
def forget_the_records() -> list[Change]:
    async def without_records(file: BlockFile, *, unapplied: bool) -> RecoveredLog:
        return attrs.evolve(await scan_log(file, unapplied=unapplied), records=())

    return [(opening, "scan_log", without_records)]


# --- superblocks and bitmaps --------------------------------------------------------------------


@plants("oldest-slot", "P6", "the newest superblock counts")
def read_the_oldest_slot() -> list[Change]:
    async def read(file: BlockFile) -> Superblock | None:
        found = []
        for slot in range(SLOT_COUNT):
            try:
                data = await file.read_at(slot * SLOT_BYTES, SLOT_BYTES)
                found.append(decode_superblock(data, slot))
            except FormatError:
                continue
        return min(found, key=lambda superblock: superblock.generation, default=None)

    return [(recovery, "read_superblock", read)]


@plants("unsynced-slot", "P2", "a superblock is durable before it counts")
def write_slots_without_sync() -> list[Change]:
    async def write_slot(self: Any, superblock: Superblock) -> None:  # noqa: ANN401
        place = superblock.generation % SLOT_COUNT * SLOT_BYTES
        await self._file.write_at([Write(place, (encode_superblock(superblock),))], sync=False)
        self.current = superblock

    return [(SuperblockFile, "_write_slot", write_slot)]


@plants("identity-in-one-slot", "P6", "a new identity is in two slots")
def write_one_slot_of_a_new_identity() -> list[Change]:
    return [(superblock_file, "_identity", lambda superblock: ())]


@plants("last-block-forgotten", "P11", "the last, odd block has a bit")
def round_the_blocks_down() -> list[Change]:
    return [(dirty_map, "block_count", lambda size_bytes: size_bytes // 4096)]


@plants("rotten-page-is-zeros", "P11", "a rotten bitmap page counts as ones")
def take_a_rotten_page_for_zeros() -> list[Change]:
    load_page = DirtyMap._load_page

    def load(self: Any, volume: int, page: int, data: bytes, damage: list[str]) -> None:  # noqa: ANN401
        before = self.bits[volume].copy()
        load_page(self, volume, page, data, damage)
        if damage:
            self.bits[volume][:] = before

    return [(DirtyMap, "_load_page", load)]


# --- volumes ------------------------------------------------------------------------------------


@plants("applied-on-the-way", "P9", "applied is what the volumes hold")
def call_applied_what_is_on_its_way() -> list[Change]:
    apply = VolumeSet.apply

    async def later(self: VolumeSet, batches: Mapping[int, Batch]) -> None:
        asyncio.ensure_future(apply(self, batches))  # noqa: RUF006  (that is the bug)

    return [(VolumeSet, "apply", later)]


@plants("applied-backwards", "P16", "overlapping writes are applied in order")
def apply_backwards() -> list[Change]:
    apply = destage.apply

    async def backwards(core: Core, records: Sequence[Any]) -> None:
        await apply(core, records[::-1])

    return [(destage, "apply", backwards)]


# --- devices that fail --------------------------------------------------------------------------


@plants("lost-pages-trusted", "P7", "what a failed sync lost is not trusted")
def trust_what_a_failed_sync_lost() -> list[Change]:
    async def drop_cache(self: BlockFile, offset: int, length: int) -> None:
        return None

    return [(BlockFile, "drop_cache", drop_cache)]


@plants("goes-on-after-an-error", "P7", "a device error fails the side")
def go_on_after_an_error() -> list[Change]:
    def fail(self: Core, error: object) -> SrError:
        return SrError.make("SR9220", facts=str(error), operation="replication", file=self.log_path)

    return [(Core, "fail", fail)]


@plants("failure-in-memory", "P7", "a failure outlives the process")
def keep_a_failure_in_memory() -> list[Change]:
    async def record_failure(self: Core) -> None:
        return None

    return [(Core, "record_failure", record_failure)]


@plants("short-write", "P7", "a short write is completed")
def take_a_short_write_for_a_whole_one() -> list[Change]:
    def write_once(self: Any, write: Write, _left_bytes: int) -> None:  # noqa: ANN401
        self._handle.pwritev(write.buffers, write.offset)

    return [(RawFile, "_write_fully", write_once)]
