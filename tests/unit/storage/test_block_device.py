"""Block devices are volumes too: of a size that they have, and never one that is mounted."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from srshell.storage import AlreadyLocked, OsDisk, StorageError, Write
from tests import needs

MIB = 1024 * 1024

pytestmark = [needs.tools("losetup", "mke2fs"), needs.loop_devices()]


def _run(tool: str, *arguments: str) -> str:
    command = [needs.find(tool) or tool, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "image"
    OsDisk().create(str(image), 8 * MIB)
    device = _run("losetup", "--find", "--show", str(image))
    yield device
    _run("losetup", "--detach", device)


def test_a_block_device_is_written_punched_and_read(device: str) -> None:
    with closing(OsDisk().open(device)) as file:
        assert file.size() == 8 * MIB
        file.write_at([Write(0, (b"\xff" * 65536,))], True)
        file.punch(4096, 8192)
        file.punch(100, 200)
        file.drop_cache(0, MIB)
        expected = b"\xff" * 100 + bytes(200) + b"\xff" * 3796 + bytes(8192) + b"\xff" * 512
        assert file.read_at(0, len(expected)) == expected
        assert file.data_ranges(0, MIB)[0][0] == 0
        with pytest.raises(StorageError, match="OUT_OF_RANGE"):
            file.write_at([Write(8 * MIB, (b"x",))], False)


def test_a_block_device_in_use_is_left_alone(device: str, tmp_path: Path) -> None:
    disk = OsDisk()
    with closing(disk.open(device)), pytest.raises(AlreadyLocked):
        disk.open(device)
    _run("mke2fs", "-q", device)
    folder = tmp_path / "mounted"
    folder.mkdir()
    _run("mount", device, str(folder))
    try:
        with pytest.raises(AlreadyLocked, match="mounted"):
            disk.open(device)
        disk.open(device, writable=False, lock=False).close()
    finally:
        _run("umount", str(folder))
    disk.open(device).close()
