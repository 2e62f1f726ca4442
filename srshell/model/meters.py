"""How long the legs of a write take, and how much is written: figures over the last few seconds.

Always true:

(1) Every figure speaks of the last `Rates.window_seconds`, never of the time since the start.
(2) A leg without a write in the window has count 0 and zeros: nothing is known of it.
(3) Percentiles are at most one eighth above the truth; the largest is exact.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Latency:
    """How long one leg took, for writes of the last few seconds."""

    count: int = 0
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0
    p999_seconds: float = 0.0
    max_seconds: float = 0.0


@attrs.frozen
class Legs:
    """Where the time of a write goes.

    The primary knows all of them; a secondary its own log and volumes.
    """

    #: From handing a write in until its acknowledgement.
    write: Latency = Latency()
    #: From handing a write in until its frame is made.
    queue: Latency = Latency()
    #: From there until the own log holds the frame durably.
    local_log: Latency = Latency()
    #: From sending a frame until the peer's confirmation that its log holds it durably.
    remote_log: Latency = Latency()
    #: Bringing a batch of committed records into the volumes (later; no write waits for it).
    apply: Latency = Latency()
    #: The link alone: from a ping until its answer.
    round_trip: Latency = Latency()


@attrs.frozen
class Rates:
    """How much was acknowledged (a secondary: logged) over the last few seconds."""

    window_seconds: float = 0.0
    writes_per_second: float = 0.0
    bytes_per_second: float = 0.0
