"""Keep the volumes of the loser of a split brain as it had them: images, then a description.

Always true:

(1) The description is written last and appears at once: images without one are no branch, and are
    made anew.
(2) An image holds every record of the log, applied or not, and nothing that comes later.
(3) What does not fit is an SrError, and nothing of it stays.
(4) The same moment is saved once: asked again, the branch of that moment is found.

Where the file system can share blocks, an image shares those of the volume until the volume
changes; elsewhere it is a sparse copy.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.log_frame import RecordKind
from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.model.branch import (
    DESCRIPTION_SUFFIX,
    IMAGE_SUFFIX,
    Branch,
    BranchImage,
    decode_branch,
    encode_branch,
)
from srshell.model.errors import SrError
from srshell.model.geometry import format_size
from srshell.model.replica import Divergence
from srshell.storage import BlockFile, Disk, StorageError, Write

_PIECE_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_PIECE_BYTES)
#: Left free beside the branch: the description, and what the file system needs for itself.
_SPARE_BYTES: Final = 1 << 20
_NO_ROOM: Final = frozenset({"ENOSPC", "EDQUOT", "EFBIG"})


@attrs.frozen
class Saving:
    """What is saved, and for how long."""

    directory: str  # exists already
    mine: Divergence
    theirs: Divergence | None  # None while it is unknown
    keep_seconds: float


async def save_branch(core: Core, saving: Saving) -> Branch:
    """Save all volumes as they stand with the whole log; the caller keeps writes away.

    Raises SrError SR6024 (they do not fit), SR9220 (a disk failed).
    """
    superblock, disk = core.superblock, core.world.data_disk
    name, known = await _named(core, saving.directory)
    if known is not None:
        return known
    paths = [
        str(Path(saving.directory) / f"{name}.{layout.name}{IMAGE_SUFFIX}")
        for layout in core.volumes.layouts
    ]
    try:
        for path in paths:
            if await disk.exists(path):
                await disk.remove(path)  # of a saving that was cut short
        shared = [
            await disk.share(layout.path, path)
            for layout, path in zip(core.volumes.layouts, paths, strict=True)
        ]
        await _check_room(core, saving, shared)
        images = [
            await _save_image(core, volume, path, shared=shared[volume])
            for volume, path in enumerate(paths)
        ]
        now_unix = core.world.wall_seconds()
        branch = Branch(
            name=name,
            group=superblock.group,
            array=superblock.array,
            partnership=superblock.partnership,
            kept=superblock.peer_array,
            epoch=superblock.history[-1].epoch,
            saved_unix=now_unix,
            expires_unix=now_unix + saving.keep_seconds,
            divergence=saving.mine,
            images=tuple(images),
        )
        await write_description(disk, saving.directory, branch)
    except (StorageError, SrError) as error:
        await _drop(disk, paths)
        raise _readable(error, superblock.array) from error
    return branch


async def saved_branch(core: Core, directory: str) -> Branch | None:
    """Return the branch that holds this very moment of this side, if it was saved."""
    return (await _named(core, directory))[1]


async def write_description(disk: Disk, directory: str, branch: Branch) -> None:
    """Make or replace the description of a branch, durably and at once.  Raises StorageError."""
    path = str(Path(directory) / f"{branch.name}{DESCRIPTION_SUFFIX}")
    data, new = encode_branch(branch), f"{path}.new"
    if await disk.exists(new):
        await disk.remove(new)
    await disk.create(new, len(data))
    file = await disk.open(new)
    try:
        await file.write_at([Write(0, (data,))], sync=True)
    finally:
        await file.close()
    await disk.rename(new, path)


async def _named(core: Core, directory: str) -> tuple[str, Branch | None]:
    """Return a name that is free, or the name and the branch that this moment was saved as."""
    superblock, disk = core.superblock, core.world.data_disk
    lsn = core.log.durable_lsn
    number = 1
    while True:
        name = f"{superblock.group}.{lsn}" + (f".{number}" if number > 1 else "")
        path = str(Path(directory) / f"{name}{DESCRIPTION_SUFFIX}")
        if not await disk.exists(path):
            return name, None
        with suppress(SrError, StorageError):  # a damaged description keeps its name
            found = await _read(disk, path)
            same = (superblock.partnership, superblock.array, superblock.history[-1].epoch, lsn)
            held = (found.partnership, found.array, found.epoch, found.divergence.to_lsn)
            if same == held and await _is_whole(disk, directory, found):
                return name, found
        number += 1


async def _is_whole(disk: Disk, directory: str, branch: Branch) -> bool:
    """Tell whether the images are there: somebody may have moved them away."""
    for image in branch.images:
        path = str(Path(directory) / image.file)
        if not await disk.exists(path):
            return False
        file = await disk.open(path, writable=False, lock=False)
        await file.close()
        if file.size() != image.size_bytes:
            return False
    return True


async def _read(disk: Disk, path: str) -> Branch:
    file = await disk.open(path, writable=False, lock=False)
    try:
        return decode_branch(await file.read_at(0, file.size()), path)
    finally:
        await file.close()


async def _check_room(core: Core, saving: Saving, shared: list[bool]) -> None:
    """Refuse what would leave no room for the blocks that the other side sends afterwards."""
    needed_bytes = _SPARE_BYTES + (saving.theirs.bytes if saving.theirs else 0)
    if any(shared):
        needed_bytes += saving.mine.bytes
    for volume, layout in enumerate(core.volumes.layouts):
        if not shared[volume]:
            ranges = await core.volumes.data_ranges(volume, 0, layout.size_bytes)
            needed_bytes += sum(length for _, length in ranges)
    needed_bytes += core.overlay.payload_bytes
    free_bytes = await core.world.data_disk.free_bytes(saving.directory)
    if needed_bytes > free_bytes:
        facts = (
            f"the branch needs {format_size(needed_bytes)} in {saving.directory}, "
            f"free {format_size(free_bytes)}, missing {format_size(needed_bytes - free_bytes)}"
        )
        raise SrError.make("SR6024", facts=facts, array=core.superblock.array)


async def _save_image(core: Core, volume: int, path: str, *, shared: bool) -> BranchImage:
    layout, disk = core.volumes.layouts[volume], core.world.data_disk
    if not shared:
        await disk.create(path, layout.size_bytes)
    file = await disk.open(path)
    try:
        if not shared:
            await _copy_data(core, volume, file)
        await _lay_over(core, volume, file)
        await file.sync()
    finally:
        await file.close()
    return BranchImage(
        volume=layout.name,
        file=Path(path).name,
        size_bytes=layout.size_bytes,
        block_bytes=layout.block_bytes,
        diverged_bytes=core.dirty.bits[volume].count() * BLOCK_BYTES,
        shared=shared,
    )


async def _copy_data(core: Core, volume: int, file: BlockFile) -> None:
    """Copy a volume file; holes and zeros stay holes."""
    size_bytes = core.volumes.layouts[volume].size_bytes
    for start, length in await core.volumes.data_ranges(volume, 0, size_bytes):
        for offset in range(start, start + length, _PIECE_BYTES):
            count = min(_PIECE_BYTES, start + length - offset)
            data = await core.volumes.read(volume, offset, count)
            if data != _ZEROS[:count]:
                await file.write_at([Write(offset, (data,))])


async def _lay_over(core: Core, volume: int, file: BlockFile) -> None:
    """Write what the log holds and the volume does not, in the order of the log."""
    for record in list(core.overlay.records):
        if record.volume != volume or record.lsn > core.log.durable_lsn:
            continue
        if record.kind is RecordKind.WRITE:
            await file.write_at([Write(record.offset, (record.payload,))])
        else:
            await file.punch(record.offset, record.length)


async def _drop(disk: Disk, paths: list[str]) -> None:
    """Leave nothing of a branch that was not completed; what cannot go is no branch anyway."""
    for path in paths:
        with suppress(StorageError):
            if await disk.exists(path):
                await disk.remove(path)


def _readable(error: StorageError | SrError, array: str) -> SrError:
    if isinstance(error, SrError):
        return error
    if error.errno_name in _NO_ROOM:
        return SrError.make("SR6024", facts=str(error), array=array)
    return SrError.make("SR9220", facts=str(error), operation="saving a branch", file=error.path)
