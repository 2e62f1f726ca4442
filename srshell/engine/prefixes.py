"""Rebuild the volumes of a group as they were after each LSN, from a log and older images.

Always true:

(1) Every frame is verified as recovery would; a log that does not go back far enough is refused.
(2) Given files are only read; what is built lies in a folder of its own.
(3) The images after LSN n hold every record up to n and none after it.

The log may be a copy from a running site, taken while nothing is written.  A checkpoint gives log
space back, but the bytes stay until they are overwritten: with ``since``, an older copy of the same
log, the scan begins where that one began, and reaches as far back as the ring does.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.log_frame import Record, RecordKind
from srshell.engine.recovery import read_log
from srshell.engine.superblock_file import read_superblock
from srshell.model.errors import SrError
from srshell.model.replica import Segment, Superblock, VolumeLayout
from srshell.replication.scan import LogScan
from srshell.storage import BlockFile, Disk, OsDisk, Write

_PIECE_BYTES: Final = 1 << 20
_ZEROS: Final = bytes(_PIECE_BYTES)


@attrs.frozen
class Prefix:
    """The volumes of a group after one LSN; the files change when the next prefix is asked for."""

    lsn: int
    images: Mapping[str, Path]  # by volume


@attrs.define(eq=False)
class Prefixes:
    """The prefixes of one log.  Make it with `open`."""

    superblock: Superblock  # of the log, with the segments of the older copy before its own
    start_lsn: int  # the given images hold everything up to here once ``since`` was laid over
    _log: BlockFile
    _images: dict[str, BlockFile]

    @classmethod
    async def open(
        cls, log: Path, base: Mapping[str, Path], folder: Path, since: Path | None = None
    ) -> Prefixes:
        """Take copies of the images in ``base`` (by volume) to build on.

        Without ``since``, they hold everything before the first LSN of the log; with it, they were
        taken together with that older copy of the log while nothing was written.

        Raises:
            SrError: SR0105, a volume of the group has no image; SR9210-SR9212, a log is none.
        """
        disk = Disk(OsDisk(), None)
        file = await disk.open(str(log), writable=False, lock=False)
        images: dict[str, BlockFile] = {}
        try:
            superblock = await _superblock(file)
            start_lsn = superblock.head_lsn - 1
            if since is not None:
                older = await read_log(str(since), disk)
                superblock = _reaching_back(superblock, older.superblock)
                start_lsn = older.tail_lsn
            for layout in superblock.volumes:
                images[layout.name] = await _copy_of(disk, layout, base, folder)
        except BaseException:
            for image in (file, *images.values()):
                await image.close()
            raise
        return cls(superblock, start_lsn, file, images)

    async def close(self) -> None:
        """Let go of the files; the last prefix stays in the folder."""
        for file in (self._log, *self._images.values()):
            await file.close()

    async def every(
        self, step: int, from_lsn: int = 0, to_lsn: int = 0
    ) -> AsyncGenerator[Prefix, None]:
        """Give the prefix at the start, every ``step`` LSNs after it, and the last one.

        ``from_lsn``, ``to_lsn``: only those between, as far as the log goes.

        Raises:
            SrError: SR9213, the log does not hold what follows the images.
        """
        begin = max(self.start_lsn, from_lsn)
        reached, given = 0, -1
        async for record in self._records():
            if to_lsn and record.lsn > to_lsn:
                break
            before = record.lsn - 1
            if before >= begin and (before - begin) % step == 0:
                given = before
                yield self._prefix(before)
            await self._apply(record)
            reached = record.lsn
        if max(reached, begin) > given:
            yield self._prefix(max(reached, self.start_lsn))

    def _prefix(self, lsn: int) -> Prefix:
        return Prefix(lsn, {name: Path(file.path) for name, file in self._images.items()})

    async def _records(self) -> AsyncGenerator[Record, None]:
        """Give the records of the log, the oldest first, as the scan comes by them."""
        superblock = self.superblock
        scan = LogScan(superblock)
        while scan.wanted is not None:
            wanted = scan.wanted
            offset = superblock.ring_offset + wanted.offset
            scan.feed(await self._log.read_at(offset, wanted.length))
            for record in scan.records:
                yield record
            scan.records.clear()
            scan.frames.clear()
        if scan.next_lsn <= superblock.durable_lsn:
            facts = (
                f"{self._log.path}: LSN {scan.next_lsn} of {superblock.durable_lsn} is not there"
            )
            raise SrError.make("SR9213", facts=facts, lsn=scan.next_lsn, group=superblock.group)

    async def _apply(self, record: Record) -> None:
        image = self._images[self.superblock.volumes[record.volume].name]
        if record.kind is RecordKind.WRITE:
            await image.write_at([Write(record.offset, (record.payload,))])
        else:
            await image.punch(record.offset, record.length)


async def _superblock(file: BlockFile) -> Superblock:
    found = await read_superblock(file)
    if found is None:
        facts = f"{file.path} is blank"
        raise SrError.make(
            "SR9210", facts=facts, mend="srshell status", group=file.path, array="this site"
        )
    return found


def _reaching_back(newer: Superblock, older: Superblock) -> Superblock:
    """Return the newer superblock with the head of the older one."""
    if (newer.partnership, newer.replica) != (older.partnership, older.replica):
        facts = f"they belong to {newer.group} of {newer.array} and {older.group} of {older.array}"
        raise SrError.make("SR9213", facts=facts, lsn=older.head_lsn, group=newer.group)
    # A segment is the same whenever a superblock lists it.
    segments: dict[tuple[int, int], Segment] = {
        (segment.first_lsn, segment.position): segment
        for segment in (*older.segments, *newer.segments)
    }
    ordered = sorted(segments.values(), key=lambda segment: (segment.position, segment.first_lsn))
    return attrs.evolve(
        newer,
        head_lsn=older.head_lsn,
        head_position=older.head_position,
        head_chain=older.head_chain,
        segments=tuple(ordered),
    )


async def _copy_of(
    disk: Disk, layout: VolumeLayout, base: Mapping[str, Path], folder: Path
) -> BlockFile:
    """Return a new file with the content of an image; holes stay holes."""
    given = base.get(layout.name)
    if given is None:
        facts = f"given: {', '.join(base) or 'none'}"
        raise SrError.make("SR0105", facts=facts, noun="image of volume", name=layout.name)
    path = str(folder / layout.name)
    if not await disk.share(str(given), path):
        await disk.create(path, layout.size_bytes)
    copy = await disk.open(path)
    image = await disk.open(str(given), writable=False, lock=False)
    try:
        for start, length in await image.data_ranges(0, layout.size_bytes):
            for offset in range(start, start + length, _PIECE_BYTES):
                size_bytes = min(_PIECE_BYTES, start + length - offset)
                data = await image.read_at(offset, size_bytes)
                if data != _ZEROS[:size_bytes]:
                    await copy.write_at([Write(offset, (data,))])
    finally:
        await image.close()
    return copy
