"""The copies out of this site take turns: `srshell.replication.turns` decides, a timer waits.

Always true:

(1) Who has asked for a turn is woken once: when it is granted, or when the copy ends.
(2) Where no rate holds nothing is waited for, and no timer runs.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable

import attrs

from srshell.model.copying import CopyPlan
from srshell.replication.turns import Turns
from srshell.site.store import Store


@attrs.define(eq=False)
class Sharing:
    """Who waits for a turn, and the timer of the next one; of one event loop."""

    turns: Turns = attrs.field(factory=Turns)
    _waiting: dict[str, asyncio.Future[None]] = attrs.field(factory=dict, init=False)
    _timer: asyncio.TimerHandle | None = attrs.field(default=None, init=False)

    def configure(self, plan: CopyPlan) -> None:
        """Go on by another plan."""
        self.turns.configure(plan)
        self._grant()

    def pace(self, partnership: str) -> CopyPace:
        """What the replica of a partnership asks."""
        return CopyPace(self, partnership)

    def claim(self, partnership: str, size_bytes: int) -> Awaitable[None] | None:
        """See `Pace.claim`."""
        if not self.turns.limited(partnership):
            return None
        loop = asyncio.get_running_loop()
        turn = self._waiting[partnership] = loop.create_future()
        self.turns.ask(partnership, size_bytes)
        self._grant()
        return None if turn.done() else turn

    def leave(self, partnership: str) -> None:
        """See `Pace.withdraw`."""
        self.turns.leave(partnership)
        self._wake(partnership)
        if self._timer is not None:
            self._grant()

    def _grant(self) -> None:
        """Wake those whose turn it is, and come back when it is the next one's."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        for partnership in self.turns.grant(loop.time()):
            self._wake(partnership)
        when = self.turns.next_at()
        if when is not None:
            self._timer = loop.call_at(when, self._grant)

    def _wake(self, partnership: str) -> None:
        turn = self._waiting.pop(partnership, None)
        if turn is not None and not turn.done():
            turn.set_result(None)


@attrs.frozen
class CopyPace:
    """The turns of one replica; see `srshell.engine.world.Pace`."""

    sharing: Sharing
    partnership: str

    def claim(self, size_bytes: int) -> Awaitable[None] | None:
        """Ask for so many bytes."""
        return self.sharing.claim(self.partnership, size_bytes)

    def withdraw(self) -> None:
        """The copy has ended."""
        self.sharing.leave(self.partnership)


class CopyVerbs(ABC):
    """The verb of a site that concerns copies, as a method for `Site`."""

    _store: Store
    _sharing: Sharing

    async def set_copy_plan(self, plan: CopyPlan) -> None:
        """See `SiteApi.set_copy_plan`."""
        self._check_open()
        async with self._store.changing:
            await self._store.keep(lambda record: attrs.evolve(record, copy_plan=plan))
        self._sharing.configure(plan)

    @abstractmethod
    def _check_open(self) -> None:
        """Refuse while the site ends."""
