"""Where the file system can share blocks, a branch is made at once, and takes room only later."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from srshell.engine.branch import Saving, save_branch
from srshell.engine.standing import divergence
from srshell.model.branch import BRANCH_FOLDER
from srshell.storage import OsDisk, StorageError
from tests import needs
from tests.unit.site.hosting import MIB, PARTNERSHIP, Fabric

#: XFS is not made smaller than 300 MiB; nearly all of the image is a hole.
_DISK_BYTES = 320 * MIB


def run(tool: str, *arguments: str | Path) -> None:
    path = needs.find(tool)
    assert path is not None, tool
    subprocess.run([path, *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def xfs() -> Iterator[Path]:
    """A file system whose files can share blocks, at a path that is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sr-")).resolve()
    image, place = folder / "disk", folder / "x"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(_DISK_BYTES)
    run("mkfs.xfs", "-q", image)
    run("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        run("umount", place)
        shutil.rmtree(folder)


async def saved_branch(place: Path) -> None:
    """Save a side, and write on."""
    fabric = Fabric(place)
    try:
        a, b = await fabric.in_sync()
        for start in range(0, 8 * MIB, MIB):
            await a.write("volA", start, (start + 1).to_bytes(4, "big") * (MIB // 4))
        folder = place / "PoolA" / BRANCH_FOLDER
        await asyncio.to_thread(folder.mkdir)
        replica = a._replicas.get(PARTNERSHIP).replica
        await replica.applier.settle()
        # The other side is on the same file system: what it applies takes room, too.
        other = b._replicas.get(PARTNERSHIP).replica
        while other.core.applied_lsn < replica.core.committed_lsn:
            await other.core.progressed()
        before, free = await a.read("volA", 0, 8 * MIB), OsDisk().free_bytes(str(folder))
        saving = Saving(str(folder), divergence(replica.core, 0), None, 60.0)
        (image,) = (await save_branch(replica.core, saving)).images
        assert image.shared
        assert await asyncio.to_thread((folder / image.file).read_bytes) == before
        assert free - OsDisk().free_bytes(str(folder)) < 4 * MIB
        await a.write("volA", 0, b"later" * 1000)
        await replica.applier.settle()
        assert await asyncio.to_thread((folder / image.file).read_bytes) == before
    finally:
        await fabric.close()


@needs.loop_devices()
@needs.tools("mkfs.xfs")
def test_a_branch_shares_the_blocks_of_its_volume(xfs: Path) -> None:
    """It stays what it was when the volume is written."""
    asyncio.run(saved_branch(xfs))


@needs.loop_devices()
@needs.tools("mkfs.xfs")
def test_files_on_two_file_systems_share_nothing(xfs: Path, tmp_path: Path) -> None:
    """Nothing is left then; nor is a file replaced."""
    disk, volume = OsDisk(), xfs / "volume"
    volume.write_bytes(b"data" * 1024)
    assert not disk.share(str(volume), str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
    assert disk.share(str(volume), str(xfs / "copy"))
    assert (xfs / "copy").read_bytes() == volume.read_bytes()
    with pytest.raises(StorageError, match="EEXIST"):
        disk.share(str(volume), str(xfs / "copy"))
