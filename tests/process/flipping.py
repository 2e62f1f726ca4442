"""A pair of replicas on real files, whose live bytes are flipped behind its back.

Always true:

(1) ``content`` is what the volumes of both sides have to hold: every acknowledged write, and
    nothing else.
(2) Only bytes that count are flipped: written blocks, the newest superblock slots, pages of maps,
    frames that the log refers to; never twice in one block, page, slot or frame at once.
(3) Checkpoints are taken when the test says so, so that the log holds frames to be flipped.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from srshell.codec.checksum_page import BLOCK_BYTES, CHECKSUMS_PER_PAGE
from srshell.codec.log_frame import HEADER_BYTES
from srshell.codec.messages import Hello
from srshell.codec.superblock import SLOT_BYTES
from srshell.engine.core import ReplicaEvent
from srshell.engine.formatting import format_log
from srshell.engine.replica import Replica
from srshell.engine.world import Limits, World
from srshell.model.replica import (
    Flow,
    ReplicaData,
    ReplicaRole,
    ReplicaSpec,
    ReplicaVolume,
)
from srshell.storage import DirectExecutor, Disk, OsDisk
from srshell.transport import Link, Listener, StreamNetwork

VOLUME: Final = "data"
VOLUME_BYTES: Final = 6 << 20
LOG_BYTES: Final = 5 << 20
BLOCKS: Final = VOLUME_BYTES // BLOCK_BYTES
CHECKSUM_PAGES: Final = -(-BLOCKS // CHECKSUMS_PER_PAGE)
SIDES: Final = ("A", "B")
#: A page of a map behind its header: what is flipped there is covered by its checksum.
_PAGE_BYTES: Final = 4096
_LIMITS: Final = Limits(
    heartbeat_seconds=0.2,
    peer_timeout_seconds=10.0,  # both sides live in one loop: a slow disk silences both
    stable_link_seconds=0.02,
    reconnect_seconds=0.02,
    reconnect_seconds_max=0.05,
    checkpoint_seconds=3600.0,
    ring_bytes_min=1 << 20,
)
_PATIENCE_SECONDS: Final = 60.0
#: From one bit to a whole block.
_SIZES_BYTES: Final = (0, 1, 1, 8, 64, 512, 2048, 4096)


@attrs.frozen
class Flip:
    """Bytes of one side that were changed: where, and what they belong to."""

    side: str
    area: str  # volume, log, superblock, bitmap, checksums
    unit: int  # block, first LSN, slot or page
    offset: int  # in the file
    mask: bytes = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """How a verification names the damage of this area."""
        return {
            "log": f"log at LSN {self.unit}:",
            "superblock": f"superblock slot {self.unit}:",
            "bitmap": f"bitmap page {self.unit} ",
            "checksums": f"checksum page {self.unit} ",
        }[self.area]


class FlippedSide:
    """One side: its files, and its replica while it is open."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.replica: Replica | None = None
        self.events: list[ReplicaEvent] = []
        self._listener: Listener | None = None
        disk = Disk(OsDisk(), DirectExecutor())
        self.world = World(log_disk=disk, data_disk=disk, network=StreamNetwork(), limits=_LIMITS)

    @property
    def open_replica(self) -> Replica:
        assert self.replica is not None
        return self.replica

    def path(self, area: str) -> Path:
        """The file that an area lies in."""
        return self.folder / ("volume" if area == "volume" else "log")

    @property
    def address(self) -> str:
        return f"unix:{self.folder / 'link'}"

    async def make(self, peer: FlippedSide) -> None:
        """Make and format the files."""
        self.folder.mkdir()
        disk = self.world.log_disk
        await disk.create(str(self.path("log")), LOG_BYTES)
        await disk.create(str(self.path("volume")), VOLUME_BYTES)
        primary = self.name == "A"
        spec = ReplicaSpec(
            partnership="f1" * 16,
            replica=("aa" if primary else "bb") * 16,
            peer=("bb" if primary else "aa") * 16,
            group=f"group{self.name}",
            peer_group=f"group{peer.name}",
            array=self.name,
            peer_array=peer.name,
            role=ReplicaRole.PRIMARY if primary else ReplicaRole.SECONDARY,
            initiator=primary,
            peer_address=peer.address,
            log_path=str(self.path("log")),
            log_bytes=LOG_BYTES,
            volumes=(ReplicaVolume(VOLUME, str(self.path("volume")), VOLUME_BYTES, 4096),),
        )
        await format_log(spec, self.world)

    async def open(self) -> None:
        """Open the replica and answer its peer."""
        self.replica = replica = await Replica.open(str(self.path("log")), self.world)
        replica.subscribe(self.events.append)

        async def accept(link: Link) -> None:
            hello, _ = await link.receive()
            assert isinstance(hello, Hello)
            await replica.accept(link, hello)

        (self.folder / "link").unlink(missing_ok=True)
        self._listener = await self.world.network.listen(self.address, accept)
        await replica.start()

    async def close(self) -> None:
        if self.replica is not None:
            await self.replica.close()
            self.replica = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def crash(self) -> None:
        """End as a loss of power would end it: what a last checkpoint writes is taken back."""
        await self.open_replica.applier.settle()
        kept = {path: path.read_bytes() for path in (self.path("log"), self.path("volume"))}
        await self.close()
        for path, data in kept.items():
            self.put(path, data)

    def put(self, path: Path, data: bytes) -> None:
        """Write a whole file in place, and let nothing of it stay in the page cache."""
        with path.open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def flip(self, flip: Flip) -> None:
        """Change bytes of a file, as rot does; the same again takes it back."""
        with self.path(flip.area).open("r+b") as file:
            file.seek(flip.offset)
            data = file.read(len(flip.mask))
            file.seek(flip.offset)
            file.write(bytes(one ^ other for one, other in zip(data, flip.mask, strict=True)))
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def holds(self, block: int) -> bytes:
        """What the volume file holds of a block."""
        with self.path("volume").open("rb") as file:
            file.seek(block * BLOCK_BYTES)
            return file.read(BLOCK_BYTES)


class FlippedPair:
    """A, the primary, and B; made by `open_flipped`."""

    def __init__(self, folder: Path) -> None:
        self.a, self.b = (FlippedSide(name, folder) for name in SIDES)
        self.content = bytearray(VOLUME_BYTES)

    def side(self, name: str) -> FlippedSide:
        return self.a if name == "A" else self.b

    async def make(self) -> None:
        """Two sides in sync, every block written."""
        for side, peer in ((self.a, self.b), (self.b, self.a)):
            await side.make(peer)
        for side in (self.a, self.b):
            await side.open()
        await self.in_sync()
        dice = random.Random(0)
        for offset in range(0, VOLUME_BYTES, 1 << 18):
            await self.write(offset, dice.randbytes(1 << 18))
        await self.checkpoint()

    async def close(self) -> None:
        for side in (self.a, self.b):
            await side.close()

    async def write(self, offset: int, data: bytes) -> None:
        """Write, and remember it once it is acknowledged."""
        await self.a.open_replica.write(VOLUME, offset, data)
        self.content[offset : offset + len(data)] = data

    async def settle(self) -> None:
        """Let both volumes hold everything; the logs keep it too."""
        lsn = self.a.open_replica.report().acked_lsn
        for side in (self.a, self.b):
            await self._until(partial(_knows, side, lsn))
            await side.open_replica.applier.reach(lsn)

    async def checkpoint(self) -> None:
        """Empty both logs."""
        await self.settle()
        for side in (self.a, self.b):
            await side.open_replica.applier.checkpoint()

    async def in_sync(self) -> None:
        def both() -> bool:
            a, b = (side.open_replica.report() for side in (self.a, self.b))
            return (
                a.flow is Flow.LIVE
                and not a.alone
                and b.data is ReplicaData.CONSISTENT
                and not b.peer_may_ack_alone
            )

        await self._until(both)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not holds():  # noqa: ASYNC110 - what is waited for lies in two replicas
                await asyncio.sleep(0.005)

    # What is flipped.

    def draw(self, dice: random.Random, side: FlippedSide, area: str, blocks: range) -> Flip:
        """Draw live bytes of an area of a side."""
        core = side.open_replica.core
        layout = core.superblock.volumes[0]
        if area == "volume":
            unit = dice.choice(blocks)
            start, length = unit * BLOCK_BYTES, BLOCK_BYTES
        elif area == "log":
            held = dice.choice(core.ring.frames)
            unit = held.first_lsn
            start, length = core.log.offset_of(held.position), HEADER_BYTES + held.payload_bytes
        elif area == "superblock":
            unit = core.superblock.generation % 4
            start, length = unit * SLOT_BYTES, _superblock_bytes(side, unit)
        elif area == "bitmap":
            unit, start, length = 0, layout.bitmap_offset, _PAGE_BYTES
        else:
            unit = dice.randrange(CHECKSUM_PAGES)
            start, length = layout.checksum_offset + unit * _PAGE_BYTES, _PAGE_BYTES
        size_bytes = min(dice.choice(_SIZES_BYTES), length)
        offset = start + dice.randrange(length - size_bytes + (size_bytes > 0))
        if size_bytes == 0:
            mask = bytes([1 << dice.randrange(8)])
        else:
            mask = bytes([dice.randrange(1, 256)]) + dice.randbytes(size_bytes - 1)
        return Flip(side.name, area, unit, offset, mask)


def _knows(side: FlippedSide, lsn: int) -> bool:
    return side.open_replica.core.committed_lsn >= lsn


def _superblock_bytes(side: FlippedSide, slot: int) -> int:
    """How much of a slot counts: header and body."""
    with side.path("log").open("rb") as file:
        file.seek(slot * SLOT_BYTES + 8)
        return 24 + int.from_bytes(file.read(4), "little")
