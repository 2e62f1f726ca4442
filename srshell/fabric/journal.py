"""The journal of a fabric: everything that happened, numbered, kept, and told to who listens.

Always true:

(1) An event is durable before anybody is told of it; numbers only grow.
(2) Its sentence and its weight come from the registry of codes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from srshell.fabric.catalogue import Catalogue
from srshell.fabric.clock import Clock
from srshell.fabric.pulse import Pulse
from srshell.model.codes import CODES, Severity
from srshell.model.errors import SrError
from srshell.model.inventory import Event

_LEVELS = {Severity.EVENT: "info", Severity.WARNING: "warning", Severity.ERROR: "error"}

#: Levels at least as important as the key.
LEVELS: dict[str, tuple[str, ...]] = {
    "info": ("info", "warning", "error"),
    "warning": ("warning", "error"),
    "error": ("error",),
}
#: A listener that is further behind is told to ask for what it missed.
_QUEUE_MAX = 10_000


class Journal:
    """Adds events, and hands them to subscribers."""

    def __init__(self, catalogue: Catalogue, clock: Clock, pulse: Pulse) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._pulse = pulse
        self._queues: set[asyncio.Queue[Event | None]] = set()

    def say(
        self, code: str, about: str, facts: str = "", *, actor: str = "", **names: object
    ) -> Event:
        """Add an event.

        Args:
            code: a registered code; it gives the sentence and the weight.
            about: the object that it happened to.
            facts: what was measured, added to the sentence.
            actor: who did it; empty when it happened by itself.
            names: the objects that the sentence speaks of.
        """
        error = SrError.make(code, "", "", None, **names)
        text = error.message.rstrip(".") + (f": {facts}" if facts else "")
        return self._add(_LEVELS[CODES[code].severity], about, code, text, actor)

    def note(self, level: str, about: str, code: str, text: str, *, actor: str = "") -> Event:
        """Add an event in words of its own."""
        return self._add(level, about, code, text, actor)

    def _add(self, level: str, about: str, code: str, text: str, actor: str) -> Event:
        event = self._catalogue.append_event(self._clock.unix(), level, about, code, text, actor)
        for queue in list(self._queues):
            if queue.qsize() >= _QUEUE_MAX:
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)
        self._pulse.beat()
        return event

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events beyond ``after``: those that were, then those that come."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            last = after
            for event in self._catalogue.events(after_id=after):
                last = event.id
                yield event
            while (event_or_end := await queue.get()) is not None:
                if event_or_end.id > last:
                    last = event_or_end.id
                    yield event_or_end
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End all subscriptions."""
        for queue in self._queues:
            queue.put_nowait(None)
        self._queues.clear()
