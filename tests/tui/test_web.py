"""The dashboard in a browser: for who knows the token, on this machine, and changing nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from srshell.cli.surroundings import read_options
from srshell.fabric.calls import parse_words
from srshell.model.report import encode
from srshell_tui.__main__ import page_words
from srshell_tui.web import ADDRESS, WebDashboard
from tests.tui.gallery import reel

#: How long a page may take to be seen, in seconds.
_PATIENCE_SECONDS = 60.0


def words_of(*typed: str) -> list[str]:
    """What starts the dashboard of a page."""
    around, rest, _ = read_options(["--fabric", "no-such-fabric", "--no-start", *typed])
    return page_words(parse_words(rest), around)


@pytest.fixture
async def dashboard(tmp_path: Path) -> AsyncIterator[WebDashboard]:
    """A dashboard that shows a recording to pages."""
    path = tmp_path / "recording"
    path.write_bytes(b"".join(encode(frame) + b"\n" for frame in reel(10).frames))
    made = WebDashboard(words_of("dash", "--web", "--from", str(path)))
    runner = await made.begin()
    yield made
    await runner.cleanup()


async def test_a_page_shows_the_dashboard_to_who_knows_the_token(dashboard: WebDashboard) -> None:
    """Over plain HTTP and a web socket, as a browser does; keys of the page reach it."""
    async with aiohttp.ClientSession() as session:
        async with session.get(dashboard.url) as answer:
            page = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
        assert answer.status == 200
        assert "default-src 'self'" in policy
        found = re.search(r'data-session-websocket-url="([^"]+)"', page)
        assert found
        for link in re.findall(r'src="([^"]+\.js)"', page):
            async with session.get(link) as script:
                assert script.status == 200
        address = f"{found[1]}?width=100&height=30"
        async with session.ws_connect(address, origin=dashboard.public_url) as page_socket:
            await see(page_socket, b"REPLAY")
            await page_socket.send_json(["stdin", "4"])
            await see(page_socket, b"Events")


async def see(page_socket: aiohttp.ClientWebSocketResponse, wanted: bytes) -> None:
    """Wait until something was drawn."""
    drawn = b""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while wanted not in drawn:
            message = await page_socket.receive()
            assert message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}, message
            if message.type is aiohttp.WSMsgType.BINARY:
                drawn += message.data


async def test_everybody_else_is_turned_away(dashboard: WebDashboard) -> None:
    """Without the token, by another name of this machine, from a page of another origin."""
    root = dashboard.public_url
    socket_url = f"{dashboard.url}ws"
    asked: tuple[tuple[str, dict[str, str], int], ...] = (
        (f"{root}/", {}, 404),
        (f"{root}/ws", {}, 404),
        (f"{root}/static/", {}, 404),
        (f"{root}/{'A' * len(dashboard.token)}/", {}, 404),
        (dashboard.url, {"Host": "evil.example"}, 403),
        (dashboard.url, {"Host": f"localhost:{dashboard.port}"}, 302),
        (socket_url, {"Host": f"localhost:{dashboard.port}", "Origin": "http://localhost"}, 403),
        (dashboard.url, {"Origin": "http://evil.example"}, 403),
        (socket_url, {"Origin": "http://evil.example"}, 403),
    )
    async with aiohttp.ClientSession() as session:
        for url, headers, status in asked:
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                assert answer.status == status, url
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(socket_url, origin="http://evil.example")
    assert dashboard.pages == 0


async def test_it_listens_on_this_machine_alone_with_a_new_token_each_time() -> None:
    """Nobody can guess where it is."""
    one, other = WebDashboard(["true"]), WebDashboard(["true"])
    for made in (one, other):
        assert made.listener.getsockname()[0] == ADDRESS
        assert len(made.token) >= 40
        made.listener.close()
    assert one.token != other.token


def test_a_page_changes_nothing_unless_that_was_asked_for() -> None:
    """Read-only is what the process of each page is started with."""
    assert "--read-only" in words_of("dash", "--web", "--theme", "light")
    assert words_of("dash", "--web", "--theme", "light")[-2:] == ["--theme", "light"]
    assert "--read-only" not in words_of("dash", "--web", "--changes")
