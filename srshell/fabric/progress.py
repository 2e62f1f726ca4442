"""How fast a copy goes and when it may end, from what is seen of it.

Always true:

(1) The rate is that of the last thirty seconds; nothing is smoothed over a standstill.
(2) No end is foretold before five seconds or one percent, nor while nothing moves.
"""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 30.0
_SEEN_SECONDS_MIN: Final = 5.0


class RateMeter:
    """Looks at a copy now and then."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._total_bytes = 0

    def see(self, done_bytes: int, total_bytes: int, now: float) -> None:
        """Take note of how far the copy is; ``now`` is monotonic, in seconds."""
        self._total_bytes = total_bytes
        self._seen.append((now, done_bytes))
        while now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def bytes_per_second(self) -> float:
        """How fast it went of late; 0 when that is not known."""
        if len(self._seen) < 2:  # noqa: PLR2004 - two looks make a rate
            return 0.0
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return max(last - first, 0) / (ended - began) if ended > began else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """When it ends at this rate; None when nobody can know."""
        if not self._seen:
            return None
        (began, _), (ended, done) = self._seen[0], self._seen[-1]
        rate = self.bytes_per_second
        early = ended - began < _SEEN_SECONDS_MIN or done * 100 < self._total_bytes
        return None if early or not rate else max(self._total_bytes - done, 0) / rate
