"""Leaves out a whole screen that is on the terminal already: on a slow line each one takes seconds.

Always true:

(1) Only what was just written whole, with nothing written since, is left out.
(2) What is written again later than `AGAIN_SECONDS` is written: the terminal may have been wiped by
    somebody else meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from textual._compositor import LayoutUpdate
from textual.geometry import Offset
from textual.strip import Strip

#: Opening a screen paints it two or three times within milliseconds.
AGAIN_SECONDS: Final = 0.4


class Painted:
    """What was written last, if it was a whole screen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[list[list[Strip]], Offset] | None = None
        self._when = 0.0

    def repeats(self, update: object, cursor: Offset) -> bool:
        """Whether an update would write what is there; remembers it otherwise."""
        if not isinstance(update, LayoutUpdate):
            self._last = None
            return False
        # Lines may be read once only: from here on they are lists.
        lines = [list(line) for line in update.strips]
        update.strips = [*lines]
        now = self._clock()
        if self._last == (lines, cursor) and now - self._when <= AGAIN_SECONDS:
            return True
        self._last, self._when = (lines, cursor), now
        return False

    def forget(self) -> None:
        """The terminal may show something else."""
        self._last = None
