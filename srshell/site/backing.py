"""What carries a volume's bytes: its own file, or the replica that it belongs to.

Always true:

(1) When a write, trim or zero returns, it is durable wherever it has to be (ack mode strict).
(2) Calls raise `SrError` or `StorageError`; after a failed write a plain file takes no more.
(3) Offsets and lengths (bytes) were checked by the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Final, Protocol

import attrs

from srshell.codec.checksum import Buffer
from srshell.codec.log_frame import RecordKind
from srshell.engine.dirty_map import BLOCK_BYTES
from srshell.engine.overlay import patch
from srshell.engine.replica import Replica
from srshell.export.device import DirtyFlag, Range, RangeFlag
from srshell.model.errors import SrError
from srshell.model.replica import ReplicaData, ReplicaRole
from srshell.storage import BlockFile, StorageError, Write
from srshell.storage.writes import zero_writes

_PIECE_BYTES: Final = 1024 * 1024
_ZEROS: Final = bytes(_PIECE_BYTES)
#: So much is described at once of what the other side may lack.
_DIRTY_BYTES_MAX: Final = 128 * 1024 * 1024


class Backing(Protocol):
    """What a volume's calls end at."""

    @property
    def serves(self) -> bool:
        """Whether clients can use it now, for reading and writing."""

    async def read(self, offset: int, length: int) -> Buffer:
        """Return exactly ``length`` bytes."""

    def read_cached(self, offset: int, length: int) -> Buffer | None:
        """Return what `read` would if it is in memory, else None; never waits."""

    def write(self, offset: int, data: Buffer) -> Awaitable[object]:
        """Store ``data``, which nobody changes any more."""

    def zero(self, offset: int, length: int, *, may_trim: bool) -> Awaitable[object]:
        """Make a range read as zeros; without ``may_trim`` its space stays allocated."""

    async def ranges(self, offset: int, length: int) -> list[Range]:
        """Return length and `RangeFlag` bits of what follows from ``offset`` on."""

    async def dirty_ranges(self, offset: int, length: int) -> list[Range]:
        """Return length and `DirtyFlag` bits of what follows from ``offset`` on."""

    @property
    def shows(self) -> bool:
        """Whether it is secondary and may be looked at: whole, as of some moment of the primary."""

    async def read_settled(self, offset: int, length: int) -> Buffer:
        """Return what a secondary holds that can never be rolled back."""

    async def close(self) -> None:
        """Let go of the bytes; nothing is under way."""


@attrs.define(eq=False)
class PlainBacking:
    """A volume in no replica: one file, each write followed by a sync.

    Writes that arrive while one is being made durable share the next sync.
    """

    _file: BlockFile
    serves: bool = True
    shows: bool = False
    _waiting: list[tuple[Write, asyncio.Future[None]]] = attrs.field(factory=list, init=False)
    _committing: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def read(self, offset: int, length: int) -> Buffer:
        """Read from the file."""
        return await self._file.read_at(offset, length)

    def read_cached(self, offset: int, length: int) -> Buffer | None:
        """Read from the file's pages in memory."""
        return self._file.read_cached(offset, length)

    async def write(self, offset: int, data: Buffer) -> None:
        """Write with the next batch."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((Write(offset, (data,)), done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await done

    async def zero(self, offset: int, length: int, *, may_trim: bool) -> None:
        """Punch a hole, or write zeros."""
        if may_trim:
            await self._file.punch(offset, length)
            await self._file.sync()
        else:
            await self._file.write_at(list(zero_writes(offset, length)), sync=True)

    async def ranges(self, offset: int, length: int) -> list[Range]:
        """Tell holes from data."""
        return with_holes(offset, length, await self._file.data_ranges(offset, length))

    async def dirty_ranges(self, offset: int, length: int) -> list[Range]:
        """There is no other side that could lack anything."""
        return [(length, 0)]

    async def read_settled(self, offset: int, length: int) -> Buffer:
        """Read from the file: nothing here is ever rolled back."""
        return await self.read(offset, length)

    async def is_blank(self, size_bytes: int) -> bool:
        """Whether the first ``size_bytes`` read as zeros; holes are not read."""
        for start, size in await self._file.data_ranges(0, size_bytes):
            for offset in range(start, start + size, _PIECE_BYTES):
                length = min(_PIECE_BYTES, start + size - offset)
                if await self._file.read_at(offset, length) != _ZEROS[:length]:
                    return False
        return True

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()

    async def _commit(self) -> None:
        """Make batches durable until nothing waits."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: StorageError | None = None
            try:
                await self._file.write_at([write for write, _ in batch], sync=True)
            except StorageError as failure:
                error = failure
            for _, done in batch:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        self._committing = None


@attrs.define(eq=False)
class ReplicaBacking:
    """A volume of a replica."""

    _replica: Replica
    _name: str

    @property
    def serves(self) -> bool:
        """Whether this side leads, and knows it."""
        report = self._replica.report()
        return report.role is ReplicaRole.PRIMARY and not report.unclean

    @property
    def shows(self) -> bool:
        """Whether this side follows and is whole."""
        report = self._replica.report()
        return report.role is ReplicaRole.SECONDARY and report.data is ReplicaData.CONSISTENT

    async def read_settled(self, offset: int, length: int) -> Buffer:
        """Read what is committed: a record that may still be rolled back is not looked at."""
        core = self._replica.core
        core.check_usable()
        if not self.shows:
            facts = "this side is no whole copy just now"
            raise SrError.make("SR9224", volume=self._name, reason=facts)
        volume = core.volumes.index[self._name]
        # The records are picked first: one that is applied meanwhile is laid over again.
        records = core.overlay.covering(volume, offset, length, core.committed_lsn)
        return patch(await core.volumes.read(volume, offset, length), offset, records)

    async def dirty_ranges(self, offset: int, length: int) -> list[Range]:
        """Tell what the other side may lack: by the dirty map, or by records it has not confirmed.

        It may stop early: a range with many changes takes time, and everybody else waits meanwhile.
        """
        core = self._replica.core
        if core.source is None:
            return [(length, 0)]
        length = min(length, _DIRTY_BYTES_MAX)
        end, volume = offset + length, core.volumes.index[self._name]
        marked = [
            (start, size)
            for frame in core.ring.frames
            if frame.last_lsn > core.confirmed_lsn
            for which, start, size in frame.extents
            if which == volume and start < end and start + size > offset
        ]
        for first, count in core.dirty.runs(
            volume, offset // BLOCK_BYTES, _DIRTY_BYTES_MAX // BLOCK_BYTES
        ):
            if first * BLOCK_BYTES >= end:
                break
            marked.append((first * BLOCK_BYTES, count * BLOCK_BYTES))
        return describe(offset, length, sorted(marked), inside=DirtyFlag.DIRTY, outside=0)

    async def read(self, offset: int, length: int) -> Buffer:
        """Read the newest acknowledged data."""
        return await self._replica.read(self._name, offset, length)

    def read_cached(self, offset: int, length: int) -> Buffer | None:
        """Read the newest acknowledged data if it is in memory."""
        return self._replica.access.read_cached(self._name, offset, length)

    def write(self, offset: int, data: Buffer) -> Awaitable[object]:
        """Return when it is durable in both logs, or as the policy of the group says."""
        payload = data if isinstance(data, bytes) else bytes(data)
        return self._replica.access.begin_write(self._name, offset, payload)

    def zero(self, offset: int, length: int, *, may_trim: bool) -> Awaitable[object]:
        """Log that the range is zero."""
        kind = RecordKind.TRIM if may_trim else RecordKind.ZERO
        return self._replica.access.clear(kind, self._name, offset, length)

    async def ranges(self, offset: int, length: int) -> list[Range]:
        """Tell holes from data: what neither the file nor a record in the log covers is a hole."""
        core = self._replica.core
        volume = core.volumes.index[self._name]
        # The records are picked first: one that is applied meanwhile is found in the file as well.
        records = core.overlay.covering(volume, offset, length, core.committed_lsn)
        data = await core.volumes.data_ranges(volume, offset, length)
        data += [(record.offset, record.length) for record in records]
        return with_holes(offset, length, sorted(data))

    async def close(self) -> None:
        """Nothing: the replica is closed by its host."""


@attrs.define(eq=False)
class NoBacking:
    """A volume that cannot be used, and why."""

    _error: SrError
    serves: bool = False
    shows: bool = False

    async def read(self, offset: int, length: int) -> Buffer:
        """Refuse."""
        raise self._error

    def read_cached(self, offset: int, length: int) -> Buffer | None:
        """Refuse."""
        raise self._error

    async def write(self, offset: int, data: Buffer) -> None:
        """Refuse."""
        raise self._error

    async def zero(self, offset: int, length: int, *, may_trim: bool) -> None:
        """Refuse."""
        raise self._error

    async def ranges(self, offset: int, length: int) -> list[Range]:
        """Refuse."""
        raise self._error

    async def dirty_ranges(self, offset: int, length: int) -> list[Range]:
        """Refuse."""
        raise self._error

    async def read_settled(self, offset: int, length: int) -> Buffer:
        """Refuse."""
        raise self._error

    async def close(self) -> None:
        """Nothing."""


def with_holes(offset: int, length: int, data: Iterable[tuple[int, int]]) -> list[Range]:
    """Describe a range of which the sorted (offset, length) of ``data`` may hold data."""
    return describe(offset, length, data, inside=0, outside=RangeFlag.HOLE | RangeFlag.ZERO)


def describe(
    offset: int, length: int, parts: Iterable[tuple[int, int]], *, inside: int, outside: int
) -> list[Range]:
    """Describe a range by the sorted (offset, length) of parts, which may overlap."""
    found: list[Range] = []
    position, end = offset, offset + length
    for start, size in parts:
        begin, stop = min(max(start, position), end), min(start + size, end)
        if begin > position:
            found.append((begin - position, outside))
        if stop > begin:
            found.append((stop - begin, inside))
        position = max(begin, stop)
    if position < end:
        found.append((end - position, outside))
    return found
