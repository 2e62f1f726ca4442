"""`srshell dash --web` in a real browser, on a real fabric: seen, not steered, for nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import srshell
from srshell.fabric.sync_client import SyncFabric
from tests.tui import living
from tests.tui.chromium import NAMES, PATIENCE_SECONDS, Page, chromium, program

pytestmark = pytest.mark.skipif(program() is None, reason=f"needs {NAMES[0]} (Debian: {NAMES[0]})")
_LISTENS = "0A"
_FITS = """
document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <=
    innerWidth && getComputedStyle(document.querySelector(".xterm-helper-textarea")).opacity === "0"
"""


@pytest.fixture(scope="module")
def fabric(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncFabric]:
    """PriRG and RecRG in sync, on files."""
    place = tmp_path_factory.mktemp("b")
    with srshell.connect(place / "fabric") as client:
        living.in_sync(client, place)
        yield client
        client.stop_owner()


@pytest.fixture(scope="module")
def served(fabric: SyncFabric) -> Iterator[str]:
    """Where `srshell dash --web` says that it is; its own terminal can show next to nothing."""
    environment = {**os.environ, "TERM": "dumb", "LC_ALL": "C"}
    environment.pop("NO_COLOR", None)
    words = ["-m", "srshell", "--fabric", fabric.info().fabric, "dash", "--web"]
    with subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


async def test_a_browser_shows_the_fabric_and_changes_nothing(
    fabric: SyncFabric, served: str, tmp_path: Path
) -> None:
    """As it is and as it becomes; keys reach it; what would change something is refused."""
    async with chromium(tmp_path) as page:
        await page.open(served)
        await page.see(
            "PriRG>RecRG", "● Synchronizing", "worst RPO 0 s", "read-only", "● connected"
        )
        assert await page.evaluate(_FITS), "the terminal fills the window, and no more"
        await page.press("\r")
        await page.see("PriRG > RecRG", "[Synchronizing]", "failover ready: yes")
        await page.press("F")
        await page.see("SR9003 This session is read-only", "Fail over PriRG > RecRG changes")
        await page.press("\x1b")
        await page.see("[Synchronizing]")
        await page.press(":suspend PriRG\r")
        await page.see("SR9003 This session is read-only", "suspend changes the fabric")
        assert all(row.replication_state == "Synchronizing" for row in fabric.status())

        await asyncio.to_thread(fabric.suspend, "PriRG")
        await page.press("\x1b")
        await page.see("[Suspended]")
        await page.press("1")
        await page.see("▲ Suspended", "▲ Warning")
        await asyncio.to_thread(fabric.resume, "PriRG")
        await page.see("● Synchronizing", "● Normal")

        await page.resize(1600, 900)
        await page.see("─ Virtual machines", "PROCESS")  # what wide screens have besides
        assert [url for url in page.requested if not url.startswith((served, "about:"))] == []
        place = fabric.info().fabric
        assert len(_pages(place)) == 1
    end = time.monotonic() + PATIENCE_SECONDS
    while _pages(place):
        assert time.monotonic() < end, "the page is gone, and what drew it goes on"


async def test_a_browser_without_the_token_is_turned_away(served: str, tmp_path: Path) -> None:
    """And so is a page from elsewhere that knows it; only this machine is listened to."""
    root, _, token = served.removesuffix("/").rpartition("/")
    right, wrong = (
        f"ws{root.removeprefix('http')}/{text}/ws" for text in (token, "A" * len(token))
    )
    async with chromium(tmp_path) as page:
        await page.open(f"{root}/{'A' * len(token)}/")
        assert "404" in await page.evaluate("document.body.innerText")
        await page.open("about:blank")
        assert not await _socket_opens(page, right)
        await page.open(served.replace("127.0.0.1", "localhost"))
        await page.see("PriRG>RecRG")
        assert await _socket_opens(page, right)
        assert not await _socket_opens(page, wrong)
    assert _listeners(int(root.rpartition(":")[2])) == {"0100007F"}


async def _socket_opens(page: Page, url: str) -> bool:
    """Whether the page comes through to a web socket."""
    return bool(await page.evaluate(
        f"new Promise(say => {{ const it = new WebSocket({url!r});"
        " it.onopen = () => { it.close(); say(true) }; it.onerror = () => say(false) })"
    ))  # fmt: skip


def _pages(place: str) -> list[int]:
    """The processes that draw a fabric for pages."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            found += [int(path.parent.name)] * (place.encode() in words and b"--read-only" in words)
    return found


def _listeners(port: int) -> set[str]:
    """The addresses, as the kernel writes them, on which somebody listens to a port."""
    found = set()
    for name in ("tcp", "tcp6"):
        path = Path("/proc/net") / name
        for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else ():
            address, state = line.split()[1], line.split()[3]
            if state == _LISTENS and int(address.partition(":")[2], 16) == port:
                found.add(address.partition(":")[0])
    return found
