"""Whether the superblock of a group will always fit its slot.

Always true:

(1) A group that is let through never outgrows its slot, whatever happens to it: every part that
    changes is counted as long as it can become.
(2) `VOLUMES_MAX` volumes in one directory are let through, whatever their names and the directory
    are, if none is larger than 1 PiB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from srshell.codec.bitmap_page import page_count
from srshell.codec.checksum_page import checksum_page_count
from srshell.codec.superblock import HEADER_BYTES, SLOT_BYTES
from srshell.codec.superblock_body import encode_body
from srshell.engine.core import FAILURE_CHARACTERS_MAX
from srshell.engine.recovery import SEGMENTS_MAX
from srshell.model.errors import SrError
from srshell.model.identity import NAME_LENGTH_MAX
from srshell.model.replica import (
    VOLUMES_MAX,
    Epoch,
    Era,
    OnPeerLoss,
    ReplicaData,
    ReplicaRole,
    ReplicaVolume,
    Segment,
    Superblock,
    VolumeLayout,
)
from srshell.replication.reigns import HISTORY_LIMIT

#: The longest address of a peer: a path of a socket, or a host's name and a port.
_ADDRESS: Final = "a" * 280
_NAME: Final = "n" * NAME_LENGTH_MAX
_NUMBER_MAX: Final = 2**63 - 1
_CRC_MAX: Final = 2**32 - 1
_IDENTITY: Final = "0" * 32


def check_room(superblock: Superblock) -> None:
    """Refuse a group that its superblock could not describe one day, in a role change or a crash.

    Raises SrError SR2016.
    """
    count = len(superblock.volumes)
    if count > VOLUMES_MAX:
        facts = f"it has {count} data volumes, at most {VOLUMES_MAX} are possible"
        raise SrError.make("SR2016", facts, group=superblock.group)
    size_bytes = HEADER_BYTES + len(encode_body(_grown(superblock)))
    if size_bytes > SLOT_BYTES:
        facts = f"its superblock may come to {size_bytes} bytes, {SLOT_BYTES} are possible; "
        facts += f"the longest path has {max(len(v.path) for v in superblock.volumes)} characters"
        raise SrError.make("SR2016", facts, group=superblock.group)


def check_room_of_group(group: str, log_bytes: int, volumes: Sequence[ReplicaVolume]) -> None:
    """Do so before there is a replica, or even a peer: all that is not known is as long as can be.

    Raises SrError SR2016.
    """
    layouts = tuple(
        VolumeLayout(
            volume.name,
            volume.path,
            volume.size_bytes,
            volume.block_bytes,
            log_bytes,
            page_count(volume.size_bytes),
            log_bytes,
            checksum_page_count(volume.size_bytes),
        )
        for volume in volumes
    )
    check_room(
        Superblock(
            generation=1,
            partnership=_IDENTITY,
            replica=_IDENTITY,
            peer=_IDENTITY,
            group=group,
            peer_group=_NAME,
            array=_NAME,
            peer_array=_NAME,
            initiator=True,
            peer_address=_ADDRESS,
            volumes=layouts,
            ring_offset=log_bytes,
            ring_bytes=log_bytes,
            role=ReplicaRole.SECONDARY,
            data=ReplicaData.INCONSISTENT,
            on_peer_loss=OnPeerLoss.SUSPEND_IO,
            history=(),
            segments=(),
            head_lsn=1,
            head_position=0,
            head_chain=0,
            checkpoint_lsn=0,
            durable_lsn=0,
            confirmed_lsn=0,
        )
    )


def _grown(superblock: Superblock) -> Superblock:
    """Return it with every field that changes as long as that can become."""
    era = Era(Epoch(_NUMBER_MAX, _NUMBER_MAX, superblock.replica), _NUMBER_MAX)
    segment = Segment(_NUMBER_MAX, _NUMBER_MAX, _NUMBER_MAX, _CRC_MAX)
    return attrs.evolve(
        superblock,
        generation=_NUMBER_MAX,
        role=max(ReplicaRole, key=len),
        data=max(ReplicaData, key=len),
        on_peer_loss=max(OnPeerLoss, key=len),
        history=(era,) * HISTORY_LIMIT,
        segments=(segment,) * SEGMENTS_MAX,
        head_lsn=_NUMBER_MAX,
        head_position=_NUMBER_MAX,
        head_chain=_CRC_MAX,
        checkpoint_lsn=_NUMBER_MAX,
        durable_lsn=_NUMBER_MAX,
        confirmed_lsn=_NUMBER_MAX,
        promised_epoch=_NUMBER_MAX,
        base_lsn=_NUMBER_MAX,
        copy_id=_IDENTITY,
        operation=_NAME,
        failure="\U0010ffff" * FAILURE_CHARACTERS_MAX,
        owner_term=_NUMBER_MAX,
    )
