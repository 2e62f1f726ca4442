"""What one side of a replicated group is, on disk and on the wire.

A *partnership* joins two *replicas*: one side each of the same group of volumes.  Everything here
is a frozen value; the superblock holds the truth about a replica, and a `Standing` is what a
replica says of itself when it meets its peer.

Always true:

(1) LSNs are dense: the record after LSN n is LSN n + 1, over all volumes of the group and all
    epochs.
(2) An era covers the LSNs in (start_lsn, start_lsn of the next era]; the last era is open.
(3) Everything that the peer may lack is in the log after ``confirmed_lsn`` or has its bit in the
    bitmap.
(4) ``alone`` is durable before the first acknowledgement that the peer did not take part in.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from srshell.model.meters import Legs, Rates

#: Data volumes of a group: as many always fit its superblock if they lie in one directory.
VOLUMES_MAX: Final = 64


class ReplicaRole(StrEnum):
    """Which part a replica plays; persisted, changed only by a role change or a handshake."""

    PRIMARY = "primary"  # takes writes and gives out LSNs
    SECONDARY = "secondary"  # follows the primary's log


class ReplicaData(StrEnum):
    """What the volumes of a replica hold; persisted."""

    BLANK = "blank"  # never filled: nothing here belongs to the group yet
    INCONSISTENT = "inconsistent"  # a copy is under way: blocks of different moments side by side
    CONSISTENT = "consistent"  # equal to the primary at some LSN prefix
    FAILED = "failed"  # a device error or corruption was met; nothing more is written here


class OnPeerLoss(StrEnum):
    """What the primary does with writes when its peer stays away longer than the peer timeout."""

    CONTINUE = "continue"  # acknowledge alone; the recovery point is no longer zero
    SUSPEND_IO = "suspend-io"  # writes wait; nothing can be lost or diverge
    IO_ERROR = "io-error"  # writes fail; nothing can be lost or diverge


class LinkState(StrEnum):
    """What a replica knows of the link to its peer; observed, never stored."""

    OFF = "off"  # not wanted: not started, suspended or torn down
    CONNECTING = "connecting"  # wanted, not there
    CONNECTED = "connected"  # both sides agreed who has what
    REFUSED = "refused"  # the peer answered and the two cannot work together


class Flow(StrEnum):
    """What moves over the link; observed, never stored."""

    IDLE = "idle"
    INITIAL_COPY = "initial-copy"  # the first copy, to a blank replica
    LOG_REPLAY = "log-replay"  # records that the peer missed; the peer stays consistent
    BITMAP_COPY = "bitmap-copy"  # blocks that may differ
    CHECKSUM_COPY = "checksum-copy"  # all blocks compared, the different ones sent
    LIVE = "live"  # in sync: each acknowledged write is in both logs
    SEALED = "sealed"  # in sync, no more writes admitted: a planned failover is under way


@attrs.frozen
class Epoch:
    """One reign of one primary.  The whole value is the identity; ``number`` alone orders."""

    number: int
    nonce: int
    creator: str


@attrs.frozen
class Era:
    """The LSNs after ``start_lsn`` that were given out in ``epoch``."""

    epoch: Epoch
    start_lsn: int


@attrs.frozen
class Segment:
    """A stretch of the log ring written between two openings: one salt, one chain of checksums."""

    first_lsn: int
    position: int  # ring position in bytes; grows for ever, the offset is position % ring_bytes
    salt: int
    seed: int  # what the first frame's prev_crc must be


@attrs.frozen
class VolumeLayout:
    """One data volume of the group and where its maps lie in the log volume.

    Without a checksum map (``checksum_pages`` is 0) a verification cannot say which side is wrong.
    """

    name: str
    path: str
    size_bytes: int
    block_bytes: int
    bitmap_offset: int  # bytes from the start of the log volume
    bitmap_pages: int
    checksum_offset: int = 0  # bytes from the start of the log volume
    checksum_pages: int = 0


@attrs.frozen
class Superblock:
    """All durable facts about one replica: role, epochs, log, copy in progress."""

    generation: int
    partnership: str  # 32 hexadecimal digits, shared by both sides
    replica: str  # 32 hexadecimal digits, this side
    peer: str
    group: str
    peer_group: str
    array: str
    peer_array: str
    initiator: bool  # this side dials; fixed when the partnership is made
    peer_address: str
    volumes: tuple[VolumeLayout, ...]
    ring_offset: int
    ring_bytes: int
    role: ReplicaRole
    data: ReplicaData
    on_peer_loss: OnPeerLoss
    history: tuple[Era, ...]
    segments: tuple[Segment, ...]
    head_lsn: int  # first LSN that the log still holds (last LSN + 1 when it holds none)
    head_position: int  # ring position of the frame that begins with head_lsn
    head_chain: int  # prev_crc of that frame
    checkpoint_lsn: int  # the volumes hold every record up to here, synced
    durable_lsn: int  # log known durable up to here; a bad frame at or before it is corruption
    confirmed_lsn: int  # primary: the peer holds everything up to here, but for the marked blocks
    alone: bool = False  # writes may have been acknowledged without the peer
    peer_may_ack_alone: bool = False  # secondary: the primary may have acknowledged without us
    unclean: bool = False  # was primary when its process ended; cleared only by a handshake
    promised_epoch: int = 0  # a primary whose newest epoch is lower is not followed
    base_lsn: int = 0  # secondary: LSN from which the log is complete beside the copy
    copy_id: str = ""  # names the copy that the marked blocks belong to; both sides hold it
    compare: bool = False  # the copy under way compares before it sends
    full_copy: bool = False  # primary: the copy under way is the first one
    started: bool = False  # both providers were refreshed: the link is wanted
    suspended: bool = False
    torn_down: bool = False
    yields: bool = (
        False  # lost a split brain: its own writes are given up, their blocks are copied over
    )
    lost_unix: float = 0.0  # primary: since when the peer is away; 0 while it is not
    alone_first_unix: float = 0.0  # when the first write was acknowledged alone; 0: none was
    alone_last_unix: float = 0.0  # when the last one was, as of the last superblock
    owner_term: int = 0
    operation: str = ""  # the role change that was carried out last, so that a repeat is harmless
    failure: str = ""  # why data is FAILED


@attrs.frozen
class Standing:
    """What a replica says of itself at a handshake; input of `decide`."""

    replica: str
    role: ReplicaRole
    data: ReplicaData
    history: tuple[Era, ...]
    tail_lsn: int  # last LSN that is durable in the log
    tail_crc: int  # body_crc of the frame that ends with tail_lsn; 0 when the log does not hold it
    log_first_lsn: int  # first LSN that the log can replay
    acked_alone_lsn: int  # last LSN that may have been acknowledged without the peer; 0: none
    marked_from_lsn: (
        int  # blocks written after this LSN are in the bitmap or in the log; -1: unknown
    )
    alone: bool = False
    unclean: bool = False
    yields: bool = False
    base_lsn: int = 0
    copy_id: str = ""


@attrs.frozen
class ReplicaVolume:
    """One data volume as it is handed to a new replica."""

    name: str
    path: str
    size_bytes: int
    block_bytes: int


@attrs.frozen
class ReplicaSpec:
    """All that a site needs to make its side of a partnership."""

    partnership: str
    replica: str
    peer: str
    group: str
    peer_group: str
    array: str
    peer_array: str
    role: ReplicaRole
    initiator: bool
    peer_address: str
    log_path: str
    log_bytes: int
    volumes: tuple[ReplicaVolume, ...]
    on_peer_loss: OnPeerLoss = OnPeerLoss.CONTINUE
    seeded: bool = False
    owner_term: int = 0


@attrs.frozen
class CopyProgress:
    """How far a copy or replay has come, in bytes; ``done_bytes`` never falls."""

    kind: Flow
    done_bytes: int
    total_bytes: int
    bytes_per_second: float  # 0 when not known yet


@attrs.frozen
class Divergence:
    """What one side of a split brain holds that the other lacks."""

    from_lsn: int
    to_lsn: int
    blocks: int
    bytes: int
    first_unix: float | None = None  # when it acknowledged the first write beyond the fork; None:
    last_unix: float | None = None  # it is not known


@attrs.frozen
class ReplicaReport:
    """What a replica is and does at one moment; the fabric derives the article's words from it."""

    partnership: str
    group: str
    peer_group: str
    array: str
    peer_array: str
    as_of: float  # Unix seconds
    role: ReplicaRole
    data: ReplicaData
    link: LinkState
    link_reason: str
    flow: Flow
    epoch: int
    last_lsn: int
    durable_lsn: int
    acked_lsn: int
    confirmed_lsn: int
    applied_lsn: int
    checkpoint_lsn: int
    log_bytes: int
    log_bytes_free: int
    log_path: str
    on_peer_loss: OnPeerLoss
    alone: bool
    peer_may_ack_alone: bool
    unclean: bool
    started: bool
    suspended: bool
    torn_down: bool
    sealed: bool
    writable: bool  # a write sent now would be admitted
    volumes: tuple[VolumeLayout, ...]
    failure: str = ""
    waiting_on: str = ""  # what must happen next, in words; empty when nothing is waited for
    split: Divergence | None = None
    peer_split: Divergence | None = None
    progress: CopyProgress | None = None
    lost_unix: float | None = None  # since when acknowledged writes may be missing at the peer
    unconfirmed_writes: int = 0  # acknowledged writes that the peer does not hold in its log
    unconfirmed_bytes: int = 0
    writes_total: int = 0
    written_bytes_total: int = 0
    copied_bytes_total: int = 0
    log_frames_total: int = 0
    resyncs_total: int = 0  # times that this side brought its peer up, the first copy included
    resync: Flow | None = None  # the way of the last of them
    latency: Legs = attrs.field(factory=Legs)
    rates: Rates = attrs.field(factory=Rates)
