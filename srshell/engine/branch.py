"""Keep what the loser of a split brain wrote, as sparse files beside a description.

Always true: nothing of the loser is overwritten before its branch is durable; a branch that does
not fit is an SrError, and then nothing changes.
"""

from __future__ import annotations

import json
from pathlib import Path

from srshell.engine.core import Core
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.overlay import patch
from srshell.model.errors import SrError
from srshell.storage import BlockFile, StorageError, Write

_PIECE_BLOCKS = 256


async def save_branch(core: Core, directory: str, from_lsn: int) -> str:
    """Write the blocks changed after ``from_lsn``; return the description's path.

    One file for each volume, as large as the volume and sparse: NAME.LSN.branch.  Raises SrError
    SR6024.
    """
    for frame in core.ring.frames:
        if frame.last_lsn > from_lsn:
            core.dirty.mark_extents(frame.extents)
    superblock = core.superblock
    stem = f"{superblock.group}.{core.log.durable_lsn}"
    try:
        await core.write_dirty_pages()
        files = [
            await _save_volume(core, directory, volume) for volume in range(len(core.dirty.bits))
        ]
        description = {
            "schema": "srshell.branch/1",
            "group": superblock.group,
            "array": superblock.array,
            "from_lsn": from_lsn,
            "to_lsn": core.log.durable_lsn,
            "files": files,
        }
        path = str(Path(directory) / f"{stem}.branch.json")
        data = json.dumps(description, indent=1).encode()
        disk = core.world.data_disk
        if await disk.exists(path):
            await disk.remove(path)
        await disk.create(path, len(data))
        file = await disk.open(path)
        await file.write_at([Write(0, (data,))], sync=True)
        await file.close()
    except StorageError as error:
        facts = f"{error}"
        raise SrError.make("SR6024", facts=facts, array=superblock.array) from error
    return path


async def _save_volume(core: Core, directory: str, volume: int) -> dict[str, object]:
    layout, disk = core.volumes.layouts[volume], core.world.data_disk
    path = str(Path(directory) / f"{layout.name}.{core.log.durable_lsn}.branch")
    if await disk.exists(path):
        await disk.remove(path)
    await disk.create(path, layout.size_bytes)
    file = await disk.open(path)
    try:
        ranges = await _copy_blocks(core, volume, file)
        await file.sync()
    finally:
        await file.close()
    return {"volume": layout.name, "path": path, "ranges": ranges}


async def _copy_blocks(core: Core, volume: int, file: BlockFile) -> list[tuple[int, int]]:
    size_bytes = core.volumes.layouts[volume].size_bytes
    ranges: list[tuple[int, int]] = []
    for first, count in core.dirty.runs(volume, 0, _PIECE_BLOCKS):
        offset = first * BLOCK_BYTES
        length = min(count * BLOCK_BYTES, size_bytes - offset)
        records = core.overlay.covering(volume, offset, length, core.log.durable_lsn)
        data = patch(await core.volumes.read(volume, offset, length), offset, records)
        await file.write_at([Write(offset, (data,))])
        ranges.append((offset, length))
    return ranges
