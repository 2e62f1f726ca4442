"""Reading what is in memory without waiting, and knowing when that cannot be."""

import errno
import os

import pytest

from srshell.storage import BlockFile, DeviceExecutor, OsDisk, RawFile, StorageError, Write
from srshell.storage.block_file import open_block_file
from tests.unit.storage.conftest import FILE_BYTES

DATA = bytes(range(256)) * 16


class System:
    """Answers every question for cached pages in one way; counts the questions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: int | OSError) -> None:
        self.asked = 0
        self.answer = answer
        monkeypatch.setattr(os, "RWF_NOWAIT", 8, raising=False)
        monkeypatch.setattr(os, "preadv", self.preadv)

    def preadv(self, _: int, buffers: tuple[bytearray], offset: int, flags: int) -> int:
        assert flags == 8
        self.asked += 1
        if isinstance(self.answer, OSError):
            raise self.answer
        buffers[0][: self.answer] = DATA[offset : offset + self.answer]
        return self.answer


def opened(path: str) -> RawFile:
    file = OsDisk().open(path)
    file._handle._tells_cached = True  # type: ignore[attr-defined]
    return file


def test_what_was_just_written_is_read_at_once_or_not_at_all(path: str) -> None:
    """Whether the system tells is its own business, but it never tells a lie."""
    file = OsDisk().open(path)
    file.write_at([Write(4096, (DATA,))], False)
    for offset, length in ((4096, 4096), (4096, 1), (8000, 192), (0, 8192)):
        data = file.read_cached(offset, length)
        assert data is None or data == (bytes(4096) + DATA)[offset : offset + length]
    assert file.read_cached(FILE_BYTES - 1, 2) is None  # beyond the end: `read_at` has the words
    file.close()
    with pytest.raises(StorageError, match="CLOSED"):
        file.read_cached(0, 1)


def test_cached_bytes_are_returned(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(path)
    System(monkeypatch, 512)
    assert file.read_cached(1024, 512) == bytearray(DATA[1024:1536])
    file.close()


@pytest.mark.parametrize("answer", [BlockingIOError(errno.EAGAIN, ""), 511, 0])
def test_what_is_not_all_in_memory_is_not_read(
    path: str, monkeypatch: pytest.MonkeyPatch, answer: int | OSError
) -> None:
    """The next read may find it there."""
    file = opened(path)
    system = System(monkeypatch, answer)
    assert file.read_cached(0, 512) is None
    assert file.read_cached(0, 512) is None
    assert system.asked == 2
    file.close()


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_a_system_that_cannot_tell_is_not_asked_again(
    path: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    file = opened(path)
    system = System(monkeypatch, OSError(code, ""))
    assert file.read_cached(0, 512) is None
    assert file.read_cached(0, 512) is None
    assert system.asked == 1
    file.close()


def test_an_error_of_the_device_is_no_reason_to_read_again(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path)
    System(monkeypatch, OSError(errno.EIO, "gone"))
    with pytest.raises(StorageError) as caught:
        file.read_cached(4096, 512)
    assert (caught.value.errno_name, caught.value.offset) == ("EIO", 4096)
    file.close()


async def test_a_file_that_closes_is_not_read_any_more(path: str) -> None:
    """Its descriptor may belong to another file already."""
    executor = DeviceExecutor()
    file = await open_block_file(OsDisk(), path, executor)
    assert isinstance(file, BlockFile)
    closing = file.close()
    closing.send(None)  # the descriptor is being closed in its thread
    with pytest.raises(StorageError, match="CLOSED"):
        file.read_cached(0, 512)
    closing.close()
    executor.shutdown()
