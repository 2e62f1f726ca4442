"""Files appear complete or not at all, are locked for one, and are never reached through a link."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from srshell.storage import (
    AlreadyLocked,
    LockFile,
    OsDisk,
    StorageError,
    Write,
    lock_note,
    system_calls,
)

MIB = 1024 * 1024


@pytest.fixture
def disk() -> OsDisk:
    return OsDisk()


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _blocks_bytes(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.mark.parametrize("nameless", [True, False])
def test_a_new_file_has_its_size_and_is_private(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    path = tmp_path / "volume"
    disk.create(str(path), 3 * MIB + 512)
    assert path.stat().st_size == 3 * MIB + 512
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert _blocks_bytes(path) == 0


@pytest.mark.parametrize("nameless", [True, False])
def test_a_zeroed_file_has_all_its_space(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    """A log that allocates while it is written costs half the speed."""
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    path = tmp_path / "log"
    disk.create(str(path), 2 * MIB + 4096, zeroed=True)
    assert path.read_bytes() == bytes(2 * MIB + 4096)
    assert _blocks_bytes(path) >= 2 * MIB + 4096


def test_a_file_system_without_nameless_files_is_served_too(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc the link cannot be made; the space of the first try is given back."""

    def no_link(*_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "no /proc here")

    monkeypatch.setattr(os, "link", no_link)
    disk.create(str(tmp_path / "volume"), 4096)
    assert _names(tmp_path) == ["volume"]


def test_an_existing_file_is_never_replaced_by_create(disk: OsDisk, tmp_path: Path) -> None:
    path = tmp_path / "volume"
    path.write_bytes(b"precious")
    with pytest.raises(StorageError) as failure:
        disk.create(str(path), 4096)
    assert failure.value.errno_name == "EEXIST"
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("nameless", [True, False])
@pytest.mark.parametrize("step", ["full_sync", "pwritev"])
def test_a_failed_create_leaves_nothing(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    monkeypatch.setattr(os if step == "pwritev" else system_calls, step, fail)
    with pytest.raises(StorageError, match="ENOSPC"):
        disk.create(str(tmp_path / "log"), MIB, zeroed=True)
    assert _names(tmp_path) == []


def test_a_name_that_cannot_be_made_durable_is_taken_back(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []

    def second_fails(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == 2:
            raise OSError(errno.EIO, "")

    monkeypatch.setattr(system_calls, "full_sync", second_fails)
    with pytest.raises(StorageError, match="EIO"):
        disk.create(str(tmp_path / "volume"), 4096)
    assert _names(tmp_path) == []


def test_an_open_file_is_locked(disk: OsDisk, tmp_path: Path) -> None:
    path = str(tmp_path / "volume")
    disk.create(path, 4096)
    first = disk.open(path)
    with pytest.raises(AlreadyLocked):
        disk.open(path)
    with pytest.raises(AlreadyLocked):
        disk.open(path, writable=False)
    disk.open(path, writable=False, lock=False).close()
    first.close()
    disk.open(path).close()


def test_a_refused_open_leaks_no_descriptor(disk: OsDisk, tmp_path: Path) -> None:
    path = str(tmp_path / "volume")
    disk.create(path, 4096)
    with closing(disk.open(path)):
        before = len(_names(Path("/proc/self/fd")))
        with pytest.raises(AlreadyLocked):
            disk.open(path)
        assert len(_names(Path("/proc/self/fd"))) == before


def test_a_link_is_not_followed(disk: OsDisk, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(bytes(4096))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StorageError, match="ELOOP"):
        disk.open(str(tmp_path / "link"))
    with pytest.raises(StorageError, match="EEXIST"):
        disk.create(str(tmp_path / "link"), 4096)


def test_only_files_and_block_devices_are_opened(disk: OsDisk, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (str(tmp_path / "fifo"), str(tmp_path), "/dev/null"):
        with pytest.raises(StorageError):
            disk.open(path)


def test_a_file_opened_for_reading_is_not_written(disk: OsDisk, tmp_path: Path) -> None:
    path = str(tmp_path / "volume")
    disk.create(path, 4096)
    file = disk.open(path, writable=False)
    with pytest.raises(StorageError, match="EBADF"):
        file.sync()
    assert file.read_at(0, 4) == bytes(4)
    file.close()


def test_names_are_moved_and_removed(disk: OsDisk, tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    disk.create(one, 4096)
    disk.create(two, 8192)
    disk.rename(one, two)
    disk.sync_directory(str(tmp_path))
    assert (disk.exists(one), disk.exists(two)) == (False, True)
    assert Path(two).stat().st_size == 4096
    disk.remove(two)
    assert not disk.exists(two)
    with pytest.raises(StorageError, match="ENOENT"):
        disk.remove(two)


def test_a_missing_folder_is_an_error_of_ours(disk: OsDisk, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ENOENT"):
        disk.create(str(tmp_path / "absent" / "volume"), 4096)
    with pytest.raises(StorageError, match="ENOENT"):
        disk.open(str(tmp_path / "absent"))


def test_a_system_without_punching_or_fdatasync_is_served(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "volume")
    disk.create(path, 8192)
    monkeypatch.setattr(system_calls, "_fallocate", lambda: None)
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.delattr(os, "posix_fadvise")
    file = disk.open(path)
    file.punch(0, 4096)
    file.sync()
    file.drop_cache(0, 8192)
    file.close()


def test_nothing_is_read_ahead_into_a_file_that_is_written(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "volume")
    disk.create(path, 8192)
    told: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, *words: told.append(words))
    disk.open(path).close()
    assert told == [(0, 0, os.POSIX_FADV_RANDOM)]
    disk.open(path, writable=False).close()
    assert len(told) == 1


def test_a_bad_descriptor_is_an_error_of_the_punch(tmp_path: Path) -> None:
    (tmp_path / "read-only").write_bytes(bytes(4096))
    with (tmp_path / "read-only").open("rb") as file, pytest.raises(OSError, match="descriptor"):
        system_calls.punch_hole(file.fileno(), 0, 4096)


def test_a_lock_file_is_held_until_it_is_released(tmp_path: Path) -> None:
    path = str(tmp_path / "owner.lock")
    with LockFile.take(path, "pid 17") as lock:
        with pytest.raises(AlreadyLocked):
            LockFile.take(path, "pid 18")
        assert lock_note(path) == "pid 17"
    lock.release()
    # Who let go is named no longer: the process may live on.
    assert lock_note(path) == ""
    with LockFile.take(path, "pid 18"):
        assert lock_note(path) == "pid 18"


def test_a_lock_file_in_no_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="ENOENT"):
        LockFile.take(str(tmp_path / "absent" / "lock"))
    with pytest.raises(StorageError, match="ENOENT"):
        lock_note(str(tmp_path / "absent"))


def test_a_storage_error_keeps_its_facts() -> None:
    error = StorageError("sync", "volume", "EIO", 4096, "why")
    assert str(error) == "sync volume at byte 4096: EIO, why"
    kind, arguments = error.__reduce__()
    assert str(kind(*arguments)) == str(error)


@pytest.mark.parametrize("harm", [os.unlink, lambda path: os.truncate(path, 8192)])
@pytest.mark.parametrize("looks", ["sync", "check_kept"])
def test_a_file_that_somebody_else_harmed_is_broken(
    disk: OsDisk, tmp_path: Path, harm: Callable[[str], None], looks: str
) -> None:
    """What is written to it from then on would be gone with the process, or has gaps of zeros."""
    path = str(tmp_path / "volume")
    disk.create(path, MIB)
    with closing(disk.open(path)) as file:
        file.check_kept()
        harm(path)
        file.write_at([Write(0, (b"x",))], sync=False)
        with pytest.raises(StorageError, match=r"REMOVED|SHRUNK, 8192 of 1048576 bytes are left"):
            getattr(file, looks)()
        with pytest.raises(StorageError, match="broken since check failed"):
            file.write_at([Write(0, (b"x",))], sync=False)


def test_a_file_system_that_counts_no_names_loses_none(
    disk: OsDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some in user space say 0 of every file."""
    path = str(tmp_path / "volume")
    disk.create(path, MIB)
    real = os.fstat

    def countless(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[stat.ST_NLINK] = 0
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", countless)
    with closing(disk.open(path)) as file:
        file.check_kept()
