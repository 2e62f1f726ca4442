"""A program behind a pseudo terminal, and what it has drawn there."""

from __future__ import annotations

import time
from contextlib import suppress

import attrs
import pexpect
import pyte

COLUMNS, LINES = 80, 24
#: How long something may take to be seen, in seconds.
PATIENCE_SECONDS = 40.0


@attrs.define
class Terminal:
    """A dashboard behind a pseudo terminal, and what it has drawn."""

    process: pexpect.spawn[bytes]
    screen: pyte.Screen = attrs.Factory(lambda: pyte.Screen(COLUMNS, LINES))
    stream: pyte.ByteStream = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        """What a person sees."""
        return "\n".join(self.screen.display)

    def read(self, seconds: float) -> int:
        """Take what is written within some time; how many bytes it was."""
        count = 0
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                data = self.process.read_nonblocking(65536, timeout=left)
            except pexpect.TIMEOUT:
                break
            except pexpect.EOF:
                break
            count += len(data)
            self.stream.feed(data)
        return count

    def see(self, *words: str) -> str:
        """Wait until all words are on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(word in self.text for word in words):
            assert time.monotonic() < end, f"{words} not on the screen:\n{self.text}"
            self.read(0.2)
        return self.text

    def crawl(self, *words: str) -> None:
        """Wait for words as a line of 9600 baud shows them: 960 characters a second."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not all(word in self.text for word in words):
            now = time.monotonic()
            assert now < end, f"{words} not on the screen:\n{self.text}"
            with suppress(pexpect.TIMEOUT):
                self.stream.feed(self.process.read_nonblocking(96, timeout=0.1))
            time.sleep(max(now + 0.1 - time.monotonic(), 0.0))

    def type(self, text: str) -> None:
        """Press keys."""
        self.process.send(text)
