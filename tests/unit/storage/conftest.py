"""Real files in a temporary folder, and handles that fail on request."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from srshell.codec.checksum import Buffer
from srshell.storage import DeviceExecutor, OsDisk, RawFile
from srshell.storage.os_disk import OsHandle

FILE_BYTES = 64 * 1024


@attrs.define(eq=False)
class FaultyHandle:
    """The system calls of a real file, until told otherwise."""

    real: OsHandle
    #: Raised by the next call of that name, once.
    faults: dict[str, OSError] = attrs.field(factory=dict)
    #: At most so many bytes per write; None: as many as the system takes.
    write_bytes_max: int | None = None
    calls: list[str] = attrs.field(factory=list)

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        error = self.faults.pop(call, None)
        if error is not None:
            raise error

    def pread(self, length: int, offset: int) -> bytes:
        self._enter("pread")
        if self.write_bytes_max is not None:
            length = min(length, self.write_bytes_max)
        return self.real.pread(length, offset)

    def pread_cached(self, length: int, offset: int) -> bytearray | None:
        self._enter("pread_cached")
        return self.real.pread_cached(length, offset)

    def pwritev(self, buffers: Sequence[Buffer], offset: int) -> int:
        self._enter("pwritev")
        if self.write_bytes_max is None:
            return self.real.pwritev(buffers, offset)
        if self.write_bytes_max == 0:
            return 0
        return self.real.pwritev([b"".join(buffers)[: self.write_bytes_max]], offset)

    def write_through(self, buffers: Sequence[Buffer], offset: int, length: int) -> bool:
        self._enter("write_through")
        return self.real.write_through(buffers, offset, length)

    def datasync(self) -> None:
        self._enter("datasync")
        self.real.datasync()

    def punch_hole(self, offset: int, length: int) -> bool:
        self._enter("punch_hole")
        return False

    def next_data(self, offset: int) -> int | None:
        self._enter("next_data")
        return self.real.next_data(offset)

    def next_hole(self, offset: int) -> int:
        return self.real.next_hole(offset)

    def drop_cache(self, offset: int, length: int) -> None:
        self.real.drop_cache(offset, length)

    def kept_bytes(self) -> int | None:
        return self.real.kept_bytes()

    def pread_direct(self, length: int, offset: int) -> bytes | None:
        self._enter("pread_direct")
        return self.real.pread_direct(length, offset)

    def close(self) -> None:
        self._enter("close")
        self.real.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A volume of 64 KiB."""
    path = str(tmp_path / "volume")
    OsDisk().create(path, FILE_BYTES)
    return path


@pytest.fixture
def file(path: str) -> Iterator[RawFile]:
    file = OsDisk().open(path)
    yield file
    file.close()


@pytest.fixture
def handle(path: str) -> Iterator[FaultyHandle]:
    opened = OsDisk().open(path, lock=False)
    assert isinstance(opened._handle, OsHandle)
    yield FaultyHandle(opened._handle)
    opened.close()


@pytest.fixture
def faulty(path: str, handle: FaultyHandle) -> RawFile:
    """The same file through a handle that fails on request."""
    return RawFile(path, FILE_BYTES, True, handle)


@pytest.fixture
def executor() -> Iterator[DeviceExecutor]:
    executor = DeviceExecutor(threads=2, name="test")
    yield executor
    executor.shutdown()
