"""The control API: HTTP on a Unix socket that only its own user can speak to.

    GET  /v1/hello                 who answers, and which protocol
    GET  /v1/VERB                  every verb that looks and needs no argument
    GET  /v1/events?after=N        events; with follow=1 as a stream that does not end
    GET  /v1/watch?period=SECONDS  a picture of the fabric, then its changes, as a stream
    GET  /v1/jobs/ID?wait=SECONDS  one job, once it has ended or the time is over
    POST /v1/operations/VERB       a verb with its arguments as a JSON object
    POST /v1/stop                  end the owner

Always true:

(1) The socket has mode 0600 from its first moment, and each peer's user is checked besides.
(2) Every answer is a report or an error object; no traceback leaves the process.
(3) A verb goes on when the client that asked for it hangs up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web

from srshell import __version__
from srshell.fabric.api import FabricApi
from srshell.fabric.control_http import PROTOCOL
from srshell.fabric.feed import Feed
from srshell.fabric.reports import StoppedReport
from srshell.model.errors import SrError
from srshell.model.report import encode

LOG = logging.getLogger(__name__)

_BODY_BYTES_MAX = 1024**2
_WAIT_SECONDS_MAX = 60.0
_HEARTBEAT_SECONDS = 15.0
#: A watcher that takes longer to read a frame than this is shown the whole picture again.
_SLOW_SECONDS = 10.0
_PEER = struct.Struct("3i")
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

    def __init__(self, fabric: FabricApi, directory: str, stop: Stop) -> None:
        self._fabric = fabric
        self._directory = directory
        self._stop = stop
        self._runner: web.AppRunner | None = None
        self._following: set[asyncio.Task[Any]] = set()
        self._feed = Feed(fabric)

    async def start(self, listener: socket.socket) -> None:
        """Answer on a listening socket from now on."""
        application = web.Application(
            client_max_size=_BODY_BYTES_MAX, middlewares=[_only_own_user, _coded_errors]
        )
        application.add_routes(
            [
                web.get(f"/{PROTOCOL}/hello", self._hello),
                web.get(f"/{PROTOCOL}/events", self._events),
                web.get(f"/{PROTOCOL}/watch", self._watch),
                web.get(f"/{PROTOCOL}/jobs/{{number}}", self._job),
                web.get(f"/{PROTOCOL}/{{verb}}", self._look),
                web.post(f"/{PROTOCOL}/operations/{{verb}}", self._perform),
                web.post(f"/{PROTOCOL}/stop", self._end),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """Answer no more."""
        for task in list(self._following):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

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
        return _answer(await self._fabric.perform(verb, {}))

    async def _job(self, request: web.Request) -> web.Response:
        number = _number(request.match_info["number"])
        wait_seconds = min(_seconds(request.query.get("wait", "0")), _WAIT_SECONDS_MAX)
        arguments: dict[str, object] = {"number": number}
        if wait_seconds > 0:
            arguments |= {"ended": True, "timeout": wait_seconds}
        try:
            return _answer(await self._fabric.perform("job", arguments))
        except SrError as error:
            if error.code != "SR0106":
                raise
        return _answer(await self._fabric.perform("job", {"number": number}))

    async def _perform(self, request: web.Request) -> web.Response:
        try:
            arguments = json.loads(await request.read() or b"{}")
        except ValueError as error:
            raise SrError.make("SR0001", problem=f"the body is no JSON: {error}") from error
        if not isinstance(arguments, dict):
            raise SrError.make("SR0001", problem="the body is no JSON object")
        return _answer(await self._fabric.perform(request.match_info["verb"], arguments))

    async def _end(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read() or b"{}")
        return _answer(await self._stop(bool(body.get("keep_sites"))))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        after = _number(request.query.get("after", "0"))
        if not request.query.get("follow"):
            return _answer(await self._fabric.perform("events", {"after": after}))
        return await self._streamed(request, lambda response: self._stream(response, after))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        period_seconds = _seconds(request.query.get("period", "1"))
        return await self._streamed(request, lambda response: self._show(response, period_seconds))

    async def _streamed(
        self, request: web.Request, write: Callable[[web.StreamResponse], Awaitable[None]]
    ) -> web.StreamResponse:
        """An answer that goes on until the client hangs up or the server closes."""
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


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise SrError.make("SR0005", facts="a whole number", text=text, noun="number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        raise SrError.make("SR0005", facts="seconds", text=text, noun="duration") from None


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def _only_own_user(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn away every process of another user; root may do everything anyway."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is not None:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        uid = _PEER.unpack(raw)[1]
        if uid not in {0, os.geteuid()}:
            return _refuse(SrError.make("SR9008", facts=f"user {uid}"), HTTPStatus.FORBIDDEN)
    return await handler(request)


@web.middleware
async def _coded_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into an error object."""
    try:
        return await handler(request)
    except SrError as error:
        unreadable = error.code.startswith("SR000")
        status = HTTPStatus.BAD_REQUEST if unreadable else HTTPStatus.CONFLICT
        return _refuse(error, status)
    except web.HTTPException as error:
        facts = f"{request.method} {request.path}: {error.reason}"
        problem = SrError.make("SR0001", facts=facts, problem="there is nothing of this name")
        return _refuse(problem, HTTPStatus(error.status))
    except Exception as error:
        LOG.exception("%s %s", request.method, request.path)
        problem = SrError.make("SR9999", problem=f"{type(error).__name__}: {error}")
        return _refuse(problem, HTTPStatus.INTERNAL_SERVER_ERROR)


def _refuse(error: SrError, status: HTTPStatus) -> web.Response:
    return web.json_response(error.to_json(), status=status)
