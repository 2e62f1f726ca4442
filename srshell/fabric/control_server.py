"""The control API: HTTP on a Unix socket for its own user, on another one for those with a role.

    GET  /v1/hello                 who answers, and which protocol
    GET  /v1/VERB                  every verb that looks and needs no argument
    GET  /v1/events?after=N        events; with follow=1 as a stream that does not end
    GET  /v1/watch?period=SECONDS  a picture of the fabric, then its changes, as a stream
    GET  /v1/jobs/ID?wait=SECONDS  one job, once it has ended or the time is over
    GET  /metrics                  the figures of all groups, for Prometheus
    POST /v1/operations/VERB       a verb with its arguments as a JSON object
    POST /v1/stop                  end the owner

Always true:

(1) The socket has mode 0600 from its first moment, and each peer's user is checked besides: who
    has no role hears nothing but that.
(2) A call is refused before it is looked at when the peer's role does not allow it.
(3) Every answer is a report or an error object; no traceback leaves the process.
(4) A verb goes on when the client that asked for it hangs up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
from aiohttp import web

from srshell import __version__
from srshell.fabric.access import Access, Peer
from srshell.fabric.api import FabricApi
from srshell.fabric.command_spec import Role
from srshell.fabric.control_http import PROTOCOL
from srshell.fabric.feed import Feed
from srshell.fabric.reports import StoppedReport
from srshell.fabric.roles import check_role, refuse_unless
from srshell.model.errors import SrError
from srshell.model.report import InfoReport, encode

LOG = logging.getLogger(__name__)

_BODY_BYTES_MAX = 1024**2
_WAIT_SECONDS_MAX = 60.0
_SECONDS_MAX = 86400.0
_HEARTBEAT_SECONDS = 15.0
#: A watcher that takes longer to read a frame than this is shown the whole picture again.
_SLOW_SECONDS = 10.0
#: Numbers in addresses have at most this many digits: those of a 64-bit number.
_DIGITS_MAX = 18
_NOTHING_NEEDED = frozenset(
    {"info", "status", "arrays", "pools", "volumes", "pairs", "groups", "vms", "jobs"}
)

#: Ends the owner: whether the sites go on.  Returns what is answered.
Stop = Callable[[bool], Awaitable[StoppedReport]]


def listening_socket(path: Path) -> socket.socket:
    """A socket at ``path`` that only its own user can connect to.

    Whoever asks holds the lock of the fabric, so what lies at the path is left from a dead owner.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.listen(128)
    return listener


class ControlServer:
    """Serves one fabric."""

    def __init__(
        self, fabric: FabricApi, directory: str, stop: Stop, access: Access | None = None
    ) -> None:
        self._fabric = fabric
        self._directory = directory
        self._stop = stop
        self._access = access or Access()
        self._runner: web.AppRunner | None = None
        self._following: set[asyncio.Task[Any]] = set()
        self._feed = Feed(fabric)

    async def start(self, *listeners: socket.socket) -> None:
        """Answer on listening sockets from now on."""
        application = web.Application(
            client_max_size=_BODY_BYTES_MAX, middlewares=[_coded_errors, self._known_peers]
        )
        application.add_routes(
            [
                web.get(f"/{PROTOCOL}/hello", self._hello),
                web.get(f"/{PROTOCOL}/events", self._events),
                web.get(f"/{PROTOCOL}/watch", self._watch),
                web.get(f"/{PROTOCOL}/jobs/{{number}}", self._job),
                web.get("/metrics", self._metrics),
                web.get(f"/{PROTOCOL}/{{verb}}", self._look),
                web.post(f"/{PROTOCOL}/operations/{{verb}}", self._perform),
                web.post(f"/{PROTOCOL}/stop", self._end),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        for listener in listeners:
            await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """Answer no more."""
        for task in list(self._following):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _known_peers(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn away every process of a user without a role."""
        self._role(request)
        return await handler(request)

    def _role(self, request: web.Request) -> Role:
        """What the process that asks may do.

        Raises:
            SrError: SR9008, nothing.
        """
        connection = request.transport.get_extra_info("socket") if request.transport else None
        if connection is None:
            raise SrError.make("SR9008", facts="the connection has ended")
        peer = Peer.of(connection)
        _, _, token = request.headers.get("Authorization", "").partition("Bearer ")
        role = self._access.role_of(peer, token.strip())
        if role is None:
            raise SrError.make("SR9008", facts=f"user {peer.uid}")
        return role

    async def _ask(
        self, request: web.Request, verb: str, arguments: Mapping[str, object]
    ) -> web.Response:
        """Carry out a verb for a peer whose role allows it."""
        role = self._role(request)
        check_role(role, verb, arguments)
        result = await self._fabric.perform(verb, arguments)
        if isinstance(result, InfoReport):
            result = attrs.evolve(result, role=role.value, access=self._access.lines())
        return _answer(result)

    async def _hello(self, _request: web.Request) -> web.Response:
        greeting = {
            "schema": "srshell.hello/1",
            "protocol": PROTOCOL,
            "version": __version__,
            "fabric": self._directory,
            "owner_pid": os.getpid(),
        }
        return web.json_response(greeting)

    async def _look(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in _NOTHING_NEEDED:
            raise web.HTTPNotFound
        return await self._ask(request, verb, {})

    async def _job(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["number"])
        wait_seconds = min(_seconds(request.query.get("wait", "0")), _WAIT_SECONDS_MAX)
        arguments: dict[str, object] = {"number": number}
        if wait_seconds > 0:
            arguments |= {"ended": True, "timeout": wait_seconds}
        try:
            return await self._ask(request, "job", arguments)
        except SrError as error:
            if error.code != "SR0106":
                raise
        return await self._ask(request, "job", {"number": number})

    async def _metrics(self, request: web.Request) -> web.Response:
        check_role(self._role(request), "status", {})
        try:
            from srshell.fabric.metrics import CONTENT_TYPE, exposition
        except ImportError as error:
            facts = "the package prometheus-client is missing: pip install 'srshell[metrics]'"
            raise SrError.make("SR0108", facts=facts, option="/metrics") from error
        status = await self._fabric.perform("status", {})
        jobs = Counter(job.state.value for job in await self._fabric.perform("jobs", {}))
        body = exposition(status, jobs)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _perform(self, request: web.Request) -> web.Response:
        return await self._ask(request, request.match_info["verb"], await _body(request))

    async def _end(self, request: web.Request) -> web.Response:
        refuse_unless(self._role(request), Role.ADMIN, "stop")
        body = await _body(request)
        return _answer(await self._stop(bool(body.get("keep_sites"))))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        after = _number(request.query.get("after", "0"))
        if not request.query.get("follow"):
            return await self._ask(request, "events", {"after": after})
        return await self._streamed(request, lambda response: self._stream(response, after))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        period_seconds = _seconds(request.query.get("period", "1"))
        return await self._streamed(request, lambda response: self._show(response, period_seconds))

    async def _streamed(
        self, request: web.Request, write: Callable[[web.StreamResponse], Awaitable[None]]
    ) -> web.StreamResponse:
        """An answer that goes on until the client hangs up or the server closes."""
        check_role(self._role(request), "events", {})
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        task = asyncio.current_task()
        assert task is not None
        self._following.add(task)
        try:
            await write(response)
        except (ConnectionError, asyncio.CancelledError):
            LOG.debug("a stream ended")
        finally:
            self._following.discard(task)
        return response

    async def _show(self, response: web.StreamResponse, period_seconds: float) -> None:
        """Write frames; while a client does not read, nothing is looked at on its behalf."""
        watcher = self._feed.watch(period_seconds)
        loop = asyncio.get_running_loop()
        while True:
            frame = await watcher.next()
            began = loop.time()
            await response.write(b"id: %d\ndata: %s\n\n" % (frame.seq, encode(frame)))
            if loop.time() - began > _SLOW_SECONDS:
                watcher.begin_again()

    async def _stream(self, response: web.StreamResponse, after: int) -> None:
        """Write events as they come; a line now and then shows whether somebody still reads."""
        events = self._fabric.follow(after)
        coming = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                await asyncio.wait({coming}, timeout=_HEARTBEAT_SECONDS)
                if not coming.done():
                    await response.write(b":\n\n")
                    continue
                event = coming.result()
                if event is None:
                    return
                await response.write(b"id: %d\ndata: %s\n\n" % (event.id, encode(event)))
                coming = asyncio.ensure_future(anext(events, None))
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming


def _answer(report: object) -> web.Response:
    return web.Response(body=encode(report), content_type="application/json")


async def _body(request: web.Request) -> dict[str, object]:
    """The JSON object that a request carries; none is an empty one."""
    return read_body(await request.read())


def read_body(data: bytes) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        SrError: SR0001, the bytes are none.
    """
    try:
        arguments = json.loads(data or b"{}")
        # What JSON can say and UTF-8 cannot would fail much later, when it is written down.
        json.dumps(arguments, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SrError.make("SR0001", problem=f"the body is no JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise SrError.make("SR0001", problem="the body is no JSON object")
    return arguments


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise SrError.make("SR0005", facts="a whole number", text=text[:80], noun="number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _SECONDS_MAX:
        raise SrError.make("SR0005", facts="seconds", text=text[:80], noun="duration")
    return seconds


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _coded_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into an error object."""
    try:
        return await handler(request)
    except SrError as error:
        return _refuse(error, _status(error.code))
    except web.HTTPException as error:
        facts = f"{request.method} {request.path}: {error.reason}"
        problem = SrError.make("SR0001", facts=facts, problem="there is nothing of this name")
        return _refuse(problem, HTTPStatus(error.status))
    except Exception as error:
        LOG.exception("%s %s", request.method, request.path)
        problem = SrError.make("SR9999", problem=f"{type(error).__name__}: {error}")
        return _refuse(problem, HTTPStatus.INTERNAL_SERVER_ERROR)


def _status(code: str) -> HTTPStatus:
    """What HTTP calls a refusal of ours."""
    if code in {"SR9008", "SR9010"}:
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.BAD_REQUEST if code.startswith("SR000") else HTTPStatus.CONFLICT


def _refuse(error: SrError, status: HTTPStatus) -> web.Response:
    return web.json_response(error.to_json(), status=status)
