"""The dashboard as a Textual application: hears the owner, shows it, sends command lines.

Always true:

(1) The view is changed by what is heard, here alone; screens only read it.
(2) Nothing that a person does here is anything but a command of the registry.
(3) No fault of ours ends it: what was not foreseen is shown as SR9999.
(4) A terminal that does not read, or reads slowly, holds nothing up: frames are left out.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar, Final

import attrs
from rich.color import ColorSystem
from rich.console import RenderableType
from textual import work
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen

from srshell.fabric.calls import Call, parse_line, parse_words
from srshell.fabric.command_spec import Effect, Noun
from srshell.fabric.control_client import FabricClient
from srshell.fabric.pages import page_of
from srshell.fabric.suggest import words_after
from srshell.model.errors import SrError
from srshell.model.report import encode
from srshell_tui.board import Board, coded
from srshell_tui.driver import driver_class
from srshell_tui.link import Heard, Link, LinkMessage, Lost, Seeking
from srshell_tui.options import MONO, Options
from srshell_tui.page_sheet import PageSheet
from srshell_tui.palette import FabricProvider
from srshell_tui.player import player_of
from srshell_tui.scene import Look
from srshell_tui.sheet import Sheet
from srshell_tui.shot import contained, write_pages
from srshell_tui.store import Contact, FabricView, Gap, forget, hear, lose, seek
from srshell_tui.themes import NoColour, themes
from srshell_tui.thrift import Painted
from srshell_tui.topology_sheet import TopologySheet
from srshell_tui.wizard import Wizard, of_line
from srshell_tui.wizard_sheet import WizardSheet, error_page

#: A terminal that has more writes than this before it is behind.
_BACKLOG_MAX: Final = 2
#: How long after a frame that was left out the terminal is looked at again, in seconds.
_OWED_SECONDS: Final = 0.1
_PERIOD_SECONDS_MIN: Final = 0.25
_PERIOD_SECONDS_MAX: Final = 8.0
#: How often a replay that plays shows what came next, in seconds.
_REPLAY_SECONDS: Final = 0.25


class Dashboard(App[int], inherit_bindings=False):
    """One person's view of one fabric."""

    CSS_PATH = "dash.tcss"
    TITLE = "srshell"
    COMMANDS: ClassVar[set[type[FabricProvider]]] = {FabricProvider}  # type: ignore[assignment]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", show=False, priority=True, system=True),
    ]

    # Only the cells that differ are painted, by the screens: a view that changed repaints nothing.
    view: reactive[FabricView] = reactive(
        FabricView(), init=False, always_update=True, repaint=False
    )

    def __init__(
        self,
        options: Options,
        *,
        view: FabricView | None = None,
        look: Look | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a dashboard.

        Args:
            options: how it is to be.
            view: a picture to show; with one, nothing is listened to.
            look: where the person looks first.
            clock: tells the time, in Unix seconds.
        """
        super().__init__(driver_class(), ansi_color=None)
        self.player = player_of(options)
        if self.player is not None:
            view, clock = self.player.view, self._replayed
            options = attrs.evolve(options, read_only=True)
        self.options = options
        self.clock = clock
        self.client = FabricClient(
            options.place, start=options.start, options=options.owner, read_only=options.read_only
        )
        self.board = Board(look or Look())
        self.message = ""
        self.drawn = self.skipped = 0
        self._owes = False
        self._painted = Painted()
        self._listening = view is None
        self.link = Link(options.place, start=options.start, options=options.owner,
                         period_seconds=options.period_seconds, record=options.record)  # fmt: skip
        self.set_reactive(Dashboard.view, view or FabricView(since=clock()))
        for theme in themes():
            self.register_theme(theme)
        if options.theme == MONO:
            self._filters.append(NoColour())
        self.theme = options.theme

    def get_default_screen(self) -> Screen[None]:
        """The board is the lowest screen."""
        return self.board

    def on_mount(self) -> None:
        """Begin to listen."""
        if self._listening:
            self.listen()
            self.set_interval(1.0, self.redraw)
        elif self.player is not None:
            self.set_interval(_REPLAY_SECONDS, self._play_on)
        if self._listening or self.player is not None:
            # Who ends it from elsewhere gets the terminal back as it was.
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit)

    async def on_unmount(self) -> None:
        """Hang up."""
        await self.client.close()

    # --- hearing and showing ------------------------------------------------------------------

    @work(exclusive=True, group="link")
    async def listen(self) -> None:
        """Hear the owner for ever."""
        async with aclosing(self.link.messages()) as messages:
            async for message in messages:
                self.take(message)

    def take(self, message: LinkMessage) -> None:
        """The view after a message."""
        match message:
            case Heard(frame):
                if self.view.contact is Contact.STRANGER and not frame.whole:
                    return
                try:
                    self.view = hear(self.view, frame, self.clock())
                except Gap:
                    self.link.begin_again()
                    return
            case Lost(problem):
                self.view = lose(self.view, problem, self.clock())
            case Seeking():
                self.view = seek(self.view)

    def watch_view(self) -> None:
        """The view has changed."""
        self.redraw()

    def redraw(self) -> None:
        """Draw the upper screen again, where it differs."""
        if self.is_running and self.screen_stack and isinstance(self.screen, Sheet):
            self.screen.redraw()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write to the terminal, unless it has not taken what was written before.

        Textual's writer blocks the whole loop once its queue is full; so nothing is queued behind
        what waits, and the whole screen is painted once the terminal reads again.
        """
        if renderable is None or self._batch_count or self.is_headless or not self.is_running:
            super()._display(screen, renderable)
            return
        if not self._terminal_reads():
            self.skipped += 1
            if not self._owes:
                self._owes = True
                self.set_timer(_OWED_SECONDS, self._pay)
            return
        if isinstance(renderable, LayoutUpdate | ChopsUpdate):
            system = self.console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001
            renderable = self._painted.thin(renderable, system, self.cursor_position)
            self.drawn += renderable is not None
        super()._display(screen, renderable)

    def on_resize(self) -> None:
        """Another size: what the terminal made of the picture is not known."""
        self._painted.forget()

    def _pay(self) -> None:
        """Paint what was left out, now or a little later."""
        if self._terminal_reads():
            self._owes = False
            self._painted.expect()
            self.refresh()
        else:
            self.set_timer(_OWED_SECONDS, self._pay)

    def _terminal_reads(self) -> bool:
        """Whether nearly everything that was written has been taken."""
        writer = getattr(self._driver, "_writer_thread", None)
        queue = getattr(writer, "_queue", None)
        return queue is None or queue.qsize() <= _BACKLOG_MAX

    def link_text(self) -> str:
        """How the link and the terminal are doing."""
        view = self.view
        return (
            f"{view.contact.value}, frame {view.seq}, one in {self.link.period_seconds:g} s; "
            f"drawn {self.drawn}, left out for a slow terminal {self.skipped}"
        )

    def say(self, message: str) -> None:
        """Tell the person something, above the keys."""
        self.message = message
        self.redraw()

    # --- commands -----------------------------------------------------------------------------

    def run_line(self, line: str) -> None:
        """Do what a command line says: show a page, or open a wizard for what changes something."""
        try:
            if self.player is not None:
                raise SrError.make("SR9011", facts=f"not asked: {line}")
            call = parse_line(line)
            if call.spec.name == "plan":
                inner = parse_words(list(_words(call.arguments["command"])))
                call = attrs.evolve(inner, arguments={**inner.arguments, "dry_run": True})
            if call.spec.effect is Effect.RUNS:
                facts = "it is a process of its own; run it in a shell"
                raise SrError.make("SR0108", facts=facts, mend=f"srshell {call.spec.name}",
                                   option=call.spec.name)  # fmt: skip
            changes = call.spec.changes or call.arguments.get("cancel") is True
            if changes and not call.dry_run and self.options.read_only:
                raise SrError.make("SR9003", facts=f"{call.spec.name} changes the fabric")
            if call.spec.changes and not call.dry_run:
                self.open_wizard(of_line(line))
                return
        except SrError as error:
            self.push_screen(PageSheet(line, error_page(error)))
            return
        if call.method == "topology":
            self.push_screen(TopologySheet(call))
            return
        self.say(f"asking: {line}")
        self.show_answer(line, call)

    @work(group="look")
    async def show_answer(self, line: str, call: Call) -> None:
        """Ask the owner, and show its answer as a page."""
        try:
            report = await self.client.perform(call.method, call.arguments)
            page = page_of(json.loads(encode(report)))
        except Exception as error:  # noqa: BLE001 - the last line of defence
            page = error_page(coded(error))
        self.message = ""
        self.push_screen(PageSheet(line, page))

    def open_wizard(self, wizard: Wizard) -> None:
        """Let the person go the way of a change; refused in a read-only session."""
        if self.options.read_only:
            facts = f"{wizard.title} changes the fabric"
            error = SrError.make("SR9011" if self.player else "SR9003", facts=facts)
            self.push_screen(PageSheet(wizard.title, error_page(error)))
            return
        self.message = ""
        self.push_screen(WizardSheet(wizard))

    def begin_command(self, name: str) -> None:
        """Begin to type a command."""
        self.board.line.open("command", "a command", f"{name} ")

    def suggest(self, text: str) -> Sequence[str]:
        """What may stand where the text ends."""
        typed = text.split(" ")[:-1]
        return words_after([word for word in typed if word], self.names_of) or ()

    def names_of(self, noun: Noun) -> list[str]:
        """The names of what the fabric holds, as last heard."""
        view = self.view
        match noun:
            case Noun.ARRAY:
                return list(view.arrays)
            case Noun.POOL:
                return [f"{a.name}/{p.name}" for a in view.arrays.values() for p in a.pools]
            case Noun.VOLUME:
                return list(view.volumes)
            case Noun.GROUP:
                return list(view.groups)
            case Noun.MACHINE:
                return list(view.vms)
            case Noun.JOB:
                return list(view.jobs)
            case Noun.OBJECT:
                return [*view.groups, *view.arrays, *view.volumes, *view.vms]
            case _:
                return []

    # --- the past ---------------------------------------------------------------------------

    def _replayed(self) -> float:
        """The clock of a replay."""
        assert self.player is not None, "only a replay asks"
        return self.player.moment

    def _play_on(self) -> None:
        """Show what came next."""
        if self.player is not None and self.player.playing:
            self.player.tick(_REPLAY_SECONDS)
            self.view = self.player.view

    def action_replay(self, what: str, amount: float = 0) -> None:
        """A key of the replay."""
        player = self.player
        if player is None:
            return
        match what:
            case "play":
                player.play_or_pause()
            case "step":
                player.step(int(amount))
            case "jump":
                player.jump(amount)
            case "event":
                player.to_event(int(amount))
            case _:
                player.pace(int(amount))
        self.message = ""
        self.view = player.view

    def show_moment(self, text: str) -> None:
        """Show the moment that a person typed."""
        if self.player is None:
            return
        try:
            self.player.jump(self.player.reel.moment_of(text) - self.player.moment)
        except SrError as error:
            self.say(str(error))
            return
        self.view = self.player.view

    # --- keys of every screen -----------------------------------------------------------------

    def action_leave(self) -> None:
        """Close what is open; on the board, say how to quit."""
        if isinstance(self.screen, Sheet) and self.screen.line.asking:
            self.screen.line.action_give_up()
        elif self.screen is not self.board:
            self.pop_screen()
        else:
            self.say("q quits; replication and jobs go on without this screen")

    def action_accept(self) -> None:
        """Follow the other fabric that answers."""
        if self.view.contact is Contact.STRANGER:
            self.view = forget(self.view, self.clock())
            self.link.begin_again()

    def action_pace(self, factor: float) -> None:
        """Look more or less often."""
        period = self.link.period_seconds * factor
        self.link.period_seconds = min(max(period, _PERIOD_SECONDS_MIN), _PERIOD_SECONDS_MAX)
        self.link.begin_again()
        self.say(f"one look in {self.link.period_seconds:g} s")

    def picture(self, title: str | None = None) -> str:
        """The screen as SVG, which needs nothing else to be shown."""
        return contained(self.export_screenshot(title=title))

    def action_export(self) -> None:
        """Write the present screen as text and as SVG."""
        if not isinstance(self.screen, Sheet):
            return
        stamp = time.strftime("%Y%m%dT%H%M%S", time.localtime(self.clock()))
        base = Path(f"srshell-{self.board.look.screen}-{stamp}")
        try:
            write_pages(base, {".txt": self.screen.paper.text, ".svg": self.picture()})
        except OSError as error:
            self.say(f"not written: {error.strerror}")
            return
        self.say(f"written: {base.absolute()}.txt and .svg")


def _words(value: object) -> Sequence[str]:
    assert isinstance(value, tuple), value
    return value
