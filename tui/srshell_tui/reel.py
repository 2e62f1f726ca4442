"""A recording, and the view at each of its moments.

Always true:

(1) The view of a frame depends on the recording and the frame alone, not on the way there.
(2) Lines that were torn are left out, and so is what cannot be understood without them.
(3) Every view says that it is of the past.
"""

from __future__ import annotations

import bisect
import re
import time
from pathlib import Path
from typing import Final

import attrs
import msgspec

from srshell.fabric.calls import parse_seconds
from srshell.fabric.feed import Frame
from srshell.fabric.recorder import older
from srshell.model.errors import SrError
from srshell_tui.store import Contact, FabricView, hear

#: A view is kept at every so many frames; from there it is not far to any other.
_KEEP_EVERY: Final = 64
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_DAY_SECONDS: Final = 86400.0


@attrs.define
class Reel:
    """Frames that follow one another, oldest first; at least one."""

    frames: tuple[Frame, ...]
    _kept: dict[int, FabricView] = attrs.field(init=False, factory=dict)

    def view_at(self, index: int) -> FabricView:
        """What was known after the frame with this index."""
        first = max((kept for kept in self._kept if kept <= index), default=-1)
        view = self._kept.get(first, FabricView())
        for number in range(first + 1, index + 1):
            frame = self.frames[number]
            view = hear(_before(view, frame), frame, frame.unix)
            if number % _KEEP_EVERY == 0:
                self._kept[number] = view
        return attrs.evolve(view, contact=Contact.PAST, note="")

    def index_at(self, unix: float) -> int:
        """The newest frame that is not after a moment; the first one when all are."""
        return max(bisect.bisect_right(self.frames, unix, key=lambda frame: frame.unix) - 1, 0)

    def beside_event(self, index: int, step: int) -> int:
        """The next frame, or with a negative step the one before, in which something happened."""
        numbers = range(index + step, len(self.frames) if step > 0 else -1, step)
        news = (n for n in numbers if self.frames[n].events and not self.frames[n].whole)
        return next(news, len(self.frames) - 1 if step > 0 else 0)

    @property
    def begin_unix(self) -> float:
        """The first moment that is known."""
        return self.frames[0].unix

    @property
    def end_unix(self) -> float:
        """The last moment that is known."""
        return self.frames[-1].unix

    def moment_of(self, text: str) -> float:
        """The moment that a person means: a time of day, a date and a time, or how long ago.

        Raises:
            SrError: SR0005, it is none.
        """
        return moment_of(text, self.end_unix)


def moment_of(text: str, end_unix: float) -> float:
    """Unix seconds for ``12:01``, ``12:01:07``, ``2026-03-02 12:01:07`` or ``5m`` (before the end).

    Raises:
        SrError: SR0005, it is none of these.
    """
    if _CLOCK.fullmatch(text):
        day = time.strftime("%Y-%m-%d ", time.localtime(end_unix))
        found = _read(day + text)
        # A time of day that has not come yet was yesterday's.
        if found is not None:
            return found if found <= end_unix + 1 else found - _DAY_SECONDS
    found = _read(text.replace("T", " ", 1).removesuffix("Z"))
    if found is not None:
        return found
    try:
        return end_unix - parse_seconds(text.removeprefix("-"))
    except SrError as error:
        facts = "examples: 12:01:07, 2026-03-02T12:01, 5m"
        raise SrError.make("SR0005", facts=facts, text=text, noun="moment") from error


def _read(text: str) -> float | None:
    """A date with a time in this machine's zone; None when it is none."""
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"):
        try:
            return time.mktime(time.strptime(text, form))
        except (ValueError, OverflowError):
            continue
    return None


def read_reel(*paths: Path) -> Reel:
    """Recordings as one, in the order of the files; those that are not there are passed over.

    Raises:
        SrError: SR0005, nothing in them can be read.
    """
    frames: list[Frame] = []
    problem = "it is empty"
    for path in paths:
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            problem = error.strerror or str(error)
            continue
        for line in lines:
            try:
                frame = msgspec.json.decode(line, type=Frame)
            except msgspec.MsgspecError:
                continue
            if frame.whole or (frames and frame.seq == frames[-1].seq + 1):
                frames.append(frame)
    if not frames:
        raise SrError.make("SR0005", facts=problem, text=str(paths[-1]), noun="recording")
    return Reel(tuple(frames))


def read_past(path: Path) -> Reel:
    """What an owner has kept, the older file first.

    Raises:
        SrError: SR0005, there is nothing.
    """
    return read_reel(older(path), path)


def _before(view: FabricView, frame: Frame) -> FabricView:
    """The view that a frame is heard with: none of another fabric."""
    known = view.info
    if known is None or frame.info is None or frame.info.identity == known.identity:
        return view
    return FabricView()
