"""Reading and writing the volumes of one group by name.

Always true:

(1) Writes are admitted only by a primary whose machine admits them.
(2) A read shows acknowledged records only, the newest of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from srshell.codec.log_frame import RecordKind
from srshell.engine.committer import Committer
from srshell.engine.core import Core
from srshell.engine.overlay import patch
from srshell.model.errors import SrError
from srshell.replication.source import Phase
from srshell.storage import StorageError

#: Said of a write that was not made and will not be.
_REFUSALS = frozenset({"SR9220", "SR9224"})
#: A write that comes in one of these is taken, be it that it waits.
_WRITABLE = frozenset(Phase) - {Phase.READ_ONLY, Phase.REFUSING}


class VolumeAccess:
    """What clients do with the volumes of one replica; ranges in bytes."""

    def __init__(self, core: Core, committer: Callable[[], Committer]) -> None:
        """Work on ``core``; ``committer`` gives the one of the present reign."""
        self._core = core
        self._committer = committer

    async def write(self, volume: str, offset: int, data: bytes) -> int:
        """Write and return the LSN once both logs (or, alone, the own log) hold it durably.

        Raises SrError SR9223 (range), SR9224 (no writes now), SR9225 (outcome unknown).
        """
        return await self.begin_write(volume, offset, data)

    def begin_write(self, volume: str, offset: int, data: bytes) -> Awaitable[int]:
        """Hand in a write; awaiting the result is the rest of `write`.  Raises what `write` does.

        For whoever has many: a small write costs no coroutine of its own.
        """
        index = self.place(volume, offset, len(data))
        piece_bytes = self._core.world.limits.write_bytes
        if len(data) <= piece_bytes:
            return self._submit(RecordKind.WRITE, index, offset, len(data), bytes(data))
        whole = memoryview(bytes(data))  # one copy at most; of bytes none
        pieces = [whole[start:][:piece_bytes] for start in range(0, len(data), piece_bytes)]
        return self._submit_each(RecordKind.WRITE, volume, offset, pieces)

    def clear(self, kind: RecordKind, volume: str, offset: int, length: int) -> Awaitable[int]:
        """Make a range read as zeros (kinds ZERO and TRIM); else as `begin_write`."""
        index = self.place(volume, offset, length)
        piece_bytes = self._core.world.limits.clear_bytes
        if length <= piece_bytes:
            return self._submit(kind, index, offset, length, b"")
        starts = range(0, length, piece_bytes)
        return self._submit_each(
            kind, volume, offset, [min(piece_bytes, length - start) for start in starts]
        )

    async def read(self, volume: str, offset: int, length: int) -> bytes:
        """Return the newest acknowledged bytes; never a record that may still be rolled back."""
        core, index = self._core, self._place_of_read(volume, offset, length)
        # The records are picked before the file is read: one that is applied meanwhile is laid over
        # again.
        records = core.overlay.covering(index, offset, length, core.committed_lsn)
        try:
            data = await core.volumes.read(index, offset, length)
        except StorageError as error:
            raise core.fail(error) from error
        return patch(data, offset, records)

    def read_cached(self, volume: str, offset: int, length: int) -> bytes | bytearray | None:
        """Return what `read` would if no device is needed for that, else None; never waits."""
        core, index = self._core, self._place_of_read(volume, offset, length)
        try:
            data = core.volumes.read_cached(index, offset, length)
        except StorageError as error:
            raise core.fail(error) from error
        if data is None:
            return None
        # What is being applied in this moment is still among the records, and is laid over it.
        records = core.overlay.covering(index, offset, length, core.committed_lsn)
        return patch(bytes(data), offset, records) if records else data

    def _place_of_read(self, volume: str, offset: int, length: int) -> int:
        """Return the volume's index if this side shows what is acknowledged."""
        index = self.place(volume, offset, length)
        core = self._core
        core.check_usable()
        if core.source is None or core.source.phase is Phase.READ_ONLY:
            raise SrError.make("SR9224", volume=volume, reason=self.refusal())
        if core.world.promptness is not None:
            core.world.promptness.read()
        return index

    def place(self, volume: str, offset: int, length: int) -> int:
        """Return the volume's index.  Raises SrError SR0105 (unknown) or SR9223 (range)."""
        core = self._core
        index = core.volumes.index.get(volume)
        if index is None:
            raise SrError.make("SR0105", noun="volume", name=volume)
        size_bytes = core.volumes.layouts[index].size_bytes
        if offset < 0 or length <= 0 or offset + length > size_bytes:
            facts = f"{volume} has {size_bytes} bytes"
            raise SrError.make("SR9223", facts=facts, offset=offset, length=length, volume=volume)
        return index

    def _submit(
        self, kind: RecordKind, index: int, offset: int, length: int, payload: bytes | memoryview
    ) -> asyncio.Future[int]:
        self._check_writable()
        return self._committer().submit(kind, index, offset, length, payload)

    def _submit_each(
        self, kind: RecordKind, volume: str, offset: int, pieces: Sequence[memoryview | int]
    ) -> Awaitable[int]:
        """Hand in a write in pieces that follow each other: payloads, or lengths to be cleared."""
        index = self._core.volumes.index[volume]
        parts: list[asyncio.Future[int]] = []
        for piece in pieces:
            length, payload = (piece, b"") if isinstance(piece, int) else (len(piece), piece)
            try:
                parts.append(self._submit(kind, index, offset, length, payload))
            except SrError as error:
                if not parts:
                    raise
                # One before was committed in its call and failed this side: what becomes of it is
                # not known, whatever is known of this one.
                parts.append(asyncio.get_running_loop().create_future())
                parts[-1].set_exception(error)
                break
            offset += length
        return _last_of(parts, volume)

    def _check_writable(self) -> None:
        core = self._core
        source = core.source
        writable = source is not None and source.phase in _WRITABLE
        if writable and not core.stopped and not core.superblock.torn_down:
            return
        core.check_usable()
        refusal = self.refusal()
        if refusal:
            raise SrError.make("SR9224", volume=self._core.superblock.group, reason=refusal)

    def refusal(self) -> str:
        """Return why no write is admitted, or nothing."""
        core = self._core
        source = core.source
        if source is None:
            return "this side is secondary and follows the primary"
        if core.superblock.torn_down:
            return "the group is torn down"
        if source.phase is Phase.READ_ONLY:
            return "this primary restarted and has not met its peer yet (no-primary)"
        if source.phase is Phase.REFUSING:
            return "the peer is away and the policy is io-error"
        return ""


async def _last_of(parts: list[asyncio.Future[int]], volume: str) -> int:
    """Wait for all parts of a write; return the last LSN, or raise after all have ended.

    Only a write of which no part was made was refused; otherwise its outcome is unknown.
    """
    results = await asyncio.gather(*parts, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if not errors:
        return max(result for result in results if isinstance(result, int))
    refusals = [error for error in errors if isinstance(error, SrError) and error.code in _REFUSALS]
    if len(refusals) == len(results):
        raise refusals[0]
    for error in errors:
        if error not in refusals:
            raise error
    facts = f"a part of it was refused: {refusals[0].message}"
    raise SrError.make("SR9225", facts=facts, volume=volume)
