"""The superblock on disk: four slots, written in turn, the newest valid one counts.

Always true:

(1) `current` is what the disk holds: a change is visible in memory only after it is durable.
(2) Changes are serialised; each writes one slot and syncs it in one job.
(3) A change of role, epoch, data state, policy or ``alone`` is written to two slots, one after the
    other: one slot that rots afterwards cannot bring back what this side was before.
(4) Slots of different replicas are refused: somebody copied parts of another log here.
(5) A slot that is valid but of a later format is refused, not passed over: an older program must
    not take an older slot for the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs

from srshell.codec.errors import FormatError
from srshell.codec.superblock import (
    SLOT_BYTES,
    SLOT_COUNT,
    decode_superblock,
    encode_superblock,
    is_cleared,
)
from srshell.model.errors import SrError
from srshell.model.replica import Superblock
from srshell.storage import BlockFile, Write

SUPERBLOCK_AREA_BYTES = SLOT_BYTES * SLOT_COUNT


async def read_superblock(file: BlockFile) -> Superblock | None:
    """Return the newest valid superblock, or None when none was ever completed.

    That is so when every slot is blank, and when one is marked as cleared and none is whole: a
    power cut in a wipe, or in the first write of a log, leaves that, with anything in the others.

    Raises SrError SR9210 (no slot is readable) or SR9212 (written by a later version).
    """
    superblock, _ = await read_slots(file)
    return superblock


async def read_slots(file: BlockFile) -> tuple[Superblock | None, bool]:
    """Return what `read_superblock` does, and whether anything at all is written there."""
    if file.size() < SUPERBLOCK_AREA_BYTES:
        raise _unreadable(file, f"{file.path} has {file.size()} of {SUPERBLOCK_AREA_BYTES} bytes")
    area = await file.read_at(0, SUPERBLOCK_AREA_BYTES)
    found: list[Superblock] = []
    damage: list[str] = []
    written = cleared = False
    for slot in range(SLOT_COUNT):
        data = area[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]
        if not any(data):
            continue
        written = True
        if is_cleared(data):
            cleared = True
            continue
        try:
            found.append(decode_superblock(data, slot))
        except FormatError as error:
            if error.what == "version":
                raise SrError.make(
                    "SR9212", facts=f"slot {slot}: {error}", file=file.path
                ) from None
            damage.append(f"slot {slot}: {error}")
    if len({(superblock.partnership, superblock.replica) for superblock in found}) > 1:
        raise _unreadable(file, "its superblocks belong to different replicas")
    if found:
        return max(found, key=lambda superblock: superblock.generation), True
    if damage and not cleared:
        raise _unreadable(file, "; ".join(damage))
    return None, written


def _unreadable(file: BlockFile, facts: str) -> SrError:
    """Return the error for a log that does not even say whose it is."""
    return SrError.make(
        "SR9210", facts=facts, mend="srshell status", group=file.path, array="this site"
    )


class SuperblockFile:
    """The one writer of a replica's superblock."""

    def __init__(self, file: BlockFile, current: Superblock) -> None:
        """Go on from ``current``, which the disk holds."""
        self._file = file
        #: Held while a slot is written.
        self.writing = asyncio.Lock()
        self.current = current

    async def write(self, change: Callable[[Superblock], Superblock]) -> Superblock:
        """Make ``change(current)`` durable and current.

        Raises StorageError; then nothing changed.
        """
        async with self.writing:
            before = self.current
            changed = change(before)
            await self._write_slot(changed)
            if _identity(changed) != _identity(before):
                changed = attrs.evolve(changed, generation=changed.generation + 1)
                await self._write_slot(changed)
            return changed

    async def _write_slot(self, superblock: Superblock) -> None:
        slot = superblock.generation % SLOT_COUNT
        data = encode_superblock(superblock)
        await self._file.write_at([Write(slot * SLOT_BYTES, (data,))], sync=True)
        self.current = superblock


def _identity(superblock: Superblock) -> tuple[object, ...]:
    """Return what no rotten slot may undo."""
    return (
        superblock.role,
        superblock.data,
        superblock.history,
        superblock.alone,
        superblock.peer_may_ack_alone,
        superblock.unclean,
        superblock.promised_epoch,
        superblock.on_peer_loss,
        superblock.suspended,
        superblock.copy_id,
        superblock.base_lsn,
        superblock.full_copy,
        superblock.compare,
        superblock.yields,
        superblock.torn_down,
    )
