"""Waiting for other processes: look again and again, with an end.

Always true: nothing here passes because time went by; what is waited for has happened, or the test
fails and says what did not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

#: Processes share their cores with whatever else the machine does.
PATIENCE_SECONDS = 40.0

_LOOK_SECONDS = 0.04


class Late(AssertionError):
    """Something did not happen in time."""


async def until(
    look: Callable[[], Awaitable[T | None]], what: str, seconds: float = PATIENCE_SECONDS
) -> T:
    """Return the first thing that ``look`` finds (neither None nor False).

    Raises:
        Late: it found nothing in time.
    """
    end = time.monotonic() + seconds
    while True:
        found = await look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > end:
            raise Late(f"after {seconds:g} s: {what}")
        await asyncio.sleep(_LOOK_SECONDS)


async def until_true(
    holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Return when something holds; raises `Late`."""

    async def look() -> bool:
        return holds()

    await until(look, what, seconds)


def wait_for(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first thing that ``look`` finds, for those who cannot await; raises `Late`."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > end:
            raise Late(f"after {seconds:g} s: {what}")
        time.sleep(_LOOK_SECONDS)
