"""A headless Chromium, steered over its own protocol: what a page shows, and keys that reach it.

Always true:

(1) What is read is what the page's own terminal shows, cell by cell, not what was sent to it.
(2) The browser's files are its own, in a temporary folder, and it has ended when the context ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from tests import needs

#: Names that the program goes by.
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: How long something may take to be seen, in seconds.
PATIENCE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05
#: Its sandbox wants rights that containers lack, and no page but ours is opened.
_WORDS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--window-size=1000,640",
)  # fmt: skip
#: The page keeps its terminal to itself: it is noted when it is made.
_NOTE_TERMINAL: Final = """
Object.defineProperty(Object.prototype, "fitAddon", {configurable: true, set(value) {
    window.noted = this;
    Object.defineProperty(this, "fitAddon",
        {value, writable: true, configurable: true, enumerable: true});
}});
"""
_READ_TERMINAL: Final = """
(() => {
    const page = window.noted;
    if (!page || getComputedStyle(page.element).opacity !== "1") return "";
    const buffer = page.terminal.buffer.active;
    return Array.from({length: page.terminal.rows},
        (_, y) => buffer.getLine(y)?.translateToString(true) ?? "").join("\\n");
})()
"""
_LOADED: Final = """
new Promise(say =>
    document.readyState === "complete" ? say() : addEventListener("load", () => say()))
"""


def program() -> str | None:
    """Where the browser is; None if there is none."""
    return next((path for name in NAMES if (path := needs.find(name))), None)


@attrs.define
class Page:
    """One page of the browser."""

    _socket: aiohttp.ClientWebSocketResponse
    requested: list[str] = attrs.Factory(list)  #: addresses that it asked for
    _asked: int = 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Ask the browser for something, and note what happens meanwhile."""
        self._asked += 1
        number = self._asked
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                message = json.loads((await self._socket.receive()).data)
                if message.get("method") == "Network.requestWillBeSent":
                    self.requested.append(message["params"]["request"]["url"])
                if message.get("id") == number:
                    assert "error" not in message, message
                    found: dict[str, Any] = message["result"]
                    return found

    async def open(self, url: str) -> None:
        """Go there."""
        for domain in ("Page", "Runtime", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=_NOTE_TERMINAL)
        await self.call("Page.navigate", url=url)
        await self.evaluate(_LOADED)

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - what JavaScript returns
        """What an expression is in the page."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return answer["result"].get("value")

    async def see(self, *words: str) -> str:
        """Wait until the terminal of the page shows all words; what it shows."""
        text = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (text and all(word in text for word in words)):
                    text = str(await self.evaluate(_READ_TERMINAL))
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{words} not in the page:\n{text}") from None
        return text

    async def press(self, keys: str) -> None:
        """Press keys, as a keyboard does."""
        for key in keys:
            named = {"\r": ("Enter", 13), "\x1b": ("Escape", 27)}.get(key)
            name, code = named or (key, ord(key.upper()))
            text = {} if key == "\x1b" else {"text": key}
            about = {"key": name, "windowsVirtualKeyCode": code}
            await self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    async def resize(self, width: int, height: int) -> None:
        """Another size of the window, in pixels."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                        deviceScaleFactor=1, mobile=False)  # fmt: skip


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Page]:
    """Start a browser with one empty page."""
    path = program()
    assert path, "looked for before"
    process = await asyncio.create_subprocess_exec(
        path, *_WORDS, f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            port = await _port(process.stderr)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = await answer.json(content_type=None)
            address = next(page for page in pages if page["type"] == "page")
            async with session.ws_connect(
                address["webSocketDebuggerUrl"], max_msg_size=0
            ) as page_socket:
                yield Page(page_socket)
    finally:
        # The program is a script that waits for the browser, and the browser a family.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.stderr.read()
        await process.wait()


async def _port(said: asyncio.StreamReader) -> int:
    """Where the browser says that it listens for us."""
    heard = b""
    while line := await said.readline():
        heard += line
        if found := re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line):
            return int(found[1])
    raise AssertionError(f"the browser ended:\n{heard.decode(errors='replace')}")
