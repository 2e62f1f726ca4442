"""What the fabric looked like, kept: the owner writes down frames, so that the past can be seen.

Always true:

(1) A frame is written after each event and at least every `LOOK_SECONDS`; a fabric in which nothing
    changes costs nothing.
(2) The two files hold at most twice `SEGMENT_BYTES`, and each begins with a whole picture.
(3) In the long run no more than `BUDGET_BYTES_PER_SECOND` are written, however large the fabric is.
(4) What goes wrong here ends the recording, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from srshell.fabric.api import FabricApi
from srshell.fabric.feed import Feed, Frame, Picture, difference
from srshell.fabric.place import FabricPlace
from srshell.model.report import encode

LOG = logging.getLogger(__name__)

#: From one frame to the next when nothing happens.
LOOK_SECONDS: Final = 10.0
#: Events that come together are seen in one frame.
_GATHER_SECONDS: Final = 0.3
SEGMENT_BYTES: Final = 8 * 1024**2
BUDGET_BYTES_PER_SECOND: Final = 1024
#: Saved up while little happens, so that a failover is written down step by step.
_BURST_BYTES: Final = 1024**2
#: A whole picture at least so often, so that what lies before it is not needed to see it.
_WHOLE_EVERY: Final = 500


@attrs.define
class Segments:
    """Two files: the present one, and the one before it."""

    path: Path
    segment_bytes: int = SEGMENT_BYTES
    _size: int = attrs.field(init=False, default=-1)

    def add(self, frame: Frame) -> int:
        """Write a frame down; returns how many bytes it took.

        Raises:
            OSError: it could not be written.
        """
        line = encode(frame) + b"\n"
        if self._size < 0:
            self._size = self.path.stat().st_size if self.path.exists() else 0
            line = b"\n" + line  # an owner that was killed may have left half a line
        if frame.whole and self._size >= self.segment_bytes:
            self.path.replace(older(self.path))
            self._size = 0
        with self.path.open("ab") as file:
            file.write(line)
        self._size += len(line)
        return len(line)

    @property
    def full(self) -> bool:
        """Whether the next frame has to be whole, because it begins a file."""
        return self._size >= self.segment_bytes


def older(path: Path) -> Path:
    """The file that was filled before this one."""
    return path.with_name(f"{path.name}.old")


class Recorder:
    """Writes down one fabric."""

    def __init__(self, fabric: FabricApi, place: FabricPlace) -> None:
        self._fabric = fabric
        self._feed = Feed(fabric)
        self._segments = Segments(place.recording)
        self._told: Picture | None = None
        self._seq = 0
        self._budget_bytes = float(_BURST_BYTES)
        self._counted = time.monotonic()

    async def run(self) -> None:
        """Write until cancelled, or until it cannot be done."""
        try:
            await self._write()
            await self._follow()
        except Exception as problem:  # noqa: BLE001 - an owner without a past is an owner
            LOG.warning("the recording ends: %s: %s", type(problem).__name__, problem)

    async def _follow(self) -> None:
        """A frame after each event, and after each quiet while."""
        last = self._told.events[-1].id if self._told and self._told.events else 0
        events = self._fabric.follow(last)
        coming = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                await asyncio.wait({coming}, timeout=self._pause_seconds())
                if coming.done():
                    await asyncio.sleep(_GATHER_SECONDS)
                while coming.done():
                    if coming.result() is None:
                        return
                    coming = asyncio.ensure_future(anext(events, None))
                    await asyncio.sleep(0)
                if self._pause_seconds() <= LOOK_SECONDS:
                    await self._write()
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming

    def _pause_seconds(self) -> float:
        """How long to wait for an event: longer once more was written than there is room for."""
        now = time.monotonic()
        self._budget_bytes += (now - self._counted) * BUDGET_BYTES_PER_SECOND
        self._budget_bytes = min(self._budget_bytes, _BURST_BYTES)
        self._counted = now
        return max(LOOK_SECONDS, -self._budget_bytes / BUDGET_BYTES_PER_SECOND)

    async def _write(self) -> None:
        """Look, and write down what has changed."""
        picture = await self._feed.picture(_GATHER_SECONDS)
        told = None if self._segments.full or self._seq % _WHOLE_EVERY == 0 else self._told
        frame = difference(told, picture, self._seq + 1)
        if told is not None and not _says_something(frame):
            return
        self._seq += 1
        self._told = picture
        self._budget_bytes -= await asyncio.to_thread(self._segments.add, frame)


def _says_something(frame: Frame) -> bool:
    """Whether anything differs from the frame before."""
    return bool(
        frame.gone or frame.info or frame.status or frame.arrays or frame.volumes
        or frame.pairs or frame.groups or frame.vms or frame.jobs or frame.events
    )  # fmt: skip
