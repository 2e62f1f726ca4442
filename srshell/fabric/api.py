"""The verbs of a fabric: one interface, spoken in process and over the control socket.

Always true:

(1) `FabricSession` and `FabricClient` differ in `perform`; every verb is declared once.
(2) A verb that changes something takes ``dry_run=True`` (the value is a `PlanReport`, and nothing
    has changed) and ``wait=False`` (the value is a `JobReport`, the work goes on in the owner).
    The annotation names the value of the usual call.
(3) Objects are given by name, or as the value that carries the name.
(4) A refused verb raises `SrError` and has changed nothing.

Waiting verbs take ``timeout`` in seconds: when it is over the waiting ends with SR0106, the work
does not.  Sizes are bytes or text such as "64G".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any

from srshell.fabric.api_branches import BranchVerbs
from srshell.fabric.api_plots import PlotVerbs
from srshell.fabric.api_running import RunningVerbs
from srshell.fabric.api_setup import SetupVerbs
from srshell.fabric.verb import Name
from srshell.fabric.volume_api import FabricVolume
from srshell.model.inventory import Event
from srshell.model.report import JobReport, PlanReport


class FabricApi(SetupVerbs, RunningVerbs, BranchVerbs, PlotVerbs, ABC):
    """What can be asked of a fabric."""

    @abstractmethod
    async def perform(self, verb: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        """Carry out a verb by its name; its declaration says what it takes and returns."""

    @abstractmethod
    def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events with an id beyond ``after``, as they happen; ends when the fabric is closed."""

    @abstractmethod
    def volume(self, name: Name) -> FabricVolume:
        """The bytes of a volume; its site is looked up at the first use."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the fabric; replication goes on unless its owner is in this process."""

    async def plan(self, verb: str, **arguments: object) -> PlanReport:
        """What a changing verb would do; nothing is changed."""
        plan: PlanReport = await self.perform(verb, {**arguments, "dry_run": True})
        return plan

    async def start(self, verb: str, **arguments: object) -> JobReport:
        """Begin a changing verb and return its job at once."""
        job: JobReport = await self.perform(verb, {**arguments, "wait": False})
        return job
