"""The Textual screen of the topology test: asks the owner to measure, shows what it found.

Always true: leaving it changes nothing; what is written, HTML or JSON, is what is shown.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import ClassVar

import attrs
from textual import work
from textual.binding import Binding, BindingType

from srshell.fabric.calls import Call
from srshell.fabric.pages.topology_html import html_page
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell.model.topology import TopologyReport
from srshell_tui.scene import Look
from srshell_tui.screens.topology import TopologyTest, draw_topology
from srshell_tui.sheet import Sheet
from srshell_tui.shot import write_pages
from srshell_tui.text import Drawing

#: As long as the owner measures when nobody says how long.
_SECONDS = 10.0


class TopologySheet(Sheet, inherit_bindings=False):
    """One test."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,q", "dismiss_sheet", show=False),
        Binding("down,j", "scroll_by(1)", show=False),
        Binding("up,k", "scroll_by(-1)", show=False),
        Binding("pagedown,space", "scroll_by(10)", show=False),
        Binding("pageup", "scroll_by(-10)", show=False),
        Binding("r", "again", show=False),
        Binding("h", "keep('html')", show=False),
        Binding("w", "keep('json')", show=False),
        Binding("m", "mend", show=False),
        Binding("x", "app.export", show=False),
    ]

    def __init__(self, call: Call, test: TopologyTest | None = None) -> None:
        """Measure; with a test that has ended, show that one."""
        super().__init__()
        self.call = call
        given = call.arguments
        seconds = given.get("duration")
        self.test = test or TopologyTest(
            str(given["source"]),
            str(given["destination"]),
            float(seconds) if isinstance(seconds, int | float) else _SECONDS,
        )
        self.from_line = 0

    def drawing(self) -> Drawing:
        """The test as it is."""
        return draw_topology(self.scene_of(Look()), self.test, self.from_line)

    def on_mount(self) -> None:
        """Begin."""
        super().on_mount()
        if self.test.report is None:
            self.measure()

    @work(exclusive=True, group="topology")
    async def measure(self) -> None:
        """Ask the owner, which measures."""
        try:
            report = await self.dashboard.client.perform(self.call.method, self.call.arguments)
        except SrError as error:
            self.test = attrs.evolve(self.test, error=error)
        else:
            assert isinstance(report, TopologyReport), report
            self.test = attrs.evolve(self.test, report=report)
        self.redraw()

    def action_again(self) -> None:
        """Measure once more."""
        if self.test.report is not None or self.test.error is not None:
            self.test = attrs.evolve(self.test, report=None, error=None)
            self.from_line = 0
            self.measure()
            self.redraw()

    def action_keep(self, form: str) -> None:
        """Write the report into the present directory."""
        test = self.test
        if test.report is None:
            return
        data = encode(test.report)
        text = html_page(json.loads(data)) if form == "html" else data.decode()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(test.report.began_unix))
        path = Path(f"topology-{test.source}-{test.destination}-{stamp}.{form}").absolute()
        try:
            write_pages(path, {path.suffix: text})
        except OSError as error:
            self.dashboard.say(f"not written: {error.strerror}")
            return
        self.dashboard.say(f"written: {path}")

    def action_mend(self) -> None:
        """Go on with the line that mends the first rule that does not hold."""
        if self.test.mend:
            self.dismiss()
            self.dashboard.call_later(self.dashboard.run_line, self.test.mend)

    def action_scroll_by(self, lines: int) -> None:
        """Scroll."""
        self.from_line = max(self.from_line + lines, 0)
        self.redraw()

    def action_dismiss_sheet(self) -> None:
        """Go back."""
        self.dashboard.message = ""
        self.dismiss()
