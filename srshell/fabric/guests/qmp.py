"""The machine protocol of qemu: commands, their answers, and events, a JSON object a line.

Always true: an answer goes to the oldest command that has none; an event goes to ``on_event``.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

#: A line of qemu is never longer; its own limit for what it reads is 64 MiB.
LINE_BYTES_MAX = 1024 * 1024


class QmpError(Exception):
    """qemu refused a command, or is gone."""


class Qmp:
    """One connection to qemu."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_event: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._ended = False

    async def read_greeting(self) -> None:
        """Wait until qemu speaks.

        Raises:
            QmpError: it ended instead.
        """
        line = await self._reader.readline()
        if b'"QMP"' not in line:
            raise QmpError("qemu ended before it spoke")

    async def run(self) -> None:
        """Hand out answers and events until qemu is gone."""
        try:
            while line := await self._reader.readline():
                self._take(json.loads(line))
        except (ValueError, OSError):
            pass  # cut in the middle of a line
        finally:
            self._ended = True
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(QmpError("qemu is gone"))
            self._waiting.clear()

    async def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - as qemu says
        """Carry out a command and return its answer.

        Raises:
            QmpError: it was refused, or qemu is gone.
        """
        if self._ended:
            raise QmpError("qemu is gone")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        line = json.dumps({"execute": command, **({"arguments": arguments} if arguments else {})})
        self._writer.write(line.encode() + b"\n")
        return await answer

    def _take(self, said: dict[str, Any]) -> None:
        if "event" in said:
            self._on_event(str(said["event"]), dict(said.get("data") or {}))
            return
        if not self._waiting:
            return
        answer = self._waiting.popleft()
        if answer.done():
            return
        if "return" in said:
            answer.set_result(said["return"])
        else:
            error = said.get("error") or {}
            answer.set_exception(QmpError(str(error.get("desc", said))))
