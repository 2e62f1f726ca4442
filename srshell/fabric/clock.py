"""Time as the owner reads it.

Always true: ``unix`` is for people and files, ``monotonic`` for durations; both are seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs


@attrs.frozen
class Clock:
    """Where the time comes from."""

    unix: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
