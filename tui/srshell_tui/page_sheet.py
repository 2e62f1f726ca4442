"""Textual screens to read: the page of a report, the help."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from srshell.fabric.pages import Page
from srshell_tui.scene import Look
from srshell_tui.screens.sheets import draw_help, draw_page
from srshell_tui.sheet import Sheet
from srshell_tui.text import Drawing


class PageSheet(Sheet, inherit_bindings=False):
    """The page of one report."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,q", "dismiss_sheet", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("pagedown,space", "scroll_by(10)", show=False),
        Binding("pageup", "scroll_by(-10)", show=False),
        Binding("x", "app.export", show=False),
    ]

    def __init__(self, title: str, page: Page) -> None:
        super().__init__()
        self.page_title = title
        self.page = page
        self.from_line = 0

    def drawing(self) -> Drawing:
        """The page from where it was scrolled to."""
        return draw_page(self.scene_of(Look()), self.page_title, self.page, self.from_line)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.from_line = max(self.from_line + lines, 0)
        self.redraw()

    def on_mouse_scroll_down(self) -> None:
        """The wheel scrolls, too."""
        self.action_scroll_by(3)

    def on_mouse_scroll_up(self) -> None:
        """The wheel scrolls, too."""
        self.action_scroll_by(-3)

    def action_dismiss_sheet(self) -> None:
        """Go back."""
        self.dismiss()


class HelpSheet(PageSheet):
    """The help of a screen."""

    def __init__(self, look: Look) -> None:
        super().__init__("Help", Page())
        self.look = look

    def drawing(self) -> Drawing:
        """The help from where it was scrolled to."""
        return draw_help(self.scene_of(self.look), self.from_line, self.dashboard.link_text())
