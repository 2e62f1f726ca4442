"""A fabric in another process: the verbs of `FabricApi` over the control socket.

Always true:

(1) A request waits in a thread of its own, which holds no lock, no loop and no process.
(2) A change is a job of the owner, here too: who stops waiting for it does not stop it.
(3) An owner that ended is started again for the next verb.  A change that was under way when it
    ended is not repeated: its job says what became of it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from threading import Semaphore, Thread
from typing import Any, TypeVar

import attrs
import msgspec

from srshell.fabric import launch
from srshell.fabric.api import FabricApi
from srshell.fabric.calls import DEFAULT_TIMEOUT_SECONDS
from srshell.fabric.connections import Connections
from srshell.fabric.control_http import ControlHttp, OwnerGone
from srshell.fabric.feed import Frame
from srshell.fabric.job_report import has_ended, job_result, still_running
from srshell.fabric.place import FabricPlace
from srshell.fabric.reports import decode
from srshell.fabric.threads import in_thread
from srshell.fabric.verb import Name, complete
from srshell.fabric.volume_api import FabricVolume
from srshell.model.errors import SrError
from srshell.model.inventory import Event
from srshell.model.report import JobReport
from srshell.site.api import SiteApi
from srshell.site.client import SiteClient
from srshell.site.rundir import run_directory, socket_path

ResultT = TypeVar("ResultT")

#: How long a look at a job waits for its end, in seconds.
_LOOK_SECONDS = 0.25
#: How much of a stream is read before somebody has asked for it.
_AHEAD = 2


def _post(verb: str, arguments: dict[str, Any], http: ControlHttp) -> bytes:
    """The request that carries out a verb."""
    return http.post(f"operations/{verb}", arguments, None)


@attrs.frozen
class Begun:
    """A change that was begun and is waited for."""

    report: JobReport
    limit_seconds: float
    end: float  # monotonic seconds

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to wait for."""
        return has_ended(self.report.job)

    def result(self) -> Any:  # noqa: ANN401 - whatever the verb returns
        """What came of it; raises the error that it ended with."""
        return job_result(self.report.job)


class FabricClient(FabricApi):
    """The fabric of an owner that runs elsewhere on this machine."""

    def __init__(
        self,
        place: FabricPlace,
        *,
        start: bool = True,
        options: launch.OwnerOptions | None = None,
        read_only: bool = False,
    ) -> None:
        """Stand for a fabric; the owner is looked for, or started, at the first verb.

        Args:
            place: the fabric's directory.
            start: whether an owner may be started.
            options: how it is started.
            read_only: whether verbs that change something are refused here.
        """
        self.place = place
        self.read_only = read_only
        self._connections = Connections(lambda: launch.connect(place, start=start, options=options))
        self._sites: dict[str, SiteClient] = {}
        self._followers: set[ControlHttp] = set()

    async def connect(self) -> None:
        """Make sure that an owner answers.

        Raises:
            SrError: SR9001, there is none and none could be started.
        """
        await self._connections.warm()

    async def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Ask the owner to carry out a verb."""
        begun = await self.begin(verb, arguments)
        while isinstance(begun, Begun):
            if begun.ended:
                return begun.result()
            begun = await self.look(begun)
        return begun

    async def begin(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Ask for a verb; a change that is to be waited for is `Begun`, anything else is done."""
        full = complete(verb, arguments)
        if "dry_run" not in full:
            return decode(await self._exchange(partial(_post, verb, full), repeatable=True))
        if self.read_only and not full["dry_run"]:
            raise SrError.make("SR9003", facts=f"{verb} changes the fabric")
        waits = bool(full["wait"]) and not full["dry_run"]
        full["wait"] = full["wait"] and not waits
        harmless = full["dry_run"] is True
        answer = decode(await self._exchange(partial(_post, verb, full), repeatable=harmless))
        if not waits or not isinstance(answer, JobReport):
            return answer
        timeout = full.get("timeout")
        assert timeout is None or isinstance(timeout, int | float)
        limit = DEFAULT_TIMEOUT_SECONDS if timeout is None else float(timeout)
        return Begun(answer, limit, time.monotonic() + limit)

    async def look(self, begun: Begun) -> Begun:
        """Look at a change again: once it has ended, or after a moment.

        Raises:
            SrError: SR0106, the time is over; the change goes on.
        """
        left = begun.end - time.monotonic()
        if left <= 0:
            raise still_running(begun.report.job, begun.limit_seconds)
        path = f"jobs/{begun.report.job.id}?wait={min(left, _LOOK_SECONDS):.3f}"
        data = await self._exchange(partial(ControlHttp.get, path=path), repeatable=True)
        return attrs.evolve(begun, report=decode(data))

    async def stop_owner(self, *, keep_sites: bool = False) -> Any:  # noqa: ANN401
        """Tell the owner to end, and its sites too unless they are kept."""
        body = {"keep_sites": keep_sites}
        data = await self._exchange(
            lambda http: http.post("stop", body, launch.STOP_SECONDS), repeatable=False
        )
        await in_thread(partial(launch.await_release, self.place))
        return decode(data)

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events as they happen; ends when the owner ends or this client is closed."""
        connection = await self._connections.open()
        async with aclosing(self._read(connection, lambda: connection.events(after))) as stream:
            async for data in stream:
                yield msgspec.json.decode(data, type=Event)

    async def watch(
        self, period_seconds: float = 1.0, silence_seconds: float = 15.0
    ) -> AsyncIterator[Frame]:
        """What a screen shows: the whole picture, then its changes; ends when the owner does.

        Args:
            period_seconds: from one frame to the next.
            silence_seconds: an owner that says nothing for so long is taken for gone.
        """
        connection = await self._connections.open()

        def frames() -> Iterator[bytes]:
            return connection.frames(period_seconds, silence_seconds)

        async with aclosing(self._read(connection, frames)) as stream:
            async for data in stream:
                yield msgspec.json.decode(data, type=Frame)

    async def _read(
        self, connection: ControlHttp, stream: Callable[[], Iterator[bytes]]
    ) -> AsyncGenerator[bytes]:
        """What comes on a connection of its own, read in a thread."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        # A slow reader holds the thread up, then the socket fills, and the owner tells it less.
        credit, over = Semaphore(_AHEAD), threading.Event()
        self._followers.add(connection)

        def put(data: bytes | None) -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(queue.put_nowait, data)

        def read() -> None:
            try:
                for data in stream():
                    credit.acquire()
                    if over.is_set():
                        break
                    put(data)
            except (OwnerGone, SrError):
                pass
            finally:
                connection.close()
                put(None)

        Thread(target=read, name="srshell-stream", daemon=True).start()
        try:
            while (data := await queue.get()) is not None:
                credit.release()
                yield data
        finally:
            self._followers.discard(connection)
            over.set()
            credit.release()
            connection.abort()

    def volume(self, name: Name) -> FabricVolume:
        """The bytes of a volume, straight from its site."""
        return FabricVolume(str(name), self._locate)

    async def close(self) -> None:
        """Hang up; the owner goes on."""
        self._connections.close()
        for follower in list(self._followers):
            follower.abort()
        sites = list(self._sites.values())
        self._sites.clear()
        await asyncio.gather(*(site.close() for site in sites))

    async def _locate(self, volume: str) -> SiteApi:
        """The site that holds a volume."""
        found = next((v for v in await self.volumes() if v.name == volume), None)
        if found is None:
            raise SrError.make("SR0105", mend="srshell volumes", noun="volume", name=volume)
        site = self._sites.get(found.array)
        if site is None:
            info = await self.info()
            directory = await in_thread(partial(run_directory, Path(info.fabric)))
            site = self._sites[found.array] = SiteClient(
                found.array,
                socket_path(directory, found.array, "site"),
                fabric=info.identity,
                owner_term=None,
            )
        return site

    async def _exchange(
        self, request: Callable[[ControlHttp], ResultT], *, repeatable: bool
    ) -> ResultT:
        """One request on a connection of its own, started again if nobody heard it."""
        try:
            return await self._connections.ask(request)
        except OwnerGone as gone:
            if not (gone.unheard or repeatable):
                facts = f"{gone}; what became of the command is in `srshell jobs`"
                raise launch.no_owner(self.place, facts) from gone
        try:
            return await self._connections.ask(request, fresh=True)
        except OwnerGone as again:
            raise launch.no_owner(self.place, str(again)) from again
