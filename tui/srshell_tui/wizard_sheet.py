"""The Textual screen of a wizard: asks the owner, shows what it says, runs what was confirmed.

Always true:

(1) What is sent is the call of the line that is shown.
(2) Leaving the screen while it runs leaves the work alone.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from textual import work
from textual.binding import Binding, BindingType

from srshell.fabric.control_client import Begun
from srshell.fabric.pages import Page
from srshell.model.errors import SrError
from srshell.model.report import PlanReport
from srshell_tui.ask import Ask
from srshell_tui.scene import Look
from srshell_tui.screens.wizard import draw_wizard
from srshell_tui.sheet import Sheet
from srshell_tui.text import Drawing
from srshell_tui.wizard import Stage, Wizard


class WizardSheet(Sheet, inherit_bindings=False):
    """One change on its way."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("down,j", "mark(1)", show=False),
        Binding("up,k", "mark(-1)", show=False),
        Binding("tab,left,right", "switch", show=False),
        Binding("enter", "take", show=False),
        Binding("m", "mend", show=False),
        Binding("E", "explain", show=False),
    ]

    def __init__(self, wizard: Wizard) -> None:
        super().__init__()
        self.wizard = wizard

    def drawing(self) -> Drawing:
        """The wizard as it is."""
        return draw_wizard(self.scene_of(Look()), self.wizard)

    def on_mount(self) -> None:
        """Begin."""
        super().on_mount()
        self.go_on(self.wizard)

    def go_on(self, wizard: Wizard) -> None:
        """Do what the stage asks for."""
        self.wizard = wizard
        match wizard.stage:
            case Stage.PLAN:
                self.close_line()
                self.ask_for_plan()
            case Stage.ASK:
                question = wizard.questions[len(wizard.answers)]
                self.line.open("answer", f"{question.text}", question.default)
            case Stage.CONFIRM if wizard.wanted:
                if not self.line.asking:
                    self.line.open("confirm", f"type {wizard.wanted} to run it")
            case Stage.RUN:
                self.close_line()
                self.carry_out()
            case _:
                pass
        self.redraw()

    @work(exclusive=True, group="wizard")
    async def ask_for_plan(self) -> None:
        """Ask the owner what would be done."""
        try:
            call = self.wizard.dry_call()
            plan = await self.dashboard.client.perform(call.method, call.arguments)
        except SrError as error:
            self.go_on(self.wizard.refused(error))
            return
        if isinstance(plan, PlanReport):
            self.go_on(self.wizard.planned(plan))
        else:
            self.go_on(self.wizard.finished(plan))

    @work(exclusive=True, group="wizard")
    async def carry_out(self) -> None:
        """Let the owner do it, and look at its job until that has ended."""
        client = self.dashboard.client
        try:
            call = self.wizard.call()
            begun = await client.begin(call.method, call.arguments)
            while isinstance(begun, Begun):
                self._show_job(begun)
                if begun.ended:
                    begun = begun.result()
                    break
                begun = await client.look(begun)
        except SrError as error:
            self.go_on(self.wizard.refused(error))
            return
        self.go_on(self.wizard.finished(begun))

    def _show_job(self, begun: Begun) -> None:
        """How far it is."""
        self.wizard = attrs.evolve(self.wizard, job=begun.report.job)
        self.redraw()

    # --- what the person does -----------------------------------------------------------------

    def answered(self, kind: str, text: str) -> None:
        """Enter in the line."""
        self.line.value = ""
        self.go_on(self.wizard.answer(text) if kind == "answer" else self.wizard.typed(text))

    def on_ask_given_up(self, event: Ask.GivenUp) -> None:
        """Escape in the line: nothing is done."""
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Go back; what runs goes on."""
        job = self.wizard.job
        if self.wizard.stage is Stage.RUN and job is not None:
            self.dashboard.message = f"job {job.id} goes on: :job {job.id} --wait"
        else:
            self.dashboard.message = ""
        self.dismiss()

    def action_mark(self, step: int) -> None:
        """Mark another way."""
        if self.wizard.stage is Stage.CHOOSE:
            chosen = (self.wizard.chosen + step) % len(self.wizard.options)
            self.wizard = attrs.evolve(self.wizard, chosen=chosen)
            self.redraw()

    def action_switch(self) -> None:
        """Between Cancel and Run."""
        if self.wizard.stage is Stage.CONFIRM:
            self.wizard = attrs.evolve(self.wizard, run_chosen=not self.wizard.run_chosen)
            self.redraw()

    def action_take(self) -> None:
        """Take what is marked."""
        wizard = self.wizard
        if wizard.stage is Stage.CHOOSE:
            self.go_on(wizard.choose())
        elif wizard.stage is Stage.CONFIRM and not wizard.wanted:
            if wizard.run_chosen:
                self.go_on(attrs.evolve(wizard, stage=Stage.RUN))
            else:
                self.action_leave()
        elif wizard.over:
            self.action_leave()

    def action_mend(self) -> None:
        """Go on with the line that mends the error."""
        error = self.wizard.error
        if error is not None and error.mend:
            self.dismiss()
            self.dashboard.call_later(self.dashboard.run_line, error.mend)

    def action_explain(self) -> None:
        """The long text of the error."""
        if self.wizard.error is not None:
            self.dashboard.run_line(f"explain {self.wizard.error.code}")


def error_page(error: SrError) -> Page:
    """An error as a page."""
    head, *rest = error.lines()
    return Page(f"✖ {head}", lines=tuple(rest))
