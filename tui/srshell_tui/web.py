"""The dashboard in a browser of this machine: one process for each page that is open.

Always true:

(1) It listens on the loopback address alone, and answers nothing outside of a path that holds a
    random token.
(2) A page of another origin, or a name of this machine that is not its own, is turned away.
(3) Nothing can be changed from there unless the person who started it said so.
(4) The page loads nothing from anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import shlex
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import Server, to_int

ADDRESS: Final = "127.0.0.1"
#: Pages that may be open at once; each is a process.
PAGES_MAX: Final = 8
_TOKEN_BYTES: Final = 32
#: How long a dashboard may take to quit once its page is gone.
_QUIT_SECONDS: Final = 5.0
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data:; connect-src 'self' ws:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

#: What the page would load from elsewhere; any font of fixed width will do.
_REMOTE: Final = re.compile(r'<link[^>]*"https://[^>]*>')
#: Keys reach the terminal before anything was clicked.
_FOCUS: Final = """<script>
addEventListener("load", () => document.querySelector(".xterm-helper-textarea")?.focus());
</script>
</body>"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebDashboard(Server):
    """Serves the dashboard of one fabric until it is told to end."""

    def __init__(self, words: Sequence[str], port: int = 0) -> None:
        """Take a port.

        Args:
            words: what starts a dashboard, for each page.
            port: of the loopback address; 0: any that is free.

        Raises:
            OSError: the port cannot be had.
        """
        self.listener = socket.create_server((ADDRESS, port))
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.pages = 0
        self._words = tuple(words)
        number = self.listener.getsockname()[1]
        super().__init__(shlex.join(words), ADDRESS, number, title="srshell",
                         public_url=f"http://{ADDRESS}:{number}")  # fmt: skip

    @property
    def url(self) -> str:
        """Where a browser finds it; who knows it may look."""
        return f"{self.public_url}/{self.token}/"

    async def begin(self) -> web.AppRunner:
        """Answer from now on; the runner ends it."""
        inner = await self._make_app()
        inner.on_startup.clear()
        outer = web.Application(middlewares=[self._guard])
        outer.add_subapp(f"/{self.token}/", inner)
        runner = web.AppRunner(outer, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self.listener).start()
        return runner

    async def run(self) -> None:
        """Say where it is, and serve until SIGINT, SIGTERM or SIGHUP."""
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ending.set)
        runner = await self.begin()
        sys.stdout.write(f"{self.url}\n")
        sys.stdout.flush()
        await ending.wait()
        await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn away who came by another name or from another page."""
        origin = request.headers.get("Origin")
        if request.host == f"localhost:{self.port}" and origin is None:
            # The page is one of the address alone: its policy would block its own parts.
            raise web.HTTPFound(f"{self.public_url}{request.path_qs}")
        if request.host != f"{ADDRESS}:{self.port}" or origin not in {None, self.public_url}:
            raise web.HTTPForbidden(text="this dashboard is for pages of its own address\n")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page, which asks nobody else for anything and has the keys from the beginning."""
        # The base class is decorated: what it makes has become a response.
        page = cast("web.Response", await super().handle_index(request))
        page.text = _REMOTE.sub("", page.text or "").replace("</body>", _FOCUS)
        return page

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Start a dashboard for a page, and end it with the page."""
        if self.pages >= PAGES_MAX:
            raise web.HTTPServiceUnavailable(text=f"{PAGES_MAX} pages are open already\n")
        page_socket = web.WebSocketResponse(heartbeat=15)
        await page_socket.prepare(request)
        page = _Page(self._words, page_socket, self.download_manager)
        self.pages += 1
        try:
            size = (to_int(request.query.get(name, ""), 0) for name in ("width", "height"))
            await page.start(*size)
            await self._process_messages(page_socket, page)
        finally:
            self.pages -= 1
            await page.end()
        return page_socket


class _Page(AppService):
    """The process of one page; no shell is between, and none is left behind."""

    def __init__(
        self, words: Sequence[str], page_socket: web.WebSocketResponse, downloads: DownloadManager
    ) -> None:

        async def hang_up() -> None:
            await page_socket.close()

        super().__init__(
            shlex.join(words),
            write_bytes=page_socket.send_bytes,
            write_str=page_socket.send_str,
            close=hang_up,
            download_manager=downloads,
        )
        self._words = words

    async def _open_app_process(self, width: int = 0, height: int = 0) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width or 80, height or 24),
        )
        self._stdin = self._process.stdin
        return self._process

    async def end(self) -> None:
        """Tell the dashboard to quit, and see to it that it does."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(_QUIT_SECONDS):
                await self.stop()
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _QUIT_SECONDS)
        if process.returncode is None:
            process.kill()
            await process.wait()


def serve(words: Sequence[str], port: int) -> int:
    """Serve until told to end; returns what the process is to return.

    Raises:
        OSError: the port cannot be had.
    """
    dashboard = WebDashboard(words, port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(dashboard.run())
    return 0
