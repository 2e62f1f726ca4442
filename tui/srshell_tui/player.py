"""Where a replay is: which moment of a recording is shown, and whether time goes on.

Always true:

(1) A player shows moments of its recording and nothing else; it has no way to any fabric.
(2) Stepping and scrubbing stop the time; only *play* lets it go on.
"""

from __future__ import annotations

from typing import Final

import attrs

from srshell_tui.options import Options
from srshell_tui.reel import Reel
from srshell_tui.scene import Tape
from srshell_tui.store import FabricView

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@attrs.define
class Player:
    """One replay."""

    reel: Reel
    moment: float = attrs.field()  #: Unix seconds of what is shown
    playing: bool = False
    speed: float = 1.0
    index: int = attrs.field(init=False)

    @moment.default
    def _end(self) -> float:
        return self.reel.end_unix

    def __attrs_post_init__(self) -> None:
        self.go_to(self.moment)

    @property
    def view(self) -> FabricView:
        """What is shown."""
        return self.reel.view_at(self.index)

    @property
    def tape(self) -> Tape:
        """Where the replay is, for the screen."""
        begin, end = self.reel.begin_unix, self.reel.end_unix
        share = (self.moment - begin) / (end - begin) if end > begin else 1.0
        return Tape(
            share, self.index + 1, len(self.reel.frames), begin, end, self.playing, self.speed
        )

    def go_to(self, unix: float) -> None:
        """Show another moment, as far as the recording reaches."""
        self.moment = min(max(unix, self.reel.begin_unix), self.reel.end_unix)
        self.index = self.reel.index_at(self.moment)

    def tick(self, seconds: float) -> None:
        """Let time go on, if it does; at the end it stops."""
        if not self.playing:
            return
        self.go_to(self.moment + seconds * self.speed)
        self.playing = self.moment < self.reel.end_unix

    def play_or_pause(self) -> None:
        """Play; at the end, from the beginning."""
        self.playing = not self.playing
        if self.playing and self.moment >= self.reel.end_unix:
            self.go_to(self.reel.begin_unix)

    def step(self, frames: int) -> None:
        """So many frames on, or back."""
        self._show(self.index + frames)

    def jump(self, seconds: float) -> None:
        """So many seconds on, or back."""
        self.playing = False
        self.go_to(self.moment + seconds)

    def to_event(self, step: int) -> None:
        """To the next moment at which something happened, or to the one before."""
        self._show(self.reel.beside_event(self.index, step))

    def pace(self, step: int) -> None:
        """Faster or slower."""
        index = SPEEDS.index(self.speed) + step
        self.speed = SPEEDS[min(max(index, 0), len(SPEEDS) - 1)]

    def _show(self, index: int) -> None:
        self.playing = False
        self.index = min(max(index, 0), len(self.reel.frames) - 1)
        self.moment = self.reel.frames[self.index].unix


def player_of(options: Options) -> Player | None:
    """The replay that was asked for.

    Raises:
        SrError: SR0005, the moment cannot be read.
    """
    if options.reel is None:
        return None
    player = Player(options.reel)
    if options.at:
        player.go_to(options.reel.moment_of(options.at))
    return player
