"""What all Textual screens of the dashboard share: a paper, and a line to type on.

Always true: a screen shows what its `drawing` says of the present scene, and is painted only where
that differs from what is shown.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen

from srshell_tui.ask import Ask
from srshell_tui.paper import Paper
from srshell_tui.scene import Look, Scene
from srshell_tui.text import Drawing

if TYPE_CHECKING:
    from srshell_tui.app import Dashboard


class Sheet(Screen[None], inherit_bindings=False):
    """One screen."""

    AUTO_FOCUS = "Paper"

    def compose(self) -> ComposeResult:
        """Paper, and the line."""
        paper = Paper(ascii_only=self.dashboard.options.ascii_only)
        yield paper
        yield Ask(self.suggest, self.answered, paper.last_row)

    @property
    def dashboard(self) -> Dashboard:
        """The application that this is a screen of."""
        return cast("Dashboard", self.app)

    @property
    def paper(self) -> Paper:
        """What is drawn on."""
        return self.query_one(Paper)

    @property
    def line(self) -> Ask:
        """What is typed on."""
        return self.query_one(Ask)

    def scene_of(self, look: Look) -> Scene:
        """What there is to draw."""
        dashboard = self.dashboard
        # Before a screen is laid out it has no size of its own.
        size = self.size if self.size.width else dashboard.size
        now = dashboard.clock()
        return Scene(
            view=dashboard.view.at(now),
            look=look,
            now=now,
            width=size.width,
            height=size.height,
            read_only=dashboard.options.read_only,
            message=dashboard.message,
            tape=dashboard.player.tape if dashboard.player else None,
        )

    @abstractmethod
    def drawing(self) -> Drawing:
        """What is to be seen now."""

    def redraw(self) -> None:
        """Draw what is to be seen now, where it differs."""
        if self.is_mounted:
            self.paper.show(self.drawing())

    def on_mount(self) -> None:
        """Draw for the first time."""
        self.redraw()

    def on_resize(self) -> None:
        """Draw for another size."""
        self.redraw()

    def on_screen_resume(self) -> None:
        """Come back to the top."""
        self.redraw()

    def suggest(self, _text: str) -> Sequence[str]:
        """What may follow on the line; nothing, unless a screen knows better."""
        return ()

    def answered(self, kind: str, text: str) -> None:
        """Enter in the line; a screen that asks knows what to do."""

    def close_line(self) -> None:
        """Give the keys back to the screen."""
        self.line.close_line()
        self.dashboard.message = ""
        self.paper.focus()
        self.redraw()

    def on_ask_given_up(self, event: Ask.GivenUp) -> None:
        """Escape in the line."""
        event.stop()
        self.close_line()

    def on_ask_offered(self, event: Ask.Offered) -> None:
        """Several words fit: they are shown above the line."""
        event.stop()
        self.dashboard.message = "  ".join(event.words)
        self.redraw()
