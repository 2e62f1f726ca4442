"""The Textual screen on which the fabric is watched: overview, group, volumes, events, jobs.

Always true:

(1) A chosen row is remembered by its name: it stays chosen when rows come and go, when the owner
    ends and comes back, and when another view was looked at meanwhile.
(2) A key that changes something opens a wizard and does nothing else; in a read-only session it
    only says so.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import ClassVar

import attrs
from textual import events
from textual.binding import Binding, BindingType

from srshell.fabric.mending import code_of
from srshell.model.errors import SrError
from srshell_tui import wizard as wizards
from srshell_tui.ask import Ask
from srshell_tui.marks import LEVEL_TONES
from srshell_tui.page_sheet import HelpSheet
from srshell_tui.scene import SORTS, Couple, Look, couple_of, couples
from srshell_tui.screens import draw
from srshell_tui.sheet import Sheet
from srshell_tui.text import Drawing
from srshell_tui.wizard import Wizard

_CHANGES: dict[str, Callable[[Couple], Wizard]] = {
    "failover": wizards.failover,
    "failback": wizards.failback,
    "suspend": wizards.suspend_or_resume,
    "resolve": wizards.resolve,
    "teardown": wizards.teardown,
}


class Board(Sheet, inherit_bindings=False):
    """Where the person watches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('overview')", show=False),
        Binding("2", "go('group')", show=False),
        Binding("3", "go('volumes')", show=False),
        Binding("4,e", "go('events')", show=False),
        Binding("5", "go('jobs')", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("g,home", "move(-1000000)", show=False),
        Binding("G,end", "move(1000000)", show=False),
        Binding("enter", "open", show=False),
        Binding("escape,backspace", "back", show=False),
        Binding("left_square_bracket", "back", show=False),
        Binding("right_square_bracket", "forward", show=False),
        Binding("slash", "find", show=False),
        Binding("colon", "command", show=False),
        Binding("question_mark", "help", show=False),
        Binding("s", "sort", show=False),
        Binding("z", "problems", show=False),
        Binding("f", "follow", show=False),
        Binding("l", "level", show=False),
        Binding("F", "change('failover')", show=False),
        Binding("B", "change('failback')", show=False),
        Binding("p", "change('suspend')", show=False),
        Binding("K", "change('resolve')", show=False),
        Binding("X", "change('teardown')", show=False),
        Binding("P", "provision", show=False),
        Binding("v", "about('verify')", show=False),
        Binding("t", "topology", show=False),
        Binding("E", "explain", show=False),
        Binding("x", "app.export", show=False),
        Binding("a", "app.accept", show=False),
        Binding("plus", "app.pace(0.5)", show=False),
        Binding("minus", "app.pace(2.0)", show=False),
        Binding("q", "app.quit", show=False),
        # Of a replay; anywhere else they do nothing.
        Binding("space", "app.replay('play')", show=False),
        Binding("left", "app.replay('step', -1)", show=False),
        Binding("right", "app.replay('step', 1)", show=False),
        Binding("left_curly_bracket", "app.replay('jump', -60)", show=False),
        Binding("right_curly_bracket", "app.replay('jump', 60)", show=False),
        Binding("n", "app.replay('event', 1)", show=False),
        Binding("N", "app.replay('event', -1)", show=False),
        Binding("less_than_sign", "app.replay('pace', -1)", show=False),
        Binding("greater_than_sign", "app.replay('pace', 1)", show=False),
        Binding("T", "moment", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self._earlier: list[Look] = []
        self._later: list[Look] = []

    def drawing(self) -> Drawing:
        """The view that is looked at."""
        return draw(self.scene_of(self.look))

    # --- where one is -------------------------------------------------------------------------

    def see(self, look: Look) -> None:
        """Look elsewhere, and remember where one was."""
        if (look.screen, look.group) != (self.look.screen, self.look.group):
            self._earlier.append(self.look)
            self._later.clear()
        self.look = look
        self.dashboard.message = ""
        self.redraw()

    def action_go(self, screen: str) -> None:
        """Another screen."""
        look = attrs.evolve(self.look, screen=screen)
        if screen == "group":
            couple = self.couple()
            look = attrs.evolve(look, group=couple.source.name if couple else "")
        self.see(look)

    def action_back(self) -> None:
        """Where one was before; what was chosen there is as it was."""
        if self._earlier:
            self._later.append(self.look)
            self.look = self._returned(self._earlier.pop())
            self.redraw()
        elif self.look.screen != "overview":
            self.see(attrs.evolve(self.look, screen="overview"))

    def action_forward(self) -> None:
        """Where one was after that."""
        if self._later:
            self._earlier.append(self.look)
            self.look = self._returned(self._later.pop())
            self.redraw()

    def _returned(self, look: Look) -> Look:
        """A view from before, with what was chosen and looked for since."""
        return attrs.evolve(self.look, screen=look.screen, group=look.group)

    def couple(self) -> Couple | None:
        """The replication that keys act on: the shown one, else the chosen one."""
        view = self.dashboard.view
        if self.look.screen == "group":
            return couple_of(view, self.look.group)
        if self.look.screen == "overview":
            rows = self.drawing().rows
            chosen = self.look.cursor if self.look.cursor in rows else next(iter(rows), "")
            return couple_of(view, chosen)
        return couple_of(view, self.look.group) or next(iter(couples(view)), None)

    def chosen(self) -> str:
        """The key of the chosen row; empty when there is none."""
        rows = self.drawing().rows
        if self.look.screen == "events" and self.look.follow:
            return next(iter(rows), "")
        return self.look.cursor if self.look.cursor in rows else next(iter(rows), "")

    def action_move(self, step: int) -> None:
        """Choose another row."""
        rows = self.drawing().rows
        if not rows:
            return
        index = min(max(rows.index(self.chosen()) + step, 0), len(rows) - 1)
        look = self.look.choose(rows[index])
        self.look = attrs.evolve(look, follow=False) if look.screen == "events" else look
        self.dashboard.message = ""
        self.redraw()

    def on_mouse_scroll_down(self) -> None:
        """The wheel chooses, too."""
        self.action_move(1)

    def on_mouse_scroll_up(self) -> None:
        """The wheel chooses, too."""
        self.action_move(-1)

    def on_click(self, event: events.Click) -> None:
        """A click chooses a row; on the chosen one it opens."""
        drawing = self.drawing()
        beside = drawing.cursor_width and event.screen_x >= drawing.cursor_width
        if drawing.cursor is None or beside or self.line.asking:
            return
        step = event.screen_y - drawing.cursor
        first, end = drawing.shown
        if not step:
            self.action_open()
        elif first <= drawing.rows.index(self.chosen()) + step < end:
            self.action_move(step)

    def action_open(self) -> None:
        """Open what is chosen."""
        key, view = self.chosen(), self.dashboard.view
        match self.look.screen:
            case "overview" if key:
                self.open_group(key)
            case "volumes":
                inside = (g.name for g in view.groups.values() if key in {*g.data, g.log})
                self.open_group(next(inside, ""))
            case "events":
                event = next((event for event in view.events if str(event.id) == key), None)
                self.open_group(event.object if event else "")
            case "jobs" if key:
                self.dashboard.run_line(f"job {key}")
            case _:
                pass

    def open_group(self, name: str) -> None:
        """The screen of a group, if it is one."""
        if couple_of(self.dashboard.view, name):
            self.see(attrs.evolve(self.look, screen="group", group=name))
        elif name:
            self.dashboard.run_line(f"why {shlex.quote(name)}")

    # --- through what one looks ---------------------------------------------------------------

    def action_sort(self) -> None:
        """Another order."""
        after = SORTS[(SORTS.index(self.look.sort) + 1) % len(SORTS)]
        self.see(attrs.evolve(self.look, sort=after))

    def action_problems(self) -> None:
        """Only what is not Normal, or all; of events, those that are alike as one, or apart."""
        if self.look.screen == "events":
            self.see(attrs.evolve(self.look, fold=not self.look.fold))
            return
        self.see(attrs.evolve(self.look, problems_only=not self.look.problems_only))

    def action_follow(self) -> None:
        """Keep the newest event chosen, or not."""
        self.see(attrs.evolve(self.look.choose(self.chosen()), follow=not self.look.follow))

    def action_level(self) -> None:
        """Only events that are more important, or all again."""
        levels = list(LEVEL_TONES)
        after = levels[(levels.index(self.look.level) + 1) % len(levels)]
        self.see(attrs.evolve(self.look, level=after))

    def action_find(self) -> None:
        """Ask for a filter."""
        self.line.open("find", "find: text or expression, !x for its absence", self.look.filter)

    def action_command(self) -> None:
        """Ask for a command."""
        self.line.open("command", "a command, as after srshell in a shell")

    def action_moment(self) -> None:
        """Ask for the moment that a replay is to show."""
        if self.dashboard.player is not None:
            self.line.open("moment", "12:01:07, 2026-03-02 12:01, or how long before the end: 5m")

    def action_help(self) -> None:
        """What this screen is, and its keys."""
        self.dashboard.push_screen(HelpSheet(self.look))

    def on_ask_typed(self, event: Ask.Typed) -> None:
        """A filter works while it is typed."""
        event.stop()
        if event.kind == "find" and self.line.asking:
            self.look = self.look.filtered(event.text)
            self.redraw()

    def answered(self, kind: str, text: str) -> None:
        """Enter in the line."""
        self.close_line()
        if kind == "find":
            self.look = self.look.filtered(text)
            self.redraw()
        elif kind == "moment":
            self.dashboard.show_moment(text.strip())
        elif text.strip():
            self.dashboard.run_line(text)

    def on_ask_given_up(self, event: Ask.GivenUp) -> None:
        """Escape in the line; a filter is taken away."""
        if event.kind == "find":
            self.look = self.look.filtered("")
        super().on_ask_given_up(event)

    def suggest(self, text: str) -> Sequence[str]:
        """What may follow in the line."""
        return self.dashboard.suggest(text) if self.line.kind == "command" else ()

    # --- what changes something ---------------------------------------------------------------

    def action_change(self, name: str) -> None:
        """Open a wizard for the replication that is shown or chosen."""
        couple = self.couple()
        if couple is None or couple.other is None:
            self.dashboard.say("choose a replicated group first")
            return
        self.dashboard.open_wizard(_CHANGES[name](couple))

    def action_provision(self) -> None:
        """Open the wizard that makes volumes."""
        view = self.dashboard.view
        pools = [f"{a.name}/{p.name}" for a in view.arrays.values() for p in a.pools]
        if not pools:
            self.dashboard.say("no array is known yet: :discover, then :pair")
            return
        self.dashboard.open_wizard(wizards.provision_pair(pools, view.volumes))

    def action_about(self, verb: str) -> None:
        """A command that changes nothing, about the replication that is shown or chosen."""
        couple = self.couple()
        if couple is not None:
            self.dashboard.run_line(f"{verb} {couple.source.name}")

    def action_topology(self) -> None:
        """Test the two arrays of the chosen replication; else those of the first pair."""
        couple, view = self.couple(), self.dashboard.view
        if couple is not None and couple.other is not None:
            arrays = [side.array for side in couple.sides]
        else:
            arrays = next(([pair.array, pair.peer] for pair in view.pairs.values()), [])
        if not arrays:
            self.dashboard.say("no pair of arrays is known yet: :pair")
            return
        self.dashboard.run_line(shlex.join(["topology", *arrays]))

    def action_explain(self) -> None:
        """The long text behind what is chosen."""
        if self.look.screen == "events":
            key = self.chosen()
            event = next((e for e in self.dashboard.view.events if str(e.id) == key), None)
            self.dashboard.run_line(f"explain {event.code}" if event else "events")
            return
        couple = self.couple()
        if couple is not None and couple.reasons:
            self.dashboard.run_line(f"explain {code_of(couple.reasons[0][1])}")
        elif couple is not None:
            self.dashboard.run_line(f"why {couple.source.name}")


def coded(problem: Exception) -> SrError:
    """An error of ours, as every surface shows it."""
    if isinstance(problem, SrError):
        return problem
    return SrError.make("SR9999", problem=f"{type(problem).__name__}: {problem}")
