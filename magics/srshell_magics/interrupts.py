"""The interrupts of a command that waits for a job: each counts, and none comes at a bad moment.

Always true, while they are held:

(1) SIGINT raises `KeyboardInterrupt` within `raised` alone, and once for each block.
(2) What comes at another moment waits for the next block: no sentence and no request is cut off
    halfway, however fast somebody presses.
(3) None that came is dropped, unless the command ends with an error anyway.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import attrs


@attrs.define
class Interrupts:
    """Those of one command, in the main thread; another thread is never interrupted."""

    _waiting: int = attrs.field(default=0, init=False)
    _raises: bool = attrs.field(default=False, init=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take charge of SIGINT for the time of the block.

        Raises:
            KeyboardInterrupt: the block ended well, and one that came was not raised in it.
        """
        if not _is_ours():
            yield
            return
        before = signal.signal(signal.SIGINT, self._came)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self._waiting:
            raise KeyboardInterrupt

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Let the block be ended by an interrupt, by one that waits at once.

        Raises:
            KeyboardInterrupt: one came.
        """
        try:
            self._raises = True
            if self._waiting:
                self._waiting -= 1
                raise KeyboardInterrupt
            yield
        finally:
            self._raises = False

    def forget(self) -> None:
        """Let those that wait end nothing; the command ends with an error."""
        self._waiting = 0

    def _came(self, _number: int, _frame: object) -> None:
        if not self._raises:
            self._waiting += 1
            return
        self._raises = False
        raise KeyboardInterrupt


def _is_ours() -> bool:
    """Whether a handler can be put in the place of the one there is, and be taken back."""
    if threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(signal.SIGINT) not in {None, signal.SIG_IGN}
