"""How large the two sides of a simulated group are, and what they are told beforehand.

Always true: both sides are alike.
"""

from __future__ import annotations

from typing import Final

import attrs

from srshell.engine.formatting import metadata_bytes
from srshell.engine.world import Limits
from srshell.model.replica import OnPeerLoss

#: Times a hundredth to a twentieth of the real ones; sizes such that rings wrap and run full.
SMALL_LIMITS: Final = Limits(
    heartbeat_seconds=0.05,
    peer_timeout_seconds=0.25,
    stuck_seconds=0.8,
    stable_link_seconds=0.15,
    flapping_seconds=1.5,
    reconnect_seconds=0.02,
    reconnect_seconds_max=0.1,
    commit_notice_seconds=0.002,
    linger_seconds=0.02,
    checkpoint_seconds=0.05,
    look_seconds=float("inf"),  # nobody else has a simulated file
    seal_seconds=3.0,
    handshake_seconds=1.5,
    frame_bytes=16 << 10,
    write_bytes=12 << 10,
    extent_bytes=16 << 10,
    extents_in_flight=2,
    unapplied_bytes=48 << 10,
    ring_bytes_min=64 << 10,
)


@attrs.frozen
class Shape:
    """How large everything is, in bytes; both sides are alike."""

    volumes: tuple[int, ...] = (96 << 10, (40 << 10) + 1536)
    ring_bytes: int = 128 << 10
    on_peer_loss: OnPeerLoss = OnPeerLoss.CONTINUE
    seeded: bool = False
    harsh: bool = False
    limits: Limits = SMALL_LIMITS
    #: Whether the volumes were written before, on both sides and not alike.
    used: bool = False
    #: Whether blocks have checksums of their own.
    checksums: bool = True
    #: Whether writes of disks end where they are made, as with ``--commit direct``.
    direct: bool = False
    #: Whether disks write commits durably in one call.
    through: bool = False
    #: Whether commits are made now here, now there, as with ``--commit auto``.
    fickle: bool = False

    @property
    def engine_limits(self) -> Limits:
        """What the engine is told: without checksums, a ring that leaves them no room."""
        if self.checksums:
            return self.limits
        return attrs.evolve(self.limits, ring_bytes_min=self.ring_bytes)

    @property
    def log_bytes(self) -> int:
        """The log volume: slots, bitmaps, checksums of blocks, ring."""
        return metadata_bytes(self.volumes, checksums=self.checksums) + self.ring_bytes
