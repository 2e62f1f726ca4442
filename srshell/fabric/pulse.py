"""Waiting for the next change of anything: of a site, a job, the catalogue.

Always true: a beat wakes everybody who waited when it came; nobody misses a beat that comes after
the state was looked at and before the waiting began, because looking takes a `Pulse.mark` first.
"""

from __future__ import annotations

import asyncio


class Pulse:
    """Counts changes, and lets tasks wait for the next one."""

    def __init__(self) -> None:
        self._count = 0
        self._event = asyncio.Event()

    @property
    def mark(self) -> int:
        """How many beats there have been."""
        return self._count

    def beat(self) -> None:
        """Something changed."""
        self._count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def after(self, mark: int, timeout_seconds: float) -> bool:
        """Wait for a beat after ``mark``; False if none came in time."""
        if self._count > mark:
            # Let others run: who looks may beat, and would otherwise never leave the loop to them.
            await asyncio.sleep(0)
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
