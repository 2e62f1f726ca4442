"""Everything outside the engine that it uses: disk, network, wall clock, randomness, limits.

The simulator gives the engine another world; the engine's code is the same.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from srshell.storage.block_file import Disk
from srshell.transport.link import Network


@attrs.frozen
class Limits:
    """Times in seconds and sizes in bytes that shape the engine's behaviour."""

    heartbeat_seconds: float = 1.0
    peer_timeout_seconds: float = 5.0
    stuck_seconds: float = 30.0  # for so long a peer that answers may confirm nothing of what waits
    stable_link_seconds: float = 3.0  # for so long a link must hold that was lost lately...
    flapping_seconds: float = 30.0  # ...twice within this
    reconnect_seconds: float = 0.25
    reconnect_seconds_max: float = 2.0
    commit_notice_seconds: float = 0.01
    linger_seconds: float = 0.2  # for so long committed records wait to be applied with others
    linger_bytes: int = 8 << 20  # so many of them wait no more
    batch_records: int = 2048  # so many are applied at a time; those of a replay 32 times as many
    checkpoint_seconds: float = 1.0
    look_seconds: float = 60.0  # so often an idle side looks whether nobody else harmed its files
    seal_seconds: float = 60.0
    handshake_seconds: float = 30.0
    frame_bytes: int = 1 << 20
    write_bytes: int = 512 << 10  # larger writes become several records
    clear_bytes: int = 256 << 20  # larger trims and zeros become several records
    extent_bytes: int = 512 << 10
    extents_in_flight: int = 8
    in_flight_bytes: int = 32 << 20  # frames on their way to the peer: less than a link takes
    unapplied_bytes: int = 64 << 20
    ring_bytes_min: int = 8 << 20


class Pace(Protocol):
    """Says when a copy goes on that shares a rate with others."""

    def claim(self, size_bytes: int) -> Awaitable[None] | None:
        """Ask for so many bytes; what to wait for, or None: go on at once."""

    def withdraw(self) -> None:
        """The copy has ended: whoever waits goes on."""


class Promptness(Protocol):
    """Says where the commits of a site's replicas are made: by the event loop, or by a thread."""

    def allows(self, who: object) -> bool:
        """Tell whether the loop may make the next commit of this replica."""

    def committed(self, who: object, in_loop_ns: int = 0) -> None:
        """Note a commit, and how long the loop was at it; 0: a thread was."""

    def read(self) -> None:
        """Note that a client read."""


@attrs.frozen
class World:
    """What a replica stands on.

    ``log_disk`` and ``data_disk`` may be one; each has its own executor.
    """

    log_disk: Disk
    data_disk: Disk
    network: Network
    wall_seconds: Callable[[], float] = time.time
    #: For measuring only; the loop's clock may stand still within one of its turns.
    clock_ns: Callable[[], int] = time.monotonic_ns
    randomness: random.Random = attrs.field(factory=random.SystemRandom)
    limits: Limits = Limits()
    pace: Pace | None = None  # of this replica's copies; None: as fast as it goes
    promptness: Promptness | None = None  # None: commits are made where the log's disk makes them
