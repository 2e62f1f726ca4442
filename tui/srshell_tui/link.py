"""The way to the owner: heard for ever, and found again when it was lost.

Always true:

(1) `messages` never ends by itself: an owner that ended, froze or was never there is looked for
    again, after half a second at first and after ten at most.
(2) An owner is started at most once, at the beginning, as any command would; one that a person
    stopped later stays stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Final

import attrs

from srshell.fabric.control_client import FabricClient
from srshell.fabric.feed import Frame
from srshell.fabric.launch import OwnerOptions
from srshell.fabric.place import FabricPlace
from srshell.model.errors import SrError
from srshell.model.report import encode

#: An owner that says nothing for so long is taken for lost, in seconds.
SILENCE_SECONDS: Final = 8.0
RETRY_SECONDS_MIN: Final = 0.5
RETRY_SECONDS_MAX: Final = 10.0


@attrs.frozen
class Heard:
    """The owner said something."""

    frame: Frame


@attrs.frozen
class Lost:
    """Nobody answers, and why."""

    problem: str


@attrs.frozen
class Seeking:
    """The owner is looked for once more."""


LinkMessage = Heard | Lost | Seeking


class Link:
    """Listens to the owner of one fabric."""

    def __init__(
        self,
        place: FabricPlace,
        *,
        start: bool,
        options: OwnerOptions | None = None,
        period_seconds: float = 1.0,
        record: Path | None = None,
    ) -> None:
        """Listen to a fabric.

        Args:
            place: its directory.
            start: whether an owner is started when there is none at the beginning.
            options: how it is started.
            period_seconds: from one frame to the next.
            record: frames are added to this file, a line of JSON each.
        """
        self._record = record
        self._place = place
        self._start = start
        self._options = options
        self.period_seconds = period_seconds
        self._anew = asyncio.Event()

    def begin_again(self) -> None:
        """Drop the connection and ask for a whole picture."""
        self._anew.set()

    async def messages(self) -> AsyncGenerator[LinkMessage]:
        """What is heard, for ever."""
        delay = RETRY_SECONDS_MIN
        while True:
            problem = "the owner ended"
            self._anew.clear()
            client = FabricClient(self._place, start=self._start, options=self._options)
            try:
                silence = max(SILENCE_SECONDS, 3 * self.period_seconds)
                async with aclosing(self._frames(client, silence)) as frames:
                    async for frame in frames:
                        self._start = False
                        delay = RETRY_SECONDS_MIN
                        self._write_down(frame)
                        yield Heard(frame)
            except SrError as error:
                problem = str(error)
            finally:
                await client.close()
            if self._anew.is_set():
                continue
            yield Lost(problem)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._anew.wait(), delay)
            delay = min(delay * 2, RETRY_SECONDS_MAX)
            yield Seeking()

    def _write_down(self, frame: Frame) -> None:
        """Add a frame to the recording; a disk that is full ends the recording, nothing else."""
        if self._record is None:
            return
        try:
            with self._record.open("ab") as recording:
                recording.write(encode(frame) + b"\n")
        except OSError:
            self._record = None

    async def _frames(self, client: FabricClient, silence_seconds: float) -> AsyncGenerator[Frame]:
        """Frames until the owner ends or somebody asks to begin again."""
        watch = client.watch(self.period_seconds, silence_seconds)
        anew = asyncio.ensure_future(self._anew.wait())
        coming: asyncio.Future[Frame | None] = asyncio.ensure_future(anext(watch, None))
        try:
            while True:
                either: set[asyncio.Future[Any]] = {coming, anew}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if anew.done() or coming.result() is None:
                    return
                frame = coming.result()
                coming = asyncio.ensure_future(anext(watch, None))
                assert frame is not None, "the end was looked for above"
                yield frame
        finally:
            anew.cancel()
            coming.cancel()
            with suppress(asyncio.CancelledError, SrError):
                await coming
