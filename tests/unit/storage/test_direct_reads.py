"""Reading past the page cache, and knowing where that cannot be."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from srshell.storage import OsDisk, StorageError, Write, system_calls


@pytest.fixture
def disk() -> OsDisk:
    return OsDisk()


def test_a_direct_read_gives_what_the_device_holds(disk: OsDisk, tmp_path: Path) -> None:
    """Of any range, to the end of the file; what waits in the page cache is there, too."""
    path = str(tmp_path / "volume")
    disk.create(path, 10_000)
    file = disk.open(path)
    data = bytes(range(250)) * 40
    file.write_at([Write(0, (data,))], False)
    if file.read_direct(0, 1) is None:
        return  # the files of tests lie in memory here
    for offset, length in ((0, 10_000), (0, 1), (4095, 2), (4096, 4096), (8192, 1808), (9999, 1)):
        assert file.read_direct(offset, length) == data[offset : offset + length]
    with pytest.raises(StorageError, match="SHORT_READ"):
        file.read_direct(9_000, 2_000)
    file.close()
    with pytest.raises(StorageError, match="CLOSED"):
        file.read_direct(0, 1)


def test_files_in_memory_have_no_way_past_the_cache() -> None:
    with memory_file() as descriptor:
        assert system_calls.open_direct(descriptor) == -1


def test_a_system_that_does_not_tell_what_a_file_lies_on_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is called read from the device that may have come from memory."""
    path = tmp_path / "file"
    path.write_bytes(bytes(4096))
    with path.open("rb") as file:
        monkeypatch.setattr(system_calls, "_fstatfs", lambda: None)
        assert system_calls.open_direct(file.fileno()) == -1
        monkeypatch.setattr(system_calls, "_fstatfs", lambda: lambda *_: -1)
        assert system_calls.open_direct(file.fileno()) == -1
        monkeypatch.setattr(system_calls, "_fstatfs", lambda: lambda *_: 0)
        monkeypatch.setattr(os, "open", refuse)
        assert system_calls.open_direct(file.fileno()) == -1
        monkeypatch.delattr(os, "O_DIRECT")
        assert system_calls.open_direct(file.fileno()) == -1


def test_a_device_that_refuses_direct_reads_is_read_otherwise(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems take the flag and refuse the read; other errors are errors."""
    path = str(tmp_path / "volume")
    disk.create(path, 8192)
    file = disk.open(path)
    monkeypatch.setattr(system_calls, "open_direct", os.dup)
    errors = [errno.EINVAL, errno.EIO]

    def preadv(*_: object) -> int:
        raise OSError(errors.pop(0), "no")

    monkeypatch.setattr(os, "preadv", preadv)
    assert file.read_direct(0, 4096) is None
    with pytest.raises(StorageError, match="EIO"):
        file.read_direct(0, 4096)
    file.close()


def refuse(*_: object) -> int:
    raise OSError(errno.EINVAL, "no")


@contextmanager
def memory_file() -> Iterator[int]:
    descriptor = os.memfd_create("test")
    try:
        yield descriptor
    finally:
        os.close(descriptor)
