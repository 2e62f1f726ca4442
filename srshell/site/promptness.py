"""Decide for each commit of a site's logs whether the event loop makes it, or a thread.

The loop saves two changes of thread on either side, a quarter of a write's time at depth 1; and as
long as it commits it serves nobody else.

Always true:

(1) The loop commits only for a replica that was the only one to commit lately, and not while
    clients read.
(2) A commit of the loop that took longer than `LONG_NS` is followed by `PAUSE_FACTOR` times as long
    without one: a slow disk takes a twentieth of the loop's time at most.
(3) Where a commit is made changes nothing of what is durable when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

LONG_NS: Final = 2_000_000
PAUSE_FACTOR: Final = 20
#: A replica that has not committed for so long is not in the way of another one.
LATELY_NS: Final = 5_000_000
#: So many reads since the last commit are somebody else's.
READS_MAX: Final = 4


@attrs.define(eq=False)
class Promptness:
    """What the replicas of one site ask before they commit; see `srshell.engine.world`."""

    clock_ns: Callable[[], int]
    _last: object = None
    _last_ns: int = 0
    _paused_until_ns: int = 0
    _reads: int = 0

    def allows(self, who: object) -> bool:
        """Tell whether the loop may make the next commit of this replica."""
        if self._reads > READS_MAX:
            return False
        now_ns = self.clock_ns()
        if now_ns < self._paused_until_ns:
            return False
        return who is self._last or now_ns - self._last_ns > LATELY_NS

    def committed(self, who: object, in_loop_ns: int = 0) -> None:
        """Note a commit: how long the loop was at it, or 0 if a thread made it."""
        self._last, self._last_ns, self._reads = who, self.clock_ns(), 0
        if in_loop_ns > LONG_NS:
            self._paused_until_ns = self._last_ns + PAUSE_FACTOR * in_loop_ns

    def read(self) -> None:
        """Note that a client read."""
        self._reads += 1
