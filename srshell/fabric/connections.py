"""The connections of one client to its owner: which are idle, which somebody uses.

Always true:

(1) A connection is idle, in the hands of one request, or one that `open` gave away.
(2) Nothing else stays open: a connection whose request nobody waits for any more, failed, or was
    answered after `close` is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from srshell.fabric.control_http import ControlHttp
from srshell.fabric.threads import in_thread
from srshell.model.errors import SrError

ResultT = TypeVar("ResultT")


class Connections:
    """Connections to one owner."""

    def __init__(self, reach: Callable[[], ControlHttp]) -> None:
        """Hold none; ``reach`` opens one, and blocks until it has."""
        self._reach = reach
        self._idle: list[ControlHttp] = []
        self._keeps = True

    async def open(self) -> ControlHttp:
        """A connection that nobody has used."""
        return await in_thread(self._reach, late=_close_opened)

    async def warm(self) -> None:
        """Open a connection for the first one who asks; from now on connections are kept."""
        self._keeps = True
        self._give_back(await self.open())

    async def ask(
        self, request: Callable[[ControlHttp], ResultT], *, fresh: bool = False
    ) -> ResultT:
        """Make a request in a thread, on an idle connection unless it has to be ``fresh``.

        Raises:
            SrError: the owner's answer; OwnerGone: there is none.
        """
        connection = self._idle.pop() if self._idle and not fresh else await self.open()
        try:
            result = await in_thread(
                partial(request, connection), connection.abort, lambda _: connection.close()
            )
        except SrError:
            # An error is an answer: the connection is as good as before.
            self._give_back(connection)
            raise
        except Exception:
            connection.close()
            raise
        self._give_back(connection)
        return result

    def close(self) -> None:
        """Hang up what is idle; what is in use is closed once it has been answered."""
        self._keeps = False
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    def _give_back(self, connection: ControlHttp) -> None:
        if self._keeps:
            self._idle.append(connection)
        else:
            connection.close()


def _close_opened(opened: Future[ControlHttp]) -> None:
    if opened.exception() is None:
        opened.result().close()
