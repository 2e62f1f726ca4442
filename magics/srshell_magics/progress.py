"""How far a command is, shown to somebody who waits: one line that is replaced.

Always true:

(1) Nothing is shown before 1.5 s, and nothing more often than four times a second.
(2) An ETA comes from the rate of the last 30 s; before 5 s or 1 %, or when nothing moves, it is
    unknown, and says so.
(3) When the line ends, what came of the command takes its place.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from srshell_magics.front import Front, Watching, fitting

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

PATIENCE_SECONDS = 1.5
INTERVAL_SECONDS = 0.25
_RATE_SECONDS = 30.0
_ETA_SECONDS_MIN = 5.0
_ETA_SHARE_MIN = 0.01
_WIDTH_MAX = 120


class Rate:
    """Bytes per second over the last 30 s, and when the rest will be done at that rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._began: float | None = None

    def note(self, done_bytes: int, total_bytes: int) -> dict[str, Any]:
        """The progress so far, as a report has it."""
        now = self._clock()
        if self._seen and done_bytes < self._seen[-1][1]:
            self._seen.clear()  # another part of the work
        self._began = now if self._began is None else self._began
        self._seen.append((now, done_bytes))
        while self._seen[0][0] < now - _RATE_SECONDS:
            self._seen.popleft()
        first_time, first_bytes = self._seen[0]
        span = now - first_time
        rate = (done_bytes - first_bytes) / span if span > 0 else 0.0
        known = (
            now - self._began >= _ETA_SECONDS_MIN
            and done_bytes >= _ETA_SHARE_MIN * total_bytes
            and rate > 0
        )
        eta = (total_bytes - done_bytes) / rate if known else None
        return {
            "done_bytes": done_bytes,
            "total_bytes": total_bytes,
            "bytes_per_second": rate,
            "eta_seconds": eta,
        }


class ProgressLine:
    """The line of one command."""

    def __init__(
        self, front: Front, mode: str = "auto", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._watching = front.watching if mode == "auto" else Watching.NOBODY
        self._lines = mode == "line"
        self._clock = clock
        self._began = clock()
        self._last = -INTERVAL_SECONDS
        self._text = ""
        self._handle: DisplayHandle | None = None
        self._on_screen = False
        self._ended = False

    @property
    def elapsed_seconds(self) -> float:
        """How long the command has taken."""
        return self._clock() - self._began

    @property
    def due(self) -> bool:
        """Whether a text would be shown now."""
        if self._watching is Watching.NOBODY and not self._lines:
            return False
        patient = self.elapsed_seconds < PATIENCE_SECONDS
        return not patient and self.elapsed_seconds - self._last >= INTERVAL_SECONDS

    def show(self, text: str, *, now: bool = False) -> None:
        """Replace the line, if it is time to; with ``now`` whatever the time."""
        if self._ended or text == self._text or not (now or self.due):
            return
        if self._watching is Watching.NOBODY and not self._lines:
            return
        self._last = self.elapsed_seconds
        self._text = text
        shown = fitting(text)
        if self._lines:
            print(shown, flush=True)
        elif self._watching is Watching.TERMINAL:
            columns = min(shutil.get_terminal_size().columns, _WIDTH_MAX) - 1
            self._write(f"\r\x1b[K{shown[:columns]}")
        else:
            self._display(shown)

    def end(self, text: str = "") -> None:
        """Put ``text`` in the place of the line, for good; without a text leave nothing behind."""
        shown = fitting(text)
        self._ended = True
        if self._on_screen:
            self._write("\r\x1b[K")
            self._on_screen = False
        if self._handle is not None:
            self._display(shown)
            self._handle = None
        elif text:
            print(shown, flush=True)

    @contextmanager
    def ticking(self, text: Callable[[float], str]) -> Iterator[None]:
        """Keep the line moving beside a call that blocks; ``text`` is given the seconds so far.

        The line is a handle or a terminal's last line: a thread may replace it, never print.
        """
        over = threading.Event()

        def tick() -> None:
            while not over.wait(INTERVAL_SECONDS):
                if self.due:
                    self.show(text(self.elapsed_seconds))

        thread = threading.Thread(target=tick, name="srshell-progress", daemon=True)
        if self._watching is not Watching.NOBODY:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if thread.ident is not None:
                thread.join(INTERVAL_SECONDS)  # what it still asks for is not shown any more

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._on_screen = True

    def _display(self, text: str) -> None:
        from IPython.display import display

        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)  # type: ignore[no-untyped-call]
