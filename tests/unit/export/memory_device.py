"""A device in memory that notes what it is asked, and can be made to wait or fail."""

import asyncio
from collections.abc import Sequence

import attrs

from srshell.codec.checksum import Buffer
from srshell.export.device import DeviceError, Range, RangeFlag

#: What a call was: its name and its arguments, payloads left out.
Call = tuple[str | int | bool, ...]


@attrs.define(eq=False)
class MemoryDevice:
    """Keeps what was written, and which bytes were written since they were last trimmed."""

    size_bytes: int = 1024 * 1024
    block_bytes: int = 4096
    read_only: bool = False
    multi_connection: bool = True
    fast_zero: bool = True
    data: bytearray = attrs.field(init=False, repr=False)
    #: Allocation in units of 4096 bytes.
    used: bytearray = attrs.field(init=False, repr=False)
    calls: list[Call] = attrs.field(factory=list)
    payloads: list[Buffer] = attrs.field(factory=list, repr=False)
    #: Calls wait here until it is set; None: they do not wait.
    gate: asyncio.Event | None = None
    #: Raised by every call, once it may go on.
    error: Exception | None = None

    def __attrs_post_init__(self) -> None:
        self.data = bytearray(self.size_bytes)
        self.used = bytearray(-(-self.size_bytes // 4096))

    async def read(self, offset: int, length: int) -> Buffer:
        await self._enter("read", offset, length)
        return bytes(self.data[offset : offset + length])

    async def write(self, offset: int, data: Buffer, fua: bool) -> None:
        self.payloads.append(data)
        await self._enter("write", offset, len(data), fua)
        self._change(offset, data, used=True)

    async def flush(self) -> None:
        await self._enter("flush")

    async def trim(self, offset: int, length: int, fua: bool) -> None:
        await self._enter("trim", offset, length, fua)
        self._change(offset, bytes(length), used=False)

    async def zero(self, offset: int, length: int, fua: bool, may_trim: bool) -> None:
        await self._enter("zero", offset, length, fua, may_trim)
        self._change(offset, bytes(length), used=not may_trim)

    async def ranges(self, offset: int, length: int) -> Sequence[Range]:
        await self._enter("ranges", offset, length)
        end = offset + length
        ranges = []
        while offset < end:
            piece = min(end, (offset // 4096 + 1) * 4096) - offset
            used = self.used[offset // 4096]
            ranges.append((piece, 0 if used else RangeFlag.HOLE | RangeFlag.ZERO))
            offset += piece
        return ranges

    async def _enter(self, *call: str | int | bool) -> None:
        self.calls.append(call)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error

    def _change(self, offset: int, data: Buffer, *, used: bool) -> None:
        if self.read_only:
            raise DeviceError("EROFS")
        end = offset + len(data)
        self.data[offset:end] = data
        first, last = (offset // 4096, -(-end // 4096))
        if not used:
            first, last = -(-offset // 4096), end // 4096
        for block in range(first, last):
            self.used[block] = used
