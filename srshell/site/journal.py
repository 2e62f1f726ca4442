"""What happened at a site lately, for the owner to fetch.

Always true:

(1) Ids grow for ever: they begin with the time of the site's start in milliseconds, so a site that
    was started again goes on above its former ids.
(2) The newest `EVENTS_MAX` events are kept; who comes too late sees a gap in the texts, never an
    old event twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from srshell.site.api import SiteEvent

EVENTS_MAX: Final = 1000


@attrs.define(eq=False)
class Journal:
    """The last events, and whoever waits for the next one."""

    _wall_seconds: Callable[[], float]
    last_id: int = attrs.field(init=False)
    _events: deque[SiteEvent] = attrs.field(init=False)
    _news: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.last_id = int(self._wall_seconds() * 1000)
        self._events = deque(maxlen=EVENTS_MAX)

    def add(
        self, kind: str, text: str, partnership: str = "", facts: Mapping[str, str] | None = None
    ) -> None:
        """Write an event down."""
        self.last_id += 1
        event = SiteEvent(
            self.last_id, self._wall_seconds(), kind, text, partnership, dict(facts or {})
        )
        self._events.append(event)
        self._wake()

    async def after(self, event_id: int, wait_seconds: float) -> tuple[SiteEvent, ...]:
        """Return the events after an id; if there are none, wait for some."""
        if not self._closed and not self._newer_than(event_id):
            news = self._news
            try:
                async with asyncio.timeout(wait_seconds):
                    await news.wait()
            except TimeoutError:
                return ()
        return self._newer_than(event_id)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._wake()

    def _newer_than(self, event_id: int) -> tuple[SiteEvent, ...]:
        return tuple(event for event in self._events if event.id > event_id)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
