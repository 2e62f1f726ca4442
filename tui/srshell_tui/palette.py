"""The command palette: every command of the registry and every object of the fabric, by search.

Always true: what changes something opens its wizard or its line here, and is never run from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from srshell.fabric.command_spec import Effect
from srshell.fabric.commands import COMMANDS
from srshell_tui.scene import couples
from srshell_tui.screens import DRAW

if TYPE_CHECKING:
    from collections.abc import Callable

    from srshell_tui.app import Dashboard


class FabricProvider(Provider):
    """Commands, views and objects."""

    @property
    def _dashboard(self) -> Dashboard:
        return cast("Dashboard", self.app)

    def _entries(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """What can be found: text, meaning, what it does."""
        dashboard = self._dashboard
        for screen in DRAW:
            yield f"go to {screen}", "a screen", partial(dashboard.board.action_go, screen)
        for couple in couples(dashboard.view):
            text = f"open {couple.title}"
            state = couple.source.replication_state.value
            yield text, state, partial(dashboard.board.open_group, couple.source.name)
        for spec in COMMANDS.values():
            usable = spec.effect is not Effect.RUNS and not spec.hidden
            if usable and not (spec.changes and dashboard.options.read_only):
                yield spec.usage, spec.summary, partial(dashboard.begin_command, spec.name)

    async def discover(self) -> Hits:
        """Everything, before a letter is typed."""
        for text, meaning, act in self._entries():
            yield DiscoveryHit(text, act, help=meaning)

    async def search(self, query: str) -> Hits:
        """What fits the letters."""
        matcher = self.matcher(query)
        for text, meaning, act in self._entries():
            score = max(matcher.match(text), matcher.match(meaning))
            if score > 0:
                yield Hit(score, matcher.highlight(text), act, help=meaning)
