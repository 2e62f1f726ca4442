"""A block device on one file, as plain as it can be: what NBD clients are tried against."""

from collections.abc import Sequence

import attrs

from srshell.codec.checksum import Buffer
from srshell.export.device import DeviceError, Range, RangeFlag
from srshell.storage import BlockFile, StorageError, Write


@attrs.define(eq=False)
class FileDevice:
    """Passes every call to the file; durable when asked."""

    file: BlockFile
    read_only: bool = False
    block_bytes: int = 4096
    multi_connection: bool = True
    fast_zero: bool = True

    @property
    def size_bytes(self) -> int:
        return self.file.size()

    async def read(self, offset: int, length: int) -> Buffer:
        return await self.file.read_at(offset, length)

    async def write(self, offset: int, data: Buffer, fua: bool) -> None:
        try:
            await self.file.write_at([Write(offset, (data,))], fua)
        except StorageError as error:
            raise DeviceError(error.errno_name, str(error)) from error

    async def flush(self) -> None:
        await self.file.sync()

    async def trim(self, offset: int, length: int, fua: bool) -> None:
        await self.zero(offset, length, fua, may_trim=True)

    async def zero(self, offset: int, length: int, fua: bool, may_trim: bool) -> None:
        if may_trim:
            await self.file.punch(offset, length)
        else:
            await self.file.write_at([Write(offset, (bytes(length),))])
        if fua:
            await self.file.sync()

    async def ranges(self, offset: int, length: int) -> Sequence[Range]:
        hole = RangeFlag.HOLE | RangeFlag.ZERO
        ranges: list[Range] = []
        end = offset + length
        for data_offset, data_length in await self.file.data_ranges(offset, length):
            ranges += [(data_offset - offset, hole), (data_length, 0)]
            offset = data_offset + data_length
        return [*ranges, (end - offset, hole)]
