"""Commits in one call: durable when they return, or done as for any other file."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from srshell.storage import OsDisk, RawFile, StorageError, Write, system_calls, write_through
from srshell.storage.write_through import STAGED_BYTES_MAX, WriteThrough
from tests import needs
from tests.process.loop_fs import small_file_system
from tests.unit.storage.conftest import FaultyHandle

DATA = bytes(range(256)) * 32
PARTS = (DATA[:100], memoryview(DATA)[100:5000], DATA[5000:])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note the descriptors and flags of vectored writes, which are made."""
    calls: list[tuple[int, int]] = []
    real = os.pwritev

    def pwritev(descriptor: int, buffers: Sequence[Any], offset: int, flags: int = 0) -> int:
        calls.append((descriptor, flags))
        return real(descriptor, buffers, offset, flags)

    monkeypatch.setattr(os, "pwritev", pwritev)
    return calls


@needs.loop_devices()
@needs.tools("mkfs.ext4")
def test_a_commit_is_one_call_past_the_cache(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    """The call asks for durable bytes, and they are found by every way to read."""
    with small_file_system(tmp_path, 8 << 20) as place:
        path = str(place / "log")
        OsDisk().create(path, 64 * 1024, zeroed=True)
        with closing(OsDisk().open(path)) as file:
            asked.clear()
            file.write_through([Write(4096, PARTS)])
            ((descriptor, flags),) = asked
            assert flags == os.RWF_DSYNC
            assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT
            assert file.read_at(4096, len(DATA)) == DATA
            assert file.read_direct(4096, len(DATA)) == DATA
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_what_was_written_before_is_durable_then_too(
    faulty: RawFile, handle: FaultyHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call covers its own bytes alone: what another one left is synced."""
    monkeypatch.setattr(FaultyHandle, "write_through", lambda *_: True)
    faulty.write_through([Write(0, (bytes(4096),))])
    assert handle.calls == []
    faulty.write_at([Write(0, (b"left",))], False)
    faulty.write_through([Write(4096, (bytes(4096),))])
    assert handle.calls == ["pwritev", "datasync"]
    faulty.punch(0, 4096)
    faulty.write_through([Write(4096, (bytes(4096),))])
    assert handle.calls[-1] == "datasync"
    handle.calls.clear()
    faulty.write_through([Write(4096, (bytes(4096),))])
    assert handle.calls == []


def test_elsewhere_it_is_a_write_and_a_sync(
    faulty: RawFile, handle: FaultyHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_calls, "keeps_durable_writes", lambda _: False)
    faulty.write_through([Write(4096, PARTS)])
    assert handle.calls == ["write_through", "pwritev", "datasync"]
    assert faulty.read_at(4096, len(DATA)) == DATA


def test_a_failure_breaks_the_file(faulty: RawFile, handle: FaultyHandle) -> None:
    """It is never tried by the other way."""
    handle.faults["write_through"] = OSError(errno.EIO, "input/output error")
    with pytest.raises(StorageError, match="EIO"):
        faulty.write_through([Write(4096, PARTS)])
    assert handle.calls == ["write_through"]
    with pytest.raises(StorageError, match="broken since write failed"):
        faulty.write_through([Write(4096, PARTS)])
    assert handle.calls == ["write_through"]


@pytest.fixture
def through(path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteThrough]:
    """The way past the cache, on whatever the files of tests lie."""
    monkeypatch.setattr(system_calls, "keeps_durable_writes", lambda _: True)
    monkeypatch.setattr(system_calls, "open_direct", lambda descriptor, **_: os.dup(descriptor))
    with Path(path).open("r+b") as file:
        through = WriteThrough(file.fileno())
        yield through
        through.close()


def test_what_is_not_aligned_or_too_long_goes_the_other_way(
    through: WriteThrough, path: str
) -> None:
    assert not through.write((DATA,), 512, len(DATA))
    assert not through.write((DATA[:100],), 0, 100)
    too_long = STAGED_BYTES_MAX + 4096
    assert not through.write((bytes(too_long),), 0, too_long)
    assert not any(Path(path).read_bytes())
    assert through.write(PARTS, 4096, len(DATA))
    assert Path(path).read_bytes()[4096:][: len(DATA)] == DATA


def test_a_device_that_takes_a_part_is_asked_for_the_whole_otherwise(
    through: WriteThrough, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwritev", lambda *_: 512)
    assert not through.write(PARTS, 4096, len(DATA))
    assert through.works


def test_a_device_that_refuses_is_not_asked_again(
    through: WriteThrough, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "invalid argument")

    monkeypatch.setattr(os, "pwritev", refuse)
    assert not through.write(PARTS, 4096, len(DATA))
    assert not through.works
    monkeypatch.undo()
    assert not through.write(PARTS, 4096, len(DATA))


def test_any_other_error_is_the_callers(
    through: WriteThrough, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "pwritev", fail)
    with pytest.raises(OSError, match="input/output error"):
        through.write(PARTS, 4096, len(DATA))


def test_writes_at_once_have_memory_of_their_own(
    through: WriteThrough, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is kept of it has a bound: each log once had its own for ever."""
    real, both = os.pwritev, threading.Barrier(6, timeout=10)

    def pwritev(descriptor: int, buffers: Sequence[Any], offset: int, flags: int) -> int:
        both.wait()  # all of them are filled now
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "pwritev", pwritev)

    def write(number: int) -> None:
        assert through.write((bytes([number]) * 4096,), number * 4096, 4096)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Path(path).read_bytes()
    assert all(found[n * 4096 : (n + 1) * 4096] == bytes([n]) * 4096 for n in range(6))
    assert len(write_through._spare) <= write_through._SPARE_MAX


def test_only_file_systems_that_keep_the_promise_are_asked(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FUSE, NFS and what is in memory are not."""
    with Path(path).open("r+b") as file:
        for kind, keeps in ((0xEF53, True), (0x65735546, False), (0x01021994, False)):
            monkeypatch.setattr(system_calls, "_file_system", lambda _, kind=kind: kind)
            assert system_calls.keeps_durable_writes(file.fileno()) == keeps
        monkeypatch.delattr(os, "RWF_DSYNC")
        monkeypatch.setattr(system_calls, "_file_system", lambda _: 0xEF53)
        assert not system_calls.keeps_durable_writes(file.fileno())


@pytest.mark.parametrize("fails", [False, True])
def test_a_sync_that_is_under_way_is_waited_for(
    faulty: RawFile, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """What it covers is durable when it ends, and only if it ends well."""
    in_sync, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def datasync(_: FaultyHandle) -> None:
        in_sync.set()
        assert go_on.wait(10)
        if fails:
            raise OSError(errno.EIO, "")

    def run(name: str, change: Callable[[], None]) -> None:
        try:
            change()
            ended.append(f"{name} is durable")
        except StorageError:
            ended.append(f"{name} failed")

    monkeypatch.setattr(FaultyHandle, "datasync", datasync)
    monkeypatch.setattr(FaultyHandle, "write_through", lambda *_: True)
    faulty.write_at([Write(0, (b"left",))], False)
    commit = partial(faulty.write_through, [Write(4096, (bytes(4096),))])
    threads = [
        threading.Thread(target=run, args=args)
        for args in (("sync", faulty.sync), ("commit", commit))
    ]
    threads[0].start()
    assert in_sync.wait(10)
    threads[1].start()
    # Time enough for the commit to return, if it were let.
    threads[1].join(0.05)
    assert ended == []
    go_on.set()
    for thread in threads:
        thread.join()
    result = "failed" if fails else "is durable"
    assert sorted(ended) == [f"commit {result}", f"sync {result}"]
