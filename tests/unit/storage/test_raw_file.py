"""A file of fixed size: positional, complete, and broken for ever after its first failure."""

import errno
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srshell.storage import RawFile, StorageError, Write
from srshell.storage.writes import IOV_MAX, ZERO_CHUNK_BYTES, drop_taken, zero_writes

from .conftest import FILE_BYTES, FaultyHandle

CHANGES: list[Callable[[RawFile], None]] = [
    lambda file: file.write_at([Write(0, (b"x",))], False),
    lambda file: file.write_at([], True),
    lambda file: file.sync(),
    lambda file: file.punch(0, 4096),
]


def test_what_was_written_is_read(file: RawFile) -> None:
    file.write_at([Write(0, (b"abc", b"def")), Write(5000, (b"ghi",))], True)
    assert file.read_at(0, 6) == b"abcdef"
    assert file.read_at(5000, 3) == b"ghi"


def test_every_kind_of_buffer_can_be_written(file: RawFile) -> None:
    buffers = (b"a", bytearray(b"b"), memoryview(b"xcx")[1:2], b"", memoryview(bytearray(b"d")))
    file.write_at([Write(10, buffers)], False)
    assert file.read_at(10, 4) == b"abcd"


def test_more_buffers_than_one_call_takes_are_split(file: RawFile) -> None:
    count = 2 * IOV_MAX + 7
    buffers = tuple(bytes([number % 251]) for number in range(count))
    file.write_at([Write(100, buffers)], True)
    assert file.read_at(100, count) == b"".join(buffers)


def test_a_commit_is_one_sync_after_all_writes(faulty: RawFile, handle: FaultyHandle) -> None:
    faulty.write_at([Write(0, (b"a", b"b")), Write(9, (b"c",))], True)
    assert handle.calls == ["pwritev", "pwritev", "datasync"]


@pytest.mark.parametrize("bytes_max", [1, 3, 1000])
def test_short_writes_and_reads_are_completed(
    faulty: RawFile, handle: FaultyHandle, bytes_max: int
) -> None:
    handle.write_bytes_max = bytes_max
    faulty.write_at([Write(7, (b"hello ", b"", b"wide ", b"world"))], True)
    assert faulty.read_at(7, 16) == b"hello wide world"


def test_a_device_that_takes_nothing_has_failed(faulty: RawFile, handle: FaultyHandle) -> None:
    handle.write_bytes_max = 0
    with pytest.raises(StorageError, match="SHORT_WRITE"):
        faulty.write_at([Write(0, (b"x",))], False)
    assert faulty.broken_by is not None


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("call", ["pwritev", "datasync"])
def test_after_a_failure_nothing_is_ever_written_again(
    faulty: RawFile, handle: FaultyHandle, call: str, change: Callable[[RawFile], None]
) -> None:
    """The second fdatasync of a lost page says yes; so it is not asked."""
    handle.faults[call] = OSError(errno.EIO, "input/output error")
    with pytest.raises(StorageError) as first:
        faulty.write_at([Write(8192, (b"lost",))], True)
    assert first.value.errno_name == "EIO"
    assert first.value.path == faulty.path
    handle.calls.clear()
    with pytest.raises(StorageError, match="broken since"):
        change(faulty)
    assert not handle.calls


def test_a_broken_file_still_reads(faulty: RawFile, handle: FaultyHandle) -> None:
    faulty.write_at([Write(0, (b"old",))], True)
    handle.faults["datasync"] = OSError(errno.EIO, "")
    with pytest.raises(StorageError):
        faulty.sync()
    assert faulty.read_at(0, 3) == b"old"


def test_a_failed_punch_breaks_the_file(faulty: RawFile, handle: FaultyHandle) -> None:
    handle.faults["punch_hole"] = OSError(errno.ENOSPC, "")
    with pytest.raises(StorageError, match="ENOSPC"):
        faulty.punch(0, 4096)
    assert faulty.broken_by is not None


def test_a_failed_read_breaks_nothing(faulty: RawFile, handle: FaultyHandle) -> None:
    """Another sector, or the same one later, may still be read."""
    handle.faults["pread"] = OSError(errno.EIO, "")
    with pytest.raises(StorageError) as failure:
        faulty.read_at(512, 10)
    assert (failure.value.operation, failure.value.offset) == ("read", 512)
    faulty.write_at([Write(0, (b"x",))], True)


def test_a_full_disk_breaks_the_file(file: RawFile) -> None:
    """A real one: the limit lets a part of the write through and then refuses."""
    with _file_size_limit(6000), pytest.raises(StorageError) as failure:
        file.write_at([Write(4096, (bytes(8192),))], False)
    assert failure.value.errno_name == "EFBIG"
    with pytest.raises(StorageError, match="broken since write failed"):
        file.sync()


@contextmanager
def _file_size_limit(limit_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_sync_that_waited_for_a_failing_sync_fails_too(
    faulty: RawFile, handle: FaultyHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system tells one caller only that pages were lost."""
    in_sync, go_on = threading.Event(), threading.Event()
    failures: list[StorageError] = []

    def datasync(handle: FaultyHandle) -> None:
        handle.calls.append("datasync")
        if len(handle.calls) == 1:
            in_sync.set()
            assert go_on.wait(10)
            raise OSError(errno.EIO, "")

    def sync() -> None:
        try:
            faulty.sync()
        except StorageError as error:
            failures.append(error)

    monkeypatch.setattr(FaultyHandle, "datasync", datasync)
    threads = [threading.Thread(target=sync) for _ in range(2)]
    threads[0].start()
    assert in_sync.wait(10)
    threads[1].start()
    # Time enough for the second to ask the system, if it were let.
    threads[1].join(0.05)
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(failures) == 2
    assert handle.calls == ["datasync"]


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (FILE_BYTES, 1), (FILE_BYTES - 1, 2)])
def test_a_file_never_grows(file: RawFile, offset: int, length: int) -> None:
    with pytest.raises(StorageError, match="OUT_OF_RANGE"):
        file.write_at([Write(0, (b"x",)), Write(offset, (bytes(length),))], False)
    with pytest.raises(StorageError, match="OUT_OF_RANGE"):
        file.punch(offset, length)
    assert file.read_at(0, 1) == b"\0", "nothing of a refused call is done"
    assert file.broken_by is None


def test_reading_past_the_end_is_an_error(file: RawFile) -> None:
    with pytest.raises(StorageError, match="SHORT_READ"):
        file.read_at(FILE_BYTES - 10, 11)


def test_a_closed_file_refuses_everything(file: RawFile) -> None:
    """A descriptor number may belong to another file by then."""
    file.close()
    file.close()
    refused: list[Callable[[], object]] = [
        lambda: file.read_at(0, 1),
        lambda: file.data_ranges(0, 1),
        lambda: file.drop_cache(0, 1),
        *((lambda change=change: change(file)) for change in CHANGES),
    ]
    for call in refused:
        with pytest.raises(StorageError, match="CLOSED"):
            call()


def test_a_failing_close_is_translated(faulty: RawFile, handle: FaultyHandle) -> None:
    handle.faults["close"] = OSError(errno.EIO, "")
    with pytest.raises(StorageError, match="close"):
        faulty.close()


def test_a_punched_range_is_a_hole_of_zeros(file: RawFile) -> None:
    file.write_at([Write(0, (b"\xff" * FILE_BYTES,))], True)
    file.punch(8192, 16384)
    assert file.read_at(8191, 16386) == b"\xff" + bytes(16384) + b"\xff"
    assert file.data_ranges(0, FILE_BYTES) == [(0, 8192), (24576, FILE_BYTES - 24576)]


def test_where_holes_cannot_be_punched_zeros_are_written(
    faulty: RawFile, handle: FaultyHandle
) -> None:
    faulty.write_at([Write(0, (b"\xff" * 8192,))], True)
    faulty.punch(100, 5000)
    faulty.punch(0, 0)
    assert handle.calls.count("pwritev") == 2
    assert faulty.read_at(0, 8192) == b"\xff" * 100 + bytes(5000) + b"\xff" * (8192 - 5100)


def test_data_ranges_are_clipped_to_the_question(file: RawFile) -> None:
    file.write_at([Write(8192, (b"x" * 8192,)), Write(32768, (b"x" * 4096,))], True)
    assert file.data_ranges(0, FILE_BYTES) == [(8192, 8192), (32768, 4096)]
    assert file.data_ranges(9000, 1000) == [(9000, 1000)]
    assert file.data_ranges(0, 8192) == []
    assert file.data_ranges(12288, 20484) == [(12288, 4096), (32768, 4)]


def test_without_sparse_files_everything_may_be_data(faulty: RawFile, handle: FaultyHandle) -> None:
    handle.faults["next_data"] = OSError(errno.EINVAL, "")
    assert faulty.data_ranges(4096, 2 * FILE_BYTES) == [(4096, FILE_BYTES - 4096)]
    handle.faults["next_data"] = OSError(errno.EIO, "")
    with pytest.raises(StorageError, match="EIO"):
        faulty.data_ranges(0, 10)


def test_dropping_the_cache_loses_nothing(file: RawFile) -> None:
    file.write_at([Write(0, (b"kept",))], True)
    file.drop_cache(0, FILE_BYTES)
    assert file.read_at(0, 4) == b"kept"


@given(sizes=st.lists(st.integers(0, 5), max_size=12), data=st.data())
def test_dropping_what_was_taken_leaves_the_rest(sizes: list[int], data: st.DataObject) -> None:
    whole = bytes(range(sum(sizes)))
    buffers = [whole[sum(sizes[:i]) : sum(sizes[: i + 1])] for i in range(len(sizes))]
    taken = data.draw(st.integers(0, len(whole)))
    drop_taken(buffers, taken)  # type: ignore[arg-type]
    assert b"".join(buffers) == whole[taken:]


@pytest.mark.parametrize("length", [0, 1, ZERO_CHUNK_BYTES, 130 * ZERO_CHUNK_BYTES + 5])
def test_zero_writes_cover_the_range_once(length: int) -> None:
    position = 3
    for write in zero_writes(3, length):
        assert write.offset == position
        assert 0 < write.length <= 64 * ZERO_CHUNK_BYTES
        position += write.length
    assert position == 3 + length
