"""The screens: each a function from a scene to lines.

Always true: `DRAW` has every screen, by the name that `srshell shot` and the keys use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srshell_tui.scene import Scene
from srshell_tui.screens.events import draw_events
from srshell_tui.screens.group import draw_group
from srshell_tui.screens.jobs import draw_jobs
from srshell_tui.screens.overview import draw_overview
from srshell_tui.screens.small import draw_small
from srshell_tui.screens.volumes import draw_volumes
from srshell_tui.text import Drawing

#: Screen to the function that draws it, in the order of their number keys.
DRAW: Final[dict[str, Callable[[Scene], Drawing]]] = {
    "overview": draw_overview,
    "group": draw_group,
    "volumes": draw_volumes,
    "events": draw_events,
    "jobs": draw_jobs,
}


def draw(scene: Scene) -> Drawing:
    """The screen that the person looks at; a list where there is no room for it."""
    return draw_small(scene) if scene.small else DRAW[scene.look.screen](scene)
