"""A hosted volume, and an image of a branch, as the NBD server sees them.

Always true: whatever goes wrong below is a `DeviceError` or can be explained as one, with a message
that the client may show.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import attrs

from srshell.codec.checksum import Buffer
from srshell.export.device import DeviceError, DeviceGone, Range
from srshell.model.errors import SrError
from srshell.site.backing import with_holes
from srshell.site.volumes import HostedVolume
from srshell.storage import BlockFile, StorageError

T = TypeVar("T")

#: More is not copied between two turns of the loop: everybody else would wait for it.
_AT_ONCE_BYTES_MAX: Final = 256 * 1024
#: What a client is told by number; everything else is EIO.
_ERRNO_NAMES: Final = {
    "SR9223": "EINVAL",  # outside the volume
    "SR9224": "EPERM",  # takes no writes now
    "SR9301": "ESHUTDOWN",  # the site ends
}


@attrs.define(eq=False)
class ExportedVolume:
    """`srshell.export.device.BlockDevice` over a volume; every write is durable when answered."""

    _volume: HostedVolume
    #: As it was when the client came; it is disconnected when this changes.
    read_only: bool
    multi_connection: bool = True
    fast_zero: bool = True

    @property
    def size_bytes(self) -> int:
        """Size of the volume."""
        return self._volume.facts.size_bytes

    @property
    def block_bytes(self) -> int:
        """Block size of the volume."""
        return self._volume.facts.block_bytes

    def read(self, offset: int, length: int) -> Awaitable[Buffer]:
        """Read the newest acknowledged data; what is in memory is there at once."""
        if length <= _AT_ONCE_BYTES_MAX:
            data = self._volume.read_cached(offset, length)
            if data is not None:
                return _done(data)
        return self._volume.read(offset, length)

    def write(self, offset: int, data: Buffer, fua: bool) -> Awaitable[object]:
        """Store durably, whether ``fua`` asks for it or not."""
        return self._volume.write(offset, data)

    def flush(self) -> Awaitable[object]:
        """Return at once: what was answered is durable."""
        self._volume.flush()
        return _done(None)

    def trim(self, offset: int, length: int, fua: bool) -> Awaitable[object]:
        """Give space back; the range reads as zeros."""
        return self._volume.zero(offset, length, may_trim=True)

    def zero(self, offset: int, length: int, fua: bool, may_trim: bool) -> Awaitable[object]:
        """Make a range read as zeros."""
        return self._volume.zero(offset, length, may_trim=may_trim)

    def ranges(self, offset: int, length: int) -> Awaitable[Sequence[Range]]:
        """Tell holes from data where that is known."""
        return self._volume.ranges(offset, length)

    def dirty_ranges(self, offset: int, length: int) -> Awaitable[Sequence[Range]]:
        """Tell what the other side may lack."""
        return self._volume.dirty_ranges(offset, length)

    def explain(self, error: BaseException) -> DeviceError | None:
        """Tell clients by number and sentence what volumes raise; not where they are to go."""
        if not isinstance(error, (SrError, StorageError)):
            return None
        told = _device_error(error)
        gone = not (self.read_only or self._volume.serves)
        return DeviceGone(told.errno_name, told.message) if gone else told


@attrs.define(eq=False)
class ExportedCopy(ExportedVolume):
    """A volume of the secondary: what is there can be read, and changes as the primary is written.

    Flushes of several connections are all the same: nothing is written.
    """

    read_only: bool = True

    def read(self, offset: int, length: int) -> Awaitable[Buffer]:
        """Read what can never be rolled back."""
        return self._volume.read_settled(offset, length)


@attrs.define(eq=False)
class ExportedImage:
    """An image of a branch: read from its file, never written."""

    _file: BlockFile
    block_bytes: int
    read_only: bool = True
    multi_connection: bool = True
    fast_zero: bool = False

    @property
    def size_bytes(self) -> int:
        """Size of the image."""
        return self._file.size()

    async def read(self, offset: int, length: int) -> Buffer:
        """Read from the file."""
        with _device_errors():
            return await self._file.read_at(offset, length)

    async def write(self, offset: int, data: Buffer, fua: bool) -> None:
        """Refuse."""
        raise DeviceError("EPERM", "a branch is never written")

    async def flush(self) -> None:
        """Return at once: nothing was written."""

    async def trim(self, offset: int, length: int, fua: bool) -> None:
        """Refuse."""
        raise DeviceError("EPERM", "a branch is never written")

    async def zero(self, offset: int, length: int, fua: bool, may_trim: bool) -> None:
        """Refuse."""
        raise DeviceError("EPERM", "a branch is never written")

    async def ranges(self, offset: int, length: int) -> Sequence[Range]:
        """Tell holes from data."""
        with _device_errors():
            return with_holes(offset, length, await self._file.data_ranges(offset, length))

    async def close(self) -> None:
        """Close the file; nothing is under way."""
        await self._file.close()


def _done(result: T) -> asyncio.Future[T]:
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done.set_result(result)
    return done


@contextmanager
def _device_errors() -> Iterator[None]:
    try:
        yield
    except (SrError, StorageError) as error:
        raise _device_error(error) from error


def _device_error(error: SrError | StorageError) -> DeviceError:
    if isinstance(error, SrError):
        return DeviceError(_ERRNO_NAMES.get(error.code, "EIO"), str(error))
    known = hasattr(errno, error.errno_name)
    return DeviceError(error.errno_name if known else "EIO", str(error))
