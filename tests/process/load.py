"""Writers that never stop: through crashes and role changes, noting what they were told.

Always true: a writer sends its next write only after its last one was answered, so the writes of
one writer follow one another; several writers overlap.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from srshell.model.errors import SrError
from srshell.site.client import SiteClient
from tests.process.deadlines import until_true
from tests.process.ledger import Entry, Ledger, Outcome

#: The site, or the way to it, says that nothing was done.
_REFUSALS: Final = frozenset({"SR9224", "SR9301", "SR9302"})
#: Whether it was done is unknown, and it is over.
_UNKNOWN: Final = frozenset({"SR9225", "SR9220"})
#: The site is frozen: it may still do it.
_SILENCE: Final = "SR1105"

_UNITS_MAX: Final = 16

#: How long to leave a site alone that takes no writes.
_KNOCK_SECONDS: Final = 0.02

#: Where writes go now: the connection to a site, and the name of the volume there.
Target = Callable[[], tuple[SiteClient, str]]


class Load:
    """Some writers on one volume, for as long as the block lasts."""

    def __init__(
        self,
        ledger: Ledger,
        target: Target,
        places: Sequence[range],
        *,
        workers: int = 3,
        seed: int = 7,
        pause_seconds: float = 0.02,
    ) -> None:
        """Write to ``target`` within ``places``, which are ranges of units.

        Each writer rests ``pause_seconds`` between two writes: the tests are not about speed.
        """
        self.ledger = ledger
        self._target = target
        self._places = places
        self._workers = workers
        self._seed = seed
        self._pause_seconds = pause_seconds
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False
        #: Errors that no write may end with.
        self.surprises: list[str] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work(n)) for n in range(self._workers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ending = True
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)
        if kind is None:
            assert not self.surprises, self.surprises

    async def more(self, writes: int) -> None:
        """Return when that many writes more were acknowledged."""
        wanted = self.ledger.acknowledged + writes
        await until_true(
            lambda: self.ledger.acknowledged >= wanted, f"{writes} more acknowledged writes"
        )

    async def _work(self, number: int) -> None:
        dice = random.Random(self._seed * 1000 + number)
        while not self._ending:
            place = dice.choice(self._places)
            units = min(dice.randint(1, _UNITS_MAX), len(place))
            first = place[dice.randint(0, len(place) - units)]
            entry = self.ledger.begin(first, units, trim=dice.random() < 0.1)
            await send(self.ledger, entry, self._target, self.surprises)
            refused = entry.outcome is Outcome.REFUSED
            await asyncio.sleep(max(self._pause_seconds, _KNOCK_SECONDS * refused))


async def send(ledger: Ledger, entry: Entry, target: Target, surprises: list[str]) -> None:
    """Send one write and note what it ends with."""
    site, volume = target()
    try:
        if entry.trim:
            await site.trim(volume, entry.offset, entry.length)
        else:
            await site.write(volume, entry.offset, entry.payload())
    except SrError as error:
        if error.code in _REFUSALS:
            ledger.end(entry, Outcome.REFUSED)
        else:
            ledger.end(entry, Outcome.UNKNOWN, still_possible=error.code == _SILENCE)
            if error.code not in _UNKNOWN and error.code != _SILENCE:
                surprises.append(f"{error}: {error.facts}")
        return
    except asyncio.CancelledError:
        ledger.end(entry, Outcome.UNKNOWN, still_possible=True)
        raise
    ledger.end(entry, Outcome.ACKNOWLEDGED)
