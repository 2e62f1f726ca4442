"""Superblocks for tests: a secondary in step, but for what a test changes."""

from typing import Any

import attrs

from srshell.model.replica import (
    Epoch,
    Era,
    OnPeerLoss,
    ReplicaData,
    ReplicaRole,
    Segment,
    Superblock,
)

FIRST = Era(Epoch(1, 7, "peer"), 0)
PARTNERSHIP = bytes(range(16))
RING_BYTES = 16 * 4096


def superblock(role: ReplicaRole = ReplicaRole.SECONDARY, **changes: Any) -> Superblock:  # noqa: ANN401
    """Return a superblock with an empty log of sixteen sectors."""
    plain = Superblock(
        generation=1,
        partnership=PARTNERSHIP.hex(),
        replica="me",
        peer="peer",
        group="group",
        peer_group="peer-group",
        array="A",
        peer_array="B",
        initiator=False,
        peer_address="",
        volumes=(),
        ring_offset=0,
        ring_bytes=RING_BYTES,
        role=role,
        data=ReplicaData.CONSISTENT,
        on_peer_loss=OnPeerLoss.CONTINUE,
        history=(FIRST,),
        segments=(Segment(1, 0, 0xA1, 0x51),),
        head_lsn=1,
        head_position=0,
        head_chain=0x51,
        checkpoint_lsn=0,
        durable_lsn=0,
        confirmed_lsn=0,
    )
    return attrs.evolve(plain, **changes)
