"""Keep one site running, or down, as the owner wants it.

    STARTING --answers--> RUNNING <--> FROZEN
        ^                    |            |
        |                    v (process ended)
        +---after a pause-- WAITING      HELD <-- hold

Always true:

(1) A process is started only when none lives, by the lock in the site's directory; one that lives
    and does not answer is left alone.
(2) The pause before a restart doubles from 0.2 s to 10 s, and is short again once the site has run
    for 10 s.
(3) A held site is not started, whatever happens.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import attrs

from srshell.backends import launch
from srshell.backends.base import SiteStanding, SiteState
from srshell.model.errors import SrError
from srshell.site.client import SiteClient
from srshell.site.process_lock import ProcessMark, living_site
from srshell.site.settings import SiteSettings


@attrs.frozen
class Pace:
    """Times of a supervisor, in seconds."""

    pause: float = 0.2
    pause_max: float = 10.0
    #: A site that has run for so long is started again at once when it ends.
    settled: float = 10.0
    ping: float = 1.0
    #: A site that leaves a ping unanswered for so long is frozen.
    silence: float = 2.0
    #: How long a site may take to end in good order.
    farewell: float = 30.0


@attrs.define(eq=False)
class Supervisor:
    """Watches over the process of one site."""

    settings: SiteSettings
    _tell: Callable[[SiteStanding], None]
    _held: bool = False
    _pace: Pace = attrs.field(factory=Pace)
    client: SiteClient = attrs.field(init=False)
    standing: SiteStanding = attrs.field(init=False)
    #: Why the last start failed; None since it succeeded.
    _failure: SrError | None = attrs.field(default=None, init=False)
    #: The process that was the site when that could be read last.
    _mark: ProcessMark | None = attrs.field(default=None, init=False)
    _probe: SiteClient = attrs.field(init=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    #: Set when what is wanted has changed.
    _wanted: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    #: Replaced whenever the standing changes.
    _news: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        state = SiteState.HELD if self._held else SiteState.STARTING
        self.standing = SiteStanding(self.settings.array, state, since_unix=time.time())
        self.client = self._new_client(5.0)
        self._probe = self._new_client(self._pace.silence)

    async def begin(self) -> SiteStanding:
        """Find the site, or start it unless it is held; return when it answers.

        Raises:
            SrError: why it does not; it is watched all the same.
        """
        self._task = asyncio.create_task(self._watch(), name=f"site {self.settings.array}")
        if self._held:
            return self.standing
        return await self._running()

    async def hold(self, *, kill: bool) -> SiteStanding:
        """Take the site down and leave it so."""
        self._held = True
        self._wanted.set()
        frozen = self.standing.state is SiteState.FROZEN
        await self._end(kill=kill or frozen)
        await self._until(lambda: self.standing.state is SiteState.HELD)
        return self.standing

    async def release(self) -> SiteStanding:
        """Start a held site; a running one is left alone.  Raises as `begin`."""
        if self._held:
            self._held = False
            self._failure = None
            self._change(SiteState.STARTING, restarts=0)
            self._wanted.set()
        return await self._running()

    async def kill(self) -> None:
        """End the process as a failure would; it is started again unless it is held."""
        await self._end(kill=True)

    async def close(self, *, stop: bool) -> None:
        """Watch no more; the site goes on unless it is to ``stop``."""
        if stop and self._task is not None:
            await self.hold(kill=False)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.client.close()
        await self._probe.close()

    async def living(self) -> ProcessMark | None:
        """Return the process of the site, if one lives.

        Raises:
            SrError: SR9220, the lock file cannot be read, and no process was known before.
        """
        try:
            self._mark = await asyncio.to_thread(living_site, self.settings.lock_path)
        except SrError:
            # The disk below a site may die before its process, which has to be ended all the same.
            if self._mark is None:
                raise
            return self._mark if self._mark.alive else None
        return self._mark

    async def _watch(self) -> None:
        pause = 0.0
        while True:
            self._wanted.clear()
            try:
                mark = await self.living()
            except SrError as error:
                await self._unreadable(error)
                continue
            if mark is not None:
                if self._held:
                    await self._end(kill=False)
                began = time.monotonic()
                await self._attend(mark)
                settled = time.monotonic() - began > self._pace.settled
                pause = self._pace.pause if settled else pause or self._pace.pause
            if self._held:
                self._change(SiteState.HELD, pid=0)
                await self._wanted.wait()
                pause = 0.0
                continue
            if pause:
                self._change(SiteState.WAITING, pid=0)
                await _at_most(pause, self._wanted.wait())
                if self._held:
                    continue
                self._change(SiteState.STARTING, restarts=self.standing.restarts + 1)
            pause = min(max(2 * pause, self._pace.pause), self._pace.pause_max)
            await self._start()

    async def _unreadable(self, error: SrError) -> None:
        """Nobody can say whether the site lives, so none is started; look again later."""
        self._failure = error
        self._change(SiteState.WAITING, pid=0, problem=f"{error}: {error.facts}")
        await _at_most(self._pace.pause_max, self._wanted.wait())

    async def _start(self) -> None:
        self._failure = None
        try:
            await launch.launch(self.settings)
        except SrError as error:
            self._failure = error
            self._change(SiteState.STARTING, problem=f"{error}: {error.facts}")

    async def _attend(self, mark: ProcessMark) -> None:
        """Follow a living process until it has ended."""
        end = asyncio.create_task(launch.ended(mark))
        try:
            while not end.done():
                await self._look(mark)
                await asyncio.wait({end}, timeout=self._pace.ping)
        finally:
            end.cancel()
            await self._probe.close()
        if not self._held:
            self._change(SiteState.WAITING, pid=0, problem="its process ended")

    async def _look(self, mark: ProcessMark) -> None:
        """See whether a living process answers."""
        if self._held:
            return
        try:
            await self._probe.ping()
        except SrError as error:
            if error.code == "SR1105":
                self._change(SiteState.FROZEN, pid=mark.pid, problem=error.facts)
            elif error.code == "SR9301":
                self._change(SiteState.STARTING, pid=mark.pid, problem=error.facts)
            else:
                self._failure = error
                self._change(SiteState.FROZEN, pid=mark.pid, problem=f"{error}: {error.facts}")
        else:
            self._failure = None
            self._change(SiteState.RUNNING, pid=mark.pid, problem="")

    async def _end(self, *, kill: bool) -> None:
        """End the process, if one lives, and wait until it has ended."""
        mark = await self.living()
        if mark is None:
            return
        if not kill and launch.send(mark, signal.SIGTERM):
            await _at_most(self._pace.farewell, launch.ended(mark))
        launch.send(mark, signal.SIGKILL)
        await launch.ended(mark)

    async def _running(self) -> SiteStanding:
        """Wait until the site answers; raise if it could not be started."""
        await self._until(
            lambda: self.standing.state is SiteState.RUNNING or self._failure is not None
        )
        if self._failure is not None:
            raise self._failure
        return self.standing

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._news.wait()

    def _change(
        self,
        state: SiteState,
        *,
        pid: int | None = None,
        restarts: int | None = None,
        problem: str | None = None,
    ) -> None:
        old = self.standing
        new = attrs.evolve(
            old,
            state=state,
            pid=old.pid if pid is None else pid,
            restarts=old.restarts if restarts is None else restarts,
            problem=old.problem if problem is None else problem,
        )
        news, self._news = self._news, asyncio.Event()
        news.set()
        if new != old:
            moved = new.state is not old.state
            since_unix = time.time() if moved else old.since_unix
            self.standing = attrs.evolve(new, since_unix=since_unix)
            self._tell(self.standing)

    def _new_client(self, silence_seconds: float) -> SiteClient:
        return SiteClient(
            self.settings.array,
            self.settings.rpc_socket,
            fabric=self.settings.fabric,
            owner_term=self.settings.owner_term,
            silence_seconds=silence_seconds,
            explain_down=self._explain_down,
        )

    def _explain_down(self, reason: str) -> SrError:
        """Return the error for a site that is not there: held, or down and why."""
        array = self.settings.array
        if self._held:
            return SrError.make("SR9302", facts=reason, array=array)
        problem = self.standing.problem
        facts = f"{reason}; {problem}" if problem and problem != reason else reason
        return SrError.make("SR9301", facts=facts, array=array)


async def _at_most(seconds: float, step: Coroutine[Any, Any, Any]) -> None:
    """Carry a step out, but give it up after some time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await step
