"""A place is looked at without being changed."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from srshell.model.errors import SrError
from srshell.model.inventory import PoolKind
from srshell.site import inspect, labels
from srshell.site.labels import PoolLabel
from tests import needs
from tests.unit.site.hosting import MIB
from tests.unit.site.loops import loop_device


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def test_a_directory_can_hold_a_pool_of_files(tmp_path: Path) -> None:
    """The article's file storage."""
    before = _stamp(tmp_path)
    found = inspect.look(str(tmp_path))
    assert (found.kind, found.problems, found.writable) == (PoolKind.FILE, (), True)
    assert found.blank
    assert 0 < found.free_bytes <= found.size_bytes
    assert found.device == inspect.device_name(tmp_path.stat().st_dev)
    assert _stamp(tmp_path) == before


def test_a_path_through_a_link_is_told_as_it_really_is(tmp_path: Path) -> None:
    """Two names of one place must not look like two places."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert inspect.look(str(tmp_path / "link")).where == str((tmp_path / "real").resolve())


def test_the_label_of_a_pool_is_told(tmp_path: Path) -> None:
    """Whoever discovers it again gets the same names."""
    label = PoolLabel("f" * 32, "ClusterA", "PoolA", PoolKind.FILE, str(tmp_path))
    labels.write_record(tmp_path / labels.LABEL_NAME, label)
    found = inspect.look(str(tmp_path))
    assert (found.fabric, found.array, found.pool) == ("f" * 32, "ClusterA", "PoolA")
    assert not found.blank


def test_a_directory_that_everybody_may_write_to_is_no_place_for_volumes(tmp_path: Path) -> None:
    """Anybody could put another file in place of a volume."""
    tmp_path.chmod(0o1777)
    assert inspect.look(str(tmp_path)).problems == ("every user may write into it (mode 1777)",)


@contextmanager
def _as_an_ordinary_user() -> Iterator[None]:
    """Let the system answer for somebody else than root: it looks at the real user."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 0, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_directory_that_we_may_not_write_to_says_so(tmp_path: Path) -> None:
    """Refused before anything is planned on it."""
    tmp_path.chmod(0o555)
    with _as_an_ordinary_user():
        found = inspect.look(str(tmp_path))
    tmp_path.chmod(0o700)
    assert found.problems == ("you may not write into it",)
    assert not found.writable


def test_a_regular_file_holds_no_pool_but_has_a_size(tmp_path: Path) -> None:
    """It may be an image that somebody wants to replicate."""
    file = tmp_path / "image"
    file.write_bytes(bytes(5000))
    found = inspect.look(str(file))
    assert (found.kind, found.size_bytes, found.blank) == (None, 5000, False)
    assert found.problems == ("it is a regular file, which holds no pool",)


def test_a_pipe_is_nothing_for_us_and_does_not_make_us_wait(tmp_path: Path) -> None:
    """Opening a pipe waits for its other end."""
    os.mkfifo(tmp_path / "pipe")
    found = inspect.look(str(tmp_path / "pipe"))
    assert found.kind is None
    assert found.problems == ("it is neither a directory nor a block device, which holds no pool",)


def test_what_is_not_there_is_told_by_its_code(tmp_path: Path) -> None:
    """A typing error, most of the time."""
    for where in (tmp_path / "missing", tmp_path / "missing" / "below"):
        with pytest.raises(SrError, match="SR1103"):
            inspect.look(str(where))
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SrError, match="SR1101"):
        inspect.look(str(tmp_path / "loop"))


def test_memory_that_poses_as_a_disk_does_not_honour_a_flush() -> None:
    """What lies there is gone when the power is."""
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir():
        pytest.skip("needs /dev/shm")
    found = inspect.look(str(memory))
    assert not found.honours_flush


@needs.loop_devices()
def test_a_block_device_can_hold_a_pool_of_one_volume(tmp_path: Path) -> None:
    """The article's volume storage."""
    with loop_device(tmp_path / "disk", 4 * MIB) as device:
        found = inspect.look(str(device))
        assert (found.kind, found.size_bytes) == (PoolKind.VOLUME, 4 * MIB)
        assert (found.problems, found.blank, found.block_bytes) == ((), True, 4096)
        assert inspect.backing_of(device) == f"device {found.device}"


@needs.loop_devices()
def test_a_block_device_with_data_at_its_edges_is_not_blank(tmp_path: Path) -> None:
    """File systems, partition tables and volume managers all leave marks there."""
    with loop_device(tmp_path / "disk", 4 * MIB) as device:
        for offset, data in ((0, b"\x01"), (4 * MIB - 512, b"\x01")):
            with device.open("r+b", buffering=0) as disk:
                disk.seek(offset)
                disk.write(data.ljust(512, b"\0"))
            assert not inspect.look(str(device)).blank
            with device.open("r+b", buffering=0) as disk:
                disk.seek(offset)
                disk.write(bytes(512))
        assert inspect.look(str(device)).blank


@needs.loop_devices()
@needs.tools("mke2fs")
def test_a_mounted_block_device_is_refused(tmp_path: Path) -> None:
    """Two writers destroy each other's work."""
    mke2fs = needs.find("mke2fs")
    assert mke2fs is not None
    (tmp_path / "there").mkdir()
    with loop_device(tmp_path / "disk", 4 * MIB) as device:
        subprocess.run([mke2fs, "-q", str(device)], check=True)
        subprocess.run(["mount", str(device), str(tmp_path / "there")], check=True)
        try:
            found = inspect.look(str(device))
        finally:
            subprocess.run(["umount", str(tmp_path / "there")], check=True)
        assert found.problems == ("it is mounted, or in use by another program",)
