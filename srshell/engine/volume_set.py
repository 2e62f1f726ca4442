"""The data volumes of one group: read, written by the applier alone, synced by the checkpoint.

Always true:

(1) Only committed records and copied extents are written here.
(2) Batches of one volume are written one after the other; volumes work side by side.
(3) When `sync` returns, every write that had ended before it was called is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from srshell.codec.checksum import Buffer
from srshell.engine.batch import Batch
from srshell.model.errors import SrError
from srshell.model.replica import VolumeLayout
from srshell.storage import BlockFile, Disk, Write

Range = tuple[int, int]  # offset and length in bytes

#: Written by one job: readers come between two.
_JOB_BYTES = 8 << 20


class VolumeSet:
    """The open files of a group's data volumes, by index."""

    def __init__(self, layouts: Sequence[VolumeLayout], files: Sequence[BlockFile]) -> None:
        """Take over open files, one for each layout."""
        self.layouts = tuple(layouts)
        self._files = tuple(files)
        #: Volumes with writes that ended after their last sync began.
        self._unsynced: set[int] = set()
        self._syncing = asyncio.Lock()
        self.index = {layout.name: number for number, layout in enumerate(layouts)}

    @classmethod
    async def open(cls, layouts: Sequence[VolumeLayout], disk: Disk) -> VolumeSet:
        """Open and lock every volume.  Raises StorageError, or SrError SR9222 on a wrong size."""
        files: list[BlockFile] = []
        try:
            for layout in layouts:
                files.append(await disk.open(layout.path))
                _check_size(layout, files[-1])
                # A process that was killed leaves its pages in the cache: they count once synced,
                # and those that a failed sync lost do not count at all.
                await files[-1].sync()
                await files[-1].drop_cache(0, layout.size_bytes)
        except BaseException:
            for file in files:
                await file.close()
            raise
        return cls(layouts, files)

    async def read(self, volume: int, offset: int, length: int) -> bytes:
        """Return bytes of the volume file; the overlay is the caller's business."""
        return await self._files[volume].read_at(offset, length)

    def read_cached(self, volume: int, offset: int, length: int) -> bytearray | None:
        """Return bytes of the volume file if they are in memory, else None; never waits."""
        return self._files[volume].read_cached(offset, length)

    async def read_each(self, volume: int, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of several ranges (offset, length), by one call."""
        return await self._files[volume].read_each(ranges)

    async def read_past_cache(self, volume: int, offset: int, length: int) -> tuple[bytes, bool]:
        """Return bytes as the device holds them, and whether the page cache was surely bypassed.

        Where the file system has no way past it, writes are synced and the cache is told to forget.
        """
        file = self._files[volume]
        data = await file.read_direct(offset, length)
        if data is not None:
            return data, True
        await self.sync()
        await file.drop_cache(offset, length)
        return await file.read_at(offset, length), False

    async def data_ranges(self, volume: int, offset: int, length: int) -> list[tuple[int, int]]:
        """Return the parts of a range that may hold data, as (offset, length)."""
        return await self._files[volume].data_ranges(offset, length)

    async def apply(self, batches: Mapping[int, Batch]) -> None:
        """Make of volumes what batches of committed records make of them.  Raises StorageError."""
        try:
            await _all(self._apply_to(volume, batch) for volume, batch in batches.items())
        finally:
            # Marked afterwards: a sync that began meanwhile need not have covered them.
            self._unsynced.update(batches)

    async def _apply_to(self, volume: int, batch: Batch) -> None:
        file = self._files[volume]
        for offset, length in batch.holes():
            await file.punch(offset, length)
        job: list[Write] = []
        job_bytes = 0
        for write in batch.writes():
            job.append(write)
            job_bytes += write.length
            if job_bytes >= _JOB_BYTES:
                await file.write_at(job)
                job, job_bytes = [], 0
        if job:
            await file.write_at(job)

    async def store(
        self, volume: int, ranges: Sequence[Range], parts: Sequence[Buffer] | None
    ) -> None:
        """Write copied ranges (offset, length), by one call; None stands for zeros.

        Raises StorageError.
        """
        file = self._files[volume]
        try:
            if parts is not None:
                pairs = zip(ranges, parts, strict=True)
                await file.write_at([Write(offset, (part,)) for (offset, _), part in pairs])
                return
            for offset, length in ranges:
                for start, size in await file.data_ranges(offset, length):
                    await file.punch(start, size)
        finally:
            self._unsynced.add(volume)

    async def drop_cache(self, volume: int, offset: int, length: int) -> None:
        """Forget the cached pages of a synced range: later small writes there stay cheap."""
        await self._files[volume].drop_cache(offset, length)

    async def sync(self) -> None:
        """Make every write that has ended durable.  Raises StorageError."""
        async with self._syncing:
            volumes = sorted(self._unsynced)
            self._unsynced.clear()
            try:
                await _all(self._files[volume].sync() for volume in volumes)
            except BaseException:
                self._unsynced.update(volumes)
                raise

    async def check_kept(self) -> None:
        """Look whether nobody else removed a file or cut it short.  Raises StorageError."""
        await _all(file.check_kept() for file in self._files)

    async def close(self) -> None:
        """Wait for running jobs and release the files."""
        for file in self._files:
            await file.close()


def _check_size(layout: VolumeLayout, file: BlockFile) -> None:
    if file.size() < layout.size_bytes:
        facts = f"{layout.path} has {file.size()} of {layout.size_bytes} bytes"
        raise SrError.make("SR9222", facts=facts, file=layout.path)


async def _all(jobs: object) -> None:
    """Run coroutines side by side to their ends; raise the first error after all have ended."""
    results = await asyncio.gather(*jobs, return_exceptions=True)  # type: ignore[misc]
    for result in results:
        if isinstance(result, BaseException):
            raise result
