"""A picture as the application itself shows it, without a terminal.

Always true: what is in the picture was drawn by the widgets of the dashboard.
"""

from __future__ import annotations

from srshell.fabric.calls import parse_words
from srshell_tui.app import Dashboard
from srshell_tui.options import Options
from srshell_tui.page_sheet import HelpSheet
from srshell_tui.shot import Shot, look_of
from srshell_tui.store import FabricView
from srshell_tui.topology_sheet import TopologySheet


async def svg_of(shot: Shot, view: FabricView, options: Options) -> str:
    """The picture as the application itself shows it."""
    look = look_of(shot, view)
    app = Dashboard(options, view=view, look=look, clock=lambda: view.heard)
    async with app.run_test(size=(shot.width, shot.height)) as pilot:
        if shot.screen == "help":
            await app.push_screen(HelpSheet(look))
        if shot.test is not None:
            call = parse_words(["topology", shot.test.source, shot.test.destination])
            await app.push_screen(TopologySheet(call, shot.test))
        await pilot.pause()
        return app.picture(f"srshell {shot.screen}")
