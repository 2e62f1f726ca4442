"""Make a log volume ready for one side of a partnership.

    | superblock slots 64 KiB | dirty bitmaps | checksum maps | log ring, to the end |

One bitmap and one map for each volume.

Always true:

(1) Nothing is overwritten that belongs to another partnership: SrError SR3008.
(2) The superblock is written last: a volume that was formatted half-way is still blank.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from srshell.codec.bitmap_page import page_count
from srshell.codec.checksum_page import checksum_page_count
from srshell.codec.map_page import PAGE_BYTES
from srshell.codec.superblock import (
    CLEARED,
    SLOT_BYTES,
    SLOT_COUNT,
    encode_superblock,
)
from srshell.engine.dirty_map import DirtyMap
from srshell.engine.recovery import new_segment
from srshell.engine.room import check_room
from srshell.engine.superblock_file import SUPERBLOCK_AREA_BYTES, read_slots
from srshell.engine.world import World
from srshell.model.errors import SrError
from srshell.model.replica import (
    Epoch,
    Era,
    ReplicaData,
    ReplicaRole,
    ReplicaSpec,
    Superblock,
    VolumeLayout,
)
from srshell.storage import BlockFile, Write

_ZERO_PIECE = bytes(1 << 20)
_SLOT_OF_FIRST_GENERATION = 1
_STARTS = tuple(slot * SLOT_BYTES for slot in range(SLOT_COUNT))


@attrs.frozen
class LogLayout:
    """How a log volume is divided, in bytes."""

    volumes: tuple[VolumeLayout, ...]
    ring_offset: int
    ring_bytes: int


def metadata_bytes(sizes_bytes: Sequence[int], *, checksums: bool = True) -> int:
    """Return what stands before the ring for data volumes of these sizes."""
    pages = sum(map(page_count, sizes_bytes))
    if checksums:
        pages += sum(map(checksum_page_count, sizes_bytes))
    return SUPERBLOCK_AREA_BYTES + pages * PAGE_BYTES


def lay_out(spec: ReplicaSpec, ring_bytes_min: int) -> LogLayout:
    """Divide the log volume; where the ring would be too small, without checksum maps.

    Raises SrError SR2004 when it is too small even so.
    """
    sizes_bytes = [volume.size_bytes for volume in spec.volumes]
    checksums = spec.log_bytes - metadata_bytes(sizes_bytes) >= ring_bytes_min
    ring_offset = metadata_bytes(sizes_bytes, checksums=checksums)
    ring_bytes = (spec.log_bytes - ring_offset) // PAGE_BYTES * PAGE_BYTES
    if ring_bytes >= ring_bytes_min:
        return LogLayout(_layouts(spec, checksums=checksums), ring_offset, ring_bytes)
    facts = f"superblock and bitmaps take {ring_offset} bytes, the ring needs {ring_bytes_min}"
    raise SrError.make("SR2004", facts=facts, size=f"{spec.log_bytes} bytes")


def _layouts(spec: ReplicaSpec, *, checksums: bool) -> tuple[VolumeLayout, ...]:
    """Give each volume its bitmap, then each its checksum map."""
    offset = SUPERBLOCK_AREA_BYTES
    layouts = []
    for volume in spec.volumes:
        pages = page_count(volume.size_bytes)
        layouts.append(
            VolumeLayout(
                volume.name, volume.path, volume.size_bytes, volume.block_bytes, offset, pages
            )
        )
        offset += pages * PAGE_BYTES
    for index, layout in enumerate(layouts if checksums else ()):
        pages = checksum_page_count(layout.size_bytes)
        layouts[index] = attrs.evolve(layout, checksum_offset=offset, checksum_pages=pages)
        offset += pages * PAGE_BYTES
    return tuple(layouts)


async def format_log(spec: ReplicaSpec, world: World) -> None:
    """Write bitmaps, ring and superblock; harmless when this partnership did it before.

    Raises SrError SR2004, SR2016, SR3008, SR9210, SR9212 and StorageError.
    """
    layout = lay_out(spec, world.limits.ring_bytes_min)
    file = await world.log_disk.open(spec.log_path)
    try:
        found, written = await read_slots(file)
        if found is not None:
            _check_ours(found, spec)
            return
        if written:
            # Half of an older superblock would stand beside this one.
            await wipe_log(file)
        superblock = _first_superblock(spec, layout, world)
        check_room(superblock)
        await _write_zeros(file, SUPERBLOCK_AREA_BYTES, spec.log_bytes)
        dirty = DirtyMap(spec.partnership, layout.volumes)
        if spec.role is ReplicaRole.PRIMARY:
            dirty.mark_all()
        else:
            dirty.clear_all()
        dirty.touch_all()
        await dirty.write_pages(file)
        await _write_first(file, encode_superblock(superblock))
        await file.drop_cache(0, spec.log_bytes)
    finally:
        await file.close()


async def wipe_log(file: BlockFile) -> None:
    """Forget the partnership: the volumes are ordinary again (rule R77).  Raises StorageError.

    In two steps, each durable before the next one: marks, then what is behind them.  A power cut
    leaves a whole superblock in some slot, or no superblock at all.  The marks stay.
    """
    mark_bytes = len(CLEARED)
    rest = bytes(SLOT_BYTES - mark_bytes)
    await _mark_cleared(file)
    await file.write_at([Write(start + mark_bytes, (rest,)) for start in _STARTS], sync=True)


async def _write_first(file: BlockFile, slot: bytes) -> None:
    """Write the first superblock of a log under the marks of the other slots, then blank them.

    While they stand, half of it is no superblock; once they are gone, damage of it is damage.
    """
    first = _STARTS[_SLOT_OF_FIRST_GENERATION]
    others = [start for start in _STARTS if start != first]
    await _mark_cleared(file)
    await file.write_at([Write(first, (slot,))], sync=True)
    await file.write_at([Write(start, (bytes(len(CLEARED)),)) for start in others], sync=True)


async def _mark_cleared(file: BlockFile) -> None:
    """Let nothing that a power cut leaves in the slots be taken for damage."""
    await file.write_at([Write(start, (CLEARED,)) for start in _STARTS], sync=True)


def _check_ours(found: Superblock, spec: ReplicaSpec) -> None:
    """Let this partnership find its log again; anybody else's is left alone."""
    if (found.partnership, found.replica) != (spec.partnership, spec.replica):
        use = f"it belongs to the group {found.group} of {found.array}"
        raise SrError.make(
            "SR3008", facts=f"partnership {found.partnership}", log=spec.log_path, use=use
        )


async def _write_zeros(file: BlockFile, offset: int, end: int) -> None:
    """Write the ring once through: a log that grows or has holes costs twice for each commit."""
    while offset < end:
        piece = _ZERO_PIECE[: end - offset]
        await file.write_at([Write(offset, (piece,))])
        offset += len(piece)
    await file.sync()


def _first_superblock(spec: ReplicaSpec, layout: LogLayout, world: World) -> Superblock:
    primary = spec.role is ReplicaRole.PRIMARY
    epoch = Epoch(1, world.randomness.getrandbits(63), spec.replica)
    segment = new_segment(1, 0, world.randomness)
    return Superblock(
        generation=_SLOT_OF_FIRST_GENERATION,
        partnership=spec.partnership,
        replica=spec.replica,
        peer=spec.peer,
        group=spec.group,
        peer_group=spec.peer_group,
        array=spec.array,
        peer_array=spec.peer_array,
        initiator=spec.initiator,
        peer_address=spec.peer_address,
        volumes=layout.volumes,
        ring_offset=layout.ring_offset,
        ring_bytes=layout.ring_bytes,
        role=spec.role,
        data=ReplicaData.CONSISTENT if primary else ReplicaData.BLANK,
        on_peer_loss=spec.on_peer_loss,
        history=(Era(epoch, 0),) if primary else (),
        segments=(segment,),
        head_lsn=1,
        head_position=0,
        head_chain=segment.seed,
        checkpoint_lsn=0,
        durable_lsn=0,
        confirmed_lsn=0,
        alone=primary,
        promised_epoch=1 if primary else 0,
        compare=spec.seeded,
        full_copy=primary,
        owner_term=spec.owner_term,
    )
